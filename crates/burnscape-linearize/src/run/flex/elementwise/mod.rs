//! Chains of elementwise arithmetic in one pass over memory, on all threads.
//!
//! Burn's kernels for Flex read and write whole tensors for every sum, product and mask, on one thread. Here the steps
//! of a chain run on a few numbers at a time, which stay in the cache. The arithmetic is the same number by number, so
//! that results have the same bits.
//!
//! | file | purpose |
//! |---|---|
//! | `expression` | a chain as data, found in a program and stored in an operation |
//! | `operand` | numbers of the tensors that a chain reads, broadcast ones included |
//! | `chunks` | its numbers, chunk by chunk |

mod chunks;
mod expression;
mod operand;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::DType;
use burn_ir::{CustomOpIr, OperationIr};
use burn_router::CustomOpRegistry;

use super::FlexTensor;
use crate::program::Program;
use expression::{Expression, Step, expressions};

/// The name of the operation.
const NAME: &str = "elementwise";

/// Registers the kernel.
pub(super) fn register(kernels: &mut CustomOpRegistry<Flex>) {
    kernels.register(NAME, |handles, operation, _| {
        let steps = Step::of_scalars(&operation.scalars);
        let inputs = operation.inputs.iter();
        let inputs = inputs.map(|input| handles.get_float_tensor::<Flex>(input));
        let inputs: Vec<FlexTensor> = inputs.collect();
        if let [out] = &operation.outputs[..] {
            let result = match out.dtype {
                DType::F64 => chunks::computed::<f64>(&steps, inputs, &out.shape),
                _ => chunks::computed::<f32>(&steps, inputs, &out.shape),
            };
            handles.register_float_tensor::<Flex>(&out.id, result);
        }
    });
}

/// Replaces chains of arithmetic by one operation each.
pub(super) fn replace(program: &mut Cow<'_, Program>) {
    let places = expressions(program).into_iter().map(|(index, found)| {
        let Expression { inputs, steps, out } = found;
        let inputs: Vec<_> = inputs.into_iter().cloned().collect();
        let custom = CustomOpIr::with_scalars(
            NAME,
            &inputs,
            std::slice::from_ref(out),
            Step::scalars(&steps),
        );
        (index, OperationIr::Custom(custom))
    });
    let places: Vec<_> = places.collect();
    if places.is_empty() {
        return;
    }
    let program = program.to_mut();
    for (index, custom) in places {
        program.operations[index] = custom;
    }
    // What only the chains read.
    program.remove_dead();
}
