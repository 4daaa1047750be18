//! The estimates against their definition: closed forms, enumerations, and laws.

use burnscape::dynamics::{GradientNoise, GradientNoiseConfig, NoiseEstimator};
use burnscape::loss::Risk;

use super::regression::{Batch, Examples, INPUTS, SQUARE, TRACE, layer, loss, model};

const PER_EXAMPLE: NoiseEstimator = NoiseEstimator::PerExample;
const BATCHES: NoiseEstimator = NoiseEstimator::MicroBatches { size: None };

fn measured(data: &[Batch], estimator: NoiseEstimator) -> GradientNoise {
    let data = data.to_vec();
    let risk = Risk::new(&loss, &data);
    GradientNoiseConfig::new(estimator)
        .run(&risk, &model())
        .unwrap()
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs().max(1e-3);
    assert!(
        found == expected || error < tolerance,
        "{found} is not {expected}"
    );
}

/// `tr Σ` and `|G|²` of a population of gradients, and its mean.
fn population(gradients: &[[f64; INPUTS]]) -> (f64, f64, [f64; INPUTS]) {
    let count = gradients.len() as f64;
    let mean: [f64; INPUTS] =
        std::array::from_fn(|i| gradients.iter().map(|g| g[i]).sum::<f64>() / count);
    let spread: f64 = gradients.iter().map(|g| distance(g, &mean)).sum();
    let trace = spread / (count - 1.0);
    let square: f64 = mean.iter().map(|x| x * x).sum();
    (trace, square - trace / count, mean)
}

fn distance(a: &[f64; INPUTS], b: &[f64; INPUTS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// All subsets of a size of the first `count` numbers.
fn subsets(count: usize, size: usize) -> Vec<Vec<usize>> {
    let masks = (0..1_u32 << count).filter(|mask| mask.count_ones() as usize == size);
    let chosen = |mask: u32| (0..count).filter(|i| (mask >> i) & 1 == 1).collect();
    masks.map(chosen).collect()
}

/// For each of three seeds: every interval holds the true value, and `|G|²` is near.
#[test]
fn a_linear_regression_has_its_noise() {
    for seed in [0, 1, 2] {
        let all = Examples::new(seed, 4096);
        let first = Examples {
            inputs: all.inputs[..1024].to_vec(),
            targets: all.targets[..1024].to_vec(),
        };
        let cases = [
            (measured(&first.batches(256), PER_EXAMPLE), 0.15),
            (measured(&all.batches(8), BATCHES), 0.15),
            // The standard deviation of this estimate is 0.09.
            (
                measured(&all.batches(64), NoiseEstimator::TwoSizes { small: 8 }),
                0.3,
            ),
        ];
        for (noise, room) in cases {
            let (low, high) = noise.trace_interval.unwrap();
            assert!(low < TRACE && TRACE < high, "{seed}: {noise}");
            let (low, high) = noise.scale_interval.unwrap();
            let scale = TRACE / SQUARE;
            assert!(low < scale && scale < high, "{seed}: {noise}");
            let error = (noise.gradient_norm_squared - SQUARE).abs();
            assert!(error < room, "{seed}: {noise}");
            // The standard deviation is 0.045 at most.
            assert!((noise.loss - 0.5 * (SQUARE + 0.49)).abs() < 0.15, "{noise}");
        }
    }
}

#[test]
fn the_variance_of_a_batch_is_that_over_all_batches() {
    let examples = Examples::new(3, 8);
    let gradients = examples.gradients();
    let (trace, square, mean) = population(&gradients);
    let noise = measured(&examples.batches(4), PER_EXAMPLE);
    near(noise.trace, trace, 1e-12);
    near(noise.gradient_norm_squared, square, 1e-11);
    let length: f64 = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
    near(noise.gradient_norm, length, 1e-12);
    for size in 1..=8 {
        let all = subsets(8, size);
        let variance: f64 = all
            .iter()
            .map(|chosen| {
                let own: [f64; INPUTS] = std::array::from_fn(|i| {
                    chosen.iter().map(|&k| gradients[k][i]).sum::<f64>() / size as f64
                });
                distance(&own, &mean)
            })
            .sum();
        let variance = variance / all.len() as f64;
        assert!((noise.batch_variance(size) - variance).abs() < 1e-12 * trace);
    }
    assert_eq!(noise.batch_variance(0), f64::INFINITY);
    assert_eq!(noise.batch_variance(9), 0.0);
}

/// The mean over all partitions of the data into two micro-batches.
#[test]
fn micro_batches_are_unbiased() {
    let examples = Examples::new(4, 6);
    let (trace, square, _) = population(&examples.gradients());
    // The first example is in the first micro-batch.
    let partitions = subsets(6, 3).into_iter().filter(|chosen| chosen[0] == 0);
    let found: Vec<GradientNoise> = partitions
        .map(|chosen| {
            let rest: Vec<usize> = (0..6).filter(|i| !chosen.contains(i)).collect();
            measured(&[examples.batch(&chosen), examples.batch(&rest)], BATCHES)
        })
        .collect();
    assert_eq!(found.len(), 10);
    let mean = |value: fn(&GradientNoise) -> f64| found.iter().map(value).sum::<f64>() / 10.0;
    near(mean(|noise| noise.trace), trace, 1e-12);
    near(mean(|noise| noise.gradient_norm_squared), square, 1e-11);
    // Two gradients have no interval.
    assert_eq!(found[0].num_samples, 2);
    assert!(found[0].trace_interval.is_none() && found[0].scale_interval.is_none());
}

/// The mean over all batches of four of six examples, and all choices of its first two.
#[test]
fn two_sizes_are_unbiased() {
    let examples = Examples::new(5, 6);
    let (trace, square, _) = population(&examples.gradients());
    let mut data = Vec::new();
    for large in subsets(6, 4) {
        for first in subsets(4, 2) {
            let rest = (0..4).filter(|i| !first.contains(i));
            let order: Vec<usize> = first.iter().copied().chain(rest).collect();
            let chosen: Vec<usize> = order.iter().map(|&i| large[i]).collect();
            data.push(examples.batch(&chosen));
        }
    }
    let noise = measured(&data, NoiseEstimator::TwoSizes { small: 2 });
    assert_eq!((noise.num_samples, noise.batch_size), (90, 4));
    near(noise.trace, trace, 1e-12);
    near(noise.gradient_norm_squared, square, 1e-11);
}

#[track_caller]
fn agree(one: &GradientNoise, other: &GradientNoise) {
    let numbers = |noise: &GradientNoise| {
        let (low, high) = noise.trace_interval.unwrap();
        let (least, most) = noise.scale_interval.unwrap();
        [
            noise.loss,
            noise.gradient_norm,
            noise.trace,
            noise.gradient_norm_squared,
            low,
            high,
            least,
            most,
        ]
    };
    for (one, other) in numbers(one).into_iter().zip(numbers(other)) {
        near(one, other, 1e-10);
    }
}

#[test]
fn micro_batches_of_one_example_are_the_examples() {
    let examples = Examples::new(6, 24);
    let size = Some(1);
    let one = measured(&examples.batches(8), NoiseEstimator::MicroBatches { size });
    let other = measured(&examples.batches(8), PER_EXAMPLE);
    agree(&one, &other);
    assert_eq!((one.num_samples, one.batch_size), (24, 1));
}

#[test]
fn other_batches_of_the_same_examples_change_nothing() {
    let examples = Examples::new(7, 24);
    let whole = measured(&examples.split(&[24]), PER_EXAMPLE);
    for sizes in [&[8, 8, 8][..], &[5, 12, 7], &[1, 23]] {
        agree(&measured(&examples.split(sizes), PER_EXAMPLE), &whole);
    }
    let fours = NoiseEstimator::MicroBatches { size: Some(4) };
    let micro = measured(&examples.split(&[4; 6]), BATCHES);
    for sizes in [&[24][..], &[8, 16], &[4, 12, 8]] {
        agree(&measured(&examples.split(sizes), fours), &micro);
    }
}

/// Gradients that nearly agree: the noise is 1e-7 of them.
#[test]
fn small_noise_beside_a_large_gradient_keeps_its_digits() {
    let offsets = [1.0, -2.0, 0.5, 3.0, -1.5, 0.25];
    let examples = Examples {
        inputs: offsets
            .iter()
            .map(|offset| [1e3 + 1e-4 * offset, 0.0, 0.0, 0.0, 0.0])
            .collect(),
        targets: vec![0.0; 6],
    };
    let data = examples.batches(1);
    let linear = |m: &burn::nn::Linear, (x, _): Batch| m.forward(x).mean();
    let risk = Risk::new(&linear, &data);
    let noise = GradientNoiseConfig::new(BATCHES)
        .run(&risk, &layer(&[1.0, 0.0, 0.0, 0.0, 0.0]))
        .unwrap();
    let mean = offsets.iter().sum::<f64>() / 6.0;
    let spread: f64 = offsets.iter().map(|offset| (offset - mean).powi(2)).sum();
    near(noise.trace * 1e8, spread / 5.0, 1e-6);
}
