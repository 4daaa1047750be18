//! Work that must not hang.

use std::fmt::Display;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

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

/// The error of work that waits for a device in vain. It must come within the limit.
#[track_caller]
pub(crate) fn in_vain<T, E: Display>(limit: Duration, work: impl FnOnce() -> Result<T, E>) -> E {
    let begin = Instant::now();
    let found = work();
    let elapsed = begin.elapsed();
    let Err(error) = found else {
        panic!("no error after {elapsed:?}");
    };
    println!("after {elapsed:?}: {error}");
    assert!(elapsed < limit, "{elapsed:?}: {error}");
    error
}
