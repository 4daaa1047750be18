//! Losses with known gradients and Hessians, in double precision unless a test asks for another type.

use burn::tensor::{DType, Tensor, TensorData};
use burnscape::dynamics::{CommutatorConfig, CommutatorDefect};
use burnscape::loss::Risk;
use burnscape_testkit::double::device;
use burnscape_testkit::golden::{GoldenArray, GoldenHeader, load};
use burnscape_testkit::objectives::Point;
use serde::Deserialize;

/// The matrices and centers of quadratics, one an example.
pub(crate) type Quadratics = (Tensor<3>, Tensor<2>);

/// The mean of `½ (w − c)ᵀ M (w − c)`.
pub(crate) fn quadratic(point: &Point, batch: Quadratics) -> Tensor<1> {
    quadratic_at(point.w.val(), batch)
}

/// The same for the weights as a tensor.
pub(crate) fn quadratic_at(w: Tensor<1>, (matrices, centers): Quadratics) -> Tensor<1> {
    let [count, _] = centers.dims();
    let offsets = w.unsqueeze::<2>() - centers;
    let products = matrices.matmul(offsets.clone().unsqueeze_dim::<3>(2));
    (products.squeeze_dim::<2>(2) * offsets).sum() * (0.5 / count as f64)
}

/// A quadratic in two dimensions as a batch of one.
pub(crate) fn batch(matrix: [f64; 4], center: [f64; 2], dtype: DType) -> Quadratics {
    let place = (&device().autodiff(), dtype);
    (
        Tensor::from_data(TensorData::new(matrix.to_vec(), [1, 2, 2]), place),
        Tensor::from_data(TensorData::new(center.to_vec(), [1, 2]), place),
    )
}

/// Matrix and center of the two quadratics with a bracket of (−7, −4) at (1, 1).
pub(crate) const A: ([f64; 4], [f64; 2]) = ([2.0, 1.0, 1.0, 1.0], [1.0, 0.0]);
pub(crate) const B: ([f64; 4], [f64; 2]) = ([1.0, 0.0, 0.0, 3.0], [0.0, -1.0]);

/// Both as batches.
pub(crate) fn pair(dtype: DType) -> [Quadratics; 2] {
    [A, B].map(|(matrix, center)| batch(matrix, center, dtype))
}

pub(crate) fn point(coordinates: &[f64], dtype: DType) -> Point {
    Point::new(coordinates, &device().autodiff(), dtype)
}

/// A configuration for a single pair of whole batches.
pub(crate) fn one_pair() -> CommutatorConfig {
    CommutatorConfig::new().with_num_pairs(1)
}

/// The commutator of two quadratics at (1, 1).
pub(crate) fn of_pair(config: &CommutatorConfig) -> CommutatorDefect {
    let data = pair(DType::F64);
    let risk = Risk::new(&quadratic, &data);
    config.run(&risk, &point(&[1.0, 1.0], DType::F64)).unwrap()
}

/// Rows and targets of a regression.
pub(crate) type Rows = (Tensor<2>, Tensor<1>);

/// The mean of `½ (x·w − y)²`.
pub(crate) fn regression(point: &Point, (x, y): Rows) -> Tensor<1> {
    let outputs = x.matmul(point.w.val().unsqueeze_dim::<2>(1));
    (outputs.squeeze_dim::<1>(1) - y).square().mean() * 0.5
}

/// `golden/dynamics/commutator.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Golden {
    #[allow(dead_code, reason = "checked by `cargo xtask golden`")]
    header: GoldenHeader,
    pub(crate) quadratics: GoldenPair,
    pub(crate) regression: GoldenRegression,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoldenPair {
    pub(crate) c: [f64; 2],
    pub(crate) bracket: f64,
    pub(crate) relative: f64,
    pub(crate) sharpness: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoldenRegression {
    x: GoldenArray,
    y: GoldenArray,
    w: GoldenArray,
    pub(crate) variance: f64,
    pub(crate) rest: f64,
    pub(crate) invariant: f64,
    pub(crate) mean_squares: [f64; 2],
}

impl Golden {
    pub(crate) fn load() -> Self {
        load("dynamics", "commutator").unwrap()
    }
}

impl GoldenRegression {
    pub(crate) const EXAMPLES: usize = 6;
    const DIMENSION: usize = 3;

    pub(crate) fn point(&self) -> Point {
        point(&self.w.values, DType::F64)
    }

    /// Some of the rows as a batch, in the given order.
    pub(crate) fn rows(&self, indices: &[usize]) -> Rows {
        let rows = indices.iter().flat_map(|&index| self.row(index));
        let x = TensorData::new(rows.collect(), [indices.len(), Self::DIMENSION]);
        let targets = indices.iter().map(|&index| self.y.values[index]);
        let y = TensorData::new(targets.collect(), [indices.len()]);
        let place = (&device().autodiff(), DType::F64);
        (Tensor::from_data(x, place), Tensor::from_data(y, place))
    }

    /// The mean gradient of some of the rows.
    pub(crate) fn gradient(&self, indices: &[usize]) -> Vec<f64> {
        let mut mean = vec![0.0; Self::DIMENSION];
        for &index in indices {
            let row = self.row(index);
            let output: f64 = row.iter().zip(&self.w.values).map(|(x, w)| x * w).sum();
            let residual = output - self.y.values[index];
            for (sum, x) in mean.iter_mut().zip(row) {
                *sum += x * residual / indices.len() as f64;
            }
        }
        mean
    }

    fn row(&self, index: usize) -> Vec<f64> {
        let start = index * Self::DIMENSION;
        self.x.values[start..start + Self::DIMENSION].to_vec()
    }
}

pub(crate) fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Relative agreement.
#[track_caller]
pub(crate) fn assert_near(found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(error <= tolerance * expected.abs(), "{found} {expected}");
}
