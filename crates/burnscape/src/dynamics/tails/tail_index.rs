use std::fmt;

use serde::{Deserialize, Serialize};

use super::TailIndexConfig;
use crate::dynamics::{Cost, DynamicsError, Quantity, Reading};
use crate::writing::number;

/// How heavy the tails of gradient noise are ([`TailIndexConfig::run`]), or those of samples ([`TailIndex::of`]).
///
/// Indices may be infinite, where samples are less spread than those of any stable law.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TailIndex {
    /// The tail index: 2 for Gaussian samples, less for heavier tails.
    #[serde(with = "number")]
    pub alpha: f64,
    /// The interval that covers it with the confidence set. It may reach above 2, where no stable law is.
    #[serde(with = "pair")]
    pub interval: (f64, f64),
    /// The index that the estimator gives for Gaussian noise with the variances of the coordinates.
    #[serde(with = "number")]
    pub null_alpha: f64,
    /// The interval that covers the mean of that index over all such noise.
    #[serde(with = "pair")]
    pub null_interval: (f64, f64),
    /// Whether `interval` lies below `null_interval`: the samples have heavier tails, or a sharper peak, than Gaussian
    /// noise.
    pub is_heavier: bool,
    /// Number of coordinates.
    pub num_coordinates: usize,
    /// Samples of each coordinate.
    pub num_samples: usize,
    /// Independent blocks of samples, from which the interval is computed.
    pub num_blocks: usize,
    /// What to know before the number is used: what pooled coordinates would give, coordinates that were left out.
    pub warnings: Vec<String>,
    /// The work on the risk: none for samples that were given.
    pub cost: Cost,
    /// The configuration, seed included.
    pub config: TailIndexConfig,
}

impl TailIndex {
    /// Estimates the tail index of samples: one list for each coordinate, of which element `i` belongs to example `i`. One
    /// coordinate is enough, for instance the norms of gradients
    /// ([`example_gradient_norms`](crate::loss::Risk::example_gradient_norms)).
    ///
    /// Samples need not be centered, and examples must be independent. Samples that do not fill the last block are
    /// left out.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for settings, for too few samples, for coordinates of different lengths or with numbers
    /// that are not finite, and for coordinates that are constant or repeat values so often that more than a twentieth of
    /// all pairs of samples agree: stable laws have no value twice, and `ln 0` is no number.
    pub fn of(coordinates: &[Vec<f64>], config: &TailIndexConfig) -> Result<Self, DynamicsError> {
        config.check()?;
        config.index(coordinates, Cost::default(), Vec::new())
    }
}

impl fmt::Display for TailIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval;
        let percent = (1e6 * self.config.confidence).round() / 1e4;
        let coordinates = match self.num_coordinates {
            1 => "one coordinate".to_string(),
            count => format!("{count} coordinates"),
        };
        write!(
            f,
            "The tail index is {:.2} ({percent} % interval {low:.2} to {high:.2}), from {} samples of {coordinates}. ",
            self.alpha, self.num_samples
        )?;
        let verdict = if self.is_heavier {
            "heavier than"
        } else {
            "not heavier than"
        };
        let (low, high) = self.null_interval;
        write!(
            f,
            "They are {verdict} Gaussian noise with their variances, of which it is {:.2} ({low:.2} to {high:.2}).",
            self.null_alpha
        )?;
        let mut warnings = self.warnings.iter();
        warnings.try_for_each(|warning| write!(f, "\nWarning: {warning}."))
    }
}

impl Reading for TailIndex {
    fn quantities() -> &'static [Quantity<Self>] {
        const QUANTITIES: &[Quantity<TailIndex>] = &[
            Quantity {
                name: "tail_index",
                description: "the tail index of the gradient noise; 2 if it is Gaussian",
                value: |index| Some(index.alpha),
            },
            Quantity {
                name: "tail_index_low",
                description: "the lower end of its interval",
                value: |index| Some(index.interval.0),
            },
            Quantity {
                name: "tail_index_high",
                description: "the upper end of its interval",
                value: |index| Some(index.interval.1),
            },
            Quantity {
                name: "null_tail_index",
                description: "the tail index of Gaussian noise with the same variances",
                value: |index| Some(index.null_alpha),
            },
            Quantity {
                name: "is_heavier",
                description: "1 if the noise is heavier than Gaussian noise, else 0",
                value: |index| Some(f64::from(u8::from(index.is_heavier))),
            },
        ];
        QUANTITIES
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

/// Both ends of an interval, which may be infinite.
mod pair {
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    use crate::writing::number;

    pub(super) fn serialize<S: Serializer>(
        ends: &(f64, f64),
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number::serialize(&vec![ends.0, ends.1], serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<(f64, f64), D::Error> {
        let ends: Vec<f64> = number::deserialize(deserializer)?;
        match ends.as_slice() {
            [low, high] => Ok((*low, *high)),
            others => Err(D::Error::invalid_length(others.len(), &"two numbers")),
        }
    }
}
