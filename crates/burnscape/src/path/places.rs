use super::PathError;
use crate::range::OutOfRange;
use crate::space::Grid;

/// The places of a profile.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Places {
    /// This many, at equal distances.
    Equidistant(usize),
    Given(Grid),
}

impl Places {
    /// Refuses places that do not start at 0 and end at 1: every definition of a barrier needs the ends.
    pub(super) fn times(&self) -> Result<Vec<f64>, PathError> {
        let grid = match self {
            Self::Equidistant(count) => &Grid::linspace(0.0, 1.0, *count)?,
            Self::Given(grid) => grid,
        };
        let times = grid.coordinates();
        let ends = [
            ("grid[0]", times.first(), 0.0),
            ("grid[last]", times.last(), 1.0),
        ];
        for (name, place, end) in ends {
            let t = place.copied().unwrap_or(f64::NAN);
            if t != end {
                return Err(OutOfRange::new(name, t, end.to_string()).into());
            }
        }
        Ok(times.to_vec())
    }
}
