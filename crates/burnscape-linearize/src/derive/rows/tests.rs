//! What is accepted keeps rows apart, which other values in one row show, and what mixes rows is refused by name.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

mod modules;
mod named;

use std::collections::BTreeSet;

use super::check_rows;
use crate::LinearizeError;
use crate::lower::lower;
use crate::program::Program;
use crate::rule::tests::{chains, elementary, layers, plain, program, run, values};

fn check(program: &Program, input: usize) -> Result<(), LinearizeError> {
    let (input, output) = (&program.inputs[input], &program.outputs[0]);
    check_rows(program, input.tensor.id, output.tensor.id)
}

/// The name of the operation that is refused; `None` if none is.
fn refused(program: &Program, input: usize) -> Option<String> {
    match check(program, input) {
        Ok(()) => None,
        Err(LinearizeError::MixesRows { operation, .. }) => Some(operation),
        Err(other) => panic!("{other}"),
    }
}

/// Whether row `i` of the output changes with row `i` of the input only.
fn is_by_rows(program: &Program, input: usize) -> bool {
    let n = program.inputs[input].shape()[0];
    let x = values(program, 0.5);
    let y = run(program, &[&x], 0);
    let others: Vec<Vec<f64>> = (0..n)
        .map(|row| {
            let mut x = x.clone();
            let len = x[input].len() / n;
            for (i, value) in x[input][row * len..(row + 1) * len].iter_mut().enumerate() {
                *value = (1.7 * (i + row) as f64 + 0.3 * *value).cos();
            }
            run(program, &[&x], 0)
        })
        .collect();
    let is_constant = others
        .iter()
        .all(|other| (0..y.len()).all(|i| is_equal(other[i], y[i])));
    let len = y.len() / n;
    let has_rows = program.outputs[0].shape()[0] == n;
    let keeps = |(row, other): (usize, &Vec<f64>)| {
        (0..y.len()).all(|i| i / len == row || is_equal(other[i], y[i]))
    };
    is_constant || (has_rows && others.iter().enumerate().all(keeps))
}

/// Equal up to rounding, as kernels may add up in another order.
fn is_equal(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(1.0)
}

/// Accepted programs keep rows apart; returns whether this one is accepted.
fn hold(name: &str, program: &Program, input: usize) -> bool {
    let refused = refused(program, input);
    assert!(
        refused.is_some() || is_by_rows(program, input),
        "{name} mixes the rows of input {input}"
    );
    refused.is_none()
}

/// One operation each, with respect to each argument that has several rows, as recorded and lowered.
#[test]
fn operations_that_are_accepted_keep_rows_apart() {
    let lines = elementary::lines().iter().chain(layers::lines());
    let (mut accepted, mut cautious) = (0, BTreeSet::new());
    for &(name, shapes, operation) in lines {
        let written = program(shapes, operation);
        let lowered = lower(written.clone(), plain().settings()).expect("a program");
        for program in [&written, &lowered] {
            for input in (0..shapes.len()).filter(|input| shapes[*input][0] > 1) {
                if hold(name, program, input) {
                    accepted += 1;
                } else if is_by_rows(program, input) {
                    cautious.insert(name);
                }
            }
        }
    }
    println!("{accepted} accepted, refused although rows are apart: {cautious:?}");
    assert!(accepted > 200, "only {accepted} accepted");
    // Gradients of weights read only the shape of some operands; the check takes any operand as read.
    let of_weights = [
        "weight_backward",
        "bias_backward",
        "embedding_backward",
        "deform_conv2d_backward",
    ];
    cautious.retain(|name| !of_weights.iter().any(|end| name.ends_with(end)));
    assert!(cautious.is_empty(), "{cautious:?}");
}

#[test]
fn random_programs_that_are_accepted_keep_rows_apart() {
    let (mut accepted, mut cautious) = (0, 0);
    for program in chains::random(4, [5; 32]).take(300) {
        for input in 0..3 {
            let name = format!("{program}");
            if hold(&name, &program, input) {
                accepted += 1;
            } else if is_by_rows(&program, input) {
                cautious += 1;
            }
        }
    }
    println!("{accepted} of 900 accepted, {cautious} refused although rows are apart");
    assert!(accepted > 300, "only {accepted} accepted");
}
