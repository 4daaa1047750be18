//! Samples of coordinates, checked and shuffled.

use crate::OutOfRange;
use crate::space::mix;

/// The share of pairs of samples that may agree. A logarithm needs a difference.
const TIED: f64 = 0.05;

/// The samples of one coordinate, in the order of the blocks.
pub(super) struct Coordinate {
    /// In units of the largest magnitude, less their mean: sums are numbers, and precise.
    pub(super) samples: Vec<f64>,
    /// Their standard deviation, in the same units.
    pub(super) deviation: f64,
    /// The unit.
    pub(super) unit: f64,
}

impl Coordinate {
    /// Of finite values that are not all zero.
    pub(super) fn of(values: &[f64], order: &[usize]) -> Self {
        let unit = values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let count = values.len() as f64;
        let mean = values.iter().map(|x| x / unit).sum::<f64>() / count;
        let samples: Vec<f64> = order.iter().map(|&i| values[i] / unit - mean).collect();
        let squares: f64 = samples.iter().map(|x| x * x).sum();
        Self {
            samples,
            deviation: (squares / (count - 1.0)).sqrt(),
            unit,
        }
    }
}

/// A random order of examples, which is a function of the seed.
pub(super) fn order(num_samples: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..num_samples).collect();
    order.sort_by_key(|&index| mix(seed, index as u64));
    order
}

/// The number of samples of each coordinate, or the reason why they have no tail index.
pub(super) fn check(coordinates: &[Vec<f64>]) -> Result<usize, OutOfRange> {
    let refused = |value: f64, expected: String| OutOfRange::new("coordinates", value, expected);
    let Some(first) = coordinates.first() else {
        return Err(refused(
            0.0,
            "the samples of at least one coordinate".into(),
        ));
    };
    let count = first.len();
    for (index, values) in coordinates.iter().enumerate() {
        if values.len() != count {
            let expected =
                format!("{count} samples in coordinate {index}, as many as in the first");
            return Err(refused(values.len() as f64, expected));
        }
        if let Some(sample) = values.iter().position(|x| !x.is_finite()) {
            let expected = format!("a finite number for sample {sample} of coordinate {index}");
            return Err(refused(values[sample], expected));
        }
        match repeated(values) {
            Some((value, times)) if times == count => {
                let expected =
                    format!("samples that vary: coordinate {index} is constant, leave it out");
                return Err(refused(value, expected));
            }
            Some((value, times)) => {
                let expected = format!(
                    "samples that differ: {times} of {count} in coordinate {index} have this value, leave it out"
                );
                return Err(refused(value, expected));
            }
            None => {}
        }
    }
    Ok(count)
}

/// The most frequent value and how often it occurs, if too many pairs of samples agree.
pub(super) fn repeated(values: &[f64]) -> Option<(f64, usize)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let runs = || sorted.chunk_by(|x, y| x == y);
    let pairs = |count: usize| count as f64 * (count as f64 - 1.0);
    let tied: f64 = runs().map(|run| pairs(run.len())).sum();
    if tied <= TIED * pairs(values.len()) {
        return None;
    }
    let longest = runs().max_by_key(|run| run.len())?;
    Some((*longest.first()?, longest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_samples_may_agree() {
        let mut values: Vec<f64> = (0..100).map(f64::from).collect();
        values[..20].fill(0.0);
        assert_eq!(repeated(&values), None);
        values[..30].fill(-0.0);
        assert_eq!(repeated(&values), Some((0.0, 30)));
        values.fill(3.0);
        assert_eq!(repeated(&values), Some((3.0, 100)));
        assert_eq!(repeated(&[1.0]), None);
        assert_eq!(repeated(&[]), None);
    }

    #[test]
    fn an_order_has_every_example_once_and_depends_on_the_seed() {
        let one = order(50, 1);
        let mut sorted = one.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..50));
        assert_ne!(one, order(50, 2));
        assert_eq!(one, order(50, 1));
    }

    #[test]
    fn numbers_near_the_ends_of_the_range_have_a_scale() {
        for unit in [1e-310, 1.0, 1e308] {
            let values: Vec<f64> = (1..=4).map(|x| unit * (f64::from(x) / 4.0)).collect();
            let coordinate = Coordinate::of(&values, &[3, 2, 1, 0]);
            assert!((coordinate.samples[0] - 0.375).abs() < 1e-9);
            assert!((coordinate.deviation - (5.0_f64 / 48.0).sqrt()).abs() < 1e-9);
        }
    }
}
