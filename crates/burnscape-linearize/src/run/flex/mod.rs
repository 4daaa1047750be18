//! Kernels of our own for Flex, where Burn's are slow.
//!
//! They are custom operations that replace Burn's when a program is prepared to run. Programs themselves
//! never contain one, so that differentiation and all other devices know nothing of them.

pub(crate) mod conv;
mod elementwise;
mod functions;
mod vectorized;

use std::borrow::Cow;

use burn::backend::{BackendTypes, Flex};
use burn_ir::{OperationIr, TensorId, TensorIr};
use burn_router::CustomOpRegistry;
use rustc_hash::FxHashMap;

use crate::program::{Program, burn_workspace, is_kernel};

/// A tensor of Flex.
type FlexTensor = <Flex as BackendTypes>::FloatTensorPrimitive;

/// The kernels, by the names of their operations.
pub(super) fn kernels() -> CustomOpRegistry<Flex> {
    let mut kernels = CustomOpRegistry::new();
    functions::register(&mut kernels);
    conv::register(&mut kernels);
    elementwise::register(&mut kernels);
    kernels
}

/// The memory that an operation needs beside its operands and results, in bytes. The kernels of other
/// operations than convolutions need little.
pub(super) fn workspace(operation: &OperationIr, is_contiguous: &dyn Fn(&TensorIr) -> bool) -> u64 {
    conv::workspace(operation, is_contiguous)
        .unwrap_or_else(|| burn_workspace(operation, is_contiguous))
}

/// What operations need in addition because several of them run as one, in bytes, by their result.
pub(super) fn joined(program: &Program) -> FxHashMap<TensorId, u64> {
    conv::joined(program)
}

/// The program with operations replaced by our kernels where these are faster.
pub(super) fn with_kernels(program: &Program) -> Cow<'_, Program> {
    let mut program = Cow::Borrowed(program);
    functions::replace(&mut program);
    conv::replace(&mut program, conv::Conv::is_faster);
    elementwise::replace(&mut program);
    program
}

/// The matrix products and convolutions that [`with_kernels`] leaves or makes, with every tensor that they read as an input.
pub(super) fn kernels_alone(program: &Program) -> Program {
    with_kernels(program).only(|operation| is_kernel(operation) || conv::is_ours(operation))
}
