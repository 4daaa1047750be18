//! Gradients accumulated over micro-batches, in both passes of a step and under Burn's clipping: `k` micro-batches
//! equal one batch.

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::optim::{Metric, SamConfig};
use burnscape::space::{ParamSpace, ParamVector};

use crate::element::{DTYPE, device};

type Batch = (Tensor<2>, Tensor<2>);

const EXAMPLES: usize = 24;
const STEPS: usize = 12;
const LR: f64 = 0.2;

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    last: Linear,
}

impl Net {
    fn loss(&self, (x, y): Batch) -> Tensor<1> {
        (self.last.forward(self.hidden.forward(x).tanh()) - y)
            .square()
            .mean()
    }

    fn weights(&self) -> Vec<f64> {
        let space = ParamSpace::of(self).unwrap();
        let vector = ParamVector::from_module(&space, self).unwrap();
        vector.to_host().unwrap()
    }
}

/// The same network each time, whatever was drawn before.
fn net() -> Net {
    let device = device().autodiff();
    let net = Net {
        hidden: LinearConfig::new(3, 5).init(&device),
        last: LinearConfig::new(5, 2).init(&device),
    };
    let space = ParamSpace::of(&net).unwrap();
    let values: Vec<f64> = (0..space.len())
        .map(|index| (1.7 * index as f64 + 0.3).sin() * 0.7)
        .collect();
    let vector = ParamVector::from_host(&space, &values).unwrap();
    vector.apply_to(&net).unwrap()
}

fn rows(range: std::ops::Range<usize>) -> Batch {
    let device = device().autodiff();
    let wave = |width: usize, phase: f64| {
        let values: Vec<f64> = (range.start * width..range.end * width)
            .map(|index| (index as f64 * 0.9 + phase).sin() * 2.0)
            .collect();
        let data = TensorData::new(values, [range.len(), width]);
        Tensor::<2>::from_data(data, (&device, DTYPE))
    };
    (wave(3, 0.2), wave(2, 1.1))
}

fn micro_batches(count: usize) -> Vec<Batch> {
    let size = EXAMPLES / count;
    (0..count)
        .map(|index| rows(index * size..(index + 1) * size))
        .collect()
}

/// The gradient of the whole batch as a sum over micro-batches, and the loss.
fn accumulated(model: &Net, batches: &[Batch]) -> (f64, GradientsParams) {
    let mut sums = GradientsAccumulator::new();
    let mut total = 0.0;
    for batch in batches {
        // Not a division: Burn rounds the gradient of one to f32.
        let loss = model.loss(batch.clone()) * (1.0 / batches.len() as f64);
        total += loss.clone().into_scalar::<f64>();
        sums.accumulate(model, GradientsParams::from_grads(loss.backward(), model));
    }
    (total, sums.grads())
}

fn base(clipping: Option<GradientClippingConfig>) -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new()))
        .with_gradient_clipping(clipping)
        .init()
}

fn variants() -> Vec<SamConfig> {
    vec![
        SamConfig::new().with_rho(0.2),
        SamConfig::new()
            .with_rho(0.2)
            .with_metric(Metric::Adaptive { eta: 0.01 }),
        SamConfig::friendly_sam().with_rho(0.2),
    ]
}

fn clippings() -> Vec<Option<GradientClippingConfig>> {
    vec![
        None,
        Some(GradientClippingConfig::Norm(0.05)),
        Some(GradientClippingConfig::Value(0.02)),
    ]
}

/// Training by [`step`](burnscape::optim::Sam::step) with a closure that accumulates.
fn by_closure(
    config: &SamConfig,
    clipping: Option<GradientClippingConfig>,
    count: usize,
) -> Vec<f64> {
    let mut sam = config.clone().init(base(clipping)).unwrap();
    let (mut model, batches) = (net(), micro_batches(count));
    for _ in 0..STEPS {
        sam.step(LR, &mut model, |model: &Net| accumulated(model, &batches))
            .unwrap();
    }
    model.weights()
}

/// Training by the two halves of a step, each with a gradient that the loop has accumulated.
fn by_halves(
    config: &SamConfig,
    clipping: Option<GradientClippingConfig>,
    count: usize,
) -> Vec<f64> {
    let mut sam = config.clone().init(base(clipping)).unwrap();
    let (mut model, batches) = (net(), micro_batches(count));
    for _ in 0..STEPS {
        let (_, first) = accumulated(&model, &batches);
        let ascended = sam.ascend(LR, model, &first).unwrap();
        let (_, second) = accumulated(ascended.module(), &batches);
        (model, _) = sam.descend(ascended, second).unwrap();
    }
    model.weights()
}

fn largest_difference(left: &[f64], right: &[f64]) -> f64 {
    let pairs = left.iter().zip(right);
    pairs.fold(0.0, |largest, (a, b)| (a - b).abs().max(largest))
}

#[test]
fn micro_batches_equal_one_batch_in_both_passes_and_under_clipping() {
    for config in variants() {
        for clipping in clippings() {
            let one = by_closure(&config, clipping.clone(), 1);
            for count in [2, 3, 8] {
                let several = by_closure(&config, clipping.clone(), count);
                let difference = largest_difference(&one, &several);
                assert!(difference < 1e-12, "{config} {clipping:?}: {difference:e}");
                let halves = by_halves(&config, clipping.clone(), count);
                let difference = largest_difference(&several, &halves);
                assert!(difference < 1e-12, "{config} {clipping:?}: {difference:e}");
            }
        }
    }
}

/// The clipping of the test above is at work: without it the weights end elsewhere. It clips what the base gets, not
/// what the ascent follows.
#[test]
fn each_clipping_changes_the_weights() {
    let config = SamConfig::new().with_rho(0.2);
    let ends: Vec<_> = clippings()
        .into_iter()
        .map(|clipping| by_closure(&config, clipping, 3))
        .collect();
    for (index, end) in ends.iter().enumerate() {
        for other in &ends[..index] {
            assert!(largest_difference(end, other) > 1e-3);
        }
    }
}
