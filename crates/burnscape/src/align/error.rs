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
        "model `{model}` has {found} where the symmetries have {expected}; align models of one architecture, with \
         the symmetries of it"
    )]
    DifferentModel {
        /// The argument: `a` or `b`, or one of many, as in `models[2]`.
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
        /// The argument: `a` or `b`, or `source` or `target`.
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
        "an activation of group {group} ({member}) in model `{model}` is {value} in batch {batch}; look at that batch, or \
         align a model from before its training diverged"
    )]
    NonFiniteActivation {
        /// The argument: `a` or `b`.
        model: &'static str,
        /// The index of the group.
        group: usize,
        /// The first member of the group.
        member: String,
        /// The index of the batch.
        batch: usize,
        /// The activation.
        value: f64,
    },
    /// Groups without activations were to be permuted by activations.
    #[error(
        "no parameter reads the units of {}, so that they have no activations to be compared by; permute them by weights \
         (`with_weights_for_the_rest(true)`), or leave them in place (name each by its index in `with_except`, as in \
         `\"group 0\"`)",
        groups.join(", ")
    )]
    NoActivations {
        /// The groups, each with its first member.
        groups: Vec<String>,
    },
    /// A search that learns met a number that is not finite.
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
        "this matching moves every parameter, and the risk has a group; use a risk without `with_group`"
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
        "no group has a member below `{pattern}`; {}",
        named(.example)
    )]
    NoSuchMember {
        /// The filter.
        pattern: String,
        /// The path of a member; empty if the symmetries have no groups.
        example: String,
    },
    /// Every group with a member below the paths of `only` has others elsewhere.
    #[error(
        "no group lies below `{}` as a whole: {group} is in `{outside}`, too; name every part that its members are in, or \
         the group by its index, as in `\"group 0\"`",
        only.join("`, `")
    )]
    NoWholeGroup {
        /// The paths.
        only: Vec<String>,
        /// The first group with a member below one of them, with its first member.
        group: String,
        /// The path of a tensor of the group that is below none of them.
        outside: String,
    },
    /// A loss between models with running statistics, in evaluation mode.
    #[error(
        "`{path}` is a running statistic, and no mean of two fits a model between them in evaluation mode; let each batch \
         normalize by its own (`risk.with_mode(Mode::Train)`), and re-estimate the statistics of what you merge"
    )]
    RunningStatistics {
        /// The path of the first one.
        path: String,
    },
    /// No group can be learned.
    #[error("no group can be learned: {reason}")]
    NothingToLearn {
        /// Why, and what to do.
        reason: String,
    },
    /// Too few models to be aligned to each other.
    #[error("there are {found} models; align two or more")]
    FewModels {
        /// The number of models.
        found: usize,
    },
    /// Two models of different widths do not have the same structure.
    #[error("the models cannot be transported onto each other: {message}")]
    DifferentStructure {
        /// What differs, and what to do.
        message: String,
    },
    /// A group within others has different sizes in two models.
    #[error(
        "{group} lies within others, as channels lie within heads, and has another size in the other model; align models \
         with the same number of heads, and heads of the same size"
    )]
    DependentGroup {
        /// The group with its first member.
        group: String,
    },
    /// An iteration did not converge.
    #[error(
        "{what} did not converge in {iterations} iterations: the last change was {change}; allow more iterations, or a \
         larger tolerance"
    )]
    NotConverged {
        /// What was computed.
        what: String,
        /// Iterations.
        iterations: usize,
        /// The last change.
        change: f64,
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

fn named(example: &str) -> String {
    if example.is_empty() {
        "the symmetries have no groups at all, and `Symmetries::fixed` tells why".to_string()
    } else {
        format!(
            "name parameters or parts of the model, as in `{example}`, with `*` for any one name, or a group by its \
             index, as in `\"group 0\"`"
        )
    }
}

fn place(group: &Option<usize>) -> String {
    match group {
        Some(group) => format!("the similarity of group {group}: "),
        None => "the similarity: ".to_string(),
    }
}
