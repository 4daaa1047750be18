use std::time::Duration;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Device;

use super::StepDevices;
use super::device_oracles::DeviceOracles;
use super::part_oracle::PartOracle;
use crate::loss::{Batch, DeviceWork, Objective};
use crate::optim::sam::batch_parts::{BatchPart, evenly};
use crate::optim::sam::{AscentScope, Sam};
use crate::optim::{Need, OptimError, StepReport};

impl Sam {
    /// The same optimizer on several devices, each of which takes the gradients of a part of the batch:
    /// [`step_on_devices`](Self::step_on_devices). The model stays on its device, which must be one of these, and so
    /// do the base optimizer and all memories.
    ///
    /// A list of one device is as good as none. Devices are no part of a record: a run may resume on other ones. After a
    /// device has failed, call this again with those that are left: the failed step has changed nothing. Waits for a
    /// device have no limit unless [`with_wait_limit`](Self::with_wait_limit) sets one: a step ends when a connection
    /// does, and a server that is alive and silent blocks it.
    ///
    /// # Errors
    ///
    /// [`LossError::Device`](crate::loss::LossError::Device) for no device, a device that is listed twice, and devices
    /// whose default float types differ, or do not answer within a limit that was set before.
    /// [`OptimError::Incompatible`] for variants that look into the whole batch
    /// (m-sharpness by `group_size`, data selection, a Fisher metric of example gradients, trust-region ascent), if
    /// there are several devices.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::optim::SgdConfig;
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::optim::{AscentScope, SamConfig};
    ///
    /// let device = Device::default().autodiff();
    /// let mut model = LinearConfig::new(1, 1).with_bias(false).init(&device);
    /// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).sub_scalar(3.0).square().mean();
    /// // Two GPUs: `[Device::cuda(0), Device::cuda(1)]`.
    /// let mut sam = SamConfig::new()
    ///     .init(SgdConfig::new().init())?
    ///     .on_devices([Device::default()], AscentScope::Shared)?;
    /// for _ in 0..50 {
    ///     sam.step_on_devices(0.1, &mut model, Tensor::ones([4, 1], &device), &loss)?;
    /// }
    /// let weight: f32 = model.weight.val().into_scalar();
    /// assert!((weight - 3.0).abs() < 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_devices(
        mut self,
        devices: impl IntoIterator<Item = Device>,
        scope: AscentScope,
    ) -> Result<Self, OptimError> {
        let limit = self.wait_limit.get();
        let devices = StepDevices::new(&self.machine.config, devices, scope, limit)?;
        self.devices = Some(devices);
        Ok(self)
    }

    /// Sets the longest wait of a step for a device; without a limit by default. It is for the devices of
    /// [`on_devices`](Self::on_devices), whichever is called first, and for the device of the model where there are
    /// none.
    ///
    /// A wait beyond it is [`DeviceError::TimedOut`](crate::loss::DeviceError::TimedOut), and model and memories are as
    /// before; [`ascend`](Self::ascend) and [`descend`](Self::descend) drop their model after any error. The device is
    /// not asked again: later steps return [`DeviceError::Dead`](crate::loss::DeviceError::Dead) until
    /// [`on_devices`](Self::on_devices) has another list; a second call of this method changes the limit only. The limit
    /// is for a single wait. Waits of the loss and of the base optimizer themselves have none, nor has what
    /// [`Risk::with_wait_limit`](crate::loss::Risk::with_wait_limit) does not limit.
    ///
    /// A limit of zero is [`DeviceError::NoWait`](crate::loss::DeviceError::NoWait), in the next step or in
    /// [`on_devices`](Self::on_devices).
    ///
    /// # Cost
    ///
    /// A thread for every wait.
    #[must_use]
    pub fn with_wait_limit(mut self, limit: Duration) -> Self {
        self.wait_limit = self.wait_limit.with(limit);
        self.devices = self.devices.map(|devices| devices.with_wait_limit(limit));
        self
    }

    /// One step on a batch, in parts on the devices of [`on_devices`](Self::on_devices): as
    /// [`step_on`](Self::step_on), which it is without devices and with one.
    ///
    /// The examples are split in order into a part a device, as equal as possible; with fewer examples than devices,
    /// the last ones of the list idle. A part is moved to its device, wherever the batch is. The weights of parts are
    /// those of [`Batch::weight`]. The objective is called on worker threads, with a copy of the model on the device
    /// of the part; its own tensors must be there, too, so make them on the device of the batch.
    ///
    /// **Running statistics** are those of the first pass on the model's own device: they see its part of the batch
    /// only, and stay as they are if it has none.
    ///
    /// # Cost
    ///
    /// A thread for each device in each pass. For every other device, [`AscentScope::Shared`] moves the weights and a
    /// gradient twice in a step. [`AscentScope::PerDevice`] moves the weights once, two gradients, and the vectors
    /// that the ascent remembers (Friendly SAM has one); [`StepReport::num_gradients`] counts the gradients of all
    /// devices. With [`draws_seed`](crate::optim::SamConfig::draws_seed) the devices work one after another, because
    /// several of them may share one generator of random numbers.
    ///
    /// # Reproducibility
    ///
    /// Gradients are added in the order of the list: the same devices in the same order give the same bits. Those of
    /// one device differ in rounding. A loss that draws random numbers without `draws_seed` depends on the timing of
    /// the threads.
    ///
    /// # Errors
    ///
    /// As [`step_on`](Self::step_on), and [`LossError::Device`](crate::loss::LossError::Device) if the model's device
    /// is not in the list, or if a device or the loss on it fails: the error has the device and the index of the part,
    /// and all threads have ended. The model is then as before.
    pub fn step_on_devices<M: Module, B: Batch + Send>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        batch: B,
        objective: &(impl Objective<M, B> + Sync),
    ) -> Result<StepReport, OptimError> {
        let Some(devices) = self.devices.clone() else {
            return self.step_on(lr, model, batch, objective);
        };
        let space = self.machine.space(model)?;
        let mut oracles: DeviceOracles<M, _> =
            devices.open(&self.machine.config, space.device())?;
        if !devices.are_several() {
            return self.step_on(lr, model, batch, objective);
        }
        let list = devices.list();
        let draws = self.machine.draws();
        let parts = evenly(batch, list.len(), objective.reduction())?;
        for (index, (part, device)) in parts.into_iter().zip(list).enumerate() {
            let BatchPart { batch, weight } = part;
            oracles.supply(index, || PartOracle {
                objective,
                batch,
                weight,
                draws,
                device,
            });
        }
        self.step_with(lr.into(), model, &space, |machine, lr, model, before| {
            oracles.run(machine, lr, model, &space, before)
        })
    }

    /// The batches of each device since [`on_devices`](Self::on_devices), and the seconds of its threads; empty without
    /// devices. A part of a batch counts once for each thread that has worked on it: in a step of SAM twice with
    /// [`AscentScope::Shared`], and once with [`AscentScope::PerDevice`].
    pub fn device_work(&self) -> Vec<DeviceWork> {
        let devices = self.devices.as_ref();
        devices.map_or_else(Vec::new, StepDevices::work)
    }

    /// Refuses a step without parts of the batch on several devices.
    pub(in crate::optim::sam) fn refuse_devices(&self) -> Result<(), OptimError> {
        match &self.devices {
            Some(devices) if devices.are_several() => {
                Err(Need::Devices.unmet("a step on several devices"))
            }
            _ => Ok(()),
        }
    }
}
