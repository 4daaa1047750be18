//! Estimates for laws whose index is known, and for laws that have none.

use burnscape::dynamics::{TailEstimator, TailIndex, TailIndexConfig};

use super::draws::{ESTIMATORS, by_quantiles, laplace, normal, stable};

const SAMPLES: usize = 10_000;

fn index(estimator: TailEstimator, seed: u64, samples: &[f64]) -> TailIndex {
    let config = TailIndexConfig::new(estimator).with_seed(seed);
    TailIndex::of(&[samples.to_vec()], &config).unwrap()
}

#[test]
fn stable_laws_have_their_index() {
    // Mean and standard deviation of the published estimators, which these are no worse than.
    let table = [
        (1.0, [(1.009, 0.035), (1.000, 0.016)]),
        (1.5, [(1.50, 0.07), (1.497, 0.029)]),
        (1.8, [(1.79, 0.08), (1.813, 0.048)]),
        (1.95, [(1.96, 0.08), (1.953, 0.072)]),
        (2.0, [(2.01, 0.08), (1.997, 0.072)]),
    ];
    let mut false_alarms = 0;
    for (alpha, expected) in table {
        for seed in 0..3 {
            let samples = stable(alpha, seed, SAMPLES);
            for (estimator, (mean, deviation)) in ESTIMATORS.into_iter().zip(expected) {
                let found = index(estimator, seed, &samples);
                let error = (found.alpha - mean).abs();
                assert!(
                    error < 3.0 * deviation,
                    "{estimator:?}, {alpha}, {seed}: {found}"
                );
                assert!((found.null_alpha - 2.0).abs() < 0.1, "{found}");
                let (low, high) = found.null_interval;
                assert!(low < found.null_alpha && found.null_alpha < high);
                if alpha <= 1.5 {
                    assert!(found.is_heavier, "{found}");
                }
                false_alarms += usize::from(alpha == 2.0 && found.is_heavier);
            }
        }
    }
    // Of six, each with a probability below 0.025: the sweep counts them.
    assert!(false_alarms <= 1);
}

#[test]
fn neither_scale_location_nor_order_of_a_coordinate_decides() {
    let samples = stable(1.5, 0, SAMPLES);
    for estimator in ESTIMATORS {
        let found = index(estimator, 0, &samples);
        // Powers of two leave the digits.
        let scaled: Vec<f64> = samples.iter().map(|x| x * 0.5_f64.powi(300)).collect();
        let scaled = index(estimator, 0, &scaled);
        assert_eq!(
            (scaled.alpha, scaled.interval),
            (found.alpha, found.interval)
        );
        let moved: Vec<f64> = samples.iter().map(|x| x + 10.0).collect();
        let moved = index(estimator, 0, &moved);
        assert!((moved.alpha / found.alpha - 1.0).abs() < 1e-6);
        // Sorted samples give what others in a random order give.
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        let sorted = index(estimator, 0, &sorted);
        assert_ne!(sorted.alpha, found.alpha);
        assert!((sorted.alpha - 1.5).abs() < 0.21, "{sorted}");
    }
}

#[test]
fn skewness_is_no_tail_and_the_log_variance_of_exponentials_is_exact() {
    for seed in 0..3 {
        // Differences of exponential samples are Laplace, and Var ln|X| is π²/6.
        let samples = by_quantiles(seed, SAMPLES, |p| -p.ln());
        let found = index(TailEstimator::LogVariance, seed, &samples);
        let (low, high) = found.interval;
        let width = high - low;
        let expected = 2.0_f64.sqrt();
        assert!((found.alpha - expected).abs() < width, "{found}");
        // Less their median, which is 0.31 below their mean, sums of 100 would drift like those of a law with α near 1.
        let found = index(TailEstimator::Mohammadi { sums_of: 100 }, seed, &samples);
        assert!(found.alpha > 1.6, "{found}");
    }
}

#[test]
fn larger_sums_tell_stable_laws_from_others() {
    let count = 2 * SAMPLES;
    let sums = |sums_of| TailEstimator::Mohammadi { sums_of };
    for seed in 0..3 {
        // A law with exponential tails is heavier than a Gaussian one for small sums only.
        let samples = by_quantiles(seed, count, laplace);
        let few = index(sums(5), seed, &samples);
        assert!(few.is_heavier && few.alpha < 1.85, "{few}");
        let many = index(sums(500), seed, &samples);
        assert!(many.alpha > few.alpha + 0.08, "{many}");
        let samples = stable(1.5, seed, count);
        let few = index(sums(5), seed, &samples);
        let many = index(sums(500), seed, &samples);
        for found in [few, many] {
            let (low, high) = found.interval;
            assert!(low < 1.5 && 1.5 < high, "{found}");
        }
    }
}

#[test]
fn coordinates_of_one_example_do_not_count_twice() {
    let samples = normal(0, 1_000);
    for estimator in [
        TailEstimator::Mohammadi { sums_of: 20 },
        TailEstimator::LogVariance,
    ] {
        let config = TailIndexConfig::new(estimator);
        let one = TailIndex::of(std::slice::from_ref(&samples), &config).unwrap();
        let copies = TailIndex::of(&[(); 8].map(|()| samples.clone()), &config).unwrap();
        let width = |index: &TailIndex| index.interval.1 - index.interval.0;
        assert!((width(&copies) / width(&one) - 1.0).abs() < 1e-9);
        // Others that are independent do.
        let others: Vec<_> = (0..8).map(|seed| normal(seed, 1_000)).collect();
        let independent = TailIndex::of(&others, &config).unwrap();
        assert!(width(&independent) < 0.6 * width(&one));
    }
}
