//! Convolutions of one to three dimensions, and their backward operations.
//!
//! A convolution is bilinear in its input and its weight. So are both of its backward operations, in the
//! gradient and in the operand that is not differentiated by; the other operand only determines the shape
//! of the result.

use burn::backend::ops::ModuleOps;
use burn_ir::ModuleOperationIr as Op;

use super::super::calculus::{Known, bilinear, linear, over_channels};
use super::affine::{Affine, affine};
use crate::record::C;
use crate::rule::Tape;

macro_rules! forward {
    ($tape:ident, $o:ident, $conv:path) => {
        affine(
            $tape,
            Affine {
                x: &$o.x,
                weight: &$o.weight,
                bias: $o.bias.as_ref(),
                out: &$o.out,
            },
            |x, weight, bias| $conv(x, weight, bias, $o.options.clone().into()),
            over_channels,
        )
    };
}

macro_rules! input_backward {
    ($tape:ident, $o:ident, $backward:path) => {{
        let x = $tape.primal(&$o.x);
        bilinear($tape, &$o.weight, &$o.output_grad, &$o.out, |weight, g| {
            $backward(x.clone(), weight, g, $o.options.clone().into())
        })
    }};
}

macro_rules! weight_backward {
    ($tape:ident, $o:ident, $backward:path) => {{
        let weight = $tape.primal(&$o.weight);
        bilinear($tape, &$o.x, &$o.output_grad, &$o.out, |x, g| {
            $backward(x, weight.clone(), g, $o.options.clone().into())
        })
    }};
}

macro_rules! bias_backward {
    ($tape:ident, $o:ident, $backward:path) => {{
        let (x, bias) = ($tape.primal(&$o.x), $tape.primal(&$o.bias));
        linear($tape, &$o.output_grad, &$o.out, |g| $backward(x, bias, g))
    }};
}

pub(super) use {bias_backward, forward, weight_backward};

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Conv1d(o) => forward!(tape, o, C::conv1d),
        Op::Conv1dXBackward(o) => input_backward!(tape, o, C::conv1d_x_backward),
        Op::Conv1dWeightBackward(o) => weight_backward!(tape, o, C::conv1d_weight_backward),
        Op::Conv1dBiasBackward(o) => bias_backward!(tape, o, C::conv1d_bias_backward),
        Op::Conv2d(o) => forward!(tape, o, C::conv2d),
        Op::Conv2dXBackward(o) => input_backward!(tape, o, C::conv2d_x_backward),
        Op::Conv2dWeightBackward(o) => weight_backward!(tape, o, C::conv2d_weight_backward),
        Op::Conv2dBiasBackward(o) => bias_backward!(tape, o, C::conv2d_bias_backward),
        Op::Conv3d(o) => forward!(tape, o, C::conv3d),
        Op::Conv3dXBackward(o) => input_backward!(tape, o, C::conv3d_x_backward),
        Op::Conv3dWeightBackward(o) => weight_backward!(tape, o, C::conv3d_weight_backward),
        Op::Conv3dBiasBackward(o) => bias_backward!(tape, o, C::conv3d_bias_backward),
        _ => Ok(false),
    }
}
