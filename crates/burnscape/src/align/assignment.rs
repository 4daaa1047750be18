//! Linear assignment: the permutation with the largest sum of entries.

use super::AlignError;

/// What an entry on the diagonal gets on top, as a part of the largest entry: more than the rounding errors of a sum,
/// and less than any difference that matters.
const BONUS: f64 = 1e-13;

/// The permutation `p` with the largest `Σ_i matrix[i, p(i)]`, of a row-major matrix of `n` rows. Among permutations
/// that are equal to rounding, the one with the most fixed points.
///
/// Entries are divided by the largest one, and the maxima of rows and columns subtracted, so that neither their size
/// nor a constant that they have in common costs digits.
///
/// # Cost
///
/// O(n³) at most, and two matrices of the same size.
///
/// # Errors
///
/// [`AlignError::Similarity`] for an entry that is not finite, and another number of entries.
///
/// # References
///
/// Crouse 2016, *On implementing 2D rectangular assignment algorithms*, the algorithm of SciPy.
pub(crate) fn assignment(matrix: &[f64], n: usize) -> Result<Vec<usize>, AlignError> {
    let refused = |message: String| {
        Err(AlignError::Similarity {
            group: None,
            message,
        })
    };
    if matrix.len() != n * n {
        return refused(format!(
            "its matrix has {} entries, expected {n} × {n}",
            matrix.len()
        ));
    }
    // Zero times a number is zero, unless it is not finite.
    if lanes(matrix, 0.0, |sum, entry| sum + entry * 0.0)
        .iter()
        .sum::<f64>()
        .is_nan()
        && let Some(place) = matrix.iter().position(|entry| !entry.is_finite())
    {
        return refused(format!(
            "entry ({}, {}) of its matrix is {}; return finite numbers",
            place / n,
            place % n,
            matrix[place]
        ));
    }
    let largest = lanes(matrix, 0.0, |most, entry| greater(most, entry.abs()));
    let largest = largest.into_iter().fold(0.0, greater);
    if largest == 0.0 {
        return Ok((0..n).collect());
    }
    match solve(&reduced(matrix, n, largest), n) {
        Some(assigned) => Ok(assigned),
        // Every assignment of finite costs is feasible.
        None => refused("its costs have no assignment; report the matrix".to_string()),
    }
}

/// Folds every eighth entry by itself, which a processor does at the same time.
fn lanes(entries: &[f64], start: f64, fold: impl Fn(f64, f64) -> f64) -> [f64; 8] {
    let mut lanes = [start; 8];
    let (chunks, rest) = entries.as_chunks::<8>();
    for chunk in chunks {
        for (lane, entry) in lanes.iter_mut().zip(chunk) {
            *lane = fold(*lane, *entry);
        }
    }
    for (lane, entry) in lanes.iter_mut().zip(rest) {
        *lane = fold(*lane, *entry);
    }
    lanes
}

fn greater(one: f64, other: f64) -> f64 {
    if other > one { other } else { one }
}

/// Costs that have the same solutions: not negative, with a zero in each row and column.
fn reduced(matrix: &[f64], n: usize, largest: f64) -> Vec<f64> {
    let mut costs = Vec::with_capacity(n * n);
    for (row, entries) in matrix.chunks_exact(n).enumerate() {
        let start = costs.len();
        costs.extend(entries.iter().map(|entry| entry / largest));
        costs[start + row] += BONUS;
        let own = &mut costs[start..];
        let best = lanes(own, f64::NEG_INFINITY, greater);
        let best = best.into_iter().fold(f64::NEG_INFINITY, greater);
        for cost in own {
            *cost = best - *cost;
        }
    }
    let mut least = vec![f64::INFINITY; n];
    for row in costs.chunks_exact(n) {
        for (least, cost) in least.iter_mut().zip(row) {
            *least = if *cost < *least { *cost } else { *least };
        }
    }
    for row in costs.chunks_exact_mut(n) {
        for (cost, least) in row.iter_mut().zip(&least) {
            *cost -= least;
        }
    }
    costs
}

/// The column of each row in an assignment of least total cost. Costs must be finite.
fn solve(costs: &Vec<f64>, n: usize) -> Option<Vec<usize>> {
    let (rows, columns) = lsap::solve(n, n, costs, false).ok()?;
    let mut assigned = vec![0; n];
    for (row, column) in rows.into_iter().zip(columns) {
        *assigned.get_mut(row)? = column;
    }
    Some(assigned)
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::space::stream;

    fn normal(n: usize, seed: u64) -> Vec<f64> {
        let rng = stream(seed, n as u64);
        StandardNormal.sample_iter(rng).take(n * n).collect()
    }

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        (0..n).fold(vec![Vec::new()], |shorter, next| {
            let inserted = |p: Vec<usize>| {
                (0..=p.len()).map(move |place| {
                    let mut longer = p.clone();
                    longer.insert(place, next);
                    longer
                })
            };
            shorter.into_iter().flat_map(inserted).collect()
        })
    }

    fn sum(matrix: &[f64], p: &[usize]) -> f64 {
        let entries = p.iter().enumerate();
        entries
            .map(|(row, column)| matrix[row * p.len() + column])
            .sum()
    }

    fn is_permutation(p: &[usize]) -> bool {
        let mut sorted = p.to_vec();
        sorted.sort_unstable();
        sorted
            .iter()
            .enumerate()
            .all(|(place, entry)| place == *entry)
    }

    #[test]
    fn the_sum_is_that_of_the_best_permutation() {
        for n in 1..=6 {
            let all = permutations(n);
            for seed in 0..100 {
                let mut matrix = normal(n, seed);
                match seed % 4 {
                    // Many ties.
                    1 => matrix.iter_mut().for_each(|entry| *entry = entry.round()),
                    2 => matrix.iter_mut().for_each(|entry| *entry = entry.max(0.0)),
                    // Of low rank, with a large constant.
                    3 => {
                        let (a, b) = (normal(n, seed + 1000), normal(n, seed + 2000));
                        for (place, entry) in matrix.iter_mut().enumerate() {
                            *entry = 1e6 + a[place / n] * b[place % n];
                        }
                    }
                    _ => {}
                }
                let found = assignment(&matrix, n).unwrap();
                assert!(is_permutation(&found), "{found:?}");
                let best = all.iter().map(|p| sum(&matrix, p)).fold(f64::MIN, f64::max);
                let size = matrix
                    .iter()
                    .fold(1.0_f64, |all, entry| all.max(entry.abs()));
                let gap = best - sum(&matrix, &found);
                assert!(gap <= 1e-12 * size, "{n} {seed}: {gap:e}");
            }
        }
    }

    #[test]
    fn a_planted_permutation_of_many_indices_is_found() {
        let n = 120;
        let p: Vec<usize> = (0..n).map(|row| (7 * row + 3) % n).collect();
        let mut matrix = normal(n, 5);
        for (row, column) in p.iter().enumerate() {
            matrix[row * n + column] += 20.0;
        }
        assert_eq!(assignment(&matrix, n).unwrap(), p);
    }

    #[test]
    fn no_short_cycle_improves_a_solution_of_many_indices() {
        let n = 60;
        let matrix = normal(n, 9);
        let p = assignment(&matrix, n).unwrap();
        let at = |row: usize, of: usize| matrix[row * n + p[of]];
        for a in 0..n {
            for b in 0..n {
                let two = at(a, b) + at(b, a) - at(a, a) - at(b, b);
                assert!(two <= 1e-11);
                for c in (0..n).filter(|&c| c != a && c != b && a != b) {
                    let three = at(a, b) + at(b, c) + at(c, a) - at(a, a) - at(b, b) - at(c, c);
                    assert!(three <= 1e-11);
                }
            }
        }
    }

    #[test]
    fn ties_are_broken_towards_the_identity() {
        let identity: Vec<usize> = (0..5).collect();
        for constant in [0.0, 1.0, -3.0, 1e300, 1e-300] {
            assert_eq!(assignment(&[constant; 25], 5).unwrap(), identity);
        }
        // Rows 0 and 1 are equal, and so are columns 2 and 3: only the exchange of 3 and 4 matters.
        let mut matrix = vec![0.0; 25];
        matrix[3 * 5 + 4] = 1.0;
        matrix[4 * 5 + 3] = 1.0;
        assert_eq!(assignment(&matrix, 5).unwrap(), [0, 1, 2, 4, 3]);
        // The sum of a row's constant is the same for all permutations.
        let matrix: Vec<f64> = (0..25).map(|place| f64::from(place / 5) * 0.1).collect();
        assert_eq!(assignment(&matrix, 5).unwrap(), identity);
    }

    #[test]
    fn sizes_of_entries_do_not_matter() {
        let matrix = normal(6, 3);
        let expected = assignment(&matrix, 6).unwrap();
        for factor in [1e-200, 1e200] {
            let scaled: Vec<f64> = matrix.iter().map(|entry| entry * factor).collect();
            assert_eq!(assignment(&scaled, 6).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_matrix_of_numbers_is_refused() {
        assert!(assignment(&[], 0).unwrap().is_empty());
        let refusal = |matrix: &[f64]| assignment(matrix, 2).unwrap_err().to_string();
        let text = refusal(&[1.0, 2.0, f64::NAN, 0.0]);
        assert!(
            text.contains("entry (1, 0)") && text.contains("NaN"),
            "{text}"
        );
        assert!(refusal(&[1.0, 2.0, 0.0, f64::INFINITY]).contains("inf"));
        assert!(refusal(&[1.0, 2.0, 3.0]).contains("3 entries"));
    }
}
