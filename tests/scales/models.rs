//! Networks whose values stay near one, so that a power of two times their loss leaves all of them normal.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use crate::element::{DTYPE, device};

/// What the hidden layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Polynomial,
    Tanh,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Polynomial, Kind::Tanh];

const EXAMPLES: usize = 8;
const INPUTS: usize = 3;
const HIDDEN: usize = 4;
const OUTPUTS: usize = 2;

/// `f(x W₁) W₂` with `f` the square or the hyperbolic tangent.
#[derive(Module, Debug)]
pub(crate) struct Net {
    first: Param<Tensor<2>>,
    second: Param<Tensor<2>>,
}

fn numbers(len: usize, phase: f64) -> Vec<f64> {
    (0..len).map(|i| (phase + 1.7 * i as f64).sin()).collect()
}

fn weights(seed: u64) -> [Vec<f64>; 2] {
    let phase = 0.1 + 0.37 * seed as f64;
    [
        numbers(INPUTS * HIDDEN, phase),
        numbers(HIDDEN * OUTPUTS, 2.0 * phase),
    ]
}

fn examples(seed: u64) -> Vec<f64> {
    numbers(EXAMPLES * (INPUTS + OUTPUTS), 0.9 + 0.61 * seed as f64)
}

fn matrix(values: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), (&device(), DTYPE))
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        let [first, second] = weights(seed);
        let trained = |values, shape| Param::from_tensor(matrix(values, shape).autodiff());
        Self {
            first: trained(first, [INPUTS, HIDDEN]),
            second: trained(second, [HIDDEN, OUTPUTS]),
        }
    }

    /// All weights.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let values = |param: &Param<Tensor<2>>| param.val().inner().into_data().iter().collect();
        let parts: [Vec<f64>; 2] = [values(&self.first), values(&self.second)];
        parts.concat()
    }
}

/// Inputs and targets beside each other.
pub(crate) fn batch(seed: u64) -> Tensor<2> {
    matrix(examples(seed), [EXAMPLES, INPUTS + OUTPUTS])
}

/// The mean squared error times `2^exponent`.
pub(crate) fn loss(kind: Kind, exponent: i32) -> impl Fn(&Net, Tensor<2>) -> Tensor<1> + Clone {
    move |net: &Net, batch: Tensor<2>| {
        let inputs = batch.clone().slice([0..EXAMPLES, 0..INPUTS]);
        let targets = batch.slice([0..EXAMPLES, INPUTS..INPUTS + OUTPUTS]);
        let hidden = inputs.matmul(net.first.val());
        let hidden = match kind {
            Kind::Polynomial => hidden.clone() * hidden,
            Kind::Tanh => hidden.tanh(),
        };
        let errors = hidden.matmul(net.second.val()) - targets;
        (errors.clone() * errors).mean() * 2.0_f64.powi(exponent)
    }
}

/// Everything that the loss and its backward pass record that a factor of the loss multiplies, in double
/// precision and at scale one.
pub(crate) fn recorded(kind: Kind, seed: u64) -> Vec<f64> {
    let ([first, second], rows) = (weights(seed), examples(seed));
    let mut all = Vec::new();
    let mut loss = 0.0;
    let mut slopes = [vec![0.0; first.len()], vec![0.0; second.len()]];
    for row in rows.chunks(INPUTS + OUTPUTS) {
        let (x, t) = row.split_at(INPUTS);
        let sums: Vec<f64> = (0..HIDDEN)
            .map(|j| (0..INPUTS).map(|i| x[i] * first[i * HIDDEN + j]).sum())
            .collect();
        let value = |z: f64| match kind {
            Kind::Polynomial => z * z,
            Kind::Tanh => z.tanh(),
        };
        let slope = |z: f64| match kind {
            Kind::Polynomial => 2.0 * z,
            Kind::Tanh => 1.0 - z.tanh().powi(2),
        };
        let share = 1.0 / (EXAMPLES * OUTPUTS) as f64;
        let mut backward = [0.0; HIDDEN];
        for k in 0..OUTPUTS {
            let output: f64 = (0..HIDDEN)
                .map(|j| value(sums[j]) * second[j * OUTPUTS + k])
                .sum();
            let error = output - t[k];
            loss += share * error * error;
            let upstream = 2.0 * share * error;
            all.push(upstream);
            for j in 0..HIDDEN {
                slopes[1][j * OUTPUTS + k] += upstream * value(sums[j]);
                backward[j] += upstream * second[j * OUTPUTS + k];
            }
        }
        for j in 0..HIDDEN {
            all.push(backward[j]);
            let upstream = backward[j] * slope(sums[j]);
            all.push(upstream);
            for i in 0..INPUTS {
                slopes[0][i * HIDDEN + j] += upstream * x[i];
            }
        }
    }
    all.push(loss);
    all.extend(slopes.concat());
    all
}
