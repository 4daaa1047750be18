//! Reading and writing at indices: what one does, the other takes back.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::IndexingUpdateOp as Update;
use burn::tensor::{IntDType, Scalar};
use burn_ir::{BaseOperationIr as Op, TensorIr};

use super::super::calculus::Known;
use super::cotangents::Cotangents;
use crate::record::{C, Symbol};

pub(super) fn apply(op: &Op, c: &Symbol, tape: &mut Cotangents<'_>) -> Known {
    match op {
        Op::Select(o) => tape.add_with(&o.tensor, |tape| {
            let indices = tape.primal(&o.indices);
            let zeros = tape.zeros(&o.tensor);
            C::float_select_assign(zeros, o.dim, indices, c.clone(), Update::Add)
        }),
        Op::Gather(o) => tape.add_with(&o.tensor, |tape| {
            let indices = tape.primal(&o.indices);
            let zeros = tape.zeros(&o.tensor);
            C::float_scatter(o.dim, zeros, indices, c.clone(), Update::Add)
        }),
        Op::GatherNd(o) => tape.add_with(&o.data, |tape| {
            let indices = tape.primal(&o.indices);
            C::float_scatter_nd(tape.zeros(&o.data), indices, c.clone(), Update::Add)
        }),
        Op::SelectAssign(o) => write(
            tape,
            Write {
                tensor: &o.tensor,
                indices: &o.indices,
                values: &o.value,
                update: o.update,
            },
            c,
            &At {
                read: |c, i| C::float_select(c, o.dim, i),
                assign: |c, i, v| C::float_select_assign(c, o.dim, i, v, Update::Assign),
                read_int: |c, i| C::int_select(c, o.dim, i),
                assign_int: |c, i, v| C::int_select_assign(c, o.dim, i, v, Update::Assign),
            },
        ),
        Op::Scatter(o) => write(
            tape,
            Write {
                tensor: &o.tensor,
                indices: &o.indices,
                values: &o.value,
                update: o.update,
            },
            c,
            &At {
                read: |c, i| C::float_gather(o.dim, c, i),
                assign: |c, i, v| C::float_scatter(o.dim, c, i, v, Update::Assign),
                read_int: |c, i| C::int_gather(o.dim, c, i),
                assign_int: |c, i, v| C::int_scatter(o.dim, c, i, v, Update::Assign),
            },
        ),
        Op::ScatterNd(o) => write(
            tape,
            Write {
                tensor: &o.data,
                indices: &o.indices,
                values: &o.values,
                update: o.reduction,
            },
            c,
            &At {
                read: C::float_gather_nd,
                assign: |c, i, v| C::float_scatter_nd(c, i, v, Update::Assign),
                read_int: C::int_gather_nd,
                assign_int: |c, i, v| C::int_scatter_nd(c, i, v, Update::Assign),
            },
        ),
        _ => Ok(false),
    }
}

/// An operation that writes values at indices of a tensor.
struct Write<'o> {
    tensor: &'o TensorIr,
    indices: &'o TensorIr,
    values: &'o TensorIr,
    update: Update,
}

/// Reading and assigning at indices, of floats and of integers.
struct At<R, A, J, B> {
    read: R,
    assign: A,
    read_int: J,
    assign_int: B,
}

fn write(
    tape: &mut Cotangents<'_>,
    op: Write<'_>,
    c: &Symbol,
    at: &At<
        impl Fn(Symbol, Symbol) -> Symbol,
        impl Fn(Symbol, Symbol, Symbol) -> Symbol,
        impl Fn(Symbol, Symbol) -> Symbol,
        impl Fn(Symbol, Symbol, Symbol) -> Symbol,
    >,
) -> Known {
    let indices = tape.primal(op.indices);
    match op.update {
        Update::Add => {
            tape.add_with(op.tensor, |_| c.clone())?;
            tape.add_with(op.values, |_| (at.read)(c.clone(), indices))
        }
        Update::Assign => {
            tape.add_with(op.tensor, |tape| {
                (at.assign)(c.clone(), indices.clone(), tape.blank(op.values))
            })?;
            // Of several values at one place, one remains. The same assignment of their numbers tells which.
            tape.add_with(op.values, |tape| {
                let ints: IntDType = tape.int_dtype();
                let (device, shape) = (tape.device(), op.values.shape.clone());
                let numbers = C::int_arange(0..shape.num_elements() as i64, &device, ints);
                let numbers = C::int_reshape(numbers, shape);
                let places = C::int_zeros(op.tensor.shape.clone(), &device, ints);
                let places = (at.assign_int)(places, indices.clone(), numbers.clone());
                let left = (at.read_int)(places, indices.clone());
                let is_left = C::int_equal(left, numbers, tape.bool_dtype());
                let read = (at.read)(c.clone(), indices);
                C::float_mask_fill(read, C::bool_not(is_left), Scalar::Float(0.0))
            })
        }
        _ => Ok(false),
    }
}
