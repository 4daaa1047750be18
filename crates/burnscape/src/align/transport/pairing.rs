//! The groups of two models of one architecture that are one: those that act on the same factors of the same axes.

use crate::align::AlignError;
use crate::space::FloatTensor;
use crate::symmetry::{Symmetries, TensorAxes};

/// What a user can do about a difference.
const REMEDY: &str = "transport between models of one architecture that differ in the widths of hidden layers only, \
                      with two units or more";

/// The groups of both models that are one.
#[derive(Debug)]
pub(super) struct Pairing {
    /// For each group of the source that of the target.
    names: Vec<Option<usize>>,
    /// For each group of the target the numbers of units of both. None if the group acts on no tensor.
    pub(super) sizes: Vec<Option<[usize; 2]>>,
    /// For each group of the target whether it is within others, or others within it, in one of the models.
    pub(super) is_dependent: Vec<bool>,
}

impl Pairing {
    /// Pairs the groups of models whose tensors have passed [`check_tensors`].
    pub(super) fn new(source: &Symmetries, target: &Symmetries) -> Result<Self, AlignError> {
        let mut names = vec![None; source.groups().len()];
        let mut sources = vec![None; target.groups().len()];
        let tensors = source.layout().tensors.iter();
        for (from, to) in tensors.zip(&target.layout().tensors) {
            for axis in 0..to.axes.len() {
                pair(from, to, axis, &mut names, &mut sources)?;
            }
        }
        let sizes = sources.iter().enumerate().map(|(group, from)| {
            from.map(|from: usize| [source.groups()[from].size(), target.groups()[group].size()])
        });
        let is_dependent = sources.iter().enumerate().map(|(group, from)| {
            is_dependent(target, group) || from.is_some_and(|from| is_dependent(source, from))
        });
        Ok(Self {
            sizes: sizes.collect(),
            is_dependent: is_dependent.collect(),
            names,
        })
    }

    /// The group of the target that a group of the source is.
    pub(super) fn name(&self, group: usize) -> Option<usize> {
        self.names.get(group).copied().flatten()
    }
}

/// Pairs the groups of an axis.
fn pair(
    from: &TensorAxes,
    to: &TensorAxes,
    axis: usize,
    names: &mut [Option<usize>],
    sources: &mut [Option<usize>],
) -> Result<(), AlignError> {
    let refused = |message: String| {
        let path = to.path();
        Err(different(&format!("axis {axis} of `{path}` {message}")))
    };
    let (own, other) = (&from.axes[axis], &to.axes[axis]);
    if own.len() != other.len() {
        return refused(format!(
            "has {} blocks in `source` and {} in `target`",
            own.len(),
            other.len()
        ));
    }
    for (own, other) in own.iter().zip(other) {
        let counts = [own.factors.len(), other.factors.len()];
        if counts[0] != counts[1] {
            return refused(format!(
                "has {} factors from {} in `source` and {} in `target`",
                counts[0], own.offset, counts[1]
            ));
        }
        for (own, other) in own.factors.iter().zip(&other.factors) {
            match (own.group, other.group) {
                (None, None) if own.size == other.size => {}
                (None, None) => {
                    return refused(format!(
                        "has {} values in `source` and {} in `target`, which no group permutes",
                        own.size, other.size
                    ));
                }
                (Some(own), Some(other)) => {
                    let is_same = *names[own].get_or_insert(other) == other;
                    if *sources[other].get_or_insert(own) != own || !is_same {
                        return refused(
                            "belongs to one group in one model and to another in the other"
                                .to_string(),
                        );
                    }
                }
                _ => return refused("is permuted in one of the models only".to_string()),
            }
        }
    }
    Ok(())
}

/// Whether a group is within others, or others within it.
fn is_dependent(symmetries: &Symmetries, group: usize) -> bool {
    let groups = symmetries.groups();
    let mut others = groups.iter();
    !groups[group].parents().is_empty() || others.any(|other| other.parents().contains(&group))
}

/// Returns an error unless paths, ties, ranks and element types are the same.
pub(super) fn check_tensors(
    source: &[FloatTensor],
    target: &[FloatTensor],
) -> Result<(), AlignError> {
    for index in 0..source.len().max(target.len()) {
        let (own, other) = (source.get(index), target.get(index));
        let is_same = own.zip(other).is_some_and(|(own, other)| {
            (&own.paths, own.shape.len(), own.values.dtype())
                == (&other.paths, other.shape.len(), other.values.dtype())
        });
        if !is_same {
            return Err(different(&format!(
                "`source` has {} where `target` has {}",
                described(own),
                described(other)
            )));
        }
    }
    Ok(())
}

fn described(tensor: Option<&FloatTensor>) -> String {
    let Some(tensor) = tensor else {
        return "no further tensor".to_string();
    };
    let (shape, dtype) = (&tensor.shape, tensor.values.dtype());
    let paths = tensor.paths.join("`, tied to `");
    format!("`{paths}` {shape:?} {dtype:?}")
}

fn different(message: &str) -> AlignError {
    AlignError::DifferentStructure {
        message: format!("{message}; {REMEDY}"),
    }
}
