//! Rank correlation of pairs of numbers.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Spearman's rank correlation, with mean ranks for equal numbers. Not a number if all are equal on one side.
pub(super) fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let (ones, others): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let [ones, others] = [ones, others].map(|values| ranks(&values));
    // The mean of all ranks.
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let product = |one: &[f64], other: &[f64]| -> f64 {
        let pairs = one.iter().zip(other);
        pairs.map(|(x, y)| (x - middle) * (y - middle)).sum()
    };
    product(&ones, &others) / (product(&ones, &ones) * product(&others, &others)).sqrt()
}

/// The place of each number in ascending order, from 0; the mean of their places for equal numbers.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mean = |value: &f64| {
        let smaller = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        smaller as f64 + (equal as f64 - 1.0) / 2.0
    };
    values.iter().map(mean).collect()
}

/// The ends of the central 95 % of rank correlations of as many pairs, drawn with replacement.
pub(super) fn bootstrap(pairs: &[(f64, f64)], resamples: usize, seed: u64) -> Option<[f64; 2]> {
    if pairs.is_empty() {
        return None;
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let draws = (0..resamples).map(|_| {
        let drawn = pairs
            .iter()
            .map(|_| pairs[rng.random_range(0..pairs.len())]);
        rank_correlation(&drawn.collect::<Vec<_>>())
    });
    let mut found: Vec<f64> = draws.filter(|value| !value.is_nan()).collect();
    found.sort_by(f64::total_cmp);
    let last = found.len().checked_sub(1)?;
    let at = |share: f64| found[(share * last as f64).round() as usize];
    Some([at(0.025), at(0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_of_ranks_do_not_see_sizes() {
        let pairs = [(1.0, 2.0), (5.0, 3.0), (2.0, 2.5), (9.0, 1e9)];
        assert!((rank_correlation(&pairs) - 1.0).abs() < 1e-12);
        let falling = pairs.map(|(x, y)| (x, -y));
        assert!((rank_correlation(&falling) + 1.0).abs() < 1e-12);
        assert!(rank_correlation(&[(1.0, 1.0), (1.0, 2.0)]).is_nan());
    }

    #[test]
    fn equal_numbers_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 7.0]), [1.5, 0.0, 1.5, 3.0]);
        // SciPy's spearmanr([1, 1, 2, 3], [1, 2, 3, 3]).
        let found = rank_correlation(&[(1.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 3.0)]);
        assert!((found - 8.0 / 9.0).abs() < 1e-12, "{found}");
    }

    #[test]
    fn an_interval_contains_the_correlation() {
        let number = |x: i32| f64::from(x);
        let pairs: Vec<(f64, f64)> = (0..30)
            .map(|x| (number(x), number(x * 7 % 11 + x)))
            .collect();
        let correlation = rank_correlation(&pairs);
        let [low, high] = bootstrap(&pairs, 300, 1).unwrap();
        assert!(low < correlation && correlation < high && high - low > 0.01);
        assert_eq!(bootstrap(&[], 10, 0), None);
        assert_eq!(bootstrap(&[(1.0, 1.0)], 10, 0), None);
    }
}
