//! A small network against dense matrices from single gradients.

use burn::module::ParamGroup;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burnscape::dynamics::{LinearizedModel, TangentKernelConfig, TangentKernelReading};
use burnscape::loss::{Batch, Risk};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::{Classifier, Mlp};

use super::models::{EXAMPLES, OUTPUTS, assert_near, inputs, net, numbers, of_net, targets};

const SIZE: usize = EXAMPLES * OUTPUTS;

type Matrix = Vec<Vec<f64>>;

/// The kernel from the gradients of all outputs by Burn.
fn kernel(net: &Mlp) -> Matrix {
    let space = ParamSpace::of(net).unwrap();
    let gradient = |index: usize| {
        let (row, column) = (index / OUTPUTS, index % OUTPUTS);
        let output = net.logits(inputs());
        let output = output.slice([row..row + 1, column..column + 1]).sum();
        let gradients = GradientsParams::from_grads(output.backward(), net);
        let gradient = ParamVector::from_gradients(&space, &gradients);
        gradient.unwrap().to_host().unwrap()
    };
    let rows: Matrix = (0..SIZE).map(gradient).collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    let line = |a: &Vec<f64>| rows.iter().map(|b| product(a, b)).collect();
    rows.iter().map(line).collect()
}

/// `⟨A, B⟩`.
fn inner(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| a * b).sum()
}

fn alignment(matrix: &[Vec<f64>], y: &[f64]) -> f64 {
    let mut form = 0.0;
    for (row, a) in matrix.iter().zip(y) {
        for (entry, b) in row.iter().zip(y) {
            form += a * entry * b;
        }
    }
    let square: f64 = y.iter().map(|y| y * y).sum();
    form / (inner(matrix, matrix).sqrt() * square)
}

/// `C = I − 1 1ᵀ/n` for each output.
fn centering() -> Matrix {
    let entry = |row: usize, column: usize| {
        let diagonal = if row == column { 1.0 } else { 0.0 };
        let mean = if row % OUTPUTS == column % OUTPUTS {
            1.0 / EXAMPLES as f64
        } else {
            0.0
        };
        diagonal - mean
    };
    let line = |row| (0..SIZE).map(|column| entry(row, column)).collect();
    (0..SIZE).map(line).collect()
}

fn times(a: &[Vec<f64>], b: &[Vec<f64>]) -> Matrix {
    let entry = |row: &Vec<f64>, column: usize| {
        let terms = row.iter().zip(b).map(|(x, line)| x * line[column]);
        terms.sum::<f64>()
    };
    let line = |row: &Vec<f64>| (0..SIZE).map(|column| entry(row, column)).collect();
    a.iter().map(line).collect()
}

fn measured(config: &TangentKernelConfig) -> TangentKernelReading {
    let data = [inputs()];
    config.run(&of_net(&data), &net(2.3), &net(2.9)).unwrap()
}

fn with_targets() -> TangentKernelConfig {
    TangentKernelConfig::new().with_targets(targets())
}

#[test]
fn the_reading_is_that_of_the_matrices() {
    let reading = measured(&with_targets());
    let [start, now] = [kernel(&net(2.3)), kernel(&net(2.9))];
    let [start_square, square] = [inner(&start, &start), inner(&now, &now)];
    let overlap = inner(&start, &now);
    let drift = ((square - 2.0 * overlap + start_square) / start_square).sqrt();
    assert_near(reading.drift, drift, 1e-11);
    let distance = 1.0 - overlap / (square * start_square).sqrt();
    assert_near(reading.distance.unwrap(), distance, 1e-11);
    let trace: f64 = (0..SIZE).map(|index| now[index][index]).sum();
    assert_near(reading.trace / trace, 1.0, 1e-12);
    let rank = reading.effective_rank.unwrap();
    assert_near(rank, trace * trace / square, 1e-10);
    let y = numbers(&targets());
    assert_near(reading.alignment.unwrap(), alignment(&now, &y), 1e-11);
    let c = centering();
    let centered = times(&times(&c, &now), &c);
    let own = times(std::slice::from_ref(&y), &c).remove(0);
    let found = reading.centered_alignment.unwrap();
    assert_near(found, alignment(&centered, &own), 1e-11);
    for output in 0..OUTPUTS {
        let own = |v: &[f64]| -> Vec<f64> {
            let part = v.iter().skip(output).step_by(OUTPUTS);
            part.copied().collect()
        };
        let block = |matrix: &[Vec<f64>]| -> Matrix {
            let rows = matrix.iter().skip(output).step_by(OUTPUTS);
            rows.map(|row| own(row)).collect()
        };
        let found = reading.alignment_per_output[output];
        assert_near(found, alignment(&block(&now), &own(&y)), 1e-11);
        let y = times(std::slice::from_ref(&y), &c).remove(0);
        let found = reading.centered_alignment_per_output[output];
        assert_near(found, alignment(&block(&centered), &own(&y)), 1e-11);
    }
    assert_eq!(reading.alignment_per_output.len(), OUTPUTS);
    assert_eq!(
        (reading.num_examples, reading.num_outputs),
        (EXAMPLES, SIZE)
    );
}

#[test]
fn every_split_into_batches_gives_the_same_reading() {
    let whole = [inputs()];
    let split = [&[0, 1][..], &[2], &[3, 4]].map(|rows| Batch::select(&inputs(), rows).unwrap());
    let [one, other] = [&whole[..], &split[..]].map(|data| {
        let config = with_targets();
        config.run(&of_net(data), &net(2.3), &net(2.9)).unwrap()
    });
    assert_near(one.drift, other.drift, 1e-12);
    for (one, other) in [
        (one.distance, other.distance),
        (one.centered_alignment, other.centered_alignment),
        (one.linearization_gap, other.linearization_gap),
    ] {
        assert_near(one.unwrap(), other.unwrap(), 1e-12);
    }
    assert_eq!(other.alignment_per_output.len(), OUTPUTS);
    assert_eq!(one.num_examples, other.num_examples);
}

#[test]
fn probes_are_within_four_standard_errors_of_the_matrix() {
    let exact = measured(&with_targets());
    for seed in 0..3 {
        let config = with_targets().with_num_probes(Some(64)).with_seed(seed);
        let found = measured(&config);
        let pairs = [
            (
                Some(found.drift),
                found.drift_standard_error,
                Some(exact.drift),
            ),
            (
                found.distance,
                found.distance_standard_error,
                exact.distance,
            ),
            (
                found.alignment,
                found.alignment_standard_error,
                exact.alignment,
            ),
            (
                found.centered_alignment,
                found.centered_alignment_standard_error,
                exact.centered_alignment,
            ),
            (
                found.effective_rank,
                found.effective_rank_standard_error,
                exact.effective_rank,
            ),
            (
                Some(found.trace),
                found.trace_standard_error,
                Some(exact.trace),
            ),
        ];
        for (index, (found, error, exact)) in pairs.into_iter().enumerate() {
            let (found, error, exact) = (found.unwrap(), error.unwrap(), exact.unwrap());
            let distance = (found - exact).abs() / error;
            assert!(distance < 4.0, "{seed} {index}: {found} {exact} {error}");
            assert!(error < 0.5 * exact.abs(), "{seed} {index}: {exact} {error}");
        }
        assert!(found.alignment_per_output.is_empty());
        // What does not come from the kernel is the same.
        assert_eq!(found.linearization_gap, exact.linearization_gap);
        assert_eq!(found.relative_move, exact.relative_move);
        assert_eq!(found.num_probes, Some(64));
    }
}

#[test]
fn groups_of_parameters_share_the_trace() {
    let data = [inputs()];
    let trace = |group: Option<&'static str>| {
        let risk = of_net(&data);
        let risk = match group {
            Some(name) => risk.with_group(ParamGroup::from_predicate(name)),
            None => risk,
        };
        let config = TangentKernelConfig::new();
        config.run(&risk, &net(2.3), &net(2.9)).unwrap().trace
    };
    let parts = ["hidden1", "hidden2", "output"].map(|name| trace(Some(name)));
    let whole = trace(None);
    assert_near(parts.iter().sum::<f64>() / whole, 1.0, 1e-12);
}

#[test]
fn the_gap_falls_with_the_step() {
    let (data, start) = ([inputs()], net(2.3));
    let linearized = LinearizedModel::new(&of_net(&data), &start).unwrap();
    let space = ParamSpace::of(&start).unwrap();
    let direction = ParamVector::rademacher(&space, 5).unwrap();
    let gap = |step: f64| {
        let moved = direction.perturb(&start, step).unwrap();
        linearized.gap(&moved).unwrap().unwrap()
    };
    let gaps = [gap(1e-3), gap(5e-4)];
    assert!(gaps[0] < 0.1, "{gaps:?}");
    let order = gaps[0] / gaps[1];
    assert!((1.8..2.2).contains(&order), "{gaps:?}");
    // The criterion of the risk plays no part.
    let loss = Risk::split(
        |net: &Mlp, x: &Tensor<2>| net.logits(x.clone()),
        |z: Tensor<2>, _: Tensor<2>| z.sum() * 1e9,
        &data,
    );
    let other = LinearizedModel::new(&loss, &start).unwrap();
    let moved = direction.perturb(&start, 0.1).unwrap();
    let [one, other] = [&linearized, &other].map(|model| model.gap(&moved).unwrap());
    assert_eq!(one, other);
}
