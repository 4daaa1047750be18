//! Other tests that compare what may have cancelled.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::activation::{relu, tanh};
use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::loss::{LossError, Risk};
use burnscape::sharpness::{SharpnessError, rescale_relu_pair};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::TwoLayers;

use super::problem::{Detach, Kind, Net, Pair, Problem};
use crate::element::{EPSILON, device};

/// Batches whose order alternates: sums in another order, as a GPU makes them.
fn reordered(data: &[Pair]) -> impl Fn() -> Vec<Pair> + '_ {
    let turn = AtomicUsize::new(1);
    move || {
        let mut batches = data.to_vec();
        batches.rotate_left(turn.fetch_add(1, Ordering::Relaxed) % 3);
        batches
    }
}

#[test]
fn sums_in_another_order_are_no_other_function_at_a_minimum() {
    let mut cancelled = 0;
    for seed in 0..20 {
        let problem = Problem::new(Kind::LeastSquares, seed);
        let (model, data) = (problem.model(), problem.data(3));
        let objective = problem.objective(Detach::Nothing);
        let data = reordered(&data);
        let risk = Risk::new(&objective, &data);
        let tolerance = 1e3 * EPSILON;
        assert_eq!(risk.check_deterministic(&model, tolerance), Ok(()));
        let found = risk.finite_difference(&model).map(|_| ());
        assert_eq!(found, Ok(()), "seed {seed}");
        // That is not nothing: relative to themselves the gradients differ.
        let gradient = || risk.loss_and_gradient(&model).unwrap().gradient;
        let (first, second) = (gradient(), gradient());
        let norm = first.norm().unwrap();
        let difference = first.axpy(-1.0, &second).unwrap().norm().unwrap();
        cancelled += usize::from(difference > tolerance * norm);
    }
    assert!(cancelled >= 10, "{cancelled}");
}

#[test]
fn another_function_each_time_is_told_at_a_minimum() {
    let problem = Problem::new(Kind::Interpolating, 0);
    let (model, data) = (problem.model(), problem.data(1));
    let turn = AtomicUsize::new(0);
    let next = || (turn.fetch_add(1, Ordering::Relaxed) + 1) as f64;
    let plain = problem.objective(Detach::Nothing);
    // The loss and its gradient are zero at the minimum, every time.
    let objective = |net: &Net, batch: Pair| plain(net, batch) * next();
    let slight = |net: &Net, batch: Pair| plain(net, batch) + next() * 1e-30;
    let risk = Risk::new(&objective, &data);
    // Zeros are equal.
    assert_eq!(risk.check_deterministic(&model, 1e-3), Ok(()));
    let slight = Risk::new(&slight, &data);
    assert_eq!(slight.check_deterministic(&model, 1e-3), Ok(()));
    let weights = ParamVector::from_module(&ParamSpace::of(&model).unwrap(), &model).unwrap();
    let moved = weights.perturb(&model, 1e-3).unwrap();
    let found = risk.check_deterministic(&moved, 1e-3);
    assert!(
        matches!(found, Err(LossError::NotDeterministic { .. })),
        "{found:?}"
    );
    let found = risk.finite_difference(&moved).map(|_| ());
    assert_eq!(found, Err(CurvatureError::Loss(LossError::Draws)));
}

/// Outputs of the size of `scale`.
fn two(scale: f64) -> TwoLayers {
    let net = TwoLayers::new([2, 3, 1], &device());
    let space = ParamSpace::of(&net).unwrap();
    let wave = |i: usize| (1.0 + 1.7 * i as f64).sin();
    let size = |i: usize| if i < 9 { scale } else { 1.0 };
    let weights: Vec<f64> = (0..space.len()).map(|i| size(i) * wave(i)).collect();
    let weights = ParamVector::from_host(&space, &weights).unwrap();
    weights.apply_to(&net).unwrap()
}

/// No power of two: weights are rounded.
fn rescaled(risk: &Risk<'_, TwoLayers>, model: &TwoLayers) -> Result<TwoLayers, SharpnessError> {
    rescale_relu_pair(risk, model, ["first", "second"], 3.0)
}

fn inputs() -> Tensor<2> {
    let rows = vec![0.3, -1.2, 1.1, 0.4, -0.7, 0.9, 0.2, 0.8];
    Tensor::from_data(TensorData::new(rows, [4, 2]), &device())
}

#[test]
fn a_pair_that_fits_large_targets_is_rescaled() {
    // A loss of zero becomes rounding of the outputs, squared.
    let model = two(1e6);
    let outputs = |m: &TwoLayers, x: Tensor<2>| m.forward(x, relu);
    let data = [(inputs(), outputs(&model, inputs()))];
    let loss = |m: &TwoLayers, (x, y): Pair| (outputs(m, x) - y).square().mean();
    let risk = Risk::new(&loss, &data);
    let found = rescaled(&risk, &model).unwrap();
    assert_eq!(risk.loss(&model).unwrap().value, 0.0);
    assert!(risk.loss(&found).unwrap().value > 0.0);
}

#[test]
fn a_small_loss_does_not_hide_that_the_function_changed() {
    let model = two(1.0);
    let outputs = |m: &TwoLayers, x: Tensor<2>| m.forward(x, tanh);
    let loss = |m: &TwoLayers, x: Tensor<2>| outputs(m, x).square().mean() * 1e-20;
    let data = [inputs()];
    let error = rescaled(&Risk::new(&loss, &data), &model);
    assert!(
        matches!(error, Err(SharpnessError::FunctionChanged { .. })),
        "{error:?}"
    );
    // Also where both losses are zero.
    let data = [(inputs(), inputs().slice([0..4, 0..1]) * 0.0)];
    let zero = |m: &TwoLayers, (x, y): Pair| {
        let z = outputs(m, x);
        (z.clone() - z + y).square().mean()
    };
    let risk = Risk::new(&zero, &data);
    assert!(rescaled(&risk, &model).is_ok());
}
