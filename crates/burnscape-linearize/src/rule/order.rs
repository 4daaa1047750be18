//! Order: extrema, sorting, running extrema. The tangent of a result is that of the element selected.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::Shape;
use burn_ir::{DimOpIr, NumericOperationIr as Op, ReduceOpIr};

use super::calculus::{Known, linear};
use super::tape::Tape;
use crate::record::{C, Symbol};

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        // The first element that attains the extremum.
        Op::MaxDim(o) => {
            let indices = C::float_argmax(tape.primal(&o.input), o.axis, tape.int_dtype());
            linear(tape, &o.input, &o.out, |t| {
                C::float_gather(o.axis, t, indices)
            })
        }
        Op::MinDim(o) => {
            let indices = C::float_argmin(tape.primal(&o.input), o.axis, tape.int_dtype());
            linear(tape, &o.input, &o.out, |t| {
                C::float_gather(o.axis, t, indices)
            })
        }
        Op::MaxDimWithIndices(o) | Op::MinDimWithIndices(o) => {
            let indices = tape.primal(&o.out_indices);
            linear(tape, &o.tensor, &o.out, |t| {
                C::float_gather(o.dim, t, indices)
            })
        }
        Op::Max(o) => extremum(tape, o, |x, tape| C::float_argmax(x, 0, tape.int_dtype())),
        Op::Min(o) => extremum(tape, o, |x, tape| C::float_argmin(x, 0, tape.int_dtype())),
        Op::TopKWithIndices(o) => {
            let indices = tape.primal(&o.out_indices);
            linear(tape, &o.tensor, &o.out, |t| {
                C::float_gather(o.dim, t, indices)
            })
        }
        Op::TopK(o) => {
            // `accumulator_len` is the number of elements kept.
            let (x, k) = (tape.primal(&o.input), o.accumulator_len);
            let indices = C::float_argtopk(x, o.axis, k, tape.int_dtype());
            linear(tape, &o.input, &o.out, |t| {
                C::float_gather(o.axis, t, indices)
            })
        }
        Op::CumMax(o) | Op::CumMin(o) => {
            let indices = last_record(tape, o);
            linear(tape, &o.input, &o.out, |t| {
                C::float_gather(o.axis, t, indices)
            })
        }
        Op::SortWithIndices(o) => {
            let indices = tape.primal(&o.out_indices);
            linear(tape, &o.input, &o.out, |t| {
                C::float_gather(o.dim, t, indices)
            })
        }
        Op::Sort(o) => {
            let x = tape.primal(&o.input);
            let indices = C::float_argsort(x, o.dim, o.descending, tape.int_dtype());
            linear(tape, &o.input, &o.out, |t| {
                C::float_gather(o.dim, t, indices)
            })
        }
        _ => Ok(false),
    }
}

/// The extremum of all elements.
fn extremum(
    tape: &mut Tape<'_>,
    op: &ReduceOpIr,
    position: impl FnOnce(Symbol, &Tape<'_>) -> Symbol,
) -> Known {
    let flat = [op.input.shape.num_elements()];
    let x = C::float_reshape(tape.primal(&op.input), flat.into());
    let indices = position(x, tape);
    linear(tape, &op.input, &op.out, |t| {
        let t = C::float_gather(0, C::float_reshape(t, flat.into()), indices);
        C::float_reshape(t, op.out.shape.clone())
    })
}

/// For every element, the position of the last running extremum up to it, as in Burn's backward pass.
fn last_record(tape: &Tape<'_>, op: &DimOpIr) -> Symbol {
    let shape = &op.input.shape;
    let (x, y) = (tape.primal(&op.input), tape.primal(&op.out));
    let is_record = C::bool_into_int(C::float_equal(x, y, tape.bool_dtype()), tape.int_dtype());
    let len = shape[op.axis];
    let mut axes = vec![1; shape.num_dims()];
    axes[op.axis] = len;
    let places = C::int_arange(0..len as i64, &tape.device(), tape.int_dtype());
    let places = C::int_expand(C::int_reshape(places, Shape::from(axes)), shape.clone());
    C::int_cummax(C::int_mul(places, is_record), op.axis)
}
