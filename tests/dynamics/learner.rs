//! Curvature as metrics of Burn's `Learner`.

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
use burn::optim::{GradientsAccumulator, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::metric::{LossMetric, NumericEntry};
use burn::train::{
    InferenceStep, Learner, LearningResult, RegressionOutput, SupervisedTraining, TrainOutput,
    TrainStep, TrainingStrategy,
};
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureQuantity, CurvatureReading, DynamicsError, LearnerMonitor,
};
use burnscape::loss::Risk;
use burnscape::optim::{Sam, SamConfig};
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

fn sgd() -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new()))
        .init()
}

fn data() -> Vec<Batch> {
    vec![clusters(ITEMS, 8, 3, &Device::default())]
}

fn config(every: usize) -> CurvatureMonitorConfig {
    CurvatureMonitorConfig::new(every)
        .with_rho(Some(0.05))
        .with_momentum(Some(MomentumConfig::new()))
}

fn monitor(every: usize) -> LearnerMonitor<Mlp> {
    let config = config(every);
    LearnerMonitor::new(config.init().unwrap(), Risk::owned(squared, data()))
}

/// Trains for some epochs, with metrics of a monitor.
fn launch(
    directory: &Directory,
    (epochs, accumulation): (usize, usize),
    monitor: Option<&LearnerMonitor<Mlp>>,
    strategy: Option<TrainingStrategy<Mlp>>,
) -> LearningResult<Mlp> {
    let mut training = SupervisedTraining::new(&directory.0, loader(), loader())
        .num_epochs(epochs)
        .grads_accumulation(accumulation)
        .renderer(Box::new(Silent::default()))
        .with_application_logger(None)
        .metrics((LossMetric::new(),));
    if let Some(monitor) = monitor {
        for quantity in QUANTITIES {
            training = training.metric_train_numeric(monitor.metric(quantity));
        }
    }
    if let Some(strategy) = strategy {
        training = training.with_training_strategy(strategy);
    }
    training.launch(Learner::new(model(), sgd(), LR))
}

const QUANTITIES: [CurvatureQuantity; 6] = [
    CurvatureQuantity::Sharpness,
    CurvatureQuantity::EdgeRatio,
    CurvatureQuantity::GradientNorm,
    CurvatureQuantity::SamEdge,
    CurvatureQuantity::MomentumEdge,
    CurvatureQuantity::Trace,
];

/// Burn's log of a metric in an epoch of the training split.
fn logged(directory: &Directory, quantity: CurvatureQuantity, epoch: usize) -> Vec<NumericEntry> {
    let file = format!("train/epoch-{epoch}/{}.log", quantity.name());
    let text = fs::read_to_string(directory.0.join(file)).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| NumericEntry::deserialize(line).unwrap())
        .collect()
}

/// The same training by hand: batches in order, the rate constant.
fn by_hand(epochs: usize, accumulation: usize, every: usize) -> (Vec<CurvatureReading>, Mlp) {
    let batches: Vec<Batch> = loader()
        .to_device(&Device::default().autodiff())
        .iter()
        .map(Result::unwrap)
        .collect();
    let config = config(every);
    let (mut monitor, data) = (config.init().unwrap(), data());
    let (mut model, mut sgd) = (model(), sgd());
    let risk = Risk::new(&squared, &data);
    let groups = (0..epochs).flat_map(|_| batches.chunks(accumulation));
    for (index, group) in groups.enumerate() {
        monitor.observe(&risk, &model, index, LR).unwrap();
        let mut sum = GradientsAccumulator::new();
        for batch in group {
            sum.accumulate(&model, TrainStep::step(&model, batch.clone()).grads);
        }
        model = sgd.step(LR, model, sum.grads());
    }
    (monitor.history().to_vec(), model)
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

#[test]
fn metrics_show_what_a_loop_by_hand_measures() {
    for accumulation in [1, 2] {
        let directory = Directory::new();
        let monitor = monitor(4);
        let strategy = monitor.plain().unwrap();
        let result = launch(
            &directory,
            (2, accumulation),
            Some(&monitor),
            Some(strategy.into()),
        );
        assert!(result.error.is_none(), "{:?}", result.error);
        let (expected, model) = by_hand(2, accumulation, 4);
        assert_eq!(monitor.history(), expected);
        assert_eq!(monitor.error(), None);
        assert_eq!(weights(&result.model), weights(&model));

        let of = |quantity: CurvatureQuantity, reading: &CurvatureReading| match quantity {
            CurvatureQuantity::Sharpness => reading.sharpness,
            CurvatureQuantity::EdgeRatio => reading.edge_ratio,
            CurvatureQuantity::SamEdge => reading.sam_edge.unwrap(),
            CurvatureQuantity::MomentumEdge => reading.momentum_edge.unwrap(),
            _ => reading.gradient_norm,
        };
        let per_epoch = ITEMS / BATCH;
        for quantity in &QUANTITIES[..5] {
            let mut expected = expected.iter().peekable();
            let mut last = None;
            for epoch in 1..=2 {
                let entries = logged(&directory, *quantity, epoch);
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
                        let reading = expected.next().unwrap();
                        assert_eq!(reading.step, step);
                        last = Some(of(*quantity, reading));
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
        assert!(logged(&directory, CurvatureQuantity::Trace, 1).is_empty());
    }
}

#[test]
fn monitoring_changes_nothing() {
    let directory = Directory::new();
    let strategy = monitor(1).plain().unwrap();
    let watched = launch(&directory, (2, 1), None, Some(strategy.into()));
    let directory = Directory::new();
    let plain = launch(&directory, (2, 1), None, None);
    assert_eq!(weights(&watched.model), weights(&plain.model));
}

#[test]
fn sharpness_aware_training_is_monitored_too() {
    let directory = Directory::new();
    let monitor = monitor(3);
    let strategy = Sam::strategy(SamConfig::new().with_rho(0.05)).unwrap();
    let result = launch(
        &directory,
        (1, 1),
        None,
        Some(monitor.attach(strategy).into()),
    );
    assert!(result.error.is_none(), "{:?}", result.error);
    let history = monitor.history();
    let steps: Vec<usize> = history.iter().map(|reading| reading.step).collect();
    assert_eq!(steps, [0, 3]);
    for reading in history {
        assert_eq!(reading.sam_edge, Sam::edge(reading.gradient_norm, 0.05, LR));
    }
}

#[test]
fn another_thread_reads_the_readings() {
    let directory = Directory::new();
    let monitor = Arc::new(monitor(2));
    let (sender, receiver) = mpsc::channel();
    let (shared, strategy) = (monitor.clone(), monitor.plain().unwrap());
    let reader = thread::spawn(move || {
        receiver.recv().unwrap();
        shared.history().len()
    });
    let result = launch(&directory, (1, 1), Some(&monitor), Some(strategy.into()));
    assert!(result.error.is_none(), "{:?}", result.error);
    sender.send(()).unwrap();
    let found = reader.join().unwrap();
    assert_eq!(found, monitor.history().len());
    assert!(found > 0);
}

#[test]
fn a_measurement_that_fails_interrupts_the_training() {
    let directory = Directory::new();
    let config = CurvatureMonitorConfig::new(2);
    let (x, y) = clusters(ITEMS, 8, 3, &Device::default());
    let risk = Risk::owned(squared, vec![(x * f32::NAN, y)]);
    let monitor = LearnerMonitor::new(config.init().unwrap(), risk);
    let steps = Rc::new(Cell::new(0));
    let taken = steps.clone();
    let strategy = monitor.plain().unwrap().observe(move |report| {
        taken.set(taken.get() + report.num_gradients);
        ControlFlow::Continue(())
    });
    let result = launch(&directory, (2, 1), None, Some(strategy.into()));
    assert!(result.interrupted.is_some());
    let error = monitor.error().unwrap();
    assert!(matches!(error, DynamicsError::Curvature(_)), "{error}");
    assert!(monitor.history().is_empty());
    // This step is taken, and is the last one.
    assert_eq!(steps.get(), 1);
    assert_ne!(weights(&result.model), weights(&model()));
}
