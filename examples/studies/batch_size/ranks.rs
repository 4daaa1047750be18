//! How the order of runs by one number agrees with that by another.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Spearman's rank correlation of pairs. Those of equal numbers share the mean of their ranks; pairs with a number that
/// is not finite do not count. Not a number for fewer than three pairs, and where one side is constant.
pub(crate) fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let pairs = pairs.iter().filter(|(x, y)| (x + y).is_finite());
    let (xs, ys): (Vec<f64>, Vec<f64>) = pairs.copied().unzip();
    if xs.len() < 3 {
        return f64::NAN;
    }
    let middle = (xs.len() + 1) as f64 / 2.0;
    let [xs, ys] = [xs, ys].map(|values| {
        let ranks = ranks(&values).into_iter();
        ranks.map(|rank| rank - middle).collect::<Vec<f64>>()
    });
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(&xs, &ys) / (product(&xs, &xs) * product(&ys, &ys)).sqrt()
}

/// From 1 for the smallest.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal + 1) as f64 / 2.0
    };
    values.iter().map(rank).collect()
}

/// The ends of the middle 95 % of the rank correlations of `draws` samples of the runs.
///
/// `grid` has a row for each setting and in it a pair for each seed. Settings and seeds are drawn anew independently of
/// each other, with replacement: runs of one setting, and runs from the same initial weights, are no independent pairs
/// (the pigeonhole bootstrap of Owen 2007, arXiv:0712.1111).
pub(crate) fn bootstrap(grid: &[Vec<(f64, f64)>], draws: usize, seed: u64) -> (f64, f64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let columns = grid.iter().map(Vec::len).min().unwrap_or(0);
    if columns == 0 {
        return (f64::NAN, f64::NAN);
    }
    let mut found: Vec<f64> = Vec::with_capacity(draws);
    for _ in 0..draws {
        let mut drawn = |count: usize| -> Vec<usize> {
            (0..count).map(|_| rng.random_range(0..count)).collect()
        };
        let (rows, seeds) = (drawn(grid.len()), drawn(columns));
        let of_row = |&row: &usize| seeds.iter().map(move |&column| grid[row][column]);
        let sample: Vec<(f64, f64)> = rows.iter().flat_map(of_row).collect();
        found.push(rank_correlation(&sample));
    }
    found.retain(|correlation| correlation.is_finite());
    found.sort_by(f64::total_cmp);
    (quantile(&found, 0.025), quantile(&found, 0.975))
}

/// Of sorted numbers.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (share * last as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_share_their_rank() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 9.0]), [2.5, 1.0, 2.5, 4.0]);
    }

    #[test]
    fn only_the_order_counts() {
        let rising = [(1.0, 1.0), (2.0, 8.0), (3.0, 27.0), (4.0, f64::NAN)];
        assert!((rank_correlation(&rising) - 1.0).abs() < 1e-12);
        let falling = rising.map(|(x, y)| (x, -y));
        assert!((rank_correlation(&falling) + 1.0).abs() < 1e-12);
        // 1 − 6 Σd² / (n (n² − 1)) with d = 0, 1, 1, 0.
        let pairs = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)];
        assert!((rank_correlation(&pairs) - 0.8).abs() < 1e-12);
    }

    #[test]
    fn a_constant_and_too_few_pairs_have_none() {
        assert!(rank_correlation(&[(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]).is_nan());
        assert!(rank_correlation(&[(1.0, 2.0), (2.0, 3.0)]).is_nan());
        assert!(bootstrap(&[], 10, 0).0.is_nan());
        assert!(bootstrap(&[Vec::new()], 10, 0).1.is_nan());
    }

    #[test]
    fn an_interval_is_around_the_correlation_and_wide_for_few_settings() {
        let noise = [0.3, -0.2, 0.1, -0.4, 0.2];
        let grid = |settings: usize, slope: f64| -> Vec<Vec<(f64, f64)>> {
            let row = |setting: usize| {
                let pair = |noise: &f64| {
                    let x = setting as f64 + noise;
                    (x, slope * x + 3.0 * (2.0 * noise + setting as f64).sin())
                };
                noise.iter().map(pair).collect()
            };
            (0..settings).map(row).collect()
        };
        let close = bootstrap(&grid(20, 1.0), 400, 1);
        let all: Vec<(f64, f64)> = grid(20, 1.0).concat();
        let middle = rank_correlation(&all);
        assert!(
            close.0 < middle && middle < close.1 && close.0 > 0.5,
            "{close:?}"
        );
        let wide = bootstrap(&grid(4, 0.0), 400, 1);
        assert!(wide.1 - wide.0 > close.1 - close.0, "{wide:?}");
        assert_eq!(bootstrap(&grid(4, 0.0), 400, 1), wide);
    }
}
