//! A group without one of its members is no symmetry, and the outputs tell.
//!
//! Permutations are written out here, on numbers, apart from those of the library.

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::DType;
use burnscape::loss::Batch;
use burnscape::symmetry::{Group, Member};
use burnscape_testkit::programs::Draws;

use super::zoo::{self, Parameter, Specimen, difference, parameters, rewritten, tolerance};
use crate::element::{DTYPE, device};

/// A change of the outputs that no rounding explains.
fn noticed() -> f64 {
    match DTYPE {
        DType::F64 => 1e-6,
        _ => 1e-4,
    }
}

/// A permutation without fixed points: every index reads another.
fn derangement(size: usize, draws: &mut Draws) -> Vec<usize> {
    loop {
        let drawn = draws.permutation(size);
        if drawn.iter().enumerate().all(|(index, &from)| index != from) {
            return drawn;
        }
    }
}

/// Permutes one group, in all its members but one.
struct Moved<'a> {
    groups: &'a [Group],
    group: usize,
    /// One for each combination of values of the parents, row-major.
    permutations: Vec<Vec<usize>>,
    left_out: Option<usize>,
}

impl Moved<'_> {
    fn new(groups: &[Group], group: usize, seed: u64) -> Moved<'_> {
        let mut draws = Draws::new(seed);
        let size = groups[group].size();
        let parents = groups[group].parents().iter();
        let combinations: usize = parents.map(|&parent| groups[parent].size()).product();
        Moved {
            groups,
            group,
            permutations: (0..combinations)
                .map(|_| derangement(size, &mut draws))
                .collect(),
            left_out: None,
        }
    }

    /// The place that an element is read from.
    fn source(&self, path: &str, place: &[usize]) -> Vec<usize> {
        let group = &self.groups[self.group];
        let mut source = place.to_vec();
        for (index, member) in group.members().iter().enumerate() {
            if member.path != path || self.left_out == Some(index) {
                continue;
            }
            let here = value(member, group, place);
            let combination = self.combination(member, place);
            let there = self.permutations[combination][here];
            // Offsets are zero: the other factors of the axis stay as they are.
            let axis = &mut source[member.axis];
            *axis = *axis + member.stride * there - member.stride * here;
        }
        source
    }

    /// The values of the parents at this place, as one number.
    fn combination(&self, member: &Member, place: &[usize]) -> usize {
        let parents = self.groups[self.group].parents().iter();
        parents.fold(0, |all, &parent| {
            let parent = &self.groups[parent];
            let beside = beside(parent, member);
            all * parent.size() + value(beside, parent, place)
        })
    }

    /// The numbers of a parameter after the permutation.
    fn numbers(&self, parameter: &Parameter) -> Vec<f64> {
        let Parameter {
            path,
            shape,
            values,
        } = parameter;
        (0..values.len())
            .map(|index| {
                let source = self.source(path, &place(shape, index));
                values[flat(shape, &source)]
            })
            .collect()
    }

    fn apply<M: Module>(&self, model: &M) -> M {
        let parameters = parameters(model);
        let values: HashMap<String, Vec<f64>> = parameters
            .iter()
            .map(|parameter| (parameter.path.clone(), self.numbers(parameter)))
            .collect();
        rewritten(model, &values)
    }
}

/// The value of a group at a place of a parameter.
fn value(member: &Member, group: &Group, place: &[usize]) -> usize {
    assert_eq!(member.offset, 0, "{}: more than one block", member.path);
    place[member.axis] / member.stride % group.size()
}

/// The member of a parent that stands beside a member of its dependent: on the same axis, or on another one of the
/// same parameter.
fn beside<'a>(parent: &'a Group, member: &Member) -> &'a Member {
    let mut found: Option<&Member> = None;
    for other in parent.members() {
        let is_beside = other.path == member.path;
        if is_beside && (found.is_none() || other.axis == member.axis) {
            found = Some(other);
        }
    }
    found.unwrap_or_else(|| panic!("{}: no parent", member.path))
}

/// The place of the element with this index.
fn place(shape: &[usize], index: usize) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    let mut rest = index;
    for (at, &size) in place.iter_mut().zip(shape).rev() {
        *at = rest % size;
        rest /= size;
    }
    place
}

fn flat(shape: &[usize], place: &[usize]) -> usize {
    let axes = shape.iter().zip(place);
    axes.fold(0, |all, (&size, &at)| all * size + at)
}

/// Leaves out every member once. The silent ones are named.
fn check<M: Module, B: Batch, const R: usize>(
    net: &Specimen<M, B, R>,
    is_silent: impl Fn(&Member) -> bool,
) {
    let symmetries = net.symmetries();
    let groups = symmetries.groups();
    assert!(!groups.is_empty(), "{}: no groups", net.name);
    let answers = net.answers(&net.model);
    for group in 0..groups.len() {
        let mut moved = Moved::new(groups, group, 31 + group as u64);
        let gap = difference(&answers, &net.answers(&moved.apply(&net.model)));
        assert!(gap <= tolerance(), "{}: group {group}: {gap:e}", net.name);
        for (index, member) in groups[group].members().iter().enumerate() {
            moved.left_out = Some(index);
            let gap = difference(&answers, &net.answers(&moved.apply(&net.model)));
            let place = format!("{}: group {group}, {}", net.name, member.path);
            if is_silent(member) {
                assert!(gap <= tolerance(), "{place} is noticed: {gap:e}");
            } else {
                assert!(gap > noticed(), "{place} is not noticed: {gap:e}");
            }
        }
    }
}

#[test]
fn every_member_of_an_mlp_is_needed() {
    check(&zoo::mlp(&device(), 23), |_| false);
}

#[test]
fn every_member_of_a_cnn_is_needed() {
    check(&zoo::cnn(&device(), 23), |_| false);
}

/// A softmax cancels what is added to all scores of a query, which is all that a bias of keys does.
#[test]
fn every_member_of_an_encoder_but_for_biases_of_keys_is_needed() {
    for norm_first in [true, false] {
        let net = zoo::encoder(norm_first, &device(), 23);
        check(&net, |member| member.path.ends_with("key.bias"));
    }
}

#[test]
fn every_member_of_grouped_channels_is_needed() {
    check(&zoo::grouped(&device(), 23), |_| false);
    check(&zoo::depthwise(&device(), 23), |_| false);
}
