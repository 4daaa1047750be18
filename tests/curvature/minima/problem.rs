//! Random losses at their minima, as host numbers and as models.

use burn::module::Module;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Tensor, TensorData};
use burnscape::space::{ParamSpace, ParamVector};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

use super::host::{Criterion, Loss, Shape};
use crate::element::{device, rounded};

/// What the minimum is of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    LeastSquares,
    Ridge,
    Logistic,
    Tanh,
    /// Linear maps and tanh networks that fit their data: residuals are zero.
    Interpolating,
}

pub(crate) const KINDS: [Kind; 5] = [
    Kind::LeastSquares,
    Kind::Ridge,
    Kind::Logistic,
    Kind::Tanh,
    Kind::Interpolating,
];

/// What is detached from the backward pass alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Detach {
    Nothing,
    /// Half of the output.
    Output,
    /// The residual, as a factor: `(z − y) (z' − y)` with `z'` detached.
    Residual,
    /// The weight of the first layer.
    Weight,
    /// One factor of the penalty.
    Penalty,
}

/// One linear layer, or two with tanh between.
#[derive(Module, Debug)]
pub(crate) struct Net {
    first: Linear,
    last: Option<Linear>,
}

pub(crate) type Pair = (Tensor<2>, Tensor<2>);

/// A loss with its minimum, in numbers that the element type holds.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) loss: Loss,
    pub(crate) weights: Vec<f64>,
    pub(crate) kind: Kind,
}

impl Problem {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let stream = KINDS.iter().position(|other| *other == kind).unwrap_or(0) as u64;
        let mut rng = StdRng::seed_from_u64(1000 * stream + seed);
        let mut normal = move || -> f64 { rng.sample(StandardNormal) };
        let mut rng = StdRng::seed_from_u64(7 + 1000 * stream + seed);
        let has_units = match kind {
            Kind::Tanh => true,
            Kind::Interpolating => seed % 2 == 1,
            _ => false,
        };
        let shape = Shape {
            inputs: rng.random_range(1..=3),
            hidden: has_units.then(|| rng.random_range(2..=3)),
            outputs: match kind {
                Kind::LeastSquares | Kind::Ridge => rng.random_range(1..=2),
                _ => 1,
            },
        };
        let examples = match kind {
            Kind::Logistic => 40,
            _ => rng.random_range(16..=24),
        };
        let x: Vec<Vec<f64>> = (0..examples)
            .map(|_| (0..shape.inputs).map(|_| rounded(normal())).collect())
            .collect();
        let teacher: Vec<f64> = (0..shape.len()).map(|_| rounded(normal())).collect();
        let mut loss = Loss {
            shape,
            criterion: match kind {
                Kind::Logistic => Criterion::Logistic,
                _ => Criterion::Square,
            },
            ridge: rounded(match kind {
                Kind::Ridge => 0.1,
                // A minimum that is reached, and not at infinity.
                Kind::Tanh => 1e-2,
                _ => 0.0,
            }),
            x,
            y: Vec::new(),
        };
        let noise = if kind == Kind::Interpolating {
            0.0
        } else {
            0.5
        };
        loss.y = loss.outputs(&teacher);
        for y in loss.y.iter_mut().flatten() {
            let target = *y + noise * normal();
            *y = match kind {
                // Three labels in ten are wrong.
                Kind::Logistic if rng.random::<f64>() < 0.3 => -target.signum(),
                Kind::Logistic => target.signum(),
                _ => rounded(target),
            };
        }
        let weights = match kind {
            Kind::Interpolating => teacher,
            _ => {
                let start: Vec<f64> = (0..shape.len()).map(|_| 0.7 * normal()).collect();
                let found = loss.minimum(&start);
                found.into_iter().map(rounded).collect()
            }
        };
        Self {
            loss,
            weights,
            kind,
        }
    }

    pub(crate) fn model(&self) -> Net {
        let Shape {
            inputs,
            hidden,
            outputs,
        } = self.loss.shape;
        let layer = |from, to| {
            let config = LinearConfig::new(from, to).with_initializer(Initializer::Zeros);
            config.init(&device())
        };
        let net = Net {
            first: layer(inputs, hidden.unwrap_or(outputs)),
            last: hidden.map(|hidden| layer(hidden, outputs)),
        };
        let space = ParamSpace::of(&net).unwrap();
        let weights = ParamVector::from_host(&space, &self.weights).unwrap();
        weights.apply_to(&net).unwrap()
    }

    /// The data, in one batch or in three of different sizes. Targets of an interpolating model are what
    /// it puts out, to the last bit.
    pub(crate) fn data(&self, batches: usize) -> Vec<Pair> {
        let total = self.loss.x.len();
        let ends = match batches {
            1 => vec![0, total],
            _ => vec![0, total / 2, total / 2 + total / 3, total],
        };
        let tensor = |rows: &[Vec<f64>]| {
            let shape = [rows.len(), rows[0].len()];
            Tensor::<2>::from_data(TensorData::new(rows.concat(), shape), &device())
        };
        let model = self.model();
        let batch = |ends: &[usize]| {
            let x = tensor(&self.loss.x[ends[0]..ends[1]]);
            let y = match self.kind {
                Kind::Interpolating => outputs(&model, x.clone(), Detach::Nothing),
                _ => tensor(&self.loss.y[ends[0]..ends[1]]),
            };
            (x, y)
        };
        ends.windows(2).map(batch).collect()
    }

    /// The loss as a model knows it.
    pub(crate) fn objective(&self, detach: Detach) -> impl Fn(&Net, Pair) -> Tensor<1> + Clone {
        let (criterion, ridge) = (self.loss.criterion, self.loss.ridge);
        move |net: &Net, (x, y): Pair| {
            let z = outputs(net, x, detach);
            let costs = match (criterion, detach) {
                (Criterion::Square, Detach::Residual) => (z.clone().detach() - y.clone()) * (z - y),
                (Criterion::Square, _) => (z - y).square(),
                (Criterion::Logistic, _) => -log_sigmoid(z * y),
            };
            match ridge > 0.0 {
                true => costs.mean() + penalty(net, detach) * (0.5 * ridge),
                false => costs.mean(),
            }
        }
    }

    /// What can be detached here, by turns.
    pub(crate) fn detached(&self, seed: u64) -> Detach {
        let all: &[Detach] = match self.kind {
            Kind::Logistic => &[Detach::Output, Detach::Weight],
            Kind::Ridge => &[
                Detach::Output,
                Detach::Residual,
                Detach::Weight,
                Detach::Penalty,
            ],
            _ => &[Detach::Output, Detach::Residual, Detach::Weight],
        };
        all[seed as usize % all.len()]
    }
}

fn outputs(net: &Net, x: Tensor<2>, detach: Detach) -> Tensor<2> {
    let first = match (detach, &net.first.bias) {
        (Detach::Weight, Some(bias)) => {
            x.matmul(net.first.weight.val().detach()) + bias.val().unsqueeze()
        }
        _ => net.first.forward(x),
    };
    let z = match &net.last {
        None => first,
        Some(last) => last.forward(first.tanh()),
    };
    match detach {
        Detach::Output => (z.clone() + z.detach()) * 0.5,
        _ => z,
    }
}

/// `|w|²`.
fn penalty(net: &Net, detach: Detach) -> Tensor<1> {
    let square = |w: Tensor<1>| {
        let other = match detach {
            Detach::Penalty => w.clone().detach(),
            _ => w.clone(),
        };
        (w * other).sum()
    };
    let layer = |layer: &Linear| {
        let weight = square(layer.weight.val().flatten(0, 1));
        match &layer.bias {
            None => weight,
            Some(bias) => weight + square(bias.val()),
        }
    };
    let first = layer(&net.first);
    match &net.last {
        None => first,
        Some(last) => first + layer(last),
    }
}
