//! Dense matrices in f64: singular values and vectors, and the orthogonal factor.

use burnscape_krylov::Dense;
use nalgebra::DMatrix;

/// Directions whose singular value is below this share of the largest one are dependent on the others: their square is
/// an eigenvalue of `Uᵀ U` below 10⁻¹⁰ of the largest.
const DEPENDENT: f64 = 1e-5;

/// Whether a tensor is a matrix with elements.
pub(super) fn is_matrix(shape: &[usize]) -> bool {
    shape.len() == 2 && !shape.contains(&0)
}

/// The matrix of values in row-major order.
pub(super) fn matrix(shape: &[usize], values: &[f64]) -> DMatrix<f64> {
    DMatrix::from_row_slice(shape[0], shape[1], values)
}

/// Its values in row-major order.
pub(super) fn row_major(matrix: &DMatrix<f64>) -> Vec<f64> {
    matrix.transpose().as_slice().to_vec()
}

/// `U diag(s) Vᵀ`.
pub(super) fn product(left: &DMatrix<f64>, s: &[f64], right: &DMatrix<f64>) -> DMatrix<f64> {
    let mut scaled = left.clone();
    for (mut column, s) in scaled.column_iter_mut().zip(s) {
        column.scale_mut(*s);
    }
    scaled * right.transpose()
}

/// The singular values of a matrix that are not zero to rounding, in descending order, and their vectors as columns.
#[derive(Debug, Clone)]
pub(super) struct Singular {
    pub(super) left: DMatrix<f64>,
    pub(super) values: Vec<f64>,
    pub(super) right: DMatrix<f64>,
}

impl Singular {
    /// `None` if an entry is not finite, or if the decomposition does not end.
    pub(super) fn of(of: &DMatrix<f64>) -> Option<Self> {
        let (rows, columns) = of.shape();
        let dense = Dense::from_row_major(rows, columns, row_major(of)).ok()?;
        let (left, values, right) = dense.svd()?;
        let columns_of =
            |dense: &Dense| matrix(&[dense.num_rows(), dense.num_columns()], dense.as_slice());
        Some(Self {
            left: columns_of(&left),
            right: columns_of(&right),
            values,
        })
    }
}

/// `U (Uᵀ U)^(−½)` with the pseudo-inverse: of all matrices with orthonormal columns on the same span the nearest one.
/// It is the product of the singular vectors.
pub(super) fn orthogonalized(matrix: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let found = Singular::of(matrix)?;
    let floor = DEPENDENT * found.values.first().copied().unwrap_or(0.0);
    let rank = found.values.iter().filter(|value| **value > floor).count();
    Some(found.left.columns(0, rank) * found.right.columns(0, rank).transpose())
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

    #[test]
    fn the_orthogonal_factor_is_the_nearest_one() {
        let side = scattered(9, 4, 2);
        let found = orthogonalized(&side).unwrap();
        assert!(defect(&found) < 1e-13);
        // A symmetric and positive remainder is what makes it the nearest.
        let rest = found.transpose() * &side;
        assert!((&rest - rest.transpose()).amax() < 1e-13);
        assert!(rest.symmetric_eigenvalues().min() > 0.0);
        // Of two equal columns each gets its share.
        let twice = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, 0.0, 0.0]);
        let shares = orthogonalized(&twice).unwrap();
        let half = 0.5_f64.sqrt();
        let expected = DMatrix::from_row_slice(2, 2, &[half, half, 0.0, 0.0]);
        assert!((shares - expected).amax() < 1e-14);
    }
}
