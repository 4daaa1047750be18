//! Elementwise functions on vectors of numbers, and on all threads.
//!
//! Burn's kernels for Flex call the mathematical library once for each number, on one thread.

mod chunks;
mod distribution;
mod formulas;
mod normal;
mod polynomial;
mod real;
#[cfg(test)]
mod tests;
mod vectors;

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::DType;
use burn_ir::{
    ActivationOperationIr as Activation, CustomOpIr, FloatOperationIr as Float, OperationIr,
    TensorIr, UnaryOpIr,
};
use burn_router::CustomOpRegistry;

use super::FlexTensor;
use crate::program::Program;
use chunks::of_numbers;
pub(super) use chunks::{CHUNK, Stored};
use distribution::distributions;
use vectors::vectorized;

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
    fn of(operation: &OperationIr) -> Option<(Self, &TensorIr, &TensorIr)> {
        match operation {
            OperationIr::Float(_, Float::Exp(o)) => unary(Self::Exp, o),
            OperationIr::Float(_, Float::Tanh(o)) => unary(Self::Tanh, o),
            OperationIr::Float(_, Float::Erf(o)) => unary(Self::Erf, o),
            OperationIr::Activation(Activation::Sigmoid(o)) => unary(Self::Sigmoid, o),
            _ => None,
        }
    }

    /// The function of a tensor, in place where nothing else reads the tensor's memory.
    fn applied(self, tensor: FlexTensor) -> FlexTensor {
        match tensor.dtype() {
            DType::F64 => self.applied_to::<f64>(tensor),
            _ => self.applied_to::<f32>(tensor),
        }
    }

    fn applied_to<T: Stored>(self, tensor: FlexTensor) -> FlexTensor {
        of_numbers(tensor, |numbers: &mut [T]| vectorized(self, numbers))
    }
}

fn unary(function: Function, operation: &UnaryOpIr) -> Option<(Function, &TensorIr, &TensorIr)> {
    Some((function, &operation.input, &operation.out))
}

/// Registers a kernel for each function.
pub(super) fn register(kernels: &mut CustomOpRegistry<Flex>) {
    for function in Function::ALL {
        kernels.register(function.name(), move |handles, operation, _| {
            for (input, output) in operation.inputs.iter().zip(&operation.outputs) {
                let tensor = handles.get_float_tensor::<Flex>(input);
                handles.register_float_tensor::<Flex>(&output.id, function.applied(tensor));
            }
        });
    }
}

/// Replaces Burn's operations by ours.
pub(super) fn replace(program: &mut Cow<'_, Program>) {
    let mut places: Vec<(usize, OperationIr)> = Vec::new();
    let mut place = |index, function: Function, input: &TensorIr, output: &TensorIr| {
        // Numbers of 16 bits keep Burn's kernels.
        if matches!(output.dtype, DType::F32 | DType::F64) {
            let (inputs, outputs) = ([input.clone()], [output.clone()]);
            let custom = CustomOpIr::new(function.name(), &inputs, &outputs);
            places.push((index, OperationIr::Custom(custom)));
        }
    };
    let distributions = distributions(program);
    for (index, o) in &distributions {
        place(*index, Function::NormalDistribution, &o.input, &o.out);
    }
    for (index, operation) in program.operations.iter().enumerate() {
        if let Some((function, input, output)) = Function::of(operation) {
            place(index, function, input, output);
        }
    }
    if places.is_empty() {
        return;
    }
    let program = program.to_mut();
    for (index, operation) in places {
        program.operations[index] = operation;
    }
    if !distributions.is_empty() {
        // What only the replaced sums read.
        program.remove_dead();
    }
}
