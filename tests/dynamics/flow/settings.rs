//! Every setting of a flow changes it.

use burnscape::dynamics::{CentralFlowConfig, GradientFlowConfig};
use burnscape::krylov::RungeKutta;
use burnscape::prelude::*;

use super::{batch, point, regression, valley};
use crate::path::settings::each_matters;

/// A result without its settings.
fn text(result: &impl Json) -> String {
    let text = result.to_json().unwrap();
    let end = text.find("\"config\"").unwrap();
    text[..end].to_string()
}

#[test]
fn of_a_gradient_flow() {
    let new = || GradientFlowConfig::new(1.0);
    let settings = vec![
        ("end_time", GradientFlowConfig::new(2.0)),
        ("method", new().with_method(RungeKutta::BogackiShampine)),
        (
            "relative_tolerance",
            new().with_relative_tolerance(Some(1e-3)),
        ),
        (
            "absolute_tolerance",
            new().with_absolute_tolerance(Some(1e-2)),
        ),
        ("sharpness_interval", new().with_sharpness_interval(3)),
        ("max_gradients", new().with_max_gradients(20)),
    ];
    let data = [batch(&[1.0, 2.0])];
    each_matters(&new(), settings, |config| {
        let risk = Risk::new(&regression, &data);
        text(&config.run(&risk, &point(&[3.0, -1.0])).unwrap())
    });
}

#[test]
fn of_a_central_flow() {
    let new = || CentralFlowConfig::new(0.1, 4.0);
    let settings = vec![
        ("lr", CentralFlowConfig::new(0.09, 4.0)),
        ("end_time", CentralFlowConfig::new(0.1, 5.0)),
        ("method", new().with_method(RungeKutta::DormandPrince)),
        (
            "relative_tolerance",
            new().with_relative_tolerance(Some(1e-3)),
        ),
        (
            "absolute_tolerance",
            new().with_absolute_tolerance(Some(1e-1)),
        ),
        ("max_gradients", new().with_max_gradients(9)),
    ];
    let data = [batch(&[20.5])];
    each_matters(&new(), settings, |config| {
        let risk = Risk::new(&valley, &data);
        text(&config.run(&risk, &point(&[0.5, 19.0])).unwrap())
    });
}
