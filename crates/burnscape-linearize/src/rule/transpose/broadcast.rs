//! Broadcasting, whose transposition is a sum.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;

use crate::record::{C, Symbol};

/// The sum over the axes along which a tensor of `shape` was broadcast to `x`, in as few operations as possible.
pub(super) fn summed_to(x: Symbol, shape: &Shape) -> Symbol {
    let wide = x.shape();
    if wide == *shape {
        return x;
    }
    // A tensor with fewer axes is broadcast along additional ones in front.
    let added = wide.num_dims() - shape.num_dims().min(wide.num_dims());
    let axes: Vec<usize> = (0..wide.num_dims())
        .filter(|&axis| axis < added || shape[axis - added] == 1)
        .filter(|&axis| wide[axis] != 1)
        .collect();
    let sum = match axes.as_slice() {
        [] => x,
        [axis] => C::float_sum_dim(x, *axis),
        _ if shape.num_elements() == 1 => C::float_sum(x),
        axes => C::float_sum_dims(x, axes),
    };
    if sum.shape() == *shape {
        sum
    } else {
        C::float_reshape(sum, shape.clone())
    }
}

/// A number for each element of a sum, or one for all of them, at every element.
pub(super) fn spread(x: Symbol, shape: &Shape) -> Symbol {
    let wide = if x.shape().num_dims() == shape.num_dims() {
        x
    } else {
        C::float_reshape(x, Shape::from(vec![1; shape.num_dims()]))
    };
    if wide.shape() == *shape {
        wide
    } else {
        C::float_expand(wide, shape.clone())
    }
}
