//! Operations that Burn keeps whole, decomposed into elementary ones.
//!
//! Normalizations, attention and deformable convolution have no derivative simpler than that of their
//! parts, and once decomposed they share those parts with the backward pass. `Gelu` and its backward
//! differ between devices: one is exact, another differentiates a tanh approximation of six digits. Decomposing
//! them by the erf formula, in the primal program as well, makes a program mean the same everywhere.

use std::f64::consts::{PI, SQRT_2};

use burn::backend::ops::FloatTensorOps;
use burn::backend::ops::attention::attention_fallback;
use burn::tensor::{DeviceSettings, Scalar, Shape};
use burn_ir::{
    ActivationOperationIr as Activation, ModuleOperationIr as Module,
    NumericOperationIr as Numeric, OperationIr, TensorIr,
};
use burn_router::RouterClient;

use super::deformable::{self, Kinds};
use crate::coverage::{Rule, describe};
use crate::record::{C, Recorder, Symbol};

pub(super) fn is_composite(operation: &OperationIr) -> bool {
    describe(operation).1 == Rule::Decomposed
}

/// Decomposes composite operations.
pub(super) struct Composite<'a> {
    recorder: &'a Recorder,
    kinds: Kinds,
}

impl<'a> Composite<'a> {
    pub(super) fn new(recorder: &'a Recorder, settings: DeviceSettings) -> Self {
        let kinds = Kinds {
            device: recorder.client().device(),
            ints: settings.int_dtype,
            masks: settings.bool_dtype,
        };
        Self { recorder, kinds }
    }

    /// The results of a composite operation, recorded as its parts; `None` for an elementary one.
    pub(super) fn results(&self, operation: &OperationIr) -> Option<Vec<(TensorIr, Symbol)>> {
        if let OperationIr::Module(Module::DeformableConv2dBackward(o)) = operation {
            return Some(deformable::backward(o, self.recorder, &self.kinds));
        }
        let result = self.result(operation)?;
        let outputs = operation.outputs().cloned();
        Some(outputs.map(|out| (out, result.clone())).collect())
    }

    /// As [`results`](Self::results), for operations with a single result.
    fn result(&self, operation: &OperationIr) -> Option<Symbol> {
        match operation {
            OperationIr::Activation(Activation::Gelu(o)) => {
                let x = self.symbol(&o.input);
                Some(C::float_mul(x.clone(), normal_distribution(x)))
            }
            // Φ(x) + x φ(x), times the gradient.
            OperationIr::Activation(Activation::GeluBackward(o)) => {
                let (x, gradient) = (self.symbol(&o.lhs), self.symbol(&o.rhs));
                let tail = C::float_mul(x.clone(), normal_density(x.clone()));
                let slope = C::float_add(normal_distribution(x), tail);
                Some(C::float_mul(gradient, slope))
            }
            OperationIr::Activation(Activation::PRelu(o)) => {
                let (x, slope) = (self.symbol(&o.lhs), self.symbol(&o.rhs));
                let is_negative =
                    C::float_lower_elem(x.clone(), Scalar::Float(0.0), self.kinds.masks);
                let sloped = C::float_mul(x.clone(), slope);
                Some(C::float_mask_where(x, is_negative, sloped))
            }
            OperationIr::Module(Module::BatchNorm(o)) => {
                let mut axes = vec![1; o.x.shape.num_dims()];
                axes[1] = o.x.shape[1];
                let part =
                    |tensor| C::float_reshape(self.symbol(tensor), Shape::from(axes.clone()));
                let (mean, variance) = (part(&o.mean), part(&o.variance));
                let scale = deviation(variance, o.epsilon.elem());
                let centered = C::float_sub(self.symbol(&o.x), mean);
                let normal = C::float_mul(C::float_div(centered, scale), part(&o.gamma));
                Some(C::float_add(normal, part(&o.beta)))
            }
            OperationIr::Module(Module::LayerNorm(o)) => {
                let last = o.input.shape.num_dims() - 1;
                let mut axes = vec![1; last + 1];
                axes[last] = o.input.shape[last];
                let part =
                    |tensor| C::float_reshape(self.symbol(tensor), Shape::from(axes.clone()));
                let x = self.symbol(&o.input);
                let centered = C::float_sub(x.clone(), C::float_mean_dim(x, last));
                let square = C::float_mul(centered.clone(), centered.clone());
                let scale = deviation(C::float_mean_dim(square, last), o.epsilon.elem());
                let normal = C::float_mul(C::float_div(centered, scale), part(&o.gamma));
                Some(match &o.beta {
                    Some(beta) => C::float_add(normal, part(beta)),
                    None => normal,
                })
            }
            OperationIr::Module(Module::Attention(o)) => {
                let optional = |tensor: &Option<TensorIr>| tensor.as_ref().map(|t| self.symbol(t));
                Some(attention_fallback::<C>(
                    self.symbol(&o.query),
                    self.symbol(&o.key),
                    self.symbol(&o.value),
                    optional(&o.mask),
                    optional(&o.attn_bias),
                    o.options.clone().into(),
                ))
            }
            OperationIr::Module(Module::DeformableConv2d(o)) => {
                Some(deformable::forward(o, self.recorder, &self.kinds))
            }
            OperationIr::NumericFloat(_, Numeric::MaxAbs(o)) => {
                Some(C::float_max(C::float_abs(self.symbol(&o.input))))
            }
            OperationIr::NumericFloat(_, Numeric::MaxAbsDim(o)) => {
                let size = C::float_abs(self.symbol(&o.input));
                Some(C::float_max_dim(size, o.axis))
            }
            _ => None,
        }
    }

    fn symbol(&self, tensor: &TensorIr) -> Symbol {
        self.recorder
            .named(tensor.id, tensor.shape.clone(), tensor.dtype)
    }
}

/// `Φ(x) = (1 + erf(x/√2)) / 2`
fn normal_distribution(x: Symbol) -> Symbol {
    let erf = C::float_erf(C::float_mul_scalar(x, Scalar::Float(1.0 / SQRT_2)));
    let shifted = C::float_add_scalar(erf, Scalar::Float(1.0));
    C::float_mul_scalar(shifted, Scalar::Float(0.5))
}

/// `φ(x) = exp(−x²/2) / √(2π)`
fn normal_density(x: Symbol) -> Symbol {
    let square = C::float_mul(x.clone(), x);
    let bell = C::float_exp(C::float_mul_scalar(square, Scalar::Float(-0.5)));
    C::float_mul_scalar(bell, Scalar::Float(1.0 / (2.0 * PI).sqrt()))
}

/// `√(variance + ε)`
fn deviation(variance: Symbol, epsilon: f64) -> Symbol {
    C::float_sqrt(C::float_add_scalar(variance, Scalar::Float(epsilon)))
}
