//! How often all eigenvalues of a random symmetric matrix are positive, beside independent signs.

use std::f64::consts::SQRT_2;

use burnscape::krylov::Probe;

use crate::Failure;
use crate::studies::frame::{Measured, Plan};

pub(super) const POSITIVE: &str = "all eigenvalues positive";
const INDEPENDENT: &str = "all of d independent signs";
/// Matrices that are drawn at once.
const TOGETHER: usize = 10_000;
/// The largest dimension.
const MOST: usize = 6;
/// How often they are drawn with each seed, for each dimension from 1.
const DRAWS: [usize; MOST] = [10, 10, 20, 100, 200, 400];

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let shares: Vec<Vec<f64>> = plan.over_seeds(|seed| {
        let sizes = DRAWS.into_iter().zip(1..=MOST);
        let shares = sizes.map(|(draws, dimension)| share(plan.pick(draws, 1), dimension, seed));
        shares.collect()
    })?;
    let chart = "all eigenvalues positive by chance (a heuristic)";
    let (mut signs, mut matrices) = (Vec::new(), Vec::new());
    for (index, dimension) in (1..=MOST).enumerate() {
        let row = format!("random matrices, d = {dimension}");
        let independent = 0.5_f64.powi(dimension as i32);
        found.push(row.as_str(), INDEPENDENT, independent);
        found.extend(&row, POSITIVE, shares.iter().map(|own| own[index]));
        let share = found.mean(&row, POSITIVE);
        signs.push((dimension as f64, independent));
        // A logarithm shows no zeros.
        if share > 0.0 {
            matrices.push((dimension as f64, share));
        }
    }
    for (name, points) in [("independent signs", signs), ("random matrices", matrices)] {
        found.line(chart, "d", "probability", name, points);
    }
    found.note(
        "2^-d is the chance that all of d independent signs are positive: a heuristic for how rare minima are among \
         critical points, and far too large even for random matrices.",
    );
    Ok(())
}

/// The share of matrices whose eigenvalues are all positive.
fn share(draws: usize, dimension: usize, seed: u64) -> Result<f64, Failure> {
    let entries = dimension * (dimension + 1) / 2;
    let mut positive = 0;
    for draw in 0..draws {
        // Every dimension has numbers of its own.
        let place = (draw * MOST + dimension) as u64;
        let drawn: Vec<f64> = Probe::Gaussian.draw(&(TOGETHER * entries), seed, place)?;
        let matrices = drawn.chunks(entries);
        positive += matrices
            .filter(|entries| is_positive(entries, dimension))
            .count();
    }
    Ok(positive as f64 / (draws * TOGETHER) as f64)
}

/// Whether a symmetric matrix has a Cholesky factor. It is given by its lower triangle, row by row, with the diagonal
/// divided by √2.
fn is_positive(entries: &[f64], dimension: usize) -> bool {
    let mut entries = entries.iter();
    let mut factor = [[0.0; MOST]; MOST];
    for row in 0..dimension {
        for column in 0..=row {
            let Some(entry) = entries.next() else {
                return false;
            };
            let earlier = (0..column).map(|place| factor[row][place] * factor[column][place]);
            let known: f64 = earlier.sum();
            if column < row {
                factor[row][column] = (entry - known) / factor[column][column];
                continue;
            }
            let pivot = SQRT_2 * entry - known;
            if pivot <= 0.0 {
                return false;
            }
            factor[row][row] = pivot.sqrt();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_positive_if_their_eigenvalues_are() {
        let half = 0.5_f64.sqrt();
        // [[1, x], [x, 1]] has the eigenvalues 1 ± x.
        assert!(is_positive(&[half, 0.9, half], 2));
        assert!(!is_positive(&[half, 1.1, half], 2));
        assert!(!is_positive(&[-half, 0.0, half], 2));
        assert!(!is_positive(&[half, 0.0], 2));
    }

    #[test]
    fn shares_are_the_known_ones() {
        // 1/2, (2 − √2)/4 and (π − 2√2)/(4π), with six standard errors.
        for (dimension, exact) in [(1, 0.5), (2, 0.14645), (3, 0.02492)] {
            let found = share(1, dimension, 3).unwrap();
            let error = (exact * (1.0 - exact) / TOGETHER as f64).sqrt();
            assert!((found - exact).abs() < 6.0 * error, "{dimension}: {found}");
        }
    }
}
