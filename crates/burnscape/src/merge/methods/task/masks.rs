use super::draws::Draws;

/// Which elements of a task vector stay, and what becomes of them.
#[derive(Debug)]
pub(super) enum Mask {
    /// All, as they are.
    All,
    /// Those with a magnitude from `low` to `high`, as they are.
    Between { low: f64, high: f64 },
    /// Each with probability `keep`, divided by it.
    Random { keep: f64, draws: Draws },
    /// Each with a probability that is linear in its rank, divided by it.
    Ranked {
        /// The probability of rank zero.
        least: f64,
        /// What one rank adds to it.
        step: f64,
        ranks: std::vec::IntoIter<u32>,
        draws: Draws,
    },
}

impl Mask {
    /// The magnitudes that are not less than `low`.
    pub(super) fn at_least(low: f64) -> Self {
        Self::Between {
            low,
            high: f64::INFINITY,
        }
    }

    /// Applies it to the next elements.
    pub(super) fn apply(&mut self, elements: &mut [f64]) {
        match self {
            Self::All => {}
            Self::Between { low, high } => {
                let (low, high) = (*low, *high);
                for element in elements {
                    let magnitude = element.abs();
                    // Not `&&`, which would be a branch.
                    let stays = (magnitude >= low) & (magnitude <= high);
                    *element = if stays { *element } else { 0.0 };
                }
            }
            Self::Random { keep, draws } => {
                for element in elements {
                    *element = kept(*element, *keep, draws);
                }
            }
            Self::Ranked {
                least,
                step,
                ranks,
                draws,
            } => {
                for (element, rank) in elements.iter_mut().zip(ranks) {
                    // At most 1, but for rounding.
                    let keep = (*least + *step * f64::from(rank)).min(1.0);
                    *element = kept(*element, keep, draws);
                }
            }
        }
    }
}

/// An element with probability `keep`, divided by it; else zero. One draw in any case, so that a larger `keep` keeps
/// whatever a smaller one keeps.
fn kept(element: f64, keep: f64, draws: &mut Draws) -> f64 {
    if draws.uniform() < keep {
        element / keep
    } else {
        0.0
    }
}
