use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burnscape_krylov::Step;

use super::Progress;

/// Who watches a risk and everything that is made of it; nobody by default.
///
/// The lock is behind a trait, so that `Observer<'long>`, and with it a risk and an operator, can be used
/// where `Observer<'short>` is expected: a mutex of a closure could not.
#[derive(Clone, Default)]
pub(crate) struct Observer<'a>(Option<Arc<dyn Observe + Send + Sync + 'a>>);

trait Observe {
    fn report(&self, progress: &Progress) -> ControlFlow<()>;

    /// Whether it has broken since a break was last taken.
    fn has_broken(&self) -> bool;

    /// The same, and takes the break.
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

    /// Shows a step of a method on an operator, unless a break at the last piece of its product ends the run. The
    /// break is not taken: the run may be complete, and a part of other work.
    pub(crate) fn report_step(&self, step: &Step) -> ControlFlow<()> {
        match self.has_broken() {
            true => ControlFlow::Break(()),
            false => self.report(&Progress::of_step(step)),
        }
    }

    fn has_broken(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|observer| observer.has_broken())
    }

    /// Forgets a break of work before.
    pub(crate) fn forget_break(&self) {
        let _ = self.take_break();
    }

    /// Whether it has broken since it was last asked: a break at the last piece of some work leaves that
    /// complete, and still ends the work around it.
    pub(crate) fn take_break(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|observer| observer.take_break())
    }
}

/// The closure is taken out while it is called: no lock is held, and what is reported meanwhile, by the
/// closure's own work or by another thread, is not observed.
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

/// A closure while it is called. It is put back in the end, also where it panics.
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
