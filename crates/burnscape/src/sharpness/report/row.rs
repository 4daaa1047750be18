use serde::{Deserialize, Serialize};

use super::SharpnessMeasure;
use crate::space::Scale;
use crate::writing::number;

/// One line of a [`SharpnessReport`](super::SharpnessReport).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharpnessRow {
    /// The measure.
    pub measure: SharpnessMeasure,
    /// The parameter that it is measured on, if not all.
    pub part: Option<String>,
    /// Its scale, where it has one.
    pub scale: Option<Scale>,
    /// The setting that the number depends on, for instance `sigma 0.05`.
    pub setting: String,
    /// The number. None if it cannot be measured; the note states the reason.
    #[serde(with = "number")]
    pub value: Option<f64>,
    /// Its standard error, where the measure has one.
    #[serde(with = "number")]
    pub standard_error: Option<f64>,
    /// A restriction of the number: it is only a lower bound, an ascent used all its steps, or it cannot be measured.
    pub note: Option<String>,
    /// Losses over the data.
    pub num_losses: usize,
    /// Losses with gradients over the data.
    pub num_gradients: usize,
    /// Products with a curvature matrix. The Frobenius norm uses those of the trace, which are counted once.
    pub num_matvecs: usize,
}

impl SharpnessRow {
    /// A row without a number.
    pub(super) fn new(measure: SharpnessMeasure, scale: Option<Scale>) -> Self {
        Self {
            measure,
            part: None,
            scale,
            setting: String::new(),
            value: None,
            standard_error: None,
            note: None,
            num_losses: 0,
            num_gradients: 0,
            num_matvecs: 0,
        }
    }
}

/// The note of a number, unless it is as it should be.
pub(super) fn note_unless(is_fine: bool, note: &str) -> Option<String> {
    (!is_fine).then(|| note.to_owned())
}
