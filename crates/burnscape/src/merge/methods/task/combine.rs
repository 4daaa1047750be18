use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::merge::methods::check_mean_weights;
use crate::merge::methods::magnitude::with_moderate_sum;
use crate::range::ensure;

/// How [`TaskArithmetic`](super::TaskArithmetic) makes one vector of sparse task vectors `τ̂_i` with weights `w_i`,
/// element by element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// `Σ w τ̂`. Weights may be negative: then what a model has learned is taken away.
    #[default]
    Sum,
    /// `Σ w τ̂ / Σ w`, over all models, also where `τ̂` is zero.
    Mean,
    /// TIES: the sign of `Σ w τ̂`, positive for a tie, and the weighted mean of those `τ̂` that have this sign. Zeros
    /// do not count. Without such a `τ̂` it is zero.
    ElectSign,
}

impl Combine {
    /// Refuses weights of models that have no such combination.
    pub(super) fn check(self, weights: &[f64]) -> Result<(), OutOfRange> {
        match self {
            Self::Sum => weights
                .iter()
                .try_for_each(|weight| ensure("weights", *weight, ..)),
            Self::Mean | Self::ElectSign => check_mean_weights(weights),
        }
    }

    /// Weights with which the combination is the same. But for `Sum`, products with them are never too large.
    pub(super) fn moderate(self, weights: &[f64]) -> Vec<f64> {
        match self {
            Self::Sum => weights.to_vec(),
            Self::Mean | Self::ElectSign => with_moderate_sum(weights).0,
        }
    }

    /// What is known of some elements before the first model.
    pub(super) fn sums(self, weights: &[f64]) -> Sums {
        Sums {
            combine: self,
            total: weights.iter().sum(),
            up: Side::default(),
            down: Side::default(),
        }
    }
}

/// What is known of some elements after some of the models.
#[derive(Debug)]
pub(super) struct Sums {
    combine: Combine,
    /// The sum of the weights.
    total: f64,
    /// The sum, or that of the positive elements.
    up: Side,
    /// The sum of the negative elements, without its sign.
    down: Side,
}

/// Weighted sums, and the sums of the weights where they count.
#[derive(Debug, Default)]
struct Side {
    sums: Vec<f64>,
    weights: Vec<f64>,
}

impl Sums {
    /// Begins with other elements.
    pub(super) fn clear(&mut self, len: usize) {
        for side in [&mut self.up, &mut self.down] {
            for numbers in [&mut side.sums, &mut side.weights] {
                numbers.clear();
                numbers.resize(len, 0.0);
            }
        }
    }

    /// One more model.
    pub(super) fn add(&mut self, weight: f64, vector: &[f64]) {
        match self.combine {
            Combine::Sum | Combine::Mean => {
                for (sum, value) in self.up.sums.iter_mut().zip(vector) {
                    *sum += weight * value;
                }
            }
            Combine::ElectSign => {
                self.up.add(weight, vector, 1.0);
                self.down.add(weight, vector, -1.0);
            }
        }
    }

    /// The combination.
    pub(super) fn write(&self, merged: &mut [f64]) {
        match self.combine {
            Combine::Sum => merged.copy_from_slice(&self.up.sums),
            Combine::Mean => {
                for (merged, sum) in merged.iter_mut().zip(&self.up.sums) {
                    *merged = sum / self.total;
                }
            }
            Combine::ElectSign => {
                let up = self.up.sums.iter().zip(&self.up.weights);
                let down = self.down.sums.iter().zip(&self.down.weights);
                for (merged, ((up, up_weight), (down, down_weight))) in
                    merged.iter_mut().zip(up.zip(down))
                {
                    let (sum, weight, sign) = if up >= down {
                        (*up, *up_weight, 1.0)
                    } else {
                        (*down, *down_weight, -1.0)
                    };
                    *merged = if weight > 0.0 {
                        sign * sum / weight
                    } else {
                        0.0
                    };
                }
            }
        }
    }
}

impl Side {
    /// Adds the elements of this sign. Without branches, so that the compiler uses vector instructions.
    fn add(&mut self, weight: f64, vector: &[f64], sign: f64) {
        let sums = self.sums.iter_mut().zip(&mut self.weights);
        for ((sum, weights), value) in sums.zip(vector) {
            let value = sign * value;
            let (term, counted) = if value > 0.0 {
                (weight * value, weight)
            } else {
                (0.0, 0.0)
            };
            *sum += term;
            *weights += counted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(combine: Combine, models: &[(f64, &[f64])]) -> Vec<f64> {
        let weights: Vec<f64> = models.iter().map(|(weight, _)| *weight).collect();
        let len = models[0].1.len();
        let mut sums = combine.sums(&weights);
        // What was there before does not matter.
        sums.clear(len + 1);
        sums.add(1.0, &vec![1.0; len + 1]);
        sums.clear(len);
        for (weight, vector) in models {
            sums.add(*weight, vector);
        }
        let mut merged = vec![f64::NAN; len];
        sums.write(&mut merged);
        merged
    }

    #[test]
    fn sums_means_and_signs_are_those_of_their_definitions() {
        let models: [(f64, &[f64]); 2] =
            [(1.0, &[1.0, -2.0, 0.0, 3.0]), (3.0, &[2.0, 1.0, 0.0, -1.0])];
        assert_eq!(combined(Combine::Sum, &models), [7.0, 1.0, 0.0, 0.0]);
        assert_eq!(combined(Combine::Mean, &models), [1.75, 0.25, 0.0, 0.0]);
        assert_eq!(combined(Combine::ElectSign, &models), [1.75, 1.0, 0.0, 3.0]);
        let equal = models.map(|(_, vector)| (1.0, vector));
        assert_eq!(combined(Combine::ElectSign, &equal), [1.5, -2.0, 0.0, 3.0]);
    }

    #[test]
    fn a_model_of_weight_zero_has_no_vote() {
        let models: [(f64, &[f64]); 2] = [(0.0, &[5.0, -5.0]), (2.0, &[-1.0, 0.0])];
        assert_eq!(combined(Combine::ElectSign, &models), [-1.0, 0.0]);
        assert_eq!(combined(Combine::Mean, &models), [-1.0, 0.0]);
    }
}
