//! The groups that a walk leaves: free atoms of the inputs, and for which values of others each may be permuted
//! differently.

use burn_ir::TensorId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::contractions::contractions;
use super::found::{
    Activation, Axes, AxisBlock, AxisFactor, AxisGroup, Fixed, FixedReason, Producer,
};
use super::labels::Labels;
use super::producers::{Affine, producers};
use super::term::{AtomId, Term, Terms, Why};
use super::walk::Walk;
use crate::coverage::describe;
use crate::program::Port;

/// A block of an axis, with atoms in the place of groups.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) offset: usize,
    pub(super) factors: Vec<Factor>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Factor {
    pub(super) size: usize,
    pub(super) stride: usize,
    /// `None` if the values are equal.
    pub(super) atom: Option<AtomId>,
}

impl Terms {
    /// The blocks of an axis. They cover it without gaps.
    pub(super) fn blocks(&mut self, axis: &Term) -> Vec<Block> {
        let axis = self.normal(axis);
        self.normal_blocks(&axis)
    }

    fn normal_blocks(&self, axis: &Term) -> Vec<Block> {
        let single = |size, atom| {
            let factor = Factor {
                size,
                stride: 1,
                atom,
            };
            vec![Block {
                offset: 0,
                factors: vec![factor],
            }]
        };
        match axis {
            Term::Atom(atom) => single(self.size(axis), Some(*atom)),
            Term::Uniform(size) => single(*size, None),
            // Cases are told apart before.
            Term::Cases(_) => single(self.size(axis), None),
            Term::Sum(parts) => {
                let (mut blocks, mut offset) = (Vec::new(), 0);
                for part in parts {
                    for block in self.normal_blocks(part) {
                        blocks.push(Block {
                            offset: block.offset + offset,
                            ..block
                        });
                    }
                    offset += self.size(part);
                }
                blocks
            }
            Term::Product(factors) => {
                let mut blocks = vec![Block {
                    offset: 0,
                    factors: Vec::new(),
                }];
                let mut width: usize = self.size(axis);
                for factor in factors {
                    width = width.checked_div(self.size(factor)).unwrap_or(0);
                    let inner = self.normal_blocks(factor);
                    let product = blocks.iter().flat_map(|outer| {
                        inner.iter().map(|inner| {
                            let scaled = inner.factors.iter().map(|factor| Factor {
                                stride: factor.stride * width,
                                ..*factor
                            });
                            Block {
                                offset: outer.offset + inner.offset * width,
                                factors: outer.factors.iter().copied().chain(scaled).collect(),
                            }
                        })
                    });
                    blocks = product.collect();
                }
                blocks
            }
        }
    }
}

/// Atoms for whose values another atom may be permuted differently.
type Parents = FxHashMap<AtomId, FxHashSet<AtomId>>;

/// The atoms of the groups, with their parents, ordered so that parents come first.
pub(super) fn groups(walk: &mut Walk<'_>) -> Vec<(AtomId, Vec<AtomId>)> {
    let found = members(walk);
    let mut parents: Parents = FxHashMap::default();
    let all: FxHashSet<AtomId> = found.iter().copied().collect();
    let mut tensors: Vec<(TensorId, Labels)> = walk
        .labels
        .iter()
        .map(|(id, labels)| (*id, labels.clone()))
        .collect();
    tensors.sort_unstable_by_key(|(id, _)| *id);
    let inner = std::mem::take(&mut walk.inner);
    for labels in tensors.iter().map(|(_, labels)| labels).chain(&inner) {
        for case in cases(labels) {
            let axes: Vec<Vec<Block>> = case.iter().map(|axis| walk.terms.blocks(axis)).collect();
            meet(&axes, &all, &mut parents);
        }
    }
    walk.inner = inner;
    one_sided(walk, &found, &mut parents);
    let mut ordered: Vec<(AtomId, Vec<AtomId>)> = found
        .iter()
        .map(|atom| {
            let of = parents.get(atom);
            let mut of: Vec<AtomId> = of.into_iter().flatten().copied().collect();
            of.sort_unstable_by_key(|parent| found.iter().position(|atom| atom == parent));
            (*atom, of)
        })
        .collect();
    // A parent has fewer parents, because they are among those of its dependents.
    ordered.sort_by_key(|(_, parents)| parents.len());
    ordered
}

/// The axes of a tensor, once for each case.
pub(super) fn cases(labels: &Labels) -> Vec<Vec<Term>> {
    let count = labels.axes.iter().find_map(|axis| match axis {
        Term::Cases(cases) => Some(cases.len()),
        _ => None,
    });
    let Some(count) = count else {
        return vec![labels.axes.clone()];
    };
    let one = |index: usize| {
        let axes = labels.axes.iter().map(|axis| match axis {
            Term::Cases(cases) => cases.get(index).cloned().unwrap_or(Term::Uniform(1)),
            axis => axis.clone(),
        });
        axes.collect()
    };
    (0..count).map(one).collect()
}

/// The free atoms of the inputs that are read, in the order in which they are met.
fn members(walk: &mut Walk<'_>) -> Vec<AtomId> {
    let mut found = Vec::new();
    let mut seen = FxHashSet::default();
    for port in &walk.program.inputs {
        let Some(labels) = walk.labels.get(&port.tensor.id) else {
            continue;
        };
        for axis in &labels.axes {
            for atom in walk.terms.atoms(axis) {
                let is_free = walk.terms.fixed_why(atom).is_none() && walk.terms.is_used(atom);
                if is_free && seen.insert(atom) {
                    found.push(atom);
                }
            }
        }
    }
    found
}

/// An atom may depend on others that stand beside it in every tensor: in the same block, or exactly once on another axis
/// that is a single block.
fn meet(axes: &[Vec<Block>], all: &FxHashSet<AtomId>, parents: &mut Parents) {
    let mut places: FxHashMap<AtomId, Vec<usize>> = FxHashMap::default();
    for (axis, blocks) in axes.iter().enumerate() {
        for factor in blocks.iter().flat_map(|block| &block.factors) {
            if let Some(atom) = factor.atom.filter(|atom| all.contains(atom)) {
                places.entry(atom).or_default().push(axis);
            }
        }
    }
    for (axis, blocks) in axes.iter().enumerate() {
        for block in blocks {
            let atoms: Vec<AtomId> = block.factors.iter().filter_map(|f| f.atom).collect();
            let count = |atom: AtomId| atoms.iter().filter(|other| **other == atom).count();
            for &atom in atoms.iter().filter(|atom| all.contains(atom)) {
                let mut beside: FxHashSet<AtomId> = FxHashSet::default();
                let others = atoms.iter().copied();
                beside.extend(others.filter(|&p| p != atom && all.contains(&p) && count(p) == 1));
                if count(atom) == 1 {
                    let elsewhere = places.iter().filter(|(other, axes_of)| {
                        let single = axes_of.first().filter(|_| axes_of.len() == 1);
                        **other != atom
                            && single.is_some_and(|&at| at != axis && axes[at].len() == 1)
                    });
                    beside.extend(elsewhere.map(|(other, _)| *other));
                }
                match parents.get_mut(&atom) {
                    Some(known) => known.retain(|parent| beside.contains(parent)),
                    None => {
                        parents.insert(atom, beside);
                    }
                }
            }
        }
    }
}

/// Of two atoms that may depend on each other, the outer one becomes the parent. The parents of a parent must be parents,
/// too; a parent for which they are not is dropped.
fn one_sided(walk: &mut Walk<'_>, found: &[AtomId], parents: &mut Parents) {
    let mut outer: FxHashSet<(AtomId, AtomId)> = FxHashSet::default();
    for port in &walk.program.inputs {
        let axes = walk
            .labels
            .get(&port.tensor.id)
            .map(|labels| labels.axes.clone());
        for axis in axes.iter().flatten() {
            for block in walk.terms.blocks(axis) {
                let atoms: Vec<AtomId> = block.factors.iter().filter_map(|f| f.atom).collect();
                for (place, &first) in atoms.iter().enumerate() {
                    outer.extend(atoms[place + 1..].iter().map(|&second| (first, second)));
                }
            }
        }
    }
    let has = |parents: &Parents, child: AtomId, parent: AtomId| {
        parents.get(&child).is_some_and(|of| of.contains(&parent))
    };
    for (place, &first) in found.iter().enumerate() {
        for &second in &found[place + 1..] {
            if has(parents, first, second) && has(parents, second, first) {
                let is_second_outer =
                    outer.contains(&(second, first)) && !outer.contains(&(first, second));
                let (parent, child) = if is_second_outer {
                    (second, first)
                } else {
                    (first, second)
                };
                if let Some(of) = parents.get_mut(&parent) {
                    of.remove(&child);
                }
            }
        }
    }
    let mut changed = true;
    while changed {
        changed = false;
        for child in found {
            let Some(of) = parents.get(child) else {
                continue;
            };
            let open = of.iter().copied().find(|parent| {
                let theirs = parents.get(parent).into_iter().flatten();
                theirs.into_iter().any(|above| !of.contains(above))
            });
            if let (Some(open), Some(of)) = (open, parents.get_mut(child)) {
                of.remove(&open);
                changed = true;
            }
        }
    }
}

/// What a walk has found.
pub(super) fn published(walk: &mut Walk<'_>, num_free: usize, passes: usize) -> Axes {
    let found = groups(walk);
    let index: FxHashMap<AtomId, usize> = found
        .iter()
        .enumerate()
        .map(|(index, (atom, _))| (*atom, index))
        .collect();
    let published = found.iter().map(|(atom, parents)| {
        let mut parents: Vec<usize> = parents.iter().map(|parent| index[parent]).collect();
        parents.sort_unstable();
        AxisGroup {
            size: walk.terms.size(&Term::Atom(*atom)),
            parents,
        }
    });
    let published = published.collect();
    let ports = walk.program.inputs.iter();
    let labels: Vec<Labels> = ports
        .filter_map(|port| walk.labels.get(&port.tensor.id).cloned())
        .collect();
    let inputs = labels.iter();
    let inputs = inputs.map(|labels| axes_of(walk, labels, &index));
    let inputs = inputs.collect();
    let multiplied = std::mem::take(&mut walk.activations);
    let activations = multiplied.into_iter().filter_map(|(tensor, axis)| {
        // With cases the blocks of one axis depend on another.
        let labels = walk.labels.get(&tensor.id).cloned();
        let labels = labels.filter(|labels| labels.case.is_none())?;
        let axes = axes_of(walk, &labels, &index);
        let mut factors = axes[axis].iter().flat_map(|block| &block.factors);
        let has_group = factors.any(|factor| factor.group.is_ok());
        has_group.then(|| Activation {
            tensor: Port {
                name: format!("activation {}", tensor.id.value()),
                tensor,
            },
            axis,
            axes,
        })
    });
    let activations = activations.collect();
    let contractions = contractions(walk, num_free);
    let affine = producers(walk, num_free);
    let producers = affine
        .into_iter()
        .filter_map(|affine| produced(walk, affine, &index));
    Axes {
        activations,
        contractions,
        producers: producers.collect(),
        groups: published,
        inputs,
        passes,
    }
}

/// A producer, unless only a part of an axis scales it, or its axes depend on each other.
fn produced(
    walk: &mut Walk<'_>,
    affine: Affine,
    index: &FxHashMap<AtomId, usize>,
) -> Option<Producer> {
    let Affine {
        tensor,
        axis,
        scale,
        shift,
        replaced,
    } = affine;
    let labels = walk.labels.get(&tensor.id).cloned();
    let labels = labels.filter(|labels| labels.case.is_none())?;
    let (input, own) = scale;
    let parameter = walk.program.inputs.get(input)?;
    if parameter.shape().get(own) != Some(&tensor.shape[axis]) {
        return None;
    }
    Some(Producer {
        axes: axes_of(walk, &labels, index),
        tensor: Port {
            name: format!("product {}", tensor.id.value()),
            tensor,
        },
        axis,
        scale: vec![scale],
        shift,
        replaced,
    })
}

fn axes_of(
    walk: &mut Walk<'_>,
    labels: &Labels,
    index: &FxHashMap<AtomId, usize>,
) -> Vec<Vec<AxisBlock>> {
    let axes = labels.axes.iter().map(|axis| {
        let blocks = walk.terms.blocks(axis).into_iter();
        let blocks = blocks.map(|block| AxisBlock {
            offset: block.offset,
            factors: factors(walk, &block, index),
        });
        blocks.collect()
    });
    axes.collect()
}

fn factors(walk: &Walk<'_>, block: &Block, index: &FxHashMap<AtomId, usize>) -> Vec<AxisFactor> {
    let factors = block.factors.iter().map(|factor| {
        let group = factor.atom.and_then(|atom| index.get(&atom));
        AxisFactor {
            size: factor.size,
            stride: factor.stride,
            group: group.copied().ok_or_else(|| fixed(walk, factor.atom)),
        }
    });
    factors.collect()
}

fn fixed(walk: &Walk<'_>, atom: Option<AtomId>) -> Fixed {
    let why = atom.and_then(|atom| walk.terms.fixed_why(atom));
    let why = why.unwrap_or(Why {
        reason: FixedReason::Unused,
        operation: None,
    });
    let operation = why.operation.and_then(|at| walk.program.operations.get(at));
    Fixed {
        reason: why.reason,
        operation: operation.map_or_else(String::new, |operation| describe(operation).0),
    }
}
