//! Checks of configured values.

use super::SharpnessError;

/// A radius or a standard deviation: zero is allowed and gives a rise of zero.
pub(super) fn check_size(name: &'static str, value: f64) -> Result<(), SharpnessError> {
    check(
        name,
        value,
        value.is_finite() && value >= 0.0,
        "finite and not negative",
    )
}

pub(super) fn check_count(name: &'static str, value: usize) -> Result<(), SharpnessError> {
    check(name, value as f64, value > 0, "at least one")
}

/// Two products are the fewest that tell an eigenvalue, or a spread.
pub(super) fn check_products(name: &'static str, value: usize) -> Result<(), SharpnessError> {
    check(name, value as f64, value > 1, "at least two")
}

pub(super) fn check_probability(name: &'static str, value: f64) -> Result<(), SharpnessError> {
    check(name, value, value > 0.0 && value < 1.0, "between 0 and 1")
}

pub(super) fn check_positive(name: &'static str, value: f64) -> Result<(), SharpnessError> {
    check(
        name,
        value,
        value.is_finite() && value > 0.0,
        "finite and positive",
    )
}

fn check(
    name: &'static str,
    value: f64,
    is_good: bool,
    expected: &'static str,
) -> Result<(), SharpnessError> {
    if is_good {
        Ok(())
    } else {
        Err(SharpnessError::BadArgument {
            name,
            value,
            expected,
        })
    }
}
