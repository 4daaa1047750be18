//! The powers of two that losses are multiplied by.

use std::ops::RangeInclusive;

use burn::tensor::DType;

use crate::element::DTYPE;

const IS_DOUBLE: bool = matches!(DTYPE, DType::F64);

/// Exponents of normal numbers.
pub(crate) const NORMAL: RangeInclusive<i32> = if IS_DOUBLE { -1022..=1023 } else { -126..=127 };
pub(crate) const LARGEST: i32 = if IS_DOUBLE { 900 } else { 60 };
const STEP: usize = if IS_DOUBLE { 15 } else { 1 };
/// Exponents beyond those, with room for the values of gradients and none for their squares.
pub(crate) const FAR: [i32; 4] = if IS_DOUBLE {
    [-960, -600, 600, 1000]
} else {
    [-85, -75, 75, 100]
};

pub(crate) fn exponents() -> impl Iterator<Item = i32> {
    (-LARGEST..=LARGEST).step_by(STEP)
}
