use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Progress;

type Observe<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + Send + 'a;

/// Who watches a risk and everything that is made of it; nobody by default.
#[derive(Clone, Default)]
pub(crate) struct Observer<'a>(Option<Arc<Mutex<Option<Box<Observe<'a>>>>>>);

impl<'a> Observer<'a> {
    pub(super) fn new(observe: impl FnMut(&Progress) -> ControlFlow<()> + Send + 'a) -> Self {
        Self(Some(Arc::new(Mutex::new(Some(Box::new(observe))))))
    }

    /// The observer is taken out while it is called: no lock is held, and work that starts meanwhile is
    /// not observed.
    pub(crate) fn report(&self, progress: &Progress) -> ControlFlow<()> {
        let Some(shared) = &self.0 else {
            return ControlFlow::Continue(());
        };
        let Some(mut observe) = locked(shared).take() else {
            return ControlFlow::Continue(());
        };
        let flow = observe(progress);
        *locked(shared) = Some(observe);
        flow
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
