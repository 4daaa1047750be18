//! Matrix layers: linear and embedding.

use burn::backend::ops::ModuleOps;
use burn::tensor::Shape;
use burn_ir::{ModuleOperationIr as Op, TensorIr};

use super::super::calculus::{Known, bilinear, expanded, linear, sum};
use crate::lifter::C;
use crate::recording::Symbol;
use crate::tape::Tape;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Linear(o) => affine(
            tape,
            (&o.x, &o.weight, o.bias.as_ref()),
            &o.out,
            C::linear,
            expanded,
        ),
        Op::LinearXBackward(o) => bilinear(
            tape,
            (&o.weight, &o.output_grad),
            &o.out,
            C::linear_x_backward,
        ),
        Op::LinearWeightBackward(o) => bilinear(
            tape,
            (&o.x, &o.output_grad),
            &o.out,
            C::linear_weight_backward,
        ),
        Op::LinearBiasBackward(o) => linear(tape, &o.output_grad, &o.out, C::linear_bias_backward),
        Op::Embedding(o) => {
            let indices = tape.primal(&o.indices);
            linear(tape, &o.weights, &o.out, |t| C::embedding(t, indices))
        }
        // The weights give the result its shape and nothing else.
        Op::EmbeddingBackward(o) => {
            let (weights, indices) = (tape.primal(&o.weights), tape.primal(&o.indices));
            linear(tape, &o.out_grad, &o.out, |t| {
                C::embedding_backward(weights, t, indices)
            })
        }
        _ => Ok(false),
    }
}

/// `product(x, weight) + bias`: bilinear, with a bias that rides along with one of the products.
pub(super) fn affine(
    tape: &mut Tape<'_>,
    (x, weight, bias): (&TensorIr, &TensorIr, Option<&TensorIr>),
    out: &TensorIr,
    product: impl Fn(Symbol, Symbol, Option<Symbol>) -> Symbol,
    spread: impl FnOnce(Symbol, &Shape) -> Symbol,
) -> Known {
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
