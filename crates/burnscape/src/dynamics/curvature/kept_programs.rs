use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::curvature::Kept;

/// What a monitor keeps of its last Hessian, so that the next measurement needs no trace.
///
/// It changes the cost of a measurement, not its numbers. So a copy starts without it.
#[derive(Default)]
pub(in crate::dynamics) struct KeptPrograms(Mutex<Option<Kept>>);

impl KeptPrograms {
    pub(in crate::dynamics) fn take(&mut self) -> Option<Kept> {
        self.0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Keeps the programs for data that may be other than before, which needs programs for all batches of the same
    /// shapes.
    pub(in crate::dynamics) fn put(&mut self, kept: Kept, shares_traces: bool) {
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) =
            kept.for_other_data(shares_traces);
    }
}

impl Clone for KeptPrograms {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for KeptPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptPrograms").finish_non_exhaustive()
    }
}
