//! Alignment by optimal transport: plans are those of linear programming, and units that are only permuted, doubled or
//! brought together change no function.

use std::collections::HashMap;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, Lstm, LstmConfig,
};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burnscape::align::{AlignError, TransportConfig, TransportPlan, Transported};
use burnscape::loss::Batch;
use burnscape_testkit::golden::{load, max_difference};
use serde::Deserialize;

use super::weights::with;
use crate::element::device;
use crate::symmetry::zoo::{
    self, Mlp, Parameter, Specimen, difference, numbers, parameters, rewritten, same, scattered,
    tolerance,
};

mod refusals;

const SEED: u64 = 83;

fn linear(from: usize, to: usize) -> Linear {
    LinearConfig::new(from, to).init(&device())
}

fn mlp(widths: [usize; 4], seed: u64) -> Mlp {
    scattered(&Mlp::new(widths, &device()), seed)
}

/// One model of two hidden layers moved onto another.
fn moved(
    config: &TransportConfig,
    source: &Mlp,
    target: &Mlp,
) -> Result<Transported<Mlp>, AlignError> {
    let outputs = |net: &Mlp, x: &Tensor<2>| net.outputs(x);
    let from = target.first.weight.val().dims()[0];
    config.run(
        &outputs,
        numbers([3, from], SEED, &device()),
        source,
        target,
    )
}

/// Rows of the source and columns of the target have equal shares.
fn check_marginals(plan: &TransportPlan, tolerance: f64) {
    let [rows, columns] = plan.sizes;
    assert_eq!(plan.plan.len(), rows * columns);
    assert!(plan.plan.iter().all(|share| *share >= 0.0));
    for row in plan.plan.chunks(columns) {
        let sum: f64 = row.iter().sum();
        assert!((sum * rows as f64 - 1.0).abs() <= tolerance, "{sum}");
    }
    for column in 0..columns {
        let sum: f64 = plan.plan.iter().skip(column).step_by(columns).sum();
        assert!((sum * columns as f64 - 1.0).abs() <= tolerance, "{sum}");
    }
}

/// A permuted source comes back bit by bit.
fn recovers<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let name = net.name;
    let own = parameters(&net.model);
    let symmetries = net.symmetries();
    let planted = symmetries.random(5).apply(&net.model).expect(name);
    let before = parameters(&planted);
    let found = TransportConfig::new()
        .run(&net.outputs, net.batch.clone(), &planted, &net.model)
        .expect(name);
    assert!(same(&parameters(&found.model), &own), "{name}");
    assert_eq!(found.plans.len(), symmetries.groups().len(), "{name}");
    assert!(found.kept.is_empty(), "{name}");
    for plan in &found.plans {
        assert!(plan.is_exact && plan.cost == 0.0, "{name}: {plan:?}");
        assert!(plan.num_compared > 0 && plan.deviation == 0.0, "{name}");
        check_marginals(plan, 1e-12);
    }
    let is_untouched = same(&parameters(&net.model), &own) && same(&parameters(&planted), &before);
    assert!(is_untouched, "{name}");
}

#[test]
fn permuted_networks_of_linear_layers_are_recovered() {
    let device = device();
    recovers(&zoo::mlp(&device, SEED));
    recovers(&zoo::autoencoder(&device, SEED));
    recovers(&zoo::gated(&device, SEED));
    recovers(&zoo::quantized(&device, SEED));
    // Equal widths may be tied.
    recovers(&zoo::tied_autoencoder(&device, SEED));
    recovers(&zoo::tied_embedding(&device, SEED));
}

#[test]
fn permuted_convolutional_networks_are_recovered() {
    let device = device();
    recovers(&zoo::cnn(&device, SEED));
    recovers(&zoo::dense_net(&device, SEED));
    recovers(&zoo::u_net(&device, SEED));
    for activates_first in [true, false] {
        recovers(&zoo::residual(activates_first, &device, SEED));
    }
}

#[test]
fn permuted_recurrent_networks_are_recovered() {
    let device = device();
    recovers(&zoo::lstm(&device, SEED));
    recovers(&zoo::stacked_lstms(&device, SEED));
    recovers(&zoo::bi_lstm(&device, SEED));
    recovers(&zoo::gru(&device, SEED));
}

/// Heads, and what is within them, keep their order.
fn stays<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) {
    let name = net.name;
    let found = TransportConfig::new()
        .run(&net.outputs, net.batch.clone(), &net.model, &net.model)
        .expect(name);
    assert!(
        same(&parameters(&found.model), &parameters(&net.model)),
        "{name}"
    );
    let symmetries = net.symmetries();
    let groups = symmetries.groups();
    let is_dependent = |group: &usize| {
        let mut parents = groups.iter().flat_map(|one| one.parents());
        !groups[*group].parents().is_empty() || parents.any(|parent| parent == group)
    };
    let dependent: Vec<usize> = (0..groups.len()).filter(is_dependent).collect();
    assert!(!dependent.is_empty(), "{name}");
    assert_eq!(found.kept, dependent, "{name}");
}

#[test]
fn groups_within_others_keep_their_order() {
    let device = device();
    stays(&zoo::encoder(true, &device, SEED));
    stays(&zoo::fused_slices(&device, SEED));
    stays(&zoo::grouped_queries(&device, SEED));
    stays(&zoo::experts(&device, SEED));
    stays(&zoo::depthwise(&device, SEED));
}

/// The axes of a parameter on which units are doubled, and whether each reads them.
type Doubled = &'static [(usize, bool)];

const MADE: Doubled = &[(0, false)];
const MADE_BY_COLUMNS: Doubled = &[(1, false)];
const READ: Doubled = &[(0, true)];
const READ_AND_MADE: Doubled = &[(0, true), (1, false)];
/// Weights of convolutions, `[out, in, 3, 3]`.
const CHANNELS_READ_AND_MADE: Doubled = &[(1, true), (0, false)];
const NONE: Doubled = &[];

/// A network, and one with all hidden widths doubled.
struct Doubling<M, const D: usize, const R: usize> {
    outputs: fn(&M, &Tensor<D>) -> Tensor<R>,
    batch: Tensor<D>,
    narrow: M,
    wide: M,
    doubled: fn(&str) -> Doubled,
}

impl<M: Module, const D: usize, const R: usize> Doubling<M, D, R> {
    fn answers(&self, model: &M) -> Vec<f64> {
        let outputs = (self.outputs)(&model.valid(), &self.batch);
        outputs.into_data().iter::<f64>().collect()
    }

    /// Each unit twice, with these shares of its outgoing weights.
    fn widened(&self, shares: [f64; 2]) -> M {
        let widened = parameters(&self.narrow).into_iter().map(|one| {
            let Parameter {
                path,
                mut shape,
                mut values,
            } = one;
            for &(axis, reads) in (self.doubled)(&path) {
                let run: usize = shape[axis..].iter().product();
                let factors = if reads { shares } else { [1.0, 1.0] };
                let runs = values.chunks(run).flat_map(|run| {
                    let twice = factors.map(|factor| run.iter().map(move |x| factor * x));
                    twice.into_iter().flatten()
                });
                values = runs.collect();
                shape[axis] *= 2;
            }
            (path, values)
        });
        rewritten(&self.wide, &widened.collect::<HashMap<_, _>>())
    }

    fn moved(&self, source: &M, target: &M) -> Transported<M> {
        let found = TransportConfig::new().run(&self.outputs, self.batch.clone(), source, target);
        found.expect("a model")
    }

    /// The function stays the same both ways; `T diag(1/β)` for the outgoing weights would halve and double it.
    fn check(&self) {
        let expected = self.answers(&self.narrow);
        let is_kept = |model: &M| difference(&expected, &self.answers(model)) < tolerance();
        let even = self.widened([0.5, 0.5]);
        assert!(is_kept(&even), "the network of doubled units");
        let back = self.moved(&even, &self.narrow);
        let forth = self.moved(&self.narrow, &even);
        assert!(is_kept(&back.model) && is_kept(&forth.model));
        assert!(same(&parameters(&back.model), &parameters(&self.narrow)));
        assert!(same(&parameters(&forth.model), &parameters(&even)));
        assert!(!back.plans.is_empty() && back.plans.len() == forth.plans.len());
        for plan in back.plans.iter().chain(&forth.plans) {
            assert_eq!(plan.cost, 0.0);
            check_marginals(plan, 1e-12);
        }
        let [own, other] = back.plans[0].sizes;
        assert_eq!(own, 2 * other);
        assert_eq!(forth.plans[0].sizes, [other, own]);

        let uneven = self.widened([0.25, 0.75]);
        assert!(is_kept(&uneven), "the network of units with uneven shares");
        assert!(is_kept(&self.moved(&uneven, &self.narrow).model));
    }
}

#[test]
fn doubled_units_of_linear_layers_are_brought_together_and_divided() {
    let doubling = Doubling {
        outputs: Mlp::outputs,
        batch: numbers([4, 5], SEED, &device()),
        narrow: mlp([5, 4, 3, 2], 1),
        wide: mlp([5, 8, 6, 2], 2),
        doubled: |path| match path {
            "first.weight" => MADE_BY_COLUMNS,
            "second.weight" => READ_AND_MADE,
            "last.weight" => READ,
            "first.bias" | "second.bias" => MADE,
            _ => NONE,
        },
    };
    doubling.check();
}

/// Two convolutions with batch normalization, whose images a linear layer reads.
#[derive(Module, Debug)]
struct Images {
    conv1: Conv2d,
    norm: BatchNorm,
    conv2: Conv2d,
    head: Linear,
}

impl Images {
    fn new([first, second]: [usize; 2], seed: u64) -> Self {
        let conv = |channels: [usize; 2]| Conv2dConfig::new(channels, [3, 3]).init(&device());
        let net = Self {
            conv1: conv([2, first]),
            norm: BatchNormConfig::new(first).init(&device()),
            conv2: conv([first, second]),
            head: linear(4 * second, 3),
        };
        scattered(&net, seed)
    }

    fn outputs(&self, images: &Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm.forward(self.conv1.forward(images.clone())));
        let x = self.conv2.forward(x).tanh();
        self.head.forward(x.flatten::<2>(1, 3))
    }
}

#[test]
fn doubled_channels_with_batch_normalization_are_brought_together_and_divided() {
    let doubling = Doubling {
        outputs: Images::outputs,
        batch: numbers([2, 2, 6, 6], SEED, &device()),
        narrow: Images::new([3, 2], 1),
        wide: Images::new([6, 4], 2),
        doubled: |path| match path {
            "conv2.weight" => CHANNELS_READ_AND_MADE,
            "head.weight" => READ,
            "head.bias" => NONE,
            _ => MADE,
        },
    };
    doubling.check();
}

/// A recurrent layer.
#[derive(Module, Debug)]
struct Sequence {
    lstm: Lstm,
    head: Linear,
}

impl Sequence {
    fn new(units: usize, seed: u64) -> Self {
        let net = Self {
            lstm: LstmConfig::new(3, units, true).init(&device()),
            head: linear(units, 2),
        };
        scattered(&net, seed)
    }

    fn outputs(&self, x: &Tensor<3>) -> Tensor<3> {
        self.head.forward(self.lstm.forward(x.clone(), None).0)
    }
}

#[test]
fn doubled_recurrent_units_are_brought_together_and_divided() {
    let doubling = Doubling {
        outputs: Sequence::outputs,
        batch: numbers([2, 4, 3], SEED, &device()),
        narrow: Sequence::new(3, 1),
        wide: Sequence::new(6, 2),
        doubled: |path| {
            let mut names = path.rsplit('.');
            match (names.next(), names.next()) {
                (Some("weight"), Some("input_transform")) => MADE_BY_COLUMNS,
                (Some("weight"), Some("hidden_transform")) => READ_AND_MADE,
                (Some("weight"), Some("head")) => READ,
                (Some("bias"), Some("head")) => NONE,
                _ => MADE,
            }
        },
    };
    doubling.check();
}

/// A residual stream with a normalization and one block.
#[derive(Module, Debug)]
struct Stream {
    stem: Linear,
    norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    head: Linear,
}

impl Stream {
    fn new([stream, hidden]: [usize; 2], seed: u64) -> Self {
        let net = Self {
            stem: linear(3, stream),
            norm: LayerNormConfig::new(stream).init(&device()),
            widen: linear(stream, hidden),
            narrow: linear(hidden, stream),
            head: linear(stream, 2),
        };
        scattered(&net, seed)
    }

    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let x = self.stem.forward(x.clone());
        let hidden = relu(self.widen.forward(self.norm.forward(x.clone())));
        self.head.forward(x + self.narrow.forward(hidden))
    }
}

#[test]
fn doubled_residual_streams_are_brought_together_and_divided() {
    let doubling = Doubling {
        outputs: Stream::outputs,
        batch: numbers([4, 3], SEED, &device()),
        narrow: Stream::new([4, 3], 1),
        wide: Stream::new([8, 6], 2),
        doubled: |path| match path {
            "stem.weight" => MADE_BY_COLUMNS,
            "widen.weight" | "narrow.weight" => READ_AND_MADE,
            "head.weight" => READ,
            "head.bias" => NONE,
            _ => MADE,
        },
    };
    doubling.check();
}

#[test]
fn another_width_gives_a_model_of_the_targets_shape() {
    let (source, target) = (mlp([5, 16, 12, 4], 1), mlp([5, 10, 9, 4], 2));
    let (own, other) = (parameters(&source), parameters(&target));
    for (source, target) in [(&source, &target), (&target, &source)] {
        let [exact, again] =
            [0, 1].map(|_| moved(&TransportConfig::new(), source, target).expect("a model"));
        let config = TransportConfig::new().with_regularization(Some(0.3));
        let entropic = moved(&config, source, target).expect("a model");
        assert_eq!(exact.plans, again.plans);
        for found in [&exact, &entropic] {
            let moved = parameters(&found.model);
            for (moved, target) in moved.iter().zip(parameters(target)) {
                assert_eq!((&moved.path, &moved.shape), (&target.path, &target.shape));
                assert!(moved.values.iter().all(|value| value.is_finite()));
            }
            let members = found.plans.iter().map(|plan| plan.member.as_str());
            let members: Vec<&str> = members.collect();
            assert_eq!(members, ["first.weight axis 1", "second.weight axis 1"]);
            // A weight with its bias, and nothing that reads.
            assert!(found.plans.iter().all(|plan| plan.num_compared == 2));
        }
        for (exact, entropic) in exact.plans.iter().zip(&entropic.plans) {
            assert!(exact.is_exact && !entropic.is_exact && entropic.num_iterations > 0);
            assert!(entropic.deviation <= 1.1e-9);
            check_marginals(exact, 1e-12);
            check_marginals(entropic, 1.1e-9);
        }
    }
    assert!(same(&parameters(&source), &own) && same(&parameters(&target), &other));
}

/// Points are the units of one hidden layer, without a bias.
#[derive(Module, Debug)]
struct Points {
    first: Linear,
    second: Linear,
}

impl Points {
    fn new(dimension: usize, points: &[f64]) -> Self {
        let count = points.len() / dimension;
        let layer = |from, to| LinearConfig::new(from, to).with_bias(false).init(&device());
        let net = Self {
            first: layer(dimension, count),
            second: layer(count, 1),
        };
        let columns = (0..dimension * count)
            .map(|at| points[(at % count) * dimension + at / count])
            .collect::<Vec<f64>>();
        with(&net, &[("first.weight", &columns)])
    }

    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        self.second.forward(self.first.forward(x.clone()).tanh())
    }

    fn plan(config: &TransportConfig, dimension: usize, points: [&[f64]; 2]) -> TransportPlan {
        let [source, target] = points.map(|points| Self::new(dimension, points));
        let x = numbers([3, dimension], SEED, &device());
        let found = config.run(&Self::outputs, x, &source, &target);
        found.expect("a plan").plans.remove(0)
    }
}

/// A part of `golden/align/transport.json`.
#[derive(Deserialize)]
struct Golden {
    points: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    sizes: [usize; 2],
    dimension: usize,
    source: Vec<f64>,
    target: Vec<f64>,
    least: f64,
    entropic: Vec<Entropic>,
}

#[derive(Deserialize)]
struct Entropic {
    regularization: f64,
    plan: Vec<f64>,
    cost: f64,
}

#[test]
fn plans_are_those_of_linear_programming_and_of_sinkhorns_iteration() {
    let golden: Golden = load("align", "transport").expect("the file");
    assert!(golden.points.len() >= 6);
    for case in &golden.points {
        let points = [case.source.as_slice(), case.target.as_slice()];
        let exact = Points::plan(&TransportConfig::new(), case.dimension, points);
        assert_eq!(exact.sizes, case.sizes);
        assert!((exact.cost - case.least).abs() <= 1e-9 * case.least);
        check_marginals(&exact, 1e-12);
        for expected in &case.entropic {
            let config = TransportConfig::new()
                .with_regularization(Some(expected.regularization))
                .with_tolerance(1e-12);
            let found = Points::plan(&config, case.dimension, points);
            assert!(max_difference(&found.plan, &expected.plan) <= 1e-10);
            assert!((found.cost - expected.cost).abs() <= 1e-9 * expected.cost);
        }
    }
}

#[test]
fn entropic_plans_tend_to_the_exact_one() {
    let values = |count: usize, seed: u64| -> Vec<f64> {
        let data = numbers([count], seed, &device()).into_data();
        data.iter::<f64>().collect()
    };
    let (source, target) = (values(20 * 5, 1), values(12 * 5, 2));
    let points = [source.as_slice(), target.as_slice()];
    let exact = Points::plan(&TransportConfig::new(), 5, points).cost;
    let gaps = [1.0, 0.3, 0.1, 0.03].map(|regularization| {
        let config = TransportConfig::new()
            .with_regularization(Some(regularization))
            .with_max_iterations(100_000);
        Points::plan(&config, 5, points).cost - exact
    });
    assert!(gaps.is_sorted_by(|one, next| one > next), "{gaps:?}");
    assert!(
        gaps[3] > -1e-6 * exact && gaps[3] < 0.03 * exact,
        "{gaps:?}"
    );
}

#[test]
fn groups_that_are_left_out_keep_their_order() {
    let (source, target) = (mlp([5, 7, 6, 4], 1), mlp([5, 4, 6, 4], 2));
    let config = TransportConfig::new().with_except(vec!["group 1".to_string()]);
    let found = moved(&config, &source, &target).expect("a model");
    assert_eq!((found.plans.len(), found.kept.as_slice()), (1, &[1][..]));
    let last = |net: &Mlp| net.last.weight.val().into_data();
    assert_eq!(last(&found.model), last(&source));
    let config = TransportConfig::new().with_only(vec!["last".to_string(), "second".to_string()]);
    let text = moved(&config, &source, &target).unwrap_err().to_string();
    assert!(
        text.contains("7 units in `source` and 4 in `target`"),
        "{text}"
    );
    let nowhere = TransportConfig::new().with_only(vec!["frist".to_string()]);
    let refusal = moved(&nowhere, &source, &target).unwrap_err();
    assert!(matches!(refusal, AlignError::NoSuchMember { .. }));
}
