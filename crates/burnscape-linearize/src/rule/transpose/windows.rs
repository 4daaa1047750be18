//! Operations that read elements more than once: sliding windows and padding with values of the tensor. Each
//! is a selection along axes, whose transposition adds at the indices selected.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, PadMode};
use burn::tensor::{IndexingUpdateOp, Shape, Slice};
use burn_ir::{PadOpIr, TensorIr, Unfold4dOpIr, UnfoldOpIr};

use super::super::calculus::Known;
use super::cotangents::Cotangents;
use crate::record::{C, Symbol};

/// Adds the places of `c` along an axis at `indices` of zeros of length `len`.
fn added_at(
    tape: &Cotangents<'_>,
    c: Symbol,
    axis: usize,
    indices: Vec<i64>,
    len: usize,
    like: &TensorIr,
) -> Symbol {
    let mut shape = c.shape().as_slice().to_vec();
    shape[axis] = len;
    let zeros = tape.zeros_of(Shape::from(shape), like);
    let indices = tape.indices(indices);
    C::float_select_assign(zeros, axis, indices, c, IndexingUpdateOp::Add)
}

/// Windows along one axis, whose elements are on an additional last axis.
pub(super) fn unfold(op: &UnfoldOpIr, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    let rank = op.input.shape.num_dims();
    let windows = op.out.shape[op.dim];
    // The elements of a window next to the windows.
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.insert(op.dim + 1, rank);
    let mut merged = op.input.shape.as_slice().to_vec();
    merged[op.dim] = windows * op.size;
    let c = C::float_reshape(C::float_permute(c, &axes), Shape::from(merged));
    let windows = (0..windows).flat_map(|window| {
        let start = window * op.step;
        (start..start + op.size).map(|place| place as i64)
    });
    let len = op.input.shape[op.dim];
    let sum = added_at(tape, c, op.dim, windows.collect(), len, &op.input);
    tape.add(&op.input, sum)
}

/// Padding along each axis.
pub(super) fn pad(op: &PadOpIr, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    let shape = op.input.shape.as_slice();
    let mode: PadMode = op.mode.into();
    if let PadMode::Constant(_) = mode {
        let inside = shape.iter().zip(&op.padding);
        let inside = inside.map(|(&len, &(before, _))| Slice::from(before..before + len));
        return tape.add(&op.input, C::float_slice(c, &inside.collect::<Vec<_>>()));
    }
    let mut sum = c;
    for (axis, (&len, &(before, after))) in shape.iter().zip(&op.padding).enumerate() {
        if (before, after) == (0, 0) {
            continue;
        }
        let last = len as i64 - 1;
        let source = |place: i64| match mode {
            PadMode::Reflect if place < 0 => -place,
            PadMode::Reflect if place > last => 2 * last - place,
            _ => place.clamp(0, last),
        };
        let places = -(before as i64)..(len + after) as i64;
        sum = added_at(
            tape,
            sum,
            axis,
            places.map(source).collect(),
            len,
            &op.input,
        );
    }
    tape.add(&op.input, sum)
}

/// Windows of two axes: `[batch, channels · kernel, windows]`.
pub(super) fn unfold4d(op: &Unfold4dOpIr, c: Symbol, tape: &mut Cotangents<'_>) -> Known {
    let shape = op.x.shape.as_slice();
    let (planes, plane) = (shape[0] * shape[1], shape[2] * shape[3]);
    let options = &op.options;
    // For each axis, the places read by each element of the kernel, in each window.
    let places = |axis: usize| -> Vec<Vec<Option<usize>>> {
        let (kernel, len) = (op.kernel_size[axis], shape[2 + axis]);
        let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
        let (padding, reach) = (options.padding[axis], dilation * (kernel - 1) + 1);
        let windows = (len + 2 * padding).saturating_sub(reach) / stride + 1;
        let place = |element: usize, window: usize| {
            let place = (window * stride + element * dilation).checked_sub(padding)?;
            (place < len).then_some(place)
        };
        let of_element = |element| (0..windows).map(|window| place(element, window)).collect();
        (0..kernel).map(of_element).collect()
    };
    let (rows, columns) = (places(0), places(1));
    // Padding is added at an additional place, which is cut off.
    let mut indices = Vec::new();
    for row in &rows {
        for column in &columns {
            for row in row {
                indices.extend(column.iter().map(|column| match (row, column) {
                    (Some(row), Some(column)) => (row * shape[3] + column) as i64,
                    _ => plane as i64,
                }));
            }
        }
    }
    let len = plane + usize::from(indices.contains(&(plane as i64)));
    let c = C::float_reshape(c, Shape::from([planes, indices.len()]));
    let mut sum = added_at(tape, c, 1, indices, len, &op.x);
    if len > plane {
        sum = C::float_slice(sum, &[Slice::full(), Slice::from(0..plane)]);
    }
    tape.add(&op.x, C::float_reshape(sum, op.x.shape.clone()))
}
