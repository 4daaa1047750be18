use crate::space::Scale;
use serde::Serialize;

use super::Measure;

/// One line of a [`SharpnessReport`](super::SharpnessReport).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SharpnessRow {
    /// What is measured.
    pub measure: Measure,
    /// The parameter that it is measured on, if not all.
    pub part: Option<String>,
    /// The scale it is relative to, where there is one.
    pub scale: Option<Scale>,
    /// The setting that the number depends on, `sigma 0.05` for instance.
    pub setting: String,
    /// The number. None where it could not be had; the note says why.
    pub value: Option<f64>,
    /// Its standard error, where the measure has one.
    pub standard_error: Option<f64>,
    /// What has to be known beside the number: that it is only a lower bound, that an ascent was cut
    /// short, why there is none.
    pub note: Option<String>,
    /// Losses over the data that it took.
    pub losses: usize,
    /// Losses with gradients over the data.
    pub gradients: usize,
    /// Products with a curvature matrix. Those of the trace serve the Frobenius norm too, and are
    /// counted once.
    pub products: usize,
}

impl SharpnessRow {
    pub(super) fn new(measure: Measure, scale: Option<Scale>) -> Self {
        Self {
            measure,
            part: None,
            scale,
            setting: String::new(),
            value: None,
            standard_error: None,
            note: None,
            losses: 0,
            gradients: 0,
            products: 0,
        }
    }

    pub(super) fn setting(mut self, setting: impl Into<String>) -> Self {
        self.setting = setting.into();
        self
    }

    pub(super) fn value(mut self, value: f64, standard_error: Option<f64>) -> Self {
        self.value = Some(value);
        self.standard_error = standard_error;
        self
    }

    pub(super) fn cost(mut self, losses: usize, gradients: usize, products: usize) -> Self {
        self.losses = losses;
        self.gradients = gradients;
        self.products = products;
        self
    }

    pub(super) fn note_unless(mut self, is_fine: bool, note: &str) -> Self {
        if !is_fine {
            self.note = Some(note.to_owned());
        }
        self
    }
}
