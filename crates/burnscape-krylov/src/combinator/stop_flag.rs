use std::sync::atomic::{AtomicBool, Ordering};

use crate::LinearOperator;

/// Whether the last product of an operator failed because an observer of one of its parts ended it: a part's
/// error may no longer show that once it is converted.
#[derive(Debug, Default)]
pub(super) struct StopFlag(AtomicBool);

impl StopFlag {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, is_stop: bool) {
        self.0.store(is_stop, Ordering::Relaxed);
    }

    /// Passes on a product of `part`, before its error is converted.
    pub(super) fn pass<A: LinearOperator + ?Sized, T>(
        &self,
        part: &A,
        product: Result<T, A::Error>,
    ) -> Result<T, A::Error> {
        let is_stop = product.as_ref().is_err_and(|error| part.is_stop(error));
        self.set(is_stop);
        product
    }
}

impl Clone for StopFlag {
    fn clone(&self) -> Self {
        Self(AtomicBool::new(self.is_set()))
    }
}
