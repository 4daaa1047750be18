use std::io;

use burn::config::Config;
use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::gram::{Component, Gram, combinations};
use super::{Centering, Trajectory, TrajectoryError};
use crate::landscape::{Direction, DirectionKind};
use crate::range::ensure;
use crate::space::{ParamVector, ParameterPlane};
use crate::writing::{Csv, FormatError, csv};

/// The principal components of the checkpoints of a trajectory: the directions in which they differ most.
///
/// With `n` checkpoints `θ_0, …, θ_T` and their center `c` ([`Centering`]), the components are the left singular vectors
/// of the matrix with columns `θ_t − c`. Component `k` explains the share `ρ_k = λ_k / Σ_j λ_j`, with
/// `λ_k = Σ_t ⟨θ_t − c, v_k⟩²`.
///
/// A large share is no finding by itself: two components explain 76 % to 90 % of a random walk without any structure, and
/// its picture is a smooth arc. Compare the shares with [`random_walk_shares`](TrajectoryPca::random_walk_shares), which
/// are exact for steps that are independent and alike, and with [`sign_flip`](TrajectoryPca::sign_flip), which keeps the
/// sizes and inner products of the real steps.
///
/// # Cost
///
/// Two passes over the checkpoints, in pieces of `2P/n` coordinates (1,024 at least), so that about two models are in
/// memory whatever the number of checkpoints, and the components. All sums are in f64 on the host; `n² P` products for the
/// inner products of the checkpoints, and `n³` for their eigenvalues.
///
/// # Defaults
///
/// [`Centering::End`]: the plane of two components contains the trained model.
///
/// # References
///
/// Li et al. 2018, *Visualizing the Loss Landscape of Neural Nets*, arXiv:1712.09913, section 7; Antognini,
/// Sohl-Dickstein 2018, *PCA of high dimensional random walks with comparison to neural network training*,
/// arXiv:1806.08805.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::prelude::*;
/// use burnscape::trajectory::{Trajectory, TrajectoryPcaConfig};
///
/// let start = LinearConfig::new(3, 2).init(&Device::default());
/// let across = ParamVector::sphere(&ParamSpace::of(&start)?, 1)?;
/// let models = [0.0, 1.0, 3.0].map(|x| across.perturb(&start, x));
/// let models = models.into_iter().collect::<Result<Vec<_>, _>>()?;
/// let trajectory = Trajectory::of(models.into_iter().enumerate())?;
/// let pca = TrajectoryPcaConfig::new(1).run(&trajectory)?;
/// // The checkpoints are on a line, at distances 3, 2 and 0 from the last.
/// assert!(pca.shares[0] > 1.0 - 1e-6);
/// assert!((pca.coordinates[0][0].abs() - 3.0).abs() < 1e-4);
/// // The first component of a random walk of three checkpoints explains 87 %.
/// assert!((pca.random_walk_shares()[0] - 0.8727).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct TrajectoryPcaConfig {
    /// Number of components, 1 or more.
    pub num_components: usize,
    /// The center of the checkpoints.
    #[config(default = "Centering::End")]
    pub centering: Centering,
}

impl TrajectoryPcaConfig {
    /// Computes the components of a trajectory.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::OutOfRange`] for no components; [`TrajectoryError::TooFewCheckpoints`] for fewer than two;
    /// [`TrajectoryError::NotMoving`] if all checkpoints are equal; [`TrajectoryError::NoComponent`] if the checkpoints do
    /// not have as many components; [`TrajectoryError::NonFinite`] with the step of a checkpoint whose parameters, or
    /// the squares of their changes, are not finite; those of reading a checkpoint; [`TrajectoryError::Space`] for
    /// parameters of several element types.
    pub fn run<M: Module>(
        &self,
        trajectory: &Trajectory<M>,
    ) -> Result<TrajectoryPca, TrajectoryError> {
        ensure("num_components", self.num_components as f64, 1.0..)?;
        check_length(trajectory)?;
        let gram = Gram::of(trajectory)?;
        if gram.is_zero() {
            return Err(TrajectoryError::NotMoving);
        }
        let components = gram.components(self.centering);
        let available = num_distinct(&components);
        if self.num_components > available {
            return Err(TrajectoryError::NoComponent {
                asked: self.num_components,
                available,
            });
        }
        let sum: f64 = components.iter().map(|found| found.eigenvalue).sum();
        let shares: Vec<f64> = components
            .iter()
            .map(|found| found.eigenvalue / sum)
            .collect();
        let kept = &components[..self.num_components];
        let weights: Vec<Vec<f64>> = kept.iter().map(|found| found.weights.clone()).collect();
        let vectors = orthonormal(combinations(trajectory, &weights)?);
        let mut directions = Vec::with_capacity(kept.len());
        let mut coordinates = Vec::with_capacity(kept.len());
        for (index, (component, vector)) in kept.iter().zip(vectors).enumerate() {
            let (vector, sign) = with_sign(vector);
            let size = sign * component.eigenvalue.sqrt();
            let along = component.weights.iter().map(|weight| size * weight);
            coordinates.push(along.collect());
            let kind = DirectionKind::PrincipalComponent {
                index,
                share: shares[index],
            };
            let vector = ParamVector::from_host(trajectory.space(), &vector)?;
            directions.push(Direction::new(kind, vector));
        }
        let steps = gram.steps();
        Ok(TrajectoryPca {
            centering: self.centering,
            steps: trajectory.steps().to_vec(),
            shares,
            singular_values: components
                .iter()
                .map(|found| found.eigenvalue.sqrt())
                .collect(),
            coordinates,
            step_gram: steps
                .row_iter()
                .map(|row| row.iter().copied().collect())
                .collect(),
            directions,
        })
    }
}

/// The principal components of a trajectory, the result of a [`TrajectoryPcaConfig`].
///
/// Serialized without the directions: they are empty after reading. Everything else remains, the null of random signs
/// included.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrajectoryPca {
    /// The center of the checkpoints.
    pub centering: Centering,
    /// The steps of the checkpoints.
    pub steps: Vec<usize>,
    /// The share `ρ_k` that each of the `n − 1` components explains, in descending order; their sum is 1.
    pub shares: Vec<f64>,
    /// The root `√λ_k` of the squared coordinates of all checkpoints, summed, for each component: a distance in
    /// parameter space.
    pub singular_values: Vec<f64>,
    /// `⟨θ_t − c, v_k⟩` for each computed component `k` and checkpoint `t`.
    pub coordinates: Vec<Vec<f64>>,
    /// The inner products `⟨θ_{s+1} − θ_s, θ_{t+1} − θ_t⟩` of the steps between checkpoints.
    pub step_gram: Vec<Vec<f64>>,
    #[serde(skip)]
    directions: Vec<Direction>,
}

impl TrajectoryPca {
    /// The components: orthonormal, each with the sign that makes its component of largest magnitude (the first of
    /// equal ones) positive. Kind [`DirectionKind::PrincipalComponent`], whose index starts at 0.
    pub fn directions(&self) -> &[Direction] {
        &self.directions
    }

    /// The share that the computed components explain together.
    pub fn explained_share(&self) -> f64 {
        self.shares.iter().take(self.coordinates.len()).sum()
    }

    /// The plane of the first two components of `trajectory`, whose components these are. Its coordinates are those of
    /// [`coordinates`](Self::coordinates).
    ///
    /// The origin is the last model with [`Centering::End`], and with [`Centering::Mean`] the last model with its
    /// parameters replaced by their mean over all checkpoints; running statistics are those of the last model.
    ///
    /// # Cost
    ///
    /// The last checkpoint is read; for the mean, all of them. Memory: those of the plane, and for the mean two models.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::NoComponent`] if fewer than two components were computed, or this result was read from a
    /// file; [`TrajectoryError::Space`] for a trajectory of another model; those of reading a checkpoint.
    pub fn plane<M: Module>(
        &self,
        trajectory: &Trajectory<M>,
    ) -> Result<ParameterPlane<M>, TrajectoryError> {
        let [first, second, ..] = &self.directions[..] else {
            return Err(TrajectoryError::NoComponent {
                asked: 2,
                available: self.directions.len(),
            });
        };
        check_length(trajectory)?;
        let last = trajectory.len() - 1;
        let end = trajectory.model(last)?;
        let origin = match self.centering {
            Centering::End => end,
            Centering::Mean => {
                let weights = vec![1.0 / trajectory.len() as f64; last];
                let Some(offset) = combinations(trajectory, &[weights])?.pop() else {
                    return Err(TrajectoryError::NotMoving);
                };
                let offset = ParamVector::from_host(trajectory.space(), &offset)?;
                let mean = trajectory.vector(last)?.axpy(1.0, &offset)?;
                mean.apply_to(&end)?
            }
        };
        let axes = [first.vector(), second.vector()];
        Ok(ParameterPlane::spanned(&origin, axes)?)
    }
}

impl Csv for TrajectoryPca {
    /// The columns `step,pc1,pc2,…`: the coordinates, one line for each checkpoint.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let names = (1..=self.coordinates.len()).map(|index| format!("pc{index}"));
        let header = std::iter::once("step".to_string()).chain(names);
        let rows = self.steps.iter().enumerate().map(|(index, step)| {
            let at = |along: &Vec<f64>| along.get(index).copied().unwrap_or(f64::NAN).to_string();
            let along = self.coordinates.iter().map(at);
            let row = std::iter::once(step.to_string()).chain(along);
            row.collect::<Vec<String>>()
        });
        Ok(csv(header, rows, writer)?)
    }
}

/// Refuses a trajectory of a single checkpoint.
pub(super) fn check_length<M: Module>(trajectory: &Trajectory<M>) -> Result<(), TrajectoryError> {
    match trajectory.len() {
        found @ 0..2 => Err(TrajectoryError::TooFewCheckpoints { found, needed: 2 }),
        _ => Ok(()),
    }
}

/// Number of components that are more than rounding errors of the first.
fn num_distinct(components: &[Component]) -> usize {
    let largest = components
        .iter()
        .map(|found| found.eigenvalue)
        .fold(0.0, f64::max);
    let rounding = 64.0 * (components.len() + 1) as f64 * f64::EPSILON * largest;
    components
        .iter()
        .filter(|found| found.eigenvalue > rounding)
        .count()
}

/// Makes vectors of length one, and orthogonal where rounding errors of the larger ones are in the smaller ones.
fn orthonormal(mut vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for index in 0..vectors.len() {
        let (earlier, rest) = vectors.split_at_mut(index);
        let vector = &mut rest[0];
        for other in earlier.iter() {
            let along = dot(other, vector);
            for (x, y) in vector.iter_mut().zip(other) {
                *x -= along * y;
            }
        }
        let length = dot(vector, vector).sqrt();
        for x in vector.iter_mut() {
            *x /= length;
        }
    }
    vectors
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// The vector with the sign that makes its number of largest magnitude positive, and that sign.
fn with_sign(mut vector: Vec<f64>) -> (Vec<f64>, f64) {
    let larger = |largest: f64, x: &f64| if x.abs() > largest.abs() { *x } else { largest };
    if vector.iter().fold(0.0, larger) >= 0.0 {
        return (vector, 1.0);
    }
    for x in &mut vector {
        *x = -*x;
    }
    (vector, -1.0)
}
