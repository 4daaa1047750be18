use super::GradientNoise;
use crate::dynamics::{Cost, Quantity, Reading};

const QUANTITIES: &[Quantity<GradientNoise>] = &[
    Quantity {
        name: "loss",
        description: "mean loss of an example of the monitor's data",
        value: |noise| Some(noise.loss),
    },
    Quantity {
        name: "gradient_norm",
        description: "Euclidean norm of the gradient of the mean loss",
        value: |noise| Some(noise.gradient_norm),
    },
    Quantity {
        name: "trace",
        description: "variance of the gradient of a single example",
        value: |noise| Some(noise.trace),
    },
    Quantity {
        name: "trace_low",
        description: "lower end of its interval",
        value: |noise| noise.trace_interval.map(|(low, _)| low),
    },
    Quantity {
        name: "trace_high",
        description: "upper end of its interval",
        value: |noise| noise.trace_interval.map(|(_, high)| high),
    },
    Quantity {
        name: "gradient_norm_squared",
        description: "squared norm of the gradient without noise",
        value: |noise| Some(noise.gradient_norm_squared),
    },
    Quantity {
        name: "scale",
        description: "batch size at which the noise is as long as the gradient",
        value: |noise| noise.scale,
    },
    Quantity {
        name: "scale_low",
        description: "lower end of its interval",
        value: |noise| noise.scale_interval.map(|(low, _)| low),
    },
    Quantity {
        name: "scale_high",
        description: "upper end of its interval, infinite where it is unbounded",
        value: |noise| noise.scale_interval.map(|(_, high)| high),
    },
    Quantity {
        name: "curvature_trace",
        description: "trace of the Hessian times the covariance of gradients",
        value: |noise| noise.curvature_trace,
    },
    Quantity {
        name: "gradient_curvature",
        description: "quadratic form of the Hessian in the gradient without noise",
        value: |noise| noise.gradient_curvature,
    },
    Quantity {
        name: "curvature_scale",
        description: "noise scale with curvature",
        value: |noise| noise.curvature_scale,
    },
    Quantity {
        name: "num_samples",
        description: "gradients that were compared",
        value: |noise| Some(noise.num_samples as f64),
    },
];

impl Reading for GradientNoise {
    fn quantities() -> &'static [Quantity<Self>] {
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}
