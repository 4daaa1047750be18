//! The chunks of a grid, one after another, on several threads or on several devices.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use burn::module::Module;

use super::LandscapeError;
use super::evaluator::{Chunk, Evaluator};
use crate::loss::scalar::called;
use crate::loss::{Devices, in_order};

/// What evaluates the chunks.
#[derive(Clone, Copy)]
pub(super) enum Workers<'w> {
    /// So many threads, with the device of the model.
    Threads(usize),
    /// A thread for each device, and the place of that of the model among them.
    Devices(&'w Devices, usize),
}

impl Workers<'_> {
    pub(super) fn count(self) -> usize {
        match self {
            Self::Threads(threads) => threads,
            Self::Devices(devices, _) => devices.len(),
        }
    }
}

/// Passes the values of every chunk to `keep`, in order, until it breaks.
///
/// Threads take the next chunk when they are done with one, devices take turns, and `keep` runs on the calling thread:
/// what it sees does not depend on their number. An error ends the work where it would end on one thread, and a panic
/// on a thread is an error.
pub(super) fn each_chunk<M: Module>(
    mut evaluator: Evaluator<'_, M>,
    workers: Workers<'_>,
    chunks: &[&[usize]],
    mut keep: impl FnMut(Chunk) -> Result<ControlFlow<()>, LandscapeError>,
) -> Result<(), LandscapeError> {
    if chunks.is_empty() {
        return Ok(());
    }
    let threads = match workers {
        Workers::Devices(devices, main) => {
            return on_devices(&evaluator, (devices, main), chunks, keep);
        }
        Workers::Threads(threads) => threads.min(chunks.len()),
    };
    if threads > 1 {
        let evaluators = (0..threads).map(|_| evaluator.for_thread()).collect();
        return on_threads(evaluators, chunks, keep);
    }
    for points in chunks {
        if keep(evaluator.chunk(points)?)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn on_devices<M: Module>(
    evaluator: &Evaluator<'_, M>,
    (devices, main): (&Devices, usize),
    chunks: &[&[usize]],
    keep: impl FnMut(Chunk) -> Result<ControlFlow<()>, LandscapeError>,
) -> Result<(), LandscapeError> {
    let copies = (0..devices.len()).map(|_| evaluator.for_thread());
    let copies: Vec<Evaluator<'_, M>> = copies.collect();
    let mut chunks = chunks.iter();
    in_order(
        (devices, main),
        copies,
        |worker, copy| copy.on(worker.device()),
        |worker, evaluator, points| {
            let chunk = evaluator.chunk(points)?;
            worker.note(chunk.num_batches);
            Ok(chunk)
        },
        || Ok(chunks.next().copied()),
        keep,
    )
}

fn on_threads<M: Module>(
    evaluators: Vec<Evaluator<'_, M>>,
    chunks: &[&[usize]],
    mut keep: impl FnMut(Chunk) -> Result<ControlFlow<()>, LandscapeError>,
) -> Result<(), LandscapeError> {
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let threads = evaluators.len();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for mut evaluator in evaluators {
            let (sender, next, is_over) = (sender.clone(), &next, &is_over);
            let work = move || {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(points) = chunks.get(number) else {
                        break;
                    };
                    let found = match called(|| evaluator.chunk(points)) {
                        Ok(found) => found,
                        Err(panic) => Err(panic.into()),
                    };
                    if sender.send((number, found)).is_err() {
                        break;
                    }
                }
            };
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, work) {
                is_over.store(true, Ordering::Relaxed);
                let message = error.to_string();
                return Err(LandscapeError::NoThreads { threads, message });
            }
        }
        // The receiver ends when the last thread does.
        drop(sender);
        let mut early = BTreeMap::new();
        let mut expected = 0;
        let mut outcome = Ok(ControlFlow::Continue(()));
        for (number, found) in receiver {
            early.insert(number, found);
            while let Some(found) = early.remove(&expected) {
                expected += 1;
                outcome = found.and_then(&mut keep);
                if !matches!(outcome, Ok(ControlFlow::Continue(()))) {
                    is_over.store(true, Ordering::Relaxed);
                    return outcome.map(|_| ());
                }
            }
        }
        outcome.map(|_| ())
    })
}

#[cfg(test)]
#[cfg(all(feature = "flex", feature = "ndarray"))]
mod tests;
