//! The devices of a list, each with its account.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// The longest name of a device in reports and errors.
const LONGEST_NAME: usize = 400;
/// What is kept of the end of a longer name: that of a remote device ends with its index.
const END_OF_NAME: usize = 100;

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
    /// Whether a wait has passed the limit.
    is_dead: AtomicBool,
    /// Threads that wait for the device.
    waiting: Arc<AtomicUsize>,
}

impl Listed {
    pub(super) fn new(device: Device) -> Self {
        let device = device.inner();
        Self {
            name: name(&device),
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
        self.account.is_dead.load(Ordering::Relaxed)
    }

    pub(super) fn give_up(&self) {
        self.account.is_dead.store(true, Ordering::Relaxed);
    }

    /// The counter of the threads that wait for the device.
    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.account.waiting)
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

/// The name of a device: Burn's, without the type around it, and shortened.
pub(super) fn name(device: &Device) -> String {
    let full = format!("{:?}", device.clone().inner());
    let short = full.strip_prefix("Device<");
    let short = short.and_then(|name| name.strip_suffix('>'));
    shortened(short.unwrap_or(&full))
}

/// A name without its middle, if it is too long.
fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LONGEST_NAME {
        return name.to_string();
    }
    let first = LONGEST_NAME - END_OF_NAME - 1;
    let last = letters.len() - END_OF_NAME;
    let start = letters[..first].iter().chain(&['…']);
    start.chain(&letters[last..]).collect()
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
        listed.give_up();
        assert!(copy.is_dead());
    }

    #[test]
    fn long_names_keep_both_ends() {
        let short = "a".repeat(LONGEST_NAME);
        assert_eq!(shortened(&short), short);
        let long = format!("Remote({}, device_index: 3 }})", "x".repeat(LONGEST_NAME));
        let found = shortened(&long);
        assert_eq!(found.chars().count(), LONGEST_NAME);
        assert!(found.starts_with("Remote(x"), "{found}");
        assert!(found.ends_with(", device_index: 3 })"), "{found}");
    }

    #[cfg(feature = "flex")]
    #[test]
    fn names_are_those_of_burn() {
        let name = name(&Device::flex().autodiff());
        assert!(name.starts_with("Flex(") && name.ends_with(')'), "{name}");
    }
}
