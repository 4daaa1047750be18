//! What layers make: sums of products with weights and their biases, or the normalizations after them.

use burn_ir::{
    FloatOperationIr as Float, ModuleOperationIr as Module, NumericOperationIr as Numeric,
    OperationIr, TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::walk::Walk;
use crate::program::Program;

/// A tensor that parameters scale and shift along an axis.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    pub(super) tensor: TensorIr,
    /// The axis of the tensor.
    pub(super) axis: usize,
    /// The input that scales it: a weight by its output axis, or a gain.
    pub(super) scale: usize,
    /// The input that is added.
    pub(super) shift: Option<usize>,
}

/// The tensors that parameters scale and shift, in the order of the program: each as it is after its bias, or after the
/// normalization that follows.
pub(super) fn producers(walk: &Walk<'_>, num_free: usize) -> Vec<Affine> {
    let program = walk.program;
    let views = views(program, num_free);
    let mut found: FxHashMap<TensorId, Affine> = FxHashMap::default();
    let mut order = Vec::new();
    // What a bias or a normalization continues is no producer by itself.
    let mut continued: FxHashSet<TensorId> = FxHashSet::default();
    for operation in &program.operations {
        let Some((affine, from)) = affine(operation, &views, &found) else {
            continue;
        };
        if !walk.is_varying(&affine.tensor) {
            continue;
        }
        continued.extend(from);
        order.push(affine.tensor.id);
        found.insert(affine.tensor.id, affine);
    }
    let producers = order.into_iter().filter(|id| !continued.contains(id));
    producers.filter_map(|id| found.remove(&id)).collect()
}

/// The inputs that tensors are views of.
fn views(program: &Program, num_free: usize) -> FxHashMap<TensorId, usize> {
    let floats = program.inputs.iter().take(num_free).enumerate();
    let floats = floats.filter(|(_, port)| port.tensor.dtype.is_float());
    let mut views: FxHashMap<TensorId, usize> = floats
        .map(|(input, port)| (port.tensor.id, input))
        .collect();
    for operation in &program.operations {
        if let OperationIr::BaseFloat(_) = operation
            && super::rules::moves_values(operation)
            && let (Some(read), Some(out)) = (operation.inputs().next(), operation.outputs().next())
            && operation.inputs().count() == 1
            && let Some(&input) = views.get(&read.id)
        {
            views.insert(out.id, input);
        }
    }
    views
}

/// The axis along which a tensor is a vector, counted from the last one.
fn vector_axis(tensor: &TensorIr) -> Option<usize> {
    let long = tensor.shape.iter().rev().enumerate();
    let mut long = long.filter(|(_, len)| **len > 1).map(|(axis, _)| axis);
    let first = long.next()?;
    long.next().is_none().then_some(first)
}

/// What an operation makes of parameters, and the tensor that it continues.
fn affine(
    operation: &OperationIr,
    views: &FxHashMap<TensorId, usize>,
    found: &FxHashMap<TensorId, Affine>,
) -> Option<(Affine, Option<TensorId>)> {
    let input = |tensor: &TensorIr| views.get(&tensor.id).copied();
    let last = |tensor: &TensorIr| tensor.shape.num_dims().checked_sub(1);
    let made = |tensor: &TensorIr, axis, weight: &TensorIr, bias: Option<&TensorIr>| {
        let affine = Affine {
            tensor: tensor.clone(),
            axis,
            scale: input(weight)?,
            shift: bias.and_then(input),
        };
        Some((affine, None))
    };
    match operation {
        OperationIr::Module(Module::Linear(o)) => {
            made(&o.out, last(&o.out)?, &o.weight, o.bias.as_ref())
        }
        OperationIr::Module(Module::Conv1d(o)) => made(&o.out, 1, &o.weight, o.bias.as_ref()),
        OperationIr::Module(Module::Conv2d(o)) => made(&o.out, 1, &o.weight, o.bias.as_ref()),
        OperationIr::Module(Module::Conv3d(o)) => made(&o.out, 1, &o.weight, o.bias.as_ref()),
        OperationIr::Module(Module::ConvTranspose1d(o)) => {
            made(&o.out, 1, &o.weight, o.bias.as_ref())
        }
        OperationIr::Module(Module::ConvTranspose2d(o)) => {
            made(&o.out, 1, &o.weight, o.bias.as_ref())
        }
        OperationIr::Module(Module::ConvTranspose3d(o)) => {
            made(&o.out, 1, &o.weight, o.bias.as_ref())
        }
        OperationIr::Float(_, Float::Matmul(o)) => made(&o.out, last(&o.out)?, &o.rhs, None),
        OperationIr::Module(Module::BatchNorm(o)) => {
            let (affine, _) = made(&o.out, 1, &o.gamma, Some(&o.beta))?;
            Some((affine, Some(o.x.id)))
        }
        OperationIr::Module(Module::LayerNorm(o)) => {
            let (affine, _) = made(&o.out, last(&o.out)?, &o.gamma, o.beta.as_ref())?;
            Some((affine, Some(o.input.id)))
        }
        OperationIr::NumericFloat(_, Numeric::Mul(o)) => {
            let (x, gain) = vector_and_rest(&o.lhs, &o.rhs, views)?;
            let axis = axis_of(gain, &o.out)?;
            let (affine, _) = made(&o.out, axis, gain, None)?;
            Some((affine, Some(x.id)))
        }
        OperationIr::NumericFloat(_, Numeric::Add(o)) => {
            let (x, shift) = vector_and_rest(&o.lhs, &o.rhs, views)?;
            let before = found.get(&x.id).filter(|before| before.shift.is_none())?;
            let is_along = axis_of(shift, &o.out) == Some(before.axis);
            let affine = Affine {
                tensor: o.out.clone(),
                shift: input(shift),
                ..before.clone()
            };
            is_along.then_some((affine, Some(x.id)))
        }
        _ => None,
    }
}

/// Of two operands, the one that is no parameter, and the vector of parameters.
fn vector_and_rest<'o>(
    left: &'o TensorIr,
    right: &'o TensorIr,
    views: &FxHashMap<TensorId, usize>,
) -> Option<(&'o TensorIr, &'o TensorIr)> {
    let is_vector =
        |tensor: &TensorIr| views.contains_key(&tensor.id) && vector_axis(tensor).is_some();
    match (is_vector(left), is_vector(right)) {
        (false, true) => Some((left, right)),
        (true, false) => Some((right, left)),
        _ => None,
    }
}

/// The axis of a result along which a vector lies.
fn axis_of(vector: &TensorIr, out: &TensorIr) -> Option<usize> {
    let from_last = vector_axis(vector)?;
    let axis = out.shape.num_dims().checked_sub(1 + from_last)?;
    (out.shape[axis] > 1).then_some(axis)
}
