//! A mask on the device of a model.

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::WeightMask;
use crate::space::{LeafVector, ParamSpace, SpaceError};

/// The pruned weights of each parameter that has some.
///
/// They are set, not multiplied: what was NaN or negative becomes zero too, and what is kept has the same bits.
#[derive(Clone)]
pub(super) struct Placed {
    device: Device,
    /// By the offset of the parameter, which is the same in every model of the mask.
    pruned: HashMap<usize, Tensor<1, Bool>>,
}

impl Placed {
    /// For the parameters of a model that the mask has accepted.
    pub(super) fn new(mask: &WeightMask, space: &ParamSpace) -> Self {
        let mut pruned = HashMap::new();
        for (own, leaf) in mask.parameters.iter().zip(space.leaves()) {
            let Some(kept) = &own.kept else { continue };
            if kept.count() < kept.len() {
                let flags: Vec<bool> = kept.iter().map(|is_kept| !is_kept).collect();
                let flags = TensorData::new(flags, [kept.len()]);
                pruned.insert(leaf.offset(), Tensor::from_data(flags, space.device()));
            }
        }
        Self {
            device: space.device().clone(),
            pruned,
        }
    }

    pub(super) fn is_on(&self, device: &Device) -> bool {
        self.device == *device
    }

    /// Sets the pruned coordinates of a vector of all parameters to zero.
    pub(super) fn restrict(&self, vector: LeafVector) -> LeafVector {
        vector.map(|leaf, value| match self.pruned.get(&leaf.offset()) {
            Some(pruned) => Some(value.mask_fill(pruned.clone(), 0.0)),
            None => Some(value),
        })
    }

    /// A copy of the model, of which `space` is the space, with zeros in place of the pruned weights.
    pub(super) fn apply_to<M: Module>(
        &self,
        space: &ParamSpace,
        model: &M,
    ) -> Result<M, SpaceError> {
        let weights = LeafVector::from_module(space, model)?;
        // Parameters without pruned weights are absent, and keep their values.
        let weights = weights.map(|leaf, value| {
            let pruned = self.pruned.get(&leaf.offset())?;
            Some(value.mask_fill(pruned.clone(), 0.0))
        });
        Ok(weights.apply_to_own(model))
    }
}
