//! The monitor along a run: data that change, and a run that is resumed.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::nn::Linear;
use burnscape::dynamics::{
    Due, DynamicsError, GradientNoise, GradientNoiseConfig, Moment, Monitor, NoiseEstimator, Watch,
    WatchRecord,
};
use burnscape::loss::{LossError, Risk, Whole};

use super::regression::{Batch, Examples, loss, model};

fn config() -> GradientNoiseConfig {
    GradientNoiseConfig::new(NoiseEstimator::MicroBatches { size: None })
}

fn changed(batch: usize) -> DynamicsError {
    DynamicsError::Loss(LossError::DataChanged { batch })
}

#[test]
fn a_shuffled_loader_is_refused() {
    let batches = Examples::new(40, 32).batches(4);
    let readings = AtomicUsize::new(0);
    // Every reading starts one batch later.
    let shuffled = || {
        let mut batches: Vec<Batch> = batches.clone();
        batches.rotate_left(readings.fetch_add(1, Ordering::Relaxed) % 8);
        batches
    };
    let risk = Risk::new(&loss, &shuffled);
    let model = model();
    let moment = Moment::new(0, 0.1, &model);
    let mut monitor = config().init().unwrap();
    assert_eq!(monitor.measure(&risk, &moment).unwrap_err(), changed(0));
    assert_eq!(config().run(&risk, &model).unwrap_err(), changed(0));
    // The failed measurement has left nothing behind.
    let steady = Risk::new(&loss, &batches);
    assert!(monitor.measure(&steady, &moment).is_ok());
    // Without checks the data are not compared.
    let unchecked = risk.with_checks(false);
    assert!(monitor.measure(&unchecked, &moment).is_ok());
}

#[test]
fn data_that_are_not_those_of_the_first_measurement_are_refused() {
    let batches = Examples::new(41, 32).batches(4);
    let epoch = AtomicUsize::new(0);
    let data = || {
        let mut batches: Vec<Batch> = batches.clone();
        match epoch.load(Ordering::Relaxed) {
            0 => {}
            1 => batches.swap(2, 5),
            _ => batches.truncate(6),
        }
        batches
    };
    let risk = Risk::new(&loss, &data);
    let model = model();
    let moment = Moment::new(0, 0.1, &model);
    let mut monitor = config().init().unwrap();
    let first = monitor.measure(&risk, &moment).unwrap();
    assert_eq!(first.cost.num_losses, 2);
    // Later measurements compare the data only.
    let second = monitor.measure(&risk, &moment).unwrap();
    assert_eq!((second.trace, second.cost.num_losses), (first.trace, 0));
    for (number, batch) in [(1, 2), (2, 6)] {
        epoch.store(number, Ordering::Relaxed);
        let error = monitor.measure(&risk, &moment).unwrap_err();
        assert_eq!(error, changed(batch));
        assert!(error.to_string().contains("without `shuffle`"));
    }
    epoch.store(0, Ordering::Relaxed);
    assert_eq!(monitor.measure(&risk, &moment).unwrap(), second);
}

/// A watch of the noise and its curvature.
fn watch(
    data: &[Batch],
) -> Watch<
    '_,
    Linear,
    Whole,
    impl Monitor<Linear, Whole, Reading = GradientNoise, State = Option<Vec<u64>>>,
> {
    let monitor = config().with_curvature(true).init().unwrap();
    Watch::new(Due::Every(10), monitor, Risk::new(&loss, data)).unwrap()
}

#[test]
fn a_resumed_watch_reads_what_it_would_have_read() {
    let data = Examples::new(42, 32).batches(4);
    let model = model();
    let mut first = watch(&data);
    first.observe(&Moment::new(0, 0.1, &model)).unwrap();
    let record = first.to_record().unwrap();
    let bytes = rmp_serde::to_vec_named(&record).unwrap();
    let read: WatchRecord<GradientNoise, Option<Vec<u64>>> = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(read, record);
    let next = Moment::new(10, 0.1, &model);
    let expected = first.observe(&next).unwrap().unwrap();
    let mut resumed = watch(&data).resume(read.clone()).unwrap();
    assert_eq!(resumed.observe(&next).unwrap().unwrap(), expected);
    assert_eq!(resumed.readings().to_vec(), first.readings().to_vec());
    // On other data the record is refused.
    let other = Examples::new(43, 32).batches(4);
    let mut other = watch(&other).resume(read).unwrap();
    assert_eq!(other.observe(&next).unwrap_err(), changed(0));
}

#[test]
fn the_monitor_has_a_name_and_takes_risks_of_every_kind() {
    let data = Examples::new(44, 32).batches(4);
    let model = model();
    let moment = Moment::new(0, 0.1, &model);
    let whole = Risk::new(&loss, &data);
    let split = Risk::split(
        |model: &Linear, (x, _): &Batch| model.forward(x.clone()),
        |z: burn::tensor::Tensor<2>, (_, y): Batch| (z - y).square().mean() * 0.5,
        &data,
    );
    let each = Risk::per_example(
        |model: &Linear, (x, y): Batch| (model.forward(x) - y).square().squeeze_dim::<1>(1) * 0.5,
        &data,
    );
    let mut monitor = config().init().unwrap();
    let name = Monitor::<Linear, Whole>::name(&monitor);
    assert_eq!(name, "gradient_noise");
    let expected = monitor.measure(&whole, &moment).unwrap();
    let found = [
        monitor.measure(&split, &moment).unwrap(),
        monitor.measure(&each, &moment).unwrap(),
    ];
    for noise in found {
        assert!((noise.trace / expected.trace - 1.0).abs() < 1e-12);
    }
}
