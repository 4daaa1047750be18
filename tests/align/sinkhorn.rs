//! Sinkhorn's algorithm in closed form, and permutations that are learned by the loss between the models.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::align::{AlignError, Alignment, SinkhornConfig, WeightMatchingConfig, sinkhorn};
use burnscape::krylov::Outcome;
use burnscape::loss::{Batch, Mode, Risk, Work};
use burnscape::symmetry::{Element, Symmetries};

use super::straight_through::{Shallow, inputs, loss, pair};
use crate::element::device;
use crate::symmetry::zoo::{self, Cnn, Mlp, Specimen, numbers, parameters, same, scattered};

const SEED: u64 = 89;

/// A square matrix on autodiff, in double precision.
fn leaf(entries: &[f64]) -> Tensor<2> {
    let size = entries.len().isqrt();
    let data = TensorData::new(entries.to_vec(), [size, size]);
    let scores = Tensor::<2>::from_data(data, (&device().autodiff(), DType::F64));
    scores.require_grad()
}

fn host(values: Tensor<2>) -> Vec<f64> {
    values.inner().into_data().iter::<f64>().collect()
}

/// D3.
#[test]
fn two_units_are_those_of_the_closed_form() {
    for (scores, temperature) in [
        ([0.3, -0.2, 0.5, 1.1], 1.0),
        ([2.0, 0.5, -0.4, 0.9], 0.7),
        ([-1.0, 3.0, 0.2, -0.5], 1.5),
        ([0.4, 0.4, 0.4, 0.4], 0.1),
    ] {
        let leaf = leaf(&scores);
        let soft = sinkhorn(leaf.clone(), temperature, 200).expect("a soft permutation");
        let [a, b, c, d] = scores;
        let p = 1.0 / (1.0 + (-(a + d - b - c) / (2.0 * temperature)).exp());
        let expected = [p, 1.0 - p, 1.0 - p, p];
        for (found, expected) in host(soft.clone()).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        }
        let gradients = soft.slice([0..1, 0..1]).sum().backward();
        let slope = p * (1.0 - p) / (2.0 * temperature);
        let found = host(leaf.grad(&gradients).expect("a gradient"));
        for (found, sign) in found.iter().zip([1.0, -1.0, -1.0, 1.0]) {
            assert!((found - sign * slope).abs() < 1e-10, "{found} {slope}");
        }
    }
}

#[test]
fn rows_and_columns_sum_to_one() {
    for seed in 0..20 {
        let scores = numbers([6, 6], SEED + seed, &device());
        let soft = sinkhorn(scores, 1.0, 100).expect("a soft permutation");
        for axis in [0, 1] {
            let sums = host(soft.clone().sum_dim(axis));
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-12), "{sums:?}");
        }
        assert!(host(soft).iter().all(|entry| *entry > 0.0));
    }
}

#[test]
fn a_low_temperature_gives_the_linear_assignment() {
    // Rows take columns 2, 0, 1: 3 + 2 + 4 is the largest sum.
    let scores = [1.0, 2.5, 3.0, 2.0, 1.0, 1.5, 2.0, 4.0, 3.0];
    let soft = sinkhorn(leaf(&scores), 0.02, 200).expect("a soft permutation");
    let expected = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    for (found, expected) in host(soft).iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn extreme_scores_stay_finite() {
    for seed in 0..10 {
        let signs = numbers([16], SEED + seed, &device()).into_data();
        let scores: Vec<f64> = signs.iter::<f64>().map(|x| 1e4 * x.signum()).collect();
        let leaf = leaf(&scores);
        let soft = sinkhorn(leaf.clone(), 1.0, 20).expect("a soft permutation");
        let sums = host(soft.clone().sum_dim(0));
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-12), "{sums:?}");
        let gradients = soft.slice([0..1, 0..4]).sum().backward();
        let gradient = host(leaf.grad(&gradients).expect("a gradient"));
        assert!(gradient.iter().all(|entry| entry.is_finite()));
    }
}

#[test]
fn scores_that_are_no_square_and_settings_out_of_range_are_refused() {
    let scores = || numbers([2, 2], SEED, &device());
    for (temperature, iterations) in [(0.0, 5), (-1.0, 5), (f64::NAN, 5), (1.0, 0)] {
        let error = sinkhorn(scores(), temperature, iterations).expect_err("a refusal");
        assert!(matches!(error, AlignError::OutOfRange(_)), "{error}");
    }
    let error = sinkhorn(numbers([2, 3], SEED, &device()), 1.0, 5).expect_err("a refusal");
    let text = error.to_string();
    assert!(text.contains("2 rows and 3 columns"), "{text}");
    assert!(text.contains("pass a square matrix"), "{text}");
    let none = sinkhorn(Tensor::zeros([0, 0], &device()), 1.0, 5).expect("nothing");
    assert_eq!(none.dims(), [0, 0]);
}

#[test]
fn the_loss_between_the_models_falls_where_weights_mislead() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let data = [(inputs(), a.outputs(&inputs()))];
    let risk = Risk::new(&loss, &data);
    let (before, other) = (parameters(&a), parameters(&b));
    for seed in 0..3 {
        let config = SinkhornConfig::new(0.1).with_epochs(100).with_seed(seed);
        let found = config
            .run(&symmetries, &a, &b, &risk)
            .expect("an alignment");
        // Weight matching, the start, gives the identity.
        assert_eq!(found.element.permutation(0), Some(&[2, 0, 1][..]), "{seed}");
        // The midpoint computes what both models do.
        assert!(found.objective.abs() < 1e-20, "{}", found.objective);
        let run = &found.record.starts[0];
        assert!(run.objectives[0] < -1.0 && run.objectives.is_sorted());
        assert_eq!(run.objectives.last(), Some(&found.objective));
        assert_eq!((run.num_sweeps, run.outcome), (100, Outcome::LimitReached));
        assert!(found.record.completed && found.record.num_assignments > 100);
        assert_eq!(found.record.groups, [0]);
        let moved = found.element.apply(&b).expect("a model");
        assert!(same(&parameters(&moved), &parameters(&found.model)));
    }
    assert!(same(&parameters(&a), &before) && same(&parameters(&b), &other));
}

fn squares(net: &Mlp, (x, y): (Tensor<2>, Tensor<2>)) -> Tensor<1> {
    (net.outputs(&x) - y).square().mean()
}

#[test]
fn planted_permutations_are_learned_and_the_result_is_never_worse_than_the_start() {
    let net = zoo::mlp(&device(), SEED);
    let symmetries = net.symmetries();
    let batch = |seed: u64| {
        let x = numbers([32, 5], SEED + seed, &device());
        (x.clone(), net.model.outputs(&x))
    };
    let data = [batch(1), batch(2)];
    let risk = Risk::new(&squares, &data);
    let planted = symmetries.random(3).apply(&net.model).expect("a model");
    let run = |start: Option<Element>, epochs: usize| {
        let mut config = SinkhornConfig::new(0.1).with_epochs(epochs).with_seed(4);
        if let Some(start) = start {
            config = config.with_start(start);
        }
        let found = config.run(&symmetries, &net.model, &planted, &risk);
        found.expect("an alignment")
    };
    for start in [symmetries.identity(), symmetries.random(8)] {
        let found = run(Some(start.clone()), 60);
        let objectives = &found.record.starts[0].objectives;
        assert!(objectives.is_sorted(), "{objectives:?}");
        assert!(found.objective > 0.5 * objectives[0], "{objectives:?}");
        // Without a step, the start is the result.
        let at_start = run(Some(start.clone()), 0);
        assert_eq!(
            (at_start.objective, at_start.element),
            (objectives[0], start)
        );
    }
    // At the planted one the loss is zero.
    let inverse = symmetries.random(3).inverse();
    let found = run(Some(inverse.clone()), 3);
    assert_eq!((found.objective, &found.element), (0.0, &inverse));
    assert!(same(&parameters(&found.model), &parameters(&net.model)));
    assert_eq!(found.record.starts[0].objectives.len(), 1);
    // Without a start, it is that of weight matching.
    let by_weights = WeightMatchingConfig::new().with_seed(4);
    let by_weights = by_weights.run(&symmetries, &net.model, &planted);
    let by_weights = by_weights.expect("an alignment").element;
    assert_eq!(run(None, 0).element, by_weights);
}

#[test]
fn a_seed_gives_the_same_bits() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let data = [(inputs(), a.outputs(&inputs()))];
    let risk = Risk::new(&loss, &data);
    let run = |seed: u64| {
        let config = SinkhornConfig::new(0.1).with_epochs(30).with_seed(seed);
        config
            .run(&symmetries, &a, &b, &risk)
            .expect("an alignment")
    };
    let (one, again) = (run(6), run(6));
    assert_eq!(one.record, again.record);
    assert_eq!(one.objective.to_bits(), again.objective.to_bits());
    assert!(same(&parameters(&one.model), &parameters(&again.model)));
}

#[test]
fn an_observer_stops_after_a_step() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let batch = (inputs(), a.outputs(&inputs()));
    let data = [batch.clone(), batch];
    let mut losses = Vec::new();
    let risk = Risk::new(&loss, &data).with_observer(|progress| {
        if progress.work == Work::Step {
            losses.push(progress.value);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let config = SinkhornConfig::new(0.1);
    let found = config
        .run(&symmetries, &a, &b, &risk)
        .expect("an alignment");
    drop(risk);
    assert_eq!(losses.len(), 1);
    assert!(losses[0].is_some_and(f64::is_finite));
    assert!(!found.record.completed);
    assert_eq!(found.record.starts[0].outcome, Outcome::Stopped);
    assert_eq!(found.element, symmetries.identity());
}

/// Learns from a random start.
fn learned<M: Module, B: Batch + Sync, const R: usize>(
    net: &Specimen<M, B, R>,
    symmetries: &Symmetries,
) -> (Element, Alignment<M>) {
    let outputs = net.outputs;
    let loss = move |model: &M, batch: B| outputs(model, &batch).square().mean();
    let data = [net.batch.clone()];
    let start = symmetries.random(SEED);
    let found = SinkhornConfig::new(0.1)
        .with_epochs(3)
        .with_start(start.clone())
        .run(
            symmetries,
            &net.model,
            &scattered(&net.model, SEED + 1),
            &Risk::new(&loss, &data),
        );
    (start, found.expect("an alignment"))
}

#[test]
fn heads_and_their_channels_keep_the_permutations_of_the_start() {
    let net = zoo::encoder(true, &device(), SEED);
    let symmetries = net.symmetries();
    let groups = symmetries.groups();
    let (start, found) = learned(&net, &symmetries);
    // The stream, and the hidden units of both layers.
    assert_eq!(found.record.groups.len(), 3, "{symmetries}");
    for (index, group) in groups.iter().enumerate() {
        let is_learned = found.record.groups.contains(&index);
        let is_parent = groups.iter().any(|other| other.parents().contains(&index));
        assert_eq!(is_learned, group.parents().is_empty() && !is_parent);
        if !is_learned {
            assert_eq!(found.element.permutation(index), start.permutation(index));
        }
    }
    assert!(found.record.starts[0].objectives.is_sorted());
    // Units that are read and written by one matrix.
    let net = zoo::lstm(&device(), SEED);
    let (_, found) = learned(&net, &net.symmetries());
    assert!(found.record.starts[0].objectives.is_sorted());
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let [a, b] = pair();
    let symmetries = a.symmetries();
    let data = [(inputs(), a.outputs(&inputs()))];
    let risk = Risk::new(&loss, &data);
    let refusal = |config: &SinkhornConfig, risk: &Risk<'_, Shallow>| {
        let found = config.run(&symmetries, &a, &b, risk);
        found.expect_err("a refusal")
    };
    let config = SinkhornConfig::new(0.1);
    for config in [
        config.clone().with_temperature(0.0),
        config.clone().with_iterations(0),
        config.clone().with_start_share(1.0),
        config.clone().with_start_share(-0.1),
    ] {
        let error = refusal(&config, &risk);
        assert!(matches!(error, AlignError::OutOfRange(_)), "{error}");
    }
    let none = config.clone().with_except(vec!["*".to_string()]);
    let text = refusal(&none, &risk).to_string();
    assert!(text.contains("`except` leaves none of 1 groups"), "{text}");
    let nowhere = config.clone().with_only(vec!["frist".to_string()]);
    let error = refusal(&nowhere, &risk);
    assert!(matches!(error, AlignError::NoSuchMember { .. }), "{error}");
    let foreign = zoo::mlp(&device(), SEED).symmetries().identity();
    let error = refusal(&config.clone().with_start(foreign), &risk);
    assert!(matches!(error, AlignError::Symmetry(_)), "{error}");
    let grouped = Risk::new(&loss, &data).with_group(burn::module::ParamGroup::all());
    assert_eq!(refusal(&config, &grouped), AlignError::ParameterGroup);
    let empty: [(Tensor<2>, Tensor<2>); 0] = [];
    let error = refusal(&config, &Risk::new(&loss, &empty));
    assert!(matches!(error, AlignError::Loss(_)), "{error}");
    // Scores of 10³⁰⁰ at a temperature of 10⁻¹⁰.
    let wild = SinkhornConfig::new(1e300).with_temperature(1e-10);
    let error = refusal(&wild, &risk);
    assert!(
        matches!(error, AlignError::Diverged { step: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("lower the learning rate"));
}

#[test]
fn batch_normalization_needs_the_statistics_of_each_batch() {
    let net = zoo::cnn(&device(), SEED);
    let symmetries = net.symmetries();
    let b = scattered(&net.model, SEED + 1);
    let loss = |net: &Cnn, images: Tensor<4>| net.outputs(&images).square().mean();
    let data = [numbers([6, 3, 8, 8], SEED + 2, &device())];
    let config = SinkhornConfig::new(0.1).with_epochs(2);
    let risk = Risk::new(&loss, &data);
    let error = config.run(&symmetries, &net.model, &b, &risk);
    let path = "norm1.running_mean".to_string();
    assert_eq!(error.err(), Some(AlignError::RunningStatistics { path }));

    let risk = risk.with_mode(Mode::Train);
    let before = parameters(&b);
    let found = config.run(&symmetries, &net.model, &b, &risk);
    let found = found.expect("an alignment");
    assert!(found.record.completed && found.objective.is_finite());
    assert!(found.record.starts[0].objectives.is_sorted());
    assert_eq!(found.record.groups, [0, 1, 2]);
    assert!(same(&parameters(&b), &before));
}
