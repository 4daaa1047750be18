//! Data movement: linear in the values moved.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps};
use burn::tensor::{IndexingUpdateOp, Scalar};
use burn_ir::BaseOperationIr as Op;

use super::calculus::{Known, expanded, float_dtype, linear, or_zeros, sum};
use super::tape::Tape;
use crate::record::C;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Reshape(o) => linear(tape, &o.input, &o.out, |t| {
            C::float_reshape(t, o.out.shape.clone())
        }),
        Op::Expand(o) => linear(tape, &o.input, &o.out, |t| {
            C::float_expand(t, o.out.shape.clone())
        }),
        Op::SwapDims(o) => linear(tape, &o.input, &o.out, |t| {
            C::float_swap_dims(t, o.dim1, o.dim2)
        }),
        Op::Permute(o) => linear(tape, &o.input, &o.out, |t| C::float_permute(t, &o.axes)),
        Op::Flip(o) => linear(tape, &o.input, &o.out, |t| C::float_flip(t, &o.axes)),
        Op::Unfold(o) => linear(tape, &o.input, &o.out, |t| {
            C::float_unfold(t, o.dim, o.size, o.step)
        }),
        Op::Slice(o) => linear(tape, &o.tensor, &o.out, |t| C::float_slice(t, &o.ranges)),
        Op::RepeatDim(o) => linear(tape, &o.tensor, &o.out, |t| {
            C::float_repeat_dim(t, o.dim, o.times)
        }),
        Op::Cast(o) => linear(tape, &o.input, &o.out, |t| {
            C::float_cast(t, float_dtype(o.out.dtype))
        }),
        Op::Select(o) => {
            let indices = tape.primal(&o.indices);
            linear(tape, &o.tensor, &o.out, |t| {
                C::float_select(t, o.dim, indices)
            })
        }
        Op::Gather(o) => {
            let indices = tape.primal(&o.indices);
            linear(tape, &o.tensor, &o.out, |t| {
                C::float_gather(o.dim, t, indices)
            })
        }
        Op::GatherNd(o) => {
            let indices = tape.primal(&o.indices);
            linear(tape, &o.data, &o.out, |t| C::float_gather_nd(t, indices))
        }
        Op::Cat(o) => {
            let parts = o
                .tensors
                .iter()
                .map(|tensor| or_zeros(tensor, tape))
                .collect();
            let tangent = C::float_cat(parts, o.dim);
            tape.set(&o.out, Some(tangent))?;
            Ok(true)
        }
        Op::SliceAssign(o) => {
            let (t, value) = (or_zeros(&o.tensor, tape), or_zeros(&o.value, tape));
            tape.set(&o.out, Some(C::float_slice_assign(t, &o.ranges, value)))?;
            Ok(true)
        }
        // Linear in both arguments for addition and assignment, not for products and extrema.
        Op::Scatter(o) if is_linear(&o.update) => {
            let (t, value) = (or_zeros(&o.tensor, tape), or_zeros(&o.value, tape));
            let indices = tape.primal(&o.indices);
            tape.set(
                &o.out,
                Some(C::float_scatter(o.dim, t, indices, value, o.update)),
            )?;
            Ok(true)
        }
        Op::SelectAssign(o) if is_linear(&o.update) => {
            let (t, value) = (or_zeros(&o.tensor, tape), or_zeros(&o.value, tape));
            let indices = tape.primal(&o.indices);
            tape.set(
                &o.out,
                Some(C::float_select_assign(t, o.dim, indices, value, o.update)),
            )?;
            Ok(true)
        }
        Op::ScatterNd(o) if is_linear(&o.reduction) => {
            let (t, value) = (or_zeros(&o.data, tape), or_zeros(&o.values, tape));
            let indices = tape.primal(&o.indices);
            tape.set(
                &o.out,
                Some(C::float_scatter_nd(t, indices, value, o.reduction)),
            )?;
            Ok(true)
        }
        Op::MaskFill(o) => {
            let mask = tape.primal(&o.mask);
            linear(tape, &o.tensor, &o.out, |t| {
                C::float_mask_fill(t, mask, Scalar::Float(0.0))
            })
        }
        Op::MaskWhere(o) => {
            let mask = tape.primal(&o.mask);
            let outside = C::bool_not(mask.clone());
            let kept = tape
                .tangent(&o.tensor)
                .map(|t| C::float_mask_fill(expanded(t, &o.out.shape), mask, Scalar::Float(0.0)));
            let put = tape.tangent(&o.value).map(|t| {
                C::float_mask_fill(expanded(t, &o.out.shape), outside, Scalar::Float(0.0))
            });
            tape.set(&o.out, sum(kept, put))?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn is_linear(update: &IndexingUpdateOp) -> bool {
    matches!(update, IndexingUpdateOp::Add | IndexingUpdateOp::Assign)
}
