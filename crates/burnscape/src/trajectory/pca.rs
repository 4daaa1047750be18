use std::io;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::gram::{Component, Gram, combinations};
use super::{Centering, Trajectory, TrajectoryError};
use crate::landscape::{Direction, DirectionKind};
use crate::range::ensure;
use crate::space::{ParamVector, ParameterPlane, epsilon};
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
/// Two passes over the checkpoints, in pieces: as many coordinates of all checkpoints at once as take together, in f64 on
/// the host, the bytes of two models in their element type, and 1,024 coordinates at least. So the memory does not grow with
/// the number of checkpoints, unless 1,024 coordinates of each are more. Beside the pieces there are one that is read, up to
/// 1,024 coordinates of each checkpoint for the products, `n²` inner products, and the components, in f64 until they are
/// done.
///
/// Each number of a file is read once in a pass. A parameter that is stored column by column (the weight of a `Linear` with
/// columns first) is read whole for each of its pieces, and takes its bytes of memory; if a module stores a parameter in a
/// form of its own, the whole model is.
///
/// All sums are in f64 on the host: `n² P` products for the inner products of the checkpoints, and `n³` for their
/// eigenvalues. [`TrajectoryPca::plane`] has a cost of its own.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrajectoryPcaConfig {
    num_components: usize,
    centering: Centering,
}

impl TrajectoryPcaConfig {
    /// This many components, 1 or more, seen from the last checkpoint.
    pub fn new(num_components: usize) -> Self {
        Self {
            num_components,
            centering: Centering::End,
        }
    }

    /// Sets the center of the checkpoints.
    #[must_use]
    pub fn with_centering(mut self, centering: Centering) -> Self {
        self.centering = centering;
        self
    }

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
        let space = trajectory.space();
        let place = (space.device(), space.dtype()?);
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
        for (index, (component, mut vector)) in kept.iter().zip(vectors).enumerate() {
            // The sign of a component is arbitrary.
            let sign = Direction::sign(&vector);
            if sign < 0.0 {
                vector.iter_mut().for_each(|x| *x = -*x);
            }
            let size = sign * component.eigenvalue.sqrt();
            let along = component.weights.iter().map(|weight| size * weight);
            coordinates.push(along.collect());
            let kind = DirectionKind::PrincipalComponent {
                index,
                share: shares[index],
            };
            // The numbers move: a copy of them would be as long as two models.
            let values = TensorData::new(vector, [space.len()]);
            let vector = ParamVector::from_values(space, Tensor::from_data(values, place))?;
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
    /// The [origin](ParameterPlane::origin) is the last model with [`Centering::End`], and with [`Centering::Mean`] the
    /// last model with its parameters replaced by their mean over all checkpoints; running statistics are those of the
    /// last model. A surface over the plane is a landscape around this origin, along the [directions](Self::directions).
    ///
    /// # Cost
    ///
    /// The first and the last checkpoint are read. For the mean, there is a third pass over all checkpoints, with the
    /// memory of the others and two models. Memory: that of the plane, and two vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::NoComponent`] if fewer than two components were computed, or this result was read from a
    /// file; [`TrajectoryError::Space`] for a trajectory of another model; [`TrajectoryError::OtherTrajectory`] for one
    /// with other steps, or whose ends are elsewhere; those of reading a checkpoint.
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
        let axes = [first.vector(), second.vector()];
        trajectory.space().check_same(axes[0].space())?;
        let last = trajectory.len() - 1;
        let end = trajectory.model(last)?;
        let weights = ParamVector::from_module(trajectory.space(), &end)?;
        self.check_analyzed(trajectory, &weights)?;
        let origin = match self.centering {
            Centering::End => end,
            Centering::Mean => {
                let shares = vec![1.0 / trajectory.len() as f64; last];
                let Some(offset) = combinations(trajectory, &[shares])?.pop() else {
                    return Err(TrajectoryError::NotMoving);
                };
                let offset = ParamVector::from_host(trajectory.space(), &offset)?;
                weights.axpy(1.0, &offset)?.apply_to(&end)?
            }
        };
        Ok(ParameterPlane::spanned(&origin, axes)?)
    }

    /// Refuses a trajectory that is not the one analyzed: its steps must be the same, and its first checkpoint where the
    /// analysis has seen it from the last one, whose parameters are `end`.
    fn check_analyzed<M: Module>(
        &self,
        trajectory: &Trajectory<M>,
        end: &ParamVector,
    ) -> Result<(), TrajectoryError> {
        let other = |message: String| Err(TrajectoryError::OtherTrajectory { message });
        if trajectory.steps() != self.steps {
            let (found, known) = (trajectory.len(), self.steps.len());
            return other(format!(
                "it has {found} checkpoints, at other steps than the {known} that were analyzed"
            ));
        }
        let start = trajectory.vector(0)?.axpy(-1.0, end)?;
        // Components that are small beside the first have larger errors than its rounding.
        let tolerance = epsilon(end.space().dtype()?).sqrt().max(1e-6);
        let squares = self.singular_values.iter().map(|value| value * value);
        let size = squares.sum::<f64>().sqrt();
        let distance = start.norm()? / size;
        let square: f64 = self.step_gram.iter().flatten().sum();
        let mut pairs = vec![(
            "squared distance",
            distance * distance,
            square / (size * size),
        )];
        for (direction, along) in self.directions.iter().zip(&self.coordinates) {
            if let (Some(first), Some(last)) = (along.first(), along.last()) {
                let found = start.dot(direction.vector())? / size;
                pairs.push(("coordinate", found, (first - last) / size));
            }
        }
        for (what, found, known) in pairs {
            let is_same = (found - known).abs() <= tolerance;
            if !is_same {
                return other(format!(
                    "in units of its size, the {what} of its first checkpoint, seen from the last, is {found:.6}, and was \
                     {known:.6}"
                ));
            }
        }
        Ok(())
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
