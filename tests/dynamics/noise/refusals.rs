//! Bad input: each is refused by a typed error, and an odd case gives a result without a scale.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::Tensor;
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{DynamicsError, GradientNoise, GradientNoiseConfig, NoiseEstimator};
use burnscape::loss::{BatchMapper, LossError, Mode, Risk, Work};
use burnscape_testkit::double::device;

use super::regression::{Batch, Examples, INPUTS, loss, model};

const PER_EXAMPLE: NoiseEstimator = NoiseEstimator::PerExample;
const BATCHES: NoiseEstimator = NoiseEstimator::MicroBatches { size: None };

fn run(data: Vec<Batch>, estimator: NoiseEstimator) -> Result<GradientNoise, DynamicsError> {
    let risk = Risk::new(&loss, &data);
    GradientNoiseConfig::new(estimator).run(&risk, &model())
}

fn micro(size: usize) -> NoiseEstimator {
    NoiseEstimator::MicroBatches { size: Some(size) }
}

#[track_caller]
fn refused(data: Vec<Batch>, estimator: NoiseEstimator, expected: DynamicsError, words: &str) {
    let error = run(data, estimator).unwrap_err();
    assert_eq!(error, expected);
    let text = error.to_string();
    assert!(text.contains(words), "{text}");
}

#[test]
fn batch_sizes_that_the_data_do_not_have_are_refused() {
    let examples = Examples::new(10, 24);
    let too_large = DynamicsError::BatchSize {
        size: 9,
        available: 8,
    };
    let words = "smaller micro-batches";
    refused(examples.batches(8), micro(9), too_large, words);
    let unequal = DynamicsError::UnequalBatches {
        first: 3,
        second: 2,
    };
    let words = "without the remainder";
    refused(examples.batches(8), micro(3), unequal, words);
    let unequal = DynamicsError::UnequalBatches {
        first: 10,
        second: 4,
    };
    let ragged = examples.split(&[10, 10, 4]);
    refused(ragged.clone(), BATCHES, unequal.clone(), "10 examples");
    let two = |small| NoiseEstimator::TwoSizes { small };
    refused(ragged, two(2), unequal, "another 4");
    for small in [8, 9] {
        let error = run(examples.batches(8), two(small)).unwrap_err();
        let DynamicsError::OutOfRange(error) = error else {
            panic!("{error}");
        };
        assert_eq!((error.name, error.value), ("small", small as f64));
        assert_eq!(error.expected, "less than the 8 examples of a batch");
    }
}

#[test]
fn a_single_gradient_has_no_variance() {
    let examples = Examples::new(11, 8);
    let too_few = |what| DynamicsError::TooFewBatches {
        needed: 2,
        found: 1,
        what,
        remedy: "use smaller batches, or micro-batches of a smaller size",
    };
    for estimator in [BATCHES, micro(8)] {
        let few = too_few("micro-batches");
        refused(examples.batches(8), estimator, few, "1 micro-batches");
    }
    let one = vec![examples.batch(&[0])];
    refused(one, PER_EXAMPLE, too_few("examples"), "2 is the least");
    // A pair of sizes has estimates, but no interval, and no curvature of the noise.
    let pair = NoiseEstimator::TwoSizes { small: 2 };
    let noise = run(examples.batches(8), pair).unwrap();
    assert_eq!(noise.num_samples, 1);
    assert!(noise.trace.is_finite() && noise.trace_interval.is_none());
    assert!(noise.scale_interval.is_none());
    let data = examples.batches(8);
    let config = GradientNoiseConfig::new(pair).with_curvature(true);
    let error = config.run(&Risk::new(&loss, &data), &model()).unwrap_err();
    assert_eq!(error, too_few("batches"));
}

#[test]
fn empty_data_and_settings_out_of_range_are_refused() {
    let error = run(Vec::new(), PER_EXAMPLE).unwrap_err();
    assert_eq!(error, DynamicsError::Loss(LossError::EmptyData));
    let name = |config: GradientNoiseConfig| match config.init().unwrap_err() {
        DynamicsError::OutOfRange(error) => error.name,
        error => panic!("{error}"),
    };
    assert_eq!(name(GradientNoiseConfig::new(micro(0))), "size");
    let two = NoiseEstimator::TwoSizes { small: 0 };
    assert_eq!(name(GradientNoiseConfig::new(two)), "small");
    for confidence in [0.0, 1.0, f64::NAN] {
        let config = GradientNoiseConfig::new(BATCHES).with_confidence(confidence);
        assert_eq!(name(config.clone()), "confidence");
        let data = Examples::new(12, 8).batches(4);
        assert!(config.run(&Risk::new(&loss, &data), &model()).is_err());
    }
}

#[test]
fn zero_gradients_have_no_scale() {
    let data = Examples::new(13, 16).batches(4);
    let nothing = |m: &Linear, (x, _): Batch| m.forward(x).mean() * 0.0;
    let risk = Risk::new(&nothing, &data);
    for estimator in [
        PER_EXAMPLE,
        BATCHES,
        micro(2),
        NoiseEstimator::TwoSizes { small: 1 },
    ] {
        let config = GradientNoiseConfig::new(estimator).with_curvature(true);
        let noise = config.run(&risk, &model()).unwrap();
        assert_eq!((noise.trace, noise.gradient_norm_squared), (0.0, 0.0));
        assert_eq!((noise.scale, noise.scale_interval), (None, None));
        assert_eq!(noise.trace_interval, Some((0.0, 0.0)));
        assert_eq!(noise.curvature_scale, None);
        assert!(noise.to_string().contains("none"), "{noise}");
    }
}

#[test]
fn what_is_not_finite_is_refused() {
    let data = Examples::new(14, 8).batches(4);
    let infinite = |m: &Linear, (x, _): Batch| (m.forward(x).square() * 0.0).log().mean();
    let config = GradientNoiseConfig::new(BATCHES);
    let error = config
        .run(&Risk::new(&infinite, &data), &model())
        .unwrap_err();
    assert!(matches!(
        error,
        DynamicsError::Loss(LossError::NonFinite { batch: 0, .. })
    ));
    // The root of zero is finite, and its derivative is not.
    let root = |m: &Linear, (x, _): Batch| (m.forward(x) * 0.0).sqrt().mean();
    for estimator in [PER_EXAMPLE, BATCHES, NoiseEstimator::TwoSizes { small: 1 }] {
        let config = GradientNoiseConfig::new(estimator);
        let error = config.run(&Risk::new(&root, &data), &model()).unwrap_err();
        let is_gradient = matches!(
            error,
            DynamicsError::Loss(LossError::NonFiniteGradient { norm }) if !norm.is_finite()
        );
        assert!(is_gradient, "{error}");
    }
}

#[test]
fn a_loss_that_is_no_mean_over_examples_is_refused() {
    let data = Examples::new(15, 16).batches(8);
    let largest = |m: &Linear, (x, _): Batch| m.forward(x).square().max();
    let risk = Risk::new(&largest, &data);
    for estimator in [
        PER_EXAMPLE,
        BATCHES,
        micro(4),
        NoiseEstimator::TwoSizes { small: 2 },
    ] {
        let config = GradientNoiseConfig::new(estimator);
        let error = config.run(&risk, &model()).unwrap_err();
        let DynamicsError::NotExampleMean { defect } = error else {
            panic!("{error}");
        };
        assert!(defect > 0.01 && defect < 1.0, "{defect}");
        let unchecked = risk.clone().with_checks(false);
        assert!(config.run(&unchecked, &model()).is_ok());
    }
}

/// Batches of equal size whose examples count differently.
#[derive(Clone)]
struct Weighted(Batch, f64);

impl burnscape::loss::Batch for Weighted {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self(burnscape::loss::Batch::map_tensors(self.0, mapper), self.1)
    }

    fn weight(&self) -> Result<f64, LossError> {
        Ok(self.1)
    }
}

#[test]
fn batches_that_prefer_their_examples_are_refused() {
    let batches = Examples::new(16, 12).batches(4);
    let weighted = |m: &Linear, Weighted(batch, _): Weighted| loss(m, batch);
    let measure = |weights: [f64; 3]| {
        let pairs = batches.iter().cloned().zip(weights);
        let data: Vec<Weighted> = pairs
            .map(|(batch, weight)| Weighted(batch, weight))
            .collect();
        let config = GradientNoiseConfig::new(PER_EXAMPLE);
        config.run(&Risk::new(&weighted, &data), &model())
    };
    assert!(measure([20.0; 3]).is_ok());
    let error = measure([20.0, 10.0, 20.0]).unwrap_err();
    assert_eq!(error, DynamicsError::NotExampleMean { defect: 0.5 });
}

#[derive(Module, Debug)]
struct Normalized {
    linear: Linear,
    norm: BatchNorm,
    dropout: Dropout,
}

impl Normalized {
    fn new() -> Self {
        Self {
            linear: LinearConfig::new(INPUTS, 3).init(&device()),
            norm: BatchNormConfig::new(3).init(&device()),
            dropout: DropoutConfig::new(0.25).init(),
        }
    }
}

fn normalized(model: &Normalized, (x, y): Batch) -> Tensor<1> {
    let x = model.norm.forward(model.linear.forward(x));
    let x = model.dropout.forward(x.tanh());
    (x.sum_dim(1) - y).square().mean()
}

fn undropped(model: &Normalized, (x, y): Batch) -> Tensor<1> {
    let x = model.norm.forward(model.linear.forward(x)).tanh();
    (x.sum_dim(1) - y).square().mean()
}

#[test]
fn statistics_of_batches_are_refused_with_checks_and_without() {
    let data = Examples::new(17, 16).batches(8);
    let network = Normalized::new();
    for checks in [true, false] {
        for estimator in [PER_EXAMPLE, BATCHES, micro(4)] {
            let config = GradientNoiseConfig::new(estimator);
            let risk = Risk::new(&undropped, &data).with_checks(checks);
            assert!(config.run(&risk, &network).is_ok());
            let training = risk.with_mode(Mode::Train);
            let error = config.run(&training, &network).unwrap_err();
            assert!(matches!(error, DynamicsError::NotExampleMean { .. }));
            // Losses with draws cannot be compared.
            let risk = Risk::new(&normalized, &data).with_checks(checks);
            let seeded = risk.with_mode(Mode::Train).with_draws_seed(1);
            let error = config.run(&seeded, &network).unwrap_err();
            assert!(matches!(error, DynamicsError::NotExampleMean { .. }));
            assert!(error.to_string().contains("Mode::Eval"));
        }
    }
}

#[test]
fn an_observer_stops_the_measurement() {
    let data = Examples::new(18, 24).batches(4);
    let stop = |work: Work, done: usize| {
        let seen = AtomicUsize::new(0);
        let risk = Risk::new(&loss, &data).with_observer(move |progress| {
            let count = seen.fetch_add(usize::from(progress.work == work), Ordering::Relaxed);
            if progress.work == work && count + 1 == done {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let config = GradientNoiseConfig::new(PER_EXAMPLE).with_curvature(true);
        config.run(&risk, &model()).unwrap_err()
    };
    let stopped =
        |error: &DynamicsError| matches!(error, DynamicsError::Loss(LossError::Stopped { .. }));
    // The comparison of losses, the pass over batches, the examples.
    assert!(stopped(&stop(Work::Loss, 2)));
    let error = stop(Work::Gradient, 3);
    assert!(stopped(&error), "{error}");
    let error = stop(Work::Gradient, 17);
    assert!(stopped(&error), "{error}");
    let error = stop(Work::Product, 14);
    assert_eq!(error, DynamicsError::Curvature(CurvatureError::Stopped));
}
