//! Random programs: whatever the walk finds is a symmetry.
//!
//! `cargo xtask sweep symmetry` runs all seeds; the first of them are an ordinary test.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{DType, Tensor};
use burnscape::symmetry::SymmetriesConfig;
use burnscape_testkit::programs::RandomNet;

use crate::element::{DTYPE, device};

/// Seeds that CI runs, and those of the sweep.
const SHARE: u64 = 500;
const ALL: u64 = 20_000;

/// What came of one program: its groups, and those with parents.
struct Found {
    groups: usize,
    within: usize,
}

fn of_program(seed: u64) -> Result<Found, String> {
    let net = RandomNet::new(seed, &device());
    let x = net.input(&device());
    let outputs = |net: &RandomNet, x: &Tensor<3>| net.forward(x.clone());
    let symmetries = SymmetriesConfig::new()
        .with_seed(seed)
        .run(&outputs, &net, x.clone())
        .map_err(|error| error.to_string())?;
    if !symmetries.dropped().is_empty() {
        let dropped = symmetries.dropped().iter().map(ToString::to_string);
        return Err(format!(
            "dropped {}",
            dropped.collect::<Vec<_>>().join("; ")
        ));
    }
    // Apart from the verification, on the numbers of the program.
    if DTYPE == DType::F64 && !symmetries.groups().is_empty() {
        let moved = symmetries.random(seed).apply(&net);
        let moved = moved.map_err(|error| error.to_string())?;
        let (before, after) = (numbers(&net, &x), numbers(&moved, &x));
        let size = before.iter().fold(1e-6_f64, |all, x| all.max(x.abs()));
        let mut gaps = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
        if gaps.any(|gap| gap.is_nan() || gap > 1e-8 * size) {
            return Err("an element changes the outputs".to_string());
        }
    }
    let groups = symmetries.groups();
    let within = groups.iter().filter(|group| !group.parents().is_empty());
    Ok(Found {
        groups: groups.len(),
        within: within.count(),
    })
}

fn numbers(net: &RandomNet, x: &Tensor<3>) -> Vec<f64> {
    let data = net.forward(x.clone()).into_data();
    data.iter::<f64>().collect()
}

fn hold(seeds: Range<u64>) {
    let programs = seeds.end - seeds.start;
    let (mut with_groups, mut groups, mut within) = (0, 0, 0);
    let mut wrong = Vec::new();
    for seed in seeds {
        let found = catch_unwind(AssertUnwindSafe(|| of_program(seed)));
        match found.unwrap_or_else(|_| Err("panicked".to_string())) {
            Ok(found) => {
                with_groups += u64::from(found.groups > 0);
                groups += found.groups;
                within += found.within;
            }
            Err(words) => {
                println!("seed {seed}: {words}");
                wrong.push(seed);
            }
        }
    }
    println!(
        "{programs} programs, {with_groups} with groups, {groups} groups, {within} within others, wrong: {wrong:?}"
    );
    assert!(wrong.is_empty(), "wrong seeds: {wrong:?}");
    // Programs in which there is nothing to find show nothing.
    assert!(4 * with_groups >= programs, "{with_groups} of {programs}");
    assert!(within > 0, "no group within another");
}

#[test]
fn groups_of_random_programs_are_symmetries() {
    hold(0..SHARE);
}

/// Flips of what is uniform in part, and products in which the heads of both operands meet.
#[test]
fn programs_that_once_had_wrong_groups_are_right() {
    let once = [
        1998, 2522, 2638, 4861, 6328, 8411, 8615, 9040, 10471, 10700, 11717, 13076, 14981, 19114,
        19745,
    ];
    for seed in once {
        let found = of_program(seed).map(|found| found.groups);
        assert!(found.is_ok(), "seed {seed}: {found:?}");
    }
}

#[test]
#[ignore = "cargo xtask sweep symmetry"]
fn sweep_symmetry() {
    hold(0..ALL);
}
