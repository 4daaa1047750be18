use burn::module::Module;
use burn::tensor::Tensor;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{ParamSpace, ParamVector, Scale, SpaceError, UnfilteredRule};

/// A [`Scale`] at one point of parameter space: the unit `c` of every coordinate.
#[derive(Debug, Clone)]
pub(crate) struct Units {
    space: ParamSpace,
    /// The rule for parameters without filters, if directions are normalized filter by filter.
    filters: Option<UnfilteredRule>,
    weights: ParamVector,
    /// `c`; `None` if it is one everywhere.
    coordinates: Option<ParamVector>,
    norm: f64,
}

impl Units {
    pub(super) fn of<M: Module>(
        scale: Scale,
        space: ParamSpace,
        model: &M,
    ) -> Result<Self, SpaceError> {
        if scale == Scale::FilterRelative(UnfilteredRule::OwnWeights) {
            return Err(SpaceError::OwnWeightsScale);
        }
        let weights = ParamVector::from_module(&space, model)?;
        let coordinates = match scale {
            Scale::Absolute => None,
            // A vector of ones has filters of norm √n_f: normalizing it gives |w_f| / √n_f.
            Scale::FilterRelative(rule) => Some(ones(&space)?.filter_normalize(&weights, rule)?),
            Scale::ElementRelative => Some(magnitudes(&weights, 0.0)?),
        };
        let filters = match scale {
            Scale::FilterRelative(rule) => Some(rule),
            _ => None,
        };
        Self::new(space, weights, coordinates, filters)
    }

    /// `c = |w| + 1`; Keskar's box is a cube in these units.
    pub(crate) fn of_keskar<M: Module>(space: ParamSpace, model: &M) -> Result<Self, SpaceError> {
        let weights = ParamVector::from_module(&space, model)?;
        let coordinates = magnitudes(&weights, 1.0)?;
        Self::new(space, weights, Some(coordinates), None)
    }

    fn new(
        space: ParamSpace,
        weights: ParamVector,
        coordinates: Option<ParamVector>,
        filters: Option<UnfilteredRule>,
    ) -> Result<Self, SpaceError> {
        let norm = match &coordinates {
            None => (space.len() as f64).sqrt(),
            Some(coordinates) => coordinates.norm()?,
        };
        if norm == 0.0 {
            return Err(SpaceError::NothingToPerturb);
        }
        Ok(Self {
            space,
            filters,
            weights,
            coordinates,
            norm,
        })
    }

    /// `|c|`, the root mean square norm of `c ⊙ z` for standard normal `z`.
    pub(crate) fn norm(&self) -> f64 {
        self.norm
    }

    /// `c ⊙ vector`.
    pub(crate) fn stretch(&self, vector: ParamVector) -> Result<ParamVector, SpaceError> {
        match &self.coordinates {
            None => Ok(vector),
            Some(coordinates) => vector.hadamard(coordinates),
        }
    }

    pub(crate) fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// `c ⊙ z` for a standard normal `z`.
    pub(crate) fn noise(&self, seed: u64) -> Result<ParamVector, SpaceError> {
        self.stretch(ParamVector::gaussian(&self.space, seed)?)
    }

    /// A random direction of size one.
    pub(crate) fn direction(&self, seed: u64) -> Result<ParamVector, SpaceError> {
        if let Some(rule) = self.filters {
            return self.filter_direction(rule, seed);
        }
        let direction = ParamVector::sphere(&self.space, seed)?;
        match &self.coordinates {
            None => Ok(direction),
            Some(_) => self.stretch(direction.scale((self.space.len() as f64).sqrt())),
        }
    }

    /// A random point `u` of the unit ball, to be [stretched](Self::stretch).
    pub(crate) fn ball(&self, seed: u64) -> Result<ParamVector, SpaceError> {
        ParamVector::ball(&self.space, seed)
    }

    /// A random point `u` of the cube from −1 to 1, to be [stretched](Self::stretch).
    pub(crate) fn cube(&self, seed: u64) -> Result<ParamVector, SpaceError> {
        let mut rng = StdRng::seed_from_u64(seed);
        let values: Vec<f64> = (0..self.space.len())
            .map(|_| rng.random_range(-1.0..=1.0))
            .collect();
        ParamVector::from_host(&self.space, &values)
    }

    pub(crate) fn zero(&self) -> Result<ParamVector, SpaceError> {
        ParamVector::zeros(&self.space)
    }

    fn filter_direction(&self, rule: UnfilteredRule, seed: u64) -> Result<ParamVector, SpaceError> {
        let direction = ParamVector::gaussian(&self.space, seed)?;
        direction.filter_normalize(&self.weights, rule)
    }
}

fn ones(space: &ParamSpace) -> Result<ParamVector, SpaceError> {
    let values = Tensor::ones([space.len()], space.device());
    ParamVector::from_values(space, values)
}

/// `|w| + offset`.
fn magnitudes(weights: &ParamVector, offset: f64) -> Result<ParamVector, SpaceError> {
    let values = weights.values().clone().abs() + offset;
    ParamVector::from_values(weights.space(), values)
}
