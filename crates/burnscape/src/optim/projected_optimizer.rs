use std::cell::Cell;
use std::fmt;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};

use super::record::missing;
use super::{ClosureStep, Evaluation, IntoEvaluation, OptimError, OptimRecord, StepReport};
use crate::loss::LossError;
use crate::range::ensure;
use crate::space::{ParamSpace, ParamVector, SpaceCache, SpaceError, epsilon, parallel_bound};

/// Any optimizer, with one part of its gradients multiplied by a factor: what they have inside the span of some
/// directions, or what they have outside of it.
///
/// With the orthogonal projection `P` on the span, the base gets, in place of every gradient `g`,
///
/// ```text
/// P g + f (g − P g)   from `scaled_outside`,
/// f P g + (g − P g)   from `scaled_inside`.
/// ```
///
/// A factor of zero removes the part, and one of one changes nothing. This tells whether a training needs what its
/// gradients have there, for instance along the largest eigenvectors of the Hessian
/// ([`EigenpairsConfig`](crate::krylov::EigenpairsConfig)), or in the plane of an earlier training
/// ([`TrajectoryPcaConfig`](crate::trajectory::TrajectoryPcaConfig)).
///
/// Only gradients are projected. What the base makes of them moves weights outside of the span, too: momentum of the
/// steps before, weight decay, noise, and rates of single coordinates as in Adam. Weights that must stay in a subspace
/// are trained by a [`RandomSubspaceConfig`](super::RandomSubspaceConfig).
///
/// A base with several gradients in a step, such as [`Sam`](super::Sam), gets all of them projected, so that it
/// ascends along the projected one. In the report, the norm is that of the projected gradient. A parameter without a
/// gradient has one of zero: it moves where the span contains its coordinates, and with the weight decay of the base.
///
/// Directions need not be orthogonal or of norm one. Each is replaced by its part orthogonal to those before it; those
/// that are orthogonal already, up to rounding, stay as they are.
///
/// # Cost
///
/// In addition to the base: for every gradient a copy into one flat vector and back, and for each direction two inner
/// products with it, two with itself, and two additions, with four host synchronizations. Memory for the directions and
/// about three more vectors of parameters.
///
/// # References
///
/// Song, Ahn, Yun 2025, *Does SGD really happen in tiny subspaces?*, arXiv:2405.16002, who remove either part from the
/// steps of several optimizers.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::Device;
/// use burnscape::optim::{ClosureStep, OptimError, ProjectedOptimizer};
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// let device = Device::default().autodiff();
/// let layer = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let space = ParamSpace::of(&layer)?;
/// let mut model = ParamVector::zeros(&space)?.apply_to(&layer)?;
///
/// // The gradient is (1, 1). A quarter of what is outside of the first axis is left.
/// let axis = ParamVector::from_host(&space, &[1.0, 0.0])?;
/// let mut sgd = ProjectedOptimizer::scaled_outside(SgdConfig::new().init(), &[axis], 0.25)?;
/// sgd.closure_step(1.0, &mut model, |m: &Linear| m.weight.val().sum())?;
/// let weights = ParamVector::from_module(&space, &model)?.to_host()?;
/// assert_eq!(weights, [-1.0, -0.25]);
///
/// let none = ProjectedOptimizer::scaled_outside(SgdConfig::new().init(), &[], 0.25);
/// assert_eq!(none.err(), Some(OptimError::NoDirections));
/// # Ok::<(), OptimError>(())
/// ```
#[derive(Clone)]
pub struct ProjectedOptimizer<O> {
    base: O,
    projection: Projection,
    spaces: SpaceCache,
}

#[derive(Debug, Clone)]
struct Projection {
    /// Orthogonal to each other.
    directions: Vec<ParamVector>,
    part: Part,
    factor: f64,
}

/// What the factor multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Inside,
    Outside,
}

impl Projection {
    /// Refuses a model with other parameters than those of the directions.
    fn check(&self, space: &ParamSpace) -> Result<(), SpaceError> {
        let mut directions = self.directions.iter();
        directions.try_for_each(|direction| direction.space().check_same(space))
    }

    fn apply(&self, gradient: ParamVector) -> Result<ParamVector, SpaceError> {
        let (factor, directions) = (self.factor, &self.directions);
        let outside = gradient.clone().orthogonalize(directions)?;
        match self.part {
            // The forms in which nothing is subtracted from itself.
            Part::Inside => gradient.scale(factor).axpy(1.0 - factor, &outside),
            Part::Outside => gradient.axpy(factor - 1.0, &outside),
        }
    }
}

/// Directions of the same span that are orthogonal to each other.
fn orthogonal(directions: &[ParamVector]) -> Result<Vec<ParamVector>, OptimError> {
    let mut basis: Vec<ParamVector> = Vec::with_capacity(directions.len());
    for (index, direction) in directions.iter().enumerate() {
        let norm = direction.norm()?;
        let has_direction = norm > 0.0 && norm.is_finite();
        if !has_direction {
            return Err(SpaceError::NoDirection { norm }.into());
        }
        let dtype = direction.values().dtype();
        let rest = direction.clone().orthogonalize(&basis)?;
        let (left, rounding) = (rest.norm()?, parallel_bound(norm, dtype));
        if left <= rounding {
            let share = left / norm;
            return Err(OptimError::DependentDirection { index, share });
        }
        let removed = rest.clone().axpy(-1.0, direction)?.norm()?;
        // Two passes of Gram-Schmidt leave the square of what the directions share.
        let is_orthogonal = removed <= rounding.min(epsilon(dtype).sqrt() * norm);
        basis.push(if is_orthogonal {
            direction.clone()
        } else {
            rest
        });
    }
    if basis.is_empty() {
        return Err(OptimError::NoDirections);
    }
    Ok(basis)
}

impl<O> fmt::Debug for ProjectedOptimizer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectedOptimizer")
            .field("part", &self.projection.part)
            .field("factor", &self.projection.factor)
            .field("num_directions", &self.projection.directions.len())
            .finish_non_exhaustive()
    }
}

impl<O> ProjectedOptimizer<O> {
    /// Multiplies what gradients have outside of the span of `directions` by `factor`, which may be any finite number.
    ///
    /// # Errors
    ///
    /// [`OptimError::NoDirections`] for an empty list, [`OptimError::DependentDirection`] for a direction in the span
    /// of those before it, [`OptimError::OutOfRange`] for a factor that is not finite; [`OptimError::Space`] for
    /// directions that are zero, not finite, or of several spaces.
    pub fn scaled_outside(
        base: O,
        directions: &[ParamVector],
        factor: f64,
    ) -> Result<Self, OptimError> {
        Self::new(base, directions, Part::Outside, factor)
    }

    /// Multiplies what gradients have inside the span of `directions` by `factor`, which may be any finite number.
    ///
    /// # Errors
    ///
    /// As [`scaled_outside`](Self::scaled_outside).
    pub fn scaled_inside(
        base: O,
        directions: &[ParamVector],
        factor: f64,
    ) -> Result<Self, OptimError> {
        Self::new(base, directions, Part::Inside, factor)
    }

    fn new(
        base: O,
        directions: &[ParamVector],
        part: Part,
        factor: f64,
    ) -> Result<Self, OptimError> {
        ensure("factor", factor, ..)?;
        let directions = orthogonal(directions)?;
        Ok(Self::with(
            base,
            Projection {
                directions,
                part,
                factor,
            },
        ))
    }

    fn with(base: O, projection: Projection) -> Self {
        Self {
            base,
            projection,
            spaces: SpaceCache::default(),
        }
    }

    /// The directions, orthogonal to each other.
    pub fn directions(&self) -> &[ParamVector] {
        &self.projection.directions
    }

    /// The optimizer without the projection.
    pub fn into_base(self) -> O {
        self.base
    }
}

const KIND: &str = "projected";
const BASE: &str = "projected.base";

/// The name of a direction in a record.
fn name(index: usize) -> String {
    format!("direction {index}")
}

/// The state, but for the directions and the base.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    part: Part,
    factor: f64,
    num_directions: usize,
}

/// A step has the errors of the base, and [`OptimError::Space`] for a model with other parameters than those of the
/// directions. Directions, part and factor belong to the saved state: loading replaces the optimizer's own.
impl<O: ClosureStep> ClosureStep for ProjectedOptimizer<O> {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        let space = self.spaces.of(model)?;
        self.projection.check(&space)?;
        let projection = &self.projection;
        let num_absent = Cell::new(None);
        let projected = |model: &M| ProjectedLoss {
            loss: closure(model),
            space: &space,
            projection,
            num_absent: &num_absent,
        };
        let mut report = self.base.closure_step(lr, model, projected)?;
        if let Some(num_absent) = num_absent.get() {
            report.without_gradient = num_absent;
        }
        Ok(report)
    }

    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        let Projection {
            directions,
            part,
            factor,
        } = &self.projection;
        self.projection.check(&self.spaces.of(model)?)?;
        let saved = Saved {
            part: *part,
            factor: *factor,
            num_directions: directions.len(),
        };
        let mut record = OptimRecord::new(KIND, model)?.with_state(&saved)?;
        for (index, direction) in directions.iter().enumerate() {
            record = record.with_vector(&name(index), Some(&direction.to_leaves()))?;
        }
        let base = self.base.save_state(model)?.into_bytes()?.to_vec();
        Ok(record.with_bytes(BASE, base))
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        let Saved {
            part,
            factor,
            num_directions,
        } = record.state()?;
        // At least one, so that a record without any is refused.
        let directions = (0..num_directions.max(1)).map(|index| {
            let found = record.vector(&name(index), &space);
            let found = found.filter(|direction| direction.num_absent() == 0);
            let found = found.ok_or_else(|| missing(&name(index)))?;
            Ok(ParamVector::from_leaves(&found)?)
        });
        let projection = Projection {
            directions: directions.collect::<Result<_, OptimError>>()?,
            part,
            factor,
        };
        let base = OptimRecord::from_bytes(Bytes::from_bytes_vec(record.bytes(BASE)?))?;
        Ok(Self::with(self.base.load_state(base, model)?, projection))
    }
}

/// A loss whose gradient is projected.
struct ProjectedLoss<'a, R> {
    loss: R,
    space: &'a ParamSpace,
    projection: &'a Projection,
    /// Parameters without a gradient, in the first gradient of the step.
    num_absent: &'a Cell<Option<usize>>,
}

impl<R: IntoEvaluation> IntoEvaluation for ProjectedLoss<'_, R> {
    fn into_evaluation<M: Module>(self, model: &M) -> Result<Evaluation, LossError> {
        let found = self.loss.into_evaluation(model)?;
        let gradient = found.gradient(self.space)?;
        let num_absent = self.num_absent.get().unwrap_or(gradient.num_absent());
        self.num_absent.set(Some(num_absent));
        let gradient = ParamVector::from_leaves(&gradient)?;
        Ok(Evaluation {
            loss: found.loss,
            gradients: self.projection.apply(gradient)?.into_gradients(),
        })
    }
}
