//! Jobs on two threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::Failure;

/// Runs of small networks gain nothing from more within a run, and two runs fit on every machine.
const THREADS: usize = 2;

/// The results in the order of the jobs. No job starts after one has failed.
pub(super) fn in_order<J: Sync, T: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        let mut done = Vec::new();
        while !has_failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else {
                break;
            };
            match work(job) {
                Ok(found) => done.push((index, found)),
                Err(error) => {
                    has_failed.store(true, Ordering::Relaxed);
                    // Not every error may leave its thread; its text may.
                    return Err(error.to_string());
                }
            }
        }
        Ok(done)
    };
    let mut found = Vec::with_capacity(jobs.len());
    thread::scope(|scope| -> Result<(), Failure> {
        for handle in [(); THREADS].map(|()| scope.spawn(worker)) {
            let done = handle.join().map_err(|_| "a run panicked")?;
            found.extend(done?);
        }
        Ok(())
    })?;
    found.sort_by_key(|(index, _)| *index);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_and_in_order() {
        let jobs: Vec<usize> = (0..20).collect();
        assert_eq!(in_order(&jobs, |job| Ok(job * job)).unwrap()[19], 361);
        let none: Vec<usize> = in_order(&[0_usize; 0], |job| Ok(*job)).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn an_error_ends_the_run_and_is_told() {
        let done = AtomicUsize::new(0);
        let work = |job: &usize| match *job {
            0 => Err("the first one".into()),
            _ => Ok(done.fetch_add(1, Ordering::Relaxed)),
        };
        let jobs: Vec<usize> = (0..1000).map(|job| job % 500).collect();
        let error = in_order(&jobs, work).unwrap_err();
        assert_eq!(error.to_string(), "the first one");
    }
}
