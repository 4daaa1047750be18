use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, GradientCheckpointingStrategy};

use super::order::place;
use super::statistics::Statistics;
use super::{Direction, LandscapeError};
use crate::loss::{LossError, Mode, PendingLoss, Risk};
use crate::space::{
    LeafVector, ParamLeaf, ParamSpace, SpaceError, checkpointing_strategy, placed, unshared_copy,
};

/// Evaluates points of a grid, several at a time.
pub(super) struct Evaluator<'a, M> {
    /// The loss, and the metrics.
    risks: Vec<Risk<'a, M>>,
    /// Their values at the model.
    center: Vec<f64>,
    model: M,
    /// The parameters of the model that the directions move.
    weights: LeafVector,
    directions: Vec<LeafVector>,
    axes: &'a [Vec<f64>],
    shape: &'a [usize],
    statistics: Statistics,
    row: Option<Row>,
}

/// What the points of a row have in common.
struct Row {
    /// The indices along all axes but the last.
    place: Vec<usize>,
    /// All parameters, displaced along these axes; none if they are those of the model.
    weights: Option<LeafVector>,
}

/// The values of some points, in order.
pub(super) struct Chunk {
    pub(super) points: Vec<(usize, Vec<f64>)>,
    /// The batches that were evaluated for them.
    pub(super) num_batches: usize,
    /// Whether an observer broke before the end.
    pub(super) is_stopped: bool,
}

impl<'a, M: Module> Evaluator<'a, M> {
    pub(super) fn new(
        risks: Vec<Risk<'a, M>>,
        center: Vec<f64>,
        model: &M,
        space: &ParamSpace,
        directions: &[Direction],
        (axes, shape): (&'a [Vec<f64>], &'a [usize]),
        statistics: Statistics,
    ) -> Result<Self, SpaceError> {
        // Half-precision numbers are added in f32, as wherever a model is displaced.
        let direction = |direction: &Direction| -> Result<LeafVector, SpaceError> {
            Ok(direction.vector().to_leaves().placed_in(space)?.widen())
        };
        let directions = directions.iter().map(direction);
        let directions = directions.collect::<Result<Vec<_>, SpaceError>>()?;
        let weights = LeafVector::from_module(space, model)?.widen();
        // Nothing needs autodiff in `Mode::Eval`, and a copy without it is cheaper to rebuild.
        let strategy = checkpointing_strategy(model).unwrap_or_default();
        let is_plain = risks.iter().all(|risk| risk.mode() == Mode::Eval)
            && strategy == GradientCheckpointingStrategy::default();
        let model = if is_plain {
            model.valid()
        } else {
            unshared_copy(model)
        };
        Ok(Self {
            risks,
            center,
            model,
            weights,
            directions,
            axes,
            shape,
            statistics,
            row: None,
        })
    }

    /// A copy for another thread, without observers: those of several threads would be called in any order.
    pub(super) fn for_thread(&self) -> Self {
        let risks = self.risks.iter().cloned().map(Risk::unobserved);
        Self {
            risks: risks.collect(),
            center: self.center.clone(),
            model: unshared_copy(&self.model),
            weights: self.weights.clone(),
            directions: self.directions.clone(),
            axes: self.axes,
            shape: self.shape,
            statistics: self.statistics.clone(),
            row: None,
        }
    }

    /// The same on another device. The risks have no observers and no devices of their own there.
    pub(super) fn on(self, device: &Device) -> Result<Self, LandscapeError> {
        let model = placed(&self.model, device)?;
        let space = part_of(&model, self.weights.space())?;
        let directions = self.directions.into_iter();
        let directions = directions.map(|direction| direction.on(&space));
        Ok(Self {
            risks: self.risks.iter().map(|risk| risk.located(device)).collect(),
            center: self.center,
            weights: self.weights.on(&space)?,
            directions: directions.collect::<Result<Vec<_>, SpaceError>>()?,
            axes: self.axes,
            shape: self.shape,
            statistics: self.statistics.on(device)?,
            row: None,
            model,
        })
    }

    /// Evaluates points, given by their indices.
    ///
    /// # Cost
    ///
    /// One host synchronization.
    pub(super) fn chunk(&mut self, points: &[usize]) -> Result<Chunk, LandscapeError> {
        let count = self.risks.len();
        // The values of each point, as far as they are known without a pass.
        let mut found: Vec<(usize, Option<Vec<f64>>)> = Vec::with_capacity(points.len());
        let mut pending = Vec::with_capacity(points.len() * count);
        let mut is_stopped = false;
        for &index in points {
            let known = match self.model_at(index)? {
                Place::Center => Some(self.center.clone()),
                Place::NotFinite => Some(vec![f64::NAN; count]),
                Place::Moved(model) => {
                    let Some(own) = self.pending(&model)? else {
                        is_stopped = true;
                        break;
                    };
                    pending.extend(own);
                    None
                }
            };
            found.push((index, known));
        }
        let num_batches = pending.iter().map(PendingLoss::num_batches).sum();
        let mut values = PendingLoss::read(&pending)?.into_iter();
        let points = found.into_iter().map(|(index, known)| {
            let own = known.unwrap_or_else(|| values.by_ref().take(count).collect());
            (index, own)
        });
        Ok(Chunk {
            points: points.collect(),
            num_batches,
            is_stopped,
        })
    }

    /// The passes at a model, none if an observer broke.
    fn pending(&self, model: &M) -> Result<Option<Vec<PendingLoss>>, LossError> {
        let mut all = Vec::with_capacity(self.risks.len());
        for risk in &self.risks {
            let own = risk.pending_loss(model)?;
            if !own.is_complete() {
                return Ok(None);
            }
            all.push(own);
        }
        Ok(Some(all))
    }

    fn model_at(&mut self, index: usize) -> Result<Place<M>, LandscapeError> {
        let place = place(self.shape, index);
        let Some(weights) = self.weights_at(&place)? else {
            return Ok(Place::Center);
        };
        let moved = weights.narrow().apply_to_own(&self.model);
        let coordinates = place.iter().zip(self.axes).map(|(&at, axis)| axis[at]);
        let found = self.statistics.at(&self.risks[0], moved, coordinates)?;
        Ok(found.map_or(Place::NotFinite, Place::Moved))
    }

    /// `w + x_1 d_1 + x_2 d_2 + …`, added from left to right; none if all coordinates are zero. A row of points shares all but
    /// the last term.
    fn weights_at(&mut self, place: &[usize]) -> Result<Option<LeafVector>, SpaceError> {
        let Some((&last, row)) = place.split_last() else {
            return Ok(None);
        };
        let known = self.row.take().filter(|known| known.place == row);
        let known = match known {
            Some(known) => known,
            None => self.row_at(row)?,
        };
        let (x, direction) = (self.axes[row.len()][last], &self.directions[row.len()]);
        let found = match &known.weights {
            start if x == 0.0 => start.clone(),
            Some(start) => Some(start.axpby(1.0, x, direction)?),
            None => Some(self.weights.axpby(1.0, x, direction)?),
        };
        self.row = Some(known);
        Ok(found)
    }

    fn row_at(&self, place: &[usize]) -> Result<Row, SpaceError> {
        let mut weights: Option<LeafVector> = None;
        for (axis, &at) in place.iter().enumerate() {
            let (x, direction) = (self.axes[axis][at], &self.directions[axis]);
            if x != 0.0 {
                let start = weights.as_ref().unwrap_or(&self.weights);
                weights = Some(start.axpby(1.0, x, direction)?);
            }
        }
        Ok(Row {
            place: place.to_vec(),
            weights,
        })
    }
}

/// A point before it is evaluated.
enum Place<M> {
    /// The model itself.
    Center,
    Moved(M),
    /// A point whose running statistics are not finite.
    NotFinite,
}

/// The space of the directions, with the identifiers of the model.
///
/// # Errors
///
/// [`SpaceError::DifferentSpaces`] if the model does not have the parameters of the directions.
pub(super) fn space_of<M: Module>(
    model: &M,
    directions: &[Direction],
) -> Result<ParamSpace, SpaceError> {
    let Some(first) = directions.first() else {
        return ParamSpace::of(model);
    };
    let wanted = first.vector().space();
    match part_of(model, wanted) {
        Ok(found) if found == *wanted => Ok(found),
        _ => {
            let whole = ParamSpace::of(model)?;
            whole.check_same(wanted)?;
            Ok(whole)
        }
    }
}

/// The space of those parameters of a model that another space has.
fn part_of<M: Module>(model: &M, other: &ParamSpace) -> Result<ParamSpace, SpaceError> {
    let paths: Vec<&str> = other.leaves().iter().map(ParamLeaf::path).collect();
    ParamSpace::of_group(model, &ParamGroup::from_paths(paths))
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Tensor};

    use crate::landscape::{Direction, LandscapeConfig};
    use crate::loss::Risk;
    use crate::space::{DirectionNorm, Grid, READS};

    #[test]
    fn points_are_read_together() {
        let device = Device::default();
        let model = LinearConfig::new(3, 2).init(&device);
        let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().mean();
        let data = [2_usize, 5].map(|rows| Tensor::<2>::ones([rows, 3], &device));
        let risk = Risk::new(&loss, &data);
        // The first pass of a risk is checked.
        risk.loss(&model).unwrap();
        let space = risk.space(&model).unwrap();
        let direction = Direction::random(&space, &model, DirectionNorm::Sphere, 1).unwrap();
        let direction = [direction];
        let reads = |len| {
            let before = READS.get();
            let config = LandscapeConfig::new([Grid::symmetric(1.0, len).unwrap()]);
            config.run(&risk, &model, &direction).unwrap();
            READS.get() - before
        };
        // 32 points of two batches.
        assert_eq!(reads(31), reads(5));
        assert_eq!(reads(65), reads(5) + 2);
    }
}
