//! Maps a panic inside a traced closure to the error that names its cause.

use super::panics::Panic;
use crate::LinearizeError;

/// The error for a panic of Burn, recognized by Burn's message. Each message is covered by a test, which
/// fails if a new version of Burn words it differently.
pub(crate) fn refusal(panic: &Panic) -> LinearizeError {
    let message = panic.message();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let place = || panic.place.clone();
    // Burn rejects a backward pass while recording, and leaves that such a pass has consumed.
    if says(&[
        "Capture tensors do not support autodiff",
        "already been consumed",
    ]) {
        return LinearizeError::NestedBackward;
    }
    if says(&[
        "Cannot move a tensor to a capture device",
        "Cannot move a tensor from a capture device",
        "Cannot move between autodiff and non-autodiff instances",
        "Cannot move this autodiff tensor",
    ]) {
        return LinearizeError::MovedTensor { place: place() };
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
        return LinearizeError::SeededDevice { place: place() };
    }
    LinearizeError::Panicked {
        message: panic.message_and_place(),
    }
}
