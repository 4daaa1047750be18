use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use super::WorstCaseSharpnessConfig;
use crate::sharpness::SharpnessError;
use crate::space::ParamVector;

/// The result of [`WorstCaseSharpnessConfig::run`].
///
/// Serialized without the displacement, which is none after reading.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorstCaseSharpness {
    /// The largest rise found, a lower bound of the true maximum. Never negative: the center is a
    /// point of the region.
    pub rise: f64,
    /// The agreement of the starts: the standard deviation of `rises` over the root of their number.
    /// It is the error of their *mean*. For the maximum it is an indication, not a bound: zero means
    /// that all starts reached the same value, a large value that the region has several maxima. None
    /// from a single start.
    pub standard_error: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// The largest rise from each start, in order. That of a start in a valley of the region can be negative.
    pub rises: Vec<f64>,
    /// The displacement `e` that attains the rise; `e.perturb(&model, 1.0)` is the model there.
    #[serde(skip)]
    pub displacement: Option<ParamVector>,
    /// Euclidean length `|e|` of the displacement.
    pub displacement_norm: f64,
    /// Its length in the units of the region, to be compared with ρ: `|e / c|` in a ball, the largest
    /// `|e_i| / (|w_i| + 1)` in a box.
    pub scaled_norm: f64,
    /// Whether the best point lies on the boundary of the region, to one part in a thousand.
    pub on_boundary: bool,
    /// The fraction of the coordinates that lie on the boundary of the box. None in a ball.
    pub at_bounds: Option<f64>,
    /// Cosine between `e / c` and the gradient `c ⊙ g` at the best point: 1 at a maximum on the
    /// boundary of a ball. None where either is zero.
    pub alignment: Option<f64>,
    /// How the ascents ended. Converged: each usually reached a local maximum. Limit reached: one used all its steps.
    /// Stopped: the observer ended the ascent, and the numbers are those of the points visited.
    pub outcome: Outcome,
    /// Passes over the data, all with gradients.
    pub num_gradients: usize,
    /// The configuration, seed included.
    pub config: WorstCaseSharpnessConfig,
}

impl WorstCaseSharpness {
    /// Keskar's sharpness: the rise in percent of one plus the loss.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::NegativeLoss`] for a loss of −1 or less.
    pub fn keskar(&self) -> Result<f64, SharpnessError> {
        percent(self.rise, self.base_loss)
    }
}

/// A rise in percent of one plus the loss.
pub(super) fn percent(rise: f64, loss: f64) -> Result<f64, SharpnessError> {
    if loss <= -1.0 {
        return Err(SharpnessError::NegativeLoss { loss });
    }
    Ok(100.0 * rise / (1.0 + loss))
}
