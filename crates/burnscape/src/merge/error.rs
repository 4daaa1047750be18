use burnscape_linearize::LinearizeError;
use thiserror::Error;

use crate::OutOfRange;
use crate::loss::LossError;
use crate::space::SpaceError;
use crate::symmetry::SymmetryError;

/// Errors of merging.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The list of models is empty.
    #[error("there is no model to merge; pass at least one")]
    NoModels,
    /// A model does not have the float tensors of the first one.
    #[error(
        "{model} has {found} where the first model has {expected}; merge models of one architecture, with the same \
         element types and the same ties"
    )]
    DifferentModel {
        /// Which model it is, for instance ``model `b` ``.
        model: String,
        /// The first tensor of the first model that differs.
        expected: String,
        /// The tensor of this model in its place.
        found: String,
    },
    /// A parameter or running statistic is NaN or infinite.
    #[error(
        "`{path}` of {model} is {value} at flat index {index}; merge a model from before its training diverged"
    )]
    NonFinite {
        /// Which model it is.
        model: String,
        /// The path of the tensor.
        path: String,
        /// The index of its first element that is not finite.
        index: usize,
        /// That element.
        value: f64,
    },
    /// Two vectors point in opposite directions, so that many arcs connect them.
    #[error(
        "{what} points in opposite directions in the two models (cosine {cosine}), so that no arc between them is the \
         shortest; align the models first, use a larger `SlerpUnit`, or `interpolate`"
    )]
    Antiparallel {
        /// What: the models, a tensor, or a filter of one.
        what: String,
        /// The cosine of the angle.
        cosine: f64,
    },
    /// Running statistics would be estimated again from a single value.
    #[error(
        "batch {batch} has one example, for which the variance `{path}` is zero; leave the batch out, use batches of \
         several examples, or use `NormalizationPolicy::Interpolate`"
    )]
    OneExample {
        /// The index of the batch.
        batch: usize,
        /// The path of the variance.
        path: String,
    },
    /// Models or batches run through different layers.
    #[error(
        "the layers of {model} on batch {batch} are not those of model `a` on the first batch; repair models that run \
         the same layers, on batches for which they do"
    )]
    DifferentLayers {
        /// Which model it is.
        model: String,
        /// The index of the batch.
        batch: usize,
    },
    /// The output of a layer is NaN or infinite.
    #[error(
        "channel {channel} of the output of `{layer}` is not finite on average in {model}; look for values in the data \
         that are not finite, and for layers whose outputs leave the range of their element type"
    )]
    NonFiniteOutput {
        /// Which model it is.
        model: String,
        /// The path of a parameter of the layer.
        layer: String,
        /// The index of the channel.
        channel: usize,
    },
    /// The closure cannot be traced.
    #[error(transparent)]
    Symmetry(#[from] SymmetryError),
    /// The program cannot run.
    #[error(transparent)]
    Linearize(#[from] LinearizeError),
    /// Batches and data, and running statistics that cannot be estimated again.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Parameters or their device.
    #[error(transparent)]
    Space(#[from] SpaceError),
}
