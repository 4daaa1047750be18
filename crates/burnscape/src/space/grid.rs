use super::SpaceError;

/// The coordinates of evaluations along a direction or a path: finite, strictly ascending, at least one.
///
/// # Units
///
/// A coordinate multiplies the direction: it is a length in parameter space for a direction of norm one, and a
/// fraction of the filter norms for a filter-normalized direction.
///
/// # Example
///
/// ```
/// use burnscape::space::Grid;
///
/// assert_eq!(Grid::symmetric(1.0, 5)?.coordinates(), [-1.0, -0.5, 0.0, 0.5, 1.0]);
/// assert_eq!(Grid::linspace(0.0, 1.0, 3)?.coordinates(), [0.0, 0.5, 1.0]);
/// assert!(Grid::linspace(1.0, 0.0, 3).is_err());
/// # Ok::<(), burnscape::space::SpaceError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid(Vec<f64>);

impl Grid {
    /// `num_points` equidistant coordinates from `start` to `end`, both included.
    ///
    /// # Errors
    ///
    /// [`SpaceError::EmptyRange`]; [`SpaceError::TooFewPoints`] for fewer than two;
    /// [`SpaceError::BadCoordinate`] if neighboring coordinates round to the same number.
    pub fn linspace(start: f64, end: f64, num_points: usize) -> Result<Self, SpaceError> {
        if !(start.is_finite() && end.is_finite() && start < end) {
            return Err(SpaceError::EmptyRange { start, end });
        }
        if num_points < 2 {
            return Err(SpaceError::TooFewPoints {
                found: num_points,
                needed: 2,
            });
        }
        let last = (num_points - 1) as f64;
        // Interpolating this way makes both ends, and the center of a symmetric range, exact.
        let coordinate = |index| {
            let t = index as f64 / last;
            start * (1.0 - t) + end * t
        };
        Self::from_coordinates((0..num_points).map(coordinate).collect())
    }

    /// `num_points` equidistant coordinates from `-radius` to `radius`. With an odd number, the middle one is
    /// 0, the model itself.
    ///
    /// # Errors
    ///
    /// Same as [`linspace`](Self::linspace).
    pub fn symmetric(radius: f64, num_points: usize) -> Result<Self, SpaceError> {
        Self::linspace(-radius, radius, num_points)
    }

    /// A grid of the given coordinates.
    ///
    /// # Errors
    ///
    /// [`SpaceError::TooFewPoints`] if there are none, [`SpaceError::BadCoordinate`].
    pub fn from_coordinates(coordinates: Vec<f64>) -> Result<Self, SpaceError> {
        if coordinates.is_empty() {
            return Err(SpaceError::TooFewPoints {
                found: 0,
                needed: 1,
            });
        }
        let mut previous = f64::NEG_INFINITY;
        for (index, &value) in coordinates.iter().enumerate() {
            if !(value.is_finite() && value > previous) {
                return Err(SpaceError::BadCoordinate { index, value });
            }
            previous = value;
        }
        Ok(Self(coordinates))
    }

    /// The coordinates, ascending.
    pub fn coordinates(&self) -> &[f64] {
        &self.0
    }

    /// Number of coordinates.
    #[allow(clippy::len_without_is_empty, reason = "an empty grid is an error")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_odd_symmetric_grid_is_exactly_zero() {
        for num_points in [3, 5, 7, 21, 51, 99, 101] {
            for radius in [0.1, 0.3, 1.0, 1.7] {
                let grid = Grid::symmetric(radius, num_points).unwrap();
                assert_eq!(grid.coordinates()[num_points / 2], 0.0);
                assert_eq!(grid.coordinates()[0], -radius);
                assert_eq!(grid.coordinates()[num_points - 1], radius);
            }
        }
    }
}
