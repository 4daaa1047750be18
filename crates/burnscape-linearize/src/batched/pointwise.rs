//! Elementwise operations. Tensors that do not depend on the tangents are broadcast.

use burn::backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps};
use burn::tensor::{FloatDType, Shape};
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BinaryOpIr,
    NumericOperationIr as Numeric, OperationIr, TensorIr,
};

use super::Block;
use crate::record::{C, Symbol};

pub(super) fn apply(operation: &OperationIr, block: &mut Block<'_>) -> bool {
    match operation {
        OperationIr::NumericFloat(_, op) => match op {
            Numeric::Add(o) => binary(block, o, C::float_add),
            Numeric::Sub(o) => binary(block, o, C::float_sub),
            Numeric::Mul(o) => binary(block, o, C::float_mul),
            Numeric::Div(o) => binary(block, o, C::float_div),
            Numeric::Neg(o) => unary(block, &o.input, &o.out, C::float_neg),
            Numeric::MulScalar(o) => unary(block, &o.lhs, &o.out, |t| {
                C::float_mul_scalar(t, o.rhs.into())
            }),
            Numeric::DivScalar(o) => unary(block, &o.lhs, &o.out, |t| {
                C::float_div_scalar(t, o.rhs.into())
            }),
            _ => false,
        },
        OperationIr::BaseFloat(op) => match op {
            Base::Cast(o) => unary(block, &o.input, &o.out, |t| {
                C::float_cast(t, FloatDType::from(o.out.dtype))
            }),
            Base::MaskFill(o) if !block.moves(&o.mask) => {
                let mask = mask(block, &o.mask, &o.out);
                let value = o.value.into();
                unary(block, &o.tensor, &o.out, |t| {
                    C::float_mask_fill(t, mask, value)
                })
            }
            Base::MaskWhere(o) if !block.moves(&o.mask) => {
                let mask = mask(block, &o.mask, &o.out);
                let (tensor, value) = (block.spread(&o.tensor), block.spread(&o.value));
                block.set(&o.out, C::float_mask_where(tensor, mask, value));
                true
            }
            _ => false,
        },
        OperationIr::Activation(Activation::ReluBackward(o)) if !block.moves(&o.lhs) => {
            let (output, t) = (block.spread(&o.lhs), block.float(&o.rhs));
            block.set(&o.out, C::relu_backward(output, t));
            true
        }
        _ => false,
    }
}

fn unary(
    block: &mut Block<'_>,
    input: &TensorIr,
    out: &TensorIr,
    operation: impl FnOnce(Symbol) -> Symbol,
) -> bool {
    let result = operation(block.float(input));
    block.set(out, result);
    true
}

fn binary(
    block: &mut Block<'_>,
    op: &BinaryOpIr,
    operation: impl FnOnce(Symbol, Symbol) -> Symbol,
) -> bool {
    let result = operation(block.float(&op.lhs), block.float(&op.rhs));
    block.set(&op.out, result);
    true
}

/// A mask, broadcast to the shape of a block.
fn mask(block: &Block<'_>, mask: &TensorIr, out: &TensorIr) -> Symbol {
    let mut axes = vec![1];
    axes.extend_from_slice(mask.shape.as_slice());
    let single = C::bool_reshape(block.fixed(mask), Shape::from(axes));
    C::bool_expand(single, block.shape(out))
}
