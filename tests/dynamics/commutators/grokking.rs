//! A network that has memorized modular addition: where finite steps in single precision measure rounding.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape::dynamics::{DynamicsError, FiniteCommutatorConfig};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::double::device;
use burnscape_testkit::golden::{GoldenArray, GoldenHeader, load};
use serde::Deserialize;

use super::losses::{assert_near, one_pair};

/// The modulus.
const P: usize = 31;

/// `golden/dynamics/commutator_grokking.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    #[allow(dead_code, reason = "checked by `cargo xtask golden`")]
    header: GoldenHeader,
    step: usize,
    accuracy: [f64; 2],
    rate: f64,
    finite_rate: f64,
    parameter_norm: f64,
    bracket: f64,
    script: f64,
    pairs: Vec<GoldenPair>,
    weights: GoldenWeights,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenPair {
    batches: [Vec<usize>; 2],
    gradient_norms: [f64; 2],
    bracket: f64,
    relative: f64,
    script: f64,
    script_without_floor: f64,
    finite_in_f64: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(non_snake_case, reason = "the names of the paper")]
struct GoldenWeights {
    U: GoldenArray,
    V: GoldenArray,
}

/// Quadratic units: `((e_i, e_j) U)² V`.
#[derive(Module, Debug)]
struct Quadratic {
    first: Linear,
    second: Linear,
}

type Batch = (Tensor<2>, Tensor<2>);

fn loss(net: &Quadratic, (x, y): Batch) -> Tensor<1> {
    let [count, _] = x.dims();
    let logits = net.second.forward(net.first.forward(x).square());
    -(log_softmax(logits, 1) * y).sum() / count as f64
}

impl Golden {
    fn load() -> Self {
        load("dynamics", "commutator_grokking").unwrap()
    }

    fn net(&self, dtype: DType) -> Quadratic {
        let device = device().autodiff();
        let layer = |weights: &GoldenArray| {
            let [inputs, outputs] = weights.shape[..] else {
                panic!("{:?}", weights.shape);
            };
            let mut layer = LinearConfig::new(inputs, outputs)
                .with_bias(false)
                .init(&device);
            layer.weight = Param::from_tensor(weights.tensor(&device, dtype).unwrap());
            layer
        };
        Quadratic {
            first: layer(&self.weights.U),
            second: layer(&self.weights.V),
        }
    }
}

/// One-hot pairs and sums.
fn batch(indices: &[usize], dtype: DType) -> Batch {
    let mut x = vec![0.0; indices.len() * 2 * P];
    let mut y = vec![0.0; indices.len() * P];
    for (row, index) in indices.iter().enumerate() {
        let (i, j) = (index / P, index % P);
        x[row * 2 * P + i] = 1.0;
        x[row * 2 * P + P + j] = 1.0;
        y[row * P + (i + j) % P] = 1.0;
    }
    let place = (&device().autodiff(), dtype);
    let tensor = |values: Vec<f64>, width| {
        Tensor::from_data(TensorData::new(values, [indices.len(), width]), place)
    };
    (tensor(x, 2 * P), tensor(y, P))
}

fn batches(pair: &GoldenPair, dtype: DType) -> [Batch; 2] {
    pair.batches.each_ref().map(|indices| batch(indices, dtype))
}

/// The distance of both ends over the product of the lengths of the steps, as a script computes it, by Burn alone.
fn naive(net: &Quadratic, data: &[Batch; 2], lr: f64) -> f64 {
    let space = ParamSpace::of(net).unwrap();
    let gradient = |net: &Quadratic, index: usize| {
        let loss: Tensor<1> = loss(net, data[index].clone());
        GradientsParams::from_grads(loss.backward(), net)
    };
    let length = |index: usize| {
        let gradient = ParamVector::from_gradients(&space, &gradient(net, index)).unwrap();
        lr * gradient.norm().unwrap()
    };
    let [end, other_end] = [[0, 1], [1, 0]].map(|order| {
        let mut sgd = SgdConfig::new().init();
        let net = order.into_iter().fold(net.clone(), |net, index| {
            let gradients = gradient(&net, index);
            sgd.step(lr, net, gradients)
        });
        ParamVector::from_module(&space, &net).unwrap()
    });
    let distance = end.axpy(-1.0, &other_end).unwrap().norm().unwrap();
    distance / (length(0) * length(1))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn the_script_was_far_off() {
    let golden = Golden::load();
    assert_eq!((golden.step, golden.accuracy[0]), (400, 1.0));
    assert!((golden.bracket - 1.309).abs() < 1e-3);
    assert!(golden.script > 69.0 && golden.script < 72.0);
    for pair in &golden.pairs {
        // Only part of it is its constant in the denominator.
        assert!(pair.script > 5.0 * pair.bracket);
        assert!((pair.script_without_floor / pair.script - 1.0).abs() < 2e-3);
    }
}

#[test]
fn the_exact_bracket_in_single_precision_is_that_of_double_precision() {
    let golden = Golden::load();
    // Relative to the brackets: those in f32 have the rounding of gradients near a minimum.
    for (dtype, tolerance) in [(DType::F64, 1e-7), (DType::F32, 1e-3)] {
        let net = golden.net(dtype);
        let mut brackets = Vec::new();
        for pair in &golden.pairs {
            let data = batches(pair, dtype);
            let risk = Risk::new(&loss, &data);
            let found = one_pair().run(&risk, &net).unwrap();
            assert_near(found.bracket.unwrap(), pair.bracket, tolerance);
            assert_near(found.relative.unwrap(), pair.relative, tolerance);
            brackets.push(found.bracket.unwrap());
        }
        assert_near(median(brackets), golden.bracket, tolerance);
    }
}

#[test]
fn finite_steps_in_single_precision_are_refused_and_would_be_rounding() {
    let golden = Golden::load();
    let net = golden.net(DType::F32);
    let mut naive_brackets = Vec::new();
    for pair in &golden.pairs {
        let data = batches(pair, DType::F32);
        let risk = Risk::new(&loss, &data);
        let config = FiniteCommutatorConfig::new(golden.rate).with_num_pairs(1);
        let refused = config.run(&risk, &net, &SgdConfig::new().init());
        let error = refused.unwrap_err();
        let text = error.to_string();
        let DynamicsError::SinglePrecision { dtype, floor } = error else {
            panic!("{text}");
        };
        let [one, other] = pair.gradient_norms;
        let expected = 0.5 * f64::from(f32::EPSILON) * golden.parameter_norm;
        let expected = expected / (golden.rate * golden.rate * one * other);
        assert_near(floor, expected, 1e-3);
        assert_eq!(dtype, "F32");
        assert!(text.contains(&format!("{floor:.1e}")) && text.contains("CommutatorConfig"));
        let found = naive(&net, &data, golden.rate);
        assert!(found > 5.0 * pair.bracket && found < floor, "{found}");
        naive_brackets.push(found);
    }
    // The same numbers by NumPy have the median 69.5, and by JAX 71.2.
    let found = median(naive_brackets);
    assert!(found > 30.0 * golden.bracket, "{found}");
}

#[test]
fn finite_steps_in_double_precision_are_those_of_the_reference() {
    let golden = Golden::load();
    let net = golden.net(DType::F64);
    for pair in &golden.pairs {
        let data = batches(pair, DType::F64);
        let risk = Risk::new(&loss, &data);
        let config = FiniteCommutatorConfig::new(golden.finite_rate).with_num_pairs(1);
        let found = config.run(&risk, &net, &SgdConfig::new().init());
        let found = found.unwrap().bracket.unwrap();
        // Rounding is 1e-8 of them, 1.1e-16 · 53 / (9e-4 · 8e-4).
        assert_near(found, pair.finite_in_f64, 1e-6);
        assert_near(found, pair.bracket, 1e-3);
    }
    // At the script's own rate a step is shorter than rounding allows.
    let data = batches(&golden.pairs[0], DType::F64);
    let config = FiniteCommutatorConfig::new(golden.rate).with_num_pairs(1);
    let refused = config.run(&Risk::new(&loss, &data), &net, &SgdConfig::new().init());
    let error = refused.unwrap_err();
    let DynamicsError::BelowFloor { least, .. } = error else {
        panic!("{error}");
    };
    assert!(least > golden.rate && least < 0.1, "{least}");
}
