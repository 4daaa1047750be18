//! Elementwise functions on vectors of numbers, and on all threads.
//!
//! Burn's kernels for Flex call the mathematical library once for each number, on one thread.

mod apply;
mod formulas;
mod real;

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::DType;
use burn_ir::{CustomOpIr, FloatOperationIr as Float, OperationIr, UnaryOpIr};
use burn_router::CustomOpRegistry;

use crate::program::Program;
use apply::applied;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Tanh,
}

impl Function {
    const ALL: [Self; 1] = [Self::Tanh];

    /// The name of the operation.
    fn name(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
        }
    }

    /// The function that an operation computes, with its input and output.
    fn of(operation: &OperationIr) -> Option<(Self, &UnaryOpIr)> {
        let (function, unary) = match operation {
            OperationIr::Float(_, Float::Tanh(unary)) => (Self::Tanh, unary),
            _ => return None,
        };
        // Numbers of 16 bits keep Burn's kernels.
        matches!(unary.out.dtype, DType::F32 | DType::F64).then_some((function, unary))
    }
}

/// Registers a kernel for each function.
pub(super) fn register(kernels: &mut CustomOpRegistry<Flex>) {
    for function in Function::ALL {
        kernels.register(function.name(), move |handles, operation, _| {
            for (input, output) in operation.inputs.iter().zip(&operation.outputs) {
                let tensor = handles.get_float_tensor::<Flex>(input);
                handles.register_float_tensor::<Flex>(&output.id, applied(function, tensor));
            }
        });
    }
}

/// Replaces Burn's operations by ours.
pub(super) fn replace(program: &mut Cow<'_, Program>) {
    for index in 0..program.operations.len() {
        if let Some((function, unary)) = Function::of(&program.operations[index]) {
            let (input, output) = (unary.input.clone(), unary.out.clone());
            program.to_mut().operations[index] =
                OperationIr::Custom(CustomOpIr::new(function.name(), &[input], &[output]));
        }
    }
}
