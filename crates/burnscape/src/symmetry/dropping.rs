//! Leaves out what does not pass verification: dependences before groups.

use super::verifier::Verifier;
use super::{Dropped, Symmetries, SymmetryError};

/// The part of the symmetries that passes verification, with a list of the rest.
///
/// # Cost
///
/// One verification if everything passes, else about two for each group that does not, times the logarithm of the
/// number of groups.
pub(super) fn verified(
    verifier: &mut Verifier,
    mut symmetries: Symmetries,
) -> Result<Symmetries, SymmetryError> {
    while !symmetries.groups().is_empty() && !verifier.passes(&symmetries, &|_| true)? {
        verifier.check_repeatable(&symmetries)?;
        let all: Vec<usize> = (0..symmetries.groups().len()).collect();
        let mut failing = failing(verifier, &symmetries, &all)?;
        if failing.is_empty() {
            // Elements that fail are rare: none was drawn again.
            failing = all;
        }
        // From the last one, so that the others keep their indices.
        for group in failing.into_iter().rev() {
            symmetries = reduced(verifier, symmetries, group)?;
        }
    }
    Ok(symmetries)
}

/// Those of some groups that do not pass verification, by bisection; all of them if they fail only together.
pub(super) fn failing(
    verifier: &mut Verifier,
    symmetries: &Symmetries,
    groups: &[usize],
) -> Result<Vec<usize>, SymmetryError> {
    if groups.is_empty() || verifier.passes(symmetries, &|group| groups.contains(&group))? {
        return Ok(Vec::new());
    }
    if groups.len() == 1 {
        return Ok(groups.to_vec());
    }
    let (left, right) = groups.split_at(groups.len() / 2);
    let mut found = failing(verifier, symmetries, left)?;
    found.extend(failing(verifier, symmetries, right)?);
    Ok(if found.is_empty() {
        groups.to_vec()
    } else {
        found
    })
}

/// The symmetries without a dependence of a group on its parents, as few of these as suffice, or without the group.
fn reduced(
    verifier: &mut Verifier,
    symmetries: Symmetries,
    index: usize,
) -> Result<Symmetries, SymmetryError> {
    let layout = symmetries.into_layout();
    let group = layout.groups[index].clone();
    // Without one parent, and those that depend on it; at last without any.
    let parents = group.parents.iter().rev();
    let fewer = parents.map(|parent| {
        let stays =
            |other: &&usize| *other != parent && !layout.groups[**other].parents.contains(parent);
        group.parents.iter().filter(stays).copied().collect()
    });
    let mut choices: Vec<Vec<usize>> = fewer.collect();
    if group.parents.len() > 1 {
        choices.push(Vec::new());
    }
    for kept in choices {
        let mut candidate = layout.with_parents(index, kept.clone());
        let lost = group.parents.iter().filter(|parent| !kept.contains(parent));
        let sizes = lost.map(|parent| layout.groups[*parent].size);
        candidate.dropped.push(Dropped {
            size: group.size,
            members: group.members.clone(),
            parents: Some(sizes.collect()),
        });
        let candidate = Symmetries::of(candidate);
        if verifier.passes(&candidate, &|other| other == index)? {
            return Ok(candidate);
        }
    }
    let mut rest = layout.without(index);
    rest.dropped.push(Dropped {
        size: group.size,
        members: group.members,
        parents: None,
    });
    Ok(Symmetries::of(rest))
}
