//! Refused settings and measurements, which leave no trace.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{
    CurvatureMonitor, CurvatureMonitorConfig, CurvatureMonitorState, DynamicsError, Moment, Monitor,
};
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

fn state(monitor: &CurvatureMonitor) -> CurvatureMonitorState {
    <CurvatureMonitor as Monitor<Linear>>::to_state(monitor).unwrap()
}

#[test]
fn settings_out_of_range_are_named() {
    let new = CurvatureMonitorConfig::new;
    let cases = [
        (new().with_tolerance(0.0), "tolerance"),
        (new().with_tolerance(f64::NAN), "tolerance"),
        (new().with_max_matvecs(4), "max_matvecs"),
        (new().with_max_warm_matvecs(4), "max_warm_matvecs"),
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
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let (model, data) = (model(2), ones(2));
    let risk = Risk::new(&loss, &data);
    let before = state(&monitor);
    for lr in [-0.1, f64::NAN, f64::INFINITY] {
        let moment = Moment::new(0, lr, &model);
        let refused = monitor.measure(&risk, &moment).unwrap_err();
        assert!(
            matches!(refused, DynamicsError::OutOfRange { .. }),
            "{refused}"
        );
    }
    assert_eq!(state(&monitor), before);
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_and_leaves_the_monitor_as_it_was() {
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let (model, good) = (model(2), ones(2));
    let risk = Risk::new(&loss, &good);
    let moment = Moment::new(0, 0.1, &model);
    monitor.measure(&risk, &moment).unwrap();
    let before = state(&monitor);
    let bad = ones(2).map(|x| x * f32::NAN);
    let risk = Risk::new(&loss, &bad);
    let error = monitor.measure(&risk, &moment).unwrap_err();
    let expected = matches!(
        error,
        DynamicsError::Curvature(CurvatureError::Loss(LossError::NonFinite { batch: 0, .. }))
    );
    assert!(expected, "{error}");
    assert_eq!(state(&monitor), before);
}

#[test]
fn another_model_needs_a_monitor_that_has_forgotten() {
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let (data, models) = ([ones(2), ones(3)], [model(2), model(3)]);
    let [two, three] = [0, 1].map(|index| Risk::new(&loss, &data[index]));
    let [at_two, at_three] = [0, 1].map(|index| Moment::new(index, 0.1, &models[index]));
    monitor.measure(&two, &at_two).unwrap();
    let other = monitor.measure(&three, &at_three).unwrap_err();
    let is_space = matches!(
        other,
        DynamicsError::Space(SpaceError::DifferentSpaces { .. })
    );
    assert!(is_space, "{other}");
    monitor.forget();
    let reading = monitor.measure(&three, &at_three).unwrap();
    assert!((reading.sharpness - 8.0).abs() < 1e-4);
    // A state of the other model.
    let mut resumed = CurvatureMonitorConfig::new().init().unwrap();
    <CurvatureMonitor as Monitor<Linear>>::load_state(&mut resumed, state(&monitor)).unwrap();
    let refused = resumed.measure(&two, &at_two).unwrap_err();
    assert!(matches!(refused, DynamicsError::Space(_)), "{refused}");
}
