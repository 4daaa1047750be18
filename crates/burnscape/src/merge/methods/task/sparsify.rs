use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::draws::Draws;
use super::elements::TaskVectors;
use super::masks::Mask;
use super::ranks::Rows;
use super::selection::magnitudes;
use crate::OutOfRange;
use crate::merge::ByPath;
use crate::range::ensure;

/// Shares of which something is left.
const SHARE: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Included(1.0));

/// How [`TaskArithmetic`](super::TaskArithmetic) makes a task vector `τ` sparse: `τ̂`.
///
/// Densities and probabilities are more than 0 and at most 1, for each tensor by its path. At 1, with an `epsilon` or
/// `top` of 0, `τ̂ = τ`.
///
/// The *k* largest of *n* elements are those with the *k* largest magnitudes. Elements that are as large as the
/// smallest of them are kept with it, so that the result does not depend on an order: a few more than *k* may stay.
/// `⌈density · n⌉` and `⌊top · n⌋` are computed without the rounding of the product: 7 % of 100 elements are 7.
///
/// Random masks are drawn for each model and tensor from the seed, the index of the model and the name of the tensor,
/// one number for each element whatever the probability. So they do not depend on the other tensors and their order,
/// and what a smaller probability keeps is kept by a larger one. They depend on the order of the models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sparsify {
    /// `τ̂ = τ`.
    #[default]
    Keep,
    /// The `⌈density · n⌉` largest elements of each tensor. The threshold is exact, found by counting: two passes
    /// over an f32 tensor, four over an f64 tensor, and no copy of it.
    Magnitude {
        /// The share that is kept.
        density: ByPath<f64>,
    },
    /// The `⌈density · n⌉` largest elements of all tensors together, with one exact threshold for each model. The
    /// inputs are read once before the merge (f32, if a sample of them predicts the threshold to about 6 %; otherwise
    /// up to three times; f64 three or four times). Needs a [`Recipe`](crate::merge::Recipe), which shows the method
    /// all tensors first.
    ModelMagnitude {
        /// The share that is kept.
        density: f64,
    },
    /// DARE: each element with probability `keep`, divided by it. The mean over seeds is `τ`, the variance
    /// `τ² (1 − keep) / keep`.
    Random {
        /// The probability.
        keep: ByPath<f64>,
    },
    /// DELLA: each element with a probability `p_i` that is linear in the rank of its magnitude in its row, from
    /// `keep − epsilon` for the smallest to `keep + epsilon` for the largest, divided by `p_i`. The mean over seeds
    /// is `τ`, the variance `τ² (1 − p_i) / p_i`.
    ///
    /// A row is what belongs to one output unit of a weight; a vector, and a tensor without output units, is one row.
    /// A row of one element has probability `keep`. Equal magnitudes are ranked by index. The paper divides by
    /// `keep`, which is biased. Memory for an f64 copy of the tensor of one model, for the ranks (4 bytes an element
    /// and model), and for a row.
    RankedRandom {
        /// The mean of the probabilities.
        keep: ByPath<f64>,
        /// How far probabilities are from it at most: 0 or more, less than `keep`, at most `1 − keep`.
        epsilon: f64,
    },
    /// Model breadcrumbs: the `⌊top · n⌋` largest elements of a tensor are dropped as outliers. Of the rest, the
    /// `⌈density · n⌉` largest stay, or all if they are fewer. Elements that are as large as the largest that stays,
    /// stay with it. Cost as `Magnitude`.
    Breadcrumbs {
        /// The share that is kept.
        density: ByPath<f64>,
        /// The share of outliers: 0 or more, less than 1.
        top: f64,
    },
}

impl Sparsify {
    /// Refuses settings for a tensor of this name.
    pub(super) fn check(&self, name: &str) -> Result<(), OutOfRange> {
        match self {
            Self::Keep => Ok(()),
            Self::Magnitude { density } => ensure("density", *density.at(name), SHARE),
            Self::ModelMagnitude { density } => ensure("density", *density, SHARE),
            Self::Random { keep } => ensure("keep", *keep.at(name), SHARE),
            Self::RankedRandom { keep, epsilon } => check_ranked(*keep.at(name), *epsilon),
            Self::Breadcrumbs { density, top } => {
                ensure("density", *density.at(name), SHARE)?;
                ensure("top", *top, 0.0..1.0)
            }
        }
    }

    /// Whether it distinguishes the rows of a tensor.
    pub(super) fn needs_filters(&self, shape: &[usize]) -> bool {
        let has_ranks = matches!(self, Self::RankedRandom { epsilon, .. } if *epsilon > 0.0);
        has_ranks && shape.len() > 1
    }

    /// The mask of each model; none for a threshold over the model, which one tensor does not tell.
    pub(super) fn masks(&self, vectors: &TaskVectors<'_, '_>, seed: u64) -> Option<Vec<Mask>> {
        let tensor = vectors.tensor();
        let (name, len) = (tensor.name(), tensor.len());
        let models = 0..tensor.num_models();
        let draws = |model| Draws::new(seed, model, name);
        let masks = match self {
            Self::ModelMagnitude { .. } => return None,
            Self::Keep => models.map(|_| Mask::All).collect(),
            Self::Magnitude { density } => {
                let count = share_of(*density.at(name), len);
                between(vectors, 0, count)
            }
            Self::Breadcrumbs { density, top } => {
                let dropped = outliers_of(*top, len);
                let count = share_of(*density.at(name), len).min(len - dropped);
                between(vectors, dropped, count)
            }
            // Without an epsilon ranks do not count.
            Self::Random { keep } | Self::RankedRandom { keep, epsilon: 0.0 } => {
                let keep = *keep.at(name);
                let mask = |model| Mask::Random {
                    keep,
                    draws: draws(model),
                };
                models.map(mask).collect()
            }
            Self::RankedRandom { keep, epsilon } => {
                let keep = *keep.at(name);
                let rows = Rows::of(tensor.shape(), tensor.filter_axis());
                let (least, step) = match rows.len() {
                    0 | 1 => (keep, 0.0),
                    len => (keep - epsilon, 2.0 * epsilon / (len - 1) as f64),
                };
                let mask = |model| Mask::Ranked {
                    least,
                    step,
                    ranks: rows.ranks(&vectors.all_of(model)).into_iter(),
                    draws: draws(model),
                };
                models.map(mask).collect()
            }
        };
        Some(masks)
    }
}

/// Probabilities from `keep − epsilon` to `keep + epsilon` are more than 0 and at most 1.
fn check_ranked(keep: f64, epsilon: f64) -> Result<(), OutOfRange> {
    ensure("keep", keep, SHARE)?;
    // 0.9 + 0.1 is 1, while 1 − 0.9 is less than 0.1.
    if epsilon >= 0.0 && epsilon < keep && keep + epsilon <= 1.0 {
        return Ok(());
    }
    let expected = format!(
        "0 or more, less than `keep`, which is {keep}, and at most 1 − `keep`, so that \
         probabilities are more than 0 and at most 1"
    );
    Err(OutOfRange::new("epsilon", epsilon, expected))
}

/// `⌈share · len⌉`, at least 1, for a product without rounding.
pub(super) fn share_of(share: f64, len: usize) -> usize {
    let count = (share * len as f64 * (1.0 - 4.0 * f64::EPSILON)).ceil();
    (count as usize).clamp(1, len.max(1))
}

/// `⌊top · len⌋`, less than all, for a product without rounding.
fn outliers_of(top: f64, len: usize) -> usize {
    let count = (top * len as f64 * (1.0 + 4.0 * f64::EPSILON)).floor();
    (count as usize).min(len.saturating_sub(1))
}

/// Masks that drop the largest elements of every model, and keep `count` that follow, and those equal to the first
/// and the last of these.
fn between(vectors: &TaskVectors<'_, '_>, dropped: usize, count: usize) -> Vec<Mask> {
    let tensor = vectors.tensor();
    let models = 0..tensor.num_models();
    let drops_small = dropped + count < tensor.len();
    let mut ranks = Vec::new();
    for model in models.clone() {
        if dropped > 0 {
            ranks.push((model, dropped + 1));
        }
        if drops_small {
            ranks.push((model, dropped + count));
        }
    }
    if ranks.is_empty() {
        return models.map(|_| Mask::All).collect();
    }
    let mut found = magnitudes(vectors, &ranks).into_iter();
    let mut next = |is_searched: bool| if is_searched { found.next() } else { None };
    // The largest f32 stands for all differences that are larger, too.
    let is_last = |high: &f64| !tensor.is_double() && *high == f64::from(f32::MAX);
    let mask = |_| Mask::Between {
        high: next(dropped > 0)
            .filter(|high| !is_last(high))
            .unwrap_or(f64::INFINITY),
        low: next(drops_small).unwrap_or(0.0),
    };
    models.map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_exact_products() {
        assert_eq!(share_of(0.07, 100), 7); // in f64 the product is more than 7
        assert_eq!(share_of(0.7, 10), 7);
        assert_eq!(share_of(0.701, 10), 8);
        assert_eq!(share_of(1e-9, 10), 1);
        assert_eq!(share_of(1.0, 1 << 40), 1 << 40);
        assert_eq!(share_of(0.5, 0), 1);
        for len in 1..200_usize {
            for percent in 1..=100_usize {
                let share = percent as f64 / 100.0;
                assert_eq!(share_of(share, len), (percent * len).div_ceil(100));
                let dropped = (percent * len / 100).min(len - 1);
                assert_eq!(outliers_of(share, len), dropped);
            }
        }
    }
}
