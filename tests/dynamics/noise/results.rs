//! What a result is: plain data, a table, one of several.

use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData};
use burnscape::dynamics::{Cost, GradientNoise, GradientNoiseConfig, NoiseEstimator, Reading};
use burnscape::prelude::*;
use burnscape_testkit::double::device;

use super::regression::{Examples, layer, loss, model};

const BATCHES: NoiseEstimator = NoiseEstimator::MicroBatches { size: None };

fn measured(seed: u64, config: &GradientNoiseConfig) -> GradientNoise {
    let data = Examples::new(seed, 64).batches(8);
    config.run(&Risk::new(&loss, &data), &model()).unwrap()
}

/// The gradients of the examples are these numbers.
fn of_numbers(numbers: &[f64]) -> GradientNoise {
    let values = TensorData::new(numbers.to_vec(), [numbers.len(), 1]);
    let data = [Tensor::<2>::from_data(values, &device())];
    let linear = |m: &Linear, x: Tensor<2>| m.forward(x).mean();
    let config = GradientNoiseConfig::new(NoiseEstimator::PerExample);
    let risk = Risk::new(&linear, &data);
    config.run(&risk, &layer(&[0.5])).unwrap()
}

#[test]
fn a_gradient_that_is_not_told_from_zero_has_an_unbounded_scale() {
    // The mean is about its standard error.
    let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
    let numbers = (0..24).map(|k| 0.25 + sign(k) * (1.0 + 0.02 * k as f64));
    let noise = of_numbers(&numbers.collect::<Vec<_>>());
    let (low, high) = noise.scale_interval.unwrap();
    assert!(low > 0.0 && high == f64::INFINITY);
    let text = noise.to_string();
    assert!(
        text.starts_with("gradient noise of 24 examples\nloss "),
        "{text}"
    );
    assert!(text.contains(" or more, unbounded"), "{text}");
    let json = noise.to_json().unwrap();
    assert!(json.contains("\"inf\""), "{json}");
    let read = GradientNoise::from_json(&json).unwrap();
    assert_eq!(read.scale_interval.unwrap().1, f64::INFINITY);
    assert_eq!(read.estimator, noise.estimator);
}

#[test]
fn a_result_prints_as_a_table() {
    let noise = of_numbers(&[3.0, 1.0, 2.0, 2.0]);
    // ḡ = 2 and tr Σ = 2/3.
    let text = noise.to_string();
    let line = |name: &str, value: &str| {
        let found = text.lines().find(|line| line.starts_with(name));
        assert!(found.is_some_and(|line| line.contains(value)), "{text}");
    };
    line("|gradient|", "2.0000");
    line("tr Σ  ", "0.6667  95 %: ");
    line("|G|²", "3.8333");
    line("tr Σ / |G|²", "0.1739  95 %: ");
    assert!(!text.contains("HΣ"));
    let with = GradientNoiseConfig::new(BATCHES).with_curvature(true);
    let text = measured(1, &with).to_string();
    assert!(text.starts_with("gradient noise of 8 micro-batches of 8\n"));
    assert!(text.contains("tr HΣ / GᵀHG"), "{text}");
    let two = GradientNoiseConfig::new(NoiseEstimator::TwoSizes { small: 2 });
    let text = measured(1, &two.with_confidence(0.9)).to_string();
    assert!(text.starts_with("gradient noise of 8 batches of 8 and their first 2\n"));
    assert!(text.contains("90 %: "), "{text}");
}

#[test]
fn readings_pool_as_a_ratio_of_means() {
    let config = GradientNoiseConfig::new(BATCHES).with_curvature(true);
    let readings: Vec<GradientNoise> = (0..6).map(|seed| measured(seed, &config)).collect();
    let pooled = GradientNoise::pooled(&readings).unwrap();
    let mean = |value: fn(&GradientNoise) -> f64| readings.iter().map(value).sum::<f64>() / 6.0;
    let (trace, square) = (
        mean(|noise| noise.trace),
        mean(|noise| noise.gradient_norm_squared),
    );
    let near = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    };
    near(pooled.trace, trace);
    near(pooled.gradient_norm_squared, square);
    near(pooled.scale.unwrap(), trace / square);
    let (above, below) = (
        mean(|noise| noise.curvature_trace.unwrap()),
        mean(|noise| noise.gradient_curvature.unwrap()),
    );
    near(pooled.curvature_scale.unwrap(), above / below);
    assert_eq!((pooled.num_samples, pooled.num_examples), (48, 64));
    let mut cost = Cost::default();
    readings.iter().for_each(|noise| cost += noise.cost);
    assert_eq!(pooled.cost, cost);
    // The ends of Fieller's interval solve its equation, with Student's point of 5 degrees of freedom.
    let (low, high) = pooled.scale_interval.unwrap();
    assert!(low < pooled.scale.unwrap() && pooled.scale.unwrap() < high);
    for end in [low, high] {
        let rest = readings
            .iter()
            .map(|noise| noise.trace - trace - end * (noise.gradient_norm_squared - square));
        let variance = rest.map(|x| x * x).sum::<f64>() / 30.0;
        let t = (trace - end * square).abs() / variance.sqrt();
        assert!((t - 2.570_581_835_636).abs() < 1e-9, "{t}");
    }
    // One is itself; others do not mix.
    let one = GradientNoise::pooled(&readings[..1]).unwrap();
    assert_eq!(one, readings[0]);
    assert_eq!(GradientNoise::pooled(&[]), None);
    let other = measured(0, &config.with_confidence(0.9));
    assert_eq!(GradientNoise::pooled(&[one, other]), None);
}

#[test]
fn quantities_have_names_of_their_own_and_the_cost_is_what_was_done() {
    let quantities = GradientNoise::quantities();
    let mut names: Vec<&str> = quantities.iter().map(|quantity| quantity.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), quantities.len());
    let data = Examples::new(30, 64).batches(8);
    let cost = |checks: bool, estimator: NoiseEstimator, curvature: bool| {
        let risk = Risk::new(&loss, &data).with_checks(checks);
        let config = GradientNoiseConfig::new(estimator).with_curvature(curvature);
        let cost = config.run(&risk, &model()).unwrap().cost();
        (cost.num_losses, cost.num_gradients, cost.num_matvecs)
    };
    assert_eq!(cost(false, BATCHES, false), (0, 1, 0));
    assert_eq!(cost(true, BATCHES, false), (2, 1, 0));
    assert_eq!(cost(false, BATCHES, true), (0, 2, 9));
    assert_eq!(cost(true, BATCHES, true), (2, 3, 11));
    assert_eq!(cost(false, NoiseEstimator::PerExample, false), (0, 2, 0));
    assert_eq!(cost(false, NoiseEstimator::PerExample, true), (0, 3, 65));
    let two = NoiseEstimator::TwoSizes { small: 2 };
    assert_eq!(cost(false, two, false), (0, 1, 0));
}
