//! Matrix layers: linear and embedding.

use burn::backend::ops::ModuleOps;
use burn_ir::ModuleOperationIr as Op;

use super::super::super::calculus::{Known, over_last};
use crate::record::{C, Symbol};
use crate::rule::Cotangents;

pub(super) fn apply(op: &Op, c: &Symbol, tape: &mut Cotangents<'_>) -> Known {
    let c = c.clone();
    match op {
        Op::Linear(o) => {
            if let Some(bias) = &o.bias {
                tape.add_with(bias, |_| C::linear_bias_backward(c.clone()))?;
            }
            tape.bilinear(
                &o.x,
                &o.weight,
                |_, weight| C::linear_x_backward(weight, c.clone()),
                |_, x| C::linear_weight_backward(x, c.clone()),
            )
        }
        // G Wᵀ
        Op::LinearXBackward(o) => tape.bilinear(
            &o.weight,
            &o.output_grad,
            |_, g| C::linear_weight_backward(c.clone(), g),
            |_, weight| C::linear(c.clone(), weight, None),
        ),
        // Xᵀ G
        Op::LinearWeightBackward(o) => tape.bilinear(
            &o.x,
            &o.output_grad,
            |_, g| C::linear_x_backward(c.clone(), g),
            |_, x| C::linear(x, c.clone(), None),
        ),
        Op::LinearBiasBackward(o) => {
            let g = &o.output_grad;
            tape.add_with(g, |_| over_last(c, &g.shape))
        }
        Op::Embedding(o) => tape.add_with(&o.weights, |tape| {
            let indices = tape.primal(&o.indices);
            C::embedding_backward(tape.blank(&o.weights), c, indices)
        }),
        Op::EmbeddingBackward(o) => {
            tape.add_with(&o.out_grad, |tape| C::embedding(c, tape.primal(&o.indices)))
        }
        _ => Ok(false),
    }
}
