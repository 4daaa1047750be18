//! Monitors of a training by Burn's `Learner`, and their metrics.

mod checkpoints;
mod own_monitor;
#[cfg(feature = "files")]
mod trajectories;

use std::cell::Cell;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsAccumulator, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::metric::{LossMetric, NumericEntry};
use burn::train::{
    InferenceStep, Learner, LearningResult, RegressionOutput, SupervisedTraining, TrainOutput,
    TrainStep,
};
use burnscape::dynamics::{
    CurvatureMonitor, CurvatureMonitorConfig, CurvatureReading, Due, DynamicsError, EdgeRule,
    LearnerMonitors, Moment, Monitors, Observation, Readings, Watch,
};
use burnscape::loss::{Risk, Whole};
use burnscape::optim::{Sam, SamConfig, SamStrategy};
use burnscape::space::{ParamSpace, ParamVector};

use super::model::{Batch, Mlp, clusters, squared};
use super::silent::Silent;

const ITEMS: usize = 24;
const BATCH: usize = 4;
const LR: f64 = 0.1;

fn output(model: &Mlp, batch: Batch) -> RegressionOutput {
    let y = model.forward(batch.0.clone());
    RegressionOutput::new(squared(model, batch.clone()), y, batch.1)
}

impl TrainStep for Mlp {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> TrainOutput<RegressionOutput> {
        let output = output(self, batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Mlp {
    type Input = Batch;
    type Output = RegressionOutput;

    fn step(&self, batch: Batch) -> RegressionOutput {
        output(self, batch)
    }
}

/// Rows of the data.
#[derive(Clone)]
struct Rows;

impl Batcher<usize, Batch> for Rows {
    fn batch(&self, rows: Vec<usize>, device: &Device) -> Batch {
        let (x, y) = clusters(ITEMS, 8, 3, device);
        let select = |tensor: &Tensor<2>| {
            let rows = rows.iter();
            let rows = rows
                .map(|&row| tensor.clone().slice(row..row + 1))
                .collect();
            Tensor::cat(rows, 0)
        };
        (select(&x), select(&y))
    }
}

fn loader() -> Arc<dyn DataLoader<Batch>> {
    let dataset = InMemDataset::new((0..ITEMS).collect());
    DataLoaderBuilder::new(Rows)
        .batch_size(BATCH)
        .build(dataset)
}

/// A directory that is deleted after the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("burnscape-dynamics-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn model() -> Mlp {
    Mlp::new([8, 10, 10, 3], 2, &Device::default().autodiff())
}

fn sgd() -> SgdConfig {
    SgdConfig::new().with_momentum(Some(MomentumConfig::new()))
}

fn data() -> Vec<Batch> {
    vec![clusters(ITEMS, 8, 3, &Device::default())]
}

type Measured = Observation<CurvatureReading>;

/// A curvature monitor of the whole data.
fn watch(every: usize, rule: &EdgeRule) -> Watch<'static, Mlp, Whole, CurvatureMonitor> {
    let config = CurvatureMonitorConfig::new().with_optimizer(rule.clone());
    let risk = Risk::owned(squared, data());
    Watch::new(Due::Every(every), config.init().unwrap(), risk).unwrap()
}

/// The same for a training, with a momentum's edge.
fn monitors(every: usize) -> (LearnerMonitors<Mlp>, Readings<CurvatureReading>) {
    let watch = watch(every, &EdgeRule::of(&sgd()).unwrap());
    let readings = watch.readings();
    let monitors = Monitors::new().with(watch).unwrap();
    (LearnerMonitors::new(monitors), readings)
}

/// A training of some epochs, to add metrics and a strategy to.
fn training(
    directory: &Directory,
    (epochs, accumulation): (usize, usize),
) -> SupervisedTraining<Mlp> {
    SupervisedTraining::new(&directory.0, loader(), loader())
        .num_epochs(epochs)
        .grads_accumulation(accumulation)
        .renderer(Box::new(Silent::default()))
        .with_application_logger(None)
        .metrics((LossMetric::new(),))
}

fn learner(optimizer: ModuleOptimizer) -> Learner<Mlp> {
    Learner::new(model(), optimizer, LR)
}

/// Trains by momentum, with or without a strategy.
fn launch(
    training: SupervisedTraining<Mlp>,
    strategy: Option<SamStrategy<Mlp>>,
) -> LearningResult<Mlp> {
    let training = match strategy {
        Some(strategy) => training.with_training_strategy(strategy.into()),
        None => training,
    };
    training.launch(learner(sgd().init()))
}

/// Burn's log of a metric in an epoch of the training split.
fn logged(directory: &Directory, metric: &str, epoch: usize) -> Vec<NumericEntry> {
    let file = format!("train/epoch-{epoch}/{metric}.log");
    let text = fs::read_to_string(directory.0.join(file)).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| NumericEntry::deserialize(line).unwrap())
        .collect()
}

/// The same training by hand: batches in order, the rate constant.
fn by_hand(
    (epochs, accumulation): (usize, usize),
    mut optimizer: ModuleOptimizer,
    mut watch: Watch<'static, Mlp, Whole, CurvatureMonitor>,
) -> (Vec<Measured>, Mlp) {
    let batches: Vec<Batch> = loader()
        .to_device(&Device::default().autodiff())
        .iter()
        .map(Result::unwrap)
        .collect();
    let mut model = model();
    let groups = (0..epochs).flat_map(|_| batches.chunks(accumulation));
    for (index, group) in groups.enumerate() {
        let moment = Moment::new(index, LR, &model).with_optimizer(&optimizer);
        watch.observe(&moment).unwrap();
        let mut sum = GradientsAccumulator::new();
        for batch in group {
            sum.accumulate(&model, TrainStep::step(&model, batch.clone()).grads);
        }
        model = optimizer.step(LR, model, sum.grads());
    }
    (watch.readings().to_vec(), model)
}

fn weights(model: &Mlp) -> Vec<u64> {
    let space = ParamSpace::of(model).unwrap();
    let weights = ParamVector::from_module(&space, model).unwrap();
    weights
        .to_host()
        .unwrap()
        .into_iter()
        .map(f64::to_bits)
        .collect()
}

/// An entry of a step: value, and whether it is new.
fn parts(entry: &NumericEntry) -> (f64, bool) {
    match entry {
        NumericEntry::Aggregated {
            aggregated_value,
            count,
        } => (*aggregated_value, *count == 1),
        other => panic!("{other:?}"),
    }
}

/// A quantity's name, and its value in a reading.
type Shown = (&'static str, fn(&CurvatureReading) -> Option<f64>);

#[test]
fn metrics_show_what_a_loop_by_hand_measures() {
    let shown: [Shown; 5] = [
        ("sharpness", |reading| Some(reading.sharpness)),
        ("edge", |reading| reading.edge),
        ("edge_ratio", |reading| reading.edge_ratio),
        ("gradient_norm", |reading| Some(reading.gradient_norm)),
        ("trace", |_| None),
    ];
    for accumulation in [1, 2] {
        let directory = Directory::new();
        let (monitors, readings) = monitors(4);
        let mut training = training(&directory, (2, accumulation));
        for (name, _) in shown {
            let metric = monitors.metric(&readings, name).unwrap();
            training = training.metric_train_numeric(metric);
        }
        let result = launch(training, Some(monitors.plain().unwrap()));
        assert!(result.error.is_none(), "{:?}", result.error);
        let rule = EdgeRule::of(&sgd()).unwrap();
        let (expected, model) = by_hand((2, accumulation), sgd().init(), watch(4, &rule));
        assert_eq!(readings.to_vec(), expected);
        assert_eq!(monitors.error(), None);
        assert_eq!(weights(&result.model), weights(&model));

        let per_epoch = ITEMS / BATCH;
        for (name, value) in &shown[..4] {
            let mut expected = expected.iter().peekable();
            let mut last = None;
            for epoch in 1..=2 {
                let entries = logged(&directory, name, epoch);
                let (whole, steps) = entries.split_last().unwrap();
                let mut new = Vec::new();
                // With accumulation, the items before the first step have no value.
                let first = per_epoch - steps.len();
                assert_eq!(first, if epoch == 1 { accumulation - 1 } else { 0 });
                for (index, entry) in steps.iter().enumerate() {
                    // A step is taken with the last item of its group.
                    let item = (epoch - 1) * per_epoch + first + index + 1;
                    let step = item / accumulation - 1;
                    let is_due = item.is_multiple_of(accumulation) && step.is_multiple_of(4);
                    if is_due {
                        let measured = expected.next().unwrap();
                        assert_eq!(measured.step, step);
                        last = value(&measured.reading);
                        new.extend(last);
                    }
                    assert_eq!(parts(entry), (last.unwrap(), is_due), "item {item}");
                }
                let mean = new.iter().sum::<f64>() / new.len() as f64;
                let NumericEntry::Final(value) = whole else {
                    panic!("{whole:?}");
                };
                let expected = if new.is_empty() { last.unwrap() } else { mean };
                assert_eq!(*value, expected);
            }
            assert!(expected.next().is_none());
        }
        // Without probes there is no trace, and nothing is written.
        assert!(logged(&directory, "trace", 1).is_empty());
    }
}

#[test]
fn monitoring_changes_nothing() {
    let directory = Directory::new();
    let (monitors, _) = monitors(1);
    let strategy = monitors.plain().unwrap();
    let watched = launch(training(&directory, (2, 1)), Some(strategy));
    let directory = Directory::new();
    let plain = launch(training(&directory, (2, 1)), None);
    assert_eq!(weights(&watched.model), weights(&plain.model));
}

#[test]
fn sharpness_aware_training_is_monitored_too() {
    let directory = Directory::new();
    let watch = watch(3, &EdgeRule::sam(0.05).unwrap());
    let readings = watch.readings();
    let monitors = LearnerMonitors::new(Monitors::new().with(watch).unwrap());
    let seen = Rc::new(Cell::new(0));
    let count = seen.clone();
    let strategy = Sam::strategy(SamConfig::new().with_rho(0.05)).unwrap();
    // An observer of the model may be there, too.
    let strategy = strategy.observe_model(move |_, _| {
        count.set(count.get() + 1);
        ControlFlow::Continue(())
    });
    let strategy = monitors.attach(strategy);
    let result = launch(training(&directory, (1, 1)), Some(strategy));
    assert!(result.error.is_none(), "{:?}", result.error);
    assert_eq!(seen.get(), ITEMS / BATCH);
    let readings = readings.to_vec();
    let steps: Vec<usize> = readings.iter().map(|measured| measured.step).collect();
    assert_eq!(steps, [0, 3]);
    for Observation { reading, .. } in readings {
        assert_eq!(reading.edge, Sam::edge(reading.gradient_norm, 0.05, LR));
    }
}

/// The learner's optimizer is private, and its record comes from a checkpoint in memory.
#[test]
fn preconditioned_edges_are_those_of_a_loop_by_hand() {
    let adam = AdamConfig::new();
    let rule = EdgeRule::of(&adam).unwrap();
    for accumulation in [1, 2] {
        let directory = Directory::new();
        let watched = watch(2, &rule);
        let readings = watched.readings();
        let monitors = LearnerMonitors::new(Monitors::new().with(watched).unwrap());
        let metric = monitors.metric(&readings, "edge_ratio").unwrap();
        let result = training(&directory, (2, accumulation))
            .metric_train_numeric(metric)
            .with_training_strategy(monitors.plain().unwrap().into())
            .launch(learner(adam.init()));
        assert!(result.error.is_none(), "{:?}", result.error);
        assert_eq!(monitors.error(), None);
        let (expected, model) = by_hand((2, accumulation), adam.init(), watch(2, &rule));
        let found = readings.to_vec();
        assert_eq!(found, expected);
        assert_eq!(weights(&result.model), weights(&model));

        // Before the first step there is no state: neither a ratio nor a line of the log.
        let (first, later) = found.split_first().unwrap();
        assert_eq!(first.reading.edge_ratio, None);
        assert!(later.len() > 1);
        for Observation { step, reading, .. } in later {
            assert!(reading.preconditioned_sharpness.unwrap() > 0.0, "{step}");
        }
        // The next reading belongs to step 2, which ends with this item.
        let next = 3 * accumulation;
        let lines = logged(&directory, "edge_ratio", 1);
        let (whole, items) = lines.split_last().unwrap();
        assert_eq!(items.len(), ITEMS / BATCH - (next - 1));
        let in_epoch = ITEMS / BATCH / accumulation;
        let values = later.iter().filter(|measured| measured.step < in_epoch);
        let values: Vec<f64> = values
            .filter_map(|measured| measured.reading.edge_ratio)
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let NumericEntry::Final(value) = whole else {
            panic!("{whole:?}");
        };
        assert_eq!(*value, mean);
    }
}

#[test]
fn metrics_of_a_second_training_show_its_own_readings() {
    let (monitors, readings) = monitors(6);
    for run in 1..=2 {
        let directory = Directory::new();
        let metric = monitors.metric(&readings, "gradient_norm").unwrap();
        let training = training(&directory, (1, 1)).metric_train_numeric(metric);
        let result = launch(training, Some(monitors.plain().unwrap()));
        assert!(result.error.is_none(), "{:?}", result.error);
        // One measurement each, at step 0 of the same weights.
        assert_eq!(readings.len(), run);
        let expected = readings.last().unwrap().reading.gradient_norm;
        let lines = logged(&directory, "gradient_norm", 1);
        let (whole, items) = lines.split_last().unwrap();
        assert!(matches!(whole, NumericEntry::Final(value) if *value == expected));
        for (index, entry) in items.iter().enumerate() {
            assert_eq!(parts(entry), (expected, index == 0));
        }
    }
}

#[test]
fn another_thread_reads_the_readings() {
    let directory = Directory::new();
    let (monitors, readings) = monitors(2);
    let metric = monitors.metric(&readings, "sharpness").unwrap();
    let strategy = monitors.plain().unwrap();
    let (sender, receiver) = mpsc::channel();
    let (monitors, shared) = (Arc::new(monitors), readings.clone());
    let watched = monitors.clone();
    let reader = thread::spawn(move || {
        receiver.recv().unwrap();
        assert_eq!(watched.error(), None);
        shared.len()
    });
    let training = training(&directory, (1, 1)).metric_train_numeric(metric);
    let result = launch(training, Some(strategy));
    assert!(result.error.is_none(), "{:?}", result.error);
    sender.send(()).unwrap();
    let found = reader.join().unwrap();
    assert_eq!(found, readings.len());
    assert!(found > 0);
}

#[test]
fn a_measurement_that_fails_interrupts_the_training() {
    let directory = Directory::new();
    let (x, y) = clusters(ITEMS, 8, 3, &Device::default());
    let risk = Risk::owned(squared, vec![(x * f32::NAN, y)]);
    let monitor = CurvatureMonitorConfig::new().init().unwrap();
    let watch = Watch::new(Due::Every(2), monitor, risk).unwrap();
    let readings = watch.readings();
    let monitors = LearnerMonitors::new(Monitors::new().with(watch).unwrap());
    let steps = Rc::new(Cell::new(0));
    let taken = steps.clone();
    let strategy = monitors.plain().unwrap().observe(move |report| {
        taken.set(taken.get() + report.num_gradients);
        ControlFlow::Continue(())
    });
    let result = launch(training(&directory, (2, 1)), Some(strategy));
    let interruption = result.interrupted.unwrap();
    let error = monitors.error().unwrap();
    let DynamicsError::Watch {
        step: 0, source, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert!(matches!(**source, DynamicsError::Curvature(_)), "{error}");
    assert!(interruption.reason.unwrap().contains(&error.to_string()));
    assert!(readings.is_empty());
    // This step is taken, and is the last one.
    assert_eq!(steps.get(), 1);
    assert_ne!(weights(&result.model), weights(&model()));
}
