//! Histories as rows.

use super::CurvatureReading;

pub(super) const HEADER: [&str; 14] = [
    "step",
    "lr",
    "loss",
    "gradient_norm",
    "sharpness",
    "residual",
    "outcome",
    "edge_ratio",
    "gd_edge",
    "momentum_edge",
    "sam_edge",
    "trace",
    "trace_standard_error",
    "products",
];

pub(super) fn row(reading: &CurvatureReading) -> [String; 14] {
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    [
        reading.step.to_string(),
        reading.lr.to_string(),
        reading.loss.to_string(),
        reading.gradient_norm.to_string(),
        reading.sharpness.to_string(),
        reading.residual.to_string(),
        reading.outcome.to_string(),
        reading.edge_ratio.to_string(),
        optional(reading.gd_edge),
        optional(reading.momentum_edge),
        optional(reading.sam_edge),
        optional(reading.trace),
        optional(reading.trace_standard_error),
        reading.products.to_string(),
    ]
}
