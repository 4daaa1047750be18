//! Functions of real numbers, and the matrix product.

use std::f64::consts::PI;

use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::tensor::{BoolDType, Scalar};
use burn_ir::FloatOperationIr as Op;

use super::calculus::{
    Known, bilinear, binary, expanded, power, scaled, shifted, square, sum, unary,
};
use super::tape::Tape;
use crate::record::{C, Symbol};

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Exp(o) => unary(tape, o, |_, y| y),
        Op::Log(o) => unary(tape, o, |x, _| C::float_recip(x)),
        Op::Log1p(o) => unary(tape, o, |x, _| C::float_recip(shifted(x, 1.0))),
        Op::Sqrt(o) => unary(tape, o, |_, y| scaled(C::float_recip(y), 0.5)),
        Op::Recip(o) => unary(tape, o, |_, y| C::float_neg(square(y))),
        Op::Erf(o) => unary(tape, o, |x, _| {
            scaled(C::float_exp(C::float_neg(square(x))), 2.0 / PI.sqrt())
        }),
        Op::Sin(o) => unary(tape, o, |x, _| C::float_cos(x)),
        Op::Cos(o) => unary(tape, o, |x, _| C::float_neg(C::float_sin(x))),
        Op::Tan(o) => unary(tape, o, |_, y| shifted(square(y), 1.0)),
        Op::Sinh(o) => unary(tape, o, |x, _| C::float_cosh(x)),
        Op::Cosh(o) => unary(tape, o, |x, _| C::float_sinh(x)),
        Op::Tanh(o) => unary(tape, o, |_, y| shifted(C::float_neg(square(y)), 1.0)),
        // 1/√(1 − x²) and related derivatives.
        Op::ArcSin(o) => unary(tape, o, |x, _| {
            C::float_recip(C::float_sqrt(shifted(C::float_neg(square(x)), 1.0)))
        }),
        Op::ArcCos(o) => unary(tape, o, |x, _| {
            let root = C::float_sqrt(shifted(C::float_neg(square(x)), 1.0));
            C::float_neg(C::float_recip(root))
        }),
        Op::ArcTan(o) => unary(tape, o, |x, _| C::float_recip(shifted(square(x), 1.0))),
        Op::ArcSinh(o) => unary(tape, o, |x, _| {
            C::float_recip(C::float_sqrt(shifted(square(x), 1.0)))
        }),
        Op::ArcCosh(o) => unary(tape, o, |x, _| {
            C::float_recip(C::float_sqrt(shifted(square(x), -1.0)))
        }),
        Op::ArcTanh(o) => unary(tape, o, |x, _| {
            C::float_recip(shifted(C::float_neg(square(x)), 1.0))
        }),
        // The angle of (x, y): (x dy − y dx) / (x² + y²), with y the first argument.
        Op::ArcTan2(o) => binary(
            tape,
            o,
            |t, y, x| {
                C::float_div(
                    C::float_mul(t, x.clone()),
                    C::float_add(square(x), square(y)),
                )
            },
            |t, y, x| {
                let part = C::float_mul(t, C::float_neg(y.clone()));
                C::float_div(part, C::float_add(square(x), square(y)))
            },
        ),
        Op::Hypot(o) => {
            let (z1, z2) = (tape.primal(&o.out), tape.primal(&o.out));
            binary(
                tape,
                o,
                |t, x, _| C::float_div(C::float_mul(t, x), z1),
                |t, _, y| C::float_div(C::float_mul(t, y), z2),
            )
        }
        Op::PowfScalar(o) => power(tape, o, |x, n| C::float_powf_scalar(x, Scalar::Float(n))),
        // d(x^y) = y x^(y−1) dx + ln x · x^y dy
        Op::Powf(o) => {
            let z = tape.primal(&o.out);
            let (masks, shape) = (tape.bool_dtype(), &o.out.shape);
            // At x = 0 the first slope is zero for y = 0 and the second for y > 0; evaluated directly they are 0 · ∞.
            let zero =
                |value: Symbol, x: Symbol, y: Symbol, y_is: fn(Symbol, BoolDType) -> Symbol| {
                    let both = C::bool_and(
                        is_zero(expanded(x, shape), masks),
                        y_is(expanded(y, shape), masks),
                    );
                    C::float_mask_fill(expanded(value, shape), both, Scalar::Float(0.0))
                };
            binary(
                tape,
                o,
                |t, x, y| {
                    let less = shifted(y.clone(), -1.0);
                    let slope = C::float_mul(y.clone(), C::float_powf(x.clone(), less));
                    C::float_mul(t, zero(slope, x, y, is_zero))
                },
                |t, x, y| {
                    let slope = C::float_mul(C::float_log(x.clone()), z);
                    C::float_mul(
                        t,
                        zero(slope, x, y, |y, masks| {
                            C::float_greater_elem(y, Scalar::Float(0.0), masks)
                        }),
                    )
                },
            )
        }
        // Piecewise constant.
        Op::Round(_) | Op::Floor(_) | Op::Ceil(_) | Op::Trunc(_) => Ok(true),
        Op::Matmul(o) => bilinear(tape, &o.lhs, &o.rhs, &o.out, C::float_matmul),
        Op::Cross(o) => {
            let (a, b) = (tape.primal(&o.lhs), tape.primal(&o.rhs));
            let left = tape.tangent(&o.lhs).map(|t| C::float_cross(t, b, o.dim));
            let right = tape.tangent(&o.rhs).map(|t| C::float_cross(a, t, o.dim));
            let widen = |t| expanded(t, &o.out.shape);
            tape.set(&o.out, sum(left.map(widen), right.map(widen)))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Where a number is zero. Compared by size, because rules must not introduce comparisons for equality.
fn is_zero(x: Symbol, masks: BoolDType) -> Symbol {
    C::float_lower_equal_elem(C::float_abs(x), Scalar::Float(0.0), masks)
}
