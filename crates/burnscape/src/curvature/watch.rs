//! How a pass over batches is reported, and ended early.

use std::ops::ControlFlow;

use super::CurvatureError;
use super::site::stopped;
use crate::loss::{Observer, Progress, Reports, Work, Worker};

/// Watches the batches of a pass. [`CurvatureError::Stopped`] ends it.
pub(super) trait Watch {
    /// Notes that the batch with this index in the whole data is under way.
    fn begin(&self, batch: usize) -> Result<(), CurvatureError>;

    /// Notes that what follows is about this batch again, which has begun, as have later ones.
    fn at(&self, batch: usize);

    /// Reports one more batch: so many are done.
    fn done(&self, batches: usize) -> Result<(), CurvatureError>;
}

/// A product where there is one device.
pub(super) struct Alone<'w, 'a> {
    observer: &'w Observer<'a>,
    num_batches: usize,
}

impl<'w, 'a> Alone<'w, 'a> {
    /// Clears a break from earlier work.
    pub(super) fn new(observer: &'w Observer<'a>, num_batches: usize) -> Self {
        observer.forget_break();
        Self {
            observer,
            num_batches,
        }
    }
}

impl Watch for Alone<'_, '_> {
    fn begin(&self, _: usize) -> Result<(), CurvatureError> {
        Ok(())
    }

    fn at(&self, _: usize) {}

    /// A break at the last batch leaves the product complete and ends the surrounding work.
    fn done(&self, batches: usize) -> Result<(), CurvatureError> {
        let progress = Progress::new(Work::Product, batches).of(self.num_batches);
        let flow = self.observer.report(&progress);
        if batches == self.num_batches {
            Ok(())
        } else {
            stopped(flow)
        }
    }
}

/// The work of one of several devices. Reports count the batches of all.
pub(super) struct OfWorker<'w, 'v, 'r> {
    pub(super) worker: &'w Worker<'v>,
    pub(super) reports: &'w Reports<'r>,
}

impl Watch for OfWorker<'_, '_, '_> {
    fn begin(&self, batch: usize) -> Result<(), CurvatureError> {
        if self.worker.begin(batch) {
            Ok(())
        } else {
            Err(CurvatureError::Stopped)
        }
    }

    fn at(&self, batch: usize) {
        self.worker.at(batch);
    }

    fn done(&self, _: usize) -> Result<(), CurvatureError> {
        match self.reports.done() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                self.worker.stop();
                Err(CurvatureError::Stopped)
            }
        }
    }
}
