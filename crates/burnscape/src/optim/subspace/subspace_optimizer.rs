use std::fmt;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Bytes;
use burnscape_krylov::{VectorBlock, VectorSpace};
use serde::{Deserialize, Serialize};

use super::RandomSubspaceConfig;
use super::coordinates::{Coordinates, Projected};
use crate::loss::LossError;
use crate::optim::rate::base_rate;
use crate::optim::record::missing;
use crate::optim::{ClosureStep, Evaluation, IntoEvaluation, OptimError, OptimRecord, StepReport};
use crate::space::{ParamSpace, ParamVector, SpaceError, epsilon, mix};

/// An optimizer in a random subspace. Built by [`RandomSubspaceConfig::init`]; the config documents the method.
///
/// [`closure_step`](ClosureStep::closure_step) takes the model and closure of the whole space: the closure is called on
/// models of the subspace, and the model ends at the point to which the base moved. It must be where the last step left
/// it. Running statistics are those of the first call of the closure, as without a subspace. In the report, the norm of
/// the gradient is that of `Pᵀ g`.
///
/// A model in which a parameter occurs twice stays tied.
///
/// # Cost
///
/// In addition to the base: for every gradient a product with `P` and one with its transpose, and a product with `P`
/// for the new point; four host synchronizations in a step with one gradient, two more for each further one. Memory for
/// `dimension + 3` vectors of parameters.
#[derive(Clone)]
pub struct SubspaceOptimizer<O> {
    config: RandomSubspaceConfig,
    plane: Plane,
    coordinates: Coordinates,
    /// The weights there.
    point: ParamVector,
    base: O,
}

type Columns = <ParamVector as VectorSpace>::Block;

/// An affine subspace: `w₀` and the columns of `P`, which the block holds as rows.
#[derive(Clone)]
struct Plane {
    origin: ParamVector,
    columns: Columns,
}

impl Plane {
    fn new(config: &RandomSubspaceConfig, origin: ParamVector) -> Result<Self, SpaceError> {
        let space = origin.space().clone();
        let mut columns = Columns::with_capacity(&space, config.dimension)?;
        for index in 0..config.dimension {
            let column = ParamVector::sphere(&space, mix(config.seed, index as u64))?;
            columns.push(column)?;
        }
        Ok(Self { origin, columns })
    }

    /// `w₀ + P z`.
    fn point(&self, coordinates: &Coordinates) -> Result<ParamVector, SpaceError> {
        let along = self.columns.linear_combination(&coordinates.values()?)?;
        self.origin.clone().axpy(1.0, &along)
    }
}

/// Refuses weights that are not this point, but for the rounding of another device.
fn check_place(point: &ParamVector, weights: &ParamVector) -> Result<(), OptimError> {
    let distance = point.clone().axpy(-1.0, weights)?.norm()?;
    if distance == 0.0 {
        return Ok(());
    }
    let share = (1e3 * epsilon(point.space().dtype()?)).min(1e-2);
    if distance <= share * point.norm()? {
        return Ok(());
    }
    Err(OptimError::OutsideSubspace { distance })
}

impl<O> fmt::Debug for SubspaceOptimizer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubspaceOptimizer")
            .field("config", &self.config)
            .field("num_parameters", &self.plane.origin.space().len())
            .finish_non_exhaustive()
    }
}

impl<O: ClosureStep> SubspaceOptimizer<O> {
    pub(super) fn new(
        config: RandomSubspaceConfig,
        origin: ParamVector,
        base: O,
    ) -> Result<Self, OptimError> {
        let zeros = vec![0.0; config.dimension];
        Ok(Self {
            coordinates: Coordinates::at(&zeros, origin.space())?,
            point: origin.clone(),
            plane: Plane::new(&config, origin)?,
            config,
            base,
        })
    }
}

impl<O> SubspaceOptimizer<O> {
    /// The configuration.
    pub fn config(&self) -> &RandomSubspaceConfig {
        &self.config
    }

    /// The coordinates `z` of the model in the subspace.
    ///
    /// # Cost
    ///
    /// One host synchronization.
    ///
    /// # Errors
    ///
    /// [`OptimError::Space`] if the device cannot be read.
    pub fn coordinates(&self) -> Result<Vec<f64>, OptimError> {
        Ok(self.coordinates.values()?)
    }
}

/// The rate of the coordinates. Parameters of the model have no rates of their own.
fn single_rate(lr: &ModuleLearningRate, space: &ParamSpace) -> Result<f64, OptimError> {
    let rate = base_rate(lr, space)?;
    let mut leaves = space.leaves().iter();
    if leaves.all(|leaf| lr.lr_from_param(leaf.id(), Some(leaf.path())) == rate) {
        return Ok(rate);
    }
    Err(OptimError::Incompatible {
        first: "a random subspace",
        second: "learning rates of parameter groups",
    })
}

impl<O: ClosureStep> ClosureStep for SubspaceOptimizer<O> {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        // The identifiers of gradients are those of this model.
        let space = ParamSpace::of(model)?;
        let rate = single_rate(&lr.into(), &space)?;
        check_place(&self.point, &ParamVector::from_module(&space, model)?)?;
        let (plane, base) = (&self.plane, &mut self.base);
        let start: &M = model;
        // The model of the first call, which has its running statistics, and its parameters without a gradient.
        let mut first = None;
        let mut evaluate = |coordinates: &Coordinates| -> Result<Evaluation, LossError> {
            let visited = plane.point(coordinates)?.apply_to(start)?;
            let found = closure(&visited).into_evaluation(&visited)?;
            let gradient = found.gradient(&space)?;
            let slopes = plane.columns.dots(&ParamVector::from_leaves(&gradient)?)?;
            let slopes = ParamVector::from_host(&ParamSpace::of(coordinates)?, &slopes)?;
            first.get_or_insert((visited, gradient.num_absent()));
            Ok(Evaluation {
                loss: found.loss,
                gradients: slopes.into_gradients(),
            })
        };
        let mut moved = self.coordinates.clone();
        let mut report = base.closure_step(rate, &mut moved, |coordinates: &Coordinates| {
            Projected(evaluate(coordinates))
        })?;
        self.point = plane.point(&moved)?;
        if let Some((visited, without_gradient)) = first {
            report.without_gradient = without_gradient;
            // A step that was skipped leaves running statistics as they were.
            *model = match report.skipped {
                None => self.point.apply_to(&visited)?,
                Some(_) => self.point.apply_to(model)?,
            };
        }
        self.coordinates = moved;
        Ok(report)
    }

    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        let base = self.base.save_state(&self.coordinates)?;
        let saved = Saved {
            dimension: self.config.dimension,
            seed: self.config.seed,
            coordinates: self.coordinates.values()?,
        };
        let record = OptimRecord::new(KIND, model)?
            .with_state(&saved)?
            .with_vector(ORIGIN, Some(&self.plane.origin.to_leaves()))?;
        Ok(record.with_bytes(BASE, base.into_bytes()?.to_vec()))
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        let saved: Saved = record.state()?;
        let RandomSubspaceConfig { dimension, seed } = self.config;
        if (saved.dimension, saved.seed) != (dimension, seed) {
            let message = format!(
                "it is of a subspace of dimension {} with seed {}, and this one has dimension {dimension} and seed \
                 {seed}; load it with the configuration that saved it",
                saved.dimension, saved.seed
            );
            return Err(OptimError::Record { message });
        }
        if saved.coordinates.len() != dimension {
            return Err(missing("coordinates"));
        }
        let origin = record.vector(ORIGIN, &space);
        let origin = origin.filter(|origin| origin.num_absent() == 0);
        let origin = ParamVector::from_leaves(&origin.ok_or_else(|| missing(ORIGIN))?)?;
        let base = OptimRecord::from_bytes(Bytes::from_bytes_vec(record.bytes(BASE)?))?;
        let coordinates = Coordinates::at(&saved.coordinates, &space)?;
        let plane = Plane::new(&self.config, origin)?;
        Ok(Self {
            base: self.base.load_state(base, &coordinates)?,
            point: plane.point(&coordinates)?,
            plane,
            coordinates,
            config: self.config,
        })
    }
}

const KIND: &str = "subspace";
const ORIGIN: &str = "origin";
const BASE: &str = "coordinates.base";

/// The state, but for the origin and the base.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    dimension: usize,
    seed: u64,
    coordinates: Vec<f64>,
}
