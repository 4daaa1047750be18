//! Waits for devices, with a limit, and moves between devices, which may wait.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use burn::tensor::kind::Autodiff;
use burn::tensor::{DType, Device, StreamId, Tensor};
use burnscape_linearize::caught;

use super::{SpaceError, device_name};

/// The most numbers that are sent at once: a message of Burn has at most 1 GiB.
const MOST_NUMBERS: usize = 1 << 26;

thread_local! {
    /// The waits of this thread.
    static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) };
}

/// The waits for a device so far, in all threads and for all lists that share this.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// Threads that wait for the device, those beyond the limit included.
    threads: AtomicUsize,
    /// Whether a wait has passed the limit. The device is not asked again.
    is_dead: AtomicBool,
}

impl Silence {
    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    pub(crate) fn give_up(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    /// At least one, also if an answer has come after the limit.
    fn num_threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed).max(1)
    }
}

/// The waits of a thread that works for one of several devices, and which of the devices have failed it: its own, or
/// one from or to which it moves tensors. A space has those of the threads that read its vectors.
// Public in a private module, because a hidden method of the trait of spaces returns it.
#[derive(Debug, Clone)]
pub struct Waits {
    /// The longest one, if there is a limit.
    limit: Option<Duration>,
    /// The place of the device that the thread works for.
    own: usize,
    devices: Arc<[Arc<Waiting>]>,
    /// Devices that are not listed and have been waited for. One that is silent says nothing about those of the list.
    others: Arc<Mutex<Vec<Arc<Waiting>>>>,
}

/// The waits for a device.
#[derive(Debug)]
struct Waiting {
    device: Device,
    silence: Arc<Silence>,
    /// Whether one of these waits has passed the limit.
    has_expired: AtomicBool,
    has_failed: AtomicBool,
}

impl Waits {
    /// The waits of a thread that works for the device at the place `own`.
    pub(crate) fn new(
        limit: Option<Duration>,
        own: usize,
        devices: impl IntoIterator<Item = (Device, Arc<Silence>)>,
    ) -> Self {
        let devices = devices.into_iter();
        Self {
            limit,
            own,
            devices: devices
                .map(|(device, silence)| Arc::new(Waiting::new(device, silence)))
                .collect(),
            others: Arc::default(),
        }
    }

    /// The limit in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.limit.unwrap_or_default().as_secs_f64()
    }

    /// The threads that wait for the device at a place beyond a limit that has passed.
    pub(crate) fn num_waiting(&self, place: usize) -> usize {
        let waiting = self.devices.get(place);
        waiting.map_or(1, |waiting| waiting.silence.num_threads())
    }

    /// The place of the device for which a wait has passed the limit.
    pub(crate) fn expired(&self) -> Option<usize> {
        let mut devices = self.devices.iter();
        devices.position(|waiting| waiting.has_expired.load(Ordering::Relaxed))
    }

    /// The place of the device that has failed in a read or in a move.
    pub(crate) fn failed(&self) -> Option<usize> {
        let mut devices = self.devices.iter();
        devices.position(|waiting| waiting.has_failed.load(Ordering::Relaxed))
    }

    /// Whether a device that is not listed has failed in a read or in a move.
    pub(crate) fn has_other_failed(&self) -> bool {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = others.iter();
        others.any(|waiting| waiting.has_failed.load(Ordering::Relaxed))
    }

    /// Whether both are waits for devices of one list, whose copies share the accounts.
    fn is_of_list_of(&self, other: &Self) -> bool {
        let is_same =
            |own: &Arc<Waiting>, other: &Arc<Waiting>| Arc::ptr_eq(&own.silence, &other.silence);
        let mut devices = self.devices.iter();
        devices.any(|own| other.devices.iter().any(|other| is_same(own, other)))
    }

    /// The waits for a device; those for the device of the thread where none is given.
    fn of(&self, device: Option<&Device>) -> Option<Arc<Waiting>> {
        let own = self.devices.get(self.own);
        let Some(device) = device else {
            return own.cloned();
        };
        let is_it = |waiting: &&Arc<Waiting>| waiting.device == *device;
        let listed = || self.devices.iter().find(is_it);
        if let Some(known) = own.filter(is_it).or_else(listed) {
            return Some(Arc::clone(known));
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.iter().find(is_it) {
            return Some(Arc::clone(known));
        }
        let new = Arc::new(Waiting::new(device.clone().inner(), Arc::default()));
        others.push(Arc::clone(&new));
        Some(new)
    }

    /// Runs work that may wait for a device.
    fn run<T: Send + 'static>(
        &self,
        device: Option<&Device>,
        work: impl FnOnce() -> Result<T, SpaceError> + Send + 'static,
    ) -> Result<T, SpaceError> {
        match (self.of(device), self.limit) {
            (Some(waiting), Some(limit)) => waiting.noted(waiting.within(limit, work)),
            (Some(waiting), None) => waiting.noted(tried(work)),
            (None, _) => tried(work),
        }
    }
}

impl Waiting {
    fn new(device: Device, silence: Arc<Silence>) -> Self {
        Self {
            device,
            silence,
            has_expired: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Notes whether the device has failed.
    fn noted<T>(&self, found: Result<T, SpaceError>) -> Result<T, SpaceError> {
        if found.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        found
    }

    /// Runs work on a thread of its own, which stays behind if it takes longer. Nothing runs for a device that has not
    /// answered earlier.
    fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> Result<T, SpaceError> + Send + 'static,
    ) -> Result<T, SpaceError> {
        if self.silence.is_dead() {
            return Err(self.timed_out(limit));
        }
        let (sender, receiver) = mpsc::channel();
        let (silence, stream) = (Arc::clone(&self.silence), StreamId::current());
        let work = move || {
            // What was submitted before on this stream comes first.
            let found = stream.executes(|| tried(work));
            silence.threads.fetch_sub(1, Ordering::Relaxed);
            // Nobody listens after the limit.
            let _ = sender.send(found);
        };
        self.silence.threads.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = thread::Builder::new().spawn(work) {
            self.silence.threads.fetch_sub(1, Ordering::Relaxed);
            let message = format!("no thread could be started to wait for it: {error}");
            return Err(SpaceError::Device { message });
        }
        match receiver.recv_timeout(limit) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => {
                self.silence.give_up();
                Err(self.timed_out(limit))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let message = "the thread that waits for it ended without an answer".into();
                Err(SpaceError::Device { message })
            }
        }
    }

    /// The error for a device that does not answer, which is noted.
    fn timed_out(&self, limit: Duration) -> SpaceError {
        self.has_expired.store(true, Ordering::Relaxed);
        SpaceError::TimedOut {
            device: device_name(&self.device),
            seconds: limit.as_secs_f64(),
            blocked_threads: self.silence.num_threads(),
        }
    }
}

/// Runs `work` with these waits on this thread.
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

/// Runs `work` with the waits of a space. Those of this thread stay if they have a limit and are for devices of the same
/// list: they know which device the thread works for, and its errors name the batch.
pub(crate) fn limited_by<T>(waits: Option<&Waits>, work: impl FnOnce() -> T) -> T {
    let is_limited = |waits: &Waits| {
        let is_same = |own: &Waits| own.limit.is_some() && own.is_of_list_of(waits);
        WAITS.with_borrow(|own| own.as_ref().is_some_and(is_same))
    };
    match waits {
        Some(waits) if !is_limited(waits) => limited(Some(waits.clone()), work),
        _ => work(),
    }
}

/// The limit on the waits of this thread.
pub(crate) fn thread_limit() -> Option<Duration> {
    WAITS.with_borrow(|waits| waits.as_ref()?.limit)
}

fn current() -> Option<Waits> {
    WAITS.with_borrow(Clone::clone)
}

/// Reads from the device of this thread with its limit: on another thread if there is a limit. Directly, if this thread
/// works for no device.
///
/// # Errors
///
/// [`SpaceError::TimedOut`], and [`SpaceError::Device`] for a panic in work for a device.
pub(crate) fn waited<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SpaceError> {
    match current() {
        Some(waits) => waits.run(None, move || Ok(read())),
        None => Ok(read()),
    }
}

/// Same as [`waited`] for a read from any device, whose failure it is if it fails.
///
/// # Errors
///
/// Those of `read`, and of [`waited`].
pub(super) fn waited_for<T: Send + 'static>(
    device: &Device,
    read: impl FnOnce() -> Result<T, SpaceError> + Send + 'static,
) -> Result<T, SpaceError> {
    match current() {
        Some(waits) => waits.run(Some(device), read),
        None => read(),
    }
}

/// Runs work on a device that need not be that of this thread, and whose failure it is if it fails. It has no limit.
///
/// # Errors
///
/// Those of `work`, and [`SpaceError::Device`] for a panic.
pub(crate) fn on_device<T>(
    device: &Device,
    work: impl FnOnce() -> Result<T, SpaceError>,
) -> Result<T, SpaceError> {
    let found = tried(work);
    match current().as_ref().and_then(|waits| waits.of(Some(device))) {
        Some(waiting) => waiting.noted(found),
        None => found,
    }
}

/// A tensor on another device, with the limit of this thread. On the same device nothing is copied.
///
/// # Errors
///
/// [`SpaceError::TimedOut`], and [`SpaceError::Device`] if Burn cannot move the tensor.
pub(crate) fn moved<const D: usize, K: Autodiff + Send + 'static>(
    tensor: Tensor<D, K>,
    device: &Device,
) -> Result<Tensor<D, K>, SpaceError> {
    // Devices are equal whether or not they are on autodiff, and a tensor keeps its own context.
    let source = tensor.device();
    if source == *device {
        return Ok(tensor);
    }
    let is_quantized = matches!(tensor.dtype(), DType::QFloat(_));
    // A server that sends to another one would take it along when it ends: what a device has computed is read here
    // first.
    if is_remote(&source) || (is_remote(device) && !is_quantized) {
        let strategy = tensor.gradient_checkpointing_strategy();
        let moved = through_host(tensor.inner(), device, MOST_NUMBERS)?;
        return Ok(match strategy {
            None => moved,
            Some(strategy) => {
                let moved = moved.autodiff();
                moved.with_gradient_checkpointing_strategy(strategy)
            }
        });
    }
    let device = device.clone();
    in_time(None, move || Ok(tensor.to_device(&device)))
}

/// A tensor without autodiff on another device, which gets at most so many of its numbers at once.
fn through_host<const D: usize, K: Autodiff + Send + 'static>(
    tensor: Tensor<D, K>,
    device: &Device,
    most: usize,
) -> Result<Tensor<D, K>, SpaceError> {
    let dims = tensor.dims();
    let len = dims.iter().product::<usize>();
    if len <= most {
        return sent(tensor, device);
    }
    let flat: Tensor<1, K> = tensor.reshape([len]);
    let parts = (0..len).step_by(most).map(|start| {
        let end = len.min(start + most);
        sent(flat.clone().slice(start..end), device)
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::cat(parts, 0).reshape(dims))
}

/// Reads a tensor without autodiff, and makes it again on another device. Each of the two answers for its half.
fn sent<const D: usize, K: Autodiff + Send + 'static>(
    tensor: Tensor<D, K>,
    device: &Device,
) -> Result<Tensor<D, K>, SpaceError> {
    let (source, dtype) = (tensor.device(), tensor.dtype());
    let data = in_time(Some(&source), move || {
        let data = tensor.try_into_data();
        data.map_err(|error| SpaceError::Device {
            message: format!("{error:?}"),
        })
    })?;
    let target = device.clone().inner();
    in_time(Some(device), move || {
        Ok(if dtype.is_bool() {
            Tensor::from_data(data, &target)
        } else {
            Tensor::from_data(data, (&target, dtype))
        })
    })
}

/// As [`waited_for`], and a panic is an error also if this thread works for no device.
fn in_time<T: Send + 'static>(
    device: Option<&Device>,
    work: impl FnOnce() -> Result<T, SpaceError> + Send + 'static,
) -> Result<T, SpaceError> {
    match current() {
        Some(waits) => waits.run(device, work),
        None => tried(work),
    }
}

/// Runs `work`. A panic of Burn is an error.
fn tried<T>(work: impl FnOnce() -> Result<T, SpaceError>) -> Result<T, SpaceError> {
    let failed = |message: String| SpaceError::Device { message };
    caught(work, failed, |error| failed(error.to_string()))?
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
    pub(crate) fn moved<const D: usize, K: Autodiff + Send + 'static>(
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
mod tests;
