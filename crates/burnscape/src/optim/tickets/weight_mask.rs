use std::collections::HashSet;

use burn::module::{Module, ParamGroup};
use serde::{Deserialize, Serialize};

use super::bits::Bits;
use super::placed::Placed;
use crate::optim::OptimError;
use crate::space::{LeafVector, ParamKind, ParamLeaf, ParamSpace, SpaceError, to_host};

/// Which weights of a model are kept; the others are pruned: they are zero.
///
/// Only *weights* can be pruned, the trained parameters of [`ParamKind::Weight`]: matrices, kernels and embeddings.
/// Biases and the gains and shifts of normalization layers always stay. The mask knows parameters by their paths and
/// shapes, and refuses a model in which these differ. A mask of a model is therefore also one of a copy, of a rebuilt
/// model, and of one that was read from a file.
///
/// [`MaskedOptimizer`](super::MaskedOptimizer) trains under a mask, [`TicketSearchConfig`](super::TicketSearchConfig)
/// searches for good ones.
///
/// # Cost
///
/// One bit for each weight. Pruning reads all weights from the device, and needs 24 bytes on the host for each.
///
/// # Example
///
/// ```
/// use burn::module::Param;
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::optim::WeightMask;
///
/// let device = Device::default();
/// let mut model = LinearConfig::new(2, 2).init(&device);
/// model.weight = Param::from_data([[3.0, -1.0], [0.5, 2.0]], &device);
///
/// // The half of the weights with the largest size.
/// let mask = WeightMask::of(&model)?.without_smallest(&model, 0.5)?;
/// assert_eq!((mask.num_kept(), mask.num_weights()), (2, 4));
/// assert_eq!(mask.kept_by_layer(), [("weight", 0.5)]);
///
/// let pruned = mask.apply_to(&model)?;
/// let weights: Vec<f64> = pruned.weight.val().into_data().iter::<f64>().collect();
/// assert_eq!(weights, [3.0, 0.0, 0.0, 2.0]);
/// # Ok::<(), burnscape::optim::OptimError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightMask {
    /// All trained parameters of the model, in its order.
    pub(super) parameters: Vec<MaskedParameter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MaskedParameter {
    pub(super) path: String,
    pub(super) shape: Vec<usize>,
    /// None for a parameter that is never pruned.
    pub(super) kept: Option<Bits>,
}

impl WeightMask {
    /// Keeps every weight of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::NothingToPrune`] for a model without weights, [`OptimError::Space`].
    pub fn of<M: Module>(model: &M) -> Result<Self, OptimError> {
        let space = ParamSpace::of(model)?;
        Self::of_spaces(&space, &space)
    }

    /// Keeps every weight of `model`, and can only prune those that `group` matches, for instance all but the last
    /// layer's.
    ///
    /// # Errors
    ///
    /// [`OptimError::NothingToPrune`] for a group without weights, [`OptimError::Space`].
    pub fn of_group<M: Module>(model: &M, group: &ParamGroup) -> Result<Self, OptimError> {
        Self::of_spaces(
            &ParamSpace::of(model)?,
            &ParamSpace::of_group(model, group)?,
        )
    }

    /// A mask of all parameters that can prune the weights among some of them.
    pub(super) fn of_spaces(all: &ParamSpace, prunable: &ParamSpace) -> Result<Self, OptimError> {
        let weights = prunable.leaves().iter();
        let weights = weights.filter(|leaf| leaf.kind() == ParamKind::Weight);
        let weights: HashSet<_> = weights.map(ParamLeaf::id).collect();
        if weights.is_empty() {
            let parameters = prunable.leaves().len();
            return Err(OptimError::NothingToPrune { parameters });
        }
        let parameters = all.leaves().iter().map(|leaf| MaskedParameter {
            path: leaf.path().to_owned(),
            shape: leaf.shape().to_vec(),
            kept: weights.contains(&leaf.id()).then(|| Bits::all(leaf.len())),
        });
        Ok(Self {
            parameters: parameters.collect(),
        })
    }

    /// Number of weights that can be pruned.
    pub fn num_weights(&self) -> usize {
        self.prunable().map(|(_, kept)| kept.len()).sum()
    }

    /// Number of those that are kept.
    pub fn num_kept(&self) -> usize {
        self.prunable().map(|(_, kept)| kept.count()).sum()
    }

    /// The kept share of the weights that can be pruned.
    pub fn kept_share(&self) -> f64 {
        share(self.num_kept(), self.num_weights())
    }

    /// The path of each parameter that can be pruned, with the share of its weights that is kept.
    pub fn kept_by_layer(&self) -> Vec<(&str, f64)> {
        let layers = self.prunable();
        let layers = layers.map(|(path, kept)| (path, share(kept.count(), kept.len())));
        layers.collect()
    }

    /// A copy of `model` in which pruned weights are zero. All other numbers are the same, and running statistics are
    /// not shared.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherMask`], [`OptimError::Space`].
    pub fn apply_to<M: Module>(&self, model: &M) -> Result<M, OptimError> {
        let space = self.space(model)?;
        Ok(Placed::new(self, &space).apply_to(&space, model)?)
    }

    /// The vector with zeros in place of the pruned weights: of a gradient, that of the weights that are left.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherMask`] for a vector of other parameters, a [group's](ParamSpace::of_group) included.
    pub fn restrict(&self, vector: LeafVector) -> Result<LeafVector, OptimError> {
        self.check(vector.space())?;
        Ok(Placed::new(self, vector.space()).restrict(vector))
    }

    /// The parameters that can be pruned.
    fn prunable(&self) -> impl Iterator<Item = (&str, &Bits)> {
        let parameters = self.parameters.iter();
        parameters.filter_map(|own| Some((own.path.as_str(), own.kept.as_ref()?)))
    }

    /// The parameters of `model`, if the mask is one of it.
    pub(super) fn space<M: Module>(&self, model: &M) -> Result<ParamSpace, OptimError> {
        let space = ParamSpace::of(model)?;
        self.check(&space)?;
        Ok(space)
    }

    /// Refuses other parameters than those of the mask.
    pub(super) fn check(&self, space: &ParamSpace) -> Result<(), OptimError> {
        let other = |difference: String| Err(OptimError::OtherMask { difference });
        let (expected, found) = (self.parameters.len(), space.leaves().len());
        if expected != found {
            return other(format!("it has {expected} parameters, the model {found}"));
        }
        for (own, leaf) in self.parameters.iter().zip(space.leaves()) {
            if (own.path.as_str(), own.shape.as_slice()) != (leaf.path(), leaf.shape()) {
                return other(format!(
                    "it has `{}` {:?}, the model `{}` {:?}",
                    own.path,
                    own.shape,
                    leaf.path(),
                    leaf.shape()
                ));
            }
            // A mask that was read may contradict itself.
            let bits = own.kept.as_ref().map_or(leaf.len(), Bits::len);
            if bits != leaf.len() {
                return other(format!(
                    "it has {bits} bits for `{}`, the model {} weights",
                    own.path,
                    leaf.len()
                ));
            }
        }
        Ok(())
    }

    /// The weights that can be pruned, on the host: one list for each parameter, empty for those that stay.
    pub(super) fn weights<M: Module>(&self, model: &M) -> Result<Vec<Vec<f64>>, OptimError> {
        let space = self.space(model)?;
        let weights = LeafVector::from_module(&space, model)?;
        let leaves = self.parameters.iter().zip(weights.leaves());
        let read = leaves.map(|(own, leaf)| match (&own.kept, leaf) {
            (Some(_), Some(leaf)) => to_host(leaf.clone()),
            _ => Ok(Vec::new()),
        });
        Ok(read.collect::<Result<_, SpaceError>>()?)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
