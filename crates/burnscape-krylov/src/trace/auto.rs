use super::xtrace::Small;
use super::{Sketch, TraceConfig, TraceEstimate, TraceMethod};
use crate::vector::length;
use crate::{Estimate, Probe, SelfAdjoint, VectorSpace};

/// Below this many products a subspace does not pay for itself.
const PAYS: usize = 30;
/// The fewest random vectors whose spread is informative, and the most that are worth it.
const PILOT: (usize, usize) = (6, 16);
/// Hutchinson's samples spread by `√2 |A − I tr A / n|` at most; a few of them may lie together by chance,
/// and are not believed below this part of it.
const BELIEVED: f64 = 0.5;

impl TraceConfig {
    pub(super) fn auto<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<TraceEstimate, A::Error> {
        let dimension = <A::Vector as VectorSpace>::dimension(&operator.domain());
        let pilot = (self.max_matvecs / 8).clamp(PILOT.0, PILOT.1);
        if self.max_matvecs < PAYS || pilot >= dimension {
            return self.hutchinson(operator, Vec::new(), 0);
        }
        // Rademacher vectors, so that the samples are Hutchinson's own.
        let mut sketch = Sketch::new(operator, (Probe::Rademacher, self.seed), pilot)?;
        let is_stopped = sketch.extend(pilot)?;
        let about = (sketch.samples.num_matvecs, TraceMethod::Hutchinson);
        let plain = self.estimate(&sketch.forms, 0.0, about);
        if is_stopped || self.shown(operator, &plain) {
            return Ok(plain.stopped());
        }
        let small = Small::of(&sketch, dimension)?;
        let with_basis: Vec<f64> = (0..sketch.len())
            .map(|own| small.sample(own, None))
            .collect();
        let spread = |samples: &[f64]| {
            let error = Estimate::of(samples).standard_error;
            error.unwrap_or(f64::INFINITY) * (samples.len() as f64).sqrt()
        };
        // |A ω|² is |A|² in the mean; a multiple of the identity adds to it, and nothing to the spread.
        let columns = sketch.columns.iter().flatten().copied();
        let size = length(columns) / (sketch.len() as f64).sqrt();
        let mean = Estimate::of(&sketch.forms).value / (dimension as f64).sqrt();
        // √(size² − mean²), without squares.
        let norm = ((size - mean.abs()).max(0.0)).sqrt() * (size + mean.abs()).sqrt();
        let plain = spread(&sketch.forms).max(BELIEVED * 2.0_f64.sqrt() * norm);
        let spent = sketch.samples.num_matvecs - sketch.len();
        let left = self.max_matvecs - spent;
        let is_low_rank = sketch.rest.is_some();
        let error = |spread: f64, count: usize| spread / (count as f64).sqrt();
        let is_better = error(spread(&with_basis), self.max_matvecs / 2) < error(plain, left);
        if is_low_rank || is_better {
            return self.xtrace_from(operator, sketch);
        }
        self.hutchinson(operator, sketch.forms, spent)
    }
}
