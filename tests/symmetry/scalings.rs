//! Scales, signs and changes of basis: how many there are, what they leave, and what they say of curvature.

use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::krylov::LinearOperator;
use burnscape::loss::{Batch, Risk};
use burnscape::space::ParamVector;
use burnscape::spectrum::Spectrum;
use burnscape::symmetry::{Gauge, GaugesConfig, Scales, ScalesConfig, SignsConfig};
use burnscape_testkit::eigenvalues;

use super::zoo::{
    self, RootMeanSquare, Specimen, difference, numbers, parameters, rotation, same, scattered,
};
use crate::element::device;

const SEED: u64 = 23;

/// The exponents of a symmetry by path.
fn exponents(scaling: &burnscape::symmetry::Scaling) -> Vec<(String, i64)> {
    let members = scaling.members.iter();
    members
        .map(|member| (member.member.path.clone(), member.exponent))
        .collect()
}

fn scales<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) -> Scales {
    let found = ScalesConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let found = found.expect(net.name);
    assert!(found.dropped().is_empty(), "{}", net.name);
    let answers = net.answers(&net.model);
    let moved = found.apply(&net.model, &found.random(3)).expect(net.name);
    assert!(
        difference(&answers, &net.answers(&moved)) < 1e-9,
        "{}",
        net.name
    );
    found
}

fn num_signs<M: Module, B: Batch, const R: usize>(net: &Specimen<M, B, R>) -> usize {
    let found = SignsConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let found = found.expect(net.name);
    assert!(found.dropped().is_empty(), "{}", net.name);
    let answers = net.answers(&net.model);
    let moved = found.apply(&net.model, &found.random(3)).expect(net.name);
    assert!(
        difference(&answers, &net.answers(&moved)) < 1e-9,
        "{}",
        net.name
    );
    found.scalings().len()
}

#[test]
fn a_relu_unit_scales_and_a_tanh_unit_has_a_sign() {
    let net = zoo::mlp(&device(), SEED);
    // Seven ReLU units, then six of tanh.
    let found = scales(&net);
    assert_eq!(found.dimension(), 7);
    let expected = [
        ("first.weight", 1),
        ("first.bias", 1),
        ("second.weight", -1),
    ];
    let expected = expected.map(|(path, exponent)| (path.to_string(), exponent));
    assert_eq!(exponents(&found.scalings()[0]), expected);
    assert_eq!(num_signs(&net), 1);
}

#[test]
fn recurrent_units_do_not_scale() {
    assert_eq!(scales(&zoo::lstm(&device(), SEED)).dimension(), 0);
    assert_eq!(scales(&zoo::gru(&device(), SEED)).dimension(), 0);
}

#[test]
fn gains_gates_and_heads_scale() {
    // The gated unit is the product of a gate and a value: the value scales against the weight that follows, eight of
    // them; the normalization before it has a gain, six; so has the one at the end.
    let gated = scales(&zoo::gated(&device(), SEED));
    assert!(gated.dimension() >= 8, "{:?}", gated.scalings());
    // Of each of two layers: q·k and v·o channels (3 heads of 4), and both gains and biases (12 each). The hidden
    // layer has a GELU.
    let encoder = scales(&zoo::encoder(true, &device(), SEED));
    assert_eq!(encoder.dimension(), 2 * (12 + 12 + 12 + 12));
    // A batch norm's gain and bias scale against what follows, through ReLU.
    let cnn = scales(&zoo::cnn(&device(), SEED));
    assert_eq!(cnn.dimension(), 6 + 5 + 9);
}

#[derive(Module, Debug)]
struct Unit {
    first: Linear,
    last: Linear,
}

impl Unit {
    fn new(widths: [usize; 3], device: &Device) -> Self {
        Self {
            first: LinearConfig::new(widths[0], widths[1])
                .with_bias(false)
                .init(device),
            last: LinearConfig::new(widths[1], widths[2])
                .with_bias(false)
                .init(device),
        }
    }

    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        self.last.forward(relu(self.first.forward(x.clone())))
    }
}

fn of_unit(model: &Unit, x: Tensor<2>) -> Scales {
    ScalesConfig::new()
        .run(&|net: &Unit, x: &Tensor<2>| net.outputs(x), model, x)
        .expect("scales")
}

#[test]
fn a_unit_is_balanced_in_canonical_form() {
    // A unit of its own would be an axis of length 1, which is no group: here are two of the same weights.
    let mut unit = Unit::new([2, 2, 1], &device());
    let weight = |values: &[f64], shape| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device())
    };
    unit.first.weight = unit
        .first
        .weight
        .map(|_| weight(&[3.0, 3.0, 4.0, 4.0], [2, 2]));
    unit.last.weight = unit.last.weight.map(|_| weight(&[20.0, 20.0], [2, 1]));
    let found = of_unit(&unit, numbers([3, 2], SEED, &device()));
    let canonical = found.canonicalize(&unit).expect("a form");
    let values = |linear: &Linear| -> Vec<f64> { linear.weight.val().into_data().iter().collect() };
    let found: Vec<f64> = [values(&canonical.first), values(&canonical.last)].concat();
    for (found, expected) in found.iter().zip([6.0, 6.0, 8.0, 8.0, 10.0, 10.0]) {
        assert!((found - expected).abs() < 1e-12, "{found}");
    }
}

#[test]
fn models_of_one_orbit_have_one_canonical_form() {
    let net = zoo::mlp(&device(), SEED);
    let found = scales(&net);
    let moved = found.apply(&net.model, &found.random(9)).expect("a model");
    let [a, b] = [&net.model, &moved].map(|model| found.canonicalize(model).expect("a form"));
    assert!(!same(&parameters(&net.model), &parameters(&moved)));
    let flat = |model| -> Vec<f64> {
        let all = parameters(model);
        all.iter().flat_map(|one| one.values.clone()).collect()
    };
    assert!(difference(&flat(&a), &flat(&b)) < 1e-10);
    assert!(difference(&net.answers(&net.model), &net.answers(&a)) < 1e-10);
}

/// `H A θ = −A g` along every orbit, and the inertia without the tangents, against the dense spectrum.
#[test]
fn symmetry_zeros_are_told_apart_from_flat_directions() {
    let model = scattered(&Unit::new([3, 4, 2], &device()), SEED).train();
    let x = numbers([20, 3], SEED + 1, &device());
    let y = numbers([20, 2], SEED + 2, &device());
    let data = [(x.clone(), y)];
    let loss = |net: &Unit, (x, y): (Tensor<2>, Tensor<2>)| (net.outputs(&x) - y).square().mean();
    let hessian = Risk::new(&loss, &data).hessian(&model).expect("a Hessian");
    let found = of_unit(&model, x);
    assert_eq!(found.dimension(), 4);
    let tangents = found.tangents(&model).expect("tangents");
    assert_eq!(tangents.len(), 4);
    let (theta, gradient) = (
        ParamVector::from_module(hessian.space(), &model).expect("weights"),
        hessian.gradient().expect("a gradient"),
    );
    let (theta, gradient) = (
        theta.to_host().expect("numbers"),
        gradient.to_host().expect("numbers"),
    );
    for tangent in &tangents {
        let direction = tangent.to_host().expect("numbers");
        let product = hessian.matvec(tangent).expect("a product");
        let product = product.to_host().expect("numbers");
        // −A g: the exponent of a parameter is its tangent over its value.
        let expected: Vec<f64> = (0..theta.len())
            .map(|i| -direction[i] / theta[i] * gradient[i])
            .collect();
        assert!(difference(&product, &expected) < 1e-8);
        let slope: f64 = direction.iter().zip(&gradient).map(|(a, b)| a * b).sum();
        assert!(slope.abs() < 1e-10, "{slope}");
    }
    // P H P, dense.
    let n = theta.len();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for tangent in &tangents {
        let mut v = tangent.to_host().expect("numbers");
        for _ in 0..2 {
            for q in &basis {
                let dot: f64 = q.iter().zip(&v).map(|(a, b)| a * b).sum();
                v.iter_mut().zip(q).for_each(|(v, q)| *v -= dot * q);
            }
        }
        let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        basis.push(v.iter().map(|v| v / norm).collect());
    }
    let project = |mut v: Vec<f64>| {
        for q in &basis {
            let dot: f64 = q.iter().zip(&v).map(|(a, b)| a * b).sum();
            v.iter_mut().zip(q).for_each(|(v, q)| *v -= dot * q);
        }
        v
    };
    let column = |i: usize| {
        let mut unit = vec![0.0; n];
        unit[i] = 1.0;
        let v = ParamVector::from_host(hessian.space(), &project(unit)).expect("a vector");
        project(
            hessian
                .matvec(&v)
                .expect("a product")
                .to_host()
                .expect("numbers"),
        )
    };
    let dense: Vec<f64> = (0..n).flat_map(column).collect();
    let values = eigenvalues(&dense);
    let largest = values
        .iter()
        .fold(0.0_f64, |all, value| all.max(value.abs()));
    let zero = 1e-9 * largest;
    let count = |is: &dyn Fn(f64) -> bool| values.iter().filter(|value| is(**value)).count();
    let spectrum = Spectrum::of(&hessian).with_zero(zero);
    let inertia = spectrum.inertia_modulo(&tangents).expect("an inertia");
    assert_eq!(inertia.left_out, 4);
    assert_eq!(inertia.positive.exact, Some(count(&|value| value > zero)));
    assert_eq!(inertia.negative.exact, Some(count(&|value| value < -zero)));
    let near_zero = count(&|value: f64| value.abs() <= zero) - 4;
    assert_eq!(inertia.near_zero.exact, Some(near_zero));
    let plain = spectrum.inertia().expect("an inertia");
    assert_eq!(plain.left_out, 0);
}

#[derive(Module, Debug)]
struct Head {
    attention: MultiHeadAttention,
    last: Linear,
}

#[test]
fn heads_turn_by_any_invertible_matrix() {
    let model = scattered(
        &Head {
            attention: MultiHeadAttentionConfig::new(6, 2).init(&device()),
            last: LinearConfig::new(6, 3).init(&device()),
        },
        SEED,
    );
    let outputs = |net: &Head, x: &Tensor<3>| {
        let mixed = net.attention.forward(MhaInput::self_attn(x.clone()));
        net.last.forward(mixed.context)
    };
    let x = numbers([2, 5, 6], SEED, &device());
    let found = GaugesConfig::new()
        .run(&outputs, &model, x.clone())
        .expect("gauges");
    assert!(found.dropped().is_empty());
    let has = |gauge: &Gauge, path: &str, exponent: i64| {
        let mut members = gauge.members.iter();
        members.any(|one| one.member.path == path && one.exponent == exponent)
    };
    let mut gauges = found.gauges().iter();
    let of_queries = gauges.find(|gauge| has(gauge, "attention.query.weight", 1));
    let of_queries = of_queries.expect("queries and keys");
    assert!(
        has(of_queries, "attention.key.weight", -1),
        "{of_queries:?}"
    );
    assert_eq!((of_queries.size, of_queries.rows), (3, 2));
    let mut gauges = found.gauges().iter();
    assert!(gauges.any(|gauge| has(gauge, "attention.value.weight", 1)));
    let answers = |net: &Head| -> Vec<f64> { outputs(net, &x).into_data().iter().collect() };
    let moved = found.apply(&model, &found.random(5)).expect("a model");
    assert!(!same(&parameters(&model), &parameters(&moved)));
    assert!(difference(&answers(&model), &answers(&moved)) < 1e-12);
    let singular = vec![vec![0.0; 18]; found.gauges().len()];
    let error = found
        .apply(&model, &singular)
        .expect_err("singular")
        .to_string();
    assert!(
        error.contains("singular") || error.contains("entries"),
        "{error}"
    );
}

#[test]
fn a_stream_between_layer_norms_turns_if_the_vector_of_ones_is_kept() {
    let net = zoo::encoder(true, &device(), SEED);
    let found = GaugesConfig::new().run(&net.outputs, &net.model, net.batch.clone());
    let found = found.expect("gauges");
    assert!(found.dropped().is_empty(), "{:?}", found.dropped());
    // Queries and keys, values and outputs of two layers, and the stream.
    let orthogonal: Vec<bool> = found.gauges().iter().map(|one| one.is_orthogonal).collect();
    assert_eq!(orthogonal, [false, false, false, false, true]);
    let stream = found.gauges().last().expect("a stream");
    assert!(stream.keeps_ones);
    assert_eq!((stream.size, stream.gains.len()), (12, 4));
    let answers = net.answers(&net.model);
    let moved = found.apply(&net.model, &found.random(5)).expect("a model");
    assert!(difference(&answers, &net.answers(&moved)) < 1e-12);
    let mut matrices = found.random(5);
    matrices[4] = rotation(12, [0.3, 1.7], true);
    let moved = found.apply(&net.model, &matrices).expect("a model");
    assert!(difference(&answers, &net.answers(&moved)) < 1e-12);
    matrices[4] = rotation(12, [0.3, 1.7], false);
    let refused = found
        .apply(&net.model, &matrices)
        .expect_err("a matrix that moves the ones");
    assert!(refused.to_string().contains("sum to 1"), "{refused}");
    matrices[4] = vec![0.5; 144];
    let refused = found
        .apply(&net.model, &matrices)
        .expect_err("no orthogonal matrix");
    assert!(refused.to_string().contains("orthogonal"), "{refused}");
}

#[test]
fn a_stream_between_root_mean_squares_turns_by_any_rotation() {
    let model = scattered(&RootMeanSquare::new(&device()), SEED);
    let outputs = |net: &RootMeanSquare, x: &Tensor<2>| net.outputs(x);
    let x = numbers([4, 3], SEED, &device());
    let found = GaugesConfig::new()
        .run(&outputs, &model, x.clone())
        .expect("gauges");
    assert!(found.dropped().is_empty(), "{:?}", found.dropped());
    let [stream] = found.gauges() else {
        panic!("{:?}", found.gauges());
    };
    assert!(stream.is_orthogonal && !stream.keeps_ones);
    assert_eq!(stream.gains, ["first.gamma", "last.gamma"]);
    let moved = found
        .apply(&model, &[rotation(6, [0.3, 1.7], false)])
        .expect("a model");
    // Burn normalizes in single precision.
    let answers =
        |net: &RootMeanSquare| -> Vec<f64> { outputs(net, &x).into_data().iter().collect() };
    assert!(difference(&answers(&model), &answers(&moved)) < 1e-5);
}
