//! Jobs for a queue of devices.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnscape::loss::{Batch, DeviceError, DeviceQueue, LossError, Risk};

use super::fixture::{Labeled, NEAR, SIZES, batches, both, mean, network, second};
use crate::element::device;

/// An error of a job, or of its device.
#[derive(Debug, PartialEq)]
enum Fault {
    Own(usize),
    Device(DeviceError),
}

impl From<DeviceError> for Fault {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

fn square(index: usize, device: &Device) -> usize {
    let x = Tensor::<1>::full([1], index as f64, device);
    (x.square().into_scalar::<f32>()).round() as usize
}

#[test]
fn results_are_in_the_order_of_the_jobs() {
    let queue = DeviceQueue::new(both()).unwrap();
    let seen: Mutex<Vec<usize>> = Mutex::default();
    let found = queue.run(30, |index, device| {
        // Later jobs end first.
        std::thread::sleep(Duration::from_millis((index % 3) as u64));
        seen.lock().unwrap().push(index);
        Ok::<_, Fault>(square(index, device))
    });
    let expected: Vec<usize> = (0..30).map(|index| index * index).collect();
    assert_eq!(found, Ok(expected));
    // Each job once.
    let seen = seen.into_inner().unwrap();
    let different: BTreeSet<usize> = seen.iter().copied().collect();
    assert_eq!((seen.len(), different.len()), (30, 30));
}

#[test]
fn a_queue_without_jobs_has_no_results() {
    let queue = DeviceQueue::new(both()).unwrap();
    let found = queue.run(0, |_, _| -> Result<usize, Fault> {
        panic!("there is no job")
    });
    assert_eq!(found, Ok(Vec::new()));
}

#[test]
fn free_devices_take_the_next_job() {
    let queue = DeviceQueue::new(both()).unwrap();
    let (of_first, of_second) = (AtomicBool::new(false), AtomicUsize::new(0));
    let wait = || std::thread::sleep(Duration::from_millis(1));
    // The first device is busy with one job until the second one has done all others.
    let places = queue.run(9, |index, device| {
        if *device == second() {
            while !of_first.load(Ordering::Relaxed) {
                wait();
            }
            of_second.fetch_add(1, Ordering::Relaxed);
            return Ok::<_, Fault>((index, 1));
        }
        of_first.store(true, Ordering::Relaxed);
        while of_second.load(Ordering::Relaxed) < 8 {
            wait();
        }
        Ok((index, 0))
    });
    let places = places.unwrap();
    assert!(places.iter().map(|place| place.0).eq(0..9));
    assert_eq!(places.iter().filter(|place| place.1 == 0).count(), 1);
}

#[test]
fn one_device_works_in_order() {
    let queue = DeviceQueue::new([device()]).unwrap();
    let seen: Mutex<Vec<usize>> = Mutex::default();
    let found = queue.run(5, |index, device| {
        assert!(!device.is_autodiff());
        seen.lock().unwrap().push(index);
        Ok::<_, Fault>(square(index, device))
    });
    assert_eq!(found, Ok(vec![0, 1, 4, 9, 16]));
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn the_error_of_the_least_index_is_returned() {
    for devices in [vec![device()], both().to_vec()] {
        let queue = DeviceQueue::new(devices).unwrap();
        let started = AtomicUsize::new(0);
        let found = queue.run(20, |index, _| {
            started.fetch_add(1, Ordering::Relaxed);
            if index == 3 {
                // The other device has time to fail later.
                std::thread::sleep(Duration::from_millis(20));
            }
            if index >= 3 {
                Err(Fault::Own(index))
            } else {
                Ok(index)
            }
        });
        assert_eq!(found, Err(Fault::Own(3)));
        // Nothing begins after an error.
        assert!(started.load(Ordering::Relaxed) <= 5);
    }
}

#[test]
fn a_panic_of_a_job_is_an_error_that_names_it() {
    let queue = DeviceQueue::new(both()).unwrap();
    let found = queue.run(6, |index, _| {
        assert!(index != 2, "the second seed has no data");
        Ok::<_, Fault>(index)
    });
    let Err(Fault::Device(error)) = found else {
        panic!("{found:?}");
    };
    let DeviceError::Failed { batch, message, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*batch, Some(2));
    assert!(message.contains("the second seed has no data"), "{message}");
    // The queue works on.
    let found = queue.run(6, |index, _| Ok::<_, Fault>(index));
    assert_eq!(found, Ok(vec![0, 1, 2, 3, 4, 5]));
}

#[test]
fn lists_that_are_no_queue_are_refused() {
    let none = DeviceQueue::new(Vec::<Device>::new()).map(drop);
    assert_eq!(none, Err(DeviceError::NoDevice));
    let twice = DeviceQueue::new([device(), second(), device().autodiff()]).map(drop);
    assert!(
        matches!(
            twice,
            Err(DeviceError::Twice {
                first: 0,
                second: 2,
                ..
            })
        ),
        "{twice:?}"
    );
}

#[test]
fn any_number_of_jobs_may_be_asked_for() {
    let queue = DeviceQueue::new(both()).unwrap();
    let found = queue.run(usize::MAX, |index, _| match index {
        7 => Err(Fault::Own(index)),
        _ => Ok(index),
    });
    assert_eq!(found, Err(Fault::Own(7)));
}

#[test]
fn a_queue_without_time_to_wait_is_refused() {
    let queue = DeviceQueue::new(both()).unwrap();
    let queue = queue.with_wait_limit(Duration::ZERO);
    let found = queue.run(1, |_, _| -> Result<usize, Fault> {
        panic!("nothing may begin")
    });
    assert_eq!(found, Err(Fault::Device(DeviceError::NoWait)));
}

#[test]
fn an_account_lists_the_jobs_of_each_device() {
    let queue = DeviceQueue::new(both()).unwrap();
    queue.run(7, |index, _| Ok::<_, Fault>(index)).unwrap();
    let work = queue.work();
    assert!(work[0].device.contains("Flex"), "{work:?}");
    assert!(work[1].device.contains("NdArray"), "{work:?}");
    assert_eq!(work.iter().map(|work| work.batches).sum::<usize>(), 7);
}

#[test]
fn models_are_measured_on_the_device_that_is_free() {
    let data = batches(&SIZES);
    let nets: Vec<_> = (0..5).map(|seed| network(f64::from(seed))).collect();
    let queue = DeviceQueue::new(both()).unwrap();
    let found = queue.run(nets.len(), |index, device| {
        let net = network(index as f64).fork(device);
        let there = |batch: &Labeled| Batch::to_device(batch.clone(), device);
        let data: Vec<Labeled> = data.iter().map(there).collect();
        Ok::<_, LossError>(Risk::new(&mean, &data).loss(&net)?.value)
    });
    for (net, found) in nets.iter().zip(found.unwrap()) {
        let expected = Risk::new(&mean, &data).loss(net).unwrap().value;
        let difference = (found - expected).abs();
        assert!(difference <= NEAR * expected, "{found} for {expected}");
    }
}
