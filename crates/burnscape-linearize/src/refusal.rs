//! Which error a panic inside a traced closure stands for.

use super::LinearizeError;
use super::panics::Panic;

/// The error that names the cause, with its remedy.
///
/// The texts are Burn's own; a test for each fails when Burn says it otherwise.
pub(crate) fn refusal(panic: &Panic) -> LinearizeError {
    let message = panic.message();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let place = || panic.place.clone();
    // What Burn says to a backward pass while it records, and of leaves that one has taken.
    if says(&[
        "Capture tensors do not support autodiff",
        "already been consumed",
    ]) {
        return LinearizeError::BackwardInside;
    }
    if says(&[
        "Cannot move a tensor to a capture device",
        "Cannot move a tensor from a capture device",
        "Cannot move between autodiff and non-autodiff instances",
        "Cannot move this autodiff tensor",
    ]) {
        return LinearizeError::Moved { place: place() };
    }
    if says(&["has no concrete value", "has no initialized value"]) {
        return LinearizeError::ReadValue { place: place() };
    }
    if says(&[
        "not on the same device",
        "must be on the same device",
        "is on the wrong backend",
        "Expected autodiff-wrapped float tensor",
    ]) {
        return LinearizeError::ForeignTensor { place: place() };
    }
    if says(&["seeding is not supported"]) {
        return LinearizeError::Seeds { place: place() };
    }
    LinearizeError::Closure {
        message: panic.message_and_place(),
    }
}
