//! The devices of a list, each with its account.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::space::{Silence, device_name};

/// What a device of a list has done; see [`Risk::device_work`](crate::loss::Risk::device_work).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceWork {
    /// The device.
    pub device: String,
    /// Batches that it has evaluated, in all passes, products and points together; jobs of a queue.
    pub batches: usize,
    /// Seconds of its worker threads. Work that a device has accepted and not finished when its worker ends is not
    /// included.
    pub seconds: f64,
}

impl fmt::Display for DeviceWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device,
            batches,
            seconds,
        } = self;
        write!(f, "{device}: {batches} batches, {seconds:.3} s")
    }
}

/// A device of a list. Clones share the account.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// Without autodiff.
    pub(super) device: Device,
    pub(super) name: String,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct Account {
    batches: AtomicUsize,
    nanoseconds: AtomicU64,
    silence: Arc<Silence>,
    /// Whether it has answered, so that there is a connection.
    is_open: AtomicBool,
}

impl Listed {
    pub(super) fn new(device: Device) -> Self {
        let device = device.inner();
        Self {
            name: device_name(&device),
            device,
            account: Arc::default(),
        }
    }

    pub(super) fn add_batches(&self, batches: usize) {
        self.account.batches.fetch_add(batches, Ordering::Relaxed);
    }

    pub(super) fn add_time(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let account = &self.account.nanoseconds;
        account.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.account.silence.is_dead()
    }

    /// Whether the device has answered.
    pub(super) fn is_open(&self) -> bool {
        self.account.is_open.load(Ordering::Relaxed)
    }

    /// Notes that the device has answered.
    pub(super) fn open(&self) {
        self.account.is_open.store(true, Ordering::Relaxed);
    }

    /// The waits for the device.
    pub(super) fn silence(&self) -> Arc<Silence> {
        Arc::clone(&self.account.silence)
    }

    pub(super) fn work(&self) -> DeviceWork {
        let nanoseconds = self.account.nanoseconds.load(Ordering::Relaxed);
        DeviceWork {
            device: self.name.clone(),
            batches: self.account.batches.load(Ordering::Relaxed),
            seconds: Duration::from_nanos(nanoseconds).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_device_share_the_account() {
        let listed = Listed::new(Device::default().autodiff());
        assert!(!listed.device.is_autodiff());
        let copy = listed.clone();
        copy.add_batches(2);
        listed.add_batches(1);
        copy.add_time(Duration::from_millis(1500));
        let work = listed.work();
        assert_eq!((work.batches, work.seconds), (3, 1.5));
        assert_eq!(
            work.to_string(),
            format!("{}: 3 batches, 1.500 s", work.device)
        );
        assert!(!copy.is_dead());
        listed.silence().give_up();
        assert!(copy.is_dead());
    }
}
