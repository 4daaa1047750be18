//! Sharpness-aware training with Burn's `Learner`: equal, bit for bit, to loops written by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail them"
)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::grad_clipping::GradientClippingConfig;
use burn::lr_scheduler::exponential::ExponentialLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{LearningRateMetric, LossMetric, MetricDefinition};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use burn::train::{
    InferenceStep, Learner, LearnerModel, LearningResult, RegressionOutput, SupervisedTraining,
    TrainOutput, TrainStep, TrainingStrategy,
};
use burnscape::optim::{
    Ascent, FisherSquares, Metric, OptimConfigError, RhoSchedule, Sam, SamConfig, SamStrategy,
    SkipReason, StepReport, Tied, Window,
};

const ITEMS: usize = 22;
const BATCH: usize = 4;
const NAN: usize = 9;

// --- The model and its data ---

/// Two layers with batch norm between them, of fixed weights.
#[derive(Module, Debug)]
struct Net {
    hidden: Param<Tensor<2>>,
    norm: BatchNorm,
    dropout: Dropout,
    output: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[derive(Clone, Debug)]
struct Points {
    x: Tensor<2>,
    y: Tensor<2>,
}

/// Numbers that look random and are the same everywhere.
fn wave(count: usize, phase: f64) -> Vec<f32> {
    let wave = |i: usize| ((i as f64 + 1.0) * 1.7 + phase).sin() as f32;
    (0..count).map(wave).collect()
}

fn parameter<const D: usize>(shape: [usize; D], phase: f64, device: &Device) -> Param<Tensor<D>> {
    let values = wave(shape.iter().product(), phase);
    Param::from_data(TensorData::new(values, shape), device)
}

impl Net {
    fn new(phase: f64) -> Self {
        Self::with_dropout(phase, 0.0)
    }

    fn with_dropout(phase: f64, dropout: f64) -> Self {
        let device = Device::default().autodiff();
        Self {
            hidden: parameter([3, 6], phase, &device),
            norm: BatchNormConfig::new(6).init(&device),
            dropout: DropoutConfig::new(dropout).init(),
            output: parameter([6, 2], phase + 0.5, &device),
            bias: parameter([2], phase + 0.9, &device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self.norm.forward(x.matmul(self.hidden.val())).tanh();
        let hidden = self.dropout.forward(hidden);
        hidden.matmul(self.output.val()) + self.bias.val().unsqueeze()
    }

    fn loss(&self, batch: Points) -> RegressionOutput {
        let output = self.forward(batch.x);
        let loss = (output.clone() - batch.y.clone())
            .powi_scalar(2)
            .mean()
            .reshape([1]);
        RegressionOutput::new(loss, output, batch.y)
    }

    fn weights(&self) -> Vec<f32> {
        let mut values = read(self.hidden.val());
        values.extend(read(self.norm.gamma.val()));
        values.extend(read(self.norm.beta.val()));
        values.extend(read(self.output.val()));
        values.extend(read(self.bias.val()));
        values
    }

    fn statistics(&self) -> Vec<f32> {
        statistics(&self.norm)
    }

    fn state(&self) -> Vec<u32> {
        let mut values = self.weights();
        values.extend(self.statistics());
        values.into_iter().map(f32::to_bits).collect()
    }
}

fn statistics(norm: &BatchNorm) -> Vec<f32> {
    // `valid` folds in the updates that wait.
    let norm = norm.valid();
    let mut values = read(norm.running_mean.value());
    values.extend(read(norm.running_var.value()));
    values
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

impl TrainStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let output = self.loss(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        self.loss(batch)
    }
}

#[derive(Clone, Copy)]
struct PointBatcher;

impl Batcher<usize, Points> for PointBatcher {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Points {
        let mut x = Vec::new();
        let mut y = Vec::new();
        for item in &items {
            x.extend(wave(3, *item as f64 * 0.37));
            y.extend(wave(2, *item as f64 * 0.11 + 2.0));
        }
        if items.contains(&(ITEMS + NAN)) {
            x[0] = f32::NAN;
        }
        Points {
            x: Tensor::from_data(TensorData::new(x, [items.len(), 3]), device),
            y: Tensor::from_data(TensorData::new(y, [items.len(), 2]), device),
        }
    }
}

fn loader(items: Vec<usize>) -> Arc<dyn DataLoader<Points>> {
    DataLoaderBuilder::new(PointBatcher)
        .batch_size(BATCH)
        .build(InMemDataset::new(items))
}

fn items() -> Vec<usize> {
    (0..ITEMS).collect()
}

fn batches(items: Vec<usize>) -> Vec<Points> {
    let loader = loader(items).to_device(&Device::default().autodiff());
    loader.iter().map(Result::unwrap).collect()
}

fn sgd() -> SgdConfig {
    SgdConfig::new().with_momentum(Some(MomentumConfig::new()))
}

fn falling() -> ModuleLrScheduler {
    let config = ExponentialLrSchedulerConfig::new(0.1, 0.93);
    config.init().unwrap()
}

// --- Burn's training, silently ---

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Silent {
    events: Arc<Mutex<Vec<String>>>,
}

impl Silent {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    fn metric(&self, split: &str, state: MetricState) {
        let (MetricState::Generic(entry) | MetricState::Numeric(entry, _)) = state;
        self.note(format!("{split}: {}", entry.serialized_entry.serialized));
    }
}

impl MetricsRendererTraining for Silent {
    fn update_train(&mut self, state: MetricState) {
        self.metric("train", state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.metric("valid", state);
    }
}

impl MetricsRendererEvaluation for Silent {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl TrainingProgressLogger for Silent {
    fn start(&mut self, epochs: usize, first: usize, _items: Option<usize>, _label: Option<&str>) {
        self.note(format!("start {first} of {epochs}"));
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.note(format!("epoch {epoch}"));
    }

    fn start_split(&mut self, split: &str, items: usize) {
        self.note(format!("{split} begins with {items}"));
    }

    fn update_split(&mut self, items: usize) {
        self.note(format!("at {items}"));
    }

    fn end_split(&mut self) {
        self.note("split ends".to_string());
    }

    fn end(&mut self) {
        self.note("end".to_string());
    }

    fn log_event_training(&mut self, event: String) {
        self.note(event);
    }
}

impl EvaluationProgressLogger for Silent {
    fn start_global_progress(&mut self, _total: usize) {}
    fn start_test(&mut self, _name: &str, _items: usize) {}
    fn update_test_progress(&mut self, _items: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRenderer for Silent {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _definition: MetricDefinition) {}
}

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("burnscape-learner-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    fn record(&self, epoch: usize) -> PathBuf {
        self.checkpoints().join(format!("sam-{epoch}.bpk"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What differs between the trainings of these tests.
struct Run {
    epochs: usize,
    items: Vec<usize>,
    accumulation: Option<usize>,
    optimizer: ModuleOptimizer,
    renderer: Silent,
    resume: Option<usize>,
    keep: Option<usize>,
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
    fn launch<M>(
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

fn strategy<M: LearnerModel>(config: SamConfig) -> SamStrategy<M> {
    Sam::strategy(config).unwrap()
}

/// Trains without checkpoints and without errors.
fn train(run: Run, strategy: SamStrategy<Net>, model: Net) -> Net {
    let directory = Directory::new();
    let result = run.launch(&directory.0, model, Some(strategy.into()));
    assert!(result.error.is_none(), "{:?}", result.error);
    result.model
}

/// The strategy of a configuration, with its reports put aside.
fn observed(config: SamConfig) -> (SamStrategy<Net>, Arc<Mutex<Vec<StepReport>>>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let kept = reports.clone();
    let strategy = strategy(config).observe(move |report| {
        kept.lock().unwrap().push(report.clone());
        ControlFlow::Continue(())
    });
    (strategy, reports)
}

/// The same training, by hand.
fn by_hand(config: SamConfig, run: Run, mut model: Net) -> Net {
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

/// One configuration of each kind of memory and of each way to write weights.
fn configurations() -> Vec<SamConfig> {
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
        SamConfig::look_sam()
            .with_rho(0.2)
            .with_combination(burnscape::optim::Combination::Look {
                every: 4,
                alpha: 0.7,
            }),
        SamConfig::wsam().with_rho(0.2),
        SamConfig::new().with_rho(0.2).with_tied(Tied::Retie),
        SamConfig::new().with_window(Some(Window {
            start: 4,
            end: Some(9),
        })),
        SamConfig::new().with_mask(Some(burnscape::optim::Mask { keep: 0.5, seed: 3 })),
    ]
}

// --- Equality with loops written by hand ---

#[test]
fn the_strategy_is_the_loop_written_by_hand() {
    for config in configurations() {
        let trained = train(Run::default(), strategy(config.clone()), Net::new(0.0));
        let expected = by_hand(config.clone(), Run::default(), Net::new(0.0));
        assert_eq!(trained.state(), expected.state(), "{config:?}");
        assert_ne!(trained.state(), Net::new(0.0).state());
    }
}

#[test]
fn accumulated_gradients_ascend_once() {
    for accumulation in [2, 4, 100] {
        let run = || Run {
            accumulation: Some(accumulation),
            ..Run::default()
        };
        let config = SamConfig::friendly_sam().with_rho(0.2);
        let (strategy, reports) = observed(config.clone());
        let trained = train(run(), strategy, Net::new(0.0));
        let expected = by_hand(config, run(), Net::new(0.0));
        assert_eq!(trained.state(), expected.state());
        // Six batches an epoch, the last group being incomplete.
        assert_eq!(
            reports.lock().unwrap().len(),
            2 * 6_usize.div_ceil(accumulation)
        );
    }
}

#[test]
fn with_a_radius_of_zero_it_is_burns_strategy_event_for_event() {
    for accumulation in [None, Some(4)] {
        let mut outcomes = Vec::new();
        for strategy in [None, Some(strategy(SamConfig::new().with_rho(0.0)).into())] {
            let renderer = Silent::default();
            let run = Run {
                accumulation,
                renderer: renderer.clone(),
                ..Run::default()
            };
            let directory = Directory::new();
            let trained = run.launch(&directory.0, Net::new(0.0), strategy).model;
            let events = renderer.events.lock().unwrap().clone();
            outcomes.push((trained.state(), events));
        }
        assert!(outcomes[0].1.len() > 50);
        assert_eq!(outcomes[0], outcomes[1]);
    }
}

#[test]
fn clipping_applies_to_the_combined_gradient() {
    let clipped = |limit| {
        let clipping = GradientClippingConfig::Value(limit);
        let optimizer = SgdConfig::new().with_gradient_clipping(Some(clipping));
        Run {
            epochs: 1,
            items: (0..BATCH).collect(),
            optimizer: optimizer.init(),
            ..Run::default()
        }
    };
    let config = SamConfig::new().with_rho(0.2);
    let trained = train(clipped(0.01), strategy(config.clone()), Net::new(0.0));
    let expected = by_hand(config.clone(), clipped(0.01), Net::new(0.0));
    assert_eq!(trained.state(), expected.state());
    // One step with a rate below 0.1 moves no coordinate by more than 0.1 · 0.01.
    let before = Net::new(0.0).weights();
    let moves = before
        .iter()
        .zip(trained.weights())
        .map(|(a, b)| (a - b).abs());
    assert!(moves.fold(0.0, f32::max) <= 0.1 * 0.01 + 1e-6);
    let free = train(clipped(1e6), strategy(config), Net::new(0.0));
    assert_ne!(free.state(), trained.state());
}

#[test]
fn dropout_masks_are_those_of_the_loop() {
    let config = SamConfig::new().with_dropout_seed(Some(5));
    let model = || Net::with_dropout(0.0, 0.5);
    let trained = train(Run::default(), strategy(config.clone()), model());
    let expected = by_hand(config.clone(), Run::default(), model());
    assert_eq!(trained.state(), expected.state());
    let without = train(Run::default(), strategy(config), Net::new(0.0));
    assert_ne!(trained.state(), without.state());
}

#[test]
fn both_passes_of_accumulated_batches_draw_the_same_masks() {
    let run = Run {
        accumulation: Some(3),
        ..Run::default()
    };
    let config = SamConfig::new().with_rho(0.0).with_dropout_seed(Some(5));
    let (strategy, reports) = observed(config);
    let named = strategy.with_loss(|output: &RegressionOutput| output.loss.clone());
    train(run, named, Net::with_dropout(0.0, 0.5));
    for report in reports.lock().unwrap().iter() {
        assert!(report.loss.is_some());
        assert_eq!(report.loss, report.perturbed_loss);
    }
}

#[test]
fn weights_written_after_the_step_leave_frozen_ones_alone() {
    let model = || {
        let mut net = Net::new(0.0);
        net.hidden = net.hidden.set_require_grad(false);
        net
    };
    let config = SamConfig::wsam().with_rho(0.2);
    let trained = train(Run::default(), strategy(config.clone()), model());
    let expected = by_hand(config, Run::default(), model());
    assert_eq!(trained.state(), expected.state());
    assert_eq!(read(trained.hidden.val()), read(model().hidden.val()));
    assert_ne!(read(trained.output.val()), read(model().output.val()));
}

/// A model whose two fields are one parameter.
#[derive(Module, Debug)]
struct Twins {
    first: Param<Tensor<2>>,
    norm: BatchNorm,
    second: Param<Tensor<2>>,
}

impl Twins {
    fn new() -> Self {
        let device = Device::default().autodiff();
        let first = parameter([3, 3], 0.0, &device);
        let second = first.clone();
        let norm = BatchNormConfig::new(3).init(&device);
        Self {
            first,
            norm,
            second,
        }
    }

    fn loss(&self, batch: Points) -> RegressionOutput {
        let output = self.norm.forward(batch.x.matmul(self.first.val()));
        let output = output.tanh().matmul(self.second.val());
        let loss = output.clone().powi_scalar(2).mean().reshape([1]);
        RegressionOutput::new(loss, output, batch.y)
    }
}

impl TrainStep for Twins {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let output = self.loss(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Twins {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        self.loss(batch)
    }
}

#[test]
fn tied_parameters_stay_tied_or_are_refused() {
    let config = SamConfig::new().with_tied(Tied::Retie);
    let directory = Directory::new();
    let tied = Some(strategy(config.clone()).into());
    let trained = Run::default()
        .launch(&directory.0, Twins::new(), tied)
        .model;

    let mut sam = config.init(sgd().init()).unwrap();
    let mut rates = falling();
    let mut model = Twins::new();
    for _ in 0..2 {
        for batch in batches(items()) {
            let closure = |model: &Twins| TrainStep::step(model, batch.clone()).grads;
            sam.step(rates.step(), &mut model, closure).unwrap();
        }
    }
    assert_eq!(read(trained.first.val()), read(model.first.val()));
    assert_eq!(read(trained.first.val()), read(trained.second.val()));
    assert_eq!(statistics(&trained.norm), statistics(&model.norm));
    assert_ne!(read(trained.first.val()), read(Twins::new().first.val()));

    let refusing = Some(strategy(SamConfig::new()).into());
    let result = Run::default().launch(&directory.0, Twins::new(), refusing);
    let text = message(&result);
    assert!(text.contains("`first`") && text.contains("Retie"), "{text}");
}

#[test]
fn several_starts_are_compared_by_the_loss_that_is_named() {
    let config = SamConfig::sa_gd(1).with_rho(0.2);
    let run = || Run {
        epochs: 1,
        ..Run::default()
    };
    let named = strategy(config.clone()).with_loss(|output: &RegressionOutput| output.loss.clone());
    let trained = train(run(), named, Net::new(0.0));

    let mut sam = config.clone().init(sgd().init()).unwrap();
    let mut rates = falling();
    let mut model = Net::new(0.0);
    for batch in batches(items()) {
        let closure = |model: &Net| model.loss(batch.clone()).loss;
        sam.step(rates.step(), &mut model, closure).unwrap();
    }
    assert_eq!(trained.state(), model.state());

    let directory = Directory::new();
    let result = run().launch(&directory.0, Net::new(0.0), Some(strategy(config).into()));
    assert!(message(&result).contains("with_loss"));
}

#[test]
fn reports_have_the_losses_once_they_are_named() {
    let run = || Run {
        epochs: 1,
        accumulation: Some(2),
        ..Run::default()
    };
    let (unnamed, reports) = observed(SamConfig::new());
    train(run(), unnamed, Net::new(0.0));
    let report = reports.lock().unwrap()[0].clone();
    assert_eq!((report.loss, report.perturbed_loss), (None, None));

    let (strategy, reports) = observed(SamConfig::new());
    let named = strategy.with_loss(|output: &RegressionOutput| output.loss.clone());
    train(run(), named, Net::new(0.0));
    let report = reports.lock().unwrap()[0].clone();
    // As gradients do, losses add up over a group.
    let batches = batches((0..2 * BATCH).collect());
    let losses = batches
        .into_iter()
        .map(|batch| read(Net::new(0.0).loss(batch).loss)[0]);
    assert_eq!(report.loss, Some(f64::from(losses.sum::<f32>())));
    assert!(report.perturbed_loss > report.loss);
}

// --- Running statistics and steps that are not finite ---

#[test]
fn running_statistics_are_those_of_one_plain_pass() {
    let run = Run {
        epochs: 1,
        items: (0..BATCH).collect(),
        ..Run::default()
    };
    let trained = train(run, strategy(SamConfig::new().with_rho(0.5)), Net::new(0.0));
    let plain = Net::new(0.0);
    drop(plain.loss(batches((0..BATCH).collect()).remove(0)));
    assert_eq!(trained.statistics(), plain.statistics());
    assert_ne!(trained.statistics(), Net::new(0.0).statistics());
}

#[test]
fn a_batch_with_a_nan_is_skipped_as_if_it_were_not_there() {
    let bad = ITEMS + NAN;
    // A radius that depends on the step: skipped ones count.
    let falling = RhoSchedule::Linear { end: 0.0, steps: 4 };
    let config = SamConfig::new().with_rho(0.2).with_schedule(falling);
    for accumulation in [None, Some(2)] {
        // Alone, it leaves everything as it was.
        let run = Run {
            epochs: 1,
            items: vec![0, bad],
            accumulation,
            ..Run::default()
        };
        let (strategy, reports) = observed(config.clone());
        let trained = train(run, strategy, Net::new(0.0));
        assert_eq!(trained.state(), Net::new(0.0).state());
        let skipped = reports.lock().unwrap()[0].skipped;
        assert_eq!(skipped, Some(SkipReason::NonFinite));
    }

    // Between others it is counted, and they are not disturbed.
    let items = vec![0, 1, 2, 3, 4, 5, 6, bad, 8, 9, 10, 11];
    let run = || Run {
        epochs: 1,
        items: items.clone(),
        ..Run::default()
    };
    let (strategy, reports) = observed(config.clone());
    let trained = train(run(), strategy, Net::new(0.0));
    let skipped: Vec<bool> = reports
        .lock()
        .unwrap()
        .iter()
        .map(|report| report.skipped.is_some())
        .collect();
    assert_eq!(skipped, [false, true, false]);
    let expected = by_hand(config, run(), Net::new(0.0));
    assert_eq!(trained.state(), expected.state());
    assert!(trained.weights().iter().all(|weight| weight.is_finite()));
}

#[test]
fn a_displaced_pass_that_is_not_finite_keeps_the_first_ones_statistics() {
    let run = Run {
        epochs: 1,
        items: (0..BATCH).collect(),
        ..Run::default()
    };
    let (strategy, reports) = observed(SamConfig::new().with_rho(1e30));
    let trained = train(run, strategy, Net::new(0.0));
    let skipped = reports.lock().unwrap()[0].skipped;
    assert_eq!(skipped, Some(SkipReason::NonFinitePerturbed));
    let plain = Net::new(0.0);
    drop(plain.loss(batches((0..BATCH).collect()).remove(0)));
    assert_eq!(trained.state(), plain.state());
}

#[test]
fn an_observer_can_interrupt() {
    let breaking = strategy(SamConfig::new()).observe(|_| ControlFlow::Break(()));
    let directory = Directory::new();
    let result = Run::default().launch(&directory.0, Net::new(0.0), Some(breaking.into()));
    let reason = result.interrupted.and_then(|stop| stop.reason).unwrap();
    assert!(reason.contains("observer"), "{reason}");
    let one = Run {
        epochs: 1,
        items: (0..BATCH).collect(),
        ..Run::default()
    };
    let expected = by_hand(SamConfig::new(), one, Net::new(0.0));
    assert_eq!(result.model.state(), expected.state());
}

// --- The helper inside a training step ---

/// A model that takes its sharpness-aware gradients itself.
#[derive(Module, Debug)]
struct InStep {
    net: Net,
}

impl TrainStep for InStep {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let mut item = None;
        let closure = |model: &Self| {
            let output = model.net.loss(batch.clone());
            let gradients = GradientsParams::from_grads(output.loss.backward(), model);
            item.get_or_insert(output);
            gradients
        };
        let config = SamConfig::new().with_rho(0.2);
        let (grads, _) = config.gradients(self, closure).unwrap();
        TrainOutput {
            grads,
            item: item.unwrap(),
        }
    }
}

impl InferenceStep for InStep {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        self.net.loss(batch)
    }
}

#[test]
fn the_helper_in_the_step_is_the_strategy() {
    let directory = Directory::new();
    let model = InStep { net: Net::new(0.0) };
    let in_step = Run::default().launch(&directory.0, model, None).model;
    let config = SamConfig::new().with_rho(0.2);
    let trained = train(Run::default(), strategy(config), Net::new(0.0));
    assert_eq!(in_step.net.state(), trained.state());
}

// --- Checkpoints ---

fn message<M>(result: &LearningResult<M>) -> String {
    let error = result.error.as_ref().expect("the training should stop");
    error.to_string()
}

/// Trains with checkpoints, from the start or from an epoch.
fn with_checkpoints(
    directory: &Directory,
    config: SamConfig,
    epochs: usize,
    resume: Option<usize>,
) -> LearningResult<Net> {
    let strategy = strategy(config).with_checkpoints(directory.checkpoints());
    let run = Run {
        epochs,
        resume,
        keep: Some(2),
        ..Run::default()
    };
    // Weights that the checkpoint must replace.
    let phase = if resume.is_some() { 1.0 } else { 0.0 };
    run.launch(&directory.0, Net::new(phase), Some(strategy.into()))
}

#[test]
fn a_resumed_training_is_the_uninterrupted_one() {
    for config in configurations() {
        let whole = Directory::new();
        let uninterrupted = with_checkpoints(&whole, config.clone(), 3, None);
        assert!(uninterrupted.error.is_none());

        let parts = Directory::new();
        let first = with_checkpoints(&parts, config.clone(), 1, None);
        assert!(first.error.is_none());
        let resumed = with_checkpoints(&parts, config.clone(), 3, Some(1));
        assert!(resumed.error.is_none(), "{:?}", resumed.error);
        let expected = uninterrupted.model.state();
        assert_eq!(resumed.model.state(), expected, "{config:?}");
        assert_ne!(first.model.state(), expected);
    }
}

#[test]
fn records_go_with_the_models_they_belong_to() {
    let directory = Directory::new();
    let result = with_checkpoints(&directory, SamConfig::look_sam(), 5, None);
    assert!(result.error.is_none());
    let present = |name: &str| -> Vec<usize> {
        let file = |epoch: &usize| directory.checkpoints().join(format!("{name}-{epoch}.bpk"));
        (1..=5).filter(|epoch| file(epoch).exists()).collect()
    };
    assert_eq!(present("model"), [4, 5]);
    let records = present("sam");
    assert!(
        records.ends_with(&[4, 5]) && !records.contains(&1),
        "{records:?}"
    );
}

#[test]
fn a_memory_is_not_lost_silently() {
    let run = || Run {
        keep: Some(2),
        ..Run::default()
    };
    let directory = Directory::new();
    let forgetful = Some(strategy(SamConfig::friendly_sam()).into());
    let result = run().launch(&directory.0, Net::new(0.0), forgetful);
    let text = message(&result);
    assert!(
        text.contains("Friendly SAM") && text.contains("with_checkpoints"),
        "{text}"
    );
    assert_eq!(result.model.state(), Net::new(0.0).state());

    // Plain SAM remembers nothing that matters.
    let plain = Some(strategy(SamConfig::new()).into());
    let result = run().launch(&directory.0, Net::new(0.0), plain);
    assert!(result.error.is_none());
}

#[test]
fn a_missing_record_is_an_error_with_a_remedy() {
    let directory = Directory::new();
    drop(with_checkpoints(
        &directory,
        SamConfig::friendly_sam(),
        1,
        None,
    ));
    std::fs::remove_file(directory.record(1)).unwrap();
    let result = with_checkpoints(&directory, SamConfig::friendly_sam(), 2, Some(1));
    let text = message(&result);
    assert!(
        text.contains("sam-1.bpk") && text.contains("resume from"),
        "{text}"
    );
}

#[test]
fn the_record_of_another_model_is_refused() {
    let directory = Directory::new();
    let other = Directory::new();
    for directory in [&directory, &other] {
        let result = with_checkpoints(directory, SamConfig::friendly_sam(), 1, None);
        assert!(result.error.is_none());
    }
    std::fs::copy(other.record(1), directory.record(1)).unwrap();
    let result = with_checkpoints(&directory, SamConfig::friendly_sam(), 2, Some(1));
    let text = message(&result);
    assert!(text.contains("another model"), "{text}");
}

#[test]
fn a_damaged_record_is_refused() {
    let directory = Directory::new();
    drop(with_checkpoints(
        &directory,
        SamConfig::friendly_sam(),
        1,
        None,
    ));
    std::fs::write(directory.record(1), b"not a record").unwrap();
    let result = with_checkpoints(&directory, SamConfig::friendly_sam(), 2, Some(1));
    let text = message(&result);
    assert!(
        text.contains("sam-1.bpk") && text.contains("refused"),
        "{text}"
    );
}

// --- Refusals ---

#[test]
fn what_looks_into_the_batch_is_refused_at_once() {
    let examples = Metric::Fisher {
        eta: 1.0,
        squares: FisherSquares::ExampleGradients,
    };
    for config in [
        SamConfig::new().with_group_size(Some(2)),
        SamConfig::esam(1),
        SamConfig::new().with_metric(examples),
    ] {
        let refused = Sam::strategy::<Net>(config).err();
        assert!(matches!(
            refused,
            Some(OptimConfigError::Incompatible { .. })
        ));
    }
    let refused = Sam::strategy::<Net>(SamConfig::new().with_rho(-1.0)).err();
    assert!(matches!(refused, Some(OptimConfigError::OutOfRange { .. })));
    // One start needs no loss.
    let one_start = Ascent::Projected {
        steps: 2,
        restarts: 1,
        step_size: 1.0,
        seed: 0,
    };
    let config = SamConfig::new().with_ascent(one_start);
    train(Run::default(), strategy(config), Net::new(0.0));
}

/// A model without the one parameter that its loss is about.
#[derive(Module, Debug)]
struct Unused {
    weight: Param<Tensor<1>>,
}

impl TrainStep for Unused {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let x = batch.x.require_grad();
        let loss = x.clone().mean().reshape([1]);
        TrainOutput::new(
            self,
            loss.backward(),
            RegressionOutput::new(loss, x, batch.y),
        )
    }
}

impl InferenceStep for Unused {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        let loss = batch.x.clone().mean().reshape([1]);
        RegressionOutput::new(loss, batch.x, batch.y)
    }
}

#[test]
fn what_a_step_is_refused_for_stops_the_training() {
    let directory = Directory::new();
    let device = Device::default().autodiff();
    let model = Unused {
        weight: parameter([2], 0.0, &device),
    };
    let unused = Some(strategy(SamConfig::new()).into());
    let result = Run::default().launch(&directory.0, model, unused);
    let text = message(&result);
    assert!(text.contains("a sharpness-aware step failed"), "{text}");
}
