//! The monitor along a run: the same batches at each step, data that change, and runs that are resumed.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::optim::{GradientsParams, SgdConfig};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{
    CommutatorConfig, CommutatorDefect, Due, DynamicsError, FiniteCommutatorConfig, Moment,
    Monitor, Watch, WatchRecord,
};
use burnscape::loss::{LossError, Whole};
use burnscape::prelude::*;
use burnscape_testkit::models::Mlp;
use burnscape_testkit::objectives::Point;

use super::dense::{examples, loss, net};
use super::losses::{Golden, Rows, assert_near, one_pair, regression};

fn config() -> CommutatorConfig {
    CommutatorConfig::new()
        .with_batch_size(Some(3))
        .with_num_pairs(2)
        .with_invariant(true)
        .with_sharpness(true)
}

fn is_changed(error: &DynamicsError) -> bool {
    matches!(
        error,
        DynamicsError::Loss(LossError::DataChanged { .. } | LossError::NotDeterministic { .. })
            | DynamicsError::Curvature(CurvatureError::Loss(
                LossError::DataChanged { .. } | LossError::NotDeterministic { .. }
            ))
    )
}

/// Weights along a training run.
fn run() -> Vec<Mlp> {
    let mut sgd = SgdConfig::new().init();
    let (mut net, data) = (net(), examples());
    let mut weights = Vec::new();
    for _ in 0..4 {
        weights.push(net.clone());
        let gradients = loss(&net, data.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &net);
        net = sgd.step(0.3, net, gradients);
    }
    weights
}

#[test]
fn a_monitor_reads_what_single_measurements_do() {
    let data = [examples()];
    let risk = Risk::new(&loss, &data);
    let mut monitor = config().init().unwrap();
    assert_eq!(Monitor::<Mlp, Whole>::name(&monitor), "commutator");
    let plain = Risk::new(&loss, &data).with_checks(false);
    for (step, net) in run().iter().enumerate() {
        let found = monitor
            .measure(&risk, &Moment::new(step, 0.3, net))
            .unwrap();
        // Checks cost, and are made at first.
        let alone = config().run(&plain, net).unwrap();
        if step > 0 {
            assert_eq!(found, alone);
        } else {
            let checked = [found.num_losses, found.num_gradients];
            assert_eq!(checked, [alone.num_losses + 2, alone.num_gradients + 1]);
            assert_eq!(found.num_matvecs, alone.num_matvecs + 2);
            assert_eq!(found.brackets, alone.brackets);
        }
    }
}

#[test]
fn a_pair_of_many_batches_counts_as_its_share() {
    let data = [examples()];
    let found = CommutatorConfig::new()
        .with_batch_size(Some(1))
        .with_num_pairs(1)
        .run(&Risk::new(&loss, &data), &net())
        .unwrap();
    // 2 of 12 examples, with checks 4 gradients and 6 products of them.
    let cost = [found.num_losses, found.num_gradients, found.num_matvecs];
    assert_eq!(cost, [0, 1, 1]);
}

#[test]
fn a_run_that_is_resumed_reads_the_same_bits() {
    let data = [examples()];
    let watch = || {
        let risk = Risk::new(&loss, &data);
        Watch::new(Due::Every(1), config().init().unwrap(), risk).unwrap()
    };
    let (weights, mut whole, mut first) = (run(), watch(), watch());
    for (step, net) in weights.iter().enumerate() {
        whole.observe(&Moment::new(step, 0.3, net)).unwrap();
    }
    for (step, net) in weights.iter().enumerate().take(2) {
        first.observe(&Moment::new(step, 0.3, net)).unwrap();
    }
    let bytes = rmp_serde::to_vec_named(&first.to_record().unwrap()).unwrap();
    let record: WatchRecord<CommutatorDefect, Option<Vec<u64>>> =
        rmp_serde::from_slice(&bytes).unwrap();
    let mut resumed = watch().resume(record).unwrap();
    for (step, net) in weights.iter().enumerate().skip(2) {
        resumed.observe(&Moment::new(step, 0.3, net)).unwrap();
    }
    assert_eq!(resumed.readings().to_vec(), whole.readings().to_vec());
}

#[test]
fn readings_are_tables_and_json() {
    let data = [examples()];
    let risk = Risk::new(&loss, &data);
    let monitor = one_pair().with_batch_size(Some(6)).init().unwrap();
    let mut watch = Watch::new(Due::Every(1), monitor, risk).unwrap();
    let net = net();
    watch.observe(&Moment::new(0, 0.3, &net)).unwrap();
    let readings = watch.readings().to_vec();
    let mut table = Vec::new();
    readings.write_csv(&mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let header = "step,lr,bracket,relative,over_sharpness,sharpness,invariant,variance,loss,\
                  num_gradients,num_matvecs,cost_in_gradients\n";
    assert!(table.starts_with(header), "{table}");
    let defect = &readings[0].reading;
    let read = CommutatorDefect::from_json(&defect.to_json().unwrap()).unwrap();
    assert_near(read.bracket.unwrap(), defect.bracket.unwrap(), 1e-15);
    assert_eq!((read.invariant, read.batch_size), (None, 6));
}

#[test]
fn a_shuffled_loader_is_refused() {
    let golden = Golden::load().regression;
    let batches: Vec<Rows> = (0..6).map(|index| golden.rows(&[index])).collect();
    let readings = AtomicUsize::new(0);
    // Every reading starts at another batch, and none at the first.
    let shuffled = || {
        let mut batches = batches.clone();
        batches.rotate_left(1 + readings.fetch_add(1, Ordering::Relaxed) % 4);
        batches
    };
    let risk = Risk::new(&regression, &shuffled);
    let at = golden.point();
    let moment = Moment::new(0, 0.1, &at);
    for config in [one_pair(), one_pair().with_invariant(true)] {
        let mut monitor = config.init().unwrap();
        let error = monitor.measure(&risk, &moment).unwrap_err();
        assert!(is_changed(&error), "{error}");
        // The failed measurement has left nothing behind.
        let steady = Risk::new(&regression, &batches);
        assert!(monitor.measure(&steady, &moment).is_ok());
        // A loader that begins to shuffle.
        let error = monitor.measure(&risk, &moment).unwrap_err();
        assert!(is_changed(&error), "{error}");
        // Without checks the data are not compared.
        let unchecked = Risk::new(&regression, &shuffled).with_checks(false);
        assert!(monitor.measure(&unchecked, &moment).is_ok());
    }
    let finite = FiniteCommutatorConfig::new(0.1).with_num_pairs(1);
    let error = finite
        .run(&risk, &at, &SgdConfig::new().init())
        .unwrap_err();
    assert!(is_changed(&error), "{error}");
}

#[test]
fn a_resumed_monitor_refuses_other_data_and_names_the_batch() {
    let golden = Golden::load().regression;
    let batches = |last: usize| [[0, 1], [2, 3], [4, last]].map(|rows| golden.rows(&rows));
    let (data, other) = (batches(5), batches(0));
    let at = golden.point();
    let moment = Moment::new(0, 0.1, &at);
    let config = one_pair().with_batch_size(Some(1)).with_invariant(true);
    let mut monitor = config.init().unwrap();
    monitor
        .measure(&Risk::new(&regression, &data), &moment)
        .unwrap();
    let state = Monitor::<Point, Whole>::to_state(&monitor).unwrap();
    assert_eq!(state.as_ref().map(Vec::len), Some(6));
    let mut resumed = config.init().unwrap();
    Monitor::<Point, Whole>::load_state(&mut resumed, state).unwrap();
    let error = resumed
        .measure(&Risk::new(&regression, &other), &moment)
        .unwrap_err();
    assert_eq!(
        error,
        DynamicsError::Loss(LossError::DataChanged { batch: 2 })
    );
    assert!(
        resumed
            .measure(&Risk::new(&regression, &data), &moment)
            .is_ok()
    );
}
