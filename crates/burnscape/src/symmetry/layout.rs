//! How groups lie on the axes of a model's float tensors.

use burnscape_linearize::{Axes, FixedReason, LinearizeError};
use serde::{Deserialize, Serialize};

use super::traced::Traced;
use super::{Dropped, FixedAxis, Group, Member, SymmetryError};
use crate::space::FloatTensor;

/// Groups, and the axes on which they act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) groups: Vec<Group>,
    pub(super) fixed: Vec<FixedAxis>,
    pub(super) dropped: Vec<Dropped>,
    /// The float tensors of the model in visit order.
    pub(crate) tensors: Vec<TensorAxes>,
}

/// The axes of a float tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TensorAxes {
    /// All paths of the tensor; several if it is tied.
    pub(crate) paths: Vec<String>,
    pub(crate) shape: Vec<usize>,
    pub(super) is_running_statistic: bool,
    /// The blocks of each axis. Every index is in one of them.
    pub(crate) axes: Vec<Vec<Block>>,
}

/// Some indices of an axis as a product of factors: an index is `offset + Σ stride · i`, with one `i` for each factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) offset: usize,
    pub(crate) factors: Vec<Factor>,
}

/// A factor of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Factor {
    pub(crate) size: usize,
    pub(crate) stride: usize,
    /// The group that permutes the values.
    pub(crate) group: Option<usize>,
}

impl Block {
    /// The indices of the block in the order of its factors.
    pub(super) fn places(&self) -> Vec<usize> {
        let factors = self.factors.iter();
        factors.fold(vec![self.offset], |places, factor| {
            let values = 0..factor.size;
            let places = places.into_iter();
            places
                .flat_map(|place| values.clone().map(move |i| place + factor.stride * i))
                .collect()
        })
    }
}

impl TensorAxes {
    pub(super) fn of(tensor: &FloatTensor, axes: Vec<Vec<Block>>) -> Self {
        Self {
            paths: tensor.paths.clone(),
            shape: tensor.shape.clone(),
            is_running_statistic: tensor.is_running_statistic,
            axes,
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.paths.first().map_or("", String::as_str)
    }

    /// Whether a group acts on the axis.
    pub(super) fn is_permuted(&self, axis: usize) -> bool {
        let mut factors = self.axes[axis].iter().flat_map(|block| &block.factors);
        factors.any(|factor| factor.group.is_some())
    }

    /// Whether a group acts on an axis.
    pub(crate) fn has_groups(&self) -> bool {
        (0..self.axes.len()).any(|axis| self.is_permuted(axis))
    }

    /// The factor from which a factor of the given block takes the value of a parent, as its axis and its place in its
    /// block: the only one in the same block, or else the only one on other axes, if its axis is a single block.
    pub(crate) fn parent_of(
        &self,
        axis: usize,
        block: usize,
        parent: usize,
    ) -> Option<(usize, usize)> {
        let places = |block: &Block| -> Vec<usize> {
            let factors = block.factors.iter().enumerate();
            let own = factors.filter(|(_, factor)| factor.group == Some(parent));
            own.map(|(place, _)| place).collect()
        };
        match places(self.axes.get(axis)?.get(block)?)[..] {
            [] => {}
            [place] => return Some((axis, place)),
            _ => return None,
        }
        let others = (0..self.axes.len()).filter(|other| *other != axis);
        let found: Vec<(usize, usize)> = others
            .flat_map(|other| {
                let places = self.axes[other].iter().flat_map(&places);
                places.map(|place| (other, place)).collect::<Vec<_>>()
            })
            .collect();
        match found[..] {
            [(other, place)] if self.axes[other].len() == 1 => Some((other, place)),
            _ => None,
        }
    }

    fn refused<T>(&self, axis: usize, message: String) -> Result<T, SymmetryError> {
        Err(SymmetryError::Axis {
            path: self.path().to_string(),
            axis,
            message,
        })
    }

    /// Returns an error unless every index of the axis is in one place of one block.
    fn check_cover(&self, axis: usize) -> Result<(), SymmetryError> {
        let len = self.shape[axis];
        let mut is_covered = vec![false; len];
        for place in self.axes[axis].iter().flat_map(Block::places) {
            match is_covered.get_mut(place) {
                Some(is_covered) if !*is_covered => *is_covered = true,
                Some(_) => {
                    let message = format!("index {place} is in two blocks; move the members apart");
                    return self.refused(axis, message);
                }
                None => {
                    let message =
                        format!("index {place} is beyond its length {len}; shorten its blocks");
                    return self.refused(axis, message);
                }
            }
        }
        match is_covered.iter().position(|is_covered| !is_covered) {
            None => Ok(()),
            Some(place) => self.refused(
                axis,
                format!("index {place} is in no block; add a block for it"),
            ),
        }
    }
}

impl Layout {
    /// A layout of groups, given by size and parents, with the members that the tensors show.
    pub(super) fn new(
        groups: Vec<(usize, Vec<usize>)>,
        tensors: Vec<TensorAxes>,
        fixed: Vec<FixedAxis>,
    ) -> Result<Self, SymmetryError> {
        let members = members(&tensors, groups.len());
        let groups = groups.into_iter().zip(members);
        let groups = groups.map(|((size, parents), members)| Group {
            size,
            parents,
            members,
        });
        let layout = Self {
            groups: groups.collect(),
            fixed,
            dropped: Vec::new(),
            tensors,
        };
        layout.check()?;
        Ok(layout)
    }

    /// What the walk over a program finds for the float tensors of the model. Groups that act on none are left out.
    pub(super) fn found(traced: &Traced, axes: &Axes) -> Result<Self, SymmetryError> {
        let mut acts = vec![false; axes.groups.len()];
        for &place in &traced.places {
            let blocks = axes.inputs.get(place).into_iter().flatten().flatten();
            for factor in blocks.flat_map(|block| &block.factors) {
                if let Ok(group) = factor.group
                    && let Some(acts) = acts.get_mut(group)
                {
                    *acts = true;
                }
            }
        }
        let kept: Vec<usize> = (0..acts.len()).filter(|&group| acts[group]).collect();
        let renamed = |group: &usize| kept.binary_search(group).ok();
        let groups = kept.iter().map(|&group| {
            let group = &axes.groups[group];
            let parents: Vec<usize> = group.parents.iter().filter_map(renamed).collect();
            (group.size, parents)
        });
        let groups: Vec<(usize, Vec<usize>)> = groups.collect();
        let mut fixed = Vec::new();
        let mut tensors = Vec::with_capacity(traced.tensors.len());
        for (tensor, &place) in traced.tensors.iter().zip(&traced.places) {
            let found = axes
                .inputs
                .get(place)
                .filter(|found| found.len() == tensor.shape.len());
            let found = found.ok_or_else(|| LinearizeError::Internal {
                message: format!("no axes were found for {:?}", tensor.paths),
            })?;
            let mut of_tensor = Vec::with_capacity(found.len());
            for (axis, found) in found.iter().enumerate() {
                let mut blocks = Vec::with_capacity(found.len());
                for block in found {
                    // Factors of one value are left out.
                    let found = block.factors.iter().filter(|factor| factor.size != 1);
                    let mut factors = Vec::new();
                    for factor in found {
                        if let Err(why) = &factor.group {
                            fixed.push(FixedAxis {
                                path: tensor.paths.first().cloned().unwrap_or_default(),
                                axis,
                                offset: block.offset,
                                size: factor.size,
                                reason: why.to_string(),
                            });
                        }
                        factors.push(Factor {
                            size: factor.size,
                            stride: factor.stride,
                            group: factor.group.as_ref().ok().and_then(renamed),
                        });
                    }
                    blocks.push(Block {
                        offset: block.offset,
                        factors,
                    });
                }
                if tensor.shape[axis] == 0 {
                    blocks.clear();
                }
                of_tensor.push(blocks);
            }
            tensors.push(TensorAxes::of(tensor, of_tensor));
        }
        Self::new(groups, tensors, fixed)
    }

    /// Returns an error unless groups and tensors fit together. Everything else relies on that.
    pub(super) fn check(&self) -> Result<(), SymmetryError> {
        for group in 0..self.groups.len() {
            self.check_group(group)?;
        }
        for tensor in &self.tensors {
            if tensor.axes.len() != tensor.shape.len() {
                let message = format!("{} axes have blocks", tensor.axes.len());
                return tensor.refused(tensor.shape.len(), message);
            }
            for axis in 0..tensor.axes.len() {
                tensor.check_cover(axis)?;
                for block in 0..tensor.axes[axis].len() {
                    self.check_block(tensor, axis, block)?;
                }
            }
        }
        let members = members(&self.tensors, self.groups.len());
        let differs = |(group, members): (&Group, &Vec<Member>)| group.members != *members;
        match self.groups.iter().zip(&members).position(differs) {
            None => Ok(()),
            Some(group) => Err(SymmetryError::Group {
                group,
                message: "its members are not those of the tensors; find the symmetries again"
                    .to_string(),
            }),
        }
    }

    fn check_group(&self, index: usize) -> Result<(), SymmetryError> {
        let Group { size, parents, .. } = &self.groups[index];
        let refused = |message: String| {
            Err(SymmetryError::Group {
                group: index,
                message,
            })
        };
        if *size == 0 {
            return refused("it is empty; leave it out".to_string());
        }
        let is_ascending = parents.is_sorted_by(|a, b| a < b);
        if !is_ascending || parents.last().is_some_and(|last| *last >= index) {
            return refused(format!(
                "its parents are {parents:?}; name groups that come before it, in order and once each"
            ));
        }
        for parent in parents {
            let above = &self.groups[*parent].parents;
            if let Some(above) = above.iter().find(|above| !parents.contains(above)) {
                return refused(format!(
                    "{above} is a parent of its parent {parent}; make it a parent, too"
                ));
            }
        }
        let mut sizes = parents.iter().map(|parent| self.groups[*parent].size);
        match sizes.try_fold(*size, usize::checked_mul) {
            Some(_) => Ok(()),
            None => refused("its parents have too many values; leave out parents".to_string()),
        }
    }

    fn check_block(
        &self,
        tensor: &TensorAxes,
        axis: usize,
        block: usize,
    ) -> Result<(), SymmetryError> {
        for factor in &tensor.axes[axis][block].factors {
            let Some(index) = factor.group else { continue };
            let Some(group) = self
                .groups
                .get(index)
                .filter(|group| group.size == factor.size)
            else {
                let message = format!("there is no group {index} of size {}", factor.size);
                return tensor.refused(axis, message);
            };
            let mut parents = group.parents.iter();
            let unseen = |parent: &&usize| tensor.parent_of(axis, block, **parent).is_none();
            if let Some(parent) = parents.find(unseen) {
                let message = format!(
                    "group {index} is permuted for each value of group {parent}, which is not exactly once beside it \
                     here: in the same block, or on another axis that is a single block; add the member of group \
                     {parent}, or leave out the parent"
                );
                return tensor.refused(axis, message);
            }
        }
        Ok(())
    }

    /// The number of combinations of the parents' values.
    pub(super) fn num_rows(&self, group: usize) -> usize {
        let parents = self.groups[group].parents.iter();
        parents.map(|parent| self.groups[*parent].size).product()
    }

    /// The same with other parents of one group.
    pub(super) fn with_parents(&self, group: usize, parents: Vec<usize>) -> Self {
        let mut layout = self.clone();
        layout.groups[group].parents = parents;
        layout
    }

    /// The same without a group. Later groups move up.
    pub(super) fn without(mut self, index: usize) -> Self {
        self.groups.remove(index);
        for group in &mut self.groups {
            group.parents.retain(|parent| *parent != index);
            for parent in group.parents.iter_mut().filter(|parent| **parent > index) {
                *parent -= 1;
            }
        }
        for tensor in &mut self.tensors {
            let path = tensor.path().to_string();
            for (axis, blocks) in tensor.axes.iter_mut().enumerate() {
                for block in blocks {
                    for factor in &mut block.factors {
                        match factor.group {
                            Some(group) if group == index => {
                                factor.group = None;
                                self.fixed.push(FixedAxis {
                                    path: path.clone(),
                                    axis,
                                    offset: block.offset,
                                    size: factor.size,
                                    reason: FixedReason::Dropped.to_string(),
                                });
                            }
                            Some(group) if group > index => factor.group = Some(group - 1),
                            _ => {}
                        }
                    }
                }
            }
        }
        self
    }
}

/// The members of each group.
fn members(tensors: &[TensorAxes], num_groups: usize) -> Vec<Vec<Member>> {
    let mut members = vec![Vec::new(); num_groups];
    for tensor in tensors {
        for (axis, blocks) in tensor.axes.iter().enumerate() {
            for block in blocks {
                for factor in &block.factors {
                    let group = factor.group.and_then(|group| members.get_mut(group));
                    if let Some(members) = group {
                        members.push(Member {
                            path: tensor.path().to_string(),
                            axis,
                            offset: block.offset,
                            stride: factor.stride,
                        });
                    }
                }
            }
        }
    }
    members
}
