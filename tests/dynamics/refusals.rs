//! Refused settings and measurements, which leave no trace.

use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Device, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{CurvatureMonitorConfig, DynamicsError};
use burnscape::loss::{LossError, Risk};
use burnscape::space::SpaceError;

fn loss(model: &Linear, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).square().mean()
}

fn model(inputs: usize) -> Linear {
    LinearConfig::new(inputs, 1).init(&Device::default())
}

fn ones(columns: usize) -> [Tensor<2>; 1] {
    [Tensor::ones([4, columns], &Device::default())]
}

#[test]
fn settings_out_of_range_are_named() {
    let new = || CurvatureMonitorConfig::new(1);
    let momentum = |beta: f64, dampening: f64| {
        let config = MomentumConfig::new().with_momentum(beta);
        new().with_momentum(Some(config.with_dampening(dampening)))
    };
    let cases = [
        (CurvatureMonitorConfig::new(0), "every"),
        (new().with_tolerance(0.0), "tolerance"),
        (new().with_tolerance(f64::NAN), "tolerance"),
        (new().with_max_matvecs(4), "max_matvecs"),
        (new().with_max_warm_matvecs(4), "max_warm_matvecs"),
        (new().with_rho(Some(-0.1)), "rho"),
        (new().with_rho(Some(f64::INFINITY)), "rho"),
        (momentum(1.0, 0.0), "momentum"),
        (momentum(f64::NAN, 0.0), "momentum"),
        (momentum(0.9, 1.0), "dampening"),
    ];
    for (config, expected) in cases {
        match config.init() {
            Err(DynamicsError::OutOfRange(refused)) => assert_eq!(refused.name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn a_rate_out_of_range_is_refused() {
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let data = ones(2);
    let risk = Risk::new(&loss, &data);
    for lr in [-0.1, f64::NAN, f64::INFINITY] {
        let refused = monitor.measure(&risk, &model(2), 0, lr).unwrap_err();
        assert!(
            matches!(refused, DynamicsError::OutOfRange { .. }),
            "{refused}"
        );
    }
    assert!(monitor.history().is_empty());
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_and_leaves_the_monitor_as_it_was() {
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let (model, good) = (model(2), ones(2));
    let risk = Risk::new(&loss, &good);
    monitor.measure(&risk, &model, 0, 0.1).unwrap();
    let before = monitor.to_record().unwrap();
    let bad = ones(2).map(|x| x * f32::NAN);
    let risk = Risk::new(&loss, &bad);
    let error = monitor.measure(&risk, &model, 1, 0.1).unwrap_err();
    let expected = matches!(
        error,
        DynamicsError::Curvature(CurvatureError::Loss(LossError::NonFinite { batch: 0, .. }))
    );
    assert!(expected, "{error}");
    assert_eq!(monitor.to_record().unwrap(), before);
}

#[test]
fn another_model_needs_a_monitor_that_has_forgotten() {
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let data = [ones(2), ones(3)];
    let [two, three] = [0, 1].map(|index| Risk::new(&loss, &data[index]));
    monitor.measure(&two, &model(2), 0, 0.1).unwrap();
    let other = monitor.measure(&three, &model(3), 1, 0.1).unwrap_err();
    let is_space = matches!(
        other,
        DynamicsError::Space(SpaceError::DifferentSpaces { .. })
    );
    assert!(is_space, "{other}");
    monitor.forget();
    let reading = monitor.measure(&three, &model(3), 1, 0.1).unwrap();
    assert!((reading.sharpness - 8.0).abs() < 1e-4);
    // A record of the other model.
    let config = CurvatureMonitorConfig::new(1);
    let mut resumed = config.init().unwrap().resume(monitor.to_record().unwrap());
    let refused = resumed.measure(&two, &model(2), 2, 0.1).unwrap_err();
    assert!(matches!(refused, DynamicsError::Space(_)), "{refused}");
}

#[test]
fn steps_between_are_not_measured() {
    let mut monitor = CurvatureMonitorConfig::new(3).init().unwrap();
    let (model, data) = (model(2), ones(2));
    let risk = Risk::new(&loss, &data);
    let mut measured = Vec::new();
    for step in 0..8 {
        let reading = monitor.observe(&risk, &model, step, 0.1).unwrap();
        measured.extend(reading.map(|reading| reading.step));
    }
    assert_eq!(measured, [0, 3, 6]);
}
