#[cfg(feature = "files")]
use std::collections::BTreeMap;
use std::ops::ControlFlow;
#[cfg(feature = "files")]
use std::path::Path;

#[cfg(feature = "files")]
use burn::module::Module;

#[cfg(feature = "files")]
use super::cache::{Cache, Fingerprint};
use super::evaluator::Chunk;
#[cfg(feature = "files")]
use super::evaluator::Evaluator;
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

    /// Takes the values that the file has, and adds those that come in. One of its points is evaluated again: its values
    /// stand for the functions, of which nothing else is known.
    #[cfg(feature = "files")]
    pub(super) fn keep_in<M: Module>(
        &mut self,
        path: &Path,
        fingerprint: &Fingerprint,
        evaluator: &mut Evaluator<'_, M>,
    ) -> Result<(), LandscapeError> {
        let (cache, known) = Cache::open(path, fingerprint)?;
        if let Some((index, cached)) = self.compared(&known) {
            let chunk = evaluator.chunk(&[index])?;
            let Some((_, own)) = chunk.points.first() else {
                return Err(LandscapeError::Stopped);
            };
            let at = self.landscape.coordinates(index);
            cache.check_point(fingerprint, &at, cached, own)?;
            self.landscape.num_losses += own.len();
        }
        for (index, values) in &known {
            self.landscape.set(*index, values);
        }
        self.landscape.data = fingerprint.data();
        self.landscape.num_cached = known.len();
        self.done = known.len();
        self.cache = Some(cache);
        Ok(())
    }

    /// The point of a file that is evaluated again: the first but the model, of those with the most finite values.
    #[cfg(feature = "files")]
    fn compared<'k>(&self, known: &'k BTreeMap<usize, Vec<f64>>) -> Option<(usize, &'k [f64])> {
        let points = known.iter().map(|(&index, values)| (index, &values[..]));
        let others = points.filter(|(index, _)| !self.landscape.is_center(*index));
        others.min_by_key(|(_, values)| values.iter().filter(|x| !x.is_finite()).count())
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
