use std::sync::{Mutex, MutexGuard, PoisonError};

/// What tests hold that share something of their process: the random stream of a device, a count of allocations.
/// One of them runs at a time.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed has left nothing behind.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
