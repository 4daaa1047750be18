use crate::dynamics::CurvatureReading;

/// The number of a [`CurvatureReading`] that a [metric](super::LearnerMonitor::metric) shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CurvatureQuantity {
    /// `lambda_max`: the largest eigenvalue of the Hessian.
    Sharpness,
    /// `edge_ratio`: `lambda_max · lr / 2`, 1 at the edge of stability of plain gradient descent.
    EdgeRatio,
    /// `momentum_edge`: the `lambda_max` at which the configured momentum is unstable; missing without one.
    MomentumEdge,
    /// `sam_edge`: the `lambda_max` at which SAM with the configured radius is unstable; missing without
    /// one.
    SamEdge,
    /// `gradient_norm`: `|g|` over the monitor's data.
    GradientNorm,
    /// `hessian_trace`: missing without probes.
    Trace,
}

impl CurvatureQuantity {
    /// The metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sharpness => "lambda_max",
            // Not the formula: the name of a metric is a file name in Burn's logs.
            Self::EdgeRatio => "edge_ratio",
            Self::MomentumEdge => "momentum_edge",
            Self::SamEdge => "sam_edge",
            Self::GradientNorm => "gradient_norm",
            Self::Trace => "hessian_trace",
        }
    }

    /// A one-line description.
    pub fn description(self) -> &'static str {
        match self {
            Self::Sharpness => "largest eigenvalue of the Hessian of the loss",
            Self::EdgeRatio => "lambda_max * lr / 2: plain gradient descent is unstable above 1",
            Self::MomentumEdge => "lambda_max above which descent with momentum is unstable",
            Self::SamEdge => "lambda_max above which sharpness-aware descent is unstable",
            Self::GradientNorm => "Euclidean norm of the gradient of the loss",
            Self::Trace => "trace of the Hessian of the loss, estimated",
        }
    }

    /// The value in a reading; none if the reading has none.
    pub fn of(self, reading: &CurvatureReading) -> Option<f64> {
        match self {
            Self::Sharpness => Some(reading.sharpness),
            Self::EdgeRatio => Some(reading.edge_ratio),
            Self::MomentumEdge => reading.momentum_edge,
            Self::SamEdge => reading.sam_edge,
            Self::GradientNorm => Some(reading.gradient_norm),
            Self::Trace => reading.trace,
        }
    }
}
