//! Risks on several devices.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use burn::module::Module;
use burn::tensor::Device;

use super::shard::Shard;
use super::{Observer, Risk, each};
use crate::loss::{Cost, Costs, DeviceError, DeviceWork, Devices, LossError, Mode, Signature};
use crate::space::{Waits, copy_for_gradients};

/// The devices of a risk, and how they are used. The order in which it is set does not matter.
#[derive(Debug, Clone, Default)]
pub(super) struct Placement {
    devices: Option<Devices>,
    exact_order: bool,
    wait_limit: Option<Duration>,
}

impl Placement {
    /// The same settings for other devices, or for those that there are.
    fn with(mut self, devices: Option<Devices>) -> Self {
        self.devices = devices.map(|devices| {
            let devices = devices.with_exact_order(self.exact_order);
            devices.with_wait_limit(self.wait_limit)
        });
        self
    }
}

impl<M, K> Risk<'_, M, K> {
    /// Divides the batches among several devices, one of which is that of the model: GPUs, CPUs, and devices of other
    /// machines (feature `remote`). Everything that is measured on the risk inherits them.
    ///
    /// | what | where it runs |
    /// |---|---|
    /// | [`loss`](Self::loss), [`loss_and_gradient`](Self::loss_and_gradient) | each batch on its device |
    /// | curvature operators and Jacobians, and the spectra, solves and measures of sharpness that multiply with them | each batch on its device |
    /// | points of landscapes and of profiles of paths | whole points, on the devices in turn |
    /// | vectors, sums, bases of Krylov methods, results | the device of the model |
    /// | gradients of examples and of other parts of batches, running statistics (but those of points), calibration, couplings of layers, fits | the device of the model |
    ///
    /// Each batch goes, in order, to the device with the least work so far, the first one of several. The work of a
    /// batch is the number of floating-point operations of its gradient in an operator, and the size of its tensors in
    /// a loss or a gradient, for which nothing is traced. A device has a thread, a copy of the model, and the batches
    /// that it gets; neither the user's model nor the data move. With fewer batches than devices some have none:
    /// [`device_work`](Self::device_work) tells what each one has done. A list of one device, that of the model, is
    /// the same as no list, except that batches are moved there.
    ///
    /// What a loss reads besides model and batch must be on the device of its batch: create it with `x.device()`,
    /// and mark no tensor of a batch with `#[batch(skip)]`.
    ///
    /// # Cost
    ///
    /// Each device reads the whole data set and skips the batches of the others, all devices at the same time: a
    /// loader does its work once for each, and must give all of them the same batches. In a pass the model is copied
    /// to every other device, and its batches to each. An operator copies the model once, and batches once if their
    /// residuals are stored, and in every product otherwise; before it is made, the data are read once more, and one
    /// batch of each set of shapes is traced. A product or a gradient moves one vector to and one from each other
    /// device. Numbers of two different backends, and those that a remote device has computed, pass through the memory
    /// of the host.
    ///
    /// A loss that runs as a program ([`Recorded`](crate::loss::Recorded), [`Field`](crate::loss::Field)) is computed
    /// by one device at a time, and so is a loss that draws random numbers, since devices may share a generator.
    ///
    /// # Errors
    ///
    /// Those of the list come with the first measurement: [`DeviceError::NoDevice`], [`DeviceError::Twice`],
    /// [`DeviceError::NotListed`] for a model on another device, [`DeviceError::FloatTypes`] if new tensors do not have
    /// the same type on all devices, and [`DeviceError::NoWait`] for a [limit](Self::with_wait_limit) of zero.
    ///
    /// If a device fails, or the loss panics on it, the measurement ends with [`DeviceError::Failed`], which names
    /// device and batch, after all threads have returned. What the calling thread itself cannot read from the device of
    /// the model is [`SpaceError::Device`](crate::space::SpaceError::Device). No part of a sum is handed on. Operators
    /// and Krylov factorizations are as they were before: try again, or go on with [`without_device`](Self::without_device).
    /// Other errors are those that one device would find first.
    ///
    /// # Reproducibility
    ///
    /// The same devices in the same order give the same bits, as far as each of them does. Losses are added in the
    /// order of the batches. The partial sums of gradients and products are added in the order of the list, which
    /// rounds otherwise than one device does; see [`with_exact_order`](Self::with_exact_order). Seeded draws are those
    /// of the generator of each device. The observer is called by one thread at a time, with counts over all devices;
    /// the order in which batches end depends on time. The checks of an operator send no reports and see no breaks.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::flex();
    /// let model = LinearConfig::new(2, 1).init(&device);
    /// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().mean();
    /// let data = [1.0, 2.0, 3.0].map(|x| Tensor::<2>::full([4, 2], x, &device));
    /// let one = Risk::new(&loss, &data);
    /// // On a machine with GPUs: `[Device::cuda(0), Device::cuda(1)]`, and the model on one of them.
    /// let several = one.clone().with_devices([device]);
    /// assert_eq!(several.loss(&model)?.value, one.loss(&model)?.value);
    /// for work in several.device_work() {
    ///     println!("{work}");
    /// }
    /// # Ok::<(), burnscape::loss::LossError>(())
    /// ```
    #[must_use]
    pub fn with_devices(mut self, devices: impl IntoIterator<Item = Device>) -> Self {
        self.placement = self.placement.with(Some(Devices::new(devices)));
        self.alone()
    }

    /// Sets whether [several devices](Self::with_devices) add gradients and products in the order of the batches, as
    /// one device does; off by default. Where the devices compute a batch with the same bits, sums have those of one
    /// device.
    ///
    /// # Cost
    ///
    /// The gradient or product of every batch is moved to the device of the model, instead of one sum for each device.
    /// Those of all batches may be held there at once: a vector for each batch.
    #[must_use]
    pub fn with_exact_order(mut self, exact: bool) -> Self {
        self.placement.exact_order = exact;
        let devices = self.placement.devices.take();
        self.placement = self.placement.with(devices);
        self
    }

    /// Sets the longest wait for a device of the [list](Self::with_devices), also if it is the only one; without a limit
    /// by default.
    ///
    /// A wait beyond it is [`DeviceError::TimedOut`], and the device is not asked again: later measurements with this
    /// list return [`DeviceError::Dead`] until [`without_device`](Self::without_device) removes it, or
    /// [`with_devices`](Self::with_devices) makes another list. The thread that waits may stay until the process
    /// ends, which it does not delay. The limit is for a single wait, which ends when the device has done all that it
    /// was given before. Choose it longer than what may be queued before one read takes on the slowest device: a
    /// product with a block of vectors, up to 64 batches of a landscape, a pass of SAM. Waits of the loss itself are
    /// not limited, nor those of a traced loss that compares numbers for equality, nor moves of fields of the model
    /// of type `Tensor` that are no parameters, nor work that a device accepts without an answer. A server that no
    /// longer reads accepts none once buffers are full: sending to it, and releasing tensors that are there, then
    /// waits until the connection ends.
    ///
    /// The limit is for the threads of devices and for the calling thread. Spaces, gradients and operators that come from
    /// this risk have it, too: a read of one of their vectors, in an inner product of a Krylov method for example, is
    /// [`SpaceError::TimedOut`](crate::space::SpaceError::TimedOut). Fits, alignment and merging have none. Of nested
    /// limits the nearest one counts: that of the list, also within a job of a
    /// [`DeviceQueue`](crate::loss::DeviceQueue::with_wait_limit). Krylov methods give the vectors that they start from or
    /// go on with the limit of their operator.
    ///
    /// # Cost
    ///
    /// A thread for every wait.
    #[must_use]
    pub fn with_wait_limit(mut self, limit: Duration) -> Self {
        self.placement.wait_limit = Some(limit);
        let devices = self.placement.devices.take();
        self.placement = self.placement.with(devices);
        self
    }

    /// The same risk without one of its [devices](Self::with_devices), whose batches the others get. Their accounts go
    /// on.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoSuchDevice`], and [`DeviceError::NoDevice`] if it is the only one.
    pub fn without_device(&self, index: usize) -> Result<Self, LossError>
    where
        K: Clone,
    {
        let Some(devices) = self.devices() else {
            return Err(DeviceError::NoSuchDevice { index, devices: 0 }.into());
        };
        let rest = devices.without(index)?;
        let mut risk = self.clone();
        risk.placement = risk.placement.with(Some(rest));
        Ok(risk.alone())
    }

    /// What each of the [devices](Self::with_devices) has done so far, in the order of the list, for this risk, its
    /// copies and their operators; empty without devices. A list of one device counts nothing.
    pub fn device_work(&self) -> Vec<DeviceWork> {
        self.devices().map(Devices::work).unwrap_or_default()
    }

    /// The list of devices, which may be a single one.
    pub(crate) fn devices(&self) -> Option<&Devices> {
        self.placement.devices.as_ref()
    }

    /// The waits of threads that read from a device of the list, if there is a limit.
    pub(super) fn waits(&self, device: &Device) -> Option<Waits> {
        self.devices()?.waits_on(device)
    }

    /// The same risk. If the list has one device, batches are moved there, and nothing else differs from no list.
    /// They come from where they are without a list, not from the only device of an earlier one.
    fn alone(mut self) -> Self {
        if let Some(unmoved) = self.unmoved.take() {
            self.source = unmoved;
        }
        let only = self.devices().filter(|devices| devices.len() == 1);
        let only = only.and_then(|devices| devices.list().into_iter().next());
        if let Some(device) = only {
            let whole = Arc::clone(&self.source);
            self.unmoved = Some(Arc::clone(&whole));
            self.source = Arc::new(Shard {
                whole,
                device,
                share: None,
            });
        }
        self
    }

    /// The same risk on the device of its model.
    pub(crate) fn without_devices(mut self) -> Self {
        self.placement = Placement::default();
        self
    }
}

impl<'a, M: Module, K> Risk<'a, M, K> {
    /// The list of several devices, checked for this model, and the index of the device of the model; `None` if there
    /// is one device.
    ///
    /// # Errors
    ///
    /// [`LossError::Device`].
    pub(crate) fn spread(&self, model: &M) -> Result<Option<(Devices, usize)>, LossError> {
        let Some(devices) = self.devices() else {
            return Ok(None);
        };
        let main = devices.main(&main_device(model))?;
        Ok((devices.len() > 1).then(|| (devices.clone(), main)))
    }

    /// Runs work on this thread that reads from the device of the model, with the [limit](Self::with_wait_limit) on
    /// waits.
    ///
    /// # Errors
    ///
    /// Those of `work`, and [`LossError::Device`] for a wait beyond the limit, for a device that did not answer earlier
    /// and for a limit of zero.
    pub(crate) fn in_time<T, E: From<LossError>>(
        &self,
        model: &M,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match self.devices() {
            Some(devices) if devices.has_wait_limit() => devices.in_time(&main_device(model), work),
            _ => work(),
        }
    }

    /// The assignment of the batches by their costs. A loss whose gradient cannot be traced is divided by bytes.
    ///
    /// # Cost
    ///
    /// Nothing for bytes, which are counted when the shards are read. For operations, one reading of the data, in
    /// which the first batch of each set of shapes is traced.
    ///
    /// # Errors
    ///
    /// Those of the data set, and of [`space`](Self::space).
    pub(crate) fn costs(
        &self,
        devices: &Devices,
        cost: Cost,
        model: &M,
    ) -> Result<Arc<Costs>, LossError> {
        if cost == Cost::Bytes {
            return Ok(Costs::bytes(devices));
        }
        let settings = self.space(model)?.device().settings();
        let copy = copy_for_gradients(model, self.mode == Mode::Train);
        let mut known: HashMap<Signature, u64> = HashMap::new();
        let mut costs = Vec::new();
        let is_traced = each(&**self.source(), |_, batch| {
            let signature = batch.tensors().signature;
            let flops = match known.get(&signature) {
                Some(flops) => *flops,
                None => {
                    let trace = batch.trace_gradient(copy.clone(), settings, self.reduction);
                    let Ok(trace) = trace else {
                        return Ok(ControlFlow::Break(()));
                    };
                    let flops = trace.program.flops();
                    known.insert(signature, flops);
                    flops
                }
            };
            costs.push(flops);
            Ok::<_, LossError>(ControlFlow::Continue(()))
        })?;
        Ok(if is_traced {
            Costs::known(devices, costs)
        } else {
            Costs::bytes(devices)
        })
    }

    /// The same risk over the batches of one device of the list, which are moved there and keep their indices in the
    /// whole data. It has no devices and no observer.
    pub(crate) fn shard(&self, devices: &Devices, index: usize, costs: &Arc<Costs>) -> Risk<'a, M> {
        // An index that is not in the list has no batch.
        let device = devices.device(index).cloned().unwrap_or_default();
        self.on(device, Some((Arc::clone(costs), index)))
    }

    /// The same risk with all batches moved to a device. It has no devices and no observer.
    pub(crate) fn located(&self, device: &Device) -> Risk<'a, M> {
        self.on(device.clone().inner(), None)
    }

    fn on(&self, device: Device, share: Option<(Arc<Costs>, usize)>) -> Risk<'a, M> {
        Risk {
            source: Arc::new(Shard {
                whole: Arc::clone(&self.source),
                device,
                share,
            }),
            unmoved: None,
            observer: Observer::default(),
            ..self.whole().without_devices()
        }
    }
}

/// The device of a model.
pub(super) fn main_device<M: Module>(model: &M) -> Device {
    model.devices().first().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
