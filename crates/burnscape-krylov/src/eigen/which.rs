use serde::{Deserialize, Serialize};

/// Which part of the spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Which {
    /// The algebraically largest eigenvalues.
    Largest,
    /// The algebraically smallest.
    Smallest,
    /// The largest absolute values, of either sign.
    LargestMagnitude,
    /// Both ends from one run: the largest, the smallest, the second largest, and so on. Of an odd
    /// number, one more from the top.
    BothEnds,
}

impl Which {
    /// The `k` outermost of ascending pairs, the outermost first.
    pub(crate) fn outermost<T>(self, pairs: Vec<(f64, T)>, k: usize) -> Vec<(f64, T)> {
        let mut pairs = pairs;
        match self {
            Self::Largest => pairs.reverse(),
            Self::Smallest => {}
            Self::LargestMagnitude => pairs.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs())),
            Self::BothEnds => {
                let mut inward = std::collections::VecDeque::from(pairs);
                pairs = Vec::with_capacity(inward.len());
                while let Some(pair) = inward.pop_back() {
                    pairs.push(pair);
                    pairs.extend(inward.pop_front());
                }
            }
        }
        pairs.truncate(k);
        pairs
    }

    /// How far `value` is beyond the least of the outermost values, which are given the outermost first;
    /// negative inside. Minus infinity beyond none.
    pub(crate) fn beyond(self, outermost: &[f64], value: f64) -> f64 {
        let distance = |(place, last): (usize, &f64)| match self {
            Self::Largest => value - last,
            Self::Smallest => last - value,
            Self::LargestMagnitude => value.abs() - last.abs(),
            Self::BothEnds if place.is_multiple_of(2) => value - last,
            Self::BothEnds => last - value,
        };
        // Of both ends the last two are one of each.
        let ends = if self == Self::BothEnds { 2 } else { 1 };
        let last = outermost.iter().enumerate().rev().take(ends);
        last.map(distance).fold(f64::NEG_INFINITY, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::Which;

    #[test]
    fn beyond_is_measured_from_the_least_outermost() {
        assert_eq!(Which::Largest.beyond(&[5.0, 3.0], 4.0), 1.0);
        assert_eq!(Which::Smallest.beyond(&[-5.0, -3.0], -2.0), -1.0);
        assert_eq!(Which::LargestMagnitude.beyond(&[-5.0, 3.0], -4.0), 1.0);
        let both = [9.0, -5.0, 8.0];
        assert_eq!(Which::BothEnds.beyond(&both, 8.5), 0.5);
        assert_eq!(Which::BothEnds.beyond(&both, -5.5), 0.5);
        assert_eq!(Which::BothEnds.beyond(&both, 0.0), -5.0);
    }
}
