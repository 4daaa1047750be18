use std::ops::{Bound, RangeBounds};

use thiserror::Error;

/// A setting or an argument is outside its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("`{name}` is {value}; use {expected}")]
#[non_exhaustive]
pub struct OutOfRange {
    /// The setting or argument, as the code spells it.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// The values that are accepted.
    pub expected: String,
}

impl OutOfRange {
    /// A refusal of `value`; `expected` says what is accepted, for instance `0 or more`.
    pub fn new(name: &'static str, value: f64, expected: impl Into<String>) -> Self {
        Self {
            name,
            value,
            expected: expected.into(),
        }
    }
}

/// Positive numbers.
pub(crate) const POSITIVE: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Unbounded);

/// Numbers between zero and one, without both.
pub(crate) const FRACTION: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Excluded(1.0));

/// Refuses a number outside its range, and any that is not finite.
pub(crate) fn ensure(
    name: &'static str,
    value: f64,
    range: impl RangeBounds<f64>,
) -> Result<(), OutOfRange> {
    if value.is_finite() && range.contains(&value) {
        return Ok(());
    }
    let accepted = match (range.start_bound(), range.end_bound()) {
        (Bound::Unbounded, Bound::Unbounded) => return not_finite(name, value, ""),
        (Bound::Included(low), Bound::Unbounded) => format!("{low} or more"),
        (Bound::Excluded(low), Bound::Unbounded) => format!("more than {low}"),
        (Bound::Unbounded, Bound::Included(high)) => format!("{high} or less"),
        (Bound::Unbounded, Bound::Excluded(high)) => format!("less than {high}"),
        (Bound::Included(low), Bound::Included(high)) => format!("{low} to {high}"),
        (Bound::Included(low), Bound::Excluded(high)) => {
            format!("at least {low}, less than {high}")
        }
        (Bound::Excluded(low), Bound::Included(high)) => format!("more than {low}, at most {high}"),
        (Bound::Excluded(low), Bound::Excluded(high)) => {
            format!("more than {low}, less than {high}")
        }
    };
    if value.is_finite() {
        Err(OutOfRange::new(name, value, accepted))
    } else {
        not_finite(name, value, &format!(", {accepted}"))
    }
}

fn not_finite(name: &'static str, value: f64, accepted: &str) -> Result<(), OutOfRange> {
    let expected = format!("a finite number{accepted}");
    Err(OutOfRange::new(name, value, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_accepted() {
        let text = |refused: Result<(), OutOfRange>| refused.unwrap_err().to_string();
        assert_eq!(ensure("rho", 0.5, 0.0..=1.0), Ok(()));
        assert_eq!(
            text(ensure("rho", 1.5, 0.0..=1.0)),
            "`rho` is 1.5; use 0 to 1"
        );
        assert_eq!(
            text(ensure("rho", -0.5, 0.0..)),
            "`rho` is -0.5; use 0 or more"
        );
        assert_eq!(
            text(ensure("rho", 0.0, POSITIVE)),
            "`rho` is 0; use more than 0"
        );
        assert_eq!(
            text(ensure("rho", 1.0, 0.0..1.0)),
            "`rho` is 1; use at least 0, less than 1"
        );
        assert_eq!(
            text(ensure("rho", f64::NAN, 0.0..)),
            "`rho` is NaN; use a finite number, 0 or more"
        );
        assert_eq!(
            text(ensure("rho", f64::INFINITY, ..)),
            "`rho` is inf; use a finite number"
        );
    }
}
