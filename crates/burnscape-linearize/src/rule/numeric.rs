//! Arithmetic and reductions.

use burn::backend::ops::{FloatTensorOps, PadMode};
use burn::tensor::Scalar;
use burn_ir::NumericOperationIr as Op;

use super::calculus::{Known, binary, linear, power, unary};
use super::tape::Tape;
use crate::lower::{cumulative_tangent, exclusive, exclusive_of_all};
use crate::record::C;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Add(o) => binary(tape, o, |t, _, _| t, |t, _, _| t),
        Op::Sub(o) => binary(tape, o, |t, _, _| t, |t, _, _| C::float_neg(t)),
        Op::Mul(o) => binary(
            tape,
            o,
            |t, _, y| C::float_mul(t, y),
            |t, x, _| C::float_mul(x, t),
        ),
        Op::Div(o) => {
            let z = tape.primal(&o.out);
            binary(
                tape,
                o,
                |t, _, y| C::float_div(t, y),
                |t, _, y| C::float_neg(C::float_mul(C::float_div(t, y), z)),
            )
        }
        // a − b ⌊a/b⌋
        Op::Rem(o) => binary(
            tape,
            o,
            |t, _, _| t,
            |t, x, y| C::float_neg(C::float_mul(t, C::float_floor(C::float_div(x, y)))),
        ),
        Op::AddScalar(o) | Op::SubScalar(o) | Op::RemScalar(o) => {
            linear(tape, &o.lhs, &o.out, |t| t)
        }
        Op::MulScalar(o) => linear(tape, &o.lhs, &o.out, |t| {
            C::float_mul_scalar(t, o.rhs.into())
        }),
        Op::DivScalar(o) => linear(tape, &o.lhs, &o.out, |t| {
            C::float_div_scalar(t, o.rhs.into())
        }),
        Op::Neg(o) => linear(tape, &o.input, &o.out, C::float_neg),
        Op::Abs(o) => unary(tape, o, |x, _| C::float_sign(x)),
        Op::Sign(_) => Ok(true),
        Op::PowiScalar(o) => power(tape, o, |x, n| {
            C::float_powi_scalar(x, Scalar::Int(n as i64))
        }),
        Op::Sum(o) => linear(tape, &o.input, &o.out, C::float_sum),
        Op::Mean(o) => linear(tape, &o.input, &o.out, C::float_mean),
        Op::SumDim(o) => linear(tape, &o.input, &o.out, |t| C::float_sum_dim(t, o.axis)),
        Op::MeanDim(o) => linear(tape, &o.input, &o.out, |t| C::float_mean_dim(t, o.axis)),
        Op::SumDims(o) => linear(tape, &o.input, &o.out, |t| C::float_sum_dims(t, &o.axes)),
        Op::CumSum(o) => linear(tape, &o.input, &o.out, |t| C::float_cumsum(t, o.axis)),
        // Each tangent times the product of the other factors, without division: a factor may be zero.
        Op::Prod(o) => {
            let (x, device) = (tape.primal(&o.input), tape.device());
            linear(tape, &o.input, &o.out, |t| {
                let moved = C::float_mul(t, exclusive_of_all(x, &device));
                C::float_reshape(C::float_sum(moved), o.out.shape.clone())
            })
        }
        Op::ProdDim(o) => {
            let (x, device) = (tape.primal(&o.input), tape.device());
            linear(tape, &o.input, &o.out, |t| {
                C::float_sum_dim(C::float_mul(t, exclusive(x, o.axis, &device)), o.axis)
            })
        }
        Op::CumProd(o) => {
            let x = tape.primal(&o.input);
            linear(tape, &o.input, &o.out, |t| cumulative_tangent(x, t, o.axis))
        }
        // The tangent passes inside the bounds.
        Op::Clamp(o) => {
            let x = tape.primal(&o.tensor);
            let below = C::float_lower_elem(x.clone(), o.min.into(), tape.bool_dtype());
            let above = C::float_greater_elem(x, o.max.into(), tape.bool_dtype());
            linear(tape, &o.tensor, &o.out, |t| {
                let t = C::float_mask_fill(t, below, Scalar::Float(0.0));
                C::float_mask_fill(t, above, Scalar::Float(0.0))
            })
        }
        Op::ClampMin(o) => {
            let below = C::float_lower_elem(tape.primal(&o.lhs), o.rhs.into(), tape.bool_dtype());
            linear(tape, &o.lhs, &o.out, |t| {
                C::float_mask_fill(t, below, Scalar::Float(0.0))
            })
        }
        Op::ClampMax(o) => {
            let above = C::float_greater_elem(tape.primal(&o.lhs), o.rhs.into(), tape.bool_dtype());
            linear(tape, &o.lhs, &o.out, |t| {
                C::float_mask_fill(t, above, Scalar::Float(0.0))
            })
        }
        Op::Pad(o) => {
            // Constant padding has no tangent; reflected and repeated edges do.
            let mode = match o.mode.into() {
                PadMode::Constant(_) => PadMode::Constant(0.0),
                mode => mode,
            };
            linear(tape, &o.input, &o.out, |t| {
                C::float_pad(t, &o.padding, mode)
            })
        }
        _ => Ok(false),
    }
}
