use std::f64::consts::PI;

use nalgebra::DMatrix;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::gram::Gram;
use super::{Centering, TrajectoryError, TrajectoryPca};
use crate::order_statistics::quantile;
use crate::range::ensure;
use crate::space::stream;

/// The shares `ρ_1, ρ_2, …` that the principal components of a random walk explain: what components of a trajectory have
/// to be compared with.
///
/// The steps of the walk are independent and alike in every direction, and the dimension is large. With `n` checkpoints
/// there are `n − 1` components (`N = n − 1`):
///
/// ```text
/// Centering::Mean   ρ_k = 3 / (2 (n² − 1) sin²(π k / 2n))               → 6 / (π² k²)         = 0.608, 0.152, 0.068, …
/// Centering::End    ρ_k = 1 / (2 N (N + 1) sin²((2k − 1) π / (4N + 2)))  → 8 / (π² (2k − 1)²)  = 0.811, 0.090, 0.032, …
/// ```
///
/// The shares do not depend on the size of the steps. Steps that differ in size, or are larger in some directions,
/// explain more: for these there is [`TrajectoryPca::sign_flip`].
///
/// Empty for fewer than two checkpoints.
///
/// # References
///
/// Antognini, Sohl-Dickstein 2018, *PCA of high dimensional random walks with comparison to neural network training*,
/// arXiv:1806.08805, for the mean; for the end, the eigenvalues of `min(s, t)`.
///
/// # Example
///
/// ```
/// use burnscape::trajectory::{Centering, random_walk_shares};
///
/// let shares = random_walk_shares(50, Centering::End);
/// assert!((shares[0] + shares[1] - 0.90086).abs() < 1e-5);
/// assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// ```
#[must_use]
pub fn random_walk_shares(num_checkpoints: usize, centering: Centering) -> Vec<f64> {
    let n = num_checkpoints as f64;
    let share = |k: usize| {
        let k = k as f64;
        match centering {
            Centering::Mean => {
                let sine = (PI * k / (2.0 * n)).sin();
                1.5 / ((n * n - 1.0) * sine * sine)
            }
            Centering::End => {
                let sine = ((2.0 * k - 1.0) * PI / (4.0 * n - 2.0)).sin();
                0.5 / ((n - 1.0) * n * sine * sine)
            }
        }
    };
    (1..num_checkpoints).map(share).collect()
}

/// The null of random signs: the share that the components would explain if every step of the trajectory had gone
/// forward or backward at random.
///
/// The lengths of the steps and the angles between them, up to their signs, are those of the trajectory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SignFlipNull {
    /// The share that the first `num_components` components explain.
    pub observed: f64,
    /// The mean of that share over the draws.
    pub mean: f64,
    /// Its 0.95-quantile over the draws, linear between neighboring values.
    pub quantile_95: f64,
    /// `(1 + #{draws with at least the observed share}) / (1 + draws)`.
    pub p_value: f64,
    /// Number of components.
    pub num_components: usize,
    /// Number of draws.
    pub draws: usize,
    /// The seed of the signs.
    pub seed: u64,
}

/// What random walks explain.
impl TrajectoryPca {
    /// The shares of a random walk with as many checkpoints and this centering: [`random_walk_shares`].
    pub fn random_walk_shares(&self) -> Vec<f64> {
        random_walk_shares(self.steps.len(), self.centering)
    }

    /// Compares the share of the computed components with that of the same steps under random signs `±1`.
    ///
    /// A small p-value says that the steps go together: that the trajectory drifts, turns or oscillates in few
    /// directions more than independent steps of these sizes do. It is exact for steps that are independent and as likely as
    /// their opposites: then `P(p ≤ α) ≤ α`, however much steps differ in size and direction.
    ///
    /// # Cost
    ///
    /// For each draw the eigenvalues of a matrix of the size of the number of checkpoints; no checkpoint is read.
    ///
    /// # Reproducibility
    ///
    /// Draw `i` depends on `seed` and `i` only.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::OutOfRange`] for no draws; [`TrajectoryError::TooFewCheckpoints`] and
    /// [`TrajectoryError::NonFinite`] if [`step_gram`](Self::step_gram) was changed.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::tensor::Device;
    /// use burnscape::prelude::*;
    /// use burnscape::trajectory::{Trajectory, TrajectoryPcaConfig};
    ///
    /// // A straight way, with steps that are partly random.
    /// let mut models = vec![LinearConfig::new(20, 10).init(&Device::default())];
    /// let space = ParamSpace::of(&models[0])?;
    /// let forward = ParamVector::sphere(&space, 0)?;
    /// for step in 1..20 {
    ///     let moved = ParamVector::sphere(&space, step)?.axpy(2.0, &forward)?;
    ///     models.push(moved.perturb(&models[models.len() - 1], 1.0)?);
    /// }
    /// let trajectory = Trajectory::of(models.into_iter().enumerate())?;
    /// let null = TrajectoryPcaConfig::new(1).run(&trajectory)?.sign_flip(39, 0)?;
    /// assert!(null.p_value <= 0.05 && null.mean < null.observed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sign_flip(&self, draws: usize, seed: u64) -> Result<SignFlipNull, TrajectoryError> {
        ensure("draws", draws as f64, 1.0..)?;
        let steps = self.steps_between()?;
        let num_components = self.coordinates.len();
        let share = |steps: DMatrix<f64>| {
            Gram::of_steps(steps).leading_share(self.centering, num_components)
        };
        let observed = share(steps.clone());
        let count = steps.nrows();
        let drawn = (0..draws).map(|draw| {
            let mut rng = stream(seed, draw as u64);
            let sign = |_| if rng.random::<bool>() { 1.0 } else { -1.0 };
            let signs: Vec<f64> = (0..count).map(sign).collect();
            let flipped = |i: usize, j: usize| signs[i] * signs[j] * steps[(i, j)];
            share(DMatrix::from_fn(count, count, flipped))
        });
        let mut shares: Vec<f64> = drawn.collect();
        shares.sort_by(f64::total_cmp);
        // Shares that are equal but for rounding count as equal.
        let least = observed * (1.0 - 1e-12);
        let as_large = shares.iter().filter(|share| **share >= least).count();
        Ok(SignFlipNull {
            observed,
            mean: shares.iter().sum::<f64>() / draws as f64,
            quantile_95: quantile(&shares, 0.95),
            p_value: (1 + as_large) as f64 / (1 + draws) as f64,
            num_components,
            draws,
            seed,
        })
    }

    /// The Gram matrix of the steps. It is a public field, so that its shape and its numbers are checked.
    fn steps_between(&self) -> Result<DMatrix<f64>, TrajectoryError> {
        let count = self.step_gram.len();
        if count == 0 {
            return Err(TrajectoryError::TooFewCheckpoints {
                found: 1,
                needed: 2,
            });
        }
        let entry = |i: usize, j: usize| self.step_gram[i].get(j).copied().unwrap_or(0.0);
        let steps = DMatrix::from_fn(count, count, entry);
        for (index, row) in steps.row_iter().enumerate() {
            if !row.iter().all(|product| product.is_finite()) {
                let step = self.steps.get(index).copied().unwrap_or(index);
                return Err(TrajectoryError::NonFinite { step });
            }
        }
        Ok(steps)
    }
}
