//! The blocks of a tensor, with an unknown for every factor that a group permutes.

use burn_ir::TensorIr;

use super::super::groups::Block;
use super::super::term::AtomId;
use super::relation::Relation;

/// A block of a tensor: one block of each axis, with an unknown for each factor that a group permutes.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    pub(super) axes: Vec<Block>,
    pub(super) unknowns: Vec<Vec<Option<(AtomId, usize)>>>,
}

impl Patch {
    /// The value of each factor at a place; `None` if the place is not in the patch.
    pub(super) fn values(&self, place: &[usize]) -> Option<Vec<Vec<usize>>> {
        let axes = self.axes.iter().zip(place);
        axes.map(|(block, &index)| values(block, index)).collect()
    }
}

fn values(block: &Block, index: usize) -> Option<Vec<usize>> {
    let mut rest = index.checked_sub(block.offset)?;
    let values = block.factors.iter().map(|factor| {
        let value = rest / factor.stride;
        rest -= value * factor.stride;
        (value < factor.size).then_some(value)
    });
    let values: Option<Vec<usize>> = values.collect();
    values.filter(|_| rest == 0)
}

/// What an operand does when a group's index moves.
pub(super) enum Moved {
    /// It varies with the index, with this unknown.
    Along(usize),
    /// It does not vary.
    Absent,
    Unclear,
}

/// What a tensor does between two places when an atom's index moves by one.
pub(super) fn step(patches: &[Patch], atom: AtomId, from: &[usize], to: &[usize]) -> Moved {
    if from == to {
        return Moved::Absent;
    }
    let found = patches
        .iter()
        .find_map(|patch| Some((patch, patch.values(from)?)));
    let Some((patch, before)) = found else {
        return Moved::Unclear;
    };
    let Some(after) = patch.values(to) else {
        return Moved::Unclear;
    };
    let mut moved = Moved::Absent;
    for (axis, (before, after)) in before.iter().zip(&after).enumerate() {
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            if before == after {
                continue;
            }
            match (patch.unknowns[axis][index], &moved) {
                (Some((other, unknown)), Moved::Absent)
                    if other == atom && *after == before + 1 =>
                {
                    moved = Moved::Along(unknown);
                }
                // Equal values along a uniform axis.
                (None, _) if patch.axes[axis].factors[index].atom.is_none() => {}
                _ => return Moved::Unclear,
            }
        }
    }
    moved
}

/// The first index of every block of the axes that are summed over, of all operands.
pub(super) fn summed_starts(relation: &Relation<'_>, operands: &[Vec<Patch>]) -> Vec<Vec<usize>> {
    let mut starts = vec![Vec::new()];
    for &(operand, axis) in &relation.summed {
        let len = relation.operands[operand].shape[axis];
        starts = longer(starts, &offsets(relation, operands, len));
    }
    starts
}

/// The places of a patch of the result at which the blocks of operands start. Along a group one is enough.
pub(super) fn result_starts(
    relation: &Relation<'_>,
    operands: &[Vec<Patch>],
    (out, patch): (&TensorIr, &Patch),
) -> Vec<Vec<usize>> {
    let mut starts = vec![Vec::new()];
    for (axis, block) in patch.axes.iter().enumerate() {
        let mut own = vec![block.offset];
        if patch.unknowns[axis].iter().all(Option::is_none) {
            own.extend(offsets(relation, operands, out.shape[axis]));
            for &(operand, of, base) in relation.bases.iter().filter(|(_, of, _)| *of == axis) {
                let blocks = operands[operand].iter().map(|patch| &patch.axes[of]);
                own.extend(blocks.map(|block| base + block.offset));
            }
            own.retain(|&place| values(block, place).is_some());
            own.sort_unstable();
            own.dedup();
        }
        starts = longer(starts, &own);
    }
    starts
}

/// The first indices of the blocks of all axes of a length.
fn offsets(relation: &Relation<'_>, operands: &[Vec<Patch>], len: usize) -> Vec<usize> {
    let all = relation.operands.iter().zip(operands);
    let mut offsets: Vec<usize> = all
        .flat_map(|(tensor, patches)| {
            let axes = tensor.shape.iter().enumerate();
            let axes = axes.filter(|(_, of)| **of == len).map(|(axis, _)| axis);
            axes.flat_map(|axis| patches.iter().map(move |patch| patch.axes[axis].offset))
                .collect::<Vec<_>>()
        })
        .collect();
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

/// Every list with every index at its end.
fn longer(heads: Vec<Vec<usize>>, indices: &[usize]) -> Vec<Vec<usize>> {
    let lists = heads.iter().flat_map(|head| {
        indices.iter().map(move |&index| {
            let mut head = head.clone();
            head.push(index);
            head
        })
    });
    lists.collect()
}

/// The steps along groups at the places of the operands.
pub(super) fn steps(
    operands: &[Vec<Patch>],
    places: &[Option<Vec<usize>>],
) -> Vec<(usize, AtomId)> {
    let mut steps = Vec::new();
    for (patches, place) in operands.iter().zip(places) {
        let Some(place) = place else { continue };
        let patch = patches.iter().find(|patch| patch.values(place).is_some());
        for (block, unknowns) in patch.iter().flat_map(|p| p.axes.iter().zip(&p.unknowns)) {
            for (factor, unknown) in block.factors.iter().zip(unknowns) {
                if let Some((atom, _)) = unknown
                    && !steps.contains(&(factor.stride, *atom))
                {
                    steps.push((factor.stride, *atom));
                }
            }
        }
    }
    steps
}

/// Whether an operand moves along an atom between two places, and along nothing else.
pub(super) fn moves(
    operands: &[Vec<Patch>],
    atom: AtomId,
    from: &[Option<Vec<usize>>],
    to: &[Option<Vec<usize>>],
) -> bool {
    let all = operands.iter().zip(from.iter().zip(to));
    let mut moved = all.filter_map(|(patches, (from, to))| {
        Some(step(patches, atom, from.as_ref()?, to.as_ref()?))
    });
    moved.any(|moved| matches!(moved, Moved::Along(_)))
}

/// Whether all places are in their tensors.
pub(super) fn in_bounds(relation: &Relation<'_>, places: &[Option<Vec<usize>>]) -> bool {
    let all = relation.operands.iter().zip(places);
    let mut all = all.filter_map(|(tensor, place)| Some((tensor, place.as_ref()?)));
    all.all(|(tensor, place)| {
        place
            .iter()
            .zip(tensor.shape.iter())
            .all(|(at, len)| at < len)
    })
}
