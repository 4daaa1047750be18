use thiserror::Error;

use super::panics::Place;

/// Why a closure could not be traced, transformed or run.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LinearizeError {
    /// The closure panicked while it was traced.
    #[error("the closure panicked while it was traced: {message}")]
    Closure {
        /// The panic's message, with its file and line where they are known.
        message: String,
    },
    /// The closure reads a value, or branches on one.
    #[error(
        "the closure reads a value{place}, but tensors have no values while a closure is traced; compute \
         with tensors (`mask_where` instead of `if`), and read what does not depend on the parameters \
         before the closure runs"
    )]
    ReadValue {
        /// The call that reads.
        place: Place,
    },
    /// The closure moves a tensor that depends on the parameters to a device.
    #[error(
        "the closure moves a tensor that depends on the parameters to a device{place}, which Burn \
         cannot record; move batch and model beforehand, and make new tensors on `x.device()`. Tensors \
         of the batch and constants of the model may be moved"
    )]
    Moved {
        /// The call that moves.
        place: Place,
    },
    /// The closure uses a tensor that is neither the model's nor the batch's.
    #[error(
        "the closure uses a tensor of another device{place}: one that belongs neither to the model it \
         is given nor to the batch, perhaps the class weights of a criterion; put it into the batch, \
         make it a field of the model, or make it (and the criterion) inside the closure on \
         `x.device()`"
    )]
    ForeignTensor {
        /// The call that combines the two.
        place: Place,
    },
    /// The closure seeds the device's generator.
    #[error(
        "the closure seeds the device{place}, which cannot be recorded; seed it before the call"
    )]
    Seeds {
        /// The call that seeds.
        place: Place,
    },
    /// The closure takes a gradient of its own, as physics-informed losses do.
    #[error(
        "the closure calls `backward`, which cannot be traced; write the derivative with respect to the input as \
         a forward computation: by hand along the layers, or as differences of two forward passes"
    )]
    BackwardInside,
    /// The loss has more or less than one element.
    #[error("the loss has shape {shape:?}, expected one element; reduce it with `mean` or `sum`")]
    NotScalar {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The output does not depend on any parameter through autodiff.
    #[error(
        "the output is not tracked by autodiff; do not detach it, and use the model it is given"
    )]
    Untracked,
    /// A Gauss-Newton matrix of outputs that nothing judges.
    #[error("a Gauss-Newton matrix needs a criterion; trace the outputs with `trace_split`")]
    NoCriterion,
    /// An operation has no rule for its derivative.
    #[error(
        "no derivative rule for `{operation}` with shapes {shapes:?}{origin}; use operations that have one \
         (`coverage` lists them)"
    )]
    NoRule {
        /// The operation.
        operation: String,
        /// Shapes of its inputs.
        shapes: Vec<Vec<usize>>,
        /// The parameter it belongs to, where that is known.
        origin: String,
    },
    /// A derivative was asked for at a point at which the program selects by equality and something is
    /// equal that is not equal nearby.
    ///
    /// What is selected there differs from what is selected next to it, and the derivative of what was
    /// recorded is that of neither. Burn's own backward passes of products are known and need no such
    /// mask; comparisons with infinity, and of an extremum with what it is the extremum of, are no ties, nor
    /// are values that stay equal when the parameters move by a small share of their size (masked ones, or
    /// those that a ReLU cuts off): 1.5e-8 in f64, 1e-4 in f32, 16 ε in half precision.
    #[error(
        "`{operation}` with shapes {shapes:?} compares values that depend on the parameters, and {count} \
         of them are equal at this point but not near it, so the selection has no derivative here; make \
         the mask from the batch, select with `lower` or `greater`, or move the parameters off the tie"
    )]
    Tie {
        /// The comparison.
        operation: String,
        /// Shapes of its inputs.
        shapes: Vec<Vec<usize>>,
        /// How many are equal here and not nearby.
        count: usize,
    },
    /// A gradient that Burn itself computes wrongly on this device, so that no derivative of it can be
    /// right; `docs/upstream.md` tells of it.
    #[error("Burn computes a wrong gradient: {what}; {remedy}")]
    Upstream {
        /// The operation, with settings and shapes.
        what: String,
        /// How the same is computed rightly.
        remedy: String,
    },
    /// A program refers to a tensor that nothing defines.
    #[error("the program is not well formed: {message}; please report this")]
    Malformed {
        /// What is wrong.
        message: String,
    },
    /// Burn's capture refused.
    #[error("Burn could not capture the program: {message}")]
    Capture {
        /// What it said.
        message: String,
    },
    /// An input has another shape, element type or number than the program was traced with.
    #[error("{what} is {found}, the program expects {expected}; trace it again")]
    Mismatch {
        /// Which input.
        what: String,
        /// What was traced.
        expected: String,
        /// What was given.
        found: String,
    },
    /// Burn panicked while it ran a program: a kernel that the backend does not have, for instance.
    #[error("Burn could not run the program: {message}")]
    Run {
        /// The panic's message.
        message: String,
    },
    /// The device's backend was not compiled in, or has no interpreter.
    #[error("programs cannot run on {device}; enable that backend's cargo feature")]
    Device {
        /// The device.
        device: String,
    },
}
