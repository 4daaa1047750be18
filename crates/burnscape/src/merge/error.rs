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
    /// A method merges differences from a base, and there is none.
    #[error(
        "`{method}` merges differences from a base, and there is none; pass the model from which all models were \
         trained, or use a method without a base, such as `average`"
    )]
    NoBase {
        /// The method.
        method: String,
    },
    /// A method does not merge this number of models.
    #[error("`{method}` has {found} models; use {expected}")]
    NumModels {
        /// The method.
        method: String,
        /// The number of models.
        found: usize,
        /// The numbers that it merges.
        expected: String,
    },
    /// A pattern selects no tensor.
    #[error(
        "no tensor is `{pattern}` or below it; use the beginning of a path, such as `{example}`, with `*` for any one \
         name"
    )]
    NoSuchTensor {
        /// The pattern.
        pattern: String,
        /// The path of a tensor.
        example: String,
    },
    /// A method distinguishes rows from columns, and a file does not say which are which.
    #[error(
        "`{method}` distinguishes the outputs from the inputs of `{tensor}`, and a file does not say which axis is \
         which; set the layout: out-in for PyTorch, in-out for Burn's linear layers"
    )]
    NoLayout {
        /// The method.
        method: String,
        /// The name of the tensor.
        tensor: String,
    },
    /// A checkpoint does not have the tensors of the first one.
    #[error(
        "{model} does not have the tensors of the first checkpoint{}; merge checkpoints of one architecture",
        tensor_lists([("missing", missing), ("not in the first", extra), ("different", different)])
    )]
    DifferentTensors {
        /// Which checkpoint it is.
        model: String,
        /// Names that only the first one has.
        missing: Vec<String>,
        /// Names that only this one has.
        extra: Vec<String>,
        /// Names that both have, with what differs.
        different: Vec<String>,
    },
    /// A sum of Gram matrices is singular.
    #[error(
        "the Gram matrices of `{tensor}` have rank {rank} of {size} in all; collect them on more examples, scale their \
         off-diagonals by less than 1 with `with_off_diagonal`, or add to the diagonal with `with_ridge`"
    )]
    Singular {
        /// The path of the weight.
        tensor: String,
        /// The rank of the sum.
        rank: usize,
        /// The number of inputs.
        size: usize,
    },
    /// An importance or a Gram matrix that cannot be used.
    #[error("the statistics of `{tensor}` cannot be used: {message}")]
    Statistics {
        /// The path of the tensor.
        tensor: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A method cannot merge a tensor.
    #[error("`{method}` cannot merge `{tensor}`: {message}")]
    Method {
        /// The method.
        method: String,
        /// The path of the tensor.
        tensor: String,
        /// Why, and what to do.
        message: String,
    },
    /// A file that cannot be read or written.
    #[error("`{path}`: {message}")]
    File {
        /// The path.
        path: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The observer stopped the merge. Nothing was written.
    #[error("the merge was stopped after {done} of {total} tensors; nothing was written")]
    Stopped {
        /// Tensors that were merged.
        done: usize,
        /// Tensors in all.
        total: usize,
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

/// The lists that are not empty, each with its title.
fn tensor_lists(lists: [(&str, &[String]); 3]) -> String {
    let lists = lists.iter().filter(|(_, names)| !names.is_empty());
    let lists = lists.map(|(title, names)| format!(": {title}: `{}`", names.join("`, `")));
    lists.collect()
}
