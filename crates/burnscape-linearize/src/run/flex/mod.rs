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
use burn_router::CustomOpRegistry;

use crate::program::Program;

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

/// The program with operations replaced by our kernels where these are faster.
pub(super) fn with_kernels(program: &Program) -> Cow<'_, Program> {
    let mut program = Cow::Borrowed(program);
    functions::replace(&mut program);
    conv::replace(&mut program, conv::Conv::is_faster);
    elementwise::replace(&mut program);
    program
}
