use thiserror::Error;

use crate::OutOfRange;
use crate::loss::LossError;
use crate::optim::OptimError;
use crate::space::SpaceError;
use crate::symmetry::SymmetryError;

/// Errors of alignments.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum AlignError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A model does not have the float tensors of the symmetries.
    #[error(
        "model `{model}` has {found} where the symmetries have {expected}; align two models of one architecture, with \
         the symmetries of it"
    )]
    DifferentModel {
        /// The argument: `a` or `b`.
        model: &'static str,
        /// The first tensor of the symmetries that differs.
        expected: String,
        /// The tensor of the model in its place.
        found: String,
    },
    /// A parameter is NaN or infinite.
    #[error(
        "parameter `{path}` of model `{model}` is {value} at flat index {index}; align a model from before its training \
         diverged"
    )]
    NonFinite {
        /// The argument: `a` or `b`.
        model: &'static str,
        /// The path of the parameter.
        path: String,
        /// The index of its first element that is not finite.
        index: usize,
        /// That element.
        value: f64,
    },
    /// An activation is NaN or infinite.
    #[error(
        "an activation of group {group} in model `{model}` is {value} in batch {batch}; look at that batch, or align a \
         model from before its training diverged"
    )]
    NonFiniteActivation {
        /// The argument: `a` or `b`.
        model: &'static str,
        /// The index of the group.
        group: usize,
        /// The index of the batch.
        batch: usize,
        /// The activation.
        value: f64,
    },
    /// Groups without activations were to be permuted by activations.
    #[error(
        "no parameter reads the units of {}, so that they have no activations to be compared by; permute them by weights \
         (`with_weights_for_the_rest(true)`), or leave them in place (`with_except`)",
        groups.join(", ")
    )]
    NoActivations {
        /// The groups, each with its first member.
        groups: Vec<String>,
    },
    /// Straight-through matching met a number that is not finite.
    #[error("{what} is {value} in step {step}; lower the learning rate")]
    Diverged {
        /// The number.
        what: String,
        /// The step.
        step: usize,
        /// Its value.
        value: f64,
    },
    /// A risk that is restricted to a group of parameters.
    #[error(
        "straight-through matching moves every parameter, and the risk has a group; use a risk without `with_group`"
    )]
    ParameterGroup,
    /// A similarity cannot be used.
    #[error("{}{message}", place(.group))]
    Similarity {
        /// The index of the group, if it is that of one group.
        group: Option<usize>,
        /// What is wrong, and the remedy.
        message: String,
    },
    /// A filter selects nothing.
    #[error(
        "no group has a member below `{pattern}`; name parameters or parts of the model, as in `{example}`, and use `*` \
         for any one name"
    )]
    NoSuchMember {
        /// The filter.
        pattern: String,
        /// The path of a member.
        example: String,
    },
    /// Data and losses.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The optimizer.
    #[error(transparent)]
    Optim(#[from] OptimError),
    /// Symmetries and their elements.
    #[error(transparent)]
    Symmetry(#[from] SymmetryError),
    /// Parameters or their device.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

fn place(group: &Option<usize>) -> String {
    match group {
        Some(group) => format!("the similarity of group {group}: "),
        None => "the similarity: ".to_string(),
    }
}
