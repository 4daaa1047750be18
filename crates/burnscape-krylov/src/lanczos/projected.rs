use std::ops::Range;

use nalgebra::{DMatrix, SymmetricEigen};

use super::Quadrature;

/// The operator in the basis, `Q A Qᵀ`: symmetric, and tridiagonal to rounding until a restart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Projected {
    /// Lower triangle, row by row.
    rows: Vec<Vec<f64>>,
}

impl Projected {
    pub(crate) fn diagonal(values: &[f64]) -> Self {
        let row = |(index, &value): (usize, &f64)| {
            let mut row = vec![0.0; index];
            row.push(value);
            row
        };
        Self {
            rows: values.iter().enumerate().map(row).collect(),
        }
    }

    pub(crate) fn from_rows(rows: Vec<Vec<f64>>) -> Self {
        Self { rows }
    }

    /// The lower triangle, row by row.
    pub(crate) fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Appends the dot products of the newest vector's product with the basis; the last is with the vector itself.
    pub(crate) fn push(&mut self, row: Vec<f64>) {
        self.rows.push(row);
    }

    /// The largest sum of absolute values in a row: no eigenvalue is beyond it.
    pub(crate) fn bound(&self) -> f64 {
        let mut sums = vec![0.0_f64; self.len()];
        for (index, row) in self.rows.iter().enumerate() {
            for (other, entry) in row.iter().enumerate() {
                sums[index] += entry.abs();
                if other != index {
                    sums[other] += entry.abs();
                }
            }
        }
        sums.into_iter().fold(0.0, f64::max)
    }

    /// Eigenvalues in ascending order with their eigenvectors, of the rows and columns in `range`.
    pub(crate) fn eigen(&self, range: Range<usize>) -> Vec<(f64, Vec<f64>)> {
        let (first, size) = (range.start, range.len());
        if size == 0 {
            return Vec::new();
        }
        let entry = |i: usize, j: usize| self.get(first + i, first + j);
        ascending_eigenpairs(DMatrix::from_fn(size, size, entry))
    }

    /// The Gauss quadrature of the first vector, by its first `size` rows (Golub and Welsch 1969).
    pub(crate) fn quadrature(&self, size: usize) -> Quadrature {
        let pairs = self.eigen(0..size).into_iter();
        let (nodes, weights) = pairs
            .map(|(value, vector)| (value, vector[0] * vector[0]))
            .unzip();
        Quadrature { nodes, weights }
    }

    pub(crate) fn get(&self, i: usize, j: usize) -> f64 {
        self.rows[i.max(j)][i.min(j)]
    }
}

/// Eigenvalues in ascending order with their eigenvectors, of a symmetric matrix.
pub(crate) fn ascending_eigenpairs(matrix: DMatrix<f64>) -> Vec<(f64, Vec<f64>)> {
    let eigen = SymmetricEigen::new(matrix);
    let vectors = eigen.eigenvectors.column_iter();
    let pairs = eigen.eigenvalues.iter().zip(vectors);
    let mut pairs: Vec<(f64, Vec<f64>)> = pairs
        .map(|(value, vector)| (*value, vector.iter().copied().collect()))
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}
