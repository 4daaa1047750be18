use std::sync::Arc;
use std::time::Duration;

use burn::data::dataloader::DataLoader;
use burn::data::dataloader::split::split_dataloader;
use burn::tensor::Device;
use burn::train::LearnerModel;

use super::SamStrategy;
use crate::optim::OptimError;
use crate::optim::sam::{AscentScope, StepDevices};

/// The devices of a training.
#[derive(Debug)]
pub(super) struct TrainingDevices {
    /// With autodiff, for the batches.
    list: Vec<Device>,
    of_steps: StepDevices,
}

impl TrainingDevices {
    pub(super) fn of_steps(&self) -> &StepDevices {
        &self.of_steps
    }

    /// A loader for each device, of a part of the items.
    pub(super) fn split<B>(&self, loader: Arc<dyn DataLoader<B>>) -> Vec<Arc<dyn DataLoader<B>>> {
        split_dataloader(loader, &self.list)
    }
}

impl<M: LearnerModel> SamStrategy<M> {
    /// Trains on several devices, as Burn's `MultiDevice` strategy does. The learner's model and its optimizer are on
    /// the first one. A list of one device is [`on`](Self::on) this device.
    ///
    /// Burn splits the items of the training data into a part a device. An optimizer step has a batch of each device,
    /// or as many as gradients are accumulated over. `TrainStep::step` runs on a thread for each device, on a copy of
    /// the model there, at `w` and at `w + e` ([`AscentScope`] has the formulas, with weights `c_d` of one). As with
    /// Burn, the gradients of devices are **summed**: two devices with a mean loss have twice the gradient of one, so
    /// divide the rate accordingly. A step at the end of an epoch may lack the batches of some devices.
    ///
    /// - **Metrics** get the output of each device's first pass, in the order of the devices.
    /// - **Running statistics** are those of the first passes on the first device.
    /// - **Reports** have the sums of losses and gradients. With [`AscentScope::PerDevice`],
    ///   [`StepReport::num_gradients`](crate::optim::StepReport::num_gradients) counts those of all devices.
    /// - **Records** do not contain the devices: a training may resume on other ones.
    ///
    /// # Cost
    ///
    /// That of [`Sam::step_on_devices`](crate::optim::Sam::step_on_devices), and a copy of the model on each device
    /// until the step ends.
    ///
    /// # Errors
    ///
    /// [`LossError::Device`](crate::loss::LossError::Device) for no device, a device that is listed twice, and devices
    /// whose default float types differ. A device that fails, and a panic in `TrainStep::step`, end the training with
    /// a message that names the device.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use burn::train::LearnerModel;
    /// use burnscape::optim::{AscentScope, OptimError, Sam, SamConfig, SamStrategy};
    ///
    /// # #[allow(dead_code)]
    /// fn strategy<M: LearnerModel>(gpus: Vec<Device>) -> Result<SamStrategy<M>, OptimError> {
    ///     Sam::strategy(SamConfig::asam())?.on_devices(gpus, AscentScope::PerDevice)
    /// }
    /// ```
    pub fn on_devices(
        mut self,
        devices: impl IntoIterator<Item = Device>,
        scope: AscentScope,
    ) -> Result<Self, OptimError> {
        let list: Vec<Device> = devices.into_iter().map(Device::autodiff).collect();
        let limit = self.wait_limit.get();
        let of_steps = StepDevices::new(&self.config, list.iter().cloned(), scope, limit)?;
        self.device = list.first().cloned();
        let are_several = of_steps.are_several();
        self.devices = are_several.then_some(TrainingDevices { list, of_steps });
        Ok(self)
    }

    /// Sets the longest wait of a step for a device, as [`Sam::with_wait_limit`](crate::optim::Sam::with_wait_limit)
    /// does; without a limit by default. It is for the devices of [`on_devices`](Self::on_devices), whichever is called
    /// first, or else for that of the training. A wait beyond it ends the training with a message that names the device.
    ///
    /// Burn's own reads, for metrics and checkpoints, have no limit, nor has validation.
    pub fn with_wait_limit(mut self, limit: Duration) -> Self {
        self.wait_limit = self.wait_limit.with(limit);
        self.devices = self.devices.map(|devices| TrainingDevices {
            of_steps: devices.of_steps.with_wait_limit(limit),
            ..devices
        });
        self
    }
}
