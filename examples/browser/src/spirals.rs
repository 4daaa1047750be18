use std::f32::consts::PI;

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Points on each spiral.
const POINTS: usize = 64;

/// A point of a spiral and its class.
pub(crate) fn point(index: usize) -> ([f32; 2], i64) {
    let class = index % 2;
    let along = (index / 2) as f32 / (POINTS - 1) as f32;
    let (radius, angle) = (0.15 + 0.85 * along, 2.0 * PI * along + PI * class as f32);
    ([radius * angle.cos(), radius * angle.sin()], class as i64)
}

/// Points `[n, 2]` and classes `[n]`, the same on every platform.
pub(crate) fn spirals(device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let n = 2 * POINTS;
    let points: Vec<f32> = (0..n).flat_map(|index| point(index).0).collect();
    let classes: Vec<i64> = (0..n).map(|index| point(index).1).collect();
    (
        Tensor::from_data(TensorData::new(points, [n, 2]), device),
        Tensor::from_data(TensorData::new(classes, [n]), device),
    )
}
