//! Lowering: operations that Burn keeps whole, written out in elementary ones before anything is
//! differentiated.
//!
//! Three reasons. Normalizations, attention and deformable convolution have no derivative simpler than that
//! of their parts, and written out they share their parts with the backward pass. `Gelu` with its backward differ
//! between devices (one is exact, another differentiates a tanh fit of six digits), so that a program
//! means the same everywhere only if it says which: the erf formula, in the primal program as well. And some
//! of what Burn records is right and has no right derivative ([`ProductBackward`]), or none that keeps its
//! digits ([`stable`]).

use std::f64::consts::{PI, SQRT_2};

use burn::backend::ops::FloatTensorOps;
use burn::backend::ops::attention::attention_fallback;
use burn::tensor::{DeviceSettings, Scalar, Shape};
use burn_ir::{
    ActivationOperationIr as Activation, IrVisitorMut, ModuleOperationIr as Module,
    NumericOperationIr as Numeric, OperationIr, TensorIr,
};
use burn_router::RouterClient;

use super::LinearizeError;
use super::coverage::{Rule, describe};
use super::deformable::{self, Kinds};
use super::folding::Makers;
use super::lifter::C;
use super::product_backward::ProductBackward;
use super::program::{Program, Rename};
use super::recording::{Recorder, Symbol, completed, record};
use super::replay::declared;
use super::stable::stable;
use super::trace::port;

/// The program in elementary operations.
pub(crate) fn lower(program: Program, settings: DeviceSettings) -> Result<Program, LinearizeError> {
    let program = stable(program);
    let makers = Makers::of(&program);
    let products = ProductBackward::of(&program, settings)?;
    let is_rewritten = |operation| {
        is_composite(operation) || makers.folds(operation) || products.ends_with(operation)
    };
    if !program.operations.iter().any(is_rewritten) {
        return Ok(program);
    }
    let mut outputs = Vec::new();
    // Their results keep their names.
    let mut written_out = program.written_out.clone();
    let (graph, ()) = record(settings, |_, recorder, scope| {
        let mut rename = Rename::default();
        for operation in &program.operations {
            let symbol = |tensor: &TensorIr| {
                let id = rename.0.get(&tensor.id).copied().unwrap_or(tensor.id);
                recorder.named(id, tensor.shape.clone(), tensor.dtype)
            };
            let device = recorder.client().device();
            let rewritten = makers
                .folded(operation, symbol)
                .or_else(|| products.written(operation, symbol, &device));
            if let Some((whole, result)) = rewritten {
                let result = port(recorder, "", &result).tensor;
                rename.0.insert(whole.id, result.id);
                continue;
            }
            let mut operation = operation.clone();
            operation.visit_mut(&mut rename);
            let kinds = Kinds {
                device: recorder.client().device(),
                ints: settings.int_dtype,
                masks: settings.bool_dtype,
            };
            let lowering = Lowering { recorder, kinds };
            match lowering.results(&operation) {
                None => recorder.client().register_op(operation),
                Some(results) => {
                    for (whole, result) in results {
                        let result = port(recorder, "", &result).tensor;
                        written_out.push((result.id, describe(&operation).0));
                        rename.0.insert(whole.id, result.id);
                    }
                }
            }
        }
        outputs.extend(program.outputs.iter().cloned().map(|mut port| {
            rename.visit_tensor_mut(&mut port.tensor);
            port
        }));
        Ok((completed(scope, declared(&program)), ()))
    })?;
    let mut constants = program.constants;
    constants.extend(graph.values);
    let mut lowered = Program::new(graph.graph.operations, program.inputs, outputs, constants)?;
    lowered.written_out = written_out;
    Ok(lowered)
}

fn is_composite(operation: &OperationIr) -> bool {
    describe(operation).1 == Rule::WrittenOut
}

struct Lowering<'a> {
    recorder: &'a Recorder,
    kinds: Kinds,
}

impl Lowering<'_> {
    /// The results of a composite operation, recorded in its parts; `None` for elementary ones.
    fn results(&self, operation: &OperationIr) -> Option<Vec<(TensorIr, Symbol)>> {
        if let OperationIr::Module(Module::DeformableConv2dBackward(o)) = operation {
            return Some(deformable::backward(o, self.recorder, &self.kinds));
        }
        let result = self.result(operation)?;
        let outputs = operation.outputs().cloned();
        Some(outputs.map(|out| (out, result.clone())).collect())
    }

    /// The same of one that has a single result.
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
