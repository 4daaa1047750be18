//! Compares exact products with finite differences of Burn's gradient, and with each other.

use std::collections::BTreeSet;
use std::rc::Rc;

use burn::module::Module;
use burn::tensor::{FloatDType, Tensor, TensorData};

use super::batch::Batch;
use super::parameters::{Fill, Narrow, Shift, gradient};
use super::products::{Loss, Products, device, draw_again, plain, trace};

/// Numbers between −1 and 1 without a pattern that a layer could share.
pub(crate) fn waves(len: usize, phase: f64) -> Vec<f64> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    (0..len).map(wave).collect()
}

pub(crate) fn wave<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(waves(shape.iter().product(), 0.5), shape);
    Tensor::from_data(data, &device())
}

/// The measurements of one case: relative errors, except for the first two.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Number of the gradient's operations.
    pub(crate) operations: usize,
    /// Whether the points that differences are taken between lie on one smooth piece.
    pub(crate) is_smooth: bool,
    /// Our gradient against Burn's.
    pub(crate) gradient: f64,
    /// Our product against differences of Burn's gradient.
    pub(crate) differences: f64,
    pub(crate) symmetry: f64,
    pub(crate) linearity: f64,
    /// Our product in single precision against ours in double precision.
    pub(crate) single: f64,
    /// Our product against ours of the formula, where the case has one.
    pub(crate) formula: f64,
}

/// The limits for a case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bars {
    /// The step of the differences.
    pub(crate) step: f64,
    pub(crate) gradient: f64,
    pub(crate) differences: f64,
    /// Symmetry and linearity.
    pub(crate) law: f64,
    pub(crate) single: f64,
    pub(crate) formula: f64,
}

impl Bars {
    const DOUBLE: Self = Self {
        step: 1e-4,
        gradient: 1e-12,
        differences: 1e-6,
        law: 1e-12,
        single: 1e-4,
        formula: 1e-6,
    };
    /// Where Burn computes a part in single precision whatever the tensors hold, its gradient is no
    /// smoother than that, nor exactly the gradient of its loss. Such a case has a formula besides:
    /// the same loss written in tensor operations, to which the precision of doubles applies.
    const PARTLY_SINGLE: Self = Self {
        step: 1e-2,
        gradient: 1e-6,
        differences: 1e-3,
        law: 1e-6,
        ..Self::DOUBLE
    };
}

/// One line of the registry.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bars: Bars,
    /// Whether Burn computes a part of it in single precision.
    pub(crate) is_partly_single: bool,
    pub(crate) measure: Box<dyn Fn() -> Measured>,
    pub(crate) operations: Box<dyn Fn() -> Operations>,
}

/// The operations of a gradient's program.
pub(crate) struct Operations {
    /// Those that the loss needs.
    pub(crate) forward: BTreeSet<String>,
    /// Those that its gradient needs besides.
    pub(crate) backward: BTreeSet<String>,
}

/// A case with all that can be said about it.
pub(crate) struct Spec<M, B> {
    name: &'static str,
    model: M,
    batch: B,
    loss: Box<Loss<M, B>>,
    formula: Option<Box<Loss<M, B>>>,
    narrow: fn(M) -> M,
    bars: Bars,
}

/// A case that nothing special is to be said about.
pub(crate) fn case<M: Module + 'static, B: Batch>(
    name: &'static str,
    model: M,
    batch: B,
    loss: impl Fn(&M, B) -> Tensor<1> + 'static,
) -> Case {
    spec(name, model, batch, loss).case()
}

pub(crate) fn spec<M: Module + 'static, B: Batch>(
    name: &'static str,
    model: M,
    batch: B,
    loss: impl Fn(&M, B) -> Tensor<1> + 'static,
) -> Spec<M, B> {
    Spec {
        name,
        model,
        batch,
        loss: Box::new(loss),
        formula: None,
        narrow: |model| model,
        bars: Bars::DOUBLE,
    }
}

impl<M: Module + 'static, B: Batch> Spec<M, B> {
    /// Burn computes a part in single precision: the loss by its formula is the truth.
    pub(crate) fn partly_single(mut self, formula: impl Fn(&M, B) -> Tensor<1> + 'static) -> Self {
        self.formula = Some(Box::new(formula));
        self.bars = Bars::PARTLY_SINGLE;
        self
    }

    /// Burn's backward pass is in single precision and ours is not: the laws hold exactly.
    pub(crate) fn lawful(mut self) -> Self {
        self.bars.law = Bars::DOUBLE.law;
        self
    }

    /// Brings tensors into single precision that a mapper does not reach, or that clones share.
    pub(crate) fn narrowed(mut self, narrow: fn(M) -> M) -> Self {
        self.narrow = narrow;
        self
    }

    /// The device draws other numbers in single precision: there is nothing to compare with.
    pub(crate) fn draws_apart(mut self) -> Self {
        self.bars.single = f64::INFINITY;
        self
    }

    pub(crate) fn case(self) -> Case {
        let measured = Rc::new(self);
        let traced = Rc::clone(&measured);
        Case {
            name: measured.name,
            bars: measured.bars,
            is_partly_single: measured.formula.is_some(),
            measure: Box::new(move || measured.measure()),
            operations: Box::new(move || traced.operations()),
        }
    }

    fn operations(&self) -> Operations {
        let settings = plain().settings();
        let trace = trace(&self.model, &self.batch, &self.loss, settings);
        let forward = trace.program.operation_names_of(0);
        let gradients = 1..trace.program.outputs().len();
        let all = gradients.flat_map(|output| trace.program.operation_names_of(output));
        let backward = all.filter(|name| !forward.contains(name)).collect();
        Operations { forward, backward }
    }

    fn measure(&self) -> Measured {
        let model = self.model.clone().map(&mut Fill(0));
        let burns = |model: &M, batch: &B| {
            draw_again();
            gradient(model, (self.loss)(model, batch.clone()))
        };
        let (expected, lengths) = burns(&model, &self.batch);
        let double = FloatDType::F64;
        let mut ours = Products::of(&model, &self.batch, &self.loss, double, &lengths);
        let found = ours.gradient();
        let (u, v) = (unit(found.len(), 3.3), unit(found.len(), 11.7));
        let (hu, hv) = (ours.along(&u), ours.along(&v));
        assert_eq!(hv, ours.along(&v), "two products differ");
        assert!(norm(&hv) > 0.0, "the loss has no curvature here");
        let [bu, bv] = ours.together([&u, &v]);
        let apart = relative(&bu, &hu).max(relative(&bv, &hv));
        assert!(
            apart <= 1e-11,
            "a block differs from single products by {apart:e}"
        );
        let moved = |scale| {
            let shift = &mut Shift {
                direction: &v,
                scale,
            };
            model.clone().map(shift)
        };
        let step = self.bars.step;
        let stencil = [0.0, -2.0 * step, -step, step, 2.0 * step];
        let settings = plain().settings();
        let binding = |scale| trace(&moved(scale), &self.batch, &self.loss, settings).bindings;
        let decisions = ours.decisions(&stencil.map(binding), &v);
        let of_formula = self.formula.as_ref().map_or(0.0, |formula| {
            let mut exact = Products::of(&model, &self.batch, formula, double, &lengths);
            relative(&hv, &exact.along(&v))
        });
        Measured {
            operations: ours.trace.program.num_operations(),
            is_smooth: decisions.iter().all(|there| *there == decisions[0]),
            gradient: relative(&found, &expected),
            differences: relative(
                &hv,
                &derivative(|scale| burns(&moved(scale), &self.batch).0, step),
            ),
            symmetry: (dot(&u, &hv) - dot(&v, &hu)).abs() / (norm(&hu) + norm(&hv)),
            linearity: relative(&ours.along(&combined(&u, &v)), &combined(&hu, &hv)),
            single: relative(&self.single(&model, &v, &lengths), &hv),
            formula: of_formula,
        }
    }

    /// Our product in single precision, of the same numbers rounded.
    fn single(&self, model: &M, v: &[f64], lengths: &[usize]) -> Vec<f64> {
        let dtype = FloatDType::F32;
        let model = (self.narrow)(model.clone()).map(&mut Narrow(dtype));
        let batch = self.batch.cast(dtype);
        Products::of(&model, &batch, &self.loss, dtype, lengths).along(v)
    }
}

fn combined(u: &[f64], v: &[f64]) -> Vec<f64> {
    u.iter().zip(v).map(|(u, v)| 2.5 * u - 0.75 * v).collect()
}

fn unit(len: usize, phase: f64) -> Vec<f64> {
    let x = waves(len, phase);
    let length = norm(&x);
    x.into_iter().map(|x| x / length).collect()
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
