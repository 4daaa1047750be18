use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock for tests that share state of the process: the random number generator of a device, or an allocation counter.
/// One of them runs at a time.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A failed test leaves no state behind.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
