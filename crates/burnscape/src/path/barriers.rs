use serde::{Deserialize, Serialize};

use crate::order_statistics::largest;
use crate::writing::number;

/// The barrier of a path by each of the definitions in use. They agree only if both ends have the
/// same loss and the maximum is in the middle, so state the definition with a claim.
///
/// All are zero if the loss does not change along the path. If a loss on the path is NaN, so are the
/// maxima. An infinite loss between finite ends makes them infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Barriers {
    /// `max_t [L(t) − ((1 − t) L(0) + t L(1))]`, above the straight line between the losses of the
    /// ends (Entezari et al. 2022, arXiv:2110.06296). Never negative.
    #[serde(with = "number")]
    pub above_line: f64,
    /// `max_t L(t) − max(L(0), L(1))`, above the worse end. Never negative.
    #[serde(with = "number")]
    pub above_worse_end: f64,
    /// `max_t L(t) − (L(0) + L(1))/2`, above the mean of the ends (Frankle et al. 2020,
    /// arXiv:1912.05671). Never negative.
    #[serde(with = "number")]
    pub above_mean: f64,
    /// `L(½) − (L(0) + L(1))/2`, at the midpoint only; none if `½` is not on the grid. Negative in a valley.
    #[serde(with = "number")]
    pub midpoint: Option<f64>,
}

impl Barriers {
    /// The barriers of losses at ascending places from 0 to 1; `None` for fewer than two.
    pub fn of(times: &[f64], losses: &[f64]) -> Option<Self> {
        let (&first, &last) = (losses.first()?, losses.last()?);
        if times.len() != losses.len() || losses.len() < 2 {
            return None;
        }
        // If both ends are equal, this form gives exactly their loss at every place.
        let line = |t: f64| first + t * (last - first);
        let places = || times.iter().zip(losses);
        let mean = first + 0.5 * (last - first);
        let max = largest(f64::NEG_INFINITY, losses.iter().copied());
        // The ends are on the line, so rounding must not make the excess negative.
        let excess = largest(0.0, places().map(|(&t, loss)| loss - line(t)));
        let middle = places().find(|(t, _)| (*t - 0.5).abs() < 1e-12);
        Some(Self {
            above_line: excess,
            above_worse_end: max - largest(first, [last]),
            above_mean: max - mean,
            midpoint: middle.map(|(_, loss)| loss - mean),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_differ_where_the_ends_do() {
        let barriers = Barriers::of(&[0.0, 0.5, 1.0], &[1.0, 5.0, 3.0]).unwrap();
        assert_eq!(barriers.above_line, 3.0);
        assert_eq!(barriers.above_worse_end, 2.0);
        assert_eq!(barriers.above_mean, 3.0);
        assert_eq!(barriers.midpoint, Some(3.0));
        let barriers = Barriers::of(&[0.0, 0.75, 1.0], &[1.0, 5.0, 3.0]).unwrap();
        assert_eq!(barriers.above_line, 2.5);
        assert_eq!((barriers.above_mean, barriers.midpoint), (3.0, None));
        let valley = Barriers::of(&[0.0, 0.5, 1.0], &[1.0, 0.0, 1.0]).unwrap();
        assert_eq!((valley.above_line, valley.midpoint), (0.0, Some(-1.0)));
        assert_eq!(Barriers::of(&[0.0], &[1.0]), None);
    }

    #[test]
    fn a_nan_is_no_valley() {
        let broken = Barriers::of(&[0.0, 0.5, 1.0], &[1.0, f64::NAN, 3.0]).unwrap();
        let found = [broken.above_line, broken.above_worse_end, broken.above_mean];
        assert!(found.iter().all(|barrier| barrier.is_nan()), "{found:?}");
        let wall = Barriers::of(&[0.0, 0.5, 1.0], &[1.0, f64::INFINITY, 3.0]).unwrap();
        assert_eq!(
            (wall.above_line, wall.above_mean),
            (f64::INFINITY, f64::INFINITY)
        );
    }
}
