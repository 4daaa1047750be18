//! The axes of a forward pass: which of them are one, and how they may be permuted.
//!
//! Every axis of every tensor has a [`Term`](term::Term). A [walk](walk) over the program makes terms equal, divides them
//! and fixes them, with one [rule](rules) for each operation. What stays free is a [group](groups).

mod contractions;
mod described;
mod exponents;
mod found;
mod groups;
mod labels;
mod producers;
mod reshape;
mod rules;
mod term;
#[cfg(test)]
mod tests;
mod unify;
mod walk;

use crate::program::Program;

pub use described::axis_rule;
pub use exponents::{AxisScaling, AxisScalings, Mode, ScaledPlace};
pub use found::{
    Activation, Axes, AxisBlock, AxisBlocks, AxisFactor, AxisGroup, Contraction, Fixed,
    FixedReason, Producer,
};

pub(crate) use exponents::scalings;

use term::Term;
use walk::{Cuts, Walk};

/// A walk that leaves an input's axis as a sum is followed by one that starts with its parts. Two are the rule.
const MOST_PASSES: usize = 8;

/// The axes of a program whose first `num_free` inputs belong to a model.
pub(crate) fn axes(program: &Program, num_free: usize) -> Axes {
    let (mut walk, passes) = last_walk(program, num_free);
    groups::published(&mut walk, num_free, passes)
}

/// The walk after which nothing changes, and the number of walks.
fn last_walk(program: &Program, num_free: usize) -> (Walk<'_>, usize) {
    let mut cuts = Cuts::default();
    let mut passes = 0;
    loop {
        let mut walk = Walk::new(program, num_free, &cuts);
        passes += 1;
        let next = cut(&mut walk, num_free, &cuts);
        if next == cuts || passes == MOST_PASSES {
            return (walk, passes);
        }
        cuts = next;
    }
}

/// The parts of the inputs' axes after a walk.
fn cut(walk: &mut Walk<'_>, num_free: usize, cuts: &Cuts) -> Cuts {
    let mut next = cuts.clone();
    let ports = walk.program.inputs.iter().take(num_free).enumerate();
    for (input, port) in ports {
        let axes = walk
            .labels
            .get(&port.tensor.id)
            .map(|labels| labels.axes.clone());
        for (axis, term) in axes.iter().flatten().enumerate() {
            if let Term::Sum(parts) = walk.terms.normal(term) {
                let lengths = parts.iter().map(|part| walk.terms.size(part));
                next.insert((input, axis), lengths.collect());
            }
        }
    }
    next
}
