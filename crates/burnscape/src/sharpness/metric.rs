//! The coordinates in which perturbations have size one.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{PerturbationScale, SharpnessError};
use crate::space::{ParamSpace, ParamVector, UnfilteredRule};

/// A [`PerturbationScale`] at one point of parameter space.
pub(super) struct Metric {
    space: ParamSpace,
    scale: PerturbationScale,
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
            PerturbationScale::ElementRelative => Some(magnitudes(&weights)?),
        };
        let norm = match &coordinates {
            None => (space.len() as f64).sqrt(),
            Some(coordinates) => coordinates.norm()?,
        };
        if norm == 0.0 {
            return Err(SharpnessError::NothingToPerturb);
        }
        Ok(Self {
            space,
            scale,
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
    pub(super) fn stretch(&self, vector: ParamVector) -> Result<ParamVector, SharpnessError> {
        match &self.coordinates {
            None => Ok(vector),
            Some(coordinates) => Ok(vector.times(coordinates)?),
        }
    }

    /// `c ⊙ z` for a standard normal `z`.
    pub(super) fn noise(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        self.stretch(ParamVector::gaussian(&self.space, seed)?)
    }

    /// A random direction of size one.
    pub(super) fn direction(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        match self.scale {
            PerturbationScale::Absolute => Ok(ParamVector::sphere(&self.space, seed)?),
            PerturbationScale::FilterRelative(rule) => self.filter_direction(rule, seed),
            PerturbationScale::ElementRelative => {
                let direction = ParamVector::sphere(&self.space, seed)?;
                self.stretch(direction.scale((self.space.len() as f64).sqrt()))
            }
        }
    }

    /// A point `u` of the unit ball, before [`stretch`](Self::stretch).
    pub(super) fn ball(&self, seed: u64) -> Result<ParamVector, SharpnessError> {
        Ok(ParamVector::ball(&self.space, seed)?)
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

fn magnitudes(weights: &ParamVector) -> Result<ParamVector, SharpnessError> {
    let values = weights.values().clone().abs();
    Ok(ParamVector::from_values(weights.space(), values)?)
}
