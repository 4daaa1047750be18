//! What a model at its minimum gets, and what it is refused.

use burn::module::{Param, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::{log_sigmoid, relu};
use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::{CurvatureError, Hessian};
use burnscape::dynamics::{CurvatureMonitorConfig, Moment, Monitor};
use burnscape::krylov::{EigenpairsConfig, LinearOperator, Which};
use burnscape::loss::Risk;
use burnscape::sharpness::{SharpnessMeasure, SharpnessReportConfig};
use burnscape::space::{ParamSpace, ParamVector, Scale};
use burnscape_testkit::eigenvalues;

use super::problem::{Detach, Kind, Problem};
use crate::element::{EPSILON, device};

type Pair = (Tensor<2>, Tensor<2>);

fn tensor<const R: usize, const C: usize>(rows: [[f64; C]; R]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(rows.concat(), [R, C]), &device())
}

fn squares(m: &Linear, (x, y): Pair) -> Tensor<1> {
    (m.forward(x) - y).square().mean()
}

/// Ordinary regression with noise, by plain gradient descent until it stands still.
fn regression() -> (Linear, [Pair; 1]) {
    let x = tensor([
        [1.0, 0.2],
        [0.5, -1.0],
        [-0.3, 0.8],
        [-1.2, -0.4],
        [0.7, 0.9],
    ]);
    let y = tensor([[1.3], [0.1], [-0.9], [0.4], [0.8]]);
    let autodiff = device().autodiff();
    let mut model = LinearConfig::new(2, 1).init(&autodiff);
    model.weight = Param::from_tensor(Tensor::zeros([2, 1], &autodiff));
    let mut sgd = SgdConfig::new().init();
    for _ in 0..2000 {
        let loss = squares(&model, (x.clone().autodiff(), y.clone().autodiff()));
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = sgd.step(0.3, model, gradients);
    }
    (model, [(x, y)])
}

fn set(model: &Linear, weights: &[f64]) -> Linear {
    let space = ParamSpace::of(model).unwrap();
    let weights = ParamVector::from_host(&space, weights).unwrap();
    weights.apply_to(model).unwrap()
}

fn entry(hessian: &Hessian<'_>, i: usize, j: usize) -> f64 {
    let mut unit = vec![0.0; hessian.space().len()];
    unit[j] = 1.0;
    let v = ParamVector::from_host(hessian.space(), &unit).unwrap();
    hessian.matvec(&v).unwrap().to_host().unwrap()[i]
}

#[test]
fn a_regression_that_has_converged_has_a_hessian() {
    let (model, data) = regression();
    let hessian = Risk::new(&squares, &data).hessian(&model).unwrap();
    assert!(hessian.gradient().unwrap().norm().unwrap() < 1e-6);
    // 2/5 (1 + 0.25 + 0.09 + 1.44 + 0.49).
    assert!((entry(&hessian, 0, 0) - 1.308).abs() < 8.0 * EPSILON);
}

#[test]
fn a_regression_that_has_converged_has_a_smallest_eigenvalue_a_report_and_a_reading() {
    let (model, data) = regression();
    let risk = Risk::new(&squares, &data);
    let hessian = risk.clone().with_checks(false).hessian(&model).unwrap();
    let entries = (0..9).map(|index| entry(&hessian, index / 3, index % 3));
    let values = eigenvalues(&entries.collect::<Vec<_>>());

    for checks in [true, false] {
        let risk = risk.clone().with_checks(checks);
        let hessian = risk.hessian(&model).unwrap();
        let found = EigenpairsConfig::new(1, Which::Smallest).run(&hessian);
        assert!((found.unwrap().values[0] - values[0]).abs() < 1e-5 * values[2]);

        let report = SharpnessReportConfig::new().run(&risk, &model).unwrap();
        let top = report.value(SharpnessMeasure::LambdaMax, Some(Scale::Absolute));
        assert!((top.unwrap() - values[2]).abs() < 1e-4 * values[2]);

        let monitor = CurvatureMonitorConfig::new().init();
        let moment = Moment::new(0, 0.1, &model);
        let reading = monitor.unwrap().measure(&risk, &moment);
        let reading = reading.unwrap();
        assert!((reading.sharpness - values[2]).abs() < 1e-4 * values[2]);
        assert!(reading.num_matvecs >= if checks { 5 } else { 3 });
    }
}

#[test]
fn a_report_without_checks_costs_a_gradient_and_two_products_less() {
    let (model, data) = regression();
    let risk = Risk::new(&squares, &data);
    let cost = |checks| {
        let risk = risk.clone().with_checks(checks);
        let report = SharpnessReportConfig::new().run(&risk, &model).unwrap();
        (report.num_gradients, report.num_matvecs)
    };
    let (with, without) = (cost(true), cost(false));
    assert_eq!((with.0 - without.0, with.1 - without.1), (1, 2));
}

#[test]
fn a_detached_weight_is_refused_at_the_minimum_by_whoever_makes_a_hessian() {
    let (model, data) = regression();
    let loss = |m: &Linear, (x, y): Pair| {
        let z = m.forward(x);
        ((z.clone().detach() - y.clone()) * (z - y)).mean()
    };
    let is_detached = |error: &dyn std::error::Error| error.to_string().contains("is detached");
    let risk = Risk::new(&loss, &data);
    let error = risk.hessian(&model).map(|_| ()).unwrap_err();
    assert!(matches!(error, CurvatureError::Detached { .. }), "{error}");
    let error = SharpnessReportConfig::new().run(&risk, &model).unwrap_err();
    assert!(is_detached(&error), "{error}");
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let moment = Moment::new(0, 0.1, &model);
    let error = monitor.measure(&risk, &moment).unwrap_err();
    assert!(is_detached(&error), "{error}");
}

/// Data that a line fits, and the line.
fn interpolation() -> (Linear, [Pair; 1]) {
    let model = set(
        &LinearConfig::new(2, 1).init(&device()),
        &[0.75, -1.5, 0.25],
    );
    let x = tensor([[1.0, 2.0], [0.5, -1.0], [-3.0, 0.25], [2.0, 1.0]]);
    let y = model.forward(x.clone());
    (model, [(x, y)])
}

#[test]
fn a_model_that_fits_its_data_has_every_matrix() {
    let (model, data) = interpolation();
    // A mean of x² over the four examples, twice.
    let hessian = Risk::new(&squares, &data).hessian(&model).unwrap();
    assert!((entry(&hessian, 0, 0) - 2.0 * 14.25 / 4.0).abs() < 32.0 * EPSILON);
    // No example has a gradient.
    let each = |m: &Linear, (x, y): Pair| (m.forward(x) - y).square().squeeze_dim::<1>(1);
    let fisher = Risk::per_example(each, &data).empirical_fisher(&model);
    let fisher = fisher.unwrap();
    let v = ParamVector::gaussian(fisher.space(), 1).unwrap();
    assert_eq!(fisher.matvec(&v).unwrap().norm().unwrap(), 0.0);
    let risk = Risk::split(
        |m: &Linear, (x, _): &Pair| m.forward(x.clone()),
        |z: Tensor<2>, (_, y): Pair| (z - y).square().mean(),
        &data,
    );
    risk.gauss_newton(&model).unwrap();
    risk.jacobian(&model).unwrap();
}

#[test]
fn a_detached_factor_is_refused_in_the_losses_of_examples_that_are_all_zero() {
    let (model, data) = interpolation();
    let each = |m: &Linear, (x, y): Pair| {
        let z = m.forward(x);
        ((z.clone().detach() - y.clone()) * (z - y)).squeeze_dim::<1>(1)
    };
    let risk = Risk::per_example(each, &data);
    let error = risk.empirical_fisher(&model).map(|_| ());
    assert!(
        matches!(error, Err(CurvatureError::Detached { .. })),
        "{error:?}"
    );
}

/// `log(1 + exp(−y z))` on data that a line separates.
fn margins(m: &Linear, (x, y): Pair) -> Tensor<1> {
    -log_sigmoid(m.forward(x) * y).mean()
}

#[test]
fn separable_data_have_a_hessian_however_far_the_training_went() {
    let x = tensor([[1.0, 0.5], [2.0, -0.3], [-1.0, 0.2], [-1.5, -0.7]]);
    let y = tensor([[1.0], [1.0], [-1.0], [-1.0]]);
    let data = [(x, y)];
    let model = LinearConfig::new(2, 1).init(&device());
    for scale in [0.0, 1.0, 5.0, 12.0, 20.0, 40.0, 80.0, 150.0] {
        let model = set(&model, &[scale, 0.1 * scale, 0.0]);
        let hessian = Risk::new(&margins, &data).hessian(&model).map(|_| ());
        assert_eq!(hessian, Ok(()), "at {scale}");
        // Softmax over two classes is the same function.
        let softmax = |m: &Linear, (x, y): Pair| {
            let z = m.forward(x) * y;
            let both = Tensor::cat(vec![z.clone(), z.zeros_like()], 1);
            let log = burn::tensor::activation::log_softmax(both, 1);
            -log.narrow(1, 0, 1).mean()
        };
        let hessian = Risk::new(&softmax, &data).hessian(&model).map(|_| ());
        assert_eq!(hessian, Ok(()), "softmax at {scale}");
    }
}

#[test]
fn weights_of_zero_and_flat_minima_have_a_hessian() {
    let x = tensor([[1.0, 0.5], [2.0, -0.3], [-1.0, 0.2]]);
    let data = [x];
    let zeros = set(&LinearConfig::new(2, 1).init(&device()), &[0.0; 3]);
    let quartic = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(4).mean();
    let hessian = Risk::new(&quartic, &data).hessian(&zeros).unwrap();
    assert_eq!(entry(&hessian, 0, 0), 0.0);
    // Units that never fire: the loss does not move.
    let dead = |m: &Linear, x: Tensor<2>| relu(m.forward(x) - 100.0).mean();
    let hessian = Risk::new(&dead, &data).hessian(&zeros).unwrap();
    assert_eq!(entry(&hessian, 1, 1), 0.0);
    // Small weights beside large targets: (w − t)² with all of t to cancel.
    let pairs = tensor([
        [1.0, 0.0, 1e3],
        [1.0, 0.0, -1e3],
        [0.0, 1.0, 5e2],
        [0.0, 1.0, -5e2],
    ]);
    let data = [pairs];
    let loss = |m: &Linear, batch: Tensor<2>| {
        let (x, y) = (batch.clone().narrow(1, 0, 2), batch.narrow(1, 2, 1));
        (m.forward(x) - y).square().mean()
    };
    let small = set(&zeros, &[1e-4, -1e-4, 0.0]);
    let hessian = Risk::new(&loss, &data).hessian(&small).unwrap();
    assert!((entry(&hessian, 0, 0) - 1.0).abs() < 8.0 * EPSILON);
}

#[test]
fn a_loss_that_is_not_finite_nearby_has_a_hessian_where_it_is() {
    // Defined at and above these weights only: half of the displacements leave the domain.
    let data = [tensor([[1.0, 0.0], [0.0, 1.0]])];
    let model = set(
        &LinearConfig::new(2, 1).with_bias(false).init(&device()),
        &[1.0, 1.0],
    );
    let barrier = |m: &Linear, x: Tensor<2>| {
        let z = m.forward(x);
        // −log of 1.0005 − z: a fraction of a hundredth is left.
        (z.clone().square() - (z.neg() + 1.0005).log()).mean()
    };
    let hessian = Risk::new(&barrier, &data).hessian(&model).unwrap();
    // ½ (2 + 1/(5e-4)²).
    assert!((entry(&hessian, 0, 0) / 2_000_001.0 - 1.0).abs() < 1e-3);
    let detached = |m: &Linear, x: Tensor<2>| {
        let z = m.forward(x);
        (z.clone() * z.clone().detach() - (z.neg() + 1.0005).log() * 1e-4).mean()
    };
    let error = Risk::new(&detached, &data).hessian(&model).map(|_| ());
    assert!(
        matches!(error, Err(CurvatureError::Detached { .. })),
        "{error:?}"
    );
}

#[test]
fn a_tensor_that_is_detached_for_some_batches_only_is_refused() {
    // The second column of the batch says which examples see the detached factor.
    let model = set(&LinearConfig::new(1, 1).init(&device()), &[0.5, 0.25]);
    let loss = |m: &Linear, batch: Tensor<2>| {
        let (x, mask) = (batch.clone().narrow(1, 0, 1), batch.narrow(1, 1, 1));
        let z = m.forward(x);
        (z.clone() * (z.clone().detach() * mask.clone() + z * (-mask + 1.0))).mean()
    };
    let data = [
        tensor([[1.0, 0.0], [2.0, 0.0]]),
        tensor([[1.0, 0.0], [-1.0, 1.0]]),
    ];
    let error = Risk::new(&loss, &data).hessian(&model).map(|_| ());
    assert!(
        matches!(error, Err(CurvatureError::Detached { .. })),
        "{error:?}"
    );
    assert!(Risk::new(&loss, &data[..1]).hessian(&model).is_ok());
}

#[test]
fn a_group_is_looked_at_alone() {
    let problem = Problem::new(Kind::LeastSquares, 3);
    let (model, data) = (problem.model(), problem.data(1));
    let detached = problem.objective(Detach::Weight);
    let of = |path: &str| {
        let risk = Risk::new(&detached, &data).with_group(ParamGroup::from_predicate(path));
        risk.hessian(&model).map(|_| ())
    };
    let weight = of("weight");
    assert!(
        matches!(weight, Err(CurvatureError::Detached { .. })),
        "{weight:?}"
    );
    // The loss is the same function of the bias.
    assert_eq!(of("bias"), Ok(()));
    let plain = problem.objective(Detach::Nothing);
    let risk = Risk::new(&plain, &data).with_group(ParamGroup::from_predicate("weight"));
    assert!(risk.hessian(&model).is_ok());
}
