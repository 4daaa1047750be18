use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burnscape_krylov::Step;

use super::Progress;

/// The observer of a risk and its operators; none by default.
///
/// The lock is behind a trait object, which is covariant: `Observer<'long>`, and with it a risk or an operator, can be
/// used where `Observer<'short>` is expected. A mutex of a closure could not.
#[derive(Clone, Default)]
pub(crate) struct Observer<'a>(Option<Arc<dyn Observe + Send + Sync + 'a>>);

trait Observe {
    fn report(&self, progress: &Progress) -> ControlFlow<()>;

    /// Whether the observer has broken since `take_break` was last called.
    fn has_broken(&self) -> bool;

    /// Returns the same, and clears it.
    fn take_break(&self) -> bool;
}

struct Watch<F> {
    observe: Mutex<Option<F>>,
    has_broken: AtomicBool,
}

impl<'a> Observer<'a> {
    pub(super) fn new(observe: impl FnMut(&Progress) -> ControlFlow<()> + Send + 'a) -> Self {
        Self(Some(Arc::new(Watch {
            observe: Mutex::new(Some(observe)),
            has_broken: AtomicBool::new(false),
        })))
    }

    pub(crate) fn report(&self, progress: &Progress) -> ControlFlow<()> {
        match &self.0 {
            Some(observer) => observer.report(progress),
            None => ControlFlow::Continue(()),
        }
    }

    /// Reports a step of a method on an operator. A break at the last batch of its product ends the run; it is not
    /// cleared, since the run may be complete and part of other work.
    pub(crate) fn report_step(&self, step: &Step) -> ControlFlow<()> {
        if self.has_broken() {
            ControlFlow::Break(())
        } else {
            self.report(&Progress::of_step(step))
        }
    }

    fn has_broken(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|observer| observer.has_broken())
    }

    /// Clears a break from earlier work.
    pub(crate) fn forget_break(&self) {
        let _ = self.take_break();
    }

    /// Whether the observer has broken since the last call. A break at the last piece leaves that work complete, but
    /// ends the surrounding work.
    pub(crate) fn take_break(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|observer| observer.take_break())
    }
}

/// The closure is moved out of the mutex while it runs, so no lock is held. Reports in the meantime, from the closure
/// itself or another thread, are dropped.
impl<F: FnMut(&Progress) -> ControlFlow<()>> Observe for Watch<F> {
    fn report(&self, progress: &Progress) -> ControlFlow<()> {
        let Some(observe) = locked(&self.observe).take() else {
            return ControlFlow::Continue(());
        };
        let mut lent = Lent {
            slot: &self.observe,
            observe: Some(observe),
        };
        let flow = match &mut lent.observe {
            Some(observe) => observe(progress),
            None => ControlFlow::Continue(()),
        };
        drop(lent);
        if flow.is_break() {
            self.has_broken.store(true, Ordering::Relaxed);
        }
        flow
    }

    fn has_broken(&self) -> bool {
        self.has_broken.load(Ordering::Relaxed)
    }

    fn take_break(&self) -> bool {
        self.has_broken.swap(false, Ordering::Relaxed)
    }
}

/// A closure while it runs. `drop` puts it back, even after a panic.
struct Lent<'w, F> {
    slot: &'w Mutex<Option<F>>,
    observe: Option<F>,
}

impl<F> Drop for Lent<'_, F> {
    fn drop(&mut self) {
        *locked(self.slot) = self.observe.take();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
