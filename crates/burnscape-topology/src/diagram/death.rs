use serde::{Deserialize, Serialize};

use crate::number;

/// When a class ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Death {
    /// At a value. An infinite one is a plateau of infinite values that joins components: unbounded, but not essential.
    At(#[serde(with = "number")] f64),
    /// Never: an essential class.
    Never,
}

impl Death {
    /// The value, unless it never comes.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::At(value) => Some(value),
            Self::Never => None,
        }
    }

    /// Whether the class ends, but at an infinite value.
    pub fn is_unbounded(self) -> bool {
        matches!(self, Self::At(value) if value.is_infinite())
    }

    pub(crate) fn distance_from(self, birth: f64) -> f64 {
        match self {
            Self::At(death) if death == birth => 0.0,
            Self::At(death) => (death - birth).abs(),
            Self::Never => f64::INFINITY,
        }
    }
}
