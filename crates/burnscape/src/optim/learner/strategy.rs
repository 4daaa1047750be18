use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use burn::train::{
    EventProcessorTraining, Interrupter, Learner, LearnerEvent, LearnerModel,
    SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainStep,
    TrainingComponents, TrainingStrategy, ValidLoader,
};

use super::checkpoints::Checkpoints;
use super::devices::TrainingDevices;
use super::epoch::{TrainEpoch, validate};
use super::error::StrategyError;
use super::oracle::LossOf;
use super::{RecordOf, StepStart, StepWatcher};
use crate::optim::sam::{EntryPoint, SamMachine, StepDevices, StepLimit, WaitLimit};
use crate::optim::{OptimError, Sam, SamConfig, StepReport};

/// Sharpness-aware training with Burn's `Learner`, without a change in the model's code. Built by
/// [`Sam::strategy`].
///
/// It is Burn's strategy for a single device with another step: the model's own `TrainStep::step` is
/// called at `w` and at `w + e`, and the learner's optimizer gets one gradient made of both.
/// [`on_devices`](Self::on_devices) does so on several devices.
/// Given the same batches and rates the weights are those of [`Sam::step`], bit for bit. Schedulers,
/// metrics (of the first pass, at `w`), early stopping, interruption and checkpoints are Burn's.
///
/// - **Gradient accumulation** over `k` batches: one ascent along the sum of their gradients, and a
///   second gradient summed over the same `k` batches at the one displaced point. As with Burn, it
///   is a sum, so that reported losses and norms are sums too. The step counts as one gradient (or
///   two) in [`StepReport::num_gradients`]. An incomplete group at an epoch's end is a step.
/// - **Gradient clipping** of the learner's optimizer applies to the combined gradient, not to the
///   one that the ascent follows.
/// - **Running statistics** are those of the first pass.
/// - **A step that is not finite** changes neither the weights nor the optimizer's state, and restores the running
///   statistics if it was the first pass. The scheduler and the step counter advance.
///
/// - **Tied parameters** become separate leaves on their way into Burn's `Learner`; with
///   [`restore_tied`](SamConfig::restore_tied) they are one again in each step.
///
/// # Limits
///
/// [`Sam::strategy`] refuses variants that need the batch. `SupervisedTraining::gradient_checkpointing` does not reach
/// a custom strategy: set it on the device of [`on`](Self::on), or on all of [`on_devices`](Self::on_devices).
///
/// # Cost
///
/// That of [`Sam`]; all batches of a step are held until its end. Decoupled WSAM and
/// [`restore_tied`](SamConfig::restore_tied) write weights after the optimizer's step, and Burn's
/// `Learner` accepts them as a record only: all weights are then copied to the host and back in every step.
/// [`DescentGradient::Weighted`](crate::optim::DescentGradient::Weighted) that is not decoupled has no such
/// cost.
///
/// # Errors
///
/// What [`Sam::step`] would refuse stops the training; `LearningResult::error` has the message, as
/// it has those of [`with_checkpoints`](Self::with_checkpoints). Burn's error type has no variant
/// for it, so it comes as a `CheckpointerError::Unknown`.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
/// use std::path::Path;
///
/// use burn::train::{Learner, LearnerModel, SupervisedTraining, TrainLoader, TrainStep, ValidLoader};
/// use burnscape::optim::{OptimError, Sam, SamConfig};
///
/// # #[allow(dead_code)]
/// fn train<M>(
///     learner: Learner<M>,
///     data: (TrainLoader<M>, ValidLoader<M>),
///     directory: &Path,
/// ) -> Result<M, OptimError>
/// where
///     M: LearnerModel,
///     <M as TrainStep>::Input: Clone,
/// {
///     let strategy = Sam::strategy(SamConfig::friendly_sam())?
///         .with_checkpoints(directory.join("checkpoint"))
///         .observe(|report| match report.gradient_norm > 1e6 {
///             true => ControlFlow::Break(()),
///             false => ControlFlow::Continue(()),
///         });
///     let result = SupervisedTraining::new(directory, data.0, data.1)
///         .num_epochs(10)
///         .with_default_checkpointers()
///         .with_training_strategy(strategy.into())
///         .launch(learner);
///     Ok(result.model)
/// }
/// ```
#[must_use = "a strategy trains nothing until `SupervisedTraining::with_training_strategy` has it"]
pub struct SamStrategy<M: LearnerModel> {
    pub(super) config: SamConfig,
    pub(super) device: Option<Device>,
    pub(super) devices: Option<TrainingDevices>,
    pub(super) wait_limit: WaitLimit,
    checkpoints: Checkpoints,
    loss_of: Option<Box<LossOf<M>>>,
    observer: RefCell<Box<Observer>>,
    model_observer: RefCell<Box<ModelObserver<M>>>,
    watcher: Option<Arc<dyn StepWatcher<M>>>,
}

type Observer = dyn FnMut(&StepReport) -> ControlFlow<()>;
type ModelObserver<M> = dyn FnMut(&M, &StepStart) -> ControlFlow<()>;

impl Sam {
    /// The training strategy for Burn's `SupervisedTraining`; the learner's optimizer is the base.
    ///
    /// ```text
    /// .with_training_strategy(Sam::strategy(SamConfig::new())?.into())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`SamConfig::init`], and [`OptimError::Incompatible`] for variants that look into
    /// the batch (m-sharpness, data selection, a Fisher metric of example gradients, trust-region ascent): a
    /// `TrainStep::step` cannot split it.
    pub fn strategy<M: LearnerModel>(config: SamConfig) -> Result<SamStrategy<M>, OptimError> {
        config.validate()?;
        // Both may still be set.
        let entry = EntryPoint::Learner {
            has_loss: true,
            has_record: true,
        };
        if let Some((_, first)) = config.unmet(entry) {
            return Err(OptimError::Incompatible {
                first,
                second: "Burn's `Learner`, which steps on whole batches",
            });
        }
        Ok(SamStrategy {
            config,
            device: None,
            devices: None,
            wait_limit: WaitLimit::default(),
            checkpoints: Checkpoints::default(),
            loss_of: None,
            observer: RefCell::new(Box::new(|_| ControlFlow::Continue(()))),
            model_observer: RefCell::new(Box::new(|_, _| ControlFlow::Continue(()))),
            watcher: None,
        })
    }
}

impl<M: LearnerModel> SamStrategy<M> {
    /// The device of the training; by default that of the model.
    pub fn on(mut self, device: Device) -> Self {
        self.device = Some(device.autodiff());
        self.devices = None;
        self
    }

    /// The directory of Burn's checkpoints, which Burn does not pass to a strategy: `directory/checkpoint`
    /// with `SupervisedTraining::with_default_checkpointers`.
    ///
    /// When Burn has checkpointers, the state goes to `sam-{epoch}.bpk` beside them after each
    /// epoch, whatever Burn's checkpointing strategy keeps; records are removed once the
    /// `model-{epoch}.bpk` beside them is gone and a later one is there. When Burn resumes from an
    /// epoch, so does the state, and training continues bit for bit as without the break, given the same
    /// batches in the same order and, where the model draws (dropout), a
    /// [`draws_seed`](SamConfig::draws_seed). [`OptimRecord::load`](crate::optim::OptimRecord::load) reads the
    /// files too.
    ///
    /// Monitors of the training ([`LearnerMonitors`](crate::dynamics::LearnerMonitors)) have their records beside those,
    /// `monitors-{epoch}.mpk`: a resumed training has the readings of an uninterrupted one, bit for bit.
    ///
    /// # Errors
    ///
    /// The training stops with a message if a record belongs to another model or to other monitors, or cannot be read
    /// or written; and for monitors and configurations with a memory (Friendly SAM, LookSAM, active steps, a mask, a
    /// schedule over steps, `draws_seed`, random starts) if there are checkpointers but no
    /// directory, or no record to resume from.
    pub fn with_checkpoints(mut self, directory: impl Into<PathBuf>) -> Self {
        self.checkpoints.directory = Some(directory.into());
        self
    }

    /// A function that finds the loss in the output of `TrainStep::step`. It must be the loss of the gradients.
    ///
    /// With it, reports have losses, a loss that is not finite skips the step even if its gradient is finite, and
    /// projected ascents can compare several starts. On several devices it is called on their threads.
    ///
    /// ```text
    /// .with_loss(|output: &ClassificationOutput| output.loss.clone())
    /// ```
    pub fn with_loss(
        mut self,
        loss: impl Fn(&<M as TrainStep>::Output) -> Tensor<1> + Send + Sync + 'static,
    ) -> Self {
        self.loss_of = Some(Box::new(loss));
        self
    }

    /// Calls the observer with the report of each step, skipped ones included. `Break` interrupts the training as
    /// `Interrupter::stop` does.
    pub fn observe(
        mut self,
        observer: impl FnMut(&StepReport) -> ControlFlow<()> + 'static,
    ) -> Self {
        self.observer = RefCell::new(Box::new(observer));
        self
    }

    /// Calls the observer with the model before each step, at the weights where the step starts. Burn's metrics have
    /// access to outputs only. Do not write to the model. `Break` interrupts the training after that step.
    ///
    /// ```text
    /// .observe_model(|model: &Net, start| {
    ///     println!("step {}: {} parameters", start.step, model.num_params());
    ///     ControlFlow::Continue(())
    /// })
    /// ```
    pub fn observe_model(
        mut self,
        observer: impl FnMut(&M, &StepStart) -> ControlFlow<()> + 'static,
    ) -> Self {
        self.model_observer = RefCell::new(Box::new(observer));
        self
    }

    /// What measures before the steps, in place of what did so far.
    pub(crate) fn watched_by(mut self, watcher: Arc<dyn StepWatcher<M>>) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// The state at the start.
    fn start(
        &self,
        learner: &Learner<M>,
        components: &TrainingComponents<M>,
    ) -> Result<SamMachine, StrategyError> {
        let entry = EntryPoint::Learner {
            has_loss: self.loss_of.is_some(),
            has_record: true,
        };
        if let Some((_, feature)) = self.config.unmet(entry) {
            return Err(StrategyError(format!(
                "{feature} compares losses: pass a function that finds the loss to `with_loss`"
            )));
        }
        let mut machine = SamMachine::new(self.config.clone());
        let watcher = self.watcher.as_deref();
        // Without checkpointers Burn restores nothing either.
        if components.checkpointer.is_some() {
            if let Some(watcher) = watcher {
                self.checkpoints.check_watcher()?;
                if let Some(epoch) = components.checkpoint {
                    self.checkpoints.load_watcher(watcher, epoch)?;
                }
            }
            self.checkpoints.check(&self.config)?;
            if let Some(epoch) = components.checkpoint {
                self.checkpoints
                    .load(&mut machine, &learner.model(), epoch)?;
            }
        }
        if let Some(watcher) = watcher {
            watcher.begin();
        }
        Ok(machine)
    }

    pub(super) fn loss_of(&self) -> Option<&LossOf<M>> {
        self.loss_of.as_deref()
    }

    /// The devices of a step, if there are several.
    pub(super) fn step_devices(&self) -> Option<&StepDevices> {
        self.devices.as_ref().map(TrainingDevices::of_steps)
    }

    /// The limit on waits of a step of a model on `device`.
    pub(super) fn step_limit(&self, device: &Device) -> StepLimit {
        self.wait_limit.of_step(self.step_devices(), device)
    }

    /// Shows the model before a step.
    pub(super) fn starts(&self, model: &M, start: &StepStart, interrupter: &Interrupter) {
        // Only an observer that trains with this very strategy could hold it already.
        if let Ok(mut observer) = self.model_observer.try_borrow_mut()
            && observer(model, start).is_break()
        {
            interrupter.stop(Some("the observer of the model stopped the training"));
        }
    }

    /// Measures before a step, if something does.
    pub(super) fn measures(
        &self,
        model: &M,
        start: &StepStart,
        record: &RecordOf<'_>,
        interrupter: &Interrupter,
    ) {
        if let Some(watcher) = &self.watcher
            && let Err(message) = watcher.observe(model, start, record)
        {
            interrupter.stop(Some(&message));
        }
    }

    /// The state after an epoch, beside Burn's checkpoint.
    fn save(
        &self,
        machine: &SamMachine,
        learner: &Learner<M>,
        epoch: usize,
    ) -> Result<(), StrategyError> {
        self.checkpoints.save(machine, &learner.model(), epoch)?;
        match &self.watcher {
            Some(watcher) => self.checkpoints.save_watcher(watcher.as_ref(), epoch),
            None => Ok(()),
        }
    }

    /// Shows the report of a step.
    pub(super) fn reports(&self, report: &StepReport, interrupter: &Interrupter) {
        if let Ok(mut observer) = self.observer.try_borrow_mut()
            && observer(report).is_break()
        {
            interrupter.stop(Some("the observer of the steps stopped the training"));
        }
    }
}

impl<M> SupervisedLearningStrategy<M> for SamStrategy<M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    fn fit(
        &self,
        components: TrainingComponents<M>,
        mut learner: Learner<M>,
        dataloader_train: TrainLoader<M>,
        dataloader_valid: ValidLoader<M>,
        starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        let of_model = || learner.model().devices().into_iter().next();
        let device = self.device.clone().or_else(of_model);
        let device = device.unwrap_or_default().autodiff();
        let num_items = dataloader_train.num_items();
        let loaders_train = match &self.devices {
            Some(devices) => devices.split(dataloader_train),
            None => vec![dataloader_train.to_device(&device)],
        };
        let loader_valid = dataloader_valid.to_device(&device.clone().inner());
        learner.fork(&device);

        let start = self.start(&learner, &components);
        let TrainingComponents {
            num_epochs,
            mut checkpointer,
            grad_accumulation,
            interrupter,
            mut early_stopping,
            event_processor: mut processor,
            event_store,
            ..
        } = components;
        let mut machine = match start {
            Ok(machine) => machine,
            Err(error) => {
                interrupter.fail(error);
                return (learner.model(), processor);
            }
        };
        let mut items = 0;

        for epoch in starting_epoch..=num_epochs {
            let training = TrainEpoch {
                strategy: self,
                learner: &mut learner,
                machine: &mut machine,
                interrupter: &interrupter,
                event_store: &event_store,
                accumulation: grad_accumulation.unwrap_or(1),
                group: None,
                items: &mut items,
                epoch,
                num_items,
            };
            training.run(&loaders_train, &mut processor);
            if interrupter.should_stop() {
                break;
            }

            validate(&learner, &loader_valid, epoch, &mut processor, &interrupter);
            interrupter.fail_on_error(processor.process_train(LearnerEvent::EndEpoch(epoch)));
            if checkpointer.is_some() || early_stopping.is_some() {
                interrupter.fail_on_error(processor.flush());
            }
            if interrupter.should_stop() {
                break;
            }

            if let Some(checkpointer) = &mut checkpointer {
                // First ours: a model whose record is missing could not be resumed from.
                if let Err(error) = self.save(&machine, &learner, epoch) {
                    interrupter.fail(error);
                    break;
                }
                checkpointer.checkpoint(&learner, epoch, &event_store);
                self.checkpoints.remove_orphans(epoch);
            }
            if let Some(early_stopping) = &mut early_stopping
                && early_stopping.should_stop(epoch, &event_store)
            {
                break;
            }
        }
        (learner.model(), processor)
    }
}

impl<M> From<SamStrategy<M>> for TrainingStrategy<M>
where
    M: LearnerModel,
    <M as TrainStep>::Input: Clone,
{
    #[allow(
        clippy::arc_with_non_send_sync,
        reason = "Burn asks for an Arc, and neither for Send nor for Sync"
    )]
    fn from(strategy: SamStrategy<M>) -> Self {
        Self::Custom(Arc::new(strategy))
    }
}

impl<M: LearnerModel> std::fmt::Debug for SamStrategy<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SamStrategy")
            .field("config", &self.config)
            .field("device", &self.device)
            .field("devices", &self.devices)
            .field("checkpoints", &self.checkpoints)
            .finish_non_exhaustive()
    }
}
