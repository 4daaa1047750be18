use burn::module::Module;

use super::gram::Gram;
use super::{Curve, PathError};
use crate::space::Grid;

/// The places at which a profile is taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Places {
    /// This many, at equal distances.
    Equidistant(usize),
    Given(Grid),
}

impl Default for Places {
    fn default() -> Self {
        Self::Equidistant(61)
    }
}

impl Places {
    pub(super) fn times(&self) -> Result<Vec<f64>, PathError> {
        let grid = match self {
            Self::Equidistant(count) => &Grid::linspace(0.0, 1.0, *count)?,
            Self::Given(grid) => grid,
        };
        Ok(grid.coordinates().to_vec())
    }

    /// The same, refused where they do not start at 0 and end at 1: every definition of a barrier
    /// needs the ends.
    pub(super) fn times_with_ends(&self) -> Result<Vec<f64>, PathError> {
        let times = self.times()?;
        for (place, end) in [(times.first(), 0.0), (times.last(), 1.0)] {
            let t = place.copied().unwrap_or(f64::NAN);
            if t != end {
                return Err(PathError::TimeOutOfRange { t });
            }
        }
        Ok(times)
    }
}

/// The length of the chords up to each place.
pub(super) fn chord_lengths<M: Module>(
    curve: &(impl Curve<M> + ?Sized),
    gram: &Gram,
    times: &[f64],
) -> Result<Vec<f64>, PathError> {
    let mut before: Option<Vec<f64>> = None;
    let mut length = 0.0;
    let mut lengths = Vec::with_capacity(times.len());
    for &t in times {
        let weights = curve.weights(t)?;
        if let Some(before) = &before {
            let step = weights.iter().zip(before).map(|(x, y)| x - y);
            length += gram.norm(&step.collect::<Vec<_>>());
        }
        before = Some(weights);
        lengths.push(length);
    }
    Ok(lengths)
}
