use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::layout::{Layout, TensorAxes};
use super::{Element, SymmetryError};
use crate::space::FloatTensor;

/// The permutations of a model's weights that leave its outputs as they are, as [`Group`]s.
///
/// It is made by [`SymmetriesConfig`](super::SymmetriesConfig) or [`SymmetriesBuilder`](super::SymmetriesBuilder), and
/// serves every model with the same tensors, in training or not, on any device and in any element type.
///
/// [`Display`](fmt::Display) prints a table of the groups, and of the axes that no group permutes. With
/// [`Json`](crate::Json) it is stored; it consists of integers and text.
///
/// Cloning is cheap: clones share the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Layout", into = "Layout")]
pub struct Symmetries {
    layout: Arc<Layout>,
}

/// Indices that can be permuted in all members at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub(super) size: usize,
    pub(super) parents: Vec<usize>,
    pub(super) members: Vec<Member>,
}

impl Group {
    /// The number of indices.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The groups for each of whose values this one may be permuted differently, in ascending order: for the channels of
    /// attention heads, the group of the heads. They come before this one, and their parents are among them.
    pub fn parents(&self) -> &[usize] {
        &self.parents
    }

    /// Where the indices are.
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

/// The place of a group on an axis of a parameter or running statistic.
///
/// Index `i` of the group is at `offset + stride · i`. If other factors share the block of the axis, their values are
/// added to that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// The path of the tensor; the first one of tied tensors.
    pub path: String,
    /// The axis.
    pub axis: usize,
    /// The first index on the axis.
    pub offset: usize,
    /// The distance of neighboring values on the axis.
    pub stride: usize,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} axis {}", self.path, self.axis)?;
        if self.offset > 0 {
            write!(f, " from {}", self.offset)?;
        }
        if self.stride > 1 {
            write!(f, " by {}", self.stride)?;
        }
        Ok(())
    }
}

/// An axis, or a factor of a block of one, that no group permutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FixedAxis {
    /// The path of the tensor.
    pub path: String,
    /// The axis.
    pub axis: usize,
    /// The first index of the block.
    pub offset: usize,
    /// The number of values.
    pub size: usize,
    /// Why they are fixed, with the operation that fixes them.
    pub reason: String,
}

/// A symmetry that was found in the program and did not pass verification.
///
/// There should be none: please report one with the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dropped {
    /// The number of indices of the group.
    pub size: usize,
    /// The members of the group.
    pub members: Vec<Member>,
    /// The sizes of the parents that were dropped, if the group itself was kept.
    pub parents: Option<Vec<usize>>,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.members.first().map(ToString::to_string);
        let of = format!(
            "a group of size {} ({} members, first {})",
            self.size,
            self.members.len(),
            first.unwrap_or_else(|| "none".to_string())
        );
        match &self.parents {
            None => write!(f, "{of}"),
            Some(parents) => write!(f, "the dependence of {of} on parents of sizes {parents:?}"),
        }
    }
}

impl Symmetries {
    /// The layout must have passed its check.
    pub(super) fn of(layout: Layout) -> Self {
        Self {
            layout: Arc::new(layout),
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn into_layout(self) -> Layout {
        Arc::unwrap_or_clone(self.layout)
    }

    /// The groups; parents come before the groups that depend on them. Empty if nothing can be permuted.
    pub fn groups(&self) -> &[Group] {
        &self.layout.groups
    }

    /// The axes of parameters and running statistics, and factors of these, that no group permutes.
    pub fn fixed(&self) -> &[FixedAxis] {
        &self.layout.fixed
    }

    /// What was found and did not pass verification.
    pub fn dropped(&self) -> &[Dropped] {
        &self.layout.dropped
    }

    /// The element that permutes nothing.
    pub fn identity(&self) -> Element {
        Element::identity(self)
    }

    /// A random element: a uniformly drawn permutation of every group, and for every combination of its parents' values.
    ///
    /// # Reproducibility
    ///
    /// The permutation of a group depends on `seed` and the index of the group.
    pub fn random(&self, seed: u64) -> Element {
        Element::random(self, seed, &|_| true)
    }

    /// The element with the given permutations, one table for each group, as [`Element::permutation`] returns them.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::Group`] if a table has another length, or one of its rows is not a permutation.
    pub fn element(&self, permutations: Vec<Vec<usize>>) -> Result<Element, SymmetryError> {
        Element::new(self, permutations)
    }

    /// Returns an error unless a model has the same float tensors.
    pub(crate) fn check_tensors(&self, tensors: &[FloatTensor]) -> Result<(), SymmetryError> {
        Self::check_same(&self.layout.tensors, tensors)
    }

    /// Returns an error unless the float tensors are those of which the axes are known.
    pub(super) fn check_same(
        own: &[TensorAxes],
        tensors: &[FloatTensor],
    ) -> Result<(), SymmetryError> {
        let describe = |paths: &[String], shape: &[usize]| match paths {
            [] => format!("{shape:?}"),
            [path] => format!("`{path}` {shape:?}"),
            [path, tied @ ..] => format!("`{path}` {shape:?}, tied to `{}`", tied.join("`, `")),
        };
        for index in 0..own.len().max(tensors.len()) {
            let expected = own.get(index).map(|own| (&own.paths, &own.shape));
            let found = tensors.get(index);
            let found = found.map(|tensor| (&tensor.paths, &tensor.shape));
            if expected != found {
                let name = |tensor: Option<(&Vec<String>, &Vec<usize>)>| match tensor {
                    Some((paths, shape)) => describe(paths, shape),
                    None => "no further tensor".to_string(),
                };
                return Err(SymmetryError::DifferentModel {
                    expected: name(expected),
                    found: name(found),
                });
            }
        }
        Ok(())
    }
}

impl From<Symmetries> for Layout {
    fn from(symmetries: Symmetries) -> Self {
        symmetries.into_layout()
    }
}

impl TryFrom<Layout> for Symmetries {
    type Error = SymmetryError;

    fn try_from(layout: Layout) -> Result<Self, SymmetryError> {
        layout.check()?;
        Ok(Self::of(layout))
    }
}
