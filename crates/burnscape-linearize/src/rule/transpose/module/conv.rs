//! Convolutions of one to three dimensions, and their backward operations.
//!
//! A convolution `y = x ∗ w` defines a form `⟨c, x ∗ w⟩` that is linear in each of its three arguments. Convolution and
//! its two backward operations are its derivatives by one of them, and so are their transpositions.

use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn_ir::{ModuleOperationIr as Op, TensorIr};

use super::super::super::calculus::{Known, over_channels};
use crate::record::{C, Symbol};
use crate::rule::Cotangents;

macro_rules! forward {
    ($tape:ident, $c:ident, $o:ident, $x_backward:path, $weight_backward:path) => {{
        if let Some(bias) = &$o.bias {
            let c = $c.clone();
            $tape.add_with(bias, |_| summed_channels(c, bias))?;
        }
        let options = || $o.options.clone().into();
        $tape.bilinear(
            &$o.x,
            &$o.weight,
            |tape, weight| $x_backward(tape.blank(&$o.x), weight, $c.clone(), options()),
            |tape, x| $weight_backward(x, tape.blank(&$o.weight), $c.clone(), options()),
        )
    }};
}

macro_rules! x_backward {
    ($tape:ident, $c:ident, $o:ident, $conv:path, $weight_backward:path) => {{
        let options = || $o.options.clone().into();
        $tape.bilinear(
            &$o.weight,
            &$o.output_grad,
            |tape, g| $weight_backward($c.clone(), tape.blank(&$o.weight), g, options()),
            |_, weight| $conv($c.clone(), weight, None, options()),
        )
    }};
}

macro_rules! weight_backward {
    ($tape:ident, $c:ident, $o:ident, $conv:path, $x_backward:path) => {{
        let options = || $o.options.clone().into();
        $tape.bilinear(
            &$o.x,
            &$o.output_grad,
            |tape, g| $x_backward(tape.blank(&$o.x), $c.clone(), g, options()),
            |_, x| $conv(x, $c.clone(), None, options()),
        )
    }};
}

macro_rules! bias_backward {
    ($tape:ident, $c:ident, $o:ident) => {{
        let g = &$o.output_grad;
        let c = $c.clone();
        $tape.add_with(g, |_| over_channels(c, &g.shape))
    }};
}

pub(super) use bias_backward;

pub(super) fn apply(op: &Op, c: &Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Op::Conv1d(o) => forward!(tape, c, o, C::conv1d_x_backward, C::conv1d_weight_backward),
        Op::Conv2d(o) => forward!(tape, c, o, C::conv2d_x_backward, C::conv2d_weight_backward),
        Op::Conv3d(o) => forward!(tape, c, o, C::conv3d_x_backward, C::conv3d_weight_backward),
        Op::Conv1dXBackward(o) => {
            x_backward!(tape, c, o, C::conv1d, C::conv1d_weight_backward)
        }
        Op::Conv2dXBackward(o) => {
            x_backward!(tape, c, o, C::conv2d, C::conv2d_weight_backward)
        }
        Op::Conv3dXBackward(o) => {
            x_backward!(tape, c, o, C::conv3d, C::conv3d_weight_backward)
        }
        Op::Conv1dWeightBackward(o) => {
            weight_backward!(tape, c, o, C::conv1d, C::conv1d_x_backward)
        }
        Op::Conv2dWeightBackward(o) => {
            weight_backward!(tape, c, o, C::conv2d, C::conv2d_x_backward)
        }
        Op::Conv3dWeightBackward(o) => {
            weight_backward!(tape, c, o, C::conv3d, C::conv3d_x_backward)
        }
        Op::Conv1dBiasBackward(o) => bias_backward!(tape, c, o),
        Op::Conv2dBiasBackward(o) => bias_backward!(tape, c, o),
        Op::Conv3dBiasBackward(o) => bias_backward!(tape, c, o),
        _ => Ok(false),
    }
}

/// The sum over everything except the channels, in the shape of `bias`.
pub(super) fn summed_channels(c: Symbol, bias: &TensorIr) -> Symbol {
    use burn::backend::TensorMetadata;
    let axes: Vec<usize> = (0..c.shape().num_dims())
        .filter(|&axis| axis != 1)
        .collect();
    C::float_reshape(C::float_sum_dims(c, &axes), bias.shape.clone())
}
