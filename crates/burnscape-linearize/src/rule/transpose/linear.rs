//! Arithmetic, reductions and products.

use burn::backend::TensorMetadata;
use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::{Scalar, Shape};
use burn_ir::{
    ActivationOperationIr as Activation, FloatOperationIr as Float, MatmulOpIr,
    NumericOperationIr as Numeric, TensorIr,
};

use super::super::calculus::Known;
use super::broadcast::spread;
use super::cotangents::Cotangents;
use super::windows;
use crate::record::{C, Symbol};

pub(super) fn numeric(op: &Numeric, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Numeric::Add(o) => {
            tape.add(&o.lhs, c.clone())?;
            tape.add(&o.rhs, c)
        }
        Numeric::Sub(o) => {
            tape.add(&o.lhs, c.clone())?;
            // Summed first, where the operand was broadcast.
            let rhs = &o.rhs;
            tape.add_with(rhs, |_| {
                C::float_neg(super::broadcast::summed_to(c, &rhs.shape))
            })
        }
        Numeric::Neg(o) => tape.add(&o.input, C::float_neg(c)),
        Numeric::Mul(o) => {
            let (left, right) = (c.clone(), c);
            tape.bilinear(
                &o.lhs,
                &o.rhs,
                |_, y| C::float_mul(left, y),
                |_, x| C::float_mul(x, right),
            )
        }
        Numeric::Div(o) if !tape.moves(&o.rhs) => {
            let divisor = tape.primal(&o.rhs);
            tape.add(&o.lhs, C::float_div(c, divisor))
        }
        Numeric::MulScalar(o) => tape.add(&o.lhs, C::float_mul_scalar(c, o.rhs.into())),
        Numeric::DivScalar(o) => tape.add(&o.lhs, C::float_div_scalar(c, o.rhs.into())),
        Numeric::Sum(o) => tape.add(&o.input, spread(c, &o.input.shape)),
        Numeric::SumDim(o) => tape.add(&o.input, spread(c, &o.input.shape)),
        Numeric::SumDims(o) => tape.add(&o.input, spread(c, &o.input.shape)),
        Numeric::Mean(o) => mean(&o.input, o.input.shape.num_elements(), c, tape),
        Numeric::MeanDim(o) => mean(&o.input, o.input.shape[o.axis], c, tape),
        // The sum of everything that follows.
        Numeric::CumSum(o) => {
            let sums = C::float_cumsum(C::float_flip(c, &[o.axis]), o.axis);
            tape.add(&o.input, C::float_flip(sums, &[o.axis]))
        }
        Numeric::Pad(o) => windows::pad(o, c, tape),
        _ => Ok(false),
    }
}

/// A mean of `count` elements.
fn mean(x: &TensorIr, count: usize, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    let part = C::float_div_scalar(c, Scalar::Float(count as f64));
    tape.add(x, spread(part, &x.shape))
}

pub(super) fn float(op: &Float, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Float::Matmul(o) => matmul(o, c, tape),
        // c · (t × b) = t · (b × c), and c · (a × t) = t · (c × a).
        Float::Cross(o) => {
            let (left, right) = (c.clone(), c);
            tape.bilinear(
                &o.lhs,
                &o.rhs,
                |_, b| C::float_cross(b, left, o.dim),
                |_, a| C::float_cross(right, a, o.dim),
            )
        }
        _ => Ok(false),
    }
}

/// `C Yᵀ` and `Xᵀ C`. Where a batch has a single `Y`, its cotangent is one product over all rows, and no sum of
/// a batch of products.
fn matmul(op: &MatmulOpIr, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    let last = op.out.shape.num_dims() - 1;
    let turned = move |x: Symbol| C::float_swap_dims(x, last - 1, last);
    let is_batch_of_one = matrices(&op.rhs) == 1 && matrices(&op.lhs) > 1;
    let rows = |x: Symbol| {
        let axes = x.shape();
        let rows = axes[..last].iter().product();
        C::float_reshape(x, Shape::from([rows, axes[last]]))
    };
    let (left, right) = (c.clone(), c);
    tape.bilinear(
        &op.lhs,
        &op.rhs,
        |_, y| C::float_matmul(left, turned(y)),
        |_, x| {
            if is_batch_of_one {
                let product = C::float_matmul(C::float_swap_dims(rows(x), 0, 1), rows(right));
                C::float_reshape(product, op.rhs.shape.clone())
            } else {
                C::float_matmul(turned(x), right)
            }
        },
    )
}

fn matrices(tensor: &TensorIr) -> usize {
    let axes = tensor.shape.as_slice();
    axes[..axes.len() - 2].iter().product()
}

pub(super) fn activation(op: &Activation, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        // lhs is an output, which decides where the tangent passes.
        Activation::ReluBackward(o) if !tape.moves(&o.lhs) => {
            let y = tape.primal(&o.lhs);
            tape.add(&o.rhs, C::relu_backward(y, c))
        }
        _ => Ok(false),
    }
}
