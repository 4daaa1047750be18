//! Samples of known laws, as `golden/scripts/tails.py` draws them.

use std::f64::consts::PI;

use burnscape::dynamics::TailEstimator;

pub(crate) const ESTIMATORS: [TailEstimator; 2] = [
    TailEstimator::Mohammadi { sums_of: 100 },
    TailEstimator::LogVariance,
];

/// Uniform numbers in (0, 1), by SplitMix64.
pub(crate) fn uniform(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    let numbers = (0..count).map(|_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 11) as f64 + 0.5) * 0.5_f64.powi(53)
    });
    numbers.collect()
}

/// Symmetric stable samples of scale one, by Chambers, Mallows and Stuck (1976). For `α = 2` their variance is 2.
pub(crate) fn stable(alpha: f64, seed: u64, count: usize) -> Vec<f64> {
    let numbers = uniform(seed, 2 * count);
    let samples = numbers.chunks_exact(2).map(|pair| {
        let (angle, wait) = (PI * (pair[0] - 0.5), -pair[1].ln());
        let tail = (((1.0 - alpha) * angle).cos() / wait).powf((1.0 - alpha) / alpha);
        (alpha * angle).sin() / angle.cos().powf(1.0 / alpha) * tail
    });
    samples.collect()
}

pub(crate) fn normal(seed: u64, count: usize) -> Vec<f64> {
    let samples = stable(2.0, seed, count).into_iter();
    samples.map(|x| x * 0.5_f64.sqrt()).collect()
}

/// Samples of a law with this quantile function.
pub(crate) fn by_quantiles(seed: u64, count: usize, quantile: fn(f64) -> f64) -> Vec<f64> {
    uniform(seed, count).into_iter().map(quantile).collect()
}

pub(crate) fn laplace(p: f64) -> f64 {
    -(1.0 - 2.0 * (p - 0.5).abs()).ln() * (p - 0.5).signum()
}

/// Student's t with two degrees of freedom, whose variance is infinite.
pub(crate) fn student_2(p: f64) -> f64 {
    (2.0 * p - 1.0) / (2.0 * p * (1.0 - p)).sqrt()
}
