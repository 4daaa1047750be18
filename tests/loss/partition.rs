//! Any split of a data set into batches gives the same.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use burnscape::krylov::{Dense, LinearOperator};
use burnscape::loss::{
    Batch, BatchMapper, Likelihood, LossError, NormalizationPolicy, Reduction, Risk,
};
use burnscape::path::{CurveProfileConfig, PolygonalChain};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::double::device;

const INPUTS: usize = 3;
const CLASSES: usize = 3;

fn wave(index: usize, phase: f64) -> f64 {
    (1.0 + 0.37 * (index as f64 + phase).powf(1.31)).sin()
}

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: BatchNorm,
    last: Linear,
}

impl Net {
    fn new(phase: f64) -> Self {
        let net = Self {
            first: LinearConfig::new(INPUTS, 4).init(&device()),
            norm: BatchNormConfig::new(4).init(&device()),
            last: LinearConfig::new(4, CLASSES).init(&device()),
        };
        let space = ParamSpace::of(&net).unwrap();
        let numbers: Vec<f64> = (0..space.len()).map(|i| 0.6 * wave(i, phase)).collect();
        let weights = ParamVector::from_host(&space, &numbers).unwrap();
        weights.apply_to(&net).unwrap()
    }

    /// Logits of every token, `[n · length, classes]`.
    fn logits(&self, x: Tensor<3>) -> Tensor<2> {
        let tokens = x.flatten::<2>(0, 1).reshape([-1, INPUTS as i32]);
        self.last
            .forward(self.norm.forward(self.first.forward(tokens)).tanh())
    }
}

/// Sequences of one length, with a label for every token.
#[derive(Clone, Debug)]
struct Sequences {
    x: Tensor<3>,
    y: Tensor<2, Int>,
    /// Whether a batch counts by its tokens, and not by its sequences.
    by_tokens: bool,
}

impl Batch for Sequences {
    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self {
            x: mapper.map_float(self.x),
            y: mapper.map_int(self.y),
            ..self
        }
    }

    fn weight(&self) -> Result<f64, LossError> {
        let [count, length, _] = self.x.dims();
        Ok((if self.by_tokens {
            count * length
        } else {
            count
        }) as f64)
    }
}

fn sequence(index: usize, length: usize) -> (Vec<f64>, Vec<i64>) {
    let x = (0..length * INPUTS).map(|i| wave(97 * index + i, 4.3));
    let y = (0..length).map(|i| ((5 * index + 3 * i) % CLASSES) as i64);
    (x.collect(), y.collect())
}

/// Batches of (first sequence, number, length).
fn batches(parts: &[(usize, usize, usize)], by_tokens: bool) -> Vec<Sequences> {
    let batch = |&(first, count, length): &(usize, usize, usize)| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for index in first..first + count {
            let (own_x, own_y) = sequence(index, length);
            x.extend(own_x);
            y.extend(own_y);
        }
        Sequences {
            x: Tensor::from_data(TensorData::new(x, [count, length, INPUTS]), &device()),
            y: Tensor::from_data(TensorData::new(y, [count, length]), &device()),
            by_tokens,
        }
    };
    parts.iter().map(batch).collect()
}

fn losses(net: &Net, batch: &Sequences) -> Tensor<1> {
    let labels = batch.y.clone().flatten::<1>(0, 1).unsqueeze_dim::<2>(1);
    let log = log_softmax(net.logits(batch.x.clone()), 1);
    -log.gather(1, labels).squeeze_dim::<1>(1)
}

fn mean(net: &Net, batch: Sequences) -> Tensor<1> {
    losses(net, &batch).mean()
}

fn of_sequences(net: &Net, batch: Sequences) -> Tensor<1> {
    let [count, length, _] = batch.x.dims();
    let losses = losses(net, &batch).reshape([count, length]);
    losses.mean_dim(1).squeeze_dim::<1>(1)
}

fn dense<A: LinearOperator>(name: &str, operator: &A) -> (String, Vec<f64>) {
    let matrix = Dense::of(operator).unwrap();
    (name.to_string(), matrix.as_slice().to_vec())
}

/// All that is measured on a data set.
fn measured(data: &Vec<Sequences>) -> Vec<(String, Vec<f64>)> {
    let (net, other) = (Net::new(9.1), Net::new(2.7));
    let whole = Risk::new(&mean, data);
    let split = Risk::split(
        |net: &Net, batch: &Sequences| net.logits(batch.x.clone()),
        |z: Tensor<2>, batch: Sequences| {
            let labels = batch.y.flatten::<1>(0, 1).unsqueeze_dim::<2>(1);
            -log_softmax(z, 1).gather(1, labels).mean()
        },
        data,
    );
    let each = Risk::per_example(of_sequences, data);
    let classes = Risk::classes(
        |net: &Net, batch: &Sequences| net.logits(batch.x.clone()),
        |batch: &Sequences| batch.y.clone().flatten::<1>(0, 1),
        data,
    );
    let gradient = whole.loss_and_gradient(&net).unwrap();
    let mut found = vec![
        ("loss".into(), vec![whole.loss(&net).unwrap().value]),
        (
            "loss of halves".into(),
            vec![split.loss(&net).unwrap().value],
        ),
        (
            "loss of examples".into(),
            vec![each.loss(&net).unwrap().value],
        ),
        (
            "loss of classes".into(),
            vec![classes.loss(&net).unwrap().value],
        ),
        ("gradient".into(), gradient.gradient.to_host().unwrap()),
        dense("Hessian", &whole.hessian(&net).unwrap()),
        dense("differences", &whole.finite_difference(&net).unwrap()),
        dense("Gauss-Newton", &split.gauss_newton(&net).unwrap()),
        dense(
            "Fisher",
            &split.fisher(&net, Likelihood::Categorical).unwrap(),
        ),
        dense("empirical Fisher", &each.empirical_fisher(&net).unwrap()),
        dense("covariance", &each.gradient_covariance(&net).unwrap()),
        dense("Jacobian", &split.jacobian(&net).unwrap()),
        dense("kernel", &split.ntk(&net).unwrap()),
    ];
    let mean = whole
        .reestimate(&net, None)
        .unwrap()
        .norm
        .running_mean
        .value_sync();
    found.push(("running mean".into(), mean.into_data().iter().collect()));
    let line = PolygonalChain::line(&net, &other).unwrap();
    let config = CurveProfileConfig::new().with_policy(NormalizationPolicy::Leave);
    let profile = config.with_num_points(3).run(&whole, &line).unwrap();
    found.push(("profile".into(), profile.train.values));
    let config = CurveProfileConfig::new()
        .with_policy(NormalizationPolicy::Leave)
        .with_calibration(&classes);
    let profile = config.with_num_points(3).run(&classes, &line).unwrap();
    found.push(("classes".into(), profile.train.values));
    found.push(("calibrated".into(), profile.calibrated.unwrap().values));
    found
}

fn assert_same(one: &Vec<Sequences>, other: &Vec<Sequences>) {
    for ((name, one), (_, other)) in measured(one).into_iter().zip(measured(other)) {
        let size = one.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
        // Differences of gradients divide their rounding by the step, best temperatures are found to 1e-7.
        let tolerance = match name.as_str() {
            "differences" => 1e-8,
            "calibrated" => 1e-10,
            _ => 1e-13,
        };
        assert_eq!(one.len(), other.len(), "{name}");
        for (x, y) in one.iter().zip(&other) {
            assert!((x - y).abs() <= tolerance * size, "{name}: {x} {y}");
        }
    }
}

#[test]
fn any_split_gives_the_same_with_example_weights() {
    let whole = batches(&[(0, 7, 1)], false);
    assert_same(&whole, &batches(&[(0, 3, 1), (3, 4, 1)], false));
    assert_same(&whole, &batches(&[(0, 1, 1), (1, 5, 1), (6, 1, 1)], false));
}

#[test]
fn any_split_gives_the_same_with_token_weights() {
    let whole = batches(&[(0, 2, 2), (2, 4, 3), (6, 1, 5)], true);
    let parts = [(0, 1, 2), (1, 1, 2), (2, 3, 3), (5, 1, 3), (6, 1, 5)];
    assert_same(&whole, &batches(&parts, true));
}

#[test]
fn running_means_count_batches_by_their_weight() {
    let (net, data) = (Net::new(9.1), batches(&[(0, 2, 2), (2, 1, 5)], true));
    let risk = Risk::new(&mean, &data);
    let found = risk.reestimate(&net, None).unwrap().norm.running_mean;
    let found: Vec<f64> = found.value_sync().into_data().iter().collect();
    // Of all tokens, as they are the weight; by sequences it would be another.
    let tokens = |batch: &Sequences| batch.x.clone().reshape([-1, INPUTS as i32]);
    let all = Tensor::<2>::cat(data.iter().map(tokens).collect(), 0);
    let expected = net.first.forward(all).mean_dim(0).into_data();
    for (x, y) in found.into_iter().zip(expected.iter::<f64>()) {
        assert!((x - y).abs() < 1e-13, "{x} {y}");
    }
}

#[test]
fn a_calibrated_profile_has_the_loss_of_its_risk() {
    let (net, other) = (Net::new(9.1), Net::new(2.7));
    // Batches of two and five labels a sequence that count by their sequences.
    let data = batches(&[(0, 2, 2), (2, 1, 5)], false);
    let risk = Risk::classes(
        |net: &Net, batch: &Sequences| net.logits(batch.x.clone()),
        |batch: &Sequences| batch.y.clone().flatten::<1>(0, 1),
        &data,
    );
    let line = PolygonalChain::line(&net, &other).unwrap();
    let config = CurveProfileConfig::new().with_policy(NormalizationPolicy::Leave);
    let config = config.with_calibration(&risk).with_num_points(2);
    let profile = config.run(&risk, &line).unwrap();
    for (found, net) in profile.train.values.iter().zip([&net, &other]) {
        assert!((found - risk.loss(net).unwrap().value).abs() < 1e-13);
    }
}

#[test]
fn a_mean_of_examples_and_a_sum_differ_by_their_number() {
    let (net, data) = (Net::new(9.1), batches(&[(0, 3, 1), (3, 4, 1)], false));
    let each = || Risk::per_example(of_sequences, &data);
    let mean = each().loss(&net).unwrap().value;
    let sum = each()
        .with_reduction(Reduction::Sum)
        .loss(&net)
        .unwrap()
        .value;
    assert!((7.0 * mean - sum).abs() < 1e-13 * sum.abs());
}
