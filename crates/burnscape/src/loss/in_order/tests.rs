use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;

use super::*;
use crate::loss::{DeviceError, LossError};

#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn ndarray() -> Device {
    Device::ndarray()
}

/// The squares of the numbers below `count` that are kept, and how the work ended.
fn squares(
    count: usize,
    work: impl Fn(usize) -> Result<usize, LossError> + Sync,
    mut next: impl FnMut(usize) -> Result<(), LossError>,
    last: usize,
) -> (Vec<usize>, Result<(), LossError>) {
    let devices = Devices::new([Device::flex(), ndarray()]);
    let mut numbers = 0..count;
    let mut kept = Vec::new();
    let ended = in_order(
        (&devices, 0),
        vec![1, 1],
        |_, factor: usize| Ok(factor),
        |_, factor, number: usize| Ok(*factor * work(number)?),
        || {
            let Some(number) = numbers.next() else {
                return Ok(None);
            };
            next(number).map(|()| Some(number))
        },
        |square| {
            kept.push(square);
            Ok(if kept.len() == last {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        },
    );
    (kept, ended)
}

fn square(number: usize) -> Result<usize, LossError> {
    Ok(number * number)
}

fn expected(count: usize) -> Vec<usize> {
    (0..count).map(|number| number * number).collect()
}

#[test]
fn results_are_kept_in_order() {
    for count in [0, 1, 2, 50] {
        let found = squares(count, square, |_| Ok(()), usize::MAX);
        assert_eq!(found, (expected(count), Ok(())));
    }
}

#[test]
fn devices_take_turns() {
    let devices = Devices::new([Device::flex(), ndarray()]);
    let mut numbers = 0..20;
    let mut kept = Vec::new();
    let ended = in_order::<_, _, _, _, LossError>(
        (&devices, 0),
        vec![(), ()],
        |worker, ()| Ok(worker.index()),
        |_, index, number: usize| Ok((number, *index)),
        || Ok(numbers.next()),
        |pair| {
            kept.push(pair);
            Ok(ControlFlow::Continue(()))
        },
    );
    assert_eq!(ended, Ok(()));
    assert!(kept.iter().all(|(number, index)| number % 2 == *index));
    assert_eq!(kept.len(), 20);
}

#[test]
fn a_break_ends_the_work() {
    let done = AtomicUsize::new(0);
    let work = |number| {
        done.fetch_add(1, Ordering::Relaxed);
        square(number)
    };
    let found = squares(1000, work, |_| Ok(()), 5);
    assert_eq!(found, (expected(5), Ok(())));
    assert!(done.into_inner() < 1000);
}

#[test]
fn the_first_error_in_order_ends_the_work() {
    let work = |number| match number {
        7 => Err(LossError::EmptyData),
        8.. => Err(LossError::NoBatches),
        _ => square(number),
    };
    for _ in 0..20 {
        let found = squares(50, work, |_| Ok(()), usize::MAX);
        assert_eq!(found, (expected(7), Err(LossError::EmptyData)));
    }
    // Also if the job cannot be made.
    let next = |number| match number {
        9 => Err(LossError::NoBatches),
        _ => Ok(()),
    };
    let found = squares(50, square, next, usize::MAX);
    assert_eq!(found, (expected(9), Err(LossError::NoBatches)));
}

#[test]
fn a_worker_that_panics_fails_its_device_after_the_others() {
    let work = |number| {
        assert_ne!(number, 3, "lost");
        square(number)
    };
    let (kept, ended) = squares(50, work, |_| Ok(()), usize::MAX);
    assert_eq!(kept, expected(3));
    let Err(LossError::Device(error)) = ended else {
        panic!("{ended:?}");
    };
    let DeviceError::Failed { message, .. } = &*error else {
        panic!("{error:?}");
    };
    assert!(message.contains("lost"), "{message}");
}

#[test]
#[should_panic(expected = "the observer panicked")]
fn a_panic_of_the_calling_thread_goes_on_when_the_workers_have_ended() {
    let devices = Devices::new([Device::flex(), ndarray()]);
    let mut count = 0;
    let ended = in_order::<(), (), usize, usize, LossError>(
        (&devices, 0),
        vec![(), ()],
        |_, ()| Ok(()),
        |_, (), number| Ok(number),
        || {
            count += 1;
            Ok(Some(count))
        },
        |_| panic!("the observer panicked"),
    );
    assert!(ended.is_ok());
}
