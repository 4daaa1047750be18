//! Burn's `Learner` with sharpness-aware steps, on handwritten digits.
//!
//! ```text
//! cargo run --release -p burnscape --features train --example learner -- --epochs 8
//! ```
//!
//! The model's code knows nothing of it: `with_training_strategy` is the only line that differs from
//! plain training (`--rho 0`). A monitor measures the sharpness on the validation digits, which appears beside Burn's
//! metrics.

use std::cell::RefCell;
use std::error::Error;
use std::io::Read;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, Relu};
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{AccuracyMetric, LossMetric, MetricDefinition};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use burn::train::{
    ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
};
use burnscape::dynamics::{
    CurvatureMonitorConfig, Due, EdgeRule, LearnerMonitors, Monitors, Watch,
};
use burnscape::loss::{Batch, Risk};
use burnscape::optim::{Sam, SamConfig};
use clap::Parser;

/// Leaves no small rest, whose batch statistics would be poor.
const BATCH_SIZE: usize = 90;

/// Train a small network on handwritten digits with Burn's Learner and SAM.
#[derive(Parser)]
struct Args {
    /// Passes over the data.
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Radius of the ascent; 0 is plain training.
    #[arg(long, default_value_t = 0.1)]
    rho: f64,
}

// --- A model as any other ---

#[derive(Module, Debug)]
struct Classifier {
    hidden: Linear,
    norm: BatchNorm,
    relu: Relu,
    output: Linear,
}

impl Classifier {
    fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(64, 64).init(device),
            norm: BatchNormConfig::new(64).init(device),
            relu: Relu::new(),
            output: LinearConfig::new(64, 10).init(device),
        }
    }

    fn classify(&self, batch: Digits) -> ClassificationOutput {
        let hidden = self.norm.forward(self.hidden.forward(batch.images));
        let logits = self.output.forward(self.relu.forward(hidden));
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits.clone(), batch.labels.clone());
        ClassificationOutput::new(loss, logits, batch.labels)
    }
}

impl TrainStep for Classifier {
    type Input = Digits;
    type Output = ClassificationOutput;

    fn step(&self, batch: Digits) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = Digits;
    type Output = ClassificationOutput;

    fn step(&self, batch: Digits) -> ClassificationOutput {
        self.classify(batch)
    }
}

// --- Its data ---

/// A batch: images of 8×8 pixels in [0, 1], and what they show.
#[derive(Batch, Clone, Debug)]
struct Digits {
    images: Tensor<2>,
    labels: Tensor<1, Int>,
}

/// One image, row by row, and its label.
type Digit = (Vec<f32>, i64);

struct DigitBatcher;

impl Batcher<Digit, Digits> for DigitBatcher {
    fn batch(&self, items: Vec<Digit>, device: &Device) -> Digits {
        let count = items.len();
        let (images, labels): (Vec<Vec<f32>>, Vec<i64>) = items.into_iter().unzip();
        Digits {
            images: Tensor::from_data(TensorData::new(images.concat(), [count, 64]), device),
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }
}

fn digits() -> Result<Vec<Digit>, Box<dyn Error>> {
    let packed: &[u8] = include_bytes!("data/digits.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text)?;
    let mut digits = Vec::new();
    for line in text.lines() {
        let numbers: Result<Vec<i64>, _> = line.split(',').map(str::parse).collect();
        let mut numbers = numbers?;
        let label = numbers.pop().ok_or("a row of the data is empty")?;
        let image = numbers.into_iter().map(|pixel| pixel as f32 / 16.0);
        digits.push((image.collect(), label));
    }
    Ok(digits)
}

/// Every fourth digit is for validation.
fn loaders(digits: Vec<Digit>) -> [Arc<dyn DataLoader<Digits>>; 2] {
    let is_validation = |index: usize| index.is_multiple_of(4);
    let split = |validation: bool| {
        let rows = digits.iter().enumerate();
        let rows = rows.filter(|(index, _)| is_validation(*index) == validation);
        InMemDataset::new(rows.map(|(_, digit)| digit.clone()).collect())
    };
    let builder = || DataLoaderBuilder::new(DigitBatcher).batch_size(BATCH_SIZE);
    [
        builder().shuffle(1).build(split(false)),
        builder().build(split(true)),
    ]
}

fn main() -> ExitCode {
    match train(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn train(args: Args) -> Result<(), Box<dyn Error>> {
    let [train, valid] = loaders(digits()?);
    let device = Device::default().autodiff();
    device.seed(1);

    let steps = args.epochs * train.num_items().div_ceil(BATCH_SIZE);
    let learner = Learner::new(
        Classifier::new(&device),
        SgdConfig::new()
            .with_momentum(Some(MomentumConfig::new()))
            .init(),
        CosineAnnealingLrSchedulerConfig::new(0.1, steps.max(1)).init()?,
    );

    // The sharpness on the validation digits, about once an epoch.
    let loss = |model: &Classifier, batch: Digits| model.classify(batch).loss;
    let sharpness = CurvatureMonitorConfig::new()
        .with_optimizer(EdgeRule::momentum(&MomentumConfig::new())?)
        .init()?;
    let sharpness = Watch::new(Due::Every(15), sharpness, Risk::owned(loss, valid.clone()))?;
    let readings = sharpness.readings();
    let monitors = LearnerMonitors::new(Monitors::new().with(sharpness)?);

    // How much the loss rises within the radius, step by step.
    let rises = Rc::new(RefCell::new(Vec::new()));
    let seen = rises.clone();
    let artifacts = std::env::temp_dir().join(format!("burnscape-digits-{}", std::process::id()));
    let strategy = Sam::strategy(SamConfig::new().with_rho(args.rho))?
        .with_checkpoints(artifacts.join("checkpoint"))
        .with_loss(|output: &ClassificationOutput| output.loss.clone())
        .observe(move |report| {
            if let (Some(loss), Some(perturbed)) = (report.loss, report.perturbed_loss) {
                seen.borrow_mut().push(perturbed - loss);
            }
            ControlFlow::Continue(())
        });

    println!(
        "{} digits for training, {} for validation, {} epochs, rho {}",
        train.num_items(),
        valid.num_items(),
        args.epochs,
        args.rho
    );
    let result = SupervisedTraining::new(&artifacts, train, valid.clone())
        .num_epochs(args.epochs)
        .metrics((LossMetric::new(), AccuracyMetric::new()))
        .metric_train_numeric(monitors.metric(&readings, "sharpness")?)
        .renderer(Box::new(Lines::default()))
        .with_default_checkpointers()
        .with_training_strategy(monitors.attach(strategy).into())
        .launch(learner);
    if let Some(error) = result.error {
        return Err(error.to_string().into());
    }
    if let Some(error) = monitors.error() {
        return Err(error.into());
    }
    print!("{monitors}");

    let rises = rises.borrow();
    let recent = rises.len().min(10);
    if recent > 0 {
        let mean = rises.iter().rev().take(recent).sum::<f64>() / recent as f64;
        println!("L(w + e) - L(w), mean of the last {recent} steps: {mean:.4}");
    }
    let accuracy = accuracy(&result.model, valid.as_ref())?;
    println!("validation accuracy: {:.1} %", 100.0 * accuracy);
    std::fs::remove_dir_all(&artifacts)?;
    Ok(())
}

/// The fraction of digits that are recognized.
fn accuracy(model: &Classifier, data: &dyn DataLoader<Digits>) -> Result<f64, Box<dyn Error>> {
    let mut hits = 0;
    for batch in data.iter() {
        let output = model.classify(batch?);
        let found = output.output.argmax(1).reshape([-1]);
        hits += found.equal(output.targets).int().sum().into_scalar::<i64>();
    }
    Ok(hits as f64 / data.num_items() as f64)
}

// --- One line a split: Burn's renderer without a terminal prints one for every batch ---

#[derive(Default)]
struct Lines {
    names: Vec<MetricDefinition>,
    latest: Vec<(String, f64)>,
    split: String,
    epoch: usize,
}

impl Lines {
    fn note(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else {
            return;
        };
        let mut names = self.names.iter();
        let Some(metric) = names.find(|metric| metric.metric_id == entry.metric_id) else {
            return;
        };
        self.latest.retain(|(name, _)| *name != *metric.name);
        self.latest.push((metric.name.to_string(), value.current()));
    }
}

impl MetricsRendererTraining for Lines {
    fn update_train(&mut self, state: MetricState) {
        self.note(state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.note(state);
    }
}

impl TrainingProgressLogger for Lines {
    fn start(&mut self, _epochs: usize, first: usize, _items: Option<usize>, _label: Option<&str>) {
        self.epoch = first;
    }

    fn start_split(&mut self, split: &str, _items: usize) {
        self.split = split.to_lowercase();
        self.latest.clear();
    }

    fn end_split(&mut self) {
        let values = self.latest.iter();
        let values: Vec<String> = values
            .map(|(name, v)| format!("{} {v:.3}", name.to_lowercase()))
            .collect();
        println!(
            "epoch {:>2} {}: {}",
            self.epoch,
            self.split,
            values.join(", ")
        );
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.epoch = epoch + 1;
    }

    fn update_split(&mut self, _items: usize) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _event: String) {}
}

impl MetricsRendererEvaluation for Lines {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for Lines {
    fn start_global_progress(&mut self, _total: usize) {}
    fn start_test(&mut self, _name: &str, _items: usize) {}
    fn update_test_progress(&mut self, _items: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRenderer for Lines {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.push(definition);
    }
}
