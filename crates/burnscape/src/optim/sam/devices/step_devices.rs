use std::sync::Mutex;
use std::time::Duration;

use burn::module::Module;
use burn::tensor::Device;

use super::device_oracles::DeviceOracles;
use crate::loss::{DeviceError, DeviceWork, Devices, LossError};
use crate::optim::OptimError;
use crate::optim::sam::needs::EntryPoint;
use crate::optim::sam::{AscentScope, SamConfig};
use crate::space::{ParamSpace, SpaceCache, SpaceError};

/// The devices of all steps of an optimizer.
#[derive(Debug, Clone)]
pub(in crate::optim) struct StepDevices {
    devices: Devices,
    scope: AscentScope,
    /// The space of the model's copy on each device.
    spaces: Vec<SpaceCache>,
}

impl StepDevices {
    /// Checks what can be checked without a model.
    pub(in crate::optim) fn new(
        config: &SamConfig,
        devices: impl IntoIterator<Item = Device>,
        scope: AscentScope,
        wait_limit: Option<Duration>,
    ) -> Result<Self, OptimError> {
        let devices = Devices::new(devices).with_wait_limit(wait_limit);
        let Some(first) = devices.device(0) else {
            return Err(LossError::from(DeviceError::NoDevice).into());
        };
        devices.main(first)?;
        let several = Self {
            spaces: (0..devices.len()).map(|_| SpaceCache::default()).collect(),
            devices,
            scope,
        };
        match config.unmet(EntryPoint::Devices) {
            Some((_, first)) if several.are_several() => Err(OptimError::Incompatible {
                first,
                second: "several devices, each of which has a part of the batch",
            }),
            _ => Ok(several),
        }
    }

    /// The same devices with another limit on waits.
    pub(in crate::optim) fn with_wait_limit(self, limit: Duration) -> Self {
        Self {
            devices: self.devices.with_wait_limit(Some(limit)),
            ..self
        }
    }

    /// Whether there is more than one.
    pub(in crate::optim) fn are_several(&self) -> bool {
        self.devices.len() > 1
    }

    /// The devices in order, without autodiff.
    pub(in crate::optim) fn list(&self) -> Vec<Device> {
        self.devices.list()
    }

    /// What each device has done so far.
    pub(in crate::optim) fn work(&self) -> Vec<DeviceWork> {
        self.devices.work()
    }

    pub(super) fn devices(&self) -> &Devices {
        &self.devices
    }

    pub(super) fn scope(&self) -> AscentScope {
        self.scope
    }

    /// The space of a copy of the model on the device of this index.
    pub(super) fn space<M: Module>(
        &self,
        index: usize,
        copy: &M,
    ) -> Result<ParamSpace, SpaceError> {
        match self.spaces.get(index) {
            Some(known) => known.of(copy),
            None => ParamSpace::of(copy),
        }
    }

    /// The work of one step of a model on `device`, without parts of the batch.
    pub(in crate::optim) fn open<M, O>(
        &self,
        config: &SamConfig,
        device: &Device,
    ) -> Result<DeviceOracles<M, O>, OptimError> {
        let main = self.devices.main(device)?;
        // Devices may share one generator of random numbers.
        let in_turn = config.draws_seed.is_some();
        let oracles = self.list().iter().map(|_| Mutex::new(None)).collect();
        Ok(DeviceOracles::new(self.clone(), main, in_turn, oracles))
    }
}
