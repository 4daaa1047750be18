//! The trainings that are compared: Burn's with a strategy, and the same by hand.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use burn::lr_scheduler::exponential::ExponentialLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::{LearningRateMetric, LossMetric};
use burn::train::{
    InferenceStep, Learner, LearnerModel, LearningResult, RegressionOutput, SupervisedTraining,
    TrainStep, TrainingStrategy,
};
use burnscape::optim::{RhoSchedule, Sam, SamConfig, SamStrategy, StepReport};

use super::model::{Net, Points, batches, items, loader};
use super::silent::Silent;

pub(crate) fn sgd() -> SgdConfig {
    SgdConfig::new().with_momentum(Some(MomentumConfig::new()))
}

pub(crate) fn falling() -> ModuleLrScheduler {
    let config = ExponentialLrSchedulerConfig::new(0.1, 0.93);
    config.init().unwrap()
}

/// A directory that is removed after the test.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("burnscape-learner-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    pub(crate) fn record(&self, epoch: usize) -> PathBuf {
        self.checkpoints().join(format!("sam-{epoch}.bpk"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The settings that differ between the trainings of these tests.
pub(crate) struct Run {
    pub(crate) epochs: usize,
    pub(crate) items: Vec<usize>,
    pub(crate) accumulation: Option<usize>,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) renderer: Silent,
    pub(crate) resume: Option<usize>,
    pub(crate) keep: Option<usize>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            epochs: 2,
            items: items(),
            accumulation: None,
            optimizer: sgd().init(),
            renderer: Silent::default(),
            resume: None,
            keep: None,
        }
    }
}

impl Run {
    pub(crate) fn launch<M>(
        self,
        directory: &Path,
        model: M,
        strategy: Option<TrainingStrategy<M>>,
    ) -> LearningResult<M>
    where
        M: LearnerModel
            + TrainStep<Input = Points, Output = RegressionOutput>
            + InferenceStep<Input = Points, Output = RegressionOutput>,
    {
        let mut training = SupervisedTraining::new(directory, loader(self.items), loader(items()))
            .num_epochs(self.epochs)
            .renderer(Box::new(self.renderer))
            .with_application_logger(None)
            .metrics((LossMetric::new(),))
            .metric_train_numeric(LearningRateMetric::new());
        if let Some(accumulation) = self.accumulation {
            training = training.grads_accumulation(accumulation);
        }
        if let Some(keep) = self.keep {
            training = training
                .with_default_checkpointers()
                .with_checkpointing_strategy(KeepLastNCheckpoints::new(keep));
        }
        if let Some(epoch) = self.resume {
            training = training.checkpoint(epoch);
        }
        if let Some(strategy) = strategy {
            training = training.with_training_strategy(strategy);
        }
        training.launch(Learner::new(model, self.optimizer, falling()))
    }
}

pub(crate) fn strategy<M: LearnerModel>(config: SamConfig) -> SamStrategy<M> {
    Sam::strategy(config).unwrap()
}

/// Trains without checkpoints and without errors.
pub(crate) fn train(run: Run, strategy: SamStrategy<Net>, model: Net) -> Net {
    let directory = Directory::new();
    let result = run.launch(&directory.0, model, Some(strategy.into()));
    assert!(result.error.is_none(), "{:?}", result.error);
    result.model
}

/// The strategy of a configuration, which keeps its reports.
pub(crate) fn observed(config: SamConfig) -> (SamStrategy<Net>, Arc<Mutex<Vec<StepReport>>>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let kept = reports.clone();
    let strategy = strategy(config).observe(move |report| {
        kept.lock().unwrap().push(report.clone());
        ControlFlow::Continue(())
    });
    (strategy, reports)
}

/// The same training, by hand.
pub(crate) fn by_hand(config: SamConfig, run: Run, mut model: Net) -> Net {
    let mut sam = config.init(run.optimizer).unwrap();
    let mut rates = falling();
    let batches = batches(run.items);
    for _ in 0..run.epochs {
        for group in batches.chunks(run.accumulation.unwrap_or(1)) {
            let closure = |model: &Net| -> GradientsParams {
                let mut sum = GradientsAccumulator::new();
                for batch in group {
                    sum.accumulate(model, TrainStep::step(model, batch.clone()).grads);
                }
                sum.grads()
            };
            sam.step(rates.step(), &mut model, closure).unwrap();
        }
    }
    model
}

pub(crate) fn message<M>(result: &LearningResult<M>) -> String {
    let error = result.error.as_ref().expect("the training should stop");
    error.to_string()
}

/// One configuration of each kind of memory and of each way to write weights.
pub(crate) fn configurations() -> Vec<SamConfig> {
    let with_rate = RhoSchedule::WithLearningRate {
        rho_min: 0.01,
        lr_min: 0.0,
        lr_max: 0.1,
    };
    vec![
        SamConfig::new().with_rho(0.2),
        SamConfig::asam(),
        SamConfig::gsam().with_schedule(with_rate),
        SamConfig::friendly_sam().with_rho(0.2),
        SamConfig::look_sam().with_rho(0.2).with_descent_gradient(
            burnscape::optim::DescentGradient::Look {
                every: 4,
                alpha: 0.7,
            },
        ),
        SamConfig::wsam().with_rho(0.2),
        SamConfig::new().with_rho(0.2).with_restore_tied(true),
        SamConfig::new().with_active_steps(Some(4..9)),
        SamConfig::new().with_mask(Some(0.5)).with_seed(3),
    ]
}
