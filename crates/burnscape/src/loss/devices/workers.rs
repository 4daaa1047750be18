//! A thread for each device of a list.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, StreamId};
use burnscape_linearize::LinearizeError;

use super::work::Listed;
use super::{DeviceError, Devices};
use crate::loss::LossError;
use crate::space::{SpaceError, placed, unshared_copy};

/// Errors of work for a device.
pub(crate) trait WorkerError: From<LossError> + Send {
    /// The message, if the device failed rather than the work: reads and programs that failed, and panics.
    fn device_failure(&self) -> Option<String>;
}

impl WorkerError for LossError {
    fn device_failure(&self) -> Option<String> {
        match self {
            Self::Panicked { message }
            | Self::Space(SpaceError::Device { message })
            | Self::Trace(
                LinearizeError::Execution { message } | LinearizeError::Panicked { message },
            ) => Some(message.clone()),
            Self::Space(error @ SpaceError::TimedOut { .. }) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// The work for one device, on a thread of its own.
pub(crate) struct Worker<'w> {
    index: usize,
    is_main: bool,
    listed: &'w Listed,
    signals: &'w Signals,
    /// The batch that is under way, plus one; zero before the first.
    batch: AtomicUsize,
}

impl Worker<'_> {
    /// The index of the device in the list.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The device, without autodiff.
    pub(crate) fn device(&self) -> &Device {
        &self.listed.device
    }

    /// Whether it is the device of the model.
    pub(crate) fn is_main(&self) -> bool {
        self.is_main
    }

    /// Notes that a batch is under way. False if the worker must stop, because another one has failed at an earlier
    /// batch, or [`stop`](Self::stop) was called.
    pub(crate) fn begin(&self, batch: usize) -> bool {
        if !self.signals.allow(batch) {
            return false;
        }
        self.at(batch);
        self.listed.add_batches(1);
        true
    }

    /// Notes that a batch that has begun is the one under way.
    pub(crate) fn at(&self, batch: usize) {
        self.batch.store(batch.saturating_add(1), Ordering::Relaxed);
    }

    /// Adds batches to the account that [`begin`](Self::begin) does not know.
    pub(crate) fn note(&self, batches: usize) {
        self.listed.add_batches(batches);
    }

    /// Ends the work of all workers, without an error.
    pub(crate) fn stop(&self) {
        self.signals.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether a worker has failed, or [`stop`](Self::stop) was called.
    #[cfg(test)]
    pub(crate) fn is_over(&self) -> bool {
        self.signals.is_stopped.load(Ordering::Relaxed) || self.signals.has_failed()
    }

    fn batch(&self) -> Option<usize> {
        self.batch.load(Ordering::Relaxed).checked_sub(1)
    }
}

/// What workers tell each other.
struct Signals {
    is_stopped: AtomicBool,
    /// The least batch at which a worker has failed: nothing from there on matters.
    failed_at: AtomicUsize,
}

impl Signals {
    fn new() -> Self {
        Self {
            is_stopped: AtomicBool::new(false),
            failed_at: AtomicUsize::new(usize::MAX),
        }
    }

    fn allow(&self, batch: usize) -> bool {
        !self.is_stopped.load(Ordering::Relaxed) && batch < self.failed_at.load(Ordering::Relaxed)
    }

    fn has_failed(&self) -> bool {
        self.failed_at.load(Ordering::Relaxed) < usize::MAX
    }

    /// Notes a failure at a batch, or before the first one.
    fn fail(&self, batch: Option<usize>) {
        let batch = batch.unwrap_or(0);
        self.failed_at.fetch_min(batch, Ordering::Relaxed);
    }
}

/// The end of a worker that failed.
struct Failure<E> {
    batch: Option<usize>,
    error: E,
}

impl Devices {
    /// Runs `work` for every device, each on a thread of its own, or one after another if `in_turn`. Returns what they
    /// found, in the order of the list, after all have returned.
    ///
    /// The device that fails and the batch that it was at are named by the error. Of several errors it is that of the
    /// least batch, which one device would find first, where an error before any batch comes first; of several of
    /// those, the first in the list. Nothing runs if a device has not answered earlier. `main` is the index of the
    /// device of the model, if there is one.
    pub(crate) fn each<T: Send, E: WorkerError>(
        &self,
        main: usize,
        in_turn: bool,
        work: impl Fn(&Worker<'_>) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        let (found, ()) = self.each_while(main, in_turn, work, || ())?;
        Ok(found)
    }

    /// Same as [`each`](Self::each), and runs `meanwhile` on the calling thread when all workers have been started. It
    /// is dropped instead if the system refuses a thread.
    pub(crate) fn each_while<T: Send, E: WorkerError, R>(
        &self,
        main: usize,
        in_turn: bool,
        work: impl Fn(&Worker<'_>) -> Result<T, E> + Sync,
        meanwhile: impl FnOnce() -> R,
    ) -> Result<(Vec<T>, R), E> {
        // An operator may be older than the wait that a device has not answered.
        let alive = self.check_alive();
        alive.map_err(|error| E::from(LossError::from(error)))?;
        let signals = Signals::new();
        // All workers use the stream of this thread, so that what it has submitted comes first, and a device does not
        // make memory for a new stream in every product.
        let stream = StreamId::current();
        // Workers of a list without a limit have that of this thread.
        let limit = self.limit();
        let run = |index: usize, listed: &Listed| {
            let worker = Worker {
                index,
                is_main: index == main,
                listed,
                signals: &signals,
                batch: AtomicUsize::new(0),
            };
            let start = Instant::now();
            let found = stream.executes(|| {
                let batch = || worker.batch();
                self.attempt(limit, (index, listed), &batch, || work(&worker))
            });
            listed.add_time(start.elapsed());
            found.map_err(|error| {
                let batch = worker.batch();
                signals.fail(batch);
                Failure { batch, error }
            })
        };
        let (ended, other) = thread::scope(|scope| {
            let mut ended = Vec::with_capacity(self.len());
            let mut running = Vec::new();
            let mut refused = None;
            for (index, listed) in self.0.listed.iter().enumerate() {
                let run = &run;
                let work = move || run(index, listed);
                let started = thread::Builder::new().spawn_scoped(scope, work);
                match started {
                    Ok(thread) if in_turn => ended.push(joined(thread)),
                    Ok(thread) => running.push(thread),
                    Err(error) => {
                        signals.fail(None);
                        refused = Some(Err(refusal(index, listed, &error)));
                    }
                }
                if refused.is_some() || (in_turn && signals.has_failed()) {
                    break;
                }
            }
            let other = if refused.is_none() {
                Some(meanwhile())
            } else {
                // Workers may wait for it.
                drop(meanwhile);
                None
            };
            ended.extend(running.into_iter().map(joined));
            ended.extend(refused);
            (ended, other)
        });
        let mut found = Vec::with_capacity(ended.len());
        let mut first: Option<Failure<E>> = None;
        for ended in ended {
            match ended {
                Ok(own) => found.push(own),
                Err(failure) => {
                    let is_first = first
                        .as_ref()
                        .is_none_or(|first| failure.batch < first.batch);
                    if is_first {
                        first = Some(failure);
                    }
                }
            }
        }
        match (first, other) {
            (Some(failure), _) => Err(failure.error),
            (None, Some(other)) => Ok((found, other)),
            (None, None) => Err(ended_early()),
        }
    }
}

/// The result of a worker, whose panics are caught on its thread.
fn joined<T, E: WorkerError>(
    thread: ScopedJoinHandle<'_, Result<T, Failure<E>>>,
) -> Result<T, Failure<E>> {
    thread.join().unwrap_or_else(|_| {
        Err(Failure {
            batch: None,
            error: ended_early(),
        })
    })
}

fn ended_early<E: WorkerError>() -> E {
    let message = "the thread of a device ended without a result".into();
    LossError::Panicked { message }.into()
}

/// The error for a thread that the system refuses.
fn refusal<E: WorkerError>(index: usize, listed: &Listed, error: &std::io::Error) -> Failure<E> {
    let error = DeviceError::Failed {
        device: listed.name.clone(),
        index,
        batch: None,
        message: format!("no thread could be started for it: {error}"),
    };
    Failure {
        batch: None,
        error: LossError::from(error).into(),
    }
}

/// Copies of a model for the workers of its devices. A model need not be `Sync`; this is.
pub(crate) struct Copies<M>(Vec<Mutex<M>>);

impl<M: Module> Copies<M> {
    /// The tensors are shared, and running statistics are not.
    pub(crate) fn of(model: &M, devices: &Devices) -> Self {
        let copies = (0..devices.len()).map(|_| Mutex::new(unshared_copy(model)));
        Self(copies.collect())
    }

    /// The copy of a worker, on its device.
    pub(crate) fn on(&self, worker: &Worker<'_>) -> Result<M, SpaceError> {
        let Some(copy) = self.0.get(worker.index()) else {
            let message = "there is no copy of the model for it".into();
            return Err(SpaceError::Device { message });
        };
        let copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.is_main() {
            return Ok(unshared_copy(&*copy));
        }
        placed(&*copy, worker.device())
    }
}

/// The reports of workers, one at a time, with a count over all. None follows a break.
pub(crate) struct Reports<'r> {
    count: Mutex<Count>,
    report: &'r (dyn Fn(usize) -> ControlFlow<()> + Sync),
}

#[derive(Default)]
struct Count {
    done: usize,
    has_broken: bool,
}

impl<'r> Reports<'r> {
    pub(crate) fn new(report: &'r (dyn Fn(usize) -> ControlFlow<()> + Sync)) -> Self {
        Self {
            count: Mutex::default(),
            report,
        }
    }

    /// Reports one more piece, whose number is that of all workers.
    pub(crate) fn done(&self) -> ControlFlow<()> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.has_broken {
            return ControlFlow::Break(());
        }
        count.done += 1;
        let flow = (self.report)(count.done);
        count.has_broken = flow.is_break();
        flow
    }
}

#[cfg(test)]
mod tests;
