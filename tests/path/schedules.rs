//! Learning-rate schedules.

use burn::optim::lr_scheduler::LrScheduler;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burnscape::path::{FastGeometricEnsemble, GaripovLrScheduler};

#[test]
fn cycles_fall_and_rise_in_straight_lines() {
    let mut schedule = FastGeometricEnsemble::new(1.0, 0.2, 4).unwrap();
    let rates: Vec<f64> = (0..8).map(|_| schedule.step()).collect();
    for (rate, expected) in rates.iter().zip([0.6, 0.2, 0.6, 1.0, 0.6, 0.2, 0.6, 1.0]) {
        assert!((rate - expected).abs() < 1e-15, "{rates:?}");
    }
}

#[test]
fn schedules_resume_where_they_were() {
    let mut cyclic = FastGeometricEnsemble::new(1.0, 0.2, 6).unwrap();
    let mut garipov = GaripovLrScheduler::new(0.3, 40).unwrap();
    for _ in 0..25 {
        cyclic.step();
        garipov.step();
    }
    let mut other = FastGeometricEnsemble::new(1.0, 0.2, 6).unwrap();
    other.load_record(cyclic.to_record());
    assert_eq!(other.step(), cyclic.step());
    let mut other = GaripovLrScheduler::new(0.3, 40).unwrap();
    other.load_record(garipov.to_record());
    assert_eq!(other.step(), garipov.step());
    // They are Burn schedulers, for any optimizer.
    let mut module: ModuleLrScheduler = GaripovLrScheduler::new(0.3, 40).unwrap().into();
    assert_eq!(module.step().base(), 0.3);
}

#[test]
fn schedules_refuse_rates_out_of_range() {
    assert!(FastGeometricEnsemble::new(0.1, 0.2, 4).is_err());
    assert!(FastGeometricEnsemble::new(0.2, 0.1, 3).is_err());
    assert!(FastGeometricEnsemble::new(0.2, 0.1, 0).is_err());
    assert!(GaripovLrScheduler::new(-0.1, 10).is_err());
    assert!(GaripovLrScheduler::new(0.1, 0).is_err());
    assert!(
        GaripovLrScheduler::new(0.1, 10)
            .unwrap()
            .with_final_fraction(2.0)
            .is_err()
    );
}
