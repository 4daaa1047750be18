//! Losses that are known exactly, networks with running statistics, and directions.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::landscape::{Direction, DirectionKind};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

/// A point in f64, without autodiff.
pub(crate) fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default(), DType::F64)
}

/// `½ Σ hᵢ wᵢ²`.
pub(crate) fn quadratic(model: &Point, h: Tensor<1>) -> Tensor<1> {
    (model.w.val().square() * h).sum() * 0.5
}

/// The data of a quadratic: one batch.
pub(crate) fn diagonal(h: &[f64]) -> [Tensor<1>; 1] {
    let data = TensorData::new(h.to_vec(), [h.len()]);
    [Tensor::from_data(data, (&Device::default(), DType::F64))]
}

/// Directions with these coordinates.
pub(crate) fn given<M: Module>(model: &M, vectors: &[&[f64]]) -> Vec<Direction> {
    let space = ParamSpace::of(model).unwrap();
    let direction = |vector: &&[f64]| {
        let vector = ParamVector::from_host(&space, vector).unwrap();
        Direction::new(DirectionKind::Other("given".to_string()), vector)
    };
    vectors.iter().map(direction).collect()
}

/// Gaussian directions with these seeds.
pub(crate) fn drawn<M: Module>(model: &M, seeds: &[u64]) -> Vec<Direction> {
    let space = ParamSpace::of(model).unwrap();
    let direction = |&seed: &u64| {
        let vector = ParamVector::gaussian(&space, seed).unwrap();
        Direction::new(DirectionKind::Other("drawn".to_string()), vector)
    };
    seeds.iter().map(direction).collect()
}

/// Batches of different sizes for networks with four inputs, far from zero.
pub(crate) fn inputs(rows: &[usize]) -> Vec<Tensor<2>> {
    let batch = |(index, &rows): (usize, &usize)| {
        let numbers = (0..rows * 4).map(|i| (1.7 * i as f32 + index as f32).sin() * 3.0 + 5.0);
        let data = TensorData::new(numbers.collect::<Vec<f32>>(), [rows, 4]);
        Tensor::<2>::from_data(data, &Device::default())
    };
    rows.iter().enumerate().map(batch).collect()
}

pub(crate) fn squares(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

pub(crate) fn absolutes(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).abs().mean()
}

pub(crate) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}
