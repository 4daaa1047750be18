//! Which device evaluates a batch.

use std::sync::{Arc, Mutex, PoisonError};

use super::Devices;

/// What is compared when batches are assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// The size of the tensors of a batch, where nothing is traced.
    Bytes,
    /// The floating-point operations of the gradient of a batch.
    Flops,
}

/// The assignment of the batches of some data to devices.
///
/// Each batch goes, in order, to the device with the least cost so far, the first of several. It stays there.
#[derive(Debug)]
pub(crate) struct Costs(Mutex<Assignment>);

#[derive(Debug)]
struct Assignment {
    /// The cost so far of each device.
    loads: Vec<u64>,
    /// The device of each batch.
    owners: Vec<usize>,
    /// Whether these are all batches.
    is_whole: bool,
}

impl Costs {
    /// Batches are assigned by their bytes when they are first read.
    pub(crate) fn bytes(devices: &Devices) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Assignment::new(devices, false))))
    }

    /// The batches have the given costs.
    pub(crate) fn known(devices: &Devices, costs: impl IntoIterator<Item = u64>) -> Arc<Self> {
        let mut assignment = Assignment::new(devices, true);
        for cost in costs {
            assignment.assign(cost);
        }
        Arc::new(Self(Mutex::new(assignment)))
    }

    /// The number of batches of a device, if all batches are known.
    pub(crate) fn share(&self, device: usize) -> Option<usize> {
        let assignment = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = assignment.owners.iter().filter(|owner| **owner == device);
        assignment.is_whole.then(|| own.count())
    }

    /// The device of a batch; the batches before it have been asked for. The cost of a batch is computed once.
    pub(crate) fn owner(&self, batch: usize, cost: impl FnOnce() -> u64) -> usize {
        let mut assignment = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = assignment.owners.get(batch) {
            return *owner;
        }
        let cost = cost();
        let mut owner = assignment.assign(cost);
        while assignment.owners.len() <= batch {
            owner = assignment.assign(cost);
        }
        owner
    }
}

impl Assignment {
    fn new(devices: &Devices, is_whole: bool) -> Self {
        Self {
            loads: vec![0; devices.len()],
            owners: Vec::new(),
            is_whole,
        }
    }

    fn assign(&mut self, cost: u64) -> usize {
        let loads = self.loads.iter_mut().enumerate();
        let mut owner = 0;
        // The first of those with the least load.
        if let Some((index, load)) = loads.min_by_key(|(_, load)| **load) {
            // Batches that cost nothing are spread as well.
            *load = load.saturating_add(cost.max(1));
            owner = index;
        }
        self.owners.push(owner);
        owner
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// The devices of batches with these costs.
    fn owners(devices: usize, costs: &[u64]) -> Vec<usize> {
        let devices = Devices::new(vec![Device::default(); devices]);
        let known = Costs::known(&devices, costs.iter().copied());
        let found = Costs::bytes(&devices);
        let batches = costs.iter().enumerate();
        let owners = batches.map(|(batch, cost)| found.owner(batch, || *cost));
        let owners: Vec<usize> = owners.collect();
        for (batch, owner) in owners.iter().enumerate() {
            // Once it is known, it is not computed again.
            let unknown = || -> u64 { panic!("batch {batch} is assigned") };
            assert_eq!(found.owner(batch, unknown), *owner);
            assert_eq!(known.owner(batch, unknown), *owner);
        }
        for device in 0..devices.len() {
            let share = owners.iter().filter(|owner| **owner == device).count();
            assert_eq!(known.share(device), Some(share));
            assert_eq!(found.share(device), None);
        }
        owners
    }

    #[test]
    fn a_batch_goes_to_the_device_with_the_least_work() {
        assert_eq!(owners(2, &[4, 2, 2, 4, 2, 2]), [0, 1, 1, 0, 1, 1]);
        assert_eq!(owners(3, &[5, 1, 1, 1, 9, 1]), [0, 1, 2, 1, 2, 1]);
        assert_eq!(owners(1, &[3, 1, 4]), [0, 0, 0]);
    }

    #[test]
    fn of_devices_with_the_same_work_the_first_one_is_next() {
        assert_eq!(owners(3, &[1; 7]), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(owners(2, &[0; 4]), [0, 1, 0, 1]);
    }

    #[test]
    fn devices_may_have_no_batch() {
        assert_eq!(owners(4, &[7, 7]), [0, 1]);
        assert!(owners(2, &[]).is_empty());
    }

    #[test]
    fn threads_that_read_the_data_find_the_same_assignment() {
        let devices = Devices::new(vec![Device::default(); 3]);
        let cost = |batch: usize| (7 * batch % 11) as u64;
        let expected = owners(3, &(0..50).map(cost).collect::<Vec<u64>>());
        let costs = Costs::bytes(&devices);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (costs, expected) = (&costs, &expected);
                scope.spawn(move || {
                    for (batch, owner) in expected.iter().enumerate() {
                        assert_eq!(costs.owner(batch, || cost(batch)), *owner);
                    }
                });
            }
        });
    }
}
