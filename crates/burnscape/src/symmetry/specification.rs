//! Groups that were written by hand, placed on the axes of a model.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::layout::{Block, Factor, Layout, TensorAxes};
use super::{FixedAxis, Member, SymmetryError};
use crate::space::FloatTensor;

/// Groups whose members have found their tensors.
#[derive(Debug, Clone, Default)]
pub(super) struct Specification {
    pub(super) groups: Vec<Specified>,
}

/// A group of a specification.
#[derive(Debug, Clone)]
pub(super) struct Specified {
    pub(super) size: usize,
    pub(super) parents: Vec<usize>,
    pub(super) members: Vec<Placed>,
}

/// A member: index `i` of the group is at `offset + stride · i`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// The index of the float tensor in visit order.
    pub(super) tensor: usize,
    pub(super) axis: usize,
    pub(super) offset: usize,
    pub(super) stride: usize,
}

/// A member on a given axis.
#[derive(Clone, Copy)]
struct Piece {
    group: usize,
    size: usize,
    offset: usize,
    stride: usize,
}

impl Specification {
    /// The distance of neighboring values of a new member of a group that divides a whole axis into equal parts: an axis of
    /// its parents is divided within their parts. `None` if the parts are not equal.
    pub(super) fn whole_axis_stride(
        &self,
        tensors: &[FloatTensor],
        tensor: usize,
        axis: usize,
        (size, parents): (usize, &[usize]),
    ) -> Option<usize> {
        let len = *tensors.get(tensor)?.shape.get(axis)?;
        let is_here = |placed: &Placed| (placed.tensor, placed.axis) == (tensor, axis);
        let here = parents.iter().filter_map(|parent| self.groups.get(*parent));
        let here = here.filter(|parent| parent.members.iter().any(is_here));
        let mut parts = here.map(|parent| parent.size);
        let parts = parts.try_fold(size, usize::checked_mul)?;
        let is_divided = parts > 0 && len >= parts && len % parts == 0;
        is_divided.then(|| len / parts)
    }

    /// The layout of the groups on all axes. What they leave out is fixed.
    pub(super) fn layout(&self, tensors: &[FloatTensor]) -> Result<Layout, SymmetryError> {
        let mut fixed = Vec::new();
        let mut found = Vec::with_capacity(tensors.len());
        for (index, tensor) in tensors.iter().enumerate() {
            let path = tensor.paths.first().cloned().unwrap_or_default();
            let mut axes = Vec::with_capacity(tensor.shape.len());
            for (axis, &len) in tensor.shape.iter().enumerate() {
                let pieces = self.pieces(index, axis);
                let blocks = blocks(len, &pieces).map_err(|message| SymmetryError::Axis {
                    path: path.clone(),
                    axis,
                    message,
                })?;
                for block in &blocks {
                    let free = block.factors.iter().filter(|factor| factor.group.is_none());
                    fixed.extend(free.map(|factor| FixedAxis {
                        path: path.clone(),
                        axis,
                        offset: block.offset,
                        size: factor.size,
                        reason: "not in the specification".to_string(),
                    }));
                }
                axes.push(blocks);
            }
            found.push(TensorAxes::of(tensor, axes));
        }
        let groups = self.groups.iter();
        let groups = groups.map(|group| (group.size, group.parents.clone()));
        Layout::new(groups.collect(), found, fixed)
    }

    /// The members on an axis.
    fn pieces(&self, tensor: usize, axis: usize) -> Vec<Piece> {
        let groups = self.groups.iter().enumerate();
        groups
            .flat_map(|(index, group)| {
                let here = group.members.iter();
                let here =
                    here.filter(move |placed| (placed.tensor, placed.axis) == (tensor, axis));
                here.map(move |placed| Piece {
                    group: index,
                    size: group.size,
                    offset: placed.offset,
                    stride: placed.stride,
                })
            })
            .collect()
    }
}

impl Placed {
    /// The place of a member, if a tensor has its path.
    pub(super) fn of(member: &Member, tensors: &[FloatTensor]) -> Option<Self> {
        let mut paths = tensors.iter().map(|tensor| &tensor.paths);
        Some(Self {
            tensor: paths.position(|paths| paths.contains(&member.path))?,
            axis: member.axis,
            offset: member.offset,
            stride: member.stride,
        })
    }
}

/// The blocks of an axis with the given members. Members with one offset share a block; a value of the innermost one is as
/// many neighboring indices as fit before the next value, of this or another member.
fn blocks(len: usize, pieces: &[Piece]) -> Result<Vec<Block>, String> {
    let mut by_offset: BTreeMap<usize, Vec<Piece>> = BTreeMap::new();
    for piece in pieces {
        by_offset.entry(piece.offset).or_default().push(*piece);
    }
    for shared in by_offset.values_mut() {
        shared.sort_by_key(|piece| Reverse(piece.stride));
    }
    let outermost = by_offset.values().filter_map(|shared| shared.first());
    let starts: Vec<usize> = outermost
        .flat_map(|piece| (0..piece.size).map(move |value| piece.offset + piece.stride * value))
        .collect();
    let mut found = Vec::new();
    for (&offset, shared) in &by_offset {
        let later = starts.iter().filter(|start| **start > offset).min();
        let reach = later.map_or(len, |later| later - offset);
        found.extend(nested(len, offset, shared, reach)?);
    }
    let mut is_covered = vec![false; len];
    for place in found.iter().flat_map(Block::places) {
        match is_covered.get_mut(place) {
            Some(is_covered) if !*is_covered => *is_covered = true,
            _ => return Err(overlap(place)),
        }
    }
    let mut place = 0;
    while place < len {
        let rest = is_covered[place..]
            .iter()
            .take_while(|is_covered| !**is_covered);
        let rest = rest.count();
        if rest > 0 {
            found.push(Block {
                offset: place,
                factors: unpermuted(rest).into_iter().collect(),
            });
        }
        place += rest.max(1);
    }
    found.sort_by_key(|block| block.offset);
    Ok(found)
}

/// The blocks of members with one offset, the outermost first: one with all of them, and those of the indices between.
fn nested(len: usize, offset: usize, pieces: &[Piece], reach: usize) -> Result<Vec<Block>, String> {
    // The number of neighboring indices that a value of the innermost factor has.
    let room = |factors: &[Factor]| -> Result<usize, String> {
        let last: usize = factors
            .iter()
            .map(|factor| (factor.size - 1) * factor.stride)
            .sum();
        let stride = factors.last().map_or(len, |factor| factor.stride);
        let left = len.checked_sub(offset + last).filter(|left| *left > 0);
        let left = left.ok_or_else(|| {
            format!(
                "the members from {offset} end beyond its length {len}; lower an offset or stride"
            )
        })?;
        Ok(stride.min(reach).min(left))
    };
    let mut factors: Vec<Factor> = Vec::new();
    let mut found = Vec::new();
    for piece in pieces {
        if !factors.is_empty() {
            let (room, width) = (room(&factors)?, piece.size * piece.stride);
            if width > room {
                return Err(overlap(offset));
            }
            if let Some(rest) = unpermuted(room - width) {
                let factors = factors.iter().copied().chain([rest]);
                found.push(Block {
                    offset: offset + width,
                    factors: factors.collect(),
                });
            } else if room > width {
                found.push(Block {
                    offset: offset + width,
                    factors: factors.clone(),
                });
            }
        }
        factors.push(Factor {
            size: piece.size,
            stride: piece.stride,
            group: Some(piece.group),
        });
    }
    let innermost = unpermuted(room(&factors)?);
    factors.extend(innermost);
    found.push(Block { offset, factors });
    Ok(found)
}

/// Neighboring indices that stay together; no factor for a single one.
fn unpermuted(size: usize) -> Option<Factor> {
    (size > 1).then_some(Factor {
        size,
        stride: 1,
        group: None,
    })
}

fn overlap(place: usize) -> String {
    format!("two members overlap from index {place}; change an offset or stride, or leave one out")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(group: usize, size: usize, offset: usize, stride: usize) -> Piece {
        Piece {
            group,
            size,
            offset,
            stride,
        }
    }

    /// Offset, and size, stride and group of each factor.
    type Found = Vec<(usize, Vec<(usize, usize, Option<usize>)>)>;

    fn found(len: usize, pieces: &[Piece]) -> Result<Found, String> {
        let factor = |factor: &Factor| (factor.size, factor.stride, factor.group);
        let block = |block: Block| (block.offset, block.factors.iter().map(factor).collect());
        Ok(blocks(len, pieces)?.into_iter().map(block).collect())
    }

    #[test]
    fn a_group_may_be_the_whole_axis_a_part_or_a_factor() {
        let whole = vec![(0, vec![(4, 1, Some(0))])];
        assert_eq!(found(4, &[piece(0, 4, 0, 1)]), Ok(whole));
        let part = vec![
            (0, vec![(2, 1, None)]),
            (2, vec![(3, 1, Some(0))]),
            (5, vec![]),
        ];
        assert_eq!(found(6, &[piece(0, 3, 2, 1)]), Ok(part));
        let flattened = vec![(0, vec![(3, 4, Some(0)), (4, 1, None)])];
        assert_eq!(found(12, &[piece(0, 3, 0, 4)]), Ok(flattened));
        assert_eq!(found(2, &[]), Ok(vec![(0, vec![(2, 1, None)])]));
        assert_eq!(found(0, &[]), Ok(vec![]));
    }

    #[test]
    fn members_with_one_offset_share_a_block() {
        let heads = vec![(0, vec![(2, 3, Some(0)), (3, 1, Some(1))])];
        let pieces = [piece(1, 3, 0, 1), piece(0, 2, 0, 3)];
        assert_eq!(found(6, &pieces), Ok(heads));
        // What is between them moves with the outer one.
        let cut = vec![
            (0, vec![(2, 5, Some(0)), (3, 1, Some(1))]),
            (3, vec![(2, 5, Some(0)), (2, 1, None)]),
        ];
        let pieces = [piece(0, 2, 0, 5), piece(1, 3, 0, 1)];
        assert_eq!(found(10, &pieces), Ok(cut));
    }

    #[test]
    fn a_member_ends_where_another_one_starts() {
        let interleaved = vec![
            (0, vec![(3, 5, Some(0)), (2, 1, None)]),
            (2, vec![(3, 5, Some(1)), (3, 1, None)]),
        ];
        let pieces = [piece(0, 3, 0, 5), piece(1, 3, 2, 5)];
        assert_eq!(found(15, &pieces), Ok(interleaved));
    }

    #[test]
    fn members_that_overlap_or_end_beyond_the_axis_are_refused() {
        let refused = |len, pieces: &[Piece]| found(len, pieces).unwrap_err();
        let text = refused(4, &[piece(0, 4, 0, 1), piece(1, 2, 0, 1)]);
        assert!(text.contains("overlap from index 0"), "{text}");
        let text = refused(6, &[piece(0, 4, 0, 1), piece(1, 2, 3, 1)]);
        assert!(text.contains("overlap from index 3"), "{text}");
        let text = refused(4, &[piece(0, 2, 1, 3)]);
        assert!(text.contains("beyond its length 4"), "{text}");
    }
}
