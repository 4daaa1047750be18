//! Singular values and vectors of dense matrices.
//!
//! Nalgebra's decomposition is not used: it returns wrong values for some matrices, such as those of ones only (nalgebra
//! #1172, #983).

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Passes of rotations over all pairs of columns, at most. A handful is the rule.
const MOST_PASSES: usize = 60;

/// The singular values of a matrix that are not zero to rounding, in descending order, and their vectors as columns.
#[derive(Debug, Clone)]
pub(super) struct Singular {
    pub(super) left: DMatrix<f64>,
    pub(super) values: Vec<f64>,
    pub(super) right: DMatrix<f64>,
}

impl Singular {
    /// Of a matrix `[m, n]`. Values up to `max(m, n) ε` of the largest one are zero to rounding. `None` if an entry is
    /// not finite, or if the rotations do not end.
    ///
    /// The columns are turned to the eigenvectors of `Aᵀ A`, which makes them orthogonal but for small ones, and then
    /// in pairs until all are (one-sided Jacobi; Drmač & Veselić 2008, *New Fast and Accurate Jacobi SVD Algorithm*).
    pub(super) fn of(matrix: &DMatrix<f64>) -> Option<Self> {
        if matrix.nrows() < matrix.ncols() {
            let transposed = Self::of(&matrix.transpose())?;
            return Some(Self {
                left: transposed.right,
                values: transposed.values,
                right: transposed.left,
            });
        }
        if !matrix.iter().all(|entry| entry.is_finite()) {
            return None;
        }
        let (rows, size) = matrix.shape();
        let largest = matrix.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        if largest == 0.0 {
            return Some(Self {
                left: DMatrix::zeros(rows, 0),
                values: Vec::new(),
                right: DMatrix::zeros(size, 0),
            });
        }
        // Squares stay in range.
        let scaled = matrix / largest;
        let gram = scaled.transpose() * &scaled;
        let limit = 100 * size + 100;
        let eigen = SymmetricEigen::try_new(gram, f64::EPSILON, limit);
        let mut right =
            eigen.map_or_else(|| DMatrix::identity(size, size), |found| found.eigenvectors);
        let mut columns = &scaled * &right;
        rotate_all(&mut columns, &mut right)?;

        let norms: Vec<f64> = columns.column_iter().map(|column| column.norm()).collect();
        let floor = rounding(rows) * norms.iter().fold(0.0_f64, |max, norm| max.max(*norm));
        let mut order: Vec<usize> = (0..size).filter(|&place| norms[place] > floor).collect();
        order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
        let mut left = columns.select_columns(&order);
        for (mut column, &place) in left.column_iter_mut().zip(&order) {
            column.unscale_mut(norms[place]);
        }
        Some(Self {
            left,
            values: order.iter().map(|&place| norms[place] * largest).collect(),
            right: right.select_columns(&order),
        })
    }
}

/// The share of the largest singular value that rounding is, for the longer side of a matrix.
fn rounding(rows: usize) -> f64 {
    rows as f64 * f64::EPSILON
}

/// Makes the columns orthogonal by rotations of pairs, which are collected in `turned`. `None` if they do not end.
fn rotate_all(columns: &mut DMatrix<f64>, turned: &mut DMatrix<f64>) -> Option<()> {
    let (rows, size) = columns.shape();
    let tolerance = 16.0 * f64::EPSILON * (rows as f64).sqrt();
    for _ in 0..MOST_PASSES {
        let products = columns.transpose() * &*columns;
        let squares = products.diagonal();
        // Columns that are zero to rounding are left out in the end.
        let floor = rounding(rows).powi(2) * squares.max();
        let mut is_orthogonal = true;
        for q in 1..size {
            for p in 0..q {
                let bound = tolerance * squares[p].sqrt() * squares[q].sqrt();
                let counts = squares[p] > floor && squares[q] > floor;
                if counts && products[(p, q)].abs() > bound {
                    is_orthogonal &= !rotate(columns, turned, [p, q], tolerance);
                }
            }
        }
        if is_orthogonal {
            return Some(());
        }
    }
    None
}

/// Makes two columns orthogonal; false if they are, to a share of their lengths.
fn rotate(
    columns: &mut DMatrix<f64>,
    turned: &mut DMatrix<f64>,
    [p, q]: [usize; 2],
    tolerance: f64,
) -> bool {
    let (first, second) = (columns.column(p), columns.column(q));
    let squares = [first.norm_squared(), second.norm_squared()];
    let product = first.dot(&second);
    if product.abs() <= tolerance * squares[0].sqrt() * squares[1].sqrt() {
        return false;
    }
    // The smaller root of t² + 2 z t − 1 is the tangent of the angle.
    let z = (squares[1] - squares[0]) / (2.0 * product);
    let tangent = z.signum() / (z.abs() + z.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = cosine * tangent;
    for matrix in [columns, turned] {
        for row in 0..matrix.nrows() {
            let (x, y) = (matrix[(row, p)], matrix[(row, q)]);
            matrix[(row, p)] = cosine * x - sine * y;
            matrix[(row, q)] = sine * x + cosine * y;
        }
    }
    true
}

/// Orthonormal columns, and as many more as there are rows.
pub(super) fn completed(columns: DMatrix<f64>) -> DMatrix<f64> {
    let (size, rank) = columns.shape();
    let mut all = columns.resize_horizontally(size, 0.0);
    for place in rank..size {
        // Of all unit vectors the one that is farthest from the others.
        let share = |row: usize| all.columns(0, place).row(row).norm_squared();
        let shares = (0..size).map(share);
        let nearest = shares.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        let axis = nearest.map_or(0, |(axis, _)| axis);
        let mut next = DVector::zeros(size);
        next[axis] = 1.0;
        for _ in 0..2 {
            let known = all.columns(0, place);
            let inside = known * (known.transpose() * &next);
            next -= inside;
        }
        let norm = next.norm();
        all.set_column(place, &(next / norm));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern.
    fn scattered(rows: usize, columns: usize, seed: usize) -> DMatrix<f64> {
        let number = |place: usize| (1.3 * (place * place) as f64).sin();
        DMatrix::from_fn(rows, columns, |i, j| number(seed + i * columns + j + 1))
    }

    fn defect(matrix: &DMatrix<f64>) -> f64 {
        let size = matrix.ncols();
        (matrix.transpose() * matrix - DMatrix::identity(size, size)).amax()
    }

    #[track_caller]
    fn assert_decomposed(matrix: &DMatrix<f64>, rank: usize) -> Singular {
        let found = Singular::of(matrix).unwrap();
        assert_eq!(found.values.len(), rank);
        assert!(found.values.is_sorted_by(|a, b| a >= b));
        if rank > 0 {
            assert!(defect(&found.left) < 1e-12 && defect(&found.right) < 1e-12);
        }
        let gap = &found.left
            * DMatrix::from_diagonal(&found.values.clone().into())
            * found.right.transpose()
            - matrix;
        assert!(gap.amax() <= 1e-13 * matrix.amax(), "{gap}");
        found
    }

    #[test]
    fn decompositions_multiply_to_the_matrix() {
        assert_decomposed(&scattered(9, 5, 0), 5);
        assert_decomposed(&scattered(4, 11, 3), 4);
        assert_decomposed(&(scattered(1, 1, 0) * 1e-200), 1);
        let low = scattered(8, 2, 0) * scattered(2, 6, 7);
        assert_decomposed(&low, 2);
        assert_decomposed(&DMatrix::zeros(3, 4), 0);
        // Lengths over fourteen orders of magnitude.
        let mut graded = scattered(12, 8, 1);
        for (place, mut column) in graded.column_iter_mut().enumerate() {
            column.scale_mut(10.0_f64.powi(-2 * i32::try_from(place).unwrap()));
        }
        let found = Singular::of(&graded).unwrap();
        assert!(found.values.len() >= 7 && defect(&found.left) < 1e-11);

        let mut broken = scattered(3, 3, 0);
        broken[(1, 2)] = f64::NAN;
        assert!(Singular::of(&broken).is_none());
    }

    /// Matrices on which other decompositions fail.
    #[test]
    fn plain_matrices_have_exact_values() {
        let near = |found: &[f64], expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-13, "{found} {expected}");
            }
        };
        let ones = DMatrix::from_element(6, 21, 1.0);
        near(&assert_decomposed(&ones, 1).values, &[126.0_f64.sqrt()]);
        let rows = [[1.0, 2.0, 2.0], [2.0, -1.0, -1.0], [2.0, 1.0, -1.0]];
        let whole = DMatrix::from_row_slice(3, 3, rows.as_flattened());
        let squares: f64 = assert_decomposed(&whole, 3)
            .values
            .iter()
            .map(|s| s * s)
            .sum();
        near(&[squares], &[21.0]);
        let turn = DMatrix::from_row_slice(2, 2, &[0.0, -2.0, 3.0, 0.0]);
        near(&assert_decomposed(&turn, 2).values, &[3.0, 2.0]);
        let equal = DMatrix::identity(5, 5) * 3.0;
        near(&assert_decomposed(&equal, 5).values, &[3.0; 5]);
    }
}
