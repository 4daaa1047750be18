//! Activations that Burn records as one operation, and their backward operations.

use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::Scalar;
use burn_ir::ActivationOperationIr as Op;

use super::calculus::{Known, binary, linear, scaled, shifted, unary};
use super::tape::Tape;
use crate::record::{C, Symbol};

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        // The tangent where the output is positive. Burn's backward operation computes exactly this from the
        // output, which is available anyway; a mask would be an additional residual.
        Op::Relu(o) => {
            let y = tape.primal(&o.out);
            linear(tape, &o.input, &o.out, |t| C::relu_backward(y, t))
        }
        // lhs is the output, rhs the gradient.
        Op::ReluBackward(o) => {
            let y = tape.primal(&o.lhs);
            linear(tape, &o.rhs, &o.out, |t| C::relu_backward(y, t))
        }
        Op::LeakyRelu(o) => {
            let x = tape.primal(&o.lhs);
            let negative = C::float_lower_elem(x, Scalar::Float(0.0), tape.bool_dtype());
            let slope = o.rhs.elem::<f64>();
            linear(tape, &o.lhs, &o.out, |t| {
                C::float_mask_where(t.clone(), negative, scaled(t, slope))
            })
        }
        // σ(x) σ(−x): of 1 − σ(x) nothing is left once σ(x) rounds to one.
        Op::Sigmoid(o) => unary(tape, o, |x, y| C::float_mul(y, C::sigmoid(C::float_neg(x)))),
        // lhs is the output y, rhs the gradient g: g y (1 − y). Written out where y is known to be σ(x).
        Op::SigmoidBackward(o) => binary(
            tape,
            o,
            |t, y, g| C::float_mul(t, C::float_mul(g, shifted(scaled(y, -2.0), 1.0))),
            |t, y, _| C::float_mul(t, sigmoid_slope(y)),
        ),
        Op::Softmax(o) => {
            let y = tape.primal(&o.out);
            linear(tape, &o.input, &o.out, |t| {
                let mean = C::float_sum_dim(C::float_mul(t.clone(), y.clone()), o.axis);
                C::float_mul(y, C::float_sub(t, mean))
            })
        }
        Op::LogSoftmax(o) => {
            let y = C::float_exp(tape.primal(&o.out));
            linear(tape, &o.input, &o.out, |t| {
                let mean = C::float_sum_dim(C::float_mul(t.clone(), y), o.axis);
                C::float_sub(t, mean)
            })
        }
        // softmax(−x)
        Op::Softmin(o) => {
            let y = tape.primal(&o.out);
            linear(tape, &o.input, &o.out, |t| {
                let mean = C::float_sum_dim(C::float_mul(t.clone(), y.clone()), o.axis);
                C::float_mul(y, C::float_sub(mean, t))
            })
        }
        // d ln σ(x) = σ(−x) dx
        Op::LogSigmoid(o) => unary(tape, o, |x, _| C::sigmoid(C::float_neg(x))),
        // lhs is x, rhs the gradient g: g σ(−x), of which the slope in x is −g σ(x) σ(−x).
        Op::LogSigmoidBackward(o) => binary(
            tape,
            o,
            |t, x, g| {
                let slope = C::float_mul(C::sigmoid(x.clone()), C::sigmoid(C::float_neg(x)));
                C::float_neg(C::float_mul(t, C::float_mul(g, slope)))
            },
            |t, x, _| C::float_mul(t, C::sigmoid(C::float_neg(x))),
        ),
        // clamp(αx + β, 0, 1): α strictly between the bounds.
        Op::HardSigmoid(o) => {
            let y = tape.primal(&o.out);
            let low = C::float_lower_equal_elem(y.clone(), Scalar::Float(0.0), tape.bool_dtype());
            let high = C::float_greater_equal_elem(y, Scalar::Float(1.0), tape.bool_dtype());
            let alpha = o.alpha.elem::<f64>();
            linear(tape, &o.tensor, &o.out, |t| {
                let t = C::float_mask_fill(scaled(t, alpha), low, Scalar::Float(0.0));
                C::float_mask_fill(t, high, Scalar::Float(0.0))
            })
        }
        // Gelu, its backward and PRelu are decomposed before differentiation.
        _ => Ok(false),
    }
}

/// `y (1 − y)`.
fn sigmoid_slope(y: Symbol) -> Symbol {
    C::float_mul(y.clone(), shifted(C::float_neg(y), 1.0))
}
