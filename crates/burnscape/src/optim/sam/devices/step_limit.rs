use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use burn::tensor::Device;

use super::StepDevices;
use crate::loss::Devices;
use crate::optim::OptimError;

/// The limit on waits of all steps of an optimizer.
#[derive(Debug, Clone, Default)]
pub(in crate::optim) struct WaitLimit {
    limit: Option<Duration>,
    /// The device of the last step that was on no list. Clones share whether it answers.
    alone: Arc<Mutex<Option<Devices>>>,
}

/// The limit on waits of the thread that takes a step.
pub(in crate::optim) struct StepLimit(Option<(Devices, Device)>);

impl WaitLimit {
    pub(in crate::optim) fn new(limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            alone: Arc::default(),
        }
    }

    pub(in crate::optim) fn get(&self) -> Option<Duration> {
        self.limit
    }

    /// The limit of a step of a model on `device`: that of the list of the optimizer if the device is on it.
    pub(in crate::optim) fn of_step(
        &self,
        listed: Option<&StepDevices>,
        device: &Device,
    ) -> StepLimit {
        let Some(limit) = self.limit else {
            return StepLimit(None);
        };
        let has = |list: &Devices| list.index_of(device).is_some();
        let listed = listed.map(StepDevices::devices);
        let list = match listed.filter(|list| has(list)) {
            Some(list) => list.clone(),
            None => {
                let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
                let known = alone.take().filter(has);
                let new = || Devices::new([device.clone()]).with_wait_limit(Some(limit));
                alone.insert(known.unwrap_or_else(new)).clone()
            }
        };
        StepLimit(Some((list, device.clone())))
    }
}

impl StepLimit {
    /// Runs a part of the step. A wait beyond the limit is an error that names the device.
    pub(in crate::optim) fn in_time<T>(
        &self,
        work: impl FnOnce() -> Result<T, OptimError>,
    ) -> Result<T, OptimError> {
        match &self.0 {
            Some((list, device)) => list.in_time(device, work),
            None => work(),
        }
    }
}
