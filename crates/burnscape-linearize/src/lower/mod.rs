//! Lowering: a recorded program rewritten so that every operation can be differentiated.
//!
//! - [`stable`](self::stable()): operations whose derivative would lose all digits.
//! - [`ProductBackward`]: Burn's backward passes of products, whose recorded form has a wrong derivative.
//! - [`Composite`]: operations that Burn keeps whole, decomposed into elementary ones.
//! - [`Makers`]: batches of matrix products, folded into single products.

#[cfg(test)]
mod attention;
mod composite;
mod deformable;
mod folding;
mod product_backward;
mod products;
mod stable;

use burn::tensor::DeviceSettings;
use burn_ir::{IrVisitorMut, TensorIr};
use burn_router::RouterClient;

use crate::LinearizeError;
use crate::coverage::describe;
use crate::program::{Program, Rename};
use crate::record::{completed, declared, record};
use composite::{Composite, is_composite};
use folding::Makers;
use product_backward::ProductBackward;
use stable::stable;

pub(crate) use products::{cumulative_tangent, exclusive, exclusive_of_all};

/// Rewrites a program into operations that can be differentiated.
pub(crate) fn lower(program: Program, settings: DeviceSettings) -> Result<Program, LinearizeError> {
    let program = stable(program);
    let makers = Makers::of(&program);
    let products = ProductBackward::of(&program, settings)?;
    let is_rewritten = |operation| {
        is_composite(operation) || makers.folds(operation) || products.ends_with(operation)
    };
    if !program.operations.iter().any(is_rewritten) {
        return Ok(program);
    }
    let mut decomposed = program.decomposed.clone();
    let (graph, (outputs, ties)) = record(settings, |_, recorder, scope| {
        let mut rename = Rename::default();
        for operation in &program.operations {
            let symbol = |tensor: &TensorIr| {
                let id = rename.0.get(&tensor.id).copied().unwrap_or(tensor.id);
                recorder.named(id, tensor.shape.clone(), tensor.dtype)
            };
            let device = recorder.client().device();
            let rewritten = makers
                .folded(operation, symbol)
                .or_else(|| products.replaced(operation, symbol, &device));
            if let Some((whole, result)) = rewritten {
                let result = recorder.port("", &result).tensor;
                rename.0.insert(whole.id, result.id);
                continue;
            }
            let mut operation = operation.clone();
            operation.visit_mut(&mut rename);
            match Composite::new(recorder, settings).results(&operation) {
                None => recorder.client().register_op(operation),
                Some(results) => {
                    for (whole, result) in results {
                        let result = recorder.port("", &result).tensor;
                        decomposed.push((result.id, describe(&operation).0));
                        rename.0.insert(whole.id, result.id);
                    }
                }
            }
        }
        let outputs = program.outputs.iter().cloned().map(|mut port| {
            rename.visit_tensor_mut(&mut port.tensor);
            port
        });
        let outputs: Vec<_> = outputs.collect();
        let ties = program.ties.iter().map(|tie| tie.renamed(&mut rename));
        let ties: Vec<_> = ties.collect();
        Ok((completed(scope, declared(&program)), (outputs, ties)))
    })?;
    let mut constants = program.constants;
    constants.extend(graph.values);
    let mut lowered =
        Program::unchecked(graph.graph.operations, program.inputs, outputs, constants);
    lowered.decomposed = decomposed;
    lowered.ties = ties;
    lowered.normalized()
}
