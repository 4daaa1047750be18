use std::time::Instant;

use burn::nn::LinearConfig;
use burnscape_krylov::{VectorBlock, VectorSpace};

use super::*;
use crate::space::tensor_block::TensorBlock;
use crate::space::{ParamSpace, ParamVector, to_host};

fn waits(milliseconds: u64) -> Waits {
    let limit = Duration::from_millis(milliseconds);
    Waits::new(Some(limit), 0, [(Device::default(), Arc::default())])
}

#[test]
fn a_wait_beyond_the_limit_is_an_error_that_counts_its_thread_and_the_last() {
    let waits = waits(20);
    let (sender, receiver) = mpsc::channel::<()>();
    let begin = Instant::now();
    let found = limited(Some(waits.clone()), || waited(move || receiver.recv()));
    assert!(begin.elapsed() < Duration::from_secs(10));
    let timed_out = SpaceError::TimedOut {
        device: device_name(&Device::default()),
        seconds: 0.02,
        blocked_threads: 1,
    };
    assert_eq!(found, Err(timed_out.clone()));
    assert_eq!(waits.expired(), Some(0));
    assert!(waits.devices[0].silence.is_dead());
    // The device is not asked again.
    let asks = || waited(|| panic!("asked again"));
    let again: Result<(), _> = limited(Some(waits.clone()), asks);
    assert_eq!(again, Err(timed_out));
    // The threads end when there is an answer.
    drop(sender);
    let begin = Instant::now();
    while waits.devices[0].silence.threads.load(Ordering::Relaxed) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn answers_within_the_limit_are_what_they_are_without_one() {
    let device = Device::default();
    let numbers = || Tensor::<1>::from_floats([1.5, -2.0], &device);
    let waits = waits(60_000);
    let found = limited(Some(waits.clone()), || to_host(numbers()));
    assert_eq!(found, to_host(numbers()));
    assert_eq!(found.unwrap(), [1.5, -2.0]);
    assert_eq!((waits.expired(), waits.failed()), (None, None));
    let stream = StreamId::current();
    let inside = limited(Some(waits.clone()), || waited(StreamId::current));
    assert_eq!(inside.unwrap(), stream);
    let panics = || waited(|| panic!("no such device"));
    let panic: Result<(), _> = limited(Some(waits.clone()), panics);
    let Err(SpaceError::Device { message }) = panic else {
        panic!("{panic:?}");
    };
    assert!(message.contains("no such device"), "{message}");
    assert_eq!((waits.expired(), waits.failed()), (None, Some(0)));
}

#[test]
fn the_limit_ends_with_the_work_that_has_it() {
    let is_limited = || WAITS.with_borrow(Option::is_some);
    limited(Some(waits(1)), || {
        assert!(is_limited());
        limited(None, || assert!(!is_limited()));
        assert!(is_limited());
    });
    assert!(!is_limited());
    let panics = || limited(Some(waits(1)), || panic!("stop"));
    let found: Result<(), Option<String>> = caught(panics, Some, |_| None);
    assert!(found.is_err() && !is_limited());
}

#[test]
fn waits_of_a_space_limit_the_reads_of_its_vectors() {
    let layer = LinearConfig::new(3, 2).init(&Device::default());
    let own = waits(60_000);
    let space = ParamSpace::of(&layer).unwrap();
    let space = space.with_waits(Some(own.clone()));
    let v = ParamVector::from_host(&space, &[0.5; 8]).unwrap();
    let leaves = v.to_leaves();
    let mut block = TensorBlock::<ParamSpace>::with_capacity(&space, 2).unwrap();
    block.push(v.clone()).unwrap();
    let reads = || {
        vec![
            v.dot(&v).map(drop),
            v.norm().map(drop),
            v.max_abs().map(drop),
            v.to_host().map(drop),
            v.leaf_norms().map(drop),
            v.leaf_dots(&v).map(drop),
            v.filter_norms().map(drop),
            leaves.dot(&leaves).map(drop),
            block.dots(&v).map(drop),
            block.gram(&block).map(drop),
            block.split(v.clone(), &[0]).map(drop),
        ]
    };
    assert!(reads().iter().all(Result::is_ok));
    own.devices[0].silence.give_up();
    let is_silent = |found: &Result<(), SpaceError>| matches!(found, Err(SpaceError::TimedOut { seconds, .. }) if *seconds == 60.0);
    assert!(reads().iter().all(is_silent), "{:?}", reads());
    // A thread that works for a device has its own limit.
    let found = limited(Some(waits(60_000)), reads);
    assert!(found.iter().all(Result::is_ok), "{found:?}");
    let unlimited = Waits::new(None, 0, [(Device::default(), Arc::default())]);
    assert!(limited(Some(unlimited), reads).iter().all(is_silent));
    // Spaces that differ in nothing else are the same.
    assert_eq!(space, ParamSpace::of(&layer).unwrap());
}

#[test]
fn a_tensor_stays_where_it_is_on_its_own_device() {
    let device = Device::default();
    let tensor = Tensor::<2>::ones([2, 3], &device);
    let found = moved(tensor, &device.clone().autodiff()).unwrap();
    assert!(found.device() == device && !found.device().is_autodiff());
}

#[cfg(all(feature = "flex", feature = "ndarray"))]
#[test]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn every_kind_moves_with_its_type_and_its_numbers() {
    use burn::tensor::Int;

    let (here, there) = (Device::flex(), Device::ndarray());
    let numbers = [0.1, -3.0, 1e-30];
    for waits in [None, Some(waits(60_000))] {
        limited(waits, || {
            for dtype in [DType::F64, DType::F32] {
                let floats = Tensor::<1>::from_data(numbers, (&here, dtype));
                let found = moved(floats.clone(), &there).unwrap();
                assert_eq!((found.device(), found.dtype()), (there.clone(), dtype));
                assert_eq!(found.into_data(), floats.into_data());
            }
            let ints = Tensor::<1, Int>::from_data([1, -2], &here);
            let flags = ints.clone().greater_elem(0);
            let moved_ints = moved(ints, &there).unwrap();
            assert_eq!(moved_ints.into_data().iter::<i64>().sum::<i64>(), -1);
            let flags = moved(flags, &there).unwrap().into_data();
            assert_eq!(flags.iter::<bool>().collect::<Vec<_>>(), [true, false]);
        });
    }
}

#[cfg(all(feature = "flex", feature = "ndarray"))]
#[test]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn a_tensor_in_parts_is_the_tensor() {
    use burn::tensor::Int;

    let (here, there) = (Device::flex(), Device::ndarray());
    let numbers = Tensor::<1, Int>::arange(0..30, &here).float();
    let numbers: Tensor<3> = numbers.reshape([2, 3, 5]);
    for most in [1, 7, 29, 30] {
        let found = through_host(numbers.clone(), &there, most).unwrap();
        assert!(found.device() == there);
        assert_eq!(found.into_data(), numbers.to_data());
    }
}

#[cfg(all(feature = "flex", feature = "ndarray"))]
#[test]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn a_failure_is_that_of_the_device_that_was_asked() {
    let list = [Device::flex(), Device::ndarray()];
    let waits = |limit, own| {
        let devices = list.clone().map(|device| (device, Arc::default()));
        Waits::new(limit, own, devices)
    };
    let fails = || {
        let message = "gone".to_string();
        Err::<(), _>(SpaceError::Device { message })
    };
    for limit in [None, Some(Duration::from_secs(60))] {
        for own in [0, 1] {
            let waits = waits(limit, own);
            let failed = |device: &Device| {
                limited(Some(waits.clone()), || waited_for(device, fails)).unwrap_err();
                waits.failed()
            };
            assert_eq!(waits.failed(), None);
            assert_eq!(failed(&list[1]), Some(1));
            assert_eq!(failed(&list[0]), Some(0));
        }
    }
    let own = waits(None, 0);
    let panics = || on_device(&list[1], || panic!("no memory"));
    let panic: Result<(), _> = limited(Some(own.clone()), panics);
    assert!(panic.is_err());
    assert_eq!(own.failed(), Some(1));
    let waits = waits(Some(Duration::from_millis(20)), 1);
    let (sender, receiver) = mpsc::channel::<()>();
    let in_vain = || waited_for(&list[0], move || Ok(receiver.recv()));
    let found = limited(Some(waits.clone()), in_vain);
    assert!(found.is_err() && waits.expired() == Some(0));
    assert_eq!((waits.num_waiting(0), waits.num_waiting(1)), (1, 1));
    drop(sender);
}
