//! Matrices and bases with known structure.

use burnscape_krylov::{Dense, Orthonormal, Probe, Symmetric, VectorBlock};

/// A matrix without structure.
pub(crate) fn general(rows: usize, columns: usize) -> Dense {
    let seed = (31 * rows + columns) as u64;
    let entries = Probe::Gaussian.draw(&(rows * columns), seed, 0).unwrap();
    Dense::from_row_major(rows, columns, entries).unwrap()
}

/// `rows` orthonormal vectors.
pub(crate) fn basis(rows: usize, dimension: usize) -> Orthonormal<Vec<f64>> {
    let vectors = general(rows, dimension)
        .rows()
        .map(<[f64]>::to_vec)
        .collect();
    Orthonormal::orthonormalize(&dimension, vectors).unwrap()
}

pub(crate) fn matrix_of(basis: &Orthonormal<Vec<f64>>) -> Dense {
    let rows: Result<Vec<_>, _> = basis.block().vectors().collect();
    Dense::from_rows(&rows.unwrap()).unwrap()
}

pub(crate) fn times(a: &Dense, b: &Dense) -> Dense {
    a.multiply(b).unwrap()
}

pub(crate) fn map(a: &Dense, b: &Dense, f: impl Fn(f64, f64) -> f64) -> Dense {
    let pairs = a.as_slice().iter().zip(b.as_slice());
    let entries = pairs.map(|(&a, &b)| f(a, b)).collect();
    Dense::from_row_major(a.num_rows(), a.num_columns(), entries).unwrap()
}

/// The symmetric matrix with these eigenvalues, its eigenvectors in general position.
pub(crate) fn with_spectrum(eigenvalues: &[f64]) -> Dense {
    let q = matrix_of(&basis(eigenvalues.len(), eigenvalues.len()));
    let a = times(&times(&q.transpose(), &Dense::diagonal(eigenvalues)), &q);
    // Symmetric to the bit.
    map(&a, &a.transpose(), |a, b| 0.5 * (a + b))
}

pub(crate) fn symmetric(a: &Dense) -> Symmetric<Dense> {
    Symmetric::verified(a.clone(), 1e-14, 0).unwrap()
}
