use serde::{Deserialize, Serialize};

use super::Diagram;
use crate::{Death, Level, number};

/// The number of classes at each level: a step function, given by its steps.
///
/// For sublevel sets `β(t)` counts the pairs with `birth ≤ t < death`, for superlevel sets those with `birth ≥ t >
/// death`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BettiCurve {
    /// Which sets it is of.
    pub level: Level,
    /// The values at which the number changes, in the order in which the sets grow.
    #[serde(with = "number::list")]
    pub values: Vec<f64>,
    /// The number from each of these values on. Before the first one it is 0.
    pub counts: Vec<usize>,
}

impl BettiCurve {
    /// The number at a level.
    pub fn at(&self, value: f64) -> usize {
        let steps = self.values.iter().zip(&self.counts);
        let reached = steps.take_while(|(step, _)| match self.level {
            Level::Sub => **step <= value,
            Level::Super => **step >= value,
        });
        reached.last().map_or(0, |(_, &count)| count)
    }
}

impl Diagram {
    /// The number of classes at each level.
    pub fn betti_curve(&self) -> BettiCurve {
        let mut events: Vec<(f64, bool)> = Vec::with_capacity(2 * self.pairs.len());
        for pair in &self.pairs {
            if pair.death == Death::At(pair.birth) {
                continue;
            }
            events.push((pair.birth + 0.0, true));
            events.extend(pair.death.value().map(|death| (death + 0.0, false)));
        }
        events.sort_by(|a, b| match self.level {
            Level::Sub => a.0.total_cmp(&b.0),
            Level::Super => b.0.total_cmp(&a.0),
        });
        let (mut values, mut counts) = (Vec::new(), Vec::new());
        let (mut born, mut dead) = (0_usize, 0_usize);
        for group in events.chunk_by(|a, b| a.0 == b.0) {
            let births = group.iter().filter(|event| event.1).count();
            born += births;
            dead += group.len() - births;
            let count = born.saturating_sub(dead);
            if counts.last().copied().unwrap_or(0) != count {
                values.push(group[0].0);
                counts.push(count);
            }
        }
        BettiCurve {
            level: self.level,
            values,
            counts,
        }
    }
}
