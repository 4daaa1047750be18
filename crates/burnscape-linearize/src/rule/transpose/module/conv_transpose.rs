//! Transposed convolutions of one to three dimensions, and their backward operations.

use burn::backend::TensorMetadata;
use burn::backend::ops::{ConvOptions, FloatTensorOps, ModuleOps};
use burn::tensor::{Shape, Slice};
use burn_ir::ModuleOperationIr as Op;

use super::super::super::calculus::{Known, over_channels};
use super::conv::{bias_backward, summed_channels};
use crate::record::{C, Symbol};
use crate::rule::Cotangents;

/// The ordinary convolution that a transposed convolution is the transposition of.
macro_rules! conv_options {
    ($o:ident) => {
        ConvOptions::new(
            $o.options.stride,
            $o.options.padding,
            $o.options.dilation,
            $o.options.groups,
        )
    };
}

macro_rules! forward {
    ($tape:ident, $c:ident, $o:ident, $conv:path, $weight_backward:path) => {{
        if let Some(bias) = &$o.bias {
            let c = $c.clone();
            $tape.add_with(bias, |_| summed_channels(c, bias))?;
        }
        $tape.bilinear(
            &$o.x,
            &$o.weight,
            |_, weight| {
                let x = $conv($c.clone(), weight, None, conv_options!($o));
                cut(x, &$o.x.shape)
            },
            |tape, x| {
                let weight = tape.blank(&$o.weight);
                $weight_backward(x, weight, $c.clone(), $o.options.clone().into())
            },
        )
    }};
}

macro_rules! weight_backward {
    ($tape:ident, $c:ident, $o:ident, $conv_transpose:path, $conv:path) => {
        $tape.bilinear(
            &$o.x,
            &$o.output_grad,
            |_, g| {
                let x = $conv(g, $c.clone(), None, conv_options!($o));
                cut(x, &$o.x.shape)
            },
            |_, x| $conv_transpose(x, $c.clone(), None, $o.options.clone().into()),
        )
    };
}

pub(super) fn apply(op: &Op, c: &Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Op::ConvTranspose1d(o) => {
            forward!(tape, c, o, C::conv1d, C::conv_transpose1d_weight_backward)
        }
        Op::ConvTranspose2d(o) => {
            forward!(tape, c, o, C::conv2d, C::conv_transpose2d_weight_backward)
        }
        Op::ConvTranspose3d(o) => {
            forward!(tape, c, o, C::conv3d, C::conv_transpose3d_weight_backward)
        }
        Op::ConvTranspose1dWeightBackward(o) => {
            weight_backward!(tape, c, o, C::conv_transpose1d, C::conv1d)
        }
        Op::ConvTranspose2dWeightBackward(o) => {
            weight_backward!(tape, c, o, C::conv_transpose2d, C::conv2d)
        }
        Op::ConvTranspose3dWeightBackward(o) => {
            weight_backward!(tape, c, o, C::conv_transpose3d, C::conv3d)
        }
        Op::ConvTranspose1dBiasBackward(o) => bias_backward!(tape, c, o),
        Op::ConvTranspose2dBiasBackward(o) => bias_backward!(tape, c, o),
        Op::ConvTranspose3dBiasBackward(o) => bias_backward!(tape, c, o),
        _ => Ok(false),
    }
}

/// Padding of the output gives a convolution windows that the input does not have.
fn cut(x: Symbol, shape: &Shape) -> Symbol {
    if x.shape() == *shape {
        return x;
    }
    let ranges: Vec<Slice> = shape.iter().map(|&len| Slice::from(0..len)).collect();
    C::float_slice(x, &ranges)
}
