//! Every rule on its own: permuted operands give the permuted result.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rustc_hash::{FxHashMap, FxHashSet};

use super::groups::Block;
use super::labels::Labels;
use super::walk::{Cuts, Walk};
use crate::coverage::{Rule, coverage};
use crate::program::Program;
use crate::rule::tests::{elementary, layers, program, run_all, values};

/// The permutation of each free atom.
type Element = FxHashMap<usize, Vec<usize>>;

/// The place from which each value of a tensor comes.
fn sources(axes: &[Vec<Block>], element: &Element) -> Vec<usize> {
    let along: Vec<Vec<usize>> = axes.iter().map(|blocks| along(blocks, element)).collect();
    let mut sources = vec![0];
    for places in &along {
        sources = sources
            .iter()
            .flat_map(|outer| places.iter().map(move |place| outer * places.len() + place))
            .collect();
    }
    sources
}

fn along(blocks: &[Block], element: &Element) -> Vec<usize> {
    let mut places = Vec::new();
    for block in blocks {
        let mut at = vec![block.offset];
        for factor in &block.factors {
            let permutation = factor.atom.and_then(|atom| element.get(&atom));
            at = at
                .iter()
                .flat_map(|outer| {
                    (0..factor.size).map(move |i| {
                        outer + factor.stride * permutation.map_or(i, |order| order[i])
                    })
                })
                .collect();
        }
        places.extend(at);
    }
    places
}

/// The largest difference between the result of permuted operands and the permuted result, and the number of free atoms.
fn check(name: &str, program: &Program) -> (f64, usize) {
    let count = program.inputs().len();
    let mut walk = Walk::without_outputs(program, count, &Cuts::default());
    let axes = |walk: &mut Walk<'_>, labels: &Labels| -> Vec<Vec<Block>> {
        let labels = walk.terms.collapsed(labels.clone());
        let axes = labels.axes.iter();
        axes.map(|axis| walk.terms.blocks(axis)).collect()
    };
    let of = |walk: &mut Walk<'_>, id| {
        let labels = walk.labels[&id].clone();
        axes(walk, &labels)
    };
    // Cases are made one before the blocks are read, because that changes other tensors, too.
    let ids: Vec<_> = program
        .inputs()
        .iter()
        .chain(program.outputs())
        .map(|port| port.tensor.id)
        .collect();
    for &id in &ids {
        of(&mut walk, id);
    }
    let all: Vec<Vec<Vec<Block>>> = ids.iter().map(|&id| of(&mut walk, id)).collect();
    let (inputs, outputs) = all.split_at(count);
    let mut random = StdRng::seed_from_u64(3);
    let mut element = Element::default();
    let mut atoms = FxHashSet::default();
    for factor in all
        .iter()
        .flatten()
        .flatten()
        .flat_map(|block| &block.factors)
    {
        let Some(atom) = factor
            .atom
            .filter(|atom| walk.terms.fixed_why(*atom).is_none())
        else {
            continue;
        };
        if atoms.insert(atom) {
            let mut order: Vec<usize> = (0..factor.size).collect();
            order.shuffle(&mut random);
            let is_sorted = order.is_sorted();
            order.rotate_left(usize::from(is_sorted));
            element.insert(atom, order);
        }
    }
    let x = values(program, 0.5);
    let moved = x
        .iter()
        .zip(inputs)
        .map(|(x, axes)| permuted(x, &sources(axes, &element)));
    let moved: Vec<Vec<f64>> = moved.collect();
    let (plain, turned) = (run_all(program, &[&x]), run_all(program, &[&moved]));
    let mut worst: f64 = 0.0;
    for ((plain, turned), axes) in plain.iter().zip(&turned).zip(outputs) {
        let expected = permuted(plain, &sources(axes, &element));
        for (a, b) in expected.iter().zip(turned) {
            let difference = if a.is_nan() && b.is_nan() {
                0.0
            } else {
                (a - b).abs()
            };
            assert!(!difference.is_nan(), "{name}");
            worst = worst.max(difference / a.abs().max(1.0));
        }
    }
    (worst, atoms.len())
}

fn permuted(values: &[f64], sources: &[usize]) -> Vec<f64> {
    sources.iter().map(|&source| values[source]).collect()
}

#[test]
fn every_rule_permutes_the_result_as_the_operands() {
    let (mut met, mut failed) = (BTreeSet::new(), Vec::new());
    for &(name, shapes, operation) in elementary::lines().iter().chain(layers::lines()) {
        let found = catch_unwind(|| {
            let written = program(shapes, operation);
            let names: Vec<String> = written.operation_names().collect();
            (names, check(name, &written))
        });
        let (names, (error, atoms)) = found.unwrap_or((vec![], (f64::NAN, 0)));
        println!("{name:40} {atoms} free, {error:.1e}");
        met.extend(names);
        if error.is_nan() || error > 1e-11 {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    let has_rule = |rule| !matches!(rule, Rule::Constant | Rule::Refused);
    let missing: Vec<String> = coverage()
        .filter(|(name, rule)| has_rule(*rule) && !met.contains(name))
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "rules without a test: {missing:?}");
}
