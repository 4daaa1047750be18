//! Every setting decides something, and results are plain data.

use burnscape::dynamics::{Cost, Reading, TailEstimator, TailIndex, TailIndexConfig};

use super::draws::normal;

fn coordinates() -> Vec<Vec<f64>> {
    (0..4).map(|seed| normal(seed, 400)).collect()
}

fn index(config: &TailIndexConfig) -> TailIndex {
    TailIndex::of(&coordinates(), config).unwrap()
}

#[test]
fn every_setting_decides_something() {
    let new = || TailIndexConfig::new(TailEstimator::Mohammadi { sums_of: 10 });
    let one = index(&new());
    assert_eq!(index(&new()), one);
    // A setting without a line here does not compile.
    let TailIndexConfig {
        estimator: _,
        confidence: _,
        seed: _,
        null_samples: _,
        // tests/dynamics/tails/gradients.rs
        num_coordinates: _,
    } = new();
    let others = [
        TailEstimator::Mohammadi { sums_of: 20 },
        TailEstimator::LogVariance,
    ];
    for estimator in others {
        assert_ne!(index(&TailIndexConfig::new(estimator)).alpha, one.alpha);
    }
    let sure = index(&new().with_confidence(0.99));
    assert_eq!((sure.alpha, sure.null_alpha), (one.alpha, one.null_alpha));
    assert!(sure.interval.0 < one.interval.0 && one.interval.1 < sure.interval.1);
    assert!(sure.null_interval.0 < one.null_interval.0);
    let other = index(&new().with_seed(1));
    assert_ne!(other.alpha, one.alpha);
    assert_ne!(other.null_alpha, one.null_alpha);
    let exact = index(&new().with_null_samples(80));
    assert_eq!(exact.alpha, one.alpha);
    let width = |index: &TailIndex| index.null_interval.1 - index.null_interval.0;
    assert!(width(&exact) < 0.8 * width(&one));
}

#[test]
fn a_result_says_what_it_found_and_goes_through_json() {
    let config = TailIndexConfig::new(TailEstimator::Mohammadi { sums_of: 10 });
    let found = index(&config);
    assert_eq!((found.num_coordinates, found.num_samples), (4, 400));
    assert_eq!(found.num_blocks, 40);
    assert_eq!(
        (found.cost, Reading::cost(&found)),
        (Cost::default(), Cost::default())
    );
    let text = found.to_string();
    assert!(text.starts_with("The tail index is "), "{text}");
    assert!(
        text.contains(" (95 % interval ") && text.contains("from 400 samples of 4 coordinates.")
    );
    assert!(
        text.contains("They are not heavier than Gaussian noise"),
        "{text}"
    );
    let mut infinite = found;
    infinite.interval.1 = f64::INFINITY;
    let text = serde_json::to_string(&infinite).unwrap();
    assert!(text.contains("\"inf\""), "{text}");
    let read: TailIndex = serde_json::from_str(&text).unwrap();
    assert_eq!(read.interval.1, f64::INFINITY);
    assert!((read.alpha - infinite.alpha).abs() <= f64::EPSILON * infinite.alpha);
    assert_eq!(read.config, infinite.config);
    for quantity in TailIndex::quantities() {
        assert!((quantity.value)(&infinite).is_some(), "{}", quantity.name);
    }
}
