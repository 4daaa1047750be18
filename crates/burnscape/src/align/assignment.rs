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
    if let Some(place) = matrix.iter().position(|entry| !entry.is_finite()) {
        return refused(format!(
            "entry ({}, {}) of its matrix is {}; return finite numbers",
            place / n,
            place % n,
            matrix[place]
        ));
    }
    let largest = matrix
        .iter()
        .fold(0.0_f64, |all, entry| all.max(entry.abs()));
    if largest == 0.0 {
        return Ok((0..n).collect());
    }
    Ok(solve(&reduced(matrix, n, largest), n))
}

/// Costs that have the same solutions: not negative, with a zero in each row and column.
fn reduced(matrix: &[f64], n: usize, largest: f64) -> Vec<f64> {
    let mut costs = Vec::with_capacity(n * n);
    for (row, entries) in matrix.chunks_exact(n).enumerate() {
        let start = costs.len();
        costs.extend(entries.iter().map(|entry| entry / largest));
        costs[start + row] += BONUS;
        let own = &mut costs[start..];
        let best = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for cost in own {
            *cost = best - *cost;
        }
    }
    let mut least = vec![f64::INFINITY; n];
    for row in costs.chunks_exact(n) {
        for (least, cost) in least.iter_mut().zip(row) {
            *least = least.min(*cost);
        }
    }
    for row in costs.chunks_exact_mut(n) {
        for (cost, least) in row.iter_mut().zip(&least) {
            *cost -= least;
        }
    }
    costs
}

/// No row or column.
const NONE: usize = usize::MAX;

/// The column of each row in an assignment of least total cost. Costs must be finite and not negative.
///
/// Zeros are taken first, those on the diagonal before others. Then each row that is left gets a column by a
/// shortest augmenting path: Dijkstra's algorithm on costs minus the potentials of their row and column, which stay
/// nonnegative, and zero where a row has its column.
fn solve(costs: &[f64], n: usize) -> Vec<usize> {
    let (mut column_of, mut row_of) = zeros(costs, n);
    let (mut row_potentials, mut potentials) = (vec![0.0; n], vec![0.0; n]);
    // The length of the shortest path to each column so far, and the row before it.
    let (mut lengths, mut before) = (vec![0.0; n], vec![NONE; n]);
    // Infinite for a column whose shortest path is known, else 0.
    let mut closed = vec![0.0; n];
    let mut reached = Vec::with_capacity(n);
    for start in 0..n {
        if column_of[start] != NONE {
            continue;
        }
        lengths.fill(f64::INFINITY);
        closed.fill(0.0);
        reached.clear();
        let (mut row, mut shortest) = (start, 0.0);
        let end = loop {
            reached.push(row);
            let offset = shortest - row_potentials[row];
            let own = &costs[row * n..(row + 1) * n];
            let steps = own.iter().zip(&potentials).zip(&closed);
            let paths = lengths.iter_mut().zip(before.iter_mut());
            // Without branches, so that the loop is compiled to vectors.
            for (((cost, potential), closed), (length, before)) in steps.zip(paths) {
                let other = offset + (cost - potential) + closed;
                let is_shorter = other < *length;
                *length = if is_shorter { other } else { *length };
                *before = if is_shorter { row } else { *before };
            }
            shortest = least_sum(&lengths, &closed);
            let column = nearest(&lengths, &closed, &row_of, shortest);
            closed[column] = f64::INFINITY;
            if row_of[column] == NONE {
                break column;
            }
            row = row_of[column];
        };
        for &row in &reached {
            let length = if row == start {
                0.0
            } else {
                lengths[column_of[row]]
            };
            row_potentials[row] += shortest - length;
        }
        let columns = potentials.iter_mut().zip(&lengths).zip(&closed);
        for ((potential, length), closed) in columns {
            if *closed > 0.0 {
                *potential -= shortest - length;
            }
        }
        let mut column = end;
        loop {
            let row = before[column];
            row_of[column] = row;
            std::mem::swap(&mut column_of[row], &mut column);
            if row == start {
                break;
            }
        }
    }
    column_of
}

/// Rows and columns that are matched where the cost is zero: the column of each row, and the row of each column.
fn zeros(costs: &[f64], n: usize) -> (Vec<usize>, Vec<usize>) {
    let (mut column_of, mut row_of) = (vec![NONE; n], vec![NONE; n]);
    for index in 0..n {
        if costs[index * n + index] == 0.0 {
            column_of[index] = index;
            row_of[index] = index;
        }
    }
    for (row, costs) in costs.chunks_exact(n.max(1)).enumerate() {
        if column_of[row] != NONE {
            continue;
        }
        let mut columns = costs.iter().zip(&row_of);
        let free = columns.position(|(cost, row)| *cost == 0.0 && *row == NONE);
        if let Some(column) = free {
            column_of[row] = column;
            row_of[column] = row;
        }
    }
    (column_of, row_of)
}

/// The least sum of two numbers of one index.
fn least_sum(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut least = [f64::INFINITY; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest = rest.fold(f64::INFINITY, |least, (a, b)| least.min(a + b));
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((least, a), b) in least.iter_mut().zip(a).zip(b) {
            let sum = a + b;
            *least = if sum < *least { sum } else { *least };
        }
    }
    least.into_iter().fold(rest, f64::min)
}

/// A column that is not closed and has the shortest path: one that is free, if there is one.
fn nearest(lengths: &[f64], closed: &[f64], row_of: &[usize], shortest: f64) -> usize {
    let mut found = 0;
    let mut is_found = false;
    for (column, ((length, closed), row)) in lengths.iter().zip(closed).zip(row_of).enumerate() {
        if length + closed == shortest {
            if *row == NONE {
                return column;
            }
            if !is_found {
                (found, is_found) = (column, true);
            }
        }
    }
    found
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
