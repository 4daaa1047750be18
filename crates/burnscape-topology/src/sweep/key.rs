//! What cells are ordered by.

/// A value of a cell; cells enter in the order of their values, then of their indices.
pub(crate) trait Key: Copy + PartialOrd + Send + Sync {
    /// An integer with the same order.
    fn integer(self) -> u64;
}

impl Key for f64 {
    fn integer(self) -> u64 {
        sortable(self)
    }
}

impl Key for u64 {
    fn integer(self) -> u64 {
        self
    }
}

/// An integer with the order of numbers. Both zeros have the same; it is neither 0 nor the largest one but for NaN.
pub(crate) fn sortable(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}
