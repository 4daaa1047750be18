//! Running statistics, and steps that are not finite.

use burnscape::optim::{RhoSchedule, SamConfig, SkipReason};

use super::model::{BATCH, ITEMS, NAN, Net, batches};
use super::training::{Run, by_hand, observed, strategy, train};

#[test]
fn running_statistics_are_those_of_one_plain_pass() {
    let run = Run {
        epochs: 1,
        items: (0..BATCH).collect(),
        ..Run::default()
    };
    let trained = train(run, strategy(SamConfig::new().with_rho(0.5)), Net::new(0.0));
    let plain = Net::new(0.0);
    drop(plain.loss(batches((0..BATCH).collect()).remove(0)));
    assert_eq!(trained.statistics(), plain.statistics());
    assert_ne!(trained.statistics(), Net::new(0.0).statistics());
}

#[test]
fn a_batch_with_a_nan_is_skipped_as_if_it_were_not_there() {
    let bad = ITEMS + NAN;
    // A radius that depends on the step: skipped ones count.
    let falling = RhoSchedule::Linear { end: 0.0, steps: 4 };
    let config = SamConfig::new().with_rho(0.2).with_schedule(falling);
    for accumulation in [None, Some(2)] {
        // Alone, it changes nothing.
        let run = Run {
            epochs: 1,
            items: vec![0, bad],
            accumulation,
            ..Run::default()
        };
        let (strategy, reports) = observed(config.clone());
        let trained = train(run, strategy, Net::new(0.0));
        assert_eq!(trained.state(), Net::new(0.0).state());
        let skipped = reports.lock().unwrap()[0].skipped;
        assert_eq!(skipped, Some(SkipReason::NonFinite));
    }

    // Between other steps it counts, and does not change them.
    let items = vec![0, 1, 2, 3, 4, 5, 6, bad, 8, 9, 10, 11];
    let run = || Run {
        epochs: 1,
        items: items.clone(),
        ..Run::default()
    };
    let (strategy, reports) = observed(config.clone());
    let trained = train(run(), strategy, Net::new(0.0));
    let skipped: Vec<bool> = reports
        .lock()
        .unwrap()
        .iter()
        .map(|report| report.skipped.is_some())
        .collect();
    assert_eq!(skipped, [false, true, false]);
    let expected = by_hand(config, run(), Net::new(0.0));
    assert_eq!(trained.state(), expected.state());
    assert!(trained.weights().iter().all(|weight| weight.is_finite()));
}

#[test]
fn a_displaced_pass_that_is_not_finite_keeps_the_first_ones_statistics() {
    let run = Run {
        epochs: 1,
        items: (0..BATCH).collect(),
        ..Run::default()
    };
    let (strategy, reports) = observed(SamConfig::new().with_rho(1e30));
    let trained = train(run, strategy, Net::new(0.0));
    let skipped = reports.lock().unwrap()[0].skipped;
    assert_eq!(skipped, Some(SkipReason::NonFinitePerturbed));
    let plain = Net::new(0.0);
    drop(plain.loss(batches((0..BATCH).collect()).remove(0)));
    assert_eq!(trained.state(), plain.state());
}
