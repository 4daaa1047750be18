use serde::{Deserialize, Serialize};

use super::TrajectoryError;
use crate::OutOfRange;
use crate::order_statistics::median;
use crate::range::{POSITIVE, ensure};

/// A search for plateaus in a sequence of recorded losses.
///
/// The rate of decrease over a window of `w` steps is `κ_t = (ln L_t − ln L_{t+w}) / w`, per step. A plateau is a maximal run
/// of `t` with `κ_t < κ₀`, and lasts from the first `t` to the end of the window of the last. A loss that rises has a
/// negative rate, and belongs to a plateau, too. If a loss is zero or negative, rates are absolute, `(L_t − L_{t+w}) / w`
/// with `κ₀` in units of the loss, and each [`Plateau`] records it.
///
/// A plateau is of interest if the loss drops later: some later rate exceeds `10 κ₀`. It is saddle-like if the gradient is
/// small there and the least eigenvalue of the Hessian negative, which a slow valley is not: pass what monitors recorded.
///
/// # Units
///
/// Indices count losses, whatever the distance between them. `max_rate` is relative decrease per index.
///
/// # Defaults
///
/// A drop is 10 times the largest rate of a plateau; no medians: ours.
///
/// # Example
///
/// ```
/// use burnscape::trajectory::PlateausConfig;
///
/// // A fast decrease, 100 steps without any, and a slower decrease.
/// let first = (0..50).map(|t| f64::from(-t) / 10.0);
/// let last = (1..=100).map(|t| -4.9 - f64::from(t) / 20.0);
/// let logs = first.chain(std::iter::repeat_n(-4.9, 100)).chain(last);
/// let losses: Vec<f64> = logs.map(f64::exp).collect();
/// let plateaus = PlateausConfig::new(20, 1e-3).run(&losses)?;
/// assert_eq!(plateaus.len(), 1);
/// assert_eq!((plateaus[0].start, plateaus[0].end), (49, 149));
/// assert!(plateaus[0].followed_by_drop);
/// # Ok::<(), burnscape::trajectory::TrajectoryError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PlateausConfig {
    window: usize,
    max_rate: f64,
    drop_ratio: f64,
    block_medians: bool,
    /// Norms, and the largest that is small.
    gradient_norms: Option<(Vec<f64>, f64)>,
    lambda_min: Option<Vec<f64>>,
}

impl PlateausConfig {
    /// Plateaus over windows of `window` steps, with rates below `max_rate`.
    pub fn new(window: usize, max_rate: f64) -> Self {
        Self {
            window,
            max_rate,
            drop_ratio: 10.0,
            block_medians: false,
            gradient_norms: None,
            lambda_min: None,
        }
    }

    /// How many times `max_rate` a later rate has to exceed to be a drop.
    #[must_use]
    pub fn with_drop_ratio(mut self, ratio: f64) -> Self {
        self.drop_ratio = ratio;
        self
    }

    /// Whether losses are first replaced by their medians over blocks of a quarter of the window, rounded down, against the
    /// noise of minibatches. The window must be a multiple of its block, and 8 or more: multiples of 4 are, and 10 and 15.
    /// A plateau then lasts from the first loss of its first block to the last loss of its last block; losses after the
    /// last whole block do not count.
    #[must_use]
    pub fn with_block_medians(mut self, block_medians: bool) -> Self {
        self.block_medians = block_medians;
        self
    }

    /// The norm of the gradient at each loss, NaN where it was not recorded, and the largest norm that counts as small.
    #[must_use]
    pub fn with_gradient_norms(mut self, norms: impl Into<Vec<f64>>, small: f64) -> Self {
        self.gradient_norms = Some((norms.into(), small));
        self
    }

    /// The least eigenvalue of the Hessian at each loss, NaN where it was not recorded.
    #[must_use]
    pub fn with_lambda_min(mut self, values: impl Into<Vec<f64>>) -> Self {
        self.lambda_min = Some(values.into());
        self
    }

    /// The plateaus of `losses`, in order. A window that starts or ends at a loss that is not finite belongs to none.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::OutOfRange`] for settings out of range, a window that is as long as the losses or longer, or that
    /// has no blocks for medians, and norms or eigenvalues that are not one for each loss.
    pub fn run(&self, losses: &[f64]) -> Result<Vec<Plateau>, TrajectoryError> {
        self.check(losses.len())?;
        let block = self.block();
        let shift = self.window / block;
        let relative = !losses.iter().any(|loss| *loss <= 0.0);
        let heights: Vec<f64> = losses
            .chunks_exact(block)
            .filter_map(median)
            .map(|loss| if relative { loss.ln() } else { loss })
            .collect();
        if heights.len() <= shift {
            let expected = format!("less than the number of losses, {}", losses.len());
            return Err(OutOfRange::new("window", self.window as f64, expected).into());
        }
        let later = heights.iter().skip(shift);
        let decreases = heights.iter().zip(later).map(|(now, later)| now - later);
        let rates: Vec<f64> = decreases
            .map(|fall| fall / (shift * block) as f64)
            .collect();
        let is_flat = |rate: f64| rate.is_finite() && rate < self.max_rate;
        let mut plateaus = Vec::new();
        let mut first = 0;
        for run in rates.chunk_by(|one, next| is_flat(*one) == is_flat(*next)) {
            let next = first + run.len();
            if is_flat(run[0]) {
                let (start, end) = (first * block, (next + shift) * block - 1);
                let drop = self.drop_ratio * self.max_rate;
                plateaus.push(Plateau {
                    start,
                    end,
                    relative,
                    followed_by_drop: rates[next..].iter().any(|rate| *rate > drop),
                    saddle_like: self.is_saddle_like(start, end),
                });
            }
            first = next;
        }
        Ok(plateaus)
    }

    /// The losses in a block; 1 without blocks.
    fn block(&self) -> usize {
        match self.block_medians {
            true => (self.window / 4).max(1),
            false => 1,
        }
    }

    fn check(&self, count: usize) -> Result<(), OutOfRange> {
        ensure("window", self.window as f64, 1.0..)?;
        let has_blocks = self.window >= 8 && self.window.is_multiple_of(self.block());
        if self.block_medians && !has_blocks {
            let expected = "8 or more with medians over blocks, and a multiple of four";
            return Err(OutOfRange::new("window", self.window as f64, expected));
        }
        ensure("max_rate", self.max_rate, POSITIVE)?;
        ensure("drop_ratio", self.drop_ratio, POSITIVE)?;
        let norms = self.gradient_norms.as_ref();
        if let Some((_, small)) = norms {
            ensure("small", *small, POSITIVE)?;
        }
        let recorded = [
            ("gradient_norms.len()", norms.map(|(norms, _)| norms.len())),
            ("lambda_min.len()", self.lambda_min.as_ref().map(Vec::len)),
        ];
        for (name, found) in recorded {
            if found.is_some_and(|found| found != count) {
                let found = found.unwrap_or(0) as f64;
                let expected = format!("one for each loss, {count}, NaN where there is none");
                return Err(OutOfRange::new(name, found, expected));
            }
        }
        Ok(())
    }

    /// By the medians of what was recorded between two losses; none if nothing was.
    fn is_saddle_like(&self, start: usize, end: usize) -> Option<bool> {
        let middle = |values: &[f64]| {
            let recorded = values[start..=end].iter().copied().filter(|x| !x.is_nan());
            median(&recorded.collect::<Vec<f64>>())
        };
        let (norms, small) = self.gradient_norms.as_ref()?;
        let norm = middle(norms)?;
        let eigenvalue = middle(self.lambda_min.as_ref()?)?;
        Some(norm <= *small && eigenvalue < 0.0)
    }
}

/// A part of a sequence of losses in which they hardly decrease, found by a [`PlateausConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plateau {
    /// Index of the first loss.
    pub start: usize,
    /// Index of the last loss.
    pub end: usize,
    /// Whether rates are relative; they are absolute if a loss is zero or negative.
    pub relative: bool,
    /// Whether a later rate is that of a drop.
    pub followed_by_drop: bool,
    /// Whether the median norm of the gradient is small and the median of the least eigenvalues negative; none if either
    /// was not recorded on the plateau.
    pub saddle_like: Option<bool>,
}
