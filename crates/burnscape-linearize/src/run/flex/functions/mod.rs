//! Elementwise functions on vectors of numbers, and on all threads.
//!
//! Burn's kernels for Flex call the mathematical library once for each number, on one thread.

mod apply;
mod distribution;
mod formulas;
mod normal;
mod polynomial;
mod real;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::DType;
use burn_ir::{
    ActivationOperationIr as Activation, CustomOpIr, FloatOperationIr as Float, OperationIr,
    UnaryOpIr,
};
use burn_router::CustomOpRegistry;

use crate::program::Program;
use apply::applied;
use distribution::distributions;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Exp,
    Tanh,
    Sigmoid,
    Erf,
    /// `Φ(x) = (1 + erf(x/√2)) / 2`
    NormalDistribution,
}

impl Function {
    const ALL: [Self; 5] = [
        Self::Exp,
        Self::Tanh,
        Self::Sigmoid,
        Self::Erf,
        Self::NormalDistribution,
    ];

    /// The name of the operation.
    fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Erf => "erf",
            Self::NormalDistribution => "normal_distribution",
        }
    }

    /// The function that an operation computes, with its input and output.
    fn of(operation: &OperationIr) -> Option<(Self, &UnaryOpIr)> {
        match operation {
            OperationIr::Float(_, Float::Exp(unary)) => Some((Self::Exp, unary)),
            OperationIr::Float(_, Float::Tanh(unary)) => Some((Self::Tanh, unary)),
            OperationIr::Float(_, Float::Erf(unary)) => Some((Self::Erf, unary)),
            OperationIr::Activation(Activation::Sigmoid(unary)) => Some((Self::Sigmoid, unary)),
            _ => None,
        }
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
    let distributions = distributions(program);
    let is_shorter = !distributions.is_empty();
    let mut places: Vec<(usize, Function, UnaryOpIr)> = distributions
        .into_iter()
        .map(|(index, unary)| (index, Function::NormalDistribution, unary))
        .collect();
    let operations = program.operations.iter().enumerate();
    places.extend(operations.filter_map(|(index, operation)| {
        let (function, unary) = Function::of(operation)?;
        Some((index, function, unary.clone()))
    }));
    // Numbers of 16 bits keep Burn's kernels.
    places.retain(|(_, _, unary)| matches!(unary.out.dtype, DType::F32 | DType::F64));
    for (index, function, UnaryOpIr { input, out }) in places {
        program.to_mut().operations[index] =
            OperationIr::Custom(CustomOpIr::new(function.name(), &[input], &[out]));
    }
    if is_shorter {
        program.to_mut().remove_dead();
    }
}
