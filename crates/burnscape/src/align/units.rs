//! Groups that are permuted together in one step.

use super::unfolding::unfoldings;
use crate::symmetry::Symmetries;

/// The groups of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unit {
    /// A group without parents, with the groups whose only parent it is.
    Tree {
        parent: usize,
        children: Vec<usize>,
        /// Whether the objective is linear in the permutations of each of them, the others in place.
        is_exact: bool,
    },
    /// A group within its parents, which stay in place.
    Within(usize),
}

/// The steps of a sweep in the order of the groups, which is that of the program. Groups that are not active stay in
/// place.
///
/// A child moves with its parent, and on its own as well if it depends on the permutation of another child, or on
/// its own: then a step with the parent is not exact. Groups with several parents move on their own only.
pub(super) fn units(symmetries: &Symmetries, is_active: &[bool]) -> Vec<Unit> {
    let groups = symmetries.groups();
    let children = |parent: usize| -> Vec<usize> {
        let children = (0..groups.len()).filter(|&child| groups[child].parents() == [parent]);
        children.filter(|&child| is_active[child]).collect()
    };
    let mut units = Vec::new();
    for group in (0..groups.len()).filter(|&group| is_active[group]) {
        match *groups[group].parents() {
            [] => {
                let children = children(group);
                let mut entangled = children
                    .iter()
                    .map(|&child| is_entangled(symmetries, child, &children));
                let is_exact = !is_entangled(symmetries, group, &[])
                    && !entangled.any(|is_entangled| is_entangled);
                units.push(Unit::Tree {
                    parent: group,
                    children,
                    is_exact,
                });
            }
            [parent]
                if is_active[parent] && !is_entangled(symmetries, group, &children(parent)) => {}
            _ => units.push(Unit::Within(group)),
        }
    }
    units
}

/// Whether a group stands beside one of some groups, or beside itself, in a tensor.
fn is_entangled(symmetries: &Symmetries, group: usize, others: &[usize]) -> bool {
    let layout = symmetries.layout();
    let tensors = layout.tensors.iter();
    let mut places = tensors.flat_map(|tensor| unfoldings(layout, tensor, group));
    places.any(|place| {
        let mut others = others.iter().filter(|&&other| other != group);
        place.meets_itself() || others.any(|&other| place.meets(other))
    })
}
