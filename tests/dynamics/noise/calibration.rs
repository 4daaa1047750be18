//! Estimates and intervals against an implementation in NumPy, and how often intervals hold the true value.
//!
//! `cargo xtask sweep noise` runs seeds 0 to 999; seeds 0 to 19 are an ordinary test against stored values.

use std::collections::BTreeMap;
use std::thread;

use burnscape::dynamics::{GradientNoise, GradientNoiseConfig, NoiseEstimator};
use burnscape::loss::Risk;
use burnscape_testkit::golden::{GoldenHeader, load};
use serde::Deserialize;

use super::regression::{Examples, SQUARE, TRACE, loss, model};

#[derive(Deserialize)]
struct Golden {
    header: GoldenHeader,
    settings: Settings,
    /// How many of the seeds have an interval that holds the true value.
    covered: BTreeMap<String, u64>,
    runs: Vec<Run>,
}

#[derive(Deserialize, Clone, Copy)]
struct Settings {
    examples: usize,
    micro_batch: usize,
    seeds: u64,
}

#[derive(Deserialize)]
struct Run {
    seed: u64,
    first_input: f64,
    last_target: f64,
    per_example: Stored,
    micro_batches: Stored,
}

#[derive(Deserialize)]
struct Stored {
    trace: f64,
    gradient_norm_squared: f64,
    scale: f64,
    trace_interval: [f64; 2],
    scale_interval: [f64; 2],
    curvature_trace: f64,
    curvature_scale: f64,
}

const PER_EXAMPLE: NoiseEstimator = NoiseEstimator::PerExample;
const BATCHES: NoiseEstimator = NoiseEstimator::MicroBatches { size: None };

fn golden() -> Golden {
    load("dynamics", "gradient_noise").unwrap()
}

fn measured(
    examples: &Examples,
    micro_batch: usize,
    estimator: NoiseEstimator,
    curvature: bool,
) -> GradientNoise {
    let data = examples.batches(micro_batch);
    let risk = Risk::new(&loss, &data).with_checks(false);
    let config = GradientNoiseConfig::new(estimator).with_curvature(curvature);
    config.run(&risk, &model()).unwrap()
}

#[track_caller]
fn check(noise: &GradientNoise, stored: &Stored) {
    let near = |found: f64, expected: f64, tolerance: f64| {
        let error = (found / expected - 1.0).abs();
        assert!(error < tolerance, "{found} is not {expected}");
    };
    near(noise.trace, stored.trace, 1e-10);
    near(
        noise.gradient_norm_squared,
        stored.gradient_norm_squared,
        1e-10,
    );
    near(noise.scale.unwrap(), stored.scale, 1e-10);
    // Ends depend on a point of Student's law, which the two libraries compute to eight digits or more.
    let ends = [
        (noise.trace_interval.unwrap(), stored.trace_interval),
        (noise.scale_interval.unwrap(), stored.scale_interval),
    ];
    for ((low, high), expected) in ends {
        near(low, expected[0], 1e-7);
        near(high, expected[1], 1e-7);
    }
    if let Some(trace) = noise.curvature_trace {
        near(trace, stored.curvature_trace, 1e-10);
        near(noise.curvature_scale.unwrap(), stored.curvature_scale, 1e-9);
    }
}

#[test]
fn twenty_seeds_have_the_stored_values() {
    let golden = golden();
    assert_eq!(golden.header.script, "golden/scripts/gradient_noise.py");
    let Settings {
        examples,
        micro_batch,
        ..
    } = golden.settings;
    let seeds: Vec<u64> = golden.runs.iter().map(|run| run.seed).collect();
    assert_eq!(seeds, (0..20).collect::<Vec<_>>());
    for run in &golden.runs {
        let data = Examples::new(run.seed, examples);
        assert!((data.inputs[0][0] - run.first_input).abs() < 1e-13);
        assert!((data.targets[examples - 1] - run.last_target).abs() < 1e-13);
        // A product for each example.
        let curvature = run.seed < 2;
        let noise = measured(&data, micro_batch, PER_EXAMPLE, curvature);
        check(&noise, &run.per_example);
        let noise = measured(&data, micro_batch, BATCHES, true);
        check(&noise, &run.micro_batches);
    }
}

/// How many of the seeds have intervals that hold the true values, by the names in the golden file.
fn covered(settings: Settings, seeds: impl Iterator<Item = u64>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        let data = Examples::new(seed, settings.examples);
        for (name, estimator) in [("per_example", PER_EXAMPLE), ("micro_batches", BATCHES)] {
            let noise = measured(&data, settings.micro_batch, estimator, false);
            let intervals = [
                ("trace", noise.trace_interval, TRACE),
                ("scale", noise.scale_interval, TRACE / SQUARE),
            ];
            for (what, interval, truth) in intervals {
                let (low, high) = interval.unwrap();
                let holds = low <= truth && truth <= high;
                *counts.entry(format!("{what}_{name}")).or_default() += u64::from(holds);
            }
        }
    }
    counts
}

#[test]
#[ignore = "cargo xtask sweep noise"]
fn sweep_noise_of_gradients() {
    const THREADS: u64 = 4;
    let golden = golden();
    let settings = golden.settings;
    assert_eq!(settings.seeds, 1000);
    let part = |first: u64| covered(settings, (first..settings.seeds).step_by(THREADS as usize));
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        for found in parts {
            for (name, count) in found.join().unwrap() {
                *counts.entry(name).or_default() += count;
            }
        }
    });
    println!(
        "95 % intervals over seeds 0 to 999, {} examples, micro-batches of {}",
        settings.examples, settings.micro_batch
    );
    for (name, count) in &counts {
        println!("{name:<22} {:>5.1} %", *count as f64 / 10.0);
    }
    for (name, &count) in &counts {
        assert!((930..=970).contains(&count), "{name}: {count}");
        // An end that is the true value to rounding may fall on either side.
        let stored = golden.covered[name];
        assert!(count.abs_diff(stored) <= 1, "{name}: {count} and {stored}");
    }
    assert_eq!(counts.len(), golden.covered.len());
}
