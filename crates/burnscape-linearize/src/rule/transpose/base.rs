//! Data movement.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, PadMode};
use burn::tensor::{Scalar, Shape, Slice};
use burn_ir::{BaseOperationIr as Op, SliceOpIr};

use super::super::calculus::{Known, expanded, float_dtype};
use super::cotangents::Cotangents;
use super::windows;
use crate::record::{C, Symbol};

pub(super) fn apply(op: &Op, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Op::Reshape(o) => tape.add(&o.input, C::float_reshape(c, o.input.shape.clone())),
        // The sum over the axes that were expanded is taken where cotangents are added.
        Op::Expand(o) => tape.add(&o.input, c),
        Op::SwapDims(o) => tape.add(&o.input, C::float_swap_dims(c, o.dim1, o.dim2)),
        Op::Permute(o) => {
            let mut back = vec![0; o.axes.len()];
            for (to, &from) in o.axes.iter().enumerate() {
                back[from] = to;
            }
            tape.add(&o.input, C::float_permute(c, &back))
        }
        Op::Flip(o) => tape.add(&o.input, C::float_flip(c, &o.axes)),
        Op::Unfold(o) => windows::unfold(o, c, tape),
        Op::Slice(o) => slice(o, c, tape),
        Op::SliceAssign(o) => {
            let assigned = c.clone();
            tape.add_with(&o.tensor, |tape| {
                C::float_slice_assign(assigned, &o.ranges, tape.blank(&o.value))
            })?;
            tape.add_with(&o.value, |_| C::float_slice(c, &o.ranges))
        }
        Op::RepeatDim(o) => {
            // Each copy on an axis of its own.
            let mut copies = o.tensor.shape.as_slice().to_vec();
            copies.insert(o.dim, o.times);
            let sum = C::float_sum_dim(C::float_reshape(c, Shape::from(copies)), o.dim);
            tape.add(&o.tensor, C::float_reshape(sum, o.tensor.shape.clone()))
        }
        Op::Cast(o) => tape.add(&o.input, C::float_cast(c, float_dtype(o.input.dtype))),
        Op::Cat(o) => {
            let mut start = 0;
            for part in &o.tensors {
                let end = start + part.shape[o.dim];
                let mut ranges = vec![Slice::full(); part.shape.num_dims()];
                ranges[o.dim] = Slice::from(start..end);
                tape.add_with(part, |_| C::float_slice(c.clone(), &ranges))?;
                start = end;
            }
            Ok(true)
        }
        Op::MaskFill(o) => {
            let mask = tape.primal(&o.mask);
            let kept = C::float_mask_fill(c, mask, Scalar::Float(0.0));
            tape.add(&o.tensor, kept)
        }
        Op::MaskWhere(o) => {
            let mask = tape.primal(&o.mask);
            let c = expanded(c, &o.out.shape);
            let (inside, outside) = (mask.clone(), c.clone());
            tape.add_with(&o.tensor, |_| {
                C::float_mask_fill(outside, inside, Scalar::Float(0.0))
            })?;
            tape.add_with(&o.value, |_| {
                C::float_mask_fill(c, C::bool_not(mask), Scalar::Float(0.0))
            })
        }
        _ => Ok(false),
    }
}

/// The cotangent of a slice, in its place. Where the tensor has a cotangent already, only the slice of it changes:
/// with a padded term for each of many slices, the cost would be that of the whole tensor for each.
fn slice(op: &SliceOpIr, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    let cotangent = match tape.of(&op.tensor) {
        Some(sum) => {
            let changed = C::float_add(C::float_slice(sum.clone(), &op.ranges), c);
            C::float_slice_assign(sum, &op.ranges, changed)
        }
        None => match padding(op) {
            Some(padding) => C::float_pad(c, &padding, PadMode::Constant(0.0)),
            None => C::float_slice_assign(tape.zeros(&op.tensor), &op.ranges, c),
        },
    };
    tape.replace(&op.tensor, cotangent)?;
    Ok(true)
}

/// The elements before and after a slice along each axis; `None` if it skips elements.
fn padding(op: &SliceOpIr) -> Option<Vec<(usize, usize)>> {
    let shape = op.tensor.shape.as_slice();
    let ends = |(axis, &len): (usize, &usize)| {
        let Some(range) = op.ranges.get(axis) else {
            return Some((0, 0));
        };
        if range.step != 1 {
            return None;
        }
        let range = range.to_range(len);
        // An empty slice may end before its start.
        Some((range.start, len - range.end.max(range.start)))
    };
    shape.iter().enumerate().map(ends).collect()
}
