//! Exact products against differences of Burn's own gradient, in double precision.

use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::{Bool, Device, FloatDType, Int, Tensor, TensorData};
use burnscape_linearize::{Lifter, LinearizedGradient, trace_gradient};

use super::parameters::{Fill, Shift, gradient};

/// The device of this test binary, in double precision.
pub(crate) fn plain() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let configured = || {
        let mut device = Device::flex();
        device.configure(FloatDType::F64).expect("a fresh device");
        device
    };
    DEVICE.get_or_init(configured).clone()
}

/// The same with autodiff.
pub(crate) fn device() -> Device {
    plain().autodiff()
}

/// Numbers between −1 and 1 without a pattern that a layer could share.
pub(crate) fn waves(len: usize, phase: f64) -> Vec<f64> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    (0..len).map(wave).collect()
}

pub(crate) fn wave<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(waves(shape.iter().product(), 0.5), shape);
    Tensor::from_data(data, &device())
}

/// What a loss is computed on, besides the model.
pub(crate) trait Batch: Clone + 'static {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self;
}

impl<const D: usize> Batch for Tensor<D> {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        lifter.float(self.clone())
    }
}

impl<const D: usize> Batch for Tensor<D, Int> {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        lifter.int(self.clone())
    }
}

impl<const D: usize> Batch for Tensor<D, Bool> {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        lifter.bool(self.clone())
    }
}

impl Batch for () {
    fn lift(&self, _: &mut Lifter<'_>) -> Self {}
}

impl<A: Batch, B: Batch> Batch for (A, B) {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        (self.0.lift(lifter), self.1.lift(lifter))
    }
}

impl<A: Batch, B: Batch, C: Batch> Batch for (A, B, C) {
    fn lift(&self, lifter: &mut Lifter<'_>) -> Self {
        (
            self.0.lift(lifter),
            self.1.lift(lifter),
            self.2.lift(lifter),
        )
    }
}

/// What was found of one module: relative errors.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// The operations of the gradient's program.
    pub(crate) operations: Vec<String>,
    pub(crate) gradient: f64,
    pub(crate) differences: f64,
    pub(crate) symmetry: f64,
    pub(crate) linearity: f64,
}

/// One line of the registry.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) measure: Box<dyn Fn(f64) -> Measured>,
    pub(crate) referee: Referee,
}

/// Against what a case is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Referee {
    /// Differences of Burn's gradient, to the precision of doubles.
    Differences,
    /// The same where Burn computes a part in single precision whatever the tensors hold: its gradient
    /// is no smoother than that, nor exactly the gradient of its loss.
    Single,
    /// Itself: a loss that draws has no gradient to be compared with.
    Draws,
}

impl Case {
    pub(crate) fn drawing(mut self) -> Self {
        self.referee = Referee::Draws;
        self
    }

    pub(crate) fn in_single(mut self) -> Self {
        self.referee = Referee::Single;
        self
    }
}

pub(crate) fn case<M: Module + 'static, B: Batch>(
    name: &'static str,
    model: M,
    batch: B,
    loss: impl Fn(&M, B) -> Tensor<1> + 'static,
) -> Case {
    let measure = move |step| measure(&model, &batch, &loss, step);
    Case {
        name,
        measure: Box::new(measure),
        referee: Referee::Differences,
    }
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(expected)
}

fn measure<M: Module, B: Batch>(
    model: &M,
    batch: &B,
    loss: &impl Fn(&M, B) -> Tensor<1>,
    step: f64,
) -> Measured {
    let settings = plain().settings();
    let model = model.clone().map(&mut Fill(0.0));
    let (burns, lengths) = gradient(&model, loss(&model, batch.clone()));
    let trace = trace_gradient(
        model.clone(),
        settings,
        |lifter| batch.lift(lifter),
        |model, batch| loss(model, batch),
    );
    let trace = trace.unwrap_or_else(|error| panic!("{error}"));
    let linearized = LinearizedGradient::new(&trace, settings, &plain());
    let mut linearized = linearized.unwrap_or_else(|error| panic!("{error}"));
    let flat = |parts: &[Option<Tensor<1>>]| -> Vec<f64> {
        let mut values = Vec::new();
        for (part, &len) in parts.iter().zip(&lengths) {
            match part {
                Some(part) => values.extend(part.clone().into_data().iter::<f64>()),
                None => values.extend(vec![0.0; len]),
            }
        }
        values
    };
    let found = flat(linearized.gradients());
    let mut product = |direction: &[f64]| {
        let mut rest = direction;
        let parts: Vec<Tensor<1>> = lengths
            .iter()
            .map(|&len| {
                let (own, others) = rest.split_at(len);
                rest = others;
                Tensor::from_data(TensorData::new(own.to_vec(), [len]), &plain())
            })
            .collect();
        flat(&linearized.hvp(&parts).expect("a product"))
    };
    let unit = |phase| {
        let x = waves(found.len(), phase);
        let length = norm(&x);
        x.into_iter().map(|x| x / length).collect::<Vec<_>>()
    };
    let (u, v) = (unit(3.3), unit(11.7));
    let (hu, hv) = (product(&u), product(&v));
    assert_eq!(hv, product(&v), "two products differ");
    let mixed: Vec<f64> = u.iter().zip(&v).map(|(u, v)| 2.5 * u - 0.75 * v).collect();
    let parts: Vec<f64> = hu
        .iter()
        .zip(&hv)
        .map(|(u, v)| 2.5 * u - 0.75 * v)
        .collect();
    let at = |scale| {
        let shift = &mut Shift {
            direction: &v,
            scale,
        };
        let model = model.clone().map(shift);
        gradient(&model, loss(&model, batch.clone())).0
    };
    Measured {
        operations: trace.program.operation_names().collect(),
        gradient: relative(&found, &burns),
        differences: relative(&hv, &derivative(at, step)),
        symmetry: (dot(&u, &hv) - dot(&v, &hu)).abs() / (norm(&hu) + norm(&hv)),
        linearity: relative(&product(&mixed), &parts),
    }
}

/// The derivative at zero by four points: the error is of fourth order in the step, which can stay
/// small enough not to meet a kink.
fn derivative(at: impl Fn(f64) -> Vec<f64>, step: f64) -> Vec<f64> {
    let near = [at(step), at(-step)];
    let far = [at(2.0 * step), at(-2.0 * step)];
    (0..near[0].len())
        .map(|i| {
            let (near, far) = (near[0][i] - near[1][i], far[0][i] - far[1][i]);
            (8.0 * near - far) / (12.0 * step)
        })
        .collect()
}
