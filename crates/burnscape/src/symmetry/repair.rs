//! Finds what is wrong with a group that was written by hand.

use super::layout::Layout;
use super::specification::{Placed, Specification};
use super::traced::Traced;
use super::verifier::Verifier;
use super::{Member, Symmetries, SymmetryError};

/// Members that are tried as an addition, at most.
const MOST_ADDITIONS: usize = 256;
/// Equal parts of an axis that are tried as an addition, at most.
const MOST_PARTS: usize = 8;
/// Members of which pairs are left out, at most.
const MOST_FOR_PAIRS: usize = 12;
/// Missing members that are left out one by one, at most.
const MOST_MISSING: usize = 64;

/// The error for a group that changes the outputs, with the repair if one is found.
///
/// # Cost
///
/// At most `draws` forward passes for each change that is tried; most are refused by the first.
pub(super) fn not_a_symmetry(
    verifier: &mut Verifier,
    traced: &Traced,
    specification: &Specification,
    symmetries: &Symmetries,
    group: usize,
) -> Result<SymmetryError, SymmetryError> {
    let change = verifier.change(symmetries, &|other| other == group)?;
    let mut attempt = Attempt {
        verifier,
        traced,
        specification,
        group,
    };
    let (depends, missing, wrong) = if attempt.is_right_without_parents(symmetries)? {
        (true, Vec::new(), Vec::new())
    } else if let Some((missing, wrong)) = attempt.compared(symmetries)? {
        (false, missing, wrong)
    } else if let Some(missing) = attempt.with_one_more()? {
        (false, vec![missing], Vec::new())
    } else {
        (false, Vec::new(), attempt.with_fewer()?)
    };
    Ok(SymmetryError::NotASymmetry {
        group,
        size: symmetries.groups()[group].size,
        change,
        depends,
        missing,
        wrong,
    })
}

struct Attempt<'a> {
    verifier: &'a mut Verifier,
    traced: &'a Traced,
    specification: &'a Specification,
    group: usize,
}

impl Attempt<'_> {
    fn is_right_without_parents(&mut self, symmetries: &Symmetries) -> Result<bool, SymmetryError> {
        let layout = symmetries.layout();
        let group = self.group;
        if layout.groups[group].parents.is_empty() {
            return Ok(false);
        }
        let symmetries = Symmetries::of(layout.with_parents(group, Vec::new()));
        self.verifier.passes(&symmetries, &|other| other == group)
    }

    /// Whether the group with other members leaves the outputs. Members that do not fit do not.
    fn is_right_with(&mut self, members: Vec<Placed>) -> Result<bool, SymmetryError> {
        let group = self.group;
        let mut specification = self.specification.clone();
        specification.groups[group].members = members;
        match specification.layout(&self.traced.tensors) {
            Ok(layout) => {
                let symmetries = Symmetries::of(layout);
                self.verifier.passes(&symmetries, &|other| other == group)
            }
            Err(_) => Ok(false),
        }
    }

    fn members(&self) -> &[Placed] {
        &self.specification.groups[self.group].members
    }

    fn placed(&self, members: &[Member]) -> Vec<Placed> {
        let tensors = &self.traced.tensors;
        let placed = members
            .iter()
            .filter_map(|member| Placed::of(member, tensors));
        placed.collect()
    }

    fn named(&self, placed: Placed) -> Member {
        let paths = &self.traced.tensors[placed.tensor].paths;
        Member {
            path: paths.first().cloned().unwrap_or_default(),
            axis: placed.axis,
            offset: placed.offset,
            stride: placed.stride,
        }
    }

    /// The members by which the group differs from the most similar one that the walk finds: missing ones and wrong ones.
    fn compared(&mut self, symmetries: &Symmetries) -> Result<Option<Differences>, SymmetryError> {
        let own = symmetries.groups()[self.group].clone();
        let found = Layout::found(self.traced, &self.traced.forward.axes())?;
        let shared =
            |members: &[Member]| members.iter().filter(|m| own.members.contains(m)).count();
        let same_size = found.groups.iter().filter(|group| group.size == own.size);
        let Some(right) = same_size.max_by_key(|group| shared(&group.members)) else {
            return Ok(None);
        };
        let without = |from: &[Member], others: &[Member]| -> Vec<Member> {
            let rest = from.iter().filter(|member| !others.contains(member));
            rest.cloned().collect()
        };
        let mut missing = without(&right.members, &own.members);
        let mut wrong = without(&own.members, &right.members);
        if shared(&right.members) == 0 || (missing.is_empty() && wrong.is_empty()) {
            return Ok(None);
        }
        if !self.is_right_with(self.placed(&right.members))? {
            return Ok(None);
        }
        // What makes no difference is not named.
        let mut members = right.members.clone();
        if missing.len() <= MOST_MISSING {
            for member in missing.clone() {
                let rest = without(&members, std::slice::from_ref(&member));
                if self.is_right_with(self.placed(&rest))? {
                    missing.retain(|other| *other != member);
                    members = rest;
                }
            }
        }
        for member in wrong.clone() {
            let more = [members.as_slice(), std::slice::from_ref(&member)].concat();
            if self.is_right_with(self.placed(&more))? {
                wrong.retain(|other| *other != member);
                members = more;
            }
        }
        Ok(Some((missing, wrong)))
    }

    /// One more member with which the group leaves the outputs: a whole axis, or one of a few equal parts of an axis.
    fn with_one_more(&mut self) -> Result<Option<Member>, SymmetryError> {
        let (traced, specification) = (self.traced, self.specification);
        let group = &specification.groups[self.group];
        let mut additions = Vec::new();
        for (tensor, found) in traced.tensors.iter().enumerate() {
            for (axis, &len) in found.shape.iter().enumerate() {
                let parents = group.parents.as_slice();
                let whole = specification.whole_axis_stride(
                    &traced.tensors,
                    tensor,
                    axis,
                    (group.size, parents),
                );
                let whole = whole.map(|stride| (0, stride));
                let parts = len / group.size;
                let is_divided = len % group.size == 0 && (2..=MOST_PARTS).contains(&parts);
                let parts = if is_divided { 0..parts } else { 0..0 };
                let parts = parts.map(|part| (part * group.size, 1));
                let places = whole.into_iter().chain(parts);
                let places = places.map(|(offset, stride)| Placed {
                    tensor,
                    axis,
                    offset,
                    stride,
                });
                additions.extend(places.filter(|placed| !group.members.contains(placed)));
            }
        }
        for addition in additions.into_iter().take(MOST_ADDITIONS) {
            let members = [self.members(), &[addition]].concat();
            if self.is_right_with(members)? {
                return Ok(Some(self.named(addition)));
            }
        }
        Ok(None)
    }

    /// One or two members without which the group leaves the outputs; none if there are no such members. At least one
    /// member stays.
    fn with_fewer(&mut self) -> Result<Vec<Member>, SymmetryError> {
        let members = self.members().to_vec();
        let singles = (0..members.len()).map(|index| vec![index]);
        let pairs = (0..members.len())
            .flat_map(|first| (first + 1..members.len()).map(move |second| vec![first, second]));
        let few = members.len() <= MOST_FOR_PAIRS;
        let choices: Vec<Vec<usize>> = singles.chain(pairs.filter(|_| few)).collect();
        for choice in choices.iter().filter(|choice| choice.len() < members.len()) {
            let places = members.iter().enumerate();
            let rest = places.filter(|(place, _)| !choice.contains(place));
            let rest = rest.map(|(_, member)| *member).collect();
            if self.is_right_with(rest)? {
                let named = choice.iter().map(|index| self.named(members[*index]));
                return Ok(named.collect());
            }
        }
        Ok(Vec::new())
    }
}

/// Missing members and wrong ones.
type Differences = (Vec<Member>, Vec<Member>);
