//! A loss with derivatives by the input is a risk like any other.

use std::f64::consts::PI;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, LBFGSConfig, SgdConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{CurvatureMonitorConfig, Moment, Monitor};
use burnscape::krylov::{EigenpairsConfig, LinearOperator, Which};
use burnscape::landscape::{Direction, LandscapeConfig};
use burnscape::linearize::LinearizeError;
use burnscape::loss::{Field, LossError, Objective, Recorded, Risk};
use burnscape::optim::SamConfig;
use burnscape::sharpness::WorstCaseSharpnessConfig;
use burnscape::space::{DirectionNorm, Grid, ParamSpace, ParamVector, UnfilteredRule};
use burnscape_testkit::double::device;

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Net {
    fn new() -> Self {
        let device = device().autodiff();
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&device);
        let net = Self {
            first: layer(2, 6),
            second: layer(6, 6),
            last: layer(6, 1),
        };
        let space = ParamSpace::of(&net).expect("parameters");
        let values: Vec<f64> = (0..space.len())
            .map(|i| 0.7 * (0.9 * i as f64).sin())
            .collect();
        let values = ParamVector::from_host(&space, &values).expect("a vector");
        values.apply_to(&net).expect("a model")
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.first.forward(x).tanh();
        self.last.forward(self.second.forward(x).tanh())
    }
}

fn points(rows: usize, phase: f64) -> Tensor<2> {
    let number = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    let numbers: Vec<f64> = (0..2 * rows).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, [rows, 2]), &device())
}

/// The residual of `u_t + u u_x = 0.1 u_xx`.
fn residual(net: &Net, x: &Tensor<2>) -> Tensor<2> {
    let u = Field::new(x.clone(), |x| net.forward(x));
    u.partial(&[0]) + u.value() * u.partial(&[1]) - u.partial(&[1, 1]) * 0.1
}

fn burgers(net: &Net, x: Tensor<2>) -> Tensor<1> {
    residual(net, &x).square().mean()
}

/// The residual by differences of the network in double precision.
fn by_differences(net: &Net, x: &Tensor<2>) -> Tensor<2> {
    let h = 1e-3;
    let moved = |column: usize, by: f64| {
        let step: Vec<f64> = (0..2).map(|i| if i == column { by } else { 0.0 }).collect();
        let step = Tensor::<2>::from_data(TensorData::new(step, [1, 2]), &x.device());
        net.forward(x.clone() + step)
    };
    let first = |column| {
        let wide = moved(column, 2.0 * h) - moved(column, -2.0 * h);
        ((moved(column, h) - moved(column, -h)) * 8.0 - wide) / (12.0 * h)
    };
    let second = || {
        let wide = moved(1, 2.0 * h) + moved(1, -2.0 * h);
        ((moved(1, h) + moved(1, -h)) * 16.0 - wide - net.forward(x.clone()) * 30.0)
            / (12.0 * h * h)
    };
    first(0) + net.forward(x.clone()) * first(1) - second() * 0.1
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(0.0_f64, |all, x| all.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance * size,
            "{found} {expected}"
        );
    }
}

#[test]
fn a_risk_with_fields_has_the_values_and_gradients_of_differences() {
    let net = Net::new();
    let data = [points(5, 0.2), points(3, 11.0)];
    let risk = Risk::new(&burgers, &data);
    let reference = |net: &Net, x: Tensor<2>| by_differences(net, &x).square().mean();
    let expected = Risk::new(&reference, &data)
        .loss_and_gradient(&net)
        .expect("a gradient");
    let found = risk.loss_and_gradient(&net).expect("a gradient");
    let value = risk.loss(&net).expect("a loss").value;
    assert!((found.value - expected.value).abs() < 1e-7 * expected.value);
    assert!((value - found.value).abs() < 1e-14);
    let numbers = |vector: &ParamVector| vector.to_host().expect("numbers");
    assert_close(
        &numbers(&found.gradient),
        &numbers(&expected.gradient),
        1e-6,
    );

    // One batch or two.
    let whole = [Tensor::cat(data.to_vec(), 0)];
    let together = Risk::new(&burgers, &whole)
        .loss_and_gradient(&net)
        .expect("a gradient");
    assert_close(
        &numbers(&together.gradient),
        &numbers(&found.gradient),
        1e-12,
    );

    // Products are the derivative of the gradient.
    let hessian = risk.hessian(&net).expect("a Hessian");
    let v = ParamVector::gaussian(hessian.space(), 3).expect("a vector");
    let product = numbers(&hessian.matvec(&v).expect("a product"));
    let h = 1e-5;
    let at = |h: f64| {
        let moved = v.perturb(&net, h).expect("a model");
        numbers(&risk.loss_and_gradient(&moved).expect("a gradient").gradient)
    };
    let difference: Vec<f64> = at(h)
        .iter()
        .zip(at(-h))
        .map(|(a, b)| (a - b) / (2.0 * h))
        .collect();
    assert_close(&product, &difference, 1e-7);
    assert!((hessian.loss() - value).abs() < 1e-13);
    let hessian = hessian
        .at(&v.perturb(&net, 0.1).expect("a model"))
        .expect("it moves");
    assert!(hessian.loss().is_finite());
}

#[test]
fn gauss_newton_of_residuals() {
    let net = Net::new();
    let data = [points(5, 0.2)];
    let mean_square = |residuals: Tensor<2>, _: Tensor<2>| residuals.square().mean();
    let risk = Risk::split(
        |net: &Net, x: &Tensor<2>| residual(net, x),
        mean_square,
        &data,
    );
    let value = risk.loss(&net).expect("a loss").value;
    assert!((value - Risk::new(&burgers, &data).loss(&net).expect("a loss").value).abs() < 1e-14);
    let matrix = risk.gauss_newton(&net).expect("a matrix");
    let v = ParamVector::gaussian(matrix.space(), 3).expect("a vector");
    // 2/n |J v|², with J v by differences of the residuals.
    let residuals = |h: f64| -> Vec<f64> {
        let moved = v.perturb(&net, h).expect("a model").valid();
        by_differences(&moved, &data[0])
            .into_data()
            .iter::<f64>()
            .collect()
    };
    let h = 1e-4;
    let differences = residuals(h).into_iter().zip(residuals(-h));
    let slopes = differences.map(|(a, b)| (a - b) / (2.0 * h));
    let expected = 2.0 / 5.0 * slopes.map(|x| x * x).sum::<f64>();
    let product = matrix.matvec(&v).expect("a product");
    let found = v.dot(&product).expect("a number");
    assert!(
        (found - expected).abs() < 1e-5 * expected,
        "{found} {expected}"
    );
    let moved = matrix
        .at(&v.perturb(&net, 0.01).expect("a model"))
        .expect("it moves");
    assert!(moved.matvec(&v).is_ok());
}

#[test]
fn every_measurement_takes_it() {
    let net = Net::new();
    let data = [points(6, 0.2)];
    let risk = Risk::new(&burgers, &data);
    let hessian = risk.hessian(&net).expect("a Hessian");
    let top = EigenpairsConfig::new(1, Which::Largest)
        .run(&hessian)
        .expect("an eigenvalue");
    assert!(top.values[0] > 0.0);
    let sharpness = WorstCaseSharpnessConfig::new(0.05);
    assert!(sharpness.run(&risk, &net).is_ok());
    let space = ParamSpace::of(&net).expect("parameters");
    let norm = DirectionNorm::Filter(UnfilteredRule::AsOneFilter);
    let direction = Direction::random(&space, &net, norm, 1).expect("a direction");
    let grid = Grid::linspace(-0.1, 0.1, 3).expect("a grid");
    let line = LandscapeConfig::new([grid])
        .run(&risk, &net, &[direction])
        .expect("a landscape");
    assert!(line.losses.iter().all(|loss| loss.is_finite()));
    let mut monitor = CurvatureMonitorConfig::new().init().expect("a monitor");
    for step in 0..2 {
        let moment = Moment::new(step, 0.1, &net);
        let reading = monitor.measure(&risk, &moment).expect("a reading");
        assert!(reading.sharpness > 0.0);
    }
}

#[test]
fn every_optimizer_takes_it() {
    let x = points(20, 0.2);
    let wanted = (x.clone().slice([0..20, 0..1]) * PI).sin();
    // −u'' = π² sin π x₀ in weak form: the values of u at the points, and its Laplacian.
    let loss = |net: &Net, (x, wanted): (Tensor<2>, Tensor<2>)| {
        let u = Field::new(x, |x| net.forward(x));
        let residual = u.laplacian() + wanted.clone() * (PI * PI);
        (residual * 0.1).square().mean() + (u.value() - wanted).square().mean()
    };
    let recorded = Recorded::new(loss);
    let batch = (x, wanted);
    let value = |net: &Net| -> f64 {
        recorded
            .loss_on(net, batch.clone())
            .expect("a loss")
            .into_scalar()
    };
    let start = value(&Net::new());

    let mut net = Net::new();
    let mut sgd = SgdConfig::new().init();
    for _ in 0..30 {
        let loss = recorded.loss(&net, batch.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = sgd.step(0.05, net, gradients);
    }
    assert!(value(&net) < 0.9 * start);

    let mut net = Net::new();
    let mut sam = SamConfig::new().init(SgdConfig::new().init()).expect("SAM");
    for _ in 0..30 {
        let report = sam.step(0.05, &mut net, |net: &Net| {
            recorded.loss(net, batch.clone())
        });
        assert!(report.is_ok());
    }
    assert!(value(&net) < 0.9 * start);
    let report = sam.step_on(0.05, &mut net, batch.clone(), &recorded);
    assert!(report.is_ok());

    let net = Net::new();
    let mut lbfgs = LBFGSConfig::new().with_max_iter(60).init();
    let (net, _) = lbfgs.step(1.0, net, |net: Net| {
        let loss = recorded.loss(&net, batch.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        (loss.into_scalar::<f64>(), gradients)
    });
    assert!(value(&net) < 0.25 * start, "{} {start}", value(&net));
}

#[test]
fn without_a_recording_there_is_a_remedy() {
    let net = Net::new();
    let mut net_ = net.clone();
    let mut sam = SamConfig::new().init(SgdConfig::new().init()).expect("SAM");
    let error = sam.step(0.1, &mut net_, |net: &Net| burgers(net, points(3, 0.1)));
    let words = error.expect_err("no recording").to_string();
    assert!(
        words.contains("wrap the loss in `burnscape::loss::Recorded`"),
        "{words}"
    );

    let mixing = |net: &Net, x: Tensor<2>| {
        let u = Field::new(x, |x| net.forward(x.clone() - x.mean_dim(0)));
        u.partial(&[0]).square().mean()
    };
    let data = [points(4, 0.3)];
    let risk = Risk::new(&mixing, &data);
    let refused = |error: LossError| {
        assert!(
            matches!(error, LossError::Trace(LinearizeError::MixesRows { .. })),
            "{error}"
        );
    };
    refused(risk.loss(&net).expect_err("mixed rows"));
    refused(risk.loss_and_gradient(&net).expect_err("mixed rows"));
    refused(
        Recorded::new(mixing)
            .loss_on(&net, data[0].clone())
            .expect_err("mixed rows"),
    );
    assert!(matches!(
        risk.hessian(&net).err(),
        Some(CurvatureError::Linearize(LinearizeError::MixesRows { .. }))
    ));
}

#[test]
fn notes_tell_of_kinks_and_zeros() {
    let net = Net::new();
    let loss = |net: &Net, x: Tensor<2>| {
        let relu = |x: Tensor<2>| burn::tensor::activation::relu(x);
        let u = Field::new(x.clone(), |x| net.last.forward(relu(net.first.forward(x))));
        let constant = Field::new(x, |x| x.ones_like().slice([0..4, 0..1]));
        u.laplacian().square().mean() + u.gradient().square().mean() + constant.gradient().mean()
    };
    let recorded = Recorded::new(loss);
    let value = recorded.loss_on(&net, points(4, 0.3)).expect("a loss");
    let gradients = GradientsParams::from_grads(value.backward(), &net);
    // Weights of two layers; biases only move kinks.
    assert_eq!(gradients.len(), 2);
    let notes = recorded.field_notes();
    assert_eq!(notes.kinks, ["Activation::Relu"]);
    assert_eq!(notes.zeros, ["Laplacian", "Gradient"]);
}
