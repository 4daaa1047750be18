//! Operators with prescribed eigenvalues, for the tests of this folder.

use burnscape_krylov::{
    Dense, KrylovFault, LinearOperator, Orthonormal, Probe, SelfAdjoint, Symmetric, VectorBlock,
    VectorSpace,
};

/// `Qᵀ diag(values) Q` with a random orthogonal `Q`.
pub(crate) fn with_spectrum(values: &[f64], seed: u64) -> Symmetric<Dense> {
    let n = values.len();
    let rows = rotation(n, seed);
    let entry = |index: usize| {
        let (i, j) = (index / n, index % n);
        // Written so that rounding keeps it symmetric.
        let terms = values.iter().zip(&rows);
        terms
            .map(|(value, row)| value * (row[i] * row[j]))
            .sum::<f64>()
    };
    let dense = Dense::from_row_major(n, n, (0..n * n).map(entry).collect()).unwrap();
    Symmetric::verified(dense, 1e-10, 0).unwrap()
}

/// The rows of a random orthogonal matrix.
pub(crate) fn rotation(n: usize, seed: u64) -> Vec<Vec<f64>> {
    // Far from the vectors that methods draw: an eigenvector as a start proves nothing.
    let vectors = (0..n as u64).map(|i| Probe::Gaussian.draw(&n, seed, i + (1 << 40)).unwrap());
    let q = Orthonormal::<Vec<f64>>::orthonormalize(&n, vectors.collect()).unwrap();
    q.block().vectors().map(Result::unwrap).collect()
}

/// A diagonal matrix, cheap to multiply with: a Krylov method with a random start sees of a matrix
/// no more than its spectrum.
#[derive(Debug, Clone)]
pub(crate) struct Diagonal(pub(crate) Vec<f64>);

impl LinearOperator for Diagonal {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        self.0.len()
    }

    fn range(&self) -> usize {
        self.0.len()
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        Vec::<f64>::check_same(&self.0.len(), &v.len())?;
        Ok(v.iter().zip(&self.0).map(|(x, value)| x * value).collect())
    }
}

impl SelfAdjoint for Diagonal {}

/// A dense matrix over vectors of single precision: entries and products are rounded to it.
#[derive(Debug, Clone)]
pub(crate) struct Single(Vec<Vec<f32>>);

impl Single {
    pub(crate) fn of(a: &Dense) -> Self {
        let row = |row: &[f64]| row.iter().map(|&x| x as f32).collect();
        Self(a.rows().map(row).collect())
    }
}

impl LinearOperator for Single {
    type Domain = Vec<f32>;
    type Range = Vec<f32>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        self.0.len()
    }

    fn range(&self) -> usize {
        self.0.len()
    }

    fn matvec(&self, v: &Vec<f32>) -> Result<Vec<f32>, KrylovFault> {
        let dot = |row: &Vec<f32>| row.iter().zip(v).map(|(a, x)| a * x).sum();
        Ok(self.0.iter().map(dot).collect())
    }
}

impl SelfAdjoint for Single {}

/// The largest absolute value.
pub(crate) fn size(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |size, x| size.max(x.abs()))
}

/// Spectra that methods fail on: fast and slow decay, steps, clusters, both signs, low rank,
/// multiplicity, nothing at all, one value far from the rest.
pub(crate) fn all(n: usize) -> Vec<(&'static str, Vec<f64>)> {
    let map = |f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<f64>>();
    let mut outlier = map(&|i| i as f64 / n as f64);
    outlier[0] = 1e6;
    vec![
        ("decay", map(&|i| 0.7_f64.powi(i as i32))),
        ("steps", map(&|i| (4 * i / n) as f64)),
        (
            "clusters",
            map(&|i| (5 * i / n) as f64 + 1e-7 * (i % (n / 5)) as f64),
        ),
        ("negative", map(&|i| i as f64 - 0.64 * n as f64)),
        ("rank 3", map(&|i| if i < 3 { 5.0 - i as f64 } else { 0.0 })),
        ("identity", vec![1.0; n]),
        ("zero", vec![0.0; n]),
        ("outlier", outlier),
    ]
}
