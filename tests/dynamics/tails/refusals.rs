//! Samples that have no tail index.

use burnscape::OutOfRange;
use burnscape::dynamics::{DynamicsError, TailEstimator, TailIndex, TailIndexConfig};

use super::draws::normal;

fn refused(config: &TailIndexConfig, coordinates: &[Vec<f64>]) -> OutOfRange {
    match TailIndex::of(coordinates, config) {
        Err(DynamicsError::OutOfRange(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn sums(sums_of: usize) -> TailIndexConfig {
    TailIndexConfig::new(TailEstimator::Mohammadi { sums_of })
}

#[test]
fn settings_out_of_range_are_named() {
    let samples = [normal(0, 100)];
    let new = || TailIndexConfig::new(TailEstimator::LogVariance);
    for (config, name) in [
        (sums(0), "sums_of"),
        // ln 1 = 0.
        (sums(1), "sums_of"),
        // One sum, two sums.
        (sums(100), "sums_of"),
        (sums(50), "sums_of"),
        (new().with_confidence(0.0), "confidence"),
        (new().with_confidence(1.0), "confidence"),
        (new().with_confidence(f64::NAN), "confidence"),
        (new().with_null_samples(1), "null_samples"),
        (new().with_num_coordinates(0), "num_coordinates"),
    ] {
        assert_eq!(refused(&config, &samples).name, name, "{config:?}");
    }
    let text = refused(&sums(50), &samples).to_string();
    assert_eq!(
        text,
        "`sums_of` is 50; use 2 to 33: an interval needs 3 sums, and a coordinate has 100 samples"
    );
    assert!(TailIndex::of(&samples, &sums(33)).is_ok());
}

#[test]
fn too_few_samples_are_refused() {
    let log = TailIndexConfig::new(TailEstimator::LogVariance);
    assert_eq!(
        refused(&log, &[normal(0, 63)]).to_string(),
        "`num_samples` is 63; use 64 or more of each coordinate"
    );
    assert!(TailIndex::of(&[normal(0, 64)], &log).is_ok());
    assert_eq!(
        refused(&sums(2), &[normal(0, 5)]).to_string(),
        "`num_samples` is 5; use 6 or more of each coordinate"
    );
    assert!(TailIndex::of(&[normal(0, 6)], &sums(2)).is_ok());
    assert_eq!(refused(&sums(2), &[Vec::new()]).name, "num_samples");
}

#[test]
fn coordinates_without_an_index_are_named() {
    let good = normal(0, 100);
    let mut infinite = good.clone();
    infinite[7] = f64::INFINITY;
    let mut missing = good.clone();
    missing[0] = f64::NAN;
    let mut often = good.clone();
    often[..30].fill(0.0);
    let text = |coordinates: &[Vec<f64>]| refused(&sums(10), coordinates).to_string();
    assert_eq!(
        text(&[]),
        "`coordinates` is 0; use the samples of at least one coordinate"
    );
    assert_eq!(
        text(&[good.clone(), good[..99].to_vec()]),
        "`coordinates` is 99; use 100 samples in coordinate 1, as many as in the first"
    );
    assert_eq!(
        text(&[good.clone(), infinite]),
        "`coordinates` is inf; use a finite number for sample 7 of coordinate 1"
    );
    assert_eq!(
        text(&[missing]),
        "`coordinates` is NaN; use a finite number for sample 0 of coordinate 0"
    );
    assert_eq!(
        text(&[good.clone(), vec![2.0; 100]]),
        "`coordinates` is 2; use samples that vary: coordinate 1 is constant, leave it out"
    );
    assert_eq!(
        text(&[vec![0.0; 100]]),
        "`coordinates` is 0; use samples that vary: coordinate 0 is constant, leave it out"
    );
    assert_eq!(
        text(&[good, often]),
        "`coordinates` is 0; use samples that differ: 30 of 100 in coordinate 1 have this value, leave it out"
    );
}

#[test]
fn a_few_samples_that_agree_are_no_obstacle() {
    let mut samples = normal(0, 2_000);
    let before = TailIndex::of(&[samples.clone()], &sums(20)).unwrap();
    for place in 0..100 {
        samples[20 * place] = 0.5;
    }
    let after = TailIndex::of(&[samples.clone()], &sums(20)).unwrap();
    assert!((after.alpha - before.alpha).abs() < 0.3, "{after}");
    let log = TailIndexConfig::new(TailEstimator::LogVariance);
    assert!((TailIndex::of(&[samples], &log).unwrap().alpha - 2.0).abs() < 0.3);
}

#[test]
fn samples_may_be_as_large_as_numbers_are() {
    let unit = f64::MAX / 100.0;
    let large: Vec<f64> = normal(0, 1_000).iter().map(|x| x * unit).collect();
    let small: Vec<f64> = normal(1, 1_000).iter().map(|x| x / unit).collect();
    let found = TailIndex::of(&[large, small], &sums(20)).unwrap();
    assert!((found.alpha - 2.0).abs() < 0.5, "{found}");
}
