use burn::backend::DispatchTensor;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape_linearize::Noise;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

/// The noise of one batch, drawn on the host: the same on every device.
pub(super) fn drawn(
    (noise, dtype): &(Noise, DType),
    seed: u64,
    batch: usize,
    device: &Device,
) -> DispatchTensor {
    // Streams of their own for the batches: the golden ratio spreads the indices.
    let seed = seed ^ (batch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut rng = StdRng::seed_from_u64(seed);
    let len = noise.shape.iter().product();
    let numbers: Vec<f64> = match noise.is_normal {
        true => (0..len).map(|_| rng.sample(StandardNormal)).collect(),
        false => (0..len).map(|_| rng.random::<f64>()).collect(),
    };
    let data = TensorData::new(numbers, [len]);
    Tensor::<1>::from_data(data, (device, *dtype)).into_dispatch()
}
