//! Two spirals.

use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor, TensorData};

/// Points on both spirals together.
pub(crate) const NUM_POINTS: usize = 256;

/// Places `[n, 2]` within the unit circle, and the spiral of each as a sign, `[n, 1]`.
pub(crate) type Points = (Tensor<2>, Tensor<2>);

/// Points along one turn. The second spiral is the first one turned by half a turn.
pub(crate) fn points(device: &Device) -> Points {
    let (mut places, mut signs) = (Vec::new(), Vec::new());
    for index in 0..NUM_POINTS {
        let sign = if index.is_multiple_of(2) { 1.0 } else { -1.0 };
        let along = (index / 2) as f64 / (NUM_POINTS / 2 - 1) as f64;
        let (radius, angle) = (sign * (0.1 + 0.9 * along), TAU * along);
        places.extend([radius * angle.cos(), radius * angle.sin()]);
        signs.push(sign);
    }
    let places = TensorData::new(places, [NUM_POINTS, 2]);
    let signs = TensorData::new(signs, [NUM_POINTS, 1]);
    (
        Tensor::from_data(places, device),
        Tensor::from_data(signs, device),
    )
}
