//! Reductions and data movement: the same operation with its axes shifted by one.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{IndexingUpdateOp, Shape, Slice};
use burn_ir::{BaseOperationIr as Base, NumericOperationIr as Numeric, OperationIr, TensorIr};

use super::Block;
use crate::record::{C, Symbol};

pub(super) fn apply(operation: &OperationIr, block: &mut Block<'_>) -> bool {
    match operation {
        OperationIr::NumericFloat(_, op) => reduce(op, block),
        OperationIr::BaseFloat(op) => rearrange(op, block),
        _ => false,
    }
}

fn map(
    block: &mut Block<'_>,
    input: &TensorIr,
    out: &TensorIr,
    operation: impl FnOnce(Symbol) -> Symbol,
) -> bool {
    let result = operation(block.spread(input));
    block.set(out, result);
    true
}

fn reduce(op: &Numeric, block: &mut Block<'_>) -> bool {
    let k = block.k;
    let rows = |t: Symbol| {
        let columns = t.shape().num_elements() / k;
        C::float_reshape(t, Shape::from([k, columns]))
    };
    match op {
        Numeric::Sum(o) => {
            let shape = block.shape(&o.out);
            map(block, &o.input, &o.out, |t| {
                C::float_reshape(C::float_sum_dim(rows(t), 1), shape)
            })
        }
        Numeric::Mean(o) => {
            let shape = block.shape(&o.out);
            map(block, &o.input, &o.out, |t| {
                C::float_reshape(C::float_mean_dim(rows(t), 1), shape)
            })
        }
        Numeric::SumDim(o) => map(block, &o.input, &o.out, |t| C::float_sum_dim(t, o.axis + 1)),
        Numeric::MeanDim(o) => map(block, &o.input, &o.out, |t| {
            C::float_mean_dim(t, o.axis + 1)
        }),
        Numeric::SumDims(o) => {
            let axes: Vec<usize> = o.axes.iter().map(|axis| axis + 1).collect();
            map(block, &o.input, &o.out, |t| C::float_sum_dims(t, &axes))
        }
        Numeric::CumSum(o) => map(block, &o.input, &o.out, |t| C::float_cumsum(t, o.axis + 1)),
        _ => false,
    }
}

fn rearrange(op: &Base, block: &mut Block<'_>) -> bool {
    match op {
        Base::Reshape(o) => {
            let shape = block.shape(&o.out);
            map(block, &o.input, &o.out, |t| C::float_reshape(t, shape))
        }
        Base::Expand(o) => {
            let shape = block.shape(&o.out);
            // Burn may expand to a higher rank; new axes come in front of the old ones.
            let mut axes = vec![block.k];
            let missing = o.out.shape.num_dims() - o.input.shape.num_dims();
            axes.extend(std::iter::repeat_n(1, missing));
            axes.extend_from_slice(o.input.shape.as_slice());
            map(block, &o.input, &o.out, |t| {
                C::float_expand(C::float_reshape(t, Shape::from(axes)), shape)
            })
        }
        Base::SwapDims(o) => map(block, &o.input, &o.out, |t| {
            C::float_swap_dims(t, o.dim1 + 1, o.dim2 + 1)
        }),
        Base::Permute(o) => {
            let mut axes = vec![0];
            axes.extend(o.axes.iter().map(|axis| axis + 1));
            map(block, &o.input, &o.out, |t| C::float_permute(t, &axes))
        }
        Base::Flip(o) => {
            let axes: Vec<usize> = o.axes.iter().map(|axis| axis + 1).collect();
            map(block, &o.input, &o.out, |t| C::float_flip(t, &axes))
        }
        Base::Unfold(o) => map(block, &o.input, &o.out, |t| {
            C::float_unfold(t, o.dim + 1, o.size, o.step)
        }),
        Base::Slice(o) => {
            let ranges = shifted(&o.ranges);
            map(block, &o.tensor, &o.out, |t| C::float_slice(t, &ranges))
        }
        Base::SliceAssign(o) => {
            let ranges = shifted(&o.ranges);
            let (tensor, value) = (block.spread(&o.tensor), block.spread(&o.value));
            block.set(&o.out, C::float_slice_assign(tensor, &ranges, value));
            true
        }
        Base::RepeatDim(o) => map(block, &o.tensor, &o.out, |t| {
            C::float_repeat_dim(t, o.dim + 1, o.times)
        }),
        Base::Cat(o) => {
            let parts = o.tensors.iter().map(|part| block.spread(part)).collect();
            block.set(&o.out, C::float_cat(parts, o.dim + 1));
            true
        }
        Base::Select(o) if !block.moves(&o.indices) => {
            let indices = block.fixed(&o.indices);
            map(block, &o.tensor, &o.out, |t| {
                C::float_select(t, o.dim + 1, indices)
            })
        }
        Base::SelectAssign(o) if matches!(o.update, IndexingUpdateOp::Add) => {
            let indices = block.fixed(&o.indices);
            let (tensor, value) = (block.spread(&o.tensor), block.spread(&o.value));
            let result = C::float_select_assign(tensor, o.dim + 1, indices, value, o.update);
            block.set(&o.out, result);
            true
        }
        Base::Gather(o) => {
            let mut axes = vec![1];
            axes.extend_from_slice(o.indices.shape.as_slice());
            let indices = C::int_reshape(block.fixed(&o.indices), Shape::from(axes));
            let indices = C::int_expand(indices, block.shape(&o.indices));
            map(block, &o.tensor, &o.out, |t| {
                C::float_gather(o.dim + 1, t, indices)
            })
        }
        _ => false,
    }
}

fn shifted(ranges: &[Slice]) -> Vec<Slice> {
    let mut all = vec![Slice::full()];
    all.extend_from_slice(ranges);
    all
}
