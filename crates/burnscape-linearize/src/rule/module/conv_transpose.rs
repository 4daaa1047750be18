//! Transposed convolutions of one to three dimensions. The backward operation with respect to their input is an
//! ordinary convolution.

use burn::backend::ops::ModuleOps;
use burn_ir::ModuleOperationIr as Op;

use super::super::calculus::{Known, bilinear, linear, over_channels};
use super::affine::{Affine, affine};
use super::conv::{bias_backward, forward, weight_backward};
use crate::record::C;
use crate::rule::Tape;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::ConvTranspose1d(o) => forward!(tape, o, C::conv_transpose1d),
        Op::ConvTranspose1dWeightBackward(o) => {
            weight_backward!(tape, o, C::conv_transpose1d_weight_backward)
        }
        Op::ConvTranspose1dBiasBackward(o) => {
            bias_backward!(tape, o, C::conv_transpose1d_bias_backward)
        }
        Op::ConvTranspose2d(o) => forward!(tape, o, C::conv_transpose2d),
        Op::ConvTranspose2dWeightBackward(o) => {
            weight_backward!(tape, o, C::conv_transpose2d_weight_backward)
        }
        Op::ConvTranspose2dBiasBackward(o) => {
            bias_backward!(tape, o, C::conv_transpose2d_bias_backward)
        }
        Op::ConvTranspose3d(o) => forward!(tape, o, C::conv_transpose3d),
        Op::ConvTranspose3dWeightBackward(o) => {
            weight_backward!(tape, o, C::conv_transpose3d_weight_backward)
        }
        Op::ConvTranspose3dBiasBackward(o) => {
            bias_backward!(tape, o, C::conv_transpose3d_bias_backward)
        }
        _ => Ok(false),
    }
}
