//! Commutators of a small network against dense matrices.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Int, Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{CommutatorConfig, DynamicsError};
use burnscape::krylov::Dense;
use burnscape::loss::{Batch, Risk};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::double::device;
use burnscape_testkit::eigenvalues;
use burnscape_testkit::models::{Classifier, Mlp};

use super::losses::{assert_near, norm};

type Labeled = (Tensor<2>, Tensor<1, Int>);

const EXAMPLES: usize = 12;
const SIZE: usize = 3;

fn wave(index: usize, phase: f64) -> f64 {
    (1.0 + 0.41 * (index as f64 + phase).powf(1.27)).sin()
}

pub(crate) fn net() -> Mlp {
    let net = Mlp::golden(&device().autodiff());
    let space = ParamSpace::of(&net).unwrap();
    let numbers: Vec<f64> = (0..space.len())
        .map(|index| 0.7 * wave(index, 2.3))
        .collect();
    let weights = ParamVector::from_host(&space, &numbers).unwrap();
    weights.apply_to(&net).unwrap()
}

/// Twelve examples as one batch.
pub(crate) fn examples() -> Labeled {
    let numbers: Vec<f64> = (0..EXAMPLES * 6)
        .map(|index| 1.5 * wave(index, 0.4))
        .collect();
    let labels: Vec<i64> = (0..EXAMPLES as i64)
        .map(|index| index * index % 3)
        .collect();
    let device = device().autodiff();
    (
        Tensor::from_data(TensorData::new(numbers, [EXAMPLES, 6]), &device),
        Tensor::from_data(TensorData::new(labels, [EXAMPLES]), &device),
    )
}

pub(crate) fn loss(net: &Mlp, (x, y): Labeled) -> Tensor<1> {
    net.loss(x, y)
}

/// The gradient and the Hessian of a part.
struct Part {
    gradient: Vec<f64>,
    hessian: Dense,
}

fn part(net: &Mlp, indices: &[usize]) -> Part {
    let data = [Batch::select(&examples(), indices).unwrap()];
    let risk = Risk::new(&loss, &data);
    Part {
        gradient: risk
            .loss_and_gradient(net)
            .unwrap()
            .gradient
            .to_host()
            .unwrap(),
        hessian: Dense::of(&risk.hessian(net).unwrap()).unwrap(),
    }
}

fn parts(net: &Mlp) -> Vec<Part> {
    let starts = (0..EXAMPLES).step_by(SIZE);
    let indices = starts.map(|start| (start..start + SIZE).collect::<Vec<_>>());
    indices.map(|indices| part(net, &indices)).collect()
}

fn whole(net: &Mlp) -> Part {
    part(net, &(0..EXAMPLES).collect::<Vec<_>>())
}

fn product(matrix: &Dense, v: &[f64]) -> Vec<f64> {
    let rows = matrix.as_slice().chunks(v.len());
    rows.map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum())
        .collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// `D` and `D_rel`.
fn brackets(a: &Part, b: &Part) -> [f64; 2] {
    let (one, other) = (
        product(&b.hessian, &a.gradient),
        product(&a.hessian, &b.gradient),
    );
    let c = norm(&difference(&one, &other));
    [
        c / (norm(&a.gradient) * norm(&b.gradient)),
        c / (norm(&one) + norm(&other)),
    ]
}

fn config() -> CommutatorConfig {
    CommutatorConfig::new()
        .with_batch_size(Some(SIZE))
        .with_num_pairs(2)
}

#[test]
fn pairs_have_the_brackets_of_their_matrices() {
    let (net, data) = (net(), [examples()]);
    let risk = Risk::new(&loss, &data);
    let parts = parts(&net);
    let dense = |a: usize, b: usize| brackets(&parts[a], &parts[b]);
    let mut drawn = Vec::new();
    for seed in 0..12 {
        let found = config().with_seed(seed).run(&risk, &net).unwrap();
        let pairs = [0, 1].map(|pair| [found.brackets[pair], found.relatives[pair]]);
        let are_near = |[a, b]: [usize; 2], found: [f64; 2]| {
            let expected = dense(a, b);
            found
                .iter()
                .zip(expected)
                .all(|(found, expected)| (found - expected).abs() < 1e-9 * expected.abs())
        };
        // Two disjoint pairs in either order.
        let matchings = [[[0, 1], [2, 3]], [[0, 2], [1, 3]], [[0, 3], [1, 2]]];
        let mut ordered = matchings.into_iter().flat_map(|[p, q]| [[p, q], [q, p]]);
        let which = ordered.position(|[p, q]| are_near(p, pairs[0]) && are_near(q, pairs[1]));
        drawn.push(which.expect("a matching"));
        let mean = 0.5 * (pairs[0][0] + pairs[1][0]);
        assert_near(found.bracket.unwrap(), mean, 1e-14);
        let mean = 0.5 * (pairs[0][1] + pairs[1][1]);
        assert_near(found.relative.unwrap(), mean, 1e-14);
    }
    drawn.sort_unstable();
    drawn.dedup();
    assert!(drawn.len() > 2, "{drawn:?}");
}

#[test]
fn the_invariant_is_that_of_the_matrices() {
    let (net, data) = (net(), [examples()]);
    let risk = Risk::new(&loss, &data);
    let found = config().with_invariant(true).run(&risk, &net).unwrap();
    let (parts, whole) = (parts(&net), whole(&net));
    let one_sided = parts.iter().map(|part| {
        let own = product(&part.hessian, &whole.gradient);
        let a = difference(&own, &product(&whole.hessian, &part.gradient));
        norm(&a).powi(2)
    });
    let mean = one_sided.sum::<f64>() / parts.len() as f64;
    let (n, b) = (EXAMPLES as f64, SIZE as f64);
    let variance = b * mean / (1.0 - b / n) * (n - 1.0) / n;
    assert_near(found.variance.unwrap(), variance, 1e-9);
    let invariant = variance.sqrt() / norm(&whole.gradient).powi(2);
    assert_near(found.invariant.unwrap(), invariant, 1e-9);
    // The pairs are those of a measurement without it.
    let plain = config().run(&risk, &net).unwrap();
    for (found, expected) in found.brackets.iter().zip(plain.brackets) {
        assert_near(*found, expected, 1e-12);
    }
}

#[test]
fn the_sharpness_is_the_largest_eigenvalue_over_all_data() {
    let (net, data) = (net(), [examples()]);
    let found = config()
        .with_sharpness(true)
        .run(&Risk::new(&loss, &data), &net);
    let found = found.unwrap();
    let expected = eigenvalues(whole(&net).hessian.as_slice());
    // The search ends at a residual of a thousandth, and the error is of the order of its square.
    assert_near(found.sharpness.unwrap(), expected[expected.len() - 1], 1e-4);
    let ratio = found.bracket.unwrap() / found.sharpness.unwrap();
    assert_eq!(found.over_sharpness, Some(ratio));
}

#[test]
fn every_kind_of_risk_has_the_same_commutator() {
    let (net, data) = (net(), [examples()]);
    let logits = |net: &Mlp, (x, _): &Labeled| net.logits(x.clone());
    let criterion = |logits: Tensor<2>, (_, y): Labeled| {
        let criterion = CrossEntropyLossConfig::new().init(&logits.device());
        criterion.forward(logits, y)
    };
    let losses = |net: &Mlp, (x, y): Labeled| {
        let log = burn::tensor::activation::log_softmax(net.logits(x), 1);
        -log.gather(1, y.unsqueeze_dim::<2>(1)).squeeze_dim::<1>(1)
    };
    let labels = |(_, y): &Labeled| y.clone();
    let expected = config().run(&Risk::new(&loss, &data), &net).unwrap();
    let found = [
        config().run(&Risk::split(logits, criterion, &data), &net),
        config().run(&Risk::per_example(losses, &data), &net),
        config().run(&Risk::classes(logits, labels, &data), &net),
    ];
    for found in found {
        let found = found.unwrap();
        assert_near(found.bracket.unwrap(), expected.bracket.unwrap(), 1e-12);
        assert_near(found.relative.unwrap(), expected.relative.unwrap(), 1e-12);
    }
}

#[test]
fn recomputed_residuals_do_not_change_a_bit() {
    let (net, data) = (net(), [examples()]);
    let config = config().with_invariant(true).with_sharpness(true);
    let stored = config.run(&Risk::new(&loss, &data), &net).unwrap();
    let recomputed = Risk::new(&loss, &data).with_residual_budget(0);
    assert_eq!(config.run(&recomputed, &net).unwrap(), stored);
}

#[test]
fn batches_of_a_commutator_are_not_split_to_fit_a_budget() {
    let (net, data) = (net(), [examples()]);
    let risk = Risk::new(&loss, &data).with_memory_budget(1);
    let error = config().run(&risk, &net).unwrap_err();
    let DynamicsError::Curvature(CurvatureError::MemoryBudget { why, .. }) = error else {
        panic!("{error}");
    };
    assert!(why.contains("a gradient and a product of its own"), "{why}");
}
