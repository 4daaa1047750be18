//! Lists of devices: which of them evaluates a batch, the threads that work for them, and what each has done.

mod assignment;
mod error;
mod queue;
mod work;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use burn::tensor::{Device, FloatDType};

use super::LossError;
use super::scalar::called;
use crate::space::{Waits, device_name, limited, thread_limit, waited};
use work::Listed;

pub(crate) use assignment::{Cost, Costs};
pub use error::DeviceError;
pub use queue::DeviceQueue;
pub use work::DeviceWork;
pub(crate) use workers::{Copies, Reports, Worker, WorkerError};

/// A list of devices, which is checked when it is used.
///
/// Clones share the account of each device, and whether a wait for it has passed the limit.
#[derive(Debug, Clone)]
pub(crate) struct Devices(Arc<List>);

#[derive(Debug, Clone)]
struct List {
    listed: Vec<Listed>,
    exact_order: bool,
    wait_limit: Option<Duration>,
}

impl Devices {
    pub(crate) fn new(list: impl IntoIterator<Item = Device>) -> Self {
        Self(Arc::new(List {
            listed: list.into_iter().map(Listed::new).collect(),
            exact_order: false,
            wait_limit: None,
        }))
    }

    /// Sets whether sums over batches are added in the order of the batches.
    pub(crate) fn with_exact_order(mut self, exact: bool) -> Self {
        Arc::make_mut(&mut self.0).exact_order = exact;
        self
    }

    /// Sets the longest wait for a device.
    pub(crate) fn with_wait_limit(mut self, limit: Option<Duration>) -> Self {
        Arc::make_mut(&mut self.0).wait_limit = limit;
        self
    }

    pub(crate) fn exact_order(&self) -> bool {
        self.0.exact_order
    }

    pub(crate) fn len(&self) -> usize {
        self.0.listed.len()
    }

    /// The devices in order, without autodiff.
    pub(crate) fn list(&self) -> Vec<Device> {
        let devices = self.0.listed.iter();
        devices.map(|listed| listed.device.clone()).collect()
    }

    /// A device, without autodiff.
    pub(crate) fn device(&self, index: usize) -> Option<&Device> {
        self.0.listed.get(index).map(|listed| &listed.device)
    }

    /// The index of the device of a model, which adds what the others have computed.
    ///
    /// # Errors
    ///
    /// [`DeviceError`] if the list cannot be used with this model.
    pub(crate) fn main(&self, device: &Device) -> Result<usize, LossError> {
        self.check_list()?;
        let main = self.index_of(device);
        let main = main.ok_or_else(|| DeviceError::NotListed {
            device: device_name(device),
        })?;
        self.check_alive()?;
        if self.len() > 1 {
            self.check_float_types()?;
        } else {
            self.connect(main)?;
        }
        Ok(main)
    }

    /// The same list without a device.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoSuchDevice`], and [`DeviceError::NoDevice`] if it was the only one.
    pub(crate) fn without(&self, index: usize) -> Result<Self, LossError> {
        let devices = self.len();
        if index >= devices {
            return Err(DeviceError::NoSuchDevice { index, devices }.into());
        }
        if devices == 1 {
            return Err(DeviceError::NoDevice.into());
        }
        let mut list = List::clone(&self.0);
        list.listed.remove(index);
        Ok(Self(Arc::new(list)))
    }

    /// The index of a device, if it is listed.
    pub(crate) fn index_of(&self, device: &Device) -> Option<usize> {
        let mut listed = self.0.listed.iter();
        listed.position(|listed| listed.device == *device)
    }

    /// Whether waits of this thread for a device of the list have a limit.
    pub(crate) fn has_wait_limit(&self) -> bool {
        self.limit().is_some()
    }

    /// What each device has done so far, in order.
    pub(crate) fn work(&self) -> Vec<DeviceWork> {
        self.0.listed.iter().map(Listed::work).collect()
    }

    /// Whether a device has not answered earlier.
    pub(crate) fn is_dead(&self, index: usize) -> bool {
        self.0.listed.get(index).is_some_and(Listed::is_dead)
    }

    /// Returns an error if there is no device, or one twice, or no time to wait.
    fn check_list(&self) -> Result<(), DeviceError> {
        if self.0.listed.is_empty() {
            return Err(DeviceError::NoDevice);
        }
        self.check_limit()?;
        for (second, listed) in self.0.listed.iter().enumerate() {
            let mut earlier = self.0.listed.iter().take(second);
            if let Some(first) = earlier.position(|other| other.device == listed.device) {
                return Err(DeviceError::Twice {
                    first,
                    second,
                    device: listed.name.clone(),
                });
            }
        }
        Ok(())
    }

    /// Returns an error for a limit of waits that no device meets.
    fn check_limit(&self) -> Result<(), DeviceError> {
        if self.0.wait_limit.is_some_and(|limit| limit.is_zero()) {
            Err(DeviceError::NoWait)
        } else {
            Ok(())
        }
    }

    /// Returns an error if a device has not answered earlier.
    fn check_alive(&self) -> Result<(), DeviceError> {
        let mut listed = self.0.listed.iter().enumerate();
        match listed.find(|(_, listed)| listed.is_dead()) {
            None => Ok(()),
            Some((index, listed)) => Err(DeviceError::Dead {
                device: listed.name.clone(),
                index,
            }),
        }
    }

    /// Returns an error unless new tensors have the same float type on all devices.
    fn check_float_types(&self) -> Result<(), LossError> {
        let mut first: Option<(&Listed, FloatDType)> = None;
        for (index, listed) in self.0.listed.iter().enumerate() {
            let found = self.float_type((index, listed))?;
            let (other, expected) = first.get_or_insert((listed, found));
            if *expected != found {
                return Err(DeviceError::FloatTypes {
                    first: other.name.clone(),
                    first_dtype: format!("{expected:?}"),
                    second: listed.name.clone(),
                    second_dtype: format!("{found:?}"),
                }
                .into());
            }
        }
        Ok(())
    }

    /// The float type of new tensors on a device. A remote one may have to connect.
    fn float_type(&self, (index, listed): (usize, &Listed)) -> Result<FloatDType, LossError> {
        let found = self.attempt(self.limit(), (index, listed), &|| None, || {
            let device = listed.device.clone();
            Ok::<_, LossError>(waited(move || device.settings().float_dtype)?)
        })?;
        listed.open();
        Ok(found)
    }

    /// Connects to a device within the limit, if there is one: what comes next may not be a wait that has it.
    fn connect(&self, index: usize) -> Result<(), LossError> {
        match self.0.listed.get(index) {
            Some(listed) if self.has_wait_limit() && !listed.is_open() => {
                self.float_type((index, listed)).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The longest wait for a device: that of the list, or else that of the thread which uses it.
    fn limit(&self) -> Option<Duration> {
        self.0.wait_limit.or_else(thread_limit)
    }

    /// The waits of a thread for the device at an index.
    fn waits(&self, limit: Option<Duration>, index: usize) -> Waits {
        let devices = self.0.listed.iter();
        let devices = devices.map(|listed| (listed.device.clone(), listed.silence()));
        Waits::new(limit, index, devices)
    }

    /// The waits of threads that read the vectors of a space on this device, if it is listed and the list has a limit.
    pub(crate) fn waits_on(&self, device: &Device) -> Option<Waits> {
        // Measurements refuse a limit of zero.
        let limit = self.0.wait_limit.filter(|limit| !limit.is_zero())?;
        let index = self.index_of(device)?;
        Some(self.waits(Some(limit), index))
    }

    /// Runs work on this thread that waits for a device of the list, with the limit of the list, or else that of the
    /// thread. A wait beyond it becomes an error that names the device.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`DeviceError::NoWait`] for a limit of zero, [`DeviceError::Dead`] if a device has not answered
    /// earlier, and those of the connection to a remote device.
    pub(crate) fn in_time<T, E: From<LossError>>(
        &self,
        device: &Device,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let refused = |error: DeviceError| E::from(LossError::from(error));
        let limit = self.limit();
        let Some(index) = self.index_of(device).filter(|_| limit.is_some()) else {
            return work();
        };
        self.check_limit().map_err(refused)?;
        self.check_alive().map_err(refused)?;
        self.connect(index)?;
        let waits = self.waits(limit, index);
        let found = limited(Some(waits.clone()), work);
        match self.timed_out(&waits, None) {
            None => found,
            Some(error) => Err(refused(error)),
        }
    }

    /// The error for a device of which one of these waits has passed the limit, if there is one.
    fn timed_out(&self, waits: &Waits, batch: Option<usize>) -> Option<DeviceError> {
        let index = waits.expired()?;
        let listed = self.0.listed.get(index)?;
        Some(DeviceError::TimedOut {
            device: listed.name.clone(),
            index,
            batch,
            seconds: waits.seconds(),
            blocked_threads: waits.num_waiting(index),
        })
    }

    /// Runs work for a device on this thread, with the limit on its waits. A failure becomes an error that names the
    /// device that failed; `batch` is the one that was under way.
    fn attempt<T, E: WorkerError>(
        &self,
        limit: Option<Duration>,
        (index, listed): (usize, &Listed),
        batch: &dyn Fn() -> Option<usize>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let waits = self.waits(limit, index);
        let found = limited(Some(waits.clone()), || called(work));
        let found = found.unwrap_or_else(|panic| Err(E::from(panic)));
        let failed = |error: DeviceError| E::from(LossError::from(error));
        // It may be another device of the list, which the vectors or batches of this one are on.
        if let Some(error) = self.timed_out(&waits, batch()) {
            return Err(failed(error));
        }
        found.map_err(|error| match error.device_failure() {
            None => error,
            // No device of the list has failed.
            Some(_) if waits.failed().is_none() && waits.has_other_failed() => error,
            Some(message) => {
                let listed_at = |place: usize| Some((place, self.0.listed.get(place)?));
                let (index, listed) = waits
                    .failed()
                    .and_then(listed_at)
                    .unwrap_or((index, listed));
                failed(DeviceError::Failed {
                    device: listed.name.clone(),
                    index,
                    batch: batch(),
                    message,
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        Device::default()
    }

    #[test]
    fn lists_that_cannot_be_used_are_refused() {
        let refused = |list: Vec<Device>| Devices::new(list).main(&device());
        assert_eq!(refused(vec![]), Err(DeviceError::NoDevice.into()));
        let found = refused(vec![device(), device().autodiff()]);
        let expected = DeviceError::Twice {
            first: 0,
            second: 1,
            device: device_name(&device()),
        };
        assert_eq!(found, Err(expected.into()));
        assert_eq!(refused(vec![device().autodiff()]), Ok(0));
        let limited = |limit| Devices::new([device()]).with_wait_limit(Some(limit));
        let found = limited(Duration::ZERO).main(&device());
        assert_eq!(found, Err(DeviceError::NoWait.into()));
        assert_eq!(limited(Duration::from_secs(60)).main(&device()), Ok(0));
    }

    #[test]
    fn a_list_of_one_device_connects_within_the_limit() {
        let is_open = |devices: &Devices| devices.0.listed[0].is_open();
        let devices = Devices::new([device()]);
        assert_eq!(devices.main(&device()), Ok(0));
        let nothing = || Ok::<_, LossError>(());
        assert_eq!(devices.in_time(&device(), nothing), Ok(()));
        assert!(!is_open(&devices));
        let limited = |devices: Devices| devices.with_wait_limit(Some(Duration::from_secs(60)));
        let patient = limited(devices.clone());
        assert_eq!(
            patient.in_time(&device(), || Ok::<_, LossError>(())),
            Ok(())
        );
        assert!(is_open(&patient) && is_open(&devices));
        let patient = limited(Devices::new([device()]));
        assert_eq!(patient.main(&device()), Ok(0));
        assert!(is_open(&patient));
    }

    #[test]
    fn a_device_that_has_not_answered_is_not_asked_again() {
        let devices = Devices::new([device()]);
        // Settings do not make another list.
        let copy = devices.clone().with_exact_order(true);
        assert!(copy.exact_order() && !devices.exact_order());
        copy.0.listed[0].silence().give_up();
        let dead = DeviceError::Dead {
            device: device_name(&device()),
            index: 0,
        };
        assert_eq!(devices.main(&device()), Err(dead.into()));
    }

    #[test]
    fn a_list_loses_one_device_at_a_time() {
        let devices = Devices::new([device(), device()]);
        let rest = devices.without(0).unwrap();
        assert_eq!(rest.len(), 1);
        // Accounts go on.
        devices.0.listed[1].add_batches(3);
        assert_eq!(rest.work()[0].batches, 3);
        assert_eq!(
            devices.without(2).map(drop),
            Err(DeviceError::NoSuchDevice {
                index: 2,
                devices: 2
            }
            .into())
        );
        assert_eq!(rest.without(0).map(drop), Err(DeviceError::NoDevice.into()));
    }

    #[cfg(all(feature = "flex", feature = "ndarray"))]
    #[test]
    #[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
    fn the_device_of_the_model_is_found() {
        let devices = Devices::new([Device::ndarray(), Device::flex()]);
        assert_eq!(devices.main(&Device::flex().autodiff()), Ok(1));
        assert_eq!(devices.main(&Device::ndarray()), Ok(0));
        let expected = DeviceError::NotListed {
            device: device_name(&Device::ndarray()),
        };
        let rest = devices.without(0).unwrap();
        assert_eq!(rest.main(&Device::ndarray()), Err(expected.into()));
    }
}
