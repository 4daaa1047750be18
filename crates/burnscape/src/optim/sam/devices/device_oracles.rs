use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
#[cfg(feature = "train")]
use burn::tensor::Device;

use super::StepDevices;
use crate::loss::{Copies, LossError, Worker};
use crate::optim::evaluation::Evaluation;
use crate::optim::sam::AscentScope;
use crate::optim::sam::descent::Descent;
use crate::optim::sam::machine::SamMachine;
use crate::optim::sam::oracle::Oracle;
use crate::optim::sam::step::{SamStep, WeightedSum};
use crate::optim::{OptimError, StepReport};
use crate::space::{BufferSnapshot, LeafVector, ParamSpace};

/// The work of one step: an oracle on each device, of its part of the batch.
///
/// Every pass is taken on copies of the model that share no running statistics with it, so that no thread sees what
/// another one writes. The model gets the statistics of the first pass on its own device.
pub(in crate::optim) struct DeviceOracles<M, O> {
    on: StepDevices,
    /// Index of the model's device.
    main: usize,
    /// Whether the devices work one after another.
    in_turn: bool,
    /// In the order of the devices; none on a device without examples.
    oracles: Vec<Mutex<Option<DeviceOracle<M, O>>>>,
}

pub(super) struct DeviceOracle<M, O> {
    oracle: O,
    /// The model at the weights of the step, once a pass has needed it.
    model: Option<M>,
}

/// The point of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    Weights,
    Displaced,
}

impl<M, O> DeviceOracles<M, O> {
    pub(super) fn new(
        on: StepDevices,
        main: usize,
        in_turn: bool,
        oracles: Vec<Mutex<Option<DeviceOracle<M, O>>>>,
    ) -> Self {
        Self {
            on,
            main,
            in_turn,
            oracles,
        }
    }

    /// Gives a device its oracle, unless it has one.
    pub(in crate::optim) fn supply(&mut self, index: usize, oracle: impl FnOnce() -> O) {
        if let Some(slot) = self.oracles.get_mut(index) {
            let slot = slot.get_mut().unwrap_or_else(PoisonError::into_inner);
            slot.get_or_insert_with(|| DeviceOracle {
                oracle: oracle(),
                model: None,
            });
        }
    }

    /// The devices, in order.
    #[cfg(feature = "train")]
    pub(in crate::optim) fn devices(&self) -> Vec<Device> {
        self.on.list()
    }

    /// Devices with an oracle.
    fn num_parts(&self) -> usize {
        let oracles = self.oracles.iter();
        oracles.filter(|slot| lock(slot).is_some()).count()
    }
}

impl<M, O> DeviceOracles<M, O>
where
    M: Module,
    O: Oracle<M> + Send,
{
    /// A step, but for the move of the weights. After an error, and after a first pass that is not finite, running
    /// statistics are as `before`.
    pub(in crate::optim) fn run(
        &self,
        machine: &mut SamMachine,
        lr: &ModuleLearningRate,
        model: &M,
        space: &ParamSpace,
        before: &BufferSnapshot,
    ) -> Result<(StepReport, Descent), OptimError> {
        match self.on.scope() {
            AscentScope::Shared => {
                let mut whole = WholeBatch {
                    oracles: self,
                    space,
                };
                machine.run(lr, model, space, before, &mut whole)
            }
            AscentScope::PerDevice => machine.complete(model, before, |machine| {
                self.ascend_apart(machine, lr, model, space)
            }),
        }
    }

    /// Runs `work` on every device that has an item, with its oracle, the model at the weights of the step, and the
    /// item. The results are in the order of the devices.
    #[cfg(feature = "train")]
    pub(in crate::optim) fn hand_out<I: Send, T: Send>(
        &self,
        model: &M,
        items: Vec<Option<I>>,
        work: impl Fn(&mut O, &M, I) -> Result<T, OptimError> + Sync,
    ) -> Result<Vec<T>, OptimError> {
        let copies = Copies::of(model, self.on.devices());
        let items: Vec<_> = items.into_iter().map(Mutex::new).collect();
        let results = self.each(|worker, own| {
            let item = items.get(worker.index());
            let Some(item) = item.and_then(|item| lock(item).take()) else {
                return Ok(None);
            };
            if !worker.begin(worker.index()) {
                return Ok(None);
            }
            let (oracle, copy) = own.at_weights(&copies, worker)?;
            work(oracle, copy, item).map(Some)
        })?;
        self.keep_statistics(model);
        Ok(results)
    }

    /// All passes of a step in which every device ascends along its own gradient.
    fn ascend_apart(
        &self,
        machine: &SamMachine,
        lr: &ModuleLearningRate,
        model: &M,
        space: &ParamSpace,
    ) -> Result<SamStep, OptimError> {
        let num_parts = self.num_parts();
        let plan = machine.begin(lr, space, num_parts)?.plan;
        let copies = Copies::of(model, self.on.devices());
        let steps = self.each(|worker, own| {
            let index = worker.index();
            if !worker.begin(index) {
                return Ok(None);
            }
            let (oracle, copy) = own.at_weights(&copies, worker)?;
            let known = self.on.space(index, copy)?;
            let mut step = SamStep::new(plan, num_parts);
            let machine = machine.on(&known)?;
            machine.part(&mut step, index, copy, &known, oracle)?;
            step.on(space).map(Some)
        })?;
        self.keep_statistics(model);
        let mut steps = steps.into_iter();
        match steps.next() {
            Some(first) => steps.try_fold(first, SamStep::join),
            None => Err(LossError::EmptyBatch { batch: 0 }.into()),
        }
    }

    /// Loss and gradient of the whole batch, on the device of the model.
    fn pass(&self, model: &M, space: &ParamSpace, point: Point) -> Result<Evaluation, OptimError> {
        let copies = Copies::of(model, self.on.devices());
        let parts = self.each(|worker, own| {
            let index = worker.index();
            if !worker.begin(index) {
                return Ok(None);
            }
            let (known, Evaluation { loss, gradients }) = match point {
                Point::Weights => {
                    let (oracle, copy) = own.at_weights(&copies, worker)?;
                    let known = self.on.space(index, copy)?;
                    (known, oracle.first(index, copy)?)
                }
                Point::Displaced => {
                    // Its memory is for the displaced copy.
                    own.model = None;
                    let copy = copies.on(worker)?;
                    let known = self.on.space(index, &copy)?;
                    (known, own.oracle.displaced(index, &copy)?)
                }
            };
            let gradient = LeafVector::from_gradients(&known, &gradients)?.on(space)?;
            drop(gradients);
            let loss = loss.on(space.device())?;
            Ok(Some((own.oracle.weight(index), gradient, loss)))
        })?;
        if point == Point::Weights {
            self.keep_statistics(model);
        }
        let mut sum = WeightedSum::new(true);
        for (weight, gradient, loss) in parts {
            sum.add(weight, gradient, loss)?;
        }
        sum.into_evaluation()
    }

    /// Runs `work` on every device with an oracle. The results that there are come in the order of the devices.
    fn each<T: Send>(
        &self,
        work: impl Fn(&Worker<'_>, &mut DeviceOracle<M, O>) -> Result<Option<T>, OptimError> + Sync,
    ) -> Result<Vec<T>, OptimError> {
        let devices = self.on.devices();
        let results = devices.each(self.main, self.in_turn, |worker| {
            let Some(slot) = self.oracles.get(worker.index()) else {
                return Ok(None);
            };
            match lock(slot).as_mut() {
                Some(own) => work(worker, own),
                None => Ok(None),
            }
        })?;
        Ok(results.into_iter().flatten().collect())
    }

    /// Gives the model the running statistics of the first pass on its device.
    fn keep_statistics(&self, model: &M) {
        if let Some(slot) = self.oracles.get(self.main)
            && let Some(own) = lock(slot).as_ref()
            && let Some(copy) = &own.model
        {
            drop(BufferSnapshot::of(copy).restore(model.clone()));
        }
    }
}

impl<M: Module, O> DeviceOracle<M, O> {
    /// The oracle, and the model at the weights of the step on its device.
    fn at_weights(
        &mut self,
        copies: &Copies<M>,
        worker: &Worker<'_>,
    ) -> Result<(&mut O, &M), OptimError> {
        let copy = match self.model.take() {
            Some(copy) => copy,
            None => copies.on(worker)?,
        };
        let copy: &M = self.model.insert(copy);
        Ok((&mut self.oracle, copy))
    }
}

/// The oracle of the whole batch, for one ascent along the gradient of all devices.
struct WholeBatch<'a, M, O> {
    oracles: &'a DeviceOracles<M, O>,
    space: &'a ParamSpace,
}

impl<M, O> Oracle<M> for WholeBatch<'_, M, O>
where
    M: Module,
    O: Oracle<M> + Send,
{
    fn first(&mut self, _part: usize, model: &M) -> Result<Evaluation, OptimError> {
        self.oracles.pass(model, self.space, Point::Weights)
    }

    fn displaced(&mut self, _part: usize, model: &M) -> Result<Evaluation, OptimError> {
        self.oracles.pass(model, self.space, Point::Displaced)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
