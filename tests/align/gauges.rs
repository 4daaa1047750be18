//! Bases of attention heads and streams are turned onto each other.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;
use burnscape::align::{AlignError, GaugeAlignmentConfig};
use burnscape::krylov::Outcome;
use burnscape::loss::Work;
use burnscape::symmetry::{Gauges, GaugesConfig};

use crate::element::device;
use crate::symmetry::zoo::{
    self, Mlp, Parameter, RootMeanSquare, difference, numbers, parameters, rotation, same,
    scattered,
};

const SEED: u64 = 73;

fn identity(size: usize) -> Vec<f64> {
    let mut matrix = vec![0.0; size * size];
    matrix.iter_mut().step_by(size + 1).for_each(|x| *x = 1.0);
    matrix
}

fn flat(all: &[Parameter]) -> Vec<f64> {
    all.iter().flat_map(|one| one.values.clone()).collect()
}

fn distance<M: Module>(a: &M, b: &M) -> f64 {
    difference(&flat(&parameters(a)), &flat(&parameters(b)))
}

/// A rotation for each head of each layer, and none of the stream.
fn of_heads(gauges: &Gauges) -> Vec<Vec<f64>> {
    let gauges = gauges.gauges().iter().enumerate();
    let matrices = gauges.map(|(index, gauge)| {
        let rows = (0..gauge.rows).map(|row| match gauge.is_orthogonal {
            true => identity(gauge.size),
            false => {
                let phase = (index * 7 + row) as f64;
                rotation(gauge.size, [phase, phase + 1.7], false)
            }
        });
        rows.collect::<Vec<_>>().concat()
    });
    matrices.collect()
}

#[test]
fn planted_rotations_of_heads_are_recovered() {
    let net = zoo::encoder(true, &device(), SEED);
    let gauges = GaugesConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let gauges = gauges.expect("gauges");
    // `apply` makes the gains of the stream 1, too, so that both models have them.
    let none: Vec<Vec<f64>> = gauges
        .gauges()
        .iter()
        .map(|gauge| identity(gauge.size).repeat(gauge.rows))
        .collect();
    let a = gauges.apply(&net.model, &none).expect("a model");
    let planted = of_heads(&gauges);
    let b = gauges.apply(&a, &planted).expect("a model");
    assert!(distance(&a, &b) > 0.1);
    let (before, other) = (parameters(&a), parameters(&b));

    let found = GaugeAlignmentConfig::new().run(&gauges, &a, &b);
    let found = found.expect("an alignment");
    assert!(distance(&a, &found.model) < 1e-10);
    assert!(found.objectives.is_sorted() && found.objectives[1] > found.objectives[0]);
    assert_eq!(found.outcome, Outcome::Converged);
    let answers = net.answers(&b);
    assert!(difference(&answers, &net.answers(&found.model)) < 1e-9);
    // The matrices undo those that were planted.
    let again = gauges.apply(&b, &found.matrices).expect("a model");
    assert!(distance(&again, &found.model) < 1e-10);
    assert!(same(&parameters(&found.reference), &before));
    assert!(same(&parameters(&a), &before) && same(&parameters(&b), &other));
}

#[test]
fn models_that_differ_come_nearer_and_stay_the_same_functions() {
    let net = zoo::encoder(true, &device(), SEED);
    let gauges = GaugesConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let gauges = gauges.expect("gauges");
    let b = scattered(&net.model, SEED + 1);
    for streams in [false, true] {
        let config = GaugeAlignmentConfig::new().with_streams(streams);
        let found = config.run(&gauges, &net.model, &b).expect("an alignment");
        assert!(found.objectives.last() > found.objectives.first());
        assert!(found.objectives.is_sorted());
        assert!(found.num_sweeps >= found.objectives.len() - 1);
        let pairs = [(&b, &found.model), (&net.model, &found.reference)];
        for (before, after) in pairs {
            let gap = difference(&net.answers(before), &net.answers(after));
            assert!(gap < 1e-9, "{streams}: {gap:e}");
        }
    }
}

#[test]
fn a_planted_rotation_of_a_stream_is_recovered_with_gains_moved_in_both() {
    let a = scattered(&RootMeanSquare::new(&device()), SEED);
    let outputs = |net: &RootMeanSquare, x: &Tensor<2>| net.outputs(x);
    let x = numbers([4, 3], SEED, &device());
    let gauges = GaugesConfig::new().run(&outputs, &a, x.clone());
    let gauges = gauges.expect("gauges");
    assert_eq!(gauges.gauges().len(), 1);
    let b = gauges
        .apply(&a, &[rotation(6, [0.3, 2.0], false)])
        .expect("a model");

    let without = GaugeAlignmentConfig::new().run(&gauges, &a, &b);
    let without = without.expect("an alignment");
    assert!(same(&parameters(&without.model), &parameters(&b)));
    assert_eq!(without.matrices, [identity(6)]);

    let config = GaugeAlignmentConfig::new().with_streams(true);
    let found = config.run(&gauges, &a, &b).expect("an alignment");
    assert!(distance(&found.reference, &found.model) < 1e-10);
    let gain = |net: &RootMeanSquare| -> Vec<f64> {
        let gains = net.first.gamma.val().into_data();
        gains.iter::<f64>().collect()
    };
    assert!(difference(&gain(&found.reference), &[1.0; 6]) < 1e-15);
    // Burn normalizes in single precision.
    let answers =
        |net: &RootMeanSquare| -> Vec<f64> { outputs(net, &x).into_data().iter().collect() };
    assert!(difference(&answers(&a), &answers(&found.reference)) < 1e-5);
}

#[test]
fn an_observer_sees_every_step_and_stops_with_the_bases_so_far() {
    let net = zoo::encoder(true, &device(), SEED);
    let gauges = GaugesConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let gauges = gauges.expect("gauges");
    let b = scattered(&net.model, SEED + 1);
    let config = GaugeAlignmentConfig::new();
    let whole = config.run(&gauges, &net.model, &b).expect("an alignment");
    let mut seen = Vec::new();
    let search = config.init(&gauges, &net.model, &b).expect("a search");
    let search = search.with_observer(|progress| {
        seen.push((progress.work, progress.done, progress.value));
        match progress.done {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let found = search.run().expect("an alignment");
    assert_eq!((found.outcome, found.num_sweeps), (Outcome::Stopped, 0));
    let steps: Vec<(Work, usize)> = seen.iter().map(|(work, done, _)| (*work, *done)).collect();
    assert_eq!(steps, [(Work::Step, 1), (Work::Step, 2)]);
    // The gain of a step is what the products of all weights say.
    let [first, last] = [seen[0].2, seen[1].2].map(|value| value.expect("an objective"));
    let end = found.objectives.last().copied().expect("an objective");
    assert!(found.objectives[0] < first && first < last);
    assert!((last - end).abs() < 1e-10 * end.abs(), "{last} {end}");
    assert!(end < *whole.objectives.last().expect("an objective"));
    assert!(difference(&net.answers(&b), &net.answers(&found.model)) < 1e-9);
}

#[test]
fn other_models_and_settings_are_refused() {
    let net = zoo::encoder(true, &device(), SEED);
    let gauges = GaugesConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let gauges = gauges.expect("gauges");
    let other = Mlp::new([5, 7, 6, 4], &device());
    let error = GaugeAlignmentConfig::new().run(&gauges, &other, &other);
    assert!(matches!(
        error.err(),
        Some(AlignError::DifferentModel { model: "a", .. })
    ));
    let none = GaugeAlignmentConfig::new().with_max_sweeps(0);
    let error = none.run(&gauges, &net.model, &net.model);
    assert!(matches!(error.err(), Some(AlignError::OutOfRange(_))));
}
