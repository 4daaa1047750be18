//! Errors, and how a panic inside Burn or a user's closure becomes one.

mod panics;
mod place;
mod refusal;

use thiserror::Error;

#[doc(hidden)]
pub use panics::{caught, fail};
pub use place::Place;

pub(crate) use panics::{Panic, catch};
pub(crate) use refusal::refusal;

/// Why a closure could not be traced, differentiated or run.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LinearizeError {
    /// The closure panicked while it was being traced.
    #[error("the closure panicked while it was being traced: {message}")]
    Panicked {
        /// The panic message, with file and line if known.
        message: String,
    },
    /// The closure reads the value of a tensor, or branches on one.
    #[error(
        "the closure reads a value{place}, but tensors have no values while a closure is traced; compute \
         with tensors (`mask_where` instead of `if`), and read values that do not depend on the \
         parameters before the closure runs"
    )]
    ReadValue {
        /// The call that reads the value.
        place: Place,
    },
    /// The closure moves a tensor that depends on the parameters to a device.
    #[error(
        "the closure moves a tensor that depends on the parameters to a device{place}, which Burn \
         cannot record; move the model and the batch before tracing, and create new tensors on \
         `x.device()`. Batch tensors and model constants may be moved"
    )]
    MovedTensor {
        /// The call that moves the tensor.
        place: Place,
    },
    /// The closure uses a tensor that belongs neither to the model nor to the batch.
    #[error(
        "the closure uses a tensor from another device{place}; it belongs neither to the model nor to the \
         batch (for instance the class weights of a criterion). Add it to the batch, make it a field of \
         the model, or create it, and the criterion, inside the closure on `x.device()`"
    )]
    ForeignTensor {
        /// The call that mixes the two devices.
        place: Place,
    },
    /// The closure seeds the random generator of the device.
    #[error(
        "the closure seeds the device{place}, which cannot be recorded; seed it before the call"
    )]
    SeededDevice {
        /// The call that seeds.
        place: Place,
    },
    /// The closure computes a gradient itself, as physics-informed losses do.
    #[error(
        "the closure calls `backward`, which cannot be traced; for derivatives with respect to the input, make a \
         `Field` in the closure"
    )]
    NestedBackward,
    /// A field is made where nothing is recorded.
    #[error(
        "derivatives by the input of a function are computed only while a loss is recorded; wrap the loss in \
         `burnscape::loss::Recorded`, which records it once and runs what was recorded"
    )]
    NotRecorded,
    /// The loss does not have exactly one element.
    #[error("the loss has shape {shape:?}, expected one element; reduce it with `mean` or `sum`")]
    NotScalar {
        /// The shape of the loss.
        shape: Vec<usize>,
    },
    /// Autodiff finds no parameter that the output depends on.
    #[error(
        "the output is not tracked by autodiff; do not detach it, and use the model passed to the closure"
    )]
    Untracked,
    /// An operation has no derivative rule.
    #[error(
        "no derivative rule for `{operation}` with shapes {shapes:?}{origin}; use operations that have one \
         (`coverage` lists them)"
    )]
    NoRule {
        /// The operation.
        operation: String,
        /// The shapes of its inputs.
        shapes: Vec<Vec<usize>>,
        /// The parameter that it reads or that was read before it, if known.
        origin: String,
    },
    /// An operation mixes the rows of a batch that is differentiated row by row, or moves them from the first axis.
    #[error(
        "`{operation}` with shapes {shapes:?}{origin} does not keep the rows of the batch apart, and a \
         derivative by the input needs outputs whose row i depends on row i of the input alone; evaluate batch \
         normalization in evaluation mode (`model.valid()`), and move sums, normalizations and other \
         operations over the batch outside the function that is differentiated"
    )]
    MixesRows {
        /// The operation.
        operation: String,
        /// The shapes of its inputs.
        shapes: Vec<Vec<usize>>,
        /// The parameter that it reads or that was read before it, if known.
        origin: String,
    },
    /// The program compares values for equality, and at this point values are equal that are not equal nearby.
    ///
    /// The comparison selects one branch here and another next to here, so the derivative of the
    /// recorded program is the derivative of neither. Three kinds of equality are allowed: Burn's own backward passes of
    /// products, which are recognized; comparisons with infinity, and of an extremum with the
    /// elements it was taken from; and values that stay equal when the parameters change by a small fraction of
    /// their size (masked values, or values that a ReLU cuts off). That fraction is 1.5e-8 in f64, 1e-4 in f32
    /// and 16 ε in half precision.
    #[error(
        "`{operation}` with shapes {shapes:?} compares values that depend on the parameters, and {count} \
         of them are equal at this point but not near it, so the selection has no derivative here; build \
         the mask from the batch, select with `lower` or `greater`, or move the parameters off the tie"
    )]
    Tie {
        /// The comparison.
        operation: String,
        /// The shapes of its inputs.
        shapes: Vec<Vec<usize>>,
        /// The number of elements that are equal here and not nearby.
        count: usize,
    },
    /// Burn computes a wrong gradient on this device, so no derivative of it can be correct.
    /// `docs/upstream.md` describes each case.
    #[error("Burn computes a wrong gradient: {what}; {remedy}")]
    Upstream {
        /// The operation, with its settings and shapes.
        what: String,
        /// A correct way to compute the same result.
        remedy: String,
    },
    /// An argument does not match the trace.
    #[error(
        "{what}: expected {expected}, found {found}; pass what the program was traced with, or trace again"
    )]
    Mismatch {
        /// The argument.
        what: String,
        /// The value that the trace requires.
        expected: String,
        /// The value that was passed.
        found: String,
    },
    /// Burn panicked while running a program, for instance because the backend lacks a kernel.
    #[error("Burn could not run the program: {message}")]
    Execution {
        /// The panic message.
        message: String,
    },
    /// The backend of this device is not compiled in, or cannot run programs.
    #[error("programs cannot run on {device}; enable the cargo feature of its backend")]
    UnsupportedDevice {
        /// The device.
        device: String,
    },
    /// A bug in this crate or in Burn's recording.
    #[error("internal error: {message}; please report it")]
    Internal {
        /// The broken invariant.
        message: String,
    },
}
