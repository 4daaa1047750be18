//! Matrix layers: linear and embedding.

use burn::backend::ops::ModuleOps;
use burn::tensor::Shape;
use burn_ir::{ModuleOperationIr as Op, TensorIr};

use super::super::calculus::{Known, bilinear, expanded, linear, sum};
use crate::record::{C, Symbol};
use crate::rule::Tape;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Linear(o) => affine(
            tape,
            Affine {
                x: &o.x,
                weight: &o.weight,
                bias: o.bias.as_ref(),
                out: &o.out,
            },
            C::linear,
            expanded,
        ),
        Op::LinearXBackward(o) => bilinear(
            tape,
            &o.weight,
            &o.output_grad,
            &o.out,
            C::linear_x_backward,
        ),
        Op::LinearWeightBackward(o) => bilinear(
            tape,
            &o.x,
            &o.output_grad,
            &o.out,
            C::linear_weight_backward,
        ),
        Op::LinearBiasBackward(o) => linear(tape, &o.output_grad, &o.out, C::linear_bias_backward),
        Op::Embedding(o) => {
            let indices = tape.primal(&o.indices);
            linear(tape, &o.weights, &o.out, |t| C::embedding(t, indices))
        }
        // The weights only determine the shape of the result.
        Op::EmbeddingBackward(o) => {
            let (weights, indices) = (tape.primal(&o.weights), tape.primal(&o.indices));
            linear(tape, &o.out_grad, &o.out, |t| {
                C::embedding_backward(weights, t, indices)
            })
        }
        _ => Ok(false),
    }
}

/// The tensors of an affine operation `out = product(x, weight) + bias`.
pub(super) struct Affine<'o> {
    pub(super) x: &'o TensorIr,
    pub(super) weight: &'o TensorIr,
    pub(super) bias: Option<&'o TensorIr>,
    pub(super) out: &'o TensorIr,
}

/// The rule of an affine operation. The tangent of the bias is added by one of the products.
pub(super) fn affine(
    tape: &mut Tape<'_>,
    operation: Affine<'_>,
    product: impl Fn(Symbol, Symbol, Option<Symbol>) -> Symbol,
    spread: impl FnOnce(Symbol, &Shape) -> Symbol,
) -> Known {
    let Affine {
        x,
        weight,
        bias,
        out,
    } = operation;
    let bias = bias.and_then(|bias| tape.tangent(bias));
    let tangents = (tape.tangent(x), tape.tangent(weight));
    let (x, weight) = (tape.primal(x), tape.primal(weight));
    let tangent = match tangents {
        (Some(tx), tw) => sum(
            Some(product(tx, weight, bias)),
            tw.map(|tw| product(x, tw, None)),
        ),
        (None, Some(tw)) => Some(product(x, tw, bias)),
        (None, None) => bias.map(|bias| spread(bias, &out.shape)),
    };
    tape.set(out, tangent)?;
    Ok(true)
}
