//! Coordinates of different scales: pooled they look heavy.

use burnscape::dynamics::{TailEstimator, TailIndex, TailIndexConfig};

use super::draws::normal;

const COORDINATES: usize = 100;

/// Gaussian coordinates with log-normal scales.
fn rows(seed: u64, examples: usize) -> Vec<Vec<f64>> {
    let drawn = normal(seed, COORDINATES * examples);
    let scales = normal(1_000 + seed, COORDINATES);
    let coordinates = scales.iter().enumerate().map(|(coordinate, z)| {
        let samples = drawn.iter().skip(coordinate).step_by(COORDINATES);
        samples.map(|x| x * (1.5 * *z).exp()).collect()
    });
    coordinates.collect()
}

/// The numbers of a warning about pooling: that of the samples, and of their null.
fn numbers(warning: &str) -> [f64; 2] {
    let after = |words: &str| {
        let (_, rest) = warning.split_once(words).unwrap();
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap();
        rest[..end].parse().unwrap()
    };
    [after("would give "), after("with their variances ")]
}

#[test]
fn gaussian_rows_of_many_scales_are_not_heavy_and_a_warning_says_what_pooling_gives() {
    for seed in 0..3 {
        let sums = |sums_of| TailEstimator::Mohammadi { sums_of };
        for (estimator, examples) in [
            (sums(10), 100),
            (sums(100), 500),
            (TailEstimator::LogVariance, 100),
        ] {
            let config = TailIndexConfig::new(estimator).with_seed(seed);
            let found = TailIndex::of(&rows(seed, examples), &config).unwrap();
            assert!(!found.is_heavier, "{found}");
            assert!((found.alpha - 2.0).abs() < 0.36, "{found}");
            let [warning] = found.warnings.as_slice() else {
                panic!("{found}");
            };
            assert!(found.to_string().contains(warning));
            // The scales are the same in both, so that pooling tells nothing.
            let [pooled, null] = numbers(warning);
            assert!(pooled < 1.5, "{warning}");
            assert!((pooled - null).abs() < 0.1, "{warning}");
        }
    }
}

#[test]
fn the_same_rows_standardized_and_shuffled_are_gaussian() {
    for seed in 0..3 {
        let mut samples = Vec::new();
        for coordinate in rows(seed, 100) {
            let count = coordinate.len() as f64;
            let mean = coordinate.iter().sum::<f64>() / count;
            let squares: f64 = coordinate.iter().map(|x| (x - mean).powi(2)).sum();
            let deviation = (squares / count).sqrt();
            samples.extend(coordinate.iter().map(|x| (x - mean) / deviation));
        }
        let config = TailIndexConfig::new(TailEstimator::Mohammadi { sums_of: 100 });
        let found = TailIndex::of(&[samples], &config.with_seed(seed)).unwrap();
        assert!((found.alpha - 2.01).abs() < 3.0 * 0.12, "{found}");
        assert!(!found.is_heavier && found.warnings.is_empty(), "{found}");
    }
}

#[test]
fn equal_scales_need_no_warning() {
    let coordinates: Vec<_> = (0..20).map(|seed| normal(seed, 500)).collect();
    for estimator in [
        TailEstimator::Mohammadi { sums_of: 50 },
        TailEstimator::LogVariance,
    ] {
        let found = TailIndex::of(&coordinates, &TailIndexConfig::new(estimator)).unwrap();
        assert!(found.warnings.is_empty(), "{found}");
    }
}

#[test]
fn centered_samples_sum_to_zero_and_have_their_index_all_the_same() {
    let coordinates: Vec<Vec<f64>> = (0..20)
        .map(|seed| {
            let samples = normal(seed, 500);
            let mean = samples.iter().sum::<f64>() / 500.0;
            samples.iter().map(|x| x - mean).collect()
        })
        .collect();
    let config = TailIndexConfig::new(TailEstimator::Mohammadi { sums_of: 100 });
    let found = TailIndex::of(&coordinates, &config).unwrap();
    assert!((found.alpha - 2.0).abs() < 0.3, "{found}");
    assert!(!found.is_heavier, "{found}");
}
