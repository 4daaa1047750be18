//! What is the same in all runs, chosen beforehand and not tuned on the test images.

use serde::Serialize;

/// Examples in a batch.
pub(crate) const BATCH_SIZE: usize = 64;
/// Learning rate of the first step; it falls to zero along half a cosine.
pub(crate) const LEARNING_RATE: f64 = 0.05;
/// Momentum of SGD.
pub(crate) const MOMENTUM: f64 = 0.9;
/// Burn's default is 0.1, PyTorch's and the SAM papers' is 0.
pub(crate) const DAMPENING: f64 = 0.0;

/// Relative size of the Gaussian noise of the average rise.
pub(crate) const NOISE: f64 = 0.1;
/// Samples of the noise, the same for all runs.
pub(crate) const NOISE_SAMPLES: usize = 25;
/// Radius of the ball of the worst-case rise, in parameter norm: SAM's default.
pub(crate) const BALL: f64 = 0.05;
/// Steps of the ascent in the ball, from each of two starts.
pub(crate) const BALL_STEPS: usize = 10;
/// Starts of the ascent: the center and a random point.
pub(crate) const BALL_STARTS: usize = 2;

/// Random vectors of the density of eigenvalues.
pub(crate) const DENSITY_PROBES: usize = 4;
/// Lanczos steps from each, and of the verdict about the end point.
pub(crate) const DENSITY_STEPS: usize = 60;
/// Products of the trace at most.
pub(crate) const TRACE_PRODUCTS: usize = 64;
/// A gradient of this norm counts as zero in the verdict about the end point.
pub(crate) const GRADIENT_ZERO: f64 = 0.001;

/// Checkpoints of a training run that is kept, at equal distances after the first.
pub(crate) const CHECKPOINTS: usize = 40;
/// Readings of the sharpness along such a run, at equal distances after the first.
pub(crate) const SHARPNESS_READINGS: usize = 6;
/// Batches from which the statistics of batch norm are re-estimated at every point of a surface: a
/// tenth of the training images.
pub(crate) const STATISTICS_BATCHES: usize = 2;

/// The settings as they are written to a file.
#[derive(Serialize)]
pub(crate) struct Settings {
    epochs: u32,
    batch_size: usize,
    learning_rate: f64,
    learning_rate_schedule: &'static str,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    rho: Option<f64>,
    average_rise_sigma: f64,
    average_rise_scale: &'static str,
    average_rise_samples: usize,
    worst_case_rho: f64,
    worst_case_scale: &'static str,
    worst_case_steps: usize,
    worst_case_starts: usize,
    density_probes: usize,
    density_steps: usize,
    trace_products: usize,
    gradient_zero: f64,
    trajectory_checkpoints: usize,
    sharpness_readings: usize,
    surface_statistics_batches: usize,
}

impl Settings {
    pub(crate) fn new(epochs: u32, rho: Option<f64>) -> Self {
        Self {
            epochs,
            batch_size: BATCH_SIZE,
            learning_rate: LEARNING_RATE,
            learning_rate_schedule: "half a cosine to zero",
            momentum: MOMENTUM,
            dampening: DAMPENING,
            weight_decay: 0.0,
            rho,
            average_rise_sigma: NOISE,
            average_rise_scale: "relative to the norm of each filter",
            average_rise_samples: NOISE_SAMPLES,
            worst_case_rho: BALL,
            worst_case_scale: "absolute",
            worst_case_steps: BALL_STEPS,
            worst_case_starts: BALL_STARTS,
            density_probes: DENSITY_PROBES,
            density_steps: DENSITY_STEPS,
            trace_products: TRACE_PRODUCTS,
            gradient_zero: GRADIENT_ZERO,
            trajectory_checkpoints: CHECKPOINTS,
            sharpness_readings: SHARPNESS_READINGS,
            surface_statistics_batches: STATISTICS_BATCHES,
        }
    }
}
