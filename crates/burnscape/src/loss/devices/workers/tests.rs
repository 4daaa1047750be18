use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use burn::nn::LinearConfig;

use super::*;
use crate::space::{to_host, waited};

/// A list as long as this. It is one device, since every machine has that.
fn devices(count: usize) -> Devices {
    Devices::new(vec![Device::default(); count])
}

/// Waits until `is_true`, and fails after a minute.
fn until(is_true: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_true() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(1));
    }
}

/// The device, the batch and the message of a failure.
fn failed(error: LossError) -> (usize, Option<usize>, String) {
    match error {
        LossError::Device(error) => match *error {
            DeviceError::Failed {
                index,
                batch,
                message,
                ..
            } => (index, batch, message),
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

#[test]
fn results_are_in_the_order_of_the_list() {
    let devices = devices(3);
    for in_turn in [false, true] {
        let found = devices.each(1, in_turn, |worker| {
            // The first one is the last.
            thread::sleep(Duration::from_millis(20 * (2 - worker.index() as u64)));
            assert_eq!(worker.is_main(), worker.index() == 1);
            Ok::<_, LossError>(worker.index())
        });
        assert_eq!(found, Ok(vec![0, 1, 2]));
    }
}

#[test]
fn workers_run_at_once_or_in_turn_on_the_stream_of_the_caller() {
    let devices = devices(2);
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let stream = StreamId::current();
    let work = |is_met: &dyn Fn() -> bool| {
        assert_eq!(StreamId::current(), stream);
        let now = running.fetch_add(1, Ordering::Relaxed) + 1;
        most.fetch_max(now, Ordering::Relaxed);
        until(is_met);
        running.fetch_sub(1, Ordering::Relaxed);
        Ok::<_, LossError>(())
    };
    devices.each(0, true, |_| work(&|| true)).unwrap();
    assert_eq!(most.swap(0, Ordering::Relaxed), 1);
    let is_met = || most.load(Ordering::Relaxed) == 2;
    devices.each(0, false, |_| work(&is_met)).unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 2);
}

#[test]
fn a_panic_names_device_and_batch_after_all_have_returned() {
    let devices = devices(2);
    let is_late = AtomicBool::new(false);
    let error = devices.each(0, false, |worker| {
        if worker.index() == 1 {
            assert!(worker.begin(3) && worker.begin(5));
            panic!("out of memory");
        }
        until(|| worker.is_over());
        thread::sleep(Duration::from_millis(20));
        is_late.store(true, Ordering::Relaxed);
        Ok::<_, LossError>(())
    });
    let (index, batch, message) = failed(error.unwrap_err());
    assert_eq!((index, batch), (1, Some(5)));
    assert!(message.contains("out of memory"), "{message}");
    assert!(is_late.load(Ordering::Relaxed));
    // The list works on.
    assert!(devices.each(0, false, |_| Ok::<_, LossError>(())).is_ok());
}

#[test]
fn errors_of_the_work_stay_what_they_are() {
    let own = LossError::NonFinite {
        batch: 2,
        value: f64::INFINITY,
    };
    let found = devices(2).each(0, false, |worker| match worker.index() {
        0 => Ok(()),
        _ => Err(own.clone()),
    });
    assert_eq!(found, Err(own));
    // A read that fails is the device's fault.
    let found = devices(1).each(0, false, |_| -> Result<(), LossError> {
        let message = "gone".to_string();
        Err(SpaceError::Device { message }.into())
    });
    assert_eq!(failed(found.unwrap_err()), (0, None, "gone".into()));
}

#[test]
fn the_error_of_the_least_batch_is_returned() {
    let failing = |worker: &Worker<'_>, batch: usize| {
        assert!(worker.begin(batch));
        Err::<(), _>(LossError::EmptyBatch { batch })
    };
    for _ in 0..5 {
        let found = devices(2).each(0, false, |worker| match worker.index() {
            0 => failing(worker, 7),
            _ => {
                // The first one has failed, at a later batch.
                until(|| worker.is_over());
                assert!(!worker.begin(8));
                failing(worker, 6)
            }
        });
        assert_eq!(found, Err(LossError::EmptyBatch { batch: 6 }));
    }
    // Before any batch comes first.
    let has_begun = AtomicBool::new(false);
    let found = devices(2).each(0, false, |worker| match worker.index() {
        0 => {
            let found = failing(worker, 0);
            has_begun.store(true, Ordering::Relaxed);
            until(|| worker.is_over());
            found
        }
        _ => {
            until(|| has_begun.load(Ordering::Relaxed));
            Err(LossError::EmptyData)
        }
    });
    assert_eq!(found, Err(LossError::EmptyData));
}

#[test]
fn a_stop_ends_the_work_of_all_without_an_error() {
    let found = devices(3).each(0, false, |worker| {
        if worker.index() == 2 {
            worker.stop();
        }
        until(|| worker.is_over());
        Ok::<_, LossError>(worker.begin(0))
    });
    assert_eq!(found, Ok(vec![false; 3]));
}

#[test]
fn the_account_counts_batches_and_seconds() {
    let devices = devices(2);
    let found = devices.each(0, false, |worker| {
        for batch in 0..=worker.index() {
            assert!(worker.begin(batch));
        }
        worker.note(10 * worker.index());
        thread::sleep(Duration::from_millis(5));
        Ok::<_, LossError>(())
    });
    found.unwrap();
    let work = devices.work();
    assert_eq!((work[0].batches, work[1].batches), (1, 12));
    assert!(work.iter().all(|work| work.seconds >= 0.005), "{work:?}");
}

#[test]
fn a_wait_beyond_the_limit_gives_the_device_up() {
    let limit = Duration::from_millis(20);
    let devices = devices(2).with_wait_limit(Some(limit));
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(Some(receiver));
    let found = devices.each(0, false, |worker| {
        assert!(worker.begin(4 + worker.index()));
        if worker.index() == 0 {
            return Ok(());
        }
        let receiver = receiver.lock().unwrap().take().unwrap();
        // Whatever becomes of the error.
        drop(waited(move || receiver.recv()));
        Ok::<_, LossError>(())
    });
    drop(sender);
    let expected = DeviceError::TimedOut {
        device: devices.work()[1].device.clone(),
        index: 1,
        batch: Some(5),
        seconds: 0.02,
        blocked_threads: 1,
    };
    assert_eq!(found, Err(expected.into()));
    let alive: Vec<bool> = devices.0.listed.iter().map(|own| !own.is_dead()).collect();
    assert_eq!(alive, [true, false]);
    let found = devices.each(0, false, |_| -> Result<(), LossError> {
        panic!("asked again")
    });
    let dead = DeviceError::Dead {
        device: devices.work()[1].device.clone(),
        index: 1,
    };
    assert_eq!(found, Err(dead.into()));
}

#[test]
fn the_calling_thread_has_the_limit_of_the_list() {
    let device = Device::default();
    let devices = devices(1).with_wait_limit(Some(Duration::from_millis(20)));
    let (sender, receiver) = mpsc::channel::<()>();
    let found = devices.in_time(&device, || {
        // Whatever becomes of the error.
        drop(waited(move || receiver.recv()));
        Ok::<_, LossError>(())
    });
    drop(sender);
    let name = devices.work()[0].device.clone();
    let expected = DeviceError::TimedOut {
        device: name.clone(),
        index: 0,
        batch: None,
        seconds: 0.02,
        blocked_threads: 1,
    };
    assert_eq!(found, Err(expected.into()));
    let dead = LossError::from(DeviceError::Dead {
        device: name,
        index: 0,
    });
    let again = devices.in_time(&device, || -> Result<(), LossError> {
        panic!("asked again")
    });
    assert_eq!(again, Err(dead.clone()));
    assert_eq!(devices.main(&device), Err(dead));
    let zero = devices.with_wait_limit(Some(Duration::ZERO));
    let found = zero.in_time(&device, || Ok::<_, LossError>(()));
    assert_eq!(found, Err(DeviceError::NoWait.into()));
    assert!(zero.waits_on(&device).is_none());
}

#[test]
fn a_list_without_a_limit_has_that_of_the_thread_which_uses_it() {
    let outer = devices(1).with_wait_limit(Some(Duration::from_millis(20)));
    let inner = devices(2);
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(Some(receiver));
    let found = outer.each(0, false, |_| {
        inner.each(0, false, |worker| {
            if worker.index() == 1 {
                let receiver = receiver.lock().unwrap().take().unwrap();
                drop(waited(move || receiver.recv()));
            }
            Ok::<_, LossError>(())
        })
    });
    drop(sender);
    let expected = DeviceError::TimedOut {
        device: inner.work()[1].device.clone(),
        index: 1,
        batch: None,
        seconds: 0.02,
        blocked_threads: 1,
    };
    assert_eq!(found, Err(expected.into()));
    assert!(inner.is_dead(1) && !inner.is_dead(0) && !outer.is_dead(0));
    // Its own limit comes first.
    let patient = devices(1).with_wait_limit(Some(Duration::from_secs(60)));
    let found = outer.each(0, false, |_| {
        patient.each(0, false, |_| {
            let slow = || thread::sleep(Duration::from_millis(100));
            Ok::<_, LossError>(waited(slow)?)
        })
    });
    assert_eq!(found, Ok(vec![vec![()]]));
}

#[cfg(all(feature = "flex", feature = "ndarray"))]
#[test]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn a_device_that_fails_another_one_is_named() {
    use crate::space::on_device;

    let list = [Device::flex(), Device::ndarray()];
    let found = Devices::new(list.clone()).each(0, false, |worker| {
        if worker.is_main() {
            return Ok(());
        }
        assert!(worker.begin(3));
        let failure = || panic!("out of memory");
        Ok::<_, LossError>(on_device(&list[0], failure)?)
    });
    let (index, batch, message) = failed(found.unwrap_err());
    assert_eq!((index, batch), (0, Some(3)));
    assert!(message.contains("out of memory"), "{message}");
}

#[test]
fn other_work_goes_on_while_workers_run() {
    let devices = devices(2);
    let (sender, receiver) = mpsc::channel::<usize>();
    let senders: Vec<_> = (0..2).map(|_| Mutex::new(Some(sender.clone()))).collect();
    drop(sender);
    let found = devices.each_while(
        0,
        false,
        |worker| {
            let sender = senders[worker.index()].lock().unwrap().take().unwrap();
            sender.send(worker.index()).unwrap();
            Ok::<_, LossError>(worker.index())
        },
        // Ends when the last worker does.
        || receiver.iter().sum::<usize>(),
    );
    assert_eq!(found, Ok((vec![0, 1], 1)));
}

#[test]
fn copies_of_a_model_share_its_numbers() {
    let devices = devices(2);
    let model = LinearConfig::new(2, 1).init(&Device::default());
    let numbers = to_host(model.weight.val().flatten(0, 1)).unwrap();
    let copies = Copies::of(&model, &devices);
    let found = devices.each(0, false, |worker| {
        let copy = copies.on(worker)?;
        assert_eq!(copy.devices(), [worker.device().clone()]);
        Ok::<_, LossError>(to_host(copy.weight.val().flatten(0, 1))?)
    });
    assert_eq!(found, Ok(vec![numbers; 2]));
}

#[test]
fn reports_come_one_at_a_time_and_end_with_a_break() {
    let seen = Mutex::new(Vec::new());
    let inside = AtomicBool::new(false);
    let report = |done: usize| {
        assert!(!inside.swap(true, Ordering::Relaxed));
        seen.lock().unwrap().push(done);
        thread::sleep(Duration::from_millis(1));
        inside.store(false, Ordering::Relaxed);
        match done {
            10 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let reports = Arc::new(Reports::new(&report));
    thread::scope(|scope| {
        for _ in 0..4 {
            let reports = Arc::clone(&reports);
            scope.spawn(move || while reports.done().is_continue() {});
        }
    });
    drop(reports);
    assert_eq!(seen.into_inner().unwrap(), (1..=10).collect::<Vec<usize>>());
}
