use burn::tensor::TensorData;
use burnscape_linearize::Noise;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

/// The noise of one batch, drawn on the host so that it is the same on every device.
pub(super) fn drawn(noise: &Noise, seed: u64, batch: usize) -> TensorData {
    // Each batch has a separate stream; multiples of the golden ratio spread the seeds.
    let seed = seed ^ (batch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut rng = StdRng::seed_from_u64(seed);
    let len = noise.shape.iter().product();
    let numbers: Vec<f64> = if noise.is_normal {
        (0..len).map(|_| rng.sample(StandardNormal)).collect()
    } else {
        (0..len).map(|_| rng.random::<f64>()).collect()
    };
    TensorData::new(numbers, [len])
}
