//! Building blocks of the rules.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, FloatDType, Scalar, Shape};
use burn_ir::{BinaryOpIr, ScalarOpIr, TensorIr, UnaryOpIr};

use super::tape::Tape;
use crate::LinearizeError;
use crate::record::{C, Symbol};

/// Whether a family has a rule for the operation.
pub(super) type Known = Result<bool, LinearizeError>;

/// `a + b`, where `None` is zero.
pub(super) fn sum(a: Option<Symbol>, b: Option<Symbol>) -> Option<Symbol> {
    match (a, b) {
        (Some(a), Some(b)) => Some(C::float_add(a, b)),
        (a, b) => a.or(b),
    }
}

pub(super) fn scaled(x: Symbol, factor: f64) -> Symbol {
    C::float_mul_scalar(x, Scalar::Float(factor))
}

pub(super) fn shifted(x: Symbol, by: f64) -> Symbol {
    C::float_add_scalar(x, Scalar::Float(by))
}

pub(super) fn square(x: Symbol) -> Symbol {
    C::float_mul(x.clone(), x)
}

/// Broadcasts a tangent to the shape of the result.
pub(super) fn expanded(x: Symbol, shape: &Shape) -> Symbol {
    if x.shape() == *shape {
        x
    } else {
        C::float_expand(x, shape.clone())
    }
}

/// One number per channel, broadcast to `[batch, channel, …]`.
pub(super) fn over_channels(x: Symbol, shape: &Shape) -> Symbol {
    over_axis(x, 1, shape)
}

/// One number per place of the last axis, broadcast to the others.
pub(super) fn over_last(x: Symbol, shape: &Shape) -> Symbol {
    over_axis(x, shape.num_dims() - 1, shape)
}

fn over_axis(x: Symbol, axis: usize, shape: &Shape) -> Symbol {
    let mut axes = vec![1; shape.num_dims()];
    axes[axis] = shape[axis];
    expanded(C::float_reshape(x, Shape::from(axes)), shape)
}

/// The matrix of the planes of `[batch, channel, …]`, each as a row.
pub(super) fn planes(shape: &Shape) -> Shape {
    let count = shape[0] * shape[1];
    Shape::from([count, shape.num_elements() / count])
}

pub(super) fn float_dtype(dtype: DType) -> FloatDType {
    FloatDType::from(dtype)
}

pub(super) fn zeros(like: &TensorIr, tape: &Tape<'_>) -> Symbol {
    C::float_zeros(like.shape.clone(), &tape.device(), float_dtype(like.dtype))
}

/// The tangent, or explicit zeros where a rule needs a tensor.
pub(super) fn or_zeros(tensor: &TensorIr, tape: &Tape<'_>) -> Symbol {
    tape.tangent(tensor).unwrap_or_else(|| zeros(tensor, tape))
}

/// An operation that is linear in its input: its tangent is the same operation applied to the tangent.
pub(super) fn linear(
    tape: &mut Tape<'_>,
    input: &TensorIr,
    out: &TensorIr,
    operation: impl FnOnce(Symbol) -> Symbol,
) -> Known {
    let tangent = tape.tangent(input).map(operation);
    tape.set(out, tangent)?;
    Ok(true)
}

/// An operation that is linear in each of two arguments: `f(ta, b) + f(a, tb)`.
pub(super) fn bilinear(
    tape: &mut Tape<'_>,
    a: &TensorIr,
    b: &TensorIr,
    out: &TensorIr,
    f: impl Fn(Symbol, Symbol) -> Symbol,
) -> Known {
    let (left, right) = (tape.tangent(a), tape.tangent(b));
    let left = left.map(|t| f(t, tape.primal(b)));
    let right = right.map(|t| f(tape.primal(a), t));
    tape.set(out, sum(left, right))?;
    Ok(true)
}

/// `y = f(x)`: the tangent times `derivative(x, y)`.
pub(super) fn unary(
    tape: &mut Tape<'_>,
    op: &UnaryOpIr,
    derivative: impl FnOnce(Symbol, Symbol) -> Symbol,
) -> Known {
    let (x, y) = (tape.primal(&op.input), tape.primal(&op.out));
    linear(tape, &op.input, &op.out, |t| {
        C::float_mul(t, derivative(x, y))
    })
}

/// `xⁿ` with a constant `n`. Small powers are handled separately: the second derivative of a square would
/// otherwise contain `0 · 0⁻¹`, which is NaN.
pub(super) fn power(
    tape: &mut Tape<'_>,
    op: &ScalarOpIr,
    raise: impl FnOnce(Symbol, f64) -> Symbol,
) -> Known {
    let n = op.rhs.elem::<f64>();
    if n == 0.0 {
        return Ok(true);
    }
    let x = tape.primal(&op.lhs);
    linear(tape, &op.lhs, &op.out, |t| {
        if n == 1.0 {
            t
        } else if n == 2.0 {
            C::float_mul(t, scaled(x, 2.0))
        } else {
            C::float_mul(t, scaled(raise(x, n - 1.0), n))
        }
    })
}

/// `z = f(x, y)`: the sum of the contributions of both tangents. Each closure receives a tangent and both
/// arguments.
pub(super) fn binary(
    tape: &mut Tape<'_>,
    op: &BinaryOpIr,
    along_x: impl FnOnce(Symbol, Symbol, Symbol) -> Symbol,
    along_y: impl FnOnce(Symbol, Symbol, Symbol) -> Symbol,
) -> Known {
    let arguments = || (tape.primal(&op.lhs), tape.primal(&op.rhs));
    let ((x1, y1), (x2, y2)) = (arguments(), arguments());
    let from_x = tape
        .tangent(&op.lhs)
        .map(|t| expanded(along_x(t, x1, y1), &op.out.shape));
    let from_y = tape
        .tangent(&op.rhs)
        .map(|t| expanded(along_y(t, x2, y2), &op.out.shape));
    tape.set(&op.out, sum(from_x, from_y))?;
    Ok(true)
}
