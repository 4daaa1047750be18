//! Sizes in bytes, as people write them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, for instance `5GB`, `500 MB`, `1.5GiB` or `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// Units in capitals, with their bytes. The first five are those in which sizes are printed.
const UNITS: [(&str, u64); 9] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
    ("TIB", 1 << 40),
    ("GIB", 1 << 30),
    ("MIB", 1 << 20),
    ("KIB", 1 << 10),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is no size; use for instance 5GB, 500MB or 2GiB");
        let text = text.trim();
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = text.find(|c: char| !is_number(c)).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = unit.trim().to_ascii_uppercase();
        let unit = if unit.is_empty() { "B" } else { unit.as_str() };
        let found = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, factor) = found.ok_or_else(refused)?;
        let number: f64 = number.parse().map_err(|_| refused())?;
        let bytes = (number * *factor as f64).round();
        if bytes >= 1.0 && bytes < u64::MAX as f64 {
            Ok(Self(bytes as u64))
        } else {
            Err(refused())
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["TB", "GB", "MB", "kB"];
        let units = names.iter().zip(UNITS.iter().map(|(_, bytes)| bytes));
        for (name, &bytes) in units {
            if self.0 >= bytes {
                return write!(f, "{:.1} {name}", self.0 as f64 / bytes as f64);
            }
        }
        write!(f, "{} B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_fractions() {
        for (text, bytes) in [
            ("5GB", 5_000_000_000),
            ("500 mb", 500_000_000),
            ("1.5kB", 1_500),
            ("2GiB", 2 << 30),
            ("4096", 4096),
            ("7B", 7),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in ["", "GB", "5XB", "-1GB", "0", "1.2.3MB", "1e40TB"] {
            let refused = text.parse::<Size>().unwrap_err();
            assert!(refused.contains("for instance 5GB"), "{refused}");
        }
    }

    #[test]
    fn sizes_are_printed_in_the_largest_unit_below_them() {
        for (bytes, expected) in [(999, "999 B"), (1_500, "1.5 kB"), (100_000_000, "100.0 MB")] {
            assert_eq!(Size(bytes).to_string(), expected);
        }
    }
}
