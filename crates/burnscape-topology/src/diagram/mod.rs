//! Persistence diagrams.

mod betti;
mod death;
mod pair;
mod statistics;

pub use betti::BettiCurve;
pub use death::Death;
pub use pair::PersistencePair;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tree::short;
use crate::{Level, TopologyError};

/// Births and deaths of components, loops, or holes of a higher dimension.
///
/// # Example
///
/// ```
/// use burnscape_topology::{Death, Diagram, Level};
///
/// let points = [(0.0, Death::Never), (1.0, Death::At(3.0)), (2.0, Death::At(2.5))];
/// let diagram = Diagram::new(Level::Sub, 0, points)?;
/// assert_eq!(diagram.mean_persistence(), 1.25);
/// assert_eq!(diagram.above(1.0).pairs.len(), 2);
/// assert_eq!(diagram.betti_curve().at(2.0), 3);
/// # Ok::<(), burnscape_topology::TopologyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagram {
    /// Which sets it is of.
    pub level: Level,
    /// The dimension of the classes: 0 for components, 1 for loops.
    pub dimension: usize,
    /// The pairs, the eldest first.
    pub pairs: Vec<PersistencePair>,
}

impl Diagram {
    /// A diagram of points that are given, without their cells.
    ///
    /// # Errors
    ///
    /// [`TopologyError::NanPoint`].
    pub fn new(
        level: Level,
        dimension: usize,
        points: impl IntoIterator<Item = (f64, Death)>,
    ) -> Result<Self, TopologyError> {
        let points = points.into_iter();
        let pairs = points.map(|(birth, death)| PersistencePair {
            birth,
            death,
            birth_cell: None,
            death_cell: None,
        });
        let diagram = Self {
            level,
            dimension,
            pairs: pairs.collect(),
        };
        diagram.ensure_numbers()?;
        Ok(diagram)
    }

    pub(crate) fn ensure_numbers(&self) -> Result<(), TopologyError> {
        let is_nan = |pair: &PersistencePair| {
            pair.birth.is_nan() || pair.death.value().is_some_and(f64::is_nan)
        };
        match self.pairs.iter().position(is_nan) {
            Some(index) => Err(TopologyError::NanPoint { index }),
            None => Ok(()),
        }
    }

    /// The pairs with a persistence of at least `threshold`, those that never die among them.
    #[must_use]
    pub fn above(&self, threshold: f64) -> Self {
        let lasting = self
            .pairs
            .iter()
            .filter(|pair| pair.persistence() >= threshold);
        Self {
            pairs: lasting.copied().collect(),
            ..*self
        }
    }

    /// The number of pairs that never die.
    pub fn num_essential(&self) -> usize {
        let essential = self.pairs.iter().filter(|pair| pair.death == Death::Never);
        essential.count()
    }
}

/// The eldest first: by birth, then by the cell, then by death.
pub(crate) fn ordered(pairs: &mut [PersistencePair], level: Level) {
    let sign = |value: f64| (if level == Level::Sub { value } else { -value }) + 0.0;
    pairs.sort_by(|a, b| {
        let births = sign(a.birth).total_cmp(&sign(b.birth));
        let deaths = |pair: &PersistencePair| pair.death.value().map_or(f64::INFINITY, sign);
        births
            .then_with(|| a.birth_cell.cmp(&b.birth_cell))
            .then_with(|| deaths(a).total_cmp(&deaths(b)))
            .then_with(|| a.death_cell.cmp(&b.death_cell))
    });
}

impl fmt::Display for Diagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.pairs.len();
        let pairs = if count == 1 { "pair" } else { "pairs" };
        writeln!(
            f,
            "H{} of {} sets, {count} {pairs}",
            self.dimension, self.level
        )?;
        for pair in &self.pairs {
            match pair.death {
                Death::Never => writeln!(f, "{} never dies", short(pair.birth))?,
                Death::At(death) => {
                    let persistence = short(pair.persistence());
                    writeln!(
                        f,
                        "{} to {}, persistence {persistence}",
                        short(pair.birth),
                        short(death)
                    )?;
                }
            }
        }
        Ok(())
    }
}
