//! Burn's `examples/text-classification` trained with everything that its `Learner` has.

use std::fmt::{Debug, Formatter};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::grad_clipping::GradientClippingConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::noam::NoamLrSchedulerConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::metric::{AccuracyMetric, LearningRateMetric, LossMetric, Metric, NumericEntry};
use burn::train::{
    ClassificationOutput, InferenceStep, Learner, LearningResult, MetricEarlyStoppingStrategy,
    StoppingCondition, SupervisedTraining, TrainOutput, TrainStep,
};
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureReading, Due, LearnerMonitors, Monitors, Observation, Watch,
};
use burnscape::loss::Risk;
use burnscape::optim::{Sam, SamConfig, SamStrategy, StepReport};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::spectrum::Spectrum;

use super::fixture::{device, drawn, stream};
use super::silent::Silent;
use super::text_classification::{Classifier, Item, Texts, loss, texts};

impl TrainStep for Classifier {
    type Input = Texts;
    type Output = ClassificationOutput;

    fn step(&self, texts: Texts) -> TrainOutput<ClassificationOutput> {
        let output = self.forward(texts);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = Texts;
    type Output = ClassificationOutput;

    fn step(&self, texts: Texts) -> ClassificationOutput {
        self.forward(texts)
    }
}

struct TextBatcher;

impl Batcher<Item, Texts> for TextBatcher {
    fn batch(&self, items: Vec<Item>, device: &Device) -> Texts {
        texts(&items, device)
    }
}

const ITEMS: [Item; 10] = [
    (&[1, 5, 3], 0),
    (&[2, 2, 7, 8, 1], 2),
    (&[4], 1),
    (&[8, 6, 3, 1, 2, 5, 7], 1),
    (&[3, 4], 0),
    (&[7, 7, 1], 2),
    (&[5, 3, 3, 6], 0),
    (&[4, 4, 8], 1),
    (&[2, 8, 1, 6, 7], 2),
    (&[1, 3], 0),
];
const BATCH: usize = 2;
const ACCUMULATION: usize = 2;
/// Batches 1 and 2, 3 and 4, and the fifth alone.
const STEPS: usize = 3;
/// The monitor looks at every second step: 0, 2 and 4.
const EVERY: usize = 2;
const FACTOR: f64 = 0.3;

pub(super) fn loader() -> Arc<dyn DataLoader<Texts>> {
    DataLoaderBuilder::new(TextBatcher)
        .batch_size(BATCH)
        .set_device(device())
        .build(InMemDataset::new(ITEMS.to_vec()))
}

/// A directory that goes away with the test.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("burnscape-text-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// What Burn wrote down of a metric of the training split.
    pub(super) fn logged(&self, metric: &str, epoch: usize) -> Vec<NumericEntry> {
        let file = self.0.join(format!("train/epoch-{epoch}/{metric}.log"));
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines();
        lines
            .map(|line| NumericEntry::deserialize(line).unwrap())
            .collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What is the same in all the trainings unless a test changes it.
#[derive(Clone)]
pub(super) struct Setup {
    epochs: usize,
    resume: Option<usize>,
    dropout: f64,
    /// A seed of the draws: both passes of a step see the same masks.
    draws: Option<u64>,
    rho: f64,
    /// The largest norm of a parameter's gradient.
    clipping: Option<f32>,
    /// The factor of the rate, and the steps of its rise.
    rate: (f64, usize),
    accumulation: usize,
    /// A metric, and in how many epochs it may fail to fall.
    stopping: Option<(Watched, usize)>,
    monitors: bool,
}

#[derive(Clone, Copy)]
enum Watched {
    ValidationLoss,
    /// Of the curvature monitor.
    GradientNorm,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            epochs: 2,
            resume: None,
            dropout: 0.1,
            draws: Some(11),
            rho: 0.05,
            clipping: Some(0.02),
            rate: (FACTOR, 4),
            accumulation: ACCUMULATION,
            stopping: Some((Watched::ValidationLoss, 2)),
            monitors: true,
        }
    }
}

/// What a training left.
struct Trained {
    result: LearningResult<Classifier>,
    reports: Vec<StepReport>,
    readings: Vec<Observation<CurvatureReading>>,
}

/// What tests add metrics and monitors to.
pub(super) type Training = (SupervisedTraining<Classifier>, SamStrategy<Classifier>);

impl Trained {
    fn weights(&self) -> Weights {
        weights(&self.result.model)
    }
}

/// Compared as bits, and too many to print.
#[derive(PartialEq)]
pub(super) struct Weights(Vec<u64>);

impl Debug for Weights {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} weights", self.0.len())
    }
}

pub(super) fn weights(model: &Classifier) -> Weights {
    let space = ParamSpace::of(model).unwrap();
    let weights = ParamVector::from_module(&space, model).unwrap();
    let weights = weights.to_host().unwrap();
    Weights(weights.into_iter().map(f64::to_bits).collect())
}

impl Setup {
    /// The same weights whenever it is called, as `stream` has seeded the device.
    fn model(&self) -> Classifier {
        device().seed(3);
        drawn(|device| Classifier::with_dropout(device, self.dropout))
    }

    fn optimizer(&self) -> ModuleOptimizer {
        AdamConfig::new()
            .with_weight_decay(Some(WeightDecayConfig::new(5e-5)))
            .with_grad_clipping(self.clipping.map(GradientClippingConfig::Norm))
            .init()
    }

    fn rates(&self) -> ModuleLrScheduler {
        let (factor, warmup) = self.rate;
        NoamLrSchedulerConfig::new(factor)
            .with_warmup_steps(warmup)
            .with_model_size(8)
            .init()
            .unwrap()
    }

    fn sam(&self) -> SamConfig {
        SamConfig::new()
            .with_rho(self.rho)
            .with_draws_seed(self.draws)
    }

    /// Up to an epoch, from the start or from another one.
    pub(super) fn until(epochs: usize, resume: Option<usize>) -> Self {
        Self {
            epochs,
            resume,
            ..Self::default()
        }
    }

    /// Trains, with what `add` adds.
    pub(super) fn launch(
        &self,
        directory: &Directory,
        add: impl FnOnce(Training) -> Training,
    ) -> LearningResult<Classifier> {
        let strategy = Sam::strategy(self.sam())
            .unwrap()
            .with_loss(|output: &ClassificationOutput| output.loss.clone())
            .with_checkpoints(directory.0.join("checkpoint"));
        let mut training = SupervisedTraining::new(&directory.0, loader(), loader())
            .metrics((AccuracyMetric::new(), LossMetric::new()))
            .metric_train_numeric(LearningRateMetric::new())
            .with_default_checkpointers()
            .with_checkpointing_strategy(KeepLastNCheckpoints::new(2))
            .num_epochs(self.epochs)
            .grads_accumulation(self.accumulation)
            .renderer(Box::new(Silent::default()))
            .with_application_logger(None)
            .summary();
        if let Some(epoch) = self.resume {
            training = training.checkpoint(epoch);
        }
        let (training, strategy) = add((training, strategy));
        let learner = Learner::new(self.model(), self.optimizer(), self.rates());
        let result = training
            .with_training_strategy(strategy.into())
            .launch(learner);
        assert!(result.error.is_none(), "{:?}", result.error);
        result
    }

    fn train(&self, directory: &Directory) -> Trained {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let kept = reports.clone();
        let monitor = CurvatureMonitorConfig::new().init().unwrap();
        let risk = Risk::owned(loss, loader());
        let watch = Watch::new(Due::Every(EVERY), monitor, risk).unwrap();
        let readings = watch.readings();
        let monitors = LearnerMonitors::new(Monitors::new().with(watch).unwrap());
        let result = self.launch(directory, |(mut training, strategy)| {
            let strategy = strategy.observe(move |report| {
                kept.lock().unwrap().push(report.clone());
                ControlFlow::Continue(())
            });
            let gradient = monitors.metric(&readings, "gradient_norm").unwrap();
            if let Some((watched, n_epochs)) = self.stopping {
                training = training.early_stopping(match watched {
                    Watched::ValidationLoss => falls(&LossMetric::new(), Split::Valid, n_epochs),
                    Watched::GradientNorm => falls(&gradient, Split::Train, n_epochs),
                });
            }
            if !self.monitors {
                return (training, strategy);
            }
            let sharpness = monitors.metric(&readings, "sharpness").unwrap();
            let training = training
                .metric_train_numeric(sharpness)
                .metric_train_numeric(gradient);
            (training, monitors.attach(strategy))
        });
        assert_eq!(monitors.error(), None);
        let reports = reports.lock().unwrap().clone();
        Trained {
            result,
            reports,
            readings: readings.to_vec(),
        }
    }

    /// The same training in a loop of one's own.
    fn by_hand(&self) -> Classifier {
        let mut model = self.model();
        let mut sam = self.sam().init(self.optimizer()).unwrap();
        let mut rates = self.rates();
        let batches: Vec<Texts> = loader()
            .to_device(&device().autodiff())
            .iter()
            .map(Result::unwrap)
            .collect();
        for _ in 0..self.epochs {
            for group in batches.chunks(self.accumulation) {
                let closure = |model: &Classifier| -> GradientsParams {
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
}

/// Stops a training in which the metric has not fallen for some epochs.
fn falls<M: Metric>(metric: &M, split: Split, n_epochs: usize) -> MetricEarlyStoppingStrategy {
    let condition = StoppingCondition::NoImprovementSince { n_epochs };
    MetricEarlyStoppingStrategy::new(metric, Aggregate::Mean, Direction::Lowest, split, condition)
}

fn steps(readings: &[Observation<CurvatureReading>]) -> Vec<usize> {
    readings.iter().map(|measured| measured.step).collect()
}

#[test]
fn two_epochs_of_everything_are_the_loop_by_hand() {
    let _stream = stream(1);
    let setup = Setup {
        dropout: 0.0,
        draws: None,
        ..Setup::default()
    };
    let trained = setup.train(&Directory::new());
    assert_eq!(trained.weights(), weights(&setup.by_hand()));
    assert_ne!(trained.weights(), weights(&setup.model()));
    assert_eq!(trained.reports.len(), 2 * STEPS);
    for report in &trained.reports {
        assert_eq!((report.num_gradients, report.skipped), (2, None));
        assert!(report.perturbed_loss > report.loss, "{report:?}");
    }
}

#[test]
fn both_passes_of_a_step_see_the_same_masks() {
    let _stream = stream(1);
    // Of a displacement this short the losses see nothing, of other masks they would.
    let setup = Setup {
        rho: 1e-12,
        dropout: 0.3,
        epochs: 1,
        ..Setup::default()
    };
    for report in setup.train(&Directory::new()).reports {
        let rise = report.perturbed_loss.unwrap() - report.loss.unwrap();
        assert!(rise.abs() < 1e-10, "{rise}");
    }
}

#[test]
fn a_training_with_dropout_resumes_bit_for_bit() {
    let _stream = stream(1);
    let whole = Directory::new();
    let uninterrupted = Setup::default().train(&whole);
    assert_eq!(steps(&uninterrupted.readings), [0, 2, 4]);

    let parts = Directory::new();
    let first = Setup {
        epochs: 1,
        ..Setup::default()
    }
    .train(&parts);
    assert_eq!(steps(&first.readings), [0, 2]);
    // Whatever else has drawn since is of no account.
    device().seed(99);
    let resumed = Setup {
        resume: Some(1),
        ..Setup::default()
    }
    .train(&parts);
    assert_eq!(resumed.weights(), uninterrupted.weights());
    assert_ne!(resumed.weights(), first.weights());
    assert_eq!(resumed.reports, uninterrupted.reports[STEPS..]);

    // The monitor has its earlier readings, and goes on with the step that is due. Metrics show that one only.
    assert_eq!(resumed.readings, uninterrupted.readings);
    for directory in [&whole, &parts] {
        let logged = directory.logged("sharpness", 2);
        let Some(NumericEntry::Final(value)) = logged.last() else {
            panic!("{logged:?}");
        };
        assert_eq!(*value, resumed.readings[2].reading.sharpness);
    }
}

#[test]
fn readings_are_those_of_the_model_at_their_step() {
    let _stream = stream(1);
    let directory = Directory::new();
    let setup = Setup::default();
    let trained = setup.train(&directory);
    let norm = |index: usize| trained.readings[index].reading.gradient_norm;
    let first = &trained.readings[0].reading;
    let (model, data) = (setup.model(), loader());
    let hessian = Risk::new(&loss, &data).hessian(&model).unwrap();
    let top = Spectrum::of(&hessian).top_eigenpairs(1).unwrap();
    assert!((first.sharpness - top.values[0]).abs() < 1e-2 * top.values[0]);
    let gradient = hessian.gradient().unwrap().norm().unwrap();
    assert!((first.gradient_norm - gradient).abs() < 1e-12 * gradient);

    // Of the first epoch two readings, of the second one; a mean each.
    for (epoch, expected) in [(1, (norm(0) + norm(1)) / 2.0), (2, norm(2))] {
        let logged = directory.logged("gradient_norm", epoch);
        let Some(NumericEntry::Final(value)) = logged.last() else {
            panic!("{logged:?}");
        };
        assert!((value - expected).abs() < 1e-12 * expected);
    }
}

/// Its name, and how it is changed.
type Change = (&'static str, fn(&mut Setup));

#[test]
fn every_setting_acts() {
    let _stream = stream(1);
    let changes: [Change; 6] = [
        ("clipping", |setup| setup.clipping = None),
        ("rho", |setup| setup.rho = 0.0),
        ("rate", |setup| setup.rate.1 = 2),
        ("accumulation", |setup| setup.accumulation = 1),
        ("dropout", |setup| setup.dropout = 0.0),
        ("draws", |setup| setup.draws = Some(12)),
    ];
    let base = Setup::default().train(&Directory::new());
    for (name, change) in changes {
        let mut setup = Setup::default();
        change(&mut setup);
        let other = setup.train(&Directory::new());
        assert_ne!(base.weights(), other.weights(), "{name}");
        let steps = match name {
            "accumulation" => 2 * ITEMS.len().div_ceil(BATCH),
            _ => 2 * STEPS,
        };
        assert_eq!(other.reports.len(), steps, "{name}");
    }
    // The monitor and a condition that never holds do not.
    let unwatched = Setup {
        monitors: false,
        stopping: None,
        ..Setup::default()
    };
    let unwatched = unwatched.train(&Directory::new());
    assert_eq!(base.weights(), unwatched.weights());
    assert_eq!(base.reports, unwatched.reports);
}

#[test]
fn a_training_that_stands_still_is_stopped() {
    let _stream = stream(1);
    let standing = |stopping| Setup {
        epochs: 5,
        // Too little to move any metric.
        rate: (1e-300, 4),
        stopping,
        ..Setup::default()
    };
    for watched in [Watched::ValidationLoss, Watched::GradientNorm] {
        let trained = standing(Some((watched, 2))).train(&Directory::new());
        assert_eq!(trained.reports.len(), 3 * STEPS);
        assert_eq!(steps(&trained.readings), [0, 2, 4, 6, 8]);
    }
    let patient = standing(None).train(&Directory::new());
    assert_eq!(patient.reports.len(), 5 * STEPS);

    // One that gets better runs on.
    let better = Setup {
        epochs: 4,
        stopping: Some((Watched::ValidationLoss, 1)),
        dropout: 0.0,
        rate: (0.02, 4),
        ..Setup::default()
    };
    assert_eq!(better.train(&Directory::new()).reports.len(), 4 * STEPS);
}
