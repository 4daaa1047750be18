//! Checks of settings.

use std::ops::Bound;

use super::SharpnessError;
use crate::range::{POSITIVE, ensure};

/// A radius or a standard deviation. Zero is allowed and gives a rise of zero.
pub(super) fn check_size(name: &'static str, value: f64) -> Result<(), SharpnessError> {
    Ok(ensure(name, value, 0.0..)?)
}

pub(super) fn check_count(name: &'static str, value: usize) -> Result<(), SharpnessError> {
    Ok(ensure(name, value as f64, 1.0..)?)
}

/// Two products are the fewest that give an eigenvalue, or a spread.
pub(super) fn check_products(name: &'static str, value: usize) -> Result<(), SharpnessError> {
    Ok(ensure(name, value as f64, 2.0..)?)
}

pub(super) fn check_probability(name: &'static str, value: f64) -> Result<(), SharpnessError> {
    let between = (Bound::Excluded(0.0), Bound::Excluded(1.0));
    Ok(ensure(name, value, between)?)
}

pub(super) fn check_positive(name: &'static str, value: f64) -> Result<(), SharpnessError> {
    Ok(ensure(name, value, POSITIVE)?)
}
