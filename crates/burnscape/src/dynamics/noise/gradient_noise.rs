use std::fmt;

use burnscape_krylov::Estimate;
use serde::{Deserialize, Serialize};

use super::NoiseEstimator;
use super::moments::{Moments, positive_ratio};
use crate::dynamics::Cost;
use crate::writing::number::{self, Number, Numbers};
use crate::writing::write_aligned;

/// What [`GradientNoiseConfig`](super::GradientNoiseConfig) found. It prints as a table.
///
/// # Units
///
/// Traces and `|G|²`: loss squared per parameter squared, times loss per parameter squared with curvature. Scales:
/// examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GradientNoise {
    /// The gradients that were compared.
    pub estimator: NoiseEstimator,
    /// Examples in the data.
    pub num_examples: usize,
    /// Examples of a gradient: 1 per example, those of a micro-batch, or those of a batch for two sizes.
    pub batch_size: usize,
    /// Gradients that were compared; pairs for two sizes.
    pub num_samples: usize,
    /// The probability with which an interval holds its number.
    pub confidence: f64,
    /// The mean loss of an example.
    pub loss: f64,
    /// `|ḡ|`, the norm of the gradient of the mean loss over the data, noise included.
    pub gradient_norm: f64,
    /// `tr Σ`, the variance of the gradient of a single example. An estimate from two sizes may be negative.
    pub trace: f64,
    /// The interval of `tr Σ`. None for fewer than three gradients, or two pairs.
    #[serde(with = "number")]
    pub trace_interval: Option<(f64, f64)>,
    /// `|G|²`, the squared norm of the gradient without noise. It may be negative.
    pub gradient_norm_squared: f64,
    /// `B_simple = tr Σ / |G|²`; none unless `|G|²` is positive and `tr Σ` not negative.
    #[serde(with = "number")]
    pub scale: Option<f64>,
    /// Fieller's interval of the scale. The upper end is infinite where the data do not tell `|G|²` from zero. None
    /// for fewer than three gradients, or two pairs, and where both numbers are zero.
    #[serde(with = "number")]
    pub scale_interval: Option<(f64, f64)>,
    /// `tr(HΣ)`, if it was asked for.
    #[serde(with = "number")]
    pub curvature_trace: Option<f64>,
    /// `Gᵀ H G`, if `tr(HΣ)` was asked for.
    #[serde(with = "number")]
    pub gradient_curvature: Option<f64>,
    /// `tr(HΣ) / Gᵀ H G`; none unless the denominator is positive and the numerator not negative.
    #[serde(with = "number")]
    pub curvature_scale: Option<f64>,
    /// The work of the measurement.
    pub cost: Cost,
}

impl GradientNoise {
    /// The variance of the gradient of a batch of `size` examples, drawn from the data without replacement:
    /// `tr Σ / size · (1 − size / n)`, with the `n` examples of the data. Exact
    /// [per example](NoiseEstimator::PerExample), over all batches. Infinite for a batch of zero examples, and zero
    /// for all data.
    pub fn batch_variance(&self, size: usize) -> f64 {
        let (size, all) = (size as f64, self.num_examples as f64);
        self.trace / size * (1.0 - size / all).max(0.0)
    }

    /// Several readings as one: `tr Σ` and `|G|²` are means, and scales are ratios of means, whose intervals come from
    /// the spread of the readings, taken as independent. A single reading keeps its own intervals.
    ///
    /// Readings at successive steps are correlated, and their mean is that of weights that move: leave steps between
    /// them, and pool only where the numbers do not drift.
    ///
    /// The loss is a mean as well, and the norm of the gradient a root mean square. None without readings, and unless
    /// all have the same estimator, sizes and confidence.
    pub fn pooled(readings: &[Self]) -> Option<Self> {
        let [first, others @ ..] = readings else {
            return None;
        };
        if others.is_empty() {
            return Some(first.clone());
        }
        if others
            .iter()
            .any(|other| first.settings() != other.settings())
        {
            return None;
        }
        let mean = |value: fn(&Self) -> f64| {
            Estimate::of(&readings.iter().map(value).collect::<Vec<_>>()).value
        };
        let mean_of_known = |value: fn(&Self) -> Option<f64>| {
            let known: Option<Vec<f64>> = readings.iter().map(value).collect();
            known.map(|known| Estimate::of(&known).value)
        };
        let pairs: Vec<[f64; 2]> = readings
            .iter()
            .map(|reading| [reading.trace, reading.gradient_norm_squared])
            .collect();
        let moments = Moments::of_pairs(&pairs);
        let curvature_trace = mean_of_known(|reading| reading.curvature_trace);
        let gradient_curvature = mean_of_known(|reading| reading.gradient_curvature);
        let mut cost = Cost::default();
        for reading in readings {
            cost += reading.cost;
        }
        Some(Self {
            num_samples: readings.iter().map(|reading| reading.num_samples).sum(),
            loss: mean(|reading| reading.loss),
            gradient_norm: mean(|reading| reading.gradient_norm.powi(2)).sqrt(),
            trace: moments.trace,
            trace_interval: moments.trace_interval(first.confidence),
            gradient_norm_squared: moments.square,
            scale: moments.scale(),
            scale_interval: moments.scale_interval(first.confidence),
            curvature_trace,
            gradient_curvature,
            curvature_scale: curvature_trace
                .zip(gradient_curvature)
                .and_then(|(trace, along)| positive_ratio(trace, along)),
            cost,
            ..first.clone()
        })
    }

    /// What readings must have in common to be pooled.
    fn settings(&self) -> (NoiseEstimator, usize, usize, f64) {
        let Self {
            estimator,
            num_examples,
            batch_size,
            confidence,
            ..
        } = *self;
        (estimator, num_examples, batch_size, confidence)
    }

    /// An interval as text; empty without one.
    fn shown(&self, interval: Option<(f64, f64)>) -> String {
        let percent = (1e4 * self.confidence).round() / 1e2;
        match interval {
            None => String::new(),
            Some((low, high)) if high.is_infinite() => {
                format!("{percent} %: {} or more, unbounded", short(low))
            }
            Some((low, high)) => format!("{percent} %: {} to {}", short(low), short(high)),
        }
    }
}

impl fmt::Display for GradientNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, size) = (self.num_samples, self.batch_size);
        match self.estimator {
            NoiseEstimator::PerExample => writeln!(f, "gradient noise of {count} examples")?,
            NoiseEstimator::MicroBatches { .. } => {
                writeln!(f, "gradient noise of {count} micro-batches of {size}")?;
            }
            NoiseEstimator::TwoSizes { small } => {
                let pairs = format!("{count} batches of {size} and their first {small}");
                writeln!(f, "gradient noise of {pairs}")?;
            }
        }
        let row = |name: &str, value: String, interval| [name.to_string(), value, interval];
        let scale = |scale: Option<f64>| scale.map_or_else(|| "none".to_string(), short);
        let nothing = String::new;
        let mut rows = vec![
            row("loss", short(self.loss), nothing()),
            row("|gradient|", short(self.gradient_norm), nothing()),
            row("tr Σ", short(self.trace), self.shown(self.trace_interval)),
            row("|G|²", short(self.gradient_norm_squared), nothing()),
            row(
                "tr Σ / |G|²",
                scale(self.scale),
                self.shown(self.scale_interval),
            ),
        ];
        if let (Some(trace), Some(along)) = (self.curvature_trace, self.gradient_curvature) {
            rows.push(row("tr HΣ", short(trace), nothing()));
            rows.push(row("GᵀHG", short(along), nothing()));
            rows.push(row("tr HΣ / GᵀHG", scale(self.curvature_scale), nothing()));
        }
        write_aligned(f, &rows, [false, true, false])
    }
}

/// Four digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-2..1e5).contains(&size) {
        format!("{value:.4}")
    } else {
        format!("{value:.3e}")
    }
}

impl Numbers for Option<(f64, f64)> {
    type Written = Option<(Number, Number)>;

    fn to_written(&self) -> Self::Written {
        self.map(|(low, high)| (low.to_written(), high.to_written()))
    }

    fn from_written(written: Self::Written) -> Self {
        written.map(|(low, high)| (f64::from_written(low), f64::from_written(high)))
    }
}
