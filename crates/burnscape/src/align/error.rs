use thiserror::Error;

use crate::OutOfRange;
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
