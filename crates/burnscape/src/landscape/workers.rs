//! The chunks of a grid, one after another or on several threads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use burn::module::Module;

use super::LandscapeError;
use super::evaluator::{Chunk, Evaluator};
use crate::loss::scalar::called;

/// Passes the values of every chunk to `keep`, in order, until it breaks.
///
/// Threads take the next chunk when they are done with one, and `keep` runs on the calling thread: what it sees does not
/// depend on their number. An error ends the work where it would end on one thread, and a panic on a thread is an error.
pub(super) fn each_chunk<M: Module>(
    mut evaluator: Evaluator<'_, M>,
    threads: usize,
    chunks: &[&[usize]],
    mut keep: impl FnMut(Chunk) -> Result<ControlFlow<()>, LandscapeError>,
) -> Result<(), LandscapeError> {
    let threads = threads.min(chunks.len());
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
