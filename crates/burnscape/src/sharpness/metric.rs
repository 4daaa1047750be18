//! The coordinates in which perturbations have size one.

use burn::module::Module;
use burn::tensor::Tensor;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{PerturbationScale, SharpnessError};
use crate::space::{ParamSpace, ParamVector, SpaceError, UnfilteredRule};

/// What a displacement of size one is, at one point of parameter space.
#[derive(Debug, Clone)]
pub(super) struct Metric {
    space: ParamSpace,
    /// What becomes of parameters without filters, where directions are normalized by filter.
    filters: Option<UnfilteredRule>,
    weights: ParamVector,
    /// `c`, unless it is one everywhere.
    coordinates: Option<ParamVector>,
    norm: f64,
}

impl Metric {
    pub(super) fn at<M: Module>(
        model: &M,
        space: ParamSpace,
        scale: PerturbationScale,
    ) -> Result<Self, SharpnessError> {
        let weights = ParamVector::from_module(&space, model)?;
        let coordinates = match scale {
            PerturbationScale::Absolute => None,
            // A vector of ones has filters of norm √n_f: normalizing it gives |w_f| / √n_f.
            PerturbationScale::FilterRelative(rule) => {
                Some(ones(&space)?.filter_normalize(&weights, rule)?)
            }
            PerturbationScale::ElementRelative => Some(magnitudes(&weights, 0.0)?),
        };
        let filters = match scale {
            PerturbationScale::FilterRelative(rule) => Some(rule),
            _ => None,
        };
        Self::new(space, weights, coordinates, filters)
    }

    /// `c = |w| + 1`, in which Keskar's box is a cube.
    pub(super) fn around_magnitudes<M: Module>(
        model: &M,
        space: ParamSpace,
    ) -> Result<Self, SharpnessError> {
        let weights = ParamVector::from_module(&space, model)?;
        let coordinates = magnitudes(&weights, 1.0)?;
        Self::new(space, weights, Some(coordinates), None)
    }

    fn new(
        space: ParamSpace,
        weights: ParamVector,
        coordinates: Option<ParamVector>,
        filters: Option<UnfilteredRule>,
    ) -> Result<Self, SharpnessError> {
        let norm = match &coordinates {
            None => (space.len() as f64).sqrt(),
            Some(coordinates) => coordinates.norm()?,
        };
        if norm == 0.0 {
            return Err(SharpnessError::NothingToPerturb);
        }
        Ok(Self {
            space,
            filters,
            weights,
            coordinates,
            norm,
        })
    }

    /// `|c|`, the root mean square size of `c ⊙ z` for standard normal `z`.
    pub(super) fn norm(&self) -> f64 {
        self.norm
    }

    /// `c ⊙ vector`.
    pub(super) fn stretch(&self, vector: ParamVector) -> Result<ParamVector, SpaceError> {
        match &self.coordinates {
            None => Ok(vector),
            Some(coordinates) => vector.times(coordinates),
        }
    }

    pub(super) fn space(&self) -> &ParamSpace {
        &self.space
    }

    /// `c ⊙ z` for a standard normal `z`.
    pub(super) fn noise(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        Ok(self.stretch(ParamVector::gaussian(&self.space, seed)?)?)
    }

    /// A random direction of size one.
    pub(super) fn direction(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        if let Some(rule) = self.filters {
            return self.filter_direction(rule, seed);
        }
        let direction = ParamVector::sphere(&self.space, seed)?;
        match &self.coordinates {
            None => Ok(direction),
            Some(_) => Ok(self.stretch(direction.scale((self.space.len() as f64).sqrt()))?),
        }
    }

    /// A point `u` of the unit ball, before [`stretch`](Self::stretch).
    pub(super) fn ball(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        Ok(ParamVector::ball(&self.space, seed)?)
    }

    /// A point `u` of the cube from −1 to 1, before [`stretch`](Self::stretch).
    pub(super) fn cube(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        let mut rng = StdRng::seed_from_u64(seed);
        let values: Vec<f64> = (0..self.space.len())
            .map(|_| rng.random_range(-1.0..=1.0))
            .collect();
        Ok(ParamVector::from_host(&self.space, &values)?)
    }

    pub(super) fn zero(&self) -> Result<ParamVector, SharpnessError> {
        Ok(ParamVector::zeros(&self.space)?)
    }

    fn filter_direction(
        &self,
        rule: UnfilteredRule,
        seed: u64,
    ) -> Result<ParamVector, SharpnessError> {
        let direction = ParamVector::gaussian(&self.space, seed)?;
        Ok(direction.filter_normalize(&self.weights, rule)?)
    }
}

fn ones(space: &ParamSpace) -> Result<ParamVector, SharpnessError> {
    let values = Tensor::ones([space.len()], space.device());
    Ok(ParamVector::from_values(space, values)?)
}

/// `|w| + offset`.
fn magnitudes(weights: &ParamVector, offset: f64) -> Result<ParamVector, SharpnessError> {
    let values = weights.values().clone().abs() + offset;
    Ok(ParamVector::from_values(weights.space(), values)?)
}
