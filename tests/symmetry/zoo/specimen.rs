//! A network with the groups that it must have.

use std::fmt::Write as _;

use burn::module::Module;
use burn::tensor::{DType, Tensor};
use burnscape::loss::Batch;
use burnscape::symmetry::{Symmetries, SymmetriesConfig};

use crate::element::DTYPE;

/// What is expected of a group, or found of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    size: usize,
    /// The sizes of the groups for each of whose values it acts differently, in ascending order.
    parents: Vec<usize>,
    members: usize,
}

/// A group of this size, with parents of these sizes, and with this many members.
pub(crate) fn group(size: usize, parents: &[usize], members: usize) -> Expected {
    let mut parents = parents.to_vec();
    parents.sort_unstable();
    Expected {
        size,
        parents,
        members,
    }
}

/// A network, what it is applied to, and its groups.
pub(crate) struct Specimen<M, B, const R: usize> {
    pub(crate) name: &'static str,
    pub(crate) model: M,
    pub(crate) batch: B,
    pub(crate) outputs: fn(&M, &B) -> Tensor<R>,
    pub(crate) expected: Vec<Expected>,
}

impl<M: Module, B: Batch, const R: usize> Specimen<M, B, R> {
    pub(crate) fn symmetries(&self) -> Symmetries {
        self.symmetries_of(&self.model)
    }

    /// Those of another model of the same type.
    pub(crate) fn symmetries_of(&self, model: &M) -> Symmetries {
        SymmetriesConfig::new()
            .with_seed(0)
            .run(&self.outputs, model, self.batch.clone())
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The outputs of a model of the same type, in evaluation mode.
    pub(crate) fn answers(&self, model: &M) -> Vec<f64> {
        let outputs = (self.outputs)(&model.valid(), &self.batch);
        let data = outputs.into_data();
        data.iter::<f64>().collect()
    }
}

/// The groups that were found, sorted.
pub(crate) fn found(symmetries: &Symmetries) -> Vec<Expected> {
    let groups = symmetries.groups();
    let mut found: Vec<Expected> = groups
        .iter()
        .map(|one| {
            let parents = one.parents().iter();
            let parents: Vec<usize> = parents.map(|&parent| groups[parent].size()).collect();
            group(one.size(), &parents, one.members().len())
        })
        .collect();
    found.sort();
    found
}

/// Every group with its members, to be read where a test has failed.
pub(crate) fn listing(symmetries: &Symmetries) -> String {
    let mut text = String::new();
    for (index, group) in symmetries.groups().iter().enumerate() {
        let parents = group.parents();
        let _ = writeln!(text, "group {index}: {} within {parents:?}", group.size());
        for member in group.members() {
            let (axis, offset, stride) = (member.axis, member.offset, member.stride);
            let _ = writeln!(text, "  {} {axis}, {offset} + {stride} i", member.path);
        }
    }
    text
}

/// The largest difference, relative to the largest number.
pub(crate) fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let size = a.iter().fold(0.0_f64, |all, x| all.max(x.abs()));
    assert!(size > 0.0 && size.is_finite(), "nothing to compare: {size}");
    let gaps = a.iter().zip(b).map(|(x, y)| (x - y).abs() / size);
    // What is not a number is not the same.
    let gaps = gaps.map(|gap| if gap.is_nan() { f64::INFINITY } else { gap });
    gaps.fold(0.0_f64, f64::max)
}

/// How far outputs may differ that are the same but for rounding.
pub(crate) fn tolerance() -> f64 {
    match DTYPE {
        DType::F64 => 1e-9,
        _ => 1e-4,
    }
}
