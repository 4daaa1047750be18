//! Work that must not hang.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// What `work` returns, on a thread of its own. A panic goes on here, and so does a wait beyond the limit.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        // Nobody waits any more after the limit.
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(limit) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => panic!("{name}: no answer within {limit:?}"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => panic!("{name}: no answer"),
        },
    }
}
