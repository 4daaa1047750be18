use std::time::Instant;

use burn::nn::LinearConfig;
use burnscape_krylov::{
    EigenpairsConfig, LanczosFactorization, LinearOperator, SelfAdjoint, VectorBlock, VectorSpace,
    Which,
};

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
    // The limit of another list does not matter, whether it is the longer one or not.
    for other in [waits(60_000), waits(1)] {
        let found = limited(Some(other.clone()), reads);
        assert!(found.iter().all(is_silent), "{found:?}");
        assert_eq!((other.expired(), other.failed()), (None, None));
    }
    // A thread that works for the list notes the device itself.
    let silence = Arc::clone(&own.devices[0].silence);
    let limit = Some(Duration::from_secs(7));
    let thread = Waits::new(limit, 0, [(Device::default(), silence)]);
    let found = limited(Some(thread.clone()), || v.norm());
    assert!(
        matches!(found, Err(SpaceError::TimedOut { seconds, .. }) if seconds == 7.0),
        "{found:?}"
    );
    assert_eq!(thread.expired(), Some(0));
    let unlimited = Waits::new(None, 0, [(Device::default(), Arc::default())]);
    assert!(limited(Some(unlimited), reads).iter().all(is_silent));
    // Spaces that differ in nothing else are the same.
    assert_eq!(space, ParamSpace::of(&layer).unwrap());
}

/// A diagonal matrix on a space.
struct Diagonal(ParamVector);

impl LinearOperator for Diagonal {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = SpaceError;

    fn domain(&self) -> ParamSpace {
        self.0.space().clone()
    }

    fn range(&self) -> ParamSpace {
        self.domain()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, SpaceError> {
        self.0.clone().hadamard(v)
    }
}

impl SelfAdjoint for Diagonal {}

#[test]
fn vectors_have_the_limit_of_the_operator_that_uses_them() {
    let layer = LinearConfig::new(3, 2).init(&Device::default());
    let values = [8.0, 7.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5];
    let operator = |waits: &Waits| {
        let space = ParamSpace::of(&layer).unwrap();
        let space = space.with_waits(Some(waits.clone()));
        Diagonal(ParamVector::from_host(&space, &values).unwrap())
    };
    let old = waits(60_000);
    let (before, after) = (operator(&old), operator(&waits(60_000)));
    let config = EigenpairsConfig::new(1, Which::Largest);
    let found = config.run(&before).unwrap();
    let mut run = LanczosFactorization::from_random(&before, 2, 0).unwrap();
    old.devices[0].silence.give_up();
    assert!(found.vectors[0].norm().is_err());
    assert!(run.clone().extend(&before, 1).is_err());
    run.extend(&after, 1).unwrap();
    let whole = LanczosFactorization::from_random(&after, 3, 0).unwrap();
    assert_eq!(run.ritz_values(), whole.ritz_values());
    assert!(run.basis().vectors().all(|v| v.unwrap().norm().is_ok()));
    let again = config.run_from(&after, &found.vectors).unwrap();
    assert!(again.vectors[0].norm().is_ok());
    let other = LinearConfig::new(2, 2).init(&Device::default());
    let other = ParamSpace::of(&other).unwrap();
    assert!(found.vectors[0].clone().adopted(&other).is_err());
}

#[cfg(all(feature = "flex", feature = "ndarray"))]
#[test]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn a_vector_that_a_silent_device_does_not_give_back_is_an_error() {
    let layer = LinearConfig::new(3, 2).init(&Device::flex());
    let own = waits(60_000);
    let space = ParamSpace::of(&layer).unwrap();
    let space = space.with_basis_device(Some(Device::ndarray()));
    let space = space.with_waits(Some(own.clone()));
    let rows: Vec<ParamVector> = (0..3)
        .map(|seed| ParamVector::rademacher(&space, seed).unwrap())
        .collect();
    let block = TensorBlock::from_vectors(&space, rows.clone()).unwrap();
    let found = block.get(1).unwrap().unwrap();
    assert_eq!(found.to_host(), rows[1].to_host());
    assert!(block.get(3).unwrap().is_none());
    assert!(block.vectors().all(|v| v.is_ok()));
    own.devices[0].silence.give_up();
    let is_silent = |found: &SpaceError| matches!(found, SpaceError::TimedOut { .. });
    assert!(block.get(1).is_err_and(|error| is_silent(&error)));
    assert!(block.get(3).unwrap().is_none());
    let mut found = block.vectors();
    assert!(found.all(|v| v.is_err_and(|error| is_silent(&error))));
    assert_eq!(block.vectors().count(), 3);
}

#[cfg(all(feature = "flex", feature = "ndarray"))]
#[test]
#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn a_device_that_is_not_listed_is_no_device_of_the_list() {
    let (listed, other) = (Device::flex(), Device::ndarray());
    let limit = Duration::from_millis(20);
    let waits = Waits::new(Some(limit), 0, [(listed.clone(), Arc::default())]);
    let (sender, receiver) = mpsc::channel::<()>();
    let in_vain = || waited_for(&other, move || Ok(receiver.recv()));
    let found = limited(Some(waits.clone()), in_vain);
    drop(sender);
    let timed_out = SpaceError::TimedOut {
        device: device_name(&other),
        seconds: 0.02,
        blocked_threads: 1,
    };
    assert_eq!(found, Err(timed_out));
    assert_eq!((waits.expired(), waits.failed()), (None, None));
    assert!(waits.has_other_failed() && !waits.devices[0].silence.is_dead());
    // It is not asked again, and the device of the list is.
    let again = limited(Some(waits.clone()), || waited_for(&other, || Ok(())));
    assert!(
        matches!(again, Err(SpaceError::TimedOut { .. })),
        "{again:?}"
    );
    let found = limited(Some(waits.clone()), || waited_for(&listed, || Ok(1)));
    assert_eq!(found, Ok(1));
    assert_eq!(limited(Some(waits), || waited(|| 2)), Ok(2));
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
