//! Layers that Burn keeps whole, and their backward operations.

use burn::backend::ops::ModuleOps;
use burn_ir::ModuleOperationIr as Op;

use super::calculus::{Known, linear, sum};
use crate::lifter::C;
use crate::tape::Tape;

pub(super) fn apply(op: &Op, tape: &mut Tape<'_>) -> Known {
    match op {
        Op::Linear(o) => {
            let (x, weight) = (tape.primal(&o.x), tape.primal(&o.weight));
            let bias = o.bias.as_ref().and_then(|bias| tape.tangent(bias));
            // The bias's tangent rides with one of the products where there is one.
            let tangent = match (tape.tangent(&o.x), tape.tangent(&o.weight)) {
                (Some(tx), tw) => sum(
                    Some(C::linear(tx, weight, bias)),
                    tw.map(|tw| C::linear(x, tw, None)),
                ),
                (None, Some(tw)) => Some(C::linear(x, tw, bias)),
                (None, None) => bias.map(|bias| super::calculus::expanded(bias, &o.out.shape)),
            };
            tape.set(&o.out, tangent)?;
            Ok(true)
        }
        Op::LinearXBackward(o) => {
            let (weight, g) = (tape.primal(&o.weight), tape.primal(&o.output_grad));
            let from_weight = tape.tangent(&o.weight).map(|t| C::linear_x_backward(t, g));
            let from_g = tape
                .tangent(&o.output_grad)
                .map(|t| C::linear_x_backward(weight, t));
            tape.set(&o.out, sum(from_weight, from_g))?;
            Ok(true)
        }
        Op::LinearWeightBackward(o) => {
            let (x, g) = (tape.primal(&o.x), tape.primal(&o.output_grad));
            let from_x = tape.tangent(&o.x).map(|t| C::linear_weight_backward(t, g));
            let from_g = tape
                .tangent(&o.output_grad)
                .map(|t| C::linear_weight_backward(x, t));
            tape.set(&o.out, sum(from_x, from_g))?;
            Ok(true)
        }
        Op::LinearBiasBackward(o) => linear(tape, &o.output_grad, &o.out, C::linear_bias_backward),
        Op::Embedding(o) => {
            let indices = tape.primal(&o.indices);
            linear(tape, &o.weights, &o.out, |t| C::embedding(t, indices))
        }
        Op::EmbeddingBackward(o) => {
            let (weights, indices) = (tape.primal(&o.weights), tape.primal(&o.indices));
            linear(tape, &o.out_grad, &o.out, |t| {
                C::embedding_backward(weights, t, indices)
            })
        }
        _ => Ok(false),
    }
}
