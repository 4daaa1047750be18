use nalgebra::DMatrix;

use super::singular::{Singular, completed};
use crate::{HasAdjoint, KrylovFault, LinearOperator, VectorSpace};

/// A matrix on the host: the reference that other operators are compared with, and the small
/// matrices of block methods. Entries are stored row by row.
///
/// It is written to be obviously right. For matrix computations pass [`as_slice`](Self::as_slice)
/// to a linear algebra library.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LinearOperator};
///
/// let a = Dense::from_rows(&[[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(a.matvec(&vec![1.0, -1.0])?, [-1.0, -1.0]);
/// assert_eq!(a.multiply(&a.transpose())?.as_slice(), [5.0, 11.0, 11.0, 25.0]);
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    num_rows: usize,
    num_columns: usize,
    entries: Vec<f64>,
}

impl Dense {
    /// The matrix with these entries, row by row.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::EntryCount`].
    pub fn from_row_major(
        num_rows: usize,
        num_columns: usize,
        entries: Vec<f64>,
    ) -> Result<Self, KrylovFault> {
        if num_rows.checked_mul(num_columns) != Some(entries.len()) {
            return Err(KrylovFault::EntryCount {
                rows: num_rows,
                columns: num_columns,
                found: entries.len(),
            });
        }
        Ok(Self {
            num_rows,
            num_columns,
            entries,
        })
    }

    /// The matrix with these rows.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::RaggedRows`].
    pub fn from_rows<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, KrylovFault> {
        let expected = rows.first().map_or(0, |row| row.as_ref().len());
        let mut entries = Vec::with_capacity(rows.len() * expected);
        for (index, row) in rows.iter().enumerate() {
            let row = row.as_ref();
            if row.len() != expected {
                return Err(KrylovFault::RaggedRows {
                    row: index,
                    expected,
                    found: row.len(),
                });
            }
            entries.extend_from_slice(row);
        }
        Self::from_row_major(rows.len(), expected, entries)
    }

    /// The identity.
    #[must_use]
    pub fn identity(dimension: usize) -> Self {
        Self::diagonal(&vec![1.0; dimension])
    }

    /// The square matrix with this diagonal and zeros elsewhere.
    #[must_use]
    pub fn diagonal(diagonal: &[f64]) -> Self {
        let dimension = diagonal.len();
        let mut entries = vec![0.0; dimension * dimension];
        // One step along the diagonal is a row and an entry.
        let places = entries.iter_mut().step_by(dimension + 1);
        for (place, &value) in places.zip(diagonal) {
            *place = value;
        }
        Self {
            num_rows: dimension,
            num_columns: dimension,
            entries,
        }
    }

    /// The number of rows.
    pub fn num_rows(&self) -> usize {
        self.num_rows
    }

    /// The number of columns.
    pub fn num_columns(&self) -> usize {
        self.num_columns
    }

    /// The entries, row by row.
    pub fn as_slice(&self) -> &[f64] {
        &self.entries
    }

    /// One row, if there is such a row.
    pub fn row(&self, index: usize) -> Option<&[f64]> {
        (index < self.num_rows).then(|| self.stored_row(index))
    }

    /// The rows, from the first.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.num_rows).map(|index| self.stored_row(index))
    }

    /// The transpose.
    #[must_use]
    pub fn transpose(&self) -> Self {
        let entry = |row: usize, column: usize| self.entries[row * self.num_columns + column];
        let columns = 0..self.num_columns;
        Self {
            num_rows: self.num_columns,
            num_columns: self.num_rows,
            entries: columns
                .flat_map(|column| (0..self.num_rows).map(move |row| entry(row, column)))
                .collect(),
        }
    }

    /// The matrix product `self · other`.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::DimensionMismatch`].
    pub fn multiply(&self, other: &Self) -> Result<Self, KrylovFault> {
        Vec::<f64>::check_same(&self.num_columns, &other.num_rows)?;
        let columns = other.transpose();
        let products: Result<Vec<Vec<f64>>, KrylovFault> =
            self.rows().map(|row| columns.times(row)).collect();
        Self::from_row_major(self.num_rows, other.num_columns, products?.concat())
    }

    /// The inverse; `None` if the matrix is not square or singular to rounding (a reciprocal condition number of the pivots
    /// below 10⁻¹⁴).
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        if self.num_rows != self.num_columns {
            return None;
        }
        let dimension = self.num_rows;
        let decomposed = DMatrix::from_row_slice(dimension, dimension, &self.entries).full_piv_lu();
        let pivots = decomposed.u();
        let pivots = pivots.diagonal();
        let sizes = pivots.iter().map(|pivot| pivot.abs());
        let largest = sizes.clone().fold(0.0, f64::max);
        let is_regular = sizes.fold(f64::INFINITY, f64::min) > 1e-14 * largest;
        let inverse = decomposed.try_inverse().filter(|_| is_regular)?;
        Some(Self {
            num_rows: dimension,
            num_columns: dimension,
            // Column by column is row by row of the transpose.
            entries: inverse.transpose().as_slice().to_vec(),
        })
    }

    /// The orthogonal factor `Q` of the polar decomposition `A = Q P`, with `P` positive semidefinite: of all orthogonal
    /// matrices the nearest one, and that with the largest `tr(Qᵀ A)`. It is `U Vᵀ` for the singular value decomposition
    /// `A = U S Vᵀ`. If the matrix is singular, it is one of several.
    ///
    /// `None` if the matrix is not square, if an entry is not finite, or if the decomposition does not end.
    ///
    /// # References
    ///
    /// Schönemann 1966, *A generalized solution of the orthogonal Procrustes problem*.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::Dense;
    ///
    /// let a = Dense::from_rows(&[[0.0, -2.0], [3.0, 0.0]])?;
    /// let q = a.polar().ok_or("no decomposition")?;
    /// for (found, expected) in q.as_slice().iter().zip([0.0, -1.0, 1.0, 0.0]) {
    ///     assert!((found - expected).abs() < 1e-14);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn polar(&self) -> Option<Self> {
        let dimension = self.num_rows;
        let is_finite = self.entries.iter().all(|entry| entry.is_finite());
        if dimension != self.num_columns || !is_finite {
            return None;
        }
        if dimension == 0 {
            return Some(self.clone());
        }
        let found = Singular::of(&DMatrix::from_row_slice(
            dimension,
            dimension,
            &self.entries,
        ))?;
        // Where the matrix is singular, any orthonormal vectors complete the others.
        let left = completed(found.left);
        let right = completed(found.right);
        let factor = left * right.transpose();
        let defect =
            (factor.transpose() * &factor - DMatrix::identity(dimension, dimension)).amax();
        let is_orthogonal = defect <= 1e-12 * dimension as f64;
        is_orthogonal.then(|| Self::of_matrix(&factor))
    }

    /// The thin singular value decomposition `A = U diag(s) Vᵀ`: `U`, `s` and `V`, with the singular values that are not
    /// zero to rounding, in descending order, and their vectors as columns. Values up to `max(m, n) ε` of the largest one
    /// count as zero, so that a zero matrix has none.
    ///
    /// By one-sided Jacobi rotations, which also give small singular values to many digits. The cost is a few times
    /// `m n min(m, n)` operations.
    ///
    /// `None` if an entry is not finite, or if the rotations do not end.
    ///
    /// # References
    ///
    /// Drmač & Veselić 2008, *New Fast and Accurate Jacobi SVD Algorithm*.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::Dense;
    ///
    /// let a = Dense::from_rows(&[[3.0, 0.0], [0.0, -4.0], [0.0, 0.0]])?;
    /// let (u, s, v) = a.svd().ok_or("no decomposition")?;
    /// assert_eq!((u.num_rows(), u.num_columns(), v.num_rows()), (3, 2, 2));
    /// assert!((s[0] - 4.0).abs() < 1e-14 && (s[1] - 3.0).abs() < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn svd(&self) -> Option<(Self, Vec<f64>, Self)> {
        let matrix = DMatrix::from_row_slice(self.num_rows, self.num_columns, &self.entries);
        let found = Singular::of(&matrix)?;
        let sides = [&found.left, &found.right].map(Self::of_matrix);
        let [left, right] = sides;
        Some((left, found.values, right))
    }

    fn of_matrix(matrix: &DMatrix<f64>) -> Self {
        Self {
            num_rows: matrix.nrows(),
            num_columns: matrix.ncols(),
            // Column by column is row by row of the transpose.
            entries: matrix.transpose().as_slice().to_vec(),
        }
    }

    fn stored_row(&self, index: usize) -> &[f64] {
        &self.entries[index * self.num_columns..(index + 1) * self.num_columns]
    }

    /// The dot product of each row with `v`.
    fn times(&self, v: &[f64]) -> Result<Vec<f64>, KrylovFault> {
        Vec::<f64>::check_same(&self.num_columns, &v.len())?;
        let dot = |row: &[f64]| row.iter().zip(v).map(|(a, x)| a * x).sum();
        Ok(self.rows().map(dot).collect())
    }
}

impl LinearOperator for Dense {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        self.num_columns
    }

    fn range(&self) -> usize {
        self.num_rows
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        self.times(v)
    }
}

impl HasAdjoint for Dense {
    fn matvec_adjoint(&self, u: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        Vec::<f64>::check_same(&self.num_rows, &u.len())?;
        let mut product = vec![0.0; self.num_columns];
        for (row, u) in self.rows().zip(u) {
            for (sum, a) in product.iter_mut().zip(row) {
                *sum += a * u;
            }
        }
        Ok(product)
    }
}
