//! Waits for devices, with a limit, and moves between devices, which may wait.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use burn::tensor::kind::Basic;
use burn::tensor::{Device, StreamId, Tensor};
use burnscape_linearize::caught;

use super::SpaceError;

thread_local! {
    /// The limit on the waits of this thread.
    static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) };
}

/// A limit on every wait for a device.
#[derive(Debug, Clone)]
pub(crate) struct Waits {
    limit: Duration,
    /// Threads that wait for the device.
    waiting: Arc<AtomicUsize>,
    has_expired: Arc<AtomicBool>,
}

impl Waits {
    /// `waiting` counts the threads that wait, those beyond the limit included.
    pub(crate) fn new(limit: Duration, waiting: Arc<AtomicUsize>) -> Self {
        Self {
            limit,
            waiting,
            has_expired: Arc::default(),
        }
    }

    /// The limit in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.limit.as_secs_f64()
    }

    /// The threads that wait beyond a limit that has passed.
    pub(crate) fn num_waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed).max(1)
    }

    /// Whether a wait has passed the limit.
    pub(crate) fn have_expired(&self) -> bool {
        self.has_expired.load(Ordering::Relaxed)
    }

    /// Reads on a thread of its own, which stays behind if it takes longer.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SpaceError> {
        let (sender, receiver) = mpsc::channel();
        let (waiting, stream) = (Arc::clone(&self.waiting), StreamId::current());
        let work = move || {
            // What was submitted before on this stream comes first.
            let found = stream.executes(|| tried(read));
            waiting.fetch_sub(1, Ordering::Relaxed);
            // Nobody listens after the limit.
            let _ = sender.send(found);
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = thread::Builder::new().spawn(work) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let message = format!("no thread could be started to read: {error}");
            return Err(SpaceError::Device { message });
        }
        match receiver.recv_timeout(self.limit) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => {
                self.has_expired.store(true, Ordering::Relaxed);
                Err(SpaceError::TimedOut {
                    seconds: self.seconds(),
                    blocked_threads: self.num_waiting(),
                })
            }
            Err(RecvTimeoutError::Disconnected) => {
                let message = "the thread that reads ended without an answer".into();
                Err(SpaceError::Device { message })
            }
        }
    }
}

/// Runs `work` with a limit on every wait for a device on this thread.
pub(crate) fn limited<T>(waits: Option<Waits>, work: impl FnOnce() -> T) -> T {
    struct Restored(Option<Waits>);
    impl Drop for Restored {
        fn drop(&mut self) {
            WAITS.set(self.0.take());
        }
    }
    let _restored = Restored(WAITS.replace(waits));
    work()
}

/// Reads with the limit of this thread: on another thread if there is a limit, and directly otherwise.
///
/// # Errors
///
/// [`SpaceError::TimedOut`], and [`SpaceError::Device`] for a panic on the other thread.
pub(crate) fn waited<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SpaceError> {
    match WAITS.with_borrow(Clone::clone) {
        Some(waits) => waits.read(read),
        None => Ok(read()),
    }
}

/// A tensor on another device, with the limit of this thread. On the same device nothing is copied.
///
/// # Errors
///
/// [`SpaceError::TimedOut`], and [`SpaceError::Device`] if Burn cannot move the tensor.
pub(crate) fn moved<const D: usize, K: Basic + Send + 'static>(
    tensor: Tensor<D, K>,
    device: &Device,
) -> Result<Tensor<D, K>, SpaceError> {
    // Devices are equal whether or not they are on autodiff, and a tensor keeps its own context.
    if tensor.device() == *device {
        return Ok(tensor);
    }
    // A server that sends to another one would take it along when it ends: what a device has computed is read here
    // first.
    if is_remote(&tensor.device()) && !tensor.device().is_autodiff() {
        let dtype = tensor.dtype();
        let read = move || tensor.try_into_data().map_err(|error| format!("{error:?}"));
        let data = in_time(read)?.map_err(|message| SpaceError::Device { message })?;
        let device = device.clone().inner();
        return in_time(move || {
            if dtype.is_bool() {
                Tensor::from_data(data, &device)
            } else {
                Tensor::from_data(data, (&device, dtype))
            }
        });
    }
    let device = device.clone();
    in_time(move || tensor.to_device(&device))
}

/// As [`waited`], and a panic is an error without a limit as well.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SpaceError> {
    match WAITS.with_borrow(Clone::clone) {
        Some(waits) => waits.read(work),
        None => tried(work),
    }
}

/// Runs `work`. A panic of Burn is an error.
fn tried<T>(work: impl FnOnce() -> T) -> Result<T, SpaceError> {
    let failed = |message: String| SpaceError::Device { message };
    caught(work, failed, |error| failed(error.to_string()))
}

#[cfg(feature = "remote")]
fn is_remote(device: &Device) -> bool {
    let device = device.clone().inner();
    matches!(
        device.as_dispatch(),
        burn::backend::DispatchDevice::Remote(_)
    )
}

#[cfg(not(feature = "remote"))]
fn is_remote(_: &Device) -> bool {
    false
}

/// Moves the tensors of a model or of a batch, one after another, up to the first failure.
pub(crate) struct Transfer<'d> {
    device: &'d Device,
    failure: Option<SpaceError>,
}

impl<'d> Transfer<'d> {
    pub(crate) fn to(device: &'d Device) -> Self {
        Self {
            device,
            failure: None,
        }
    }

    /// The tensor on the device; where it is after a failure.
    pub(crate) fn moved<const D: usize, K: Basic + Send + 'static>(
        &mut self,
        tensor: Tensor<D, K>,
    ) -> Tensor<D, K> {
        if self.failure.is_some() {
            return tensor;
        }
        match moved(tensor.clone(), self.device) {
            Ok(moved) => moved,
            Err(failure) => {
                self.failure = Some(failure);
                tensor
            }
        }
    }

    /// What was moved, or the first failure.
    pub(crate) fn finish<T>(self, whole: T) -> Result<T, SpaceError> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::space::to_host;

    fn waits(milliseconds: u64) -> Waits {
        Waits::new(Duration::from_millis(milliseconds), Arc::default())
    }

    #[test]
    fn a_wait_beyond_the_limit_is_an_error_that_counts_its_thread() {
        let waits = waits(20);
        let (sender, receiver) = mpsc::channel::<()>();
        let begin = Instant::now();
        let found = limited(Some(waits.clone()), || waited(move || receiver.recv()));
        assert!(begin.elapsed() < Duration::from_secs(10));
        let seconds = 0.02;
        assert_eq!(
            found,
            Err(SpaceError::TimedOut {
                seconds,
                blocked_threads: 1
            })
        );
        assert!(waits.have_expired());
        // A second one, while the first thread still waits.
        let again = limited(Some(waits.clone()), || {
            waited(|| thread::sleep(Duration::from_secs(1)))
        });
        assert!(
            matches!(
                again,
                Err(SpaceError::TimedOut {
                    blocked_threads: 2,
                    ..
                })
            ),
            "{again:?}"
        );
        // The threads end when there is an answer.
        drop(sender);
        let begin = Instant::now();
        while waits.waiting.load(Ordering::Relaxed) > 0 {
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
        assert!(!waits.have_expired());
        let stream = StreamId::current();
        let inside = limited(Some(waits.clone()), || waited(StreamId::current));
        assert_eq!(inside.unwrap(), stream);
        let panic: Result<(), _> = limited(Some(waits), || waited(|| panic!("no such device")));
        let Err(SpaceError::Device { message }) = panic else {
            panic!("{panic:?}");
        };
        assert!(message.contains("no such device"), "{message}");
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
        use burn::tensor::{DType, Int};

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
}
