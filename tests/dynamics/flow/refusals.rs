//! Flows that do not exist, or would take too long, are refused, with what to change.

use burn::tensor::{Distribution, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{CentralFlowConfig, DynamicsError, GradientFlowConfig};
use burnscape::loss::{LossError, Risk};
use burnscape_testkit::objectives::Point;

use super::{assert_near, batch, point, regression, valley};

fn of_flow(config: &GradientFlowConfig) -> DynamicsError {
    let data = [batch(&[1.0, 2.0])];
    let risk = Risk::new(&regression, &data);
    config.run(&risk, &point(&[3.0, -1.0])).unwrap_err()
}

fn of_central_flow(config: &CentralFlowConfig) -> DynamicsError {
    let data = [batch(&[20.5])];
    let risk = Risk::new(&valley, &data);
    config.run(&risk, &point(&[0.5, 15.0])).unwrap_err()
}

#[track_caller]
fn assert_out_of_range(error: &DynamicsError, name: &str) {
    let is_of = |error: &DynamicsError| match error {
        DynamicsError::OutOfRange(found) => found.name == name,
        _ => false,
    };
    assert!(is_of(error), "{name}: {error}");
}

#[test]
fn settings_out_of_range_are_named() {
    let new = || GradientFlowConfig::new(1.0);
    for (name, config) in [
        ("end_time", GradientFlowConfig::new(-1.0)),
        ("end_time", GradientFlowConfig::new(f64::INFINITY)),
        (
            "relative_tolerance",
            new().with_relative_tolerance(Some(0.0)),
        ),
        (
            "absolute_tolerance",
            new().with_absolute_tolerance(Some(-1e-3)),
        ),
        ("sharpness_interval", new().with_sharpness_interval(0)),
        ("max_gradients", new().with_max_gradients(7)),
    ] {
        assert_out_of_range(&of_flow(&config), name);
    }
    let new = || CentralFlowConfig::new(0.1, 1.0);
    for (name, config) in [
        ("lr", CentralFlowConfig::new(0.0, 1.0)),
        ("end_time", CentralFlowConfig::new(0.1, f64::NAN)),
        ("tolerance", new().with_tolerance(1.0)),
        ("max_matvecs", new().with_max_matvecs(4)),
        ("max_gradients", new().with_max_gradients(4)),
        (
            "relative_tolerance",
            new().with_relative_tolerance(Some(-1.0)),
        ),
    ] {
        assert_out_of_range(&of_central_flow(&config), name);
    }
}

#[test]
fn a_stiff_flow_is_refused_before_it_starts() {
    let error = of_flow(&GradientFlowConfig::new(1e6));
    let DynamicsError::StiffFlow {
        sharpness,
        end_time,
        gradients,
        max_gradients,
    } = error
    else {
        panic!("{error}");
    };
    assert_near(sharpness, 5.0, 1e-9);
    assert_eq!((end_time, max_gradients), (1e6, 100_000));
    // Six for each 0.9 · 3.3066/5.
    assert_near(gradients, 1.0081e7, 1e4);
    let text = error.to_string();
    for part in ["sharpness of 5.000e0", "100000", "with_max_gradients"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_loss_that_draws_is_refused() {
    // The trace shows the draw, so that none is made.
    let loss = |point: &Point, x: Tensor<1>| {
        let noise = x.random_like(Distribution::Default);
        (point.w.val() * x * noise).sum()
    };
    let data = [batch(&[1.0, 2.0])];
    let risk = Risk::new(&loss, &data);
    let error = GradientFlowConfig::new(1.0).run(&risk, &point(&[3.0, -1.0]));
    let draws = DynamicsError::Curvature(CurvatureError::Loss(LossError::Draws));
    assert_eq!(error.unwrap_err(), draws);
    let error = CentralFlowConfig::new(0.1, 1.0).run(&risk, &point(&[3.0, -1.0]));
    assert_eq!(error.unwrap_err(), draws);
}

#[test]
fn a_start_that_is_not_finite_is_the_loss_of_its_batch() {
    let loss = |point: &Point, x: Tensor<1>| (point.w.val() * x).sum().log();
    let data = [batch(&[1.0, 2.0])];
    let risk = Risk::new(&loss, &data);
    let error = GradientFlowConfig::new(1.0).run(&risk, &point(&[-3.0, 1.0]));
    let is_loss = |error: &DynamicsError| {
        matches!(
            error,
            DynamicsError::Curvature(CurvatureError::Loss(LossError::NonFinite { batch: 0, .. }))
        )
    };
    let error = error.unwrap_err();
    assert!(is_loss(&error), "{error}");
}

#[test]
fn a_step_to_where_the_loss_is_not_finite_is_made_shorter() {
    // −√w has a gradient that grows, and none below zero: w = (1 − 3t/4)^(2/3).
    let loss = |point: &Point, _: Tensor<1>| point.w.val().sqrt().sum();
    let data = [batch(&[1.0])];
    let risk = Risk::new(&loss, &data);
    let flow = GradientFlowConfig::new(1.3)
        .run(&risk, &point(&[1.0]))
        .unwrap();
    let expected = (1.0_f64 - 0.75 * 1.3).powf(2.0 / 3.0);
    assert_near(flow.model.coordinates()[0], expected, 1e-3);
    // It ends where the gradient becomes infinite.
    let error = GradientFlowConfig::new(2.0).run(&risk, &point(&[1.0]));
    assert!(matches!(error, Err(DynamicsError::Space(_))));
}

#[test]
fn a_start_above_the_edge_is_refused() {
    let data = [batch(&[25.0])];
    let risk = Risk::new(&valley, &data);
    let config = CentralFlowConfig::new(0.1, 1.0);
    let error = config.run(&risk, &point(&[0.0, 24.0])).unwrap_err();
    let DynamicsError::AboveEdge { sharpness, edge } = error else {
        panic!("{error}");
    };
    assert_near(sharpness, 24.0, 1e-6);
    assert_near(edge, 20.0, 1e-12);
    assert!(error.to_string().contains("lower the rate"), "{error}");
}
