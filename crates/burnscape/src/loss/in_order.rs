//! Jobs for several devices, made and kept in order on the calling thread.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use super::devices::{Devices, Worker, WorkerError};

/// What a worker tells the calling thread.
enum Message<T, E> {
    /// It is free, and has found this in the job of this number, if it has done one.
    Free(Option<(usize, Result<T, E>)>),
    /// It has ended.
    Gone,
}

/// The line of a worker to the calling thread, which learns of its end, also by a panic.
struct Sends<T, E> {
    /// Its place in the list of devices.
    worker: usize,
    messages: Sender<(usize, Message<T, E>)>,
}

impl<T, E> Sends<T, E> {
    /// False if nobody listens, since the calling thread has panicked.
    fn free(&self, done: Option<(usize, Result<T, E>)>) -> bool {
        let message = (self.worker, Message::Free(done));
        self.messages.send(message).is_ok()
    }
}

impl<T, E> Drop for Sends<T, E> {
    fn drop(&mut self) {
        let _ = self.messages.send((self.worker, Message::Gone));
    }
}

/// What a worker begins with.
struct Line<I, J, T, E> {
    input: I,
    jobs: Receiver<(usize, J)>,
    sends: Sends<T, E>,
}

/// Does jobs on several devices, which take turns: job `k` of `d` devices is done by the device at `k mod d`, so that
/// every run has the same bits, also where the kernels of the devices differ.
///
/// `next` makes jobs until there are none, and `keep` takes what `work` finds until it breaks: both on the calling
/// thread and in order, so that what they see does not depend on the number of devices. They need not be `Send`. The
/// error of a job ends the work where it would end on one device. The failure of a device ends it when all workers have
/// returned; everything that was found in order before it has been kept.
///
/// Each worker makes its state from its own part of `inputs`, of which there is one for each device.
pub(crate) fn in_order<I: Send, S, J: Send, T: Send, E: WorkerError>(
    (devices, main): (&Devices, usize),
    inputs: Vec<I>,
    start: impl Fn(&Worker<'_>, I) -> Result<S, E> + Sync,
    work: impl Fn(&Worker<'_>, &mut S, J) -> Result<T, E> + Sync,
    next: impl FnMut() -> Result<Option<J>, E>,
    keep: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let (sender, messages) = mpsc::channel();
    let mut givers = Vec::with_capacity(inputs.len());
    let lines = inputs.into_iter().enumerate().map(|(worker, input)| {
        let (giver, jobs) = mpsc::channel();
        givers.push(giver);
        Mutex::new(Some(Line {
            input,
            jobs,
            sends: Sends {
                worker,
                messages: sender.clone(),
            },
        }))
    });
    let lines: Vec<_> = lines.collect();
    // The messages end when the last worker does.
    drop(sender);
    let worked = |worker: &Worker<'_>| -> Result<(), E> {
        let line = lines.get(worker.index());
        let line = line.and_then(|line| line.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(Line { input, jobs, sends }) = line else {
            return Ok(());
        };
        let mut state = start(worker, input)?;
        let mut done = None;
        while sends.free(done.take()) {
            let Ok((number, job)) = jobs.recv() else {
                break;
            };
            match work(worker, &mut state, job) {
                Err(error) if error.device_failure().is_some() => return Err(error),
                found => done = Some((number, found)),
            }
        }
        Ok(())
    };
    let mut ended = None;
    let outcome = &mut ended;
    let found = devices.each_while(main, false, worked, move || {
        *outcome = serve(messages, givers, next, keep);
    });
    match ended {
        Some(ended) => ended,
        None => found.map(drop),
    }
}

/// Hands out jobs and keeps what is found until the last worker ends. Returns how `keep` or an error ended the work, if
/// one did.
fn serve<J, T, E>(
    messages: Receiver<(usize, Message<T, E>)>,
    givers: Vec<Sender<(usize, J)>>,
    mut next: impl FnMut() -> Result<Option<J>, E>,
    mut keep: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Option<Result<(), E>> {
    let count = givers.len();
    let mut is_free = vec![false; count];
    // None when no more jobs are made: the workers then end.
    let mut givers = Some(givers);
    let mut early = BTreeMap::new();
    let (mut made, mut kept) = (0, 0);
    let mut ended = None;
    for (worker, message) in messages {
        match message {
            Message::Free(done) => {
                is_free[worker] = true;
                if let Some((number, found)) = done {
                    if found.is_err() {
                        // Nothing after an error counts.
                        givers = None;
                    }
                    early.insert(number, found);
                }
            }
            Message::Gone => givers = None,
        }
        // Before anything is kept, so that no device has to wait for that.
        while let Some(open) = &givers
            && is_free[made % count]
        {
            match next() {
                Ok(Some(job)) => {
                    is_free[made % count] = false;
                    // A worker that has ended since takes none.
                    let _ = open[made % count].send((made, job));
                    made += 1;
                }
                Ok(None) => givers = None,
                Err(error) => {
                    early.insert(made, Err(error));
                    givers = None;
                }
            }
        }
        while ended.is_none() {
            let Some(found) = early.remove(&kept) else {
                break;
            };
            kept += 1;
            ended = match found.and_then(&mut keep) {
                Ok(ControlFlow::Continue(())) => None,
                Ok(ControlFlow::Break(())) => Some(Ok(())),
                Err(error) => Some(Err(error)),
            };
        }
        if ended.is_some() {
            givers = None;
        }
    }
    ended
}

#[cfg(test)]
#[cfg(all(feature = "flex", feature = "ndarray"))]
mod tests;
