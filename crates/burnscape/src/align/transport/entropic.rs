//! Plans of least cost with an entropy, by Sinkhorn's iteration in the log domain.

/// An entropic plan.
#[derive(Debug)]
pub(super) struct Entropic {
    /// Row-major; the sum is 1.
    pub(super) values: Vec<f64>,
    pub(super) iterations: usize,
    pub(super) is_converged: bool,
    /// The largest deviation of a row's or column's sum, relative to what it has to be.
    pub(super) deviation: f64,
}

/// The plan with row sums `1/n` and column sums `1/m` that minimizes `Σ T C − ε Σ −T ln T`, with `ε` in units of the
/// mean of `C`: `T_ij = exp(f_i + g_j − C_ij/ε)`. Sums of rows and columns are corrected in turns, until those of the
/// rows deviate by no more than the tolerance when those of the columns are right. It is the last plan in any case.
///
/// Costs that are all zero have the plan `1/(n m)`.
///
/// # Cost
///
/// `2 n m` exponentials for an iteration. The number of iterations grows as `ε` falls.
pub(super) fn entropic(
    costs: &[f64],
    [n, m]: [usize; 2],
    regularization: f64,
    (max_iterations, tolerance): (usize, f64),
) -> Entropic {
    let count = costs.len() as f64;
    let mean: f64 = costs.iter().map(|cost| cost / count).sum();
    let scale = if mean > 0.0 {
        1.0 / (regularization * mean)
    } else {
        0.0
    };
    let exponents: Vec<f64> = costs.iter().map(|cost| -scale * cost).collect();
    let [row_share, column_share] = [n, m].map(|count| -(count as f64).ln());
    let mut f = vec![0.0; n];
    let mut g = vec![0.0; m];
    let mut iterations = 0;
    let is_converged = loop {
        let rows = log_row_sums(&exponents, &g);
        if iterations > 0 {
            let mut pairs = rows.iter().zip(&f);
            let deviation = |row: f64, f: f64| ((row + f - row_share).exp() - 1.0).abs();
            let is_right = pairs.all(|(row, f)| deviation(*row, *f) <= tolerance);
            if is_right || iterations == max_iterations {
                break is_right;
            }
        }
        for (f, row) in f.iter_mut().zip(rows) {
            *f = row_share - row;
        }
        let columns = log_column_sums(&exponents, &f, m);
        for (g, column) in g.iter_mut().zip(columns) {
            *g = column_share - column;
        }
        iterations += 1;
    };
    let rows = exponents.chunks_exact(m).zip(&f);
    let values = rows.flat_map(|(row, f)| {
        let pairs = row.iter().zip(&g);
        pairs.map(move |(exponent, g)| (exponent + f + g).exp())
    });
    let values: Vec<f64> = values.collect();
    Entropic {
        deviation: deviation(&values, [n, m]),
        values,
        iterations,
        is_converged,
    }
}

/// `ln Σ_j exp(K_ij + g_j)` for each row.
fn log_row_sums(exponents: &[f64], g: &[f64]) -> Vec<f64> {
    let rows = exponents.chunks_exact(g.len()).map(|row| {
        let terms = row.iter().zip(g).map(|(exponent, g)| exponent + g);
        let most = terms.clone().fold(f64::NEG_INFINITY, f64::max);
        most + terms.map(|term| (term - most).exp()).sum::<f64>().ln()
    });
    rows.collect()
}

/// `ln Σ_i exp(K_ij + f_i)` for each column.
fn log_column_sums(exponents: &[f64], f: &[f64], m: usize) -> Vec<f64> {
    let mut most = vec![f64::NEG_INFINITY; m];
    for (row, f) in exponents.chunks_exact(m).zip(f) {
        for (most, exponent) in most.iter_mut().zip(row) {
            *most = most.max(exponent + f);
        }
    }
    let mut sums = vec![0.0; m];
    for (row, f) in exponents.chunks_exact(m).zip(f) {
        for ((sum, exponent), most) in sums.iter_mut().zip(row).zip(&most) {
            *sum += (exponent + f - most).exp();
        }
    }
    let pairs = sums.into_iter().zip(most);
    pairs
        .map(|(sum, most): (f64, f64)| most + sum.ln())
        .collect()
}

/// The largest relative deviation of a sum.
fn deviation(values: &[f64], [n, m]: [usize; 2]) -> f64 {
    let mut columns = vec![0.0_f64; m];
    let mut largest = 0.0_f64;
    for row in values.chunks_exact(m) {
        largest = largest.max((row.iter().sum::<f64>() * n as f64 - 1.0).abs());
        for (sum, value) in columns.iter_mut().zip(row) {
            *sum += value;
        }
    }
    let columns = columns.into_iter().map(|sum| (sum * m as f64 - 1.0).abs());
    columns.fold(largest, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: (usize, f64) = (10_000, 1e-13);

    /// Of two units each, `T_00 = p/2` with `p = 1/(1 + exp(−(C_01 + C_10 − C_00 − C_11)/(2 ε)))`.
    #[test]
    fn two_units_have_a_closed_form() {
        let costs = [0.3, 1.7, 0.9, 0.5];
        let mean = 0.85;
        for regularization in [0.3, 1.0, 3.0] {
            let found = entropic(&costs, [2, 2], regularization, LIMITS);
            let difference = costs[1] + costs[2] - costs[0] - costs[3];
            let p = 1.0 / (1.0 + (-difference / (2.0 * regularization * mean)).exp());
            for (value, share) in found.values.iter().zip([p, 1.0 - p, 1.0 - p, p]) {
                assert!((value - 0.5 * share).abs() < 1e-12, "{found:?}");
            }
            assert!(found.is_converged && found.deviation <= 1e-12);
        }
    }

    #[test]
    fn costs_that_tell_nothing_apart_give_the_mean_plan() {
        for costs in [[0.0; 6], [7.0; 6]] {
            let found = entropic(&costs, [2, 3], 0.1, LIMITS);
            let is_mean = |value: &f64| (value - 1.0 / 6.0).abs() < 1e-15;
            assert!(found.values.iter().all(is_mean), "{found:?}");
        }
    }

    #[test]
    fn a_constant_of_rows_or_columns_changes_nothing_but_the_mean() {
        let costs = [0.1, 0.9, 0.4, 0.8, 0.2, 0.6];
        let moved = [5.1, 5.9, 5.4, 0.8, 0.2, 0.6];
        let mean = |costs: &[f64]| costs.iter().sum::<f64>() / costs.len() as f64;
        let own = entropic(&costs, [2, 3], 0.3, LIMITS);
        let other = 0.3 * mean(&costs) / mean(&moved);
        let other = entropic(&moved, [2, 3], other, LIMITS);
        for (own, other) in own.values.iter().zip(&other.values) {
            assert!((own - other).abs() < 1e-12);
        }
    }

    #[test]
    fn large_and_small_costs_do_not_overflow() {
        let costs = [0.1, 0.9, 0.4, 0.8, 0.2, 0.6];
        let expected = entropic(&costs, [2, 3], 1e-3, LIMITS).values;
        for factor in [1e-200, 1e200] {
            let scaled = costs.map(|cost| factor * cost);
            let found = entropic(&scaled, [2, 3], 1e-3, LIMITS);
            for (value, expected) in found.values.iter().zip(&expected) {
                assert!((value - expected).abs() < 1e-9, "{factor:e}: {found:?}");
            }
        }
    }

    #[test]
    fn the_last_iteration_is_the_end() {
        let costs = [0.0, 1.0, 0.5, 1.0, 0.2, 0.0];
        let found = entropic(&costs, [2, 3], 0.01, (1, 1e-12));
        assert_eq!((found.iterations, found.is_converged), (1, false));
        assert!(found.deviation > 1e-12);
    }
}
