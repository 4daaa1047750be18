use std::f32::consts::PI;

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Points on each spiral.
const POINTS: usize = 64;

/// All points `[x, y]` with their classes, the same on every platform.
pub(crate) fn points() -> impl Iterator<Item = ([f32; 2], i64)> {
    (0..2 * POINTS).map(|index| {
        let class = index % 2;
        let along = (index / 2) as f32 / (POINTS - 1) as f32;
        let (radius, angle) = (0.15 + 0.85 * along, 2.0 * PI * along + PI * class as f32);
        ([radius * angle.cos(), radius * angle.sin()], class as i64)
    })
}

/// The points `[n, 2]` and classes `[n]` as tensors.
pub(crate) fn spirals(device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let (points, classes): (Vec<_>, Vec<_>) = points().unzip();
    let n = points.len();
    (
        Tensor::from_data(TensorData::new(points.concat(), [n, 2]), device),
        Tensor::from_data(TensorData::new(classes, [n]), device),
    )
}
