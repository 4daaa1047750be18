//! The monitor along a run: its start, its data, its costs, and a run that is resumed.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use burnscape::dynamics::{
    Due, DynamicsError, Moment, Monitor, Monitors, Reading, TangentKernelConfig,
    TangentKernelMonitor, TangentKernelMonitorState, TangentKernelReading, Watch, WatchRecord,
};
use burnscape::loss::{Batch, LossError, Risk, Split};
use burnscape::{Csv, Json};
use burnscape_testkit::models::{Classifier, Mlp};

use super::models::{OUTPUTS, inputs, net, of_net, targets};

fn configs() -> [TangentKernelConfig; 2] {
    let matrix = TangentKernelConfig::new().with_targets(targets());
    [matrix.clone(), matrix.with_num_probes(Some(4))]
}

fn measure(
    monitor: &mut TangentKernelMonitor,
    risk: &Risk<'_, Mlp, Split>,
    phase: f64,
) -> Result<TangentKernelReading, DynamicsError> {
    monitor.measure(risk, &Moment::new(7, 0.1, &net(phase)))
}

fn state(monitor: &TangentKernelMonitor) -> TangentKernelMonitorState {
    Monitor::<Mlp, Split>::to_state(monitor).unwrap()
}

#[test]
fn the_first_measurement_is_the_start() {
    let data = [inputs()];
    let risk = of_net(&data);
    for config in configs() {
        let mut monitor = config.init().unwrap();
        assert_eq!(Monitor::<Mlp, Split>::name(&monitor), "tangent_kernel");
        let first = measure(&mut monitor, &risk, 2.3).unwrap();
        assert_eq!((first.drift, first.distance), (0.0, Some(0.0)));
        assert_eq!(first.relative_move, Some(0.0));
        assert_eq!(first.linearization_gap, None);
        let second = measure(&mut monitor, &risk, 2.9).unwrap();
        assert!(second.drift > 0.01 && second.linearization_gap.is_some());
        // Back at the start there is no drift, to the bit.
        let back = measure(&mut monitor, &risk, 2.3).unwrap();
        assert_eq!((back.drift, back.distance), (0.0, Some(0.0)));
        assert_eq!(back.alignment, first.alignment);
        assert_eq!(back.linearization_gap, None);
        // A comparison of two models is the second measurement, and pays for both.
        let mut both = config.run(&risk, &net(2.3), &net(2.9)).unwrap();
        assert_eq!(both.cost, first.cost + second.cost);
        both.cost = second.cost;
        assert_eq!(both, second);
    }
}

#[test]
fn the_cost_is_the_products_and_a_few_passes() {
    let (data, size) = ([inputs()], 5 * OUTPUTS);
    let [matrix, probes] = configs();
    let plain = TangentKernelConfig::new().with_num_probes(Some(4));
    // Two vectors of targets, and one more for each probe.
    for (config, products) in [(matrix, size), (probes, 4 + 2 + 4), (plain, 4)] {
        for checks in [true, false] {
            let risk = of_net(&data).with_checks(checks);
            let mut monitor = config.init().unwrap();
            let cost = measure(&mut monitor, &risk, 2.3).unwrap().cost;
            let own = usize::from(checks);
            assert_eq!(cost.num_matvecs, products + own);
            assert_eq!((cost.num_losses, cost.num_gradients), (3, own));
            // The later ones have a linearized model and no checks.
            let cost = measure(&mut monitor, &risk, 2.9).unwrap().cost;
            assert_eq!(cost.num_matvecs, products + 1);
            assert_eq!((cost.num_losses, cost.num_gradients), (6, 0));
        }
    }
}

#[test]
fn a_watch_writes_its_readings_and_continues_from_its_record() {
    let data = [inputs()];
    for config in configs() {
        let watch = || {
            let monitor = config.init().unwrap();
            Watch::new(Due::Every(10), monitor, of_net(&data)).unwrap()
        };
        let mut first = watch();
        let seen = first.observe(&Moment::new(0, 0.1, &net(2.3))).unwrap();
        assert!(seen.is_some());
        let record = first.to_record().unwrap();
        type Record = WatchRecord<TangentKernelReading, TangentKernelMonitorState>;
        let bytes = rmp_serde::to_vec_named(&record).unwrap();
        let read: Record = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(read, record);
        let end = net(2.9);
        let next = Moment::new(10, 0.1, &end);
        let expected = first.observe(&next).unwrap().unwrap();
        let mut resumed = watch().resume(read).unwrap();
        assert_eq!(resumed.observe(&next).unwrap().unwrap(), expected);
        let readings = resumed.readings().to_vec();
        assert_eq!(readings, first.readings().to_vec());
        let mut table = Vec::new();
        readings.write_csv(&mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        let names = TangentKernelReading::quantities();
        let header = table.lines().next().unwrap();
        assert_eq!(header.split(',').count(), names.len() + 3);
        assert_eq!(table.lines().count(), 3);
        let text = expected.reading.to_json().unwrap();
        TangentKernelReading::from_json(&text).unwrap();
        let text = expected.reading.to_string();
        assert!(text.starts_with("tangent kernel: drift "), "{text}");
    }
}

#[test]
fn it_is_one_of_several_monitors() {
    let data = [inputs()];
    let [matrix, probes] = configs().map(|config| {
        let monitor = config.init().unwrap();
        Watch::new(Due::Every(1), monitor, of_net(&data)).unwrap()
    });
    let mut monitors = Monitors::new().with(matrix).unwrap();
    monitors = monitors.with(probes.named("probes")).unwrap();
    let seen = monitors.observe(&Moment::new(0, 0.1, &net(2.3))).unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn data_that_are_not_those_of_the_start_are_refused() {
    let batches = [&[0, 1][..], &[2, 3]].map(|rows| Batch::select(&inputs(), rows).unwrap());
    let epoch = AtomicUsize::new(0);
    let data = || {
        let mut batches: Vec<Tensor<2>> = batches.to_vec();
        match epoch.load(Ordering::Relaxed) {
            0 => {}
            1 => batches.reverse(),
            _ => batches.truncate(1),
        }
        batches
    };
    let risk = Risk::split(
        |net: &Mlp, x: &Tensor<2>| net.logits(x.clone()),
        |z: Tensor<2>, _: Tensor<2>| z.square().mean(),
        &data,
    );
    let config = TangentKernelConfig::new();
    let mut monitor = config.init().unwrap();
    measure(&mut monitor, &risk, 2.3).unwrap();
    let before = state(&monitor);
    for (number, batch) in [(1, 0), (2, 1)] {
        epoch.store(number, Ordering::Relaxed);
        let error = measure(&mut monitor, &risk, 2.9).unwrap_err();
        assert_eq!(error, DynamicsError::Loss(LossError::DataChanged { batch }));
        assert_eq!(state(&monitor), before);
    }
    // Without checks their number is still compared.
    let unchecked = risk.clone().with_checks(false);
    let error = measure(&mut monitor, &unchecked, 2.9).unwrap_err();
    let DynamicsError::OutOfRange(refused) = &error else {
        panic!("{error}");
    };
    assert_eq!((refused.name, refused.value), ("num_outputs", 6.0));
    assert!(error.to_string().contains("or a new monitor"), "{error}");
    epoch.store(0, Ordering::Relaxed);
    assert!(measure(&mut monitor, &risk, 2.9).is_ok());
}
