//! Least squares with few columns.

/// A column that is a combination of the others to this precision is left out.
const NEGLIGIBLE: f64 = 1e-12;

/// The coefficients of least squares.
pub(super) struct Solution {
    pub(super) coefficients: Vec<f64>,
    /// The sum of squared residuals.
    pub(super) cost: f64,
}

/// The combination of the columns that is nearest to the target; none if columns depend on each other.
pub(super) fn solve(columns: &[Vec<f64>], target: &[f64]) -> Option<Solution> {
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(columns.len());
    // Each column by the basis: the part along each vector before, and what is left.
    let mut triangle: Vec<(Vec<f64>, f64)> = Vec::with_capacity(columns.len());
    for column in columns {
        let (along, rest) = split(&basis, column);
        let length = norm(&rest);
        if length.is_nan() || length <= NEGLIGIBLE * norm(column) {
            return None;
        }
        basis.push(rest.iter().map(|x| x / length).collect());
        triangle.push((along, length));
    }
    let (mut along, rest) = split(&basis, target);
    let mut coefficients = vec![0.0; columns.len()];
    for (row, (above, length)) in triangle.iter().enumerate().rev() {
        let coefficient = along[row] / length;
        for (along, above) in along.iter_mut().zip(above) {
            *along -= coefficient * above;
        }
        coefficients[row] = coefficient;
    }
    Some(Solution {
        coefficients,
        cost: dot(&rest, &rest),
    })
}

/// The inverse of what is left of a column without what the others have of it, squared: the variance of its coefficient
/// for residuals of variance one.
pub(super) fn variance(column: &[f64], others: &[Vec<f64>]) -> f64 {
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(others.len());
    for other in others {
        let (_, rest) = split(&basis, other);
        let length = norm(&rest);
        // A column of zeros tells nothing.
        if length > NEGLIGIBLE * norm(other) {
            basis.push(rest.iter().map(|x| x / length).collect());
        }
    }
    let (_, rest) = split(&basis, column);
    dot(&rest, &rest).recip()
}

/// A vector as its parts along an orthonormal basis and the rest. Twice, since the first time rounding is left.
fn split(basis: &[Vec<f64>], vector: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut along = vec![0.0; basis.len()];
    let mut rest = vector.to_vec();
    for _ in 0..2 {
        for (along, unit) in along.iter_mut().zip(basis) {
            let part = dot(unit, &rest);
            for (rest, unit) in rest.iter_mut().zip(unit) {
                *rest -= part * unit;
            }
            *along += part;
        }
    }
    (along, rest)
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_equations_hold() {
        let columns = [
            vec![1.0, 1.0, 1.0, 1.0],
            vec![0.0, 1.0, 2.0, 4.0],
            vec![1.0, 0.5, 0.25, 2.0],
        ];
        let target = [1.0, 2.0, 0.0, 3.0];
        let solution = solve(&columns, &target).unwrap();
        let fitted = |row: usize| {
            let parts = columns.iter().zip(&solution.coefficients);
            parts
                .map(|(column, factor)| factor * column[row])
                .sum::<f64>()
        };
        let residuals: Vec<f64> = (0..4).map(|row| target[row] - fitted(row)).collect();
        assert!((dot(&residuals, &residuals) - solution.cost).abs() < 1e-14);
        for column in &columns {
            assert!(dot(column, &residuals).abs() < 1e-13);
        }
        // One column alone is a mean.
        assert!((variance(&columns[0], &[]) - 0.25).abs() < 1e-15);
        // The slope of a line has the variance 1 / Σ (x − x̄)².
        assert!((variance(&columns[1], &columns[..1]) - 1.0 / 8.75).abs() < 1e-15);
        let zeros = vec![0.0; 4];
        assert!((variance(&columns[0], &[zeros]) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn columns_that_depend_on_each_other_have_no_solution() {
        let columns = [vec![1.0, 1.0, 1.0], vec![3.0, 3.0, 3.0]];
        assert!(solve(&columns, &[1.0, 2.0, 3.0]).is_none());
    }
}
