use std::ops::ControlFlow;
#[cfg(feature = "files")]
use std::path::Path;

#[cfg(feature = "files")]
use burn::module::Module;

#[cfg(feature = "files")]
use super::cache::{Cache, Fingerprint, Fingerprinted};
use super::evaluator::Chunk;
use super::{Landscape, LandscapeError};
use crate::loss::{Progress, Work};

/// A landscape while its values come in, and the file that they are added to.
pub(super) struct Gathered {
    landscape: Landscape,
    /// Points done, as reported.
    done: usize,
    #[cfg(feature = "files")]
    cache: Option<Cache>,
}

impl Gathered {
    pub(super) fn new(landscape: Landscape) -> Self {
        Self {
            landscape,
            done: 0,
            #[cfg(feature = "files")]
            cache: None,
        }
    }

    /// Takes the values that the file has, and adds those that come in.
    #[cfg(feature = "files")]
    pub(super) fn keep_in<M: Module>(
        &mut self,
        path: &Path,
        run: &Fingerprinted<'_, M>,
    ) -> Result<(), LandscapeError> {
        let fingerprint = Fingerprint::of(run)?;
        let (cache, known) = Cache::open(path, &fingerprint, run.risks.len())?;
        for (index, values) in &known {
            self.landscape.set(*index, values);
        }
        self.landscape.num_cached = known.len();
        self.done = known.len();
        self.cache = Some(cache);
        Ok(())
    }

    /// Whether the point still has to be evaluated.
    pub(super) fn is_waiting(&self, index: usize) -> bool {
        !self.landscape.evaluated[index]
    }

    /// Enters the values of points and reports them one by one, until the observer breaks.
    pub(super) fn keep(
        &mut self,
        chunk: &Chunk,
        report: impl Fn(Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LandscapeError> {
        let total = self.landscape.num_points();
        let mut flow = ControlFlow::Continue(());
        let mut kept = 0;
        for (index, values) in &chunk.points {
            self.landscape.set(*index, values);
            if !self.landscape.is_center(*index) {
                self.landscape.num_losses += values.len();
            }
            kept += 1;
            // After a break inside of a point nothing is reported.
            if chunk.is_stopped {
                continue;
            }
            self.done += 1;
            let progress = Progress::new(Work::Point, self.done).of(total);
            flow = report(progress.value(values.first().copied()));
            if flow.is_break() {
                break;
            }
        }
        self.write(&chunk.points[..kept])?;
        Ok(if chunk.is_stopped {
            ControlFlow::Break(())
        } else {
            flow
        })
    }

    /// The landscape as far as it is evaluated.
    pub(super) fn into_landscape(self) -> Landscape {
        let mut landscape = self.landscape;
        landscape.completed = landscape.evaluated.iter().all(|&done| done);
        landscape
    }

    #[cfg(feature = "files")]
    fn write(&mut self, points: &[(usize, Vec<f64>)]) -> Result<(), LandscapeError> {
        match &mut self.cache {
            Some(cache) => cache.append(points),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "files"))]
    fn write(&mut self, _points: &[(usize, Vec<f64>)]) -> Result<(), LandscapeError> {
        Ok(())
    }
}
