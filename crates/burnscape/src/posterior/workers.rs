//! The chains of a run, one after another or on several threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::chain::{Chain, Course, Target};
use super::{PosteriorError, Potential};
use crate::loss::scalar::called;
use crate::loss::{Progress, Work};

/// Chains in their order, and whether all are at their ends.
type Sampled<V> = (Vec<Chain<V>>, bool);

/// Moves all chains to their ends, or until [`Potential::report`] breaks.
///
/// Chains move in turn, so that a run that is stopped has about as many draws of each. An error is the one that one
/// thread would find first, and a panic on a thread is an error.
pub(super) fn sample<P: Potential>(
    potential: &P,
    target: &Target<P::Vector>,
    course: &Course,
    mut chains: Vec<Chain<P::Vector>>,
    threads: usize,
) -> Result<Sampled<P::Vector>, PosteriorError> {
    let threads = threads.min(chains.len());
    if threads > 1 {
        return on_threads(potential, target, course, chains, threads);
    }
    let mut tally = Tally::of(&chains, course);
    loop {
        let found = next_round(potential, target, course, &mut chains);
        let Some(round) = found.map_err(|failure| failure.error)? else {
            break;
        };
        tally.done += round.count;
        if potential.report(tally.progress(&round)).is_break() {
            break;
        }
    }
    Ok((chains, tally.is_complete()))
}

/// Iterations of all chains.
struct Tally {
    done: usize,
    total: usize,
}

impl Tally {
    fn of<V>(chains: &[Chain<V>], course: &Course) -> Self {
        Self {
            done: chains.iter().map(|chain| chain.iterations).sum(),
            total: chains.len().saturating_mul(course.total),
        }
    }

    fn progress(&self, round: &Round) -> Progress {
        let mean = round.sum / round.count as f64;
        Progress::new(Work::Sample, self.done)
            .of(self.total)
            .value(mean)
    }

    fn is_complete(&self) -> bool {
        self.done >= self.total
    }
}

/// What an iteration of some chains found.
struct Round {
    /// The chains that moved.
    count: usize,
    /// Their rises.
    sum: f64,
}

/// The end of a run that failed.
struct Failure {
    /// The place in the order of one thread.
    round: usize,
    chain: usize,
    error: PosteriorError,
}

/// Moves every chain that is not at its end once. None if all are.
fn next_round<P: Potential>(
    potential: &P,
    target: &Target<P::Vector>,
    course: &Course,
    chains: &mut [Chain<P::Vector>],
) -> Result<Option<Round>, Box<Failure>> {
    let mut round = Round { count: 0, sum: 0.0 };
    for chain in chains {
        if chain.iterations < course.total {
            let index = chain.index;
            let failed = |error| {
                Box::new(Failure {
                    round: 0,
                    chain: index,
                    error,
                })
            };
            let rise = chain.advance(potential, target, course);
            round.sum += rise.map_err(failed)?;
            round.count += 1;
        }
    }
    Ok((round.count > 0).then_some(round))
}

/// What threads tell the calling one.
enum Message<V> {
    Round(Round),
    Ended(Vec<Chain<V>>),
    Failed(Box<Failure>),
}

/// What the calling thread tells the others, and they each other.
struct Signals {
    is_over: AtomicBool,
    /// The round of the first failure: none after it matters.
    last: AtomicUsize,
}

fn on_threads<P: Potential>(
    potential: &P,
    target: &Target<P::Vector>,
    course: &Course,
    chains: Vec<Chain<P::Vector>>,
    threads: usize,
) -> Result<Sampled<P::Vector>, PosteriorError> {
    let mut tally = Tally::of(&chains, course);
    let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    for (chain, share) in chains.into_iter().zip((0..threads).cycle()) {
        shares[share].push(chain);
    }
    let signals = Signals {
        is_over: AtomicBool::new(false),
        last: AtomicUsize::new(usize::MAX),
    };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for share in shares {
            let (potential, sender, signals) = (potential.clone(), sender.clone(), &signals);
            let work = move || {
                let found = called(|| worked(&potential, target, course, share, signals, &sender));
                let ended = match found {
                    Ok(Ok(chains)) => Message::Ended(chains),
                    Ok(Err(failure)) => Message::Failed(failure),
                    Err(panic) => Message::Failed(Box::new(Failure {
                        round: 0,
                        chain: 0,
                        error: panic.into(),
                    })),
                };
                if let Message::Failed(failure) = &ended {
                    signals.last.fetch_min(failure.round, Ordering::Relaxed);
                }
                // Nobody listens if the calling thread panicked.
                let _ = sender.send(ended);
            };
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, work) {
                signals.is_over.store(true, Ordering::Relaxed);
                let message = error.to_string();
                return Err(PosteriorError::NoThreads { threads, message });
            }
        }
        // The receiver ends when the last thread does.
        drop(sender);
        let mut chains = Vec::new();
        let mut failures = Vec::new();
        for message in receiver {
            match message {
                Message::Round(round) => {
                    tally.done += round.count;
                    let is_running = !signals.is_over.load(Ordering::Relaxed);
                    if is_running && potential.report(tally.progress(&round)).is_break() {
                        signals.is_over.store(true, Ordering::Relaxed);
                    }
                }
                Message::Ended(share) => chains.extend(share),
                Message::Failed(failure) => failures.push(failure),
            }
        }
        let first = failures.into_iter();
        if let Some(first) = first.min_by_key(|failure| (failure.round, failure.chain)) {
            return Err(first.error);
        }
        chains.sort_by_key(|chain: &Chain<P::Vector>| chain.index);
        Ok((chains, tally.is_complete()))
    })
}

/// The work of a thread.
fn worked<P: Potential>(
    potential: &P,
    target: &Target<P::Vector>,
    course: &Course,
    mut chains: Vec<Chain<P::Vector>>,
    signals: &Signals,
    sender: &Sender<Message<P::Vector>>,
) -> Result<Vec<Chain<P::Vector>>, Box<Failure>> {
    for number in 0.. {
        let is_late = number > signals.last.load(Ordering::Relaxed);
        if is_late || signals.is_over.load(Ordering::Relaxed) {
            break;
        }
        let mut found = next_round(potential, target, course, &mut chains);
        if let Err(failure) = &mut found {
            failure.round = number;
        }
        let Some(round) = found? else {
            break;
        };
        if sender.send(Message::Round(round)).is_err() {
            break;
        }
    }
    Ok(chains)
}
