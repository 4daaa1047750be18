//! Products and cumulative products of factors that are exactly zero, in random programs: curvature against
//! PyTorch's double backward, and against differences of Burn's gradient.
//!
//! CI runs the first 500 programs, which take all kinds in turn; `cargo xtask sweep zeros` all 5,000.

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient};
use burnscape_testkit::double::device as plain;
use program::{Kind, Program};

const PROGRAMS: usize = 5000;

/// The loss, its slope along the first direction and the curvature along both, as PyTorch has them.
fn golden() -> Vec<[f64; 3]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/linearize/zeros.json");
    let text = fs::read_to_string(path).expect("a golden file");
    let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let programs = file["programs"].as_array().expect("programs");
    let numbers = |row: &serde_json::Value| [0, 1, 2].map(|i| row[i].as_f64().expect("a number"));
    programs.iter().map(numbers).collect()
}

/// Burn's gradient, moved along a direction.
fn gradient(program: &Program, direction: &[f64], scale: f64) -> Vec<f64> {
    let pair = program.pair(direction, scale, &plain().autodiff());
    let gradients = program.loss(&pair).backward();
    let parts = [&pair.w, &pair.s].map(|param| match param.val().grad(&gradients) {
        Some(part) => part.into_data().iter::<f64>().collect(),
        None => vec![0.0; program.point[0].len()],
    });
    parts.concat()
}

/// By six points: the error is of sixth order in a step that is a power of two.
fn differences(program: &Program, direction: &[f64]) -> Vec<f64> {
    let step = 1.0 / 1024.0;
    let at = |k: f64| {
        let (up, down) = (
            gradient(program, direction, k * step),
            gradient(program, direction, -k * step),
        );
        up.iter()
            .zip(&down)
            .map(|(a, b)| a - b)
            .collect::<Vec<f64>>()
    };
    let (one, two, three) = (at(1.0), at(2.0), at(3.0));
    (0..one.len())
        .map(|i| (45.0 * one[i] - 9.0 * two[i] + three[i]) / (60.0 * step))
        .collect()
}

struct Ours {
    loss: f64,
    gradient: Vec<f64>,
    /// The Hessian times each direction.
    products: [Vec<f64>; 2],
}

fn ours(program: &Program) -> Result<Ours, LinearizeError> {
    let settings = plain().settings();
    let none = vec![0.0; 2 * program.point[0].len()];
    let pair = program.pair(&none, 0.0, &plain().autodiff());
    let trace = GradientTrace::new(pair, settings, |_| (), |pair, ()| program.loss(pair))?;
    let mut at = LinearizedGradient::new(&trace, settings, &plain())?;
    let len = program.point[0].len();
    let flat = |parts: &[Option<Tensor<1>>]| -> Vec<f64> {
        let part = |part: &Option<Tensor<1>>| match part {
            Some(part) => part.clone().into_data().iter::<f64>().collect(),
            None => vec![0.0; len],
        };
        parts.iter().flat_map(part).collect()
    };
    let mut along = |direction: &[f64]| {
        let parts = direction.chunks(len);
        let parts =
            parts.map(|x| Tensor::<1>::from_data(TensorData::new(x.to_vec(), [len]), &plain()));
        at.hvp(&parts.collect::<Vec<_>>()).map(|parts| flat(&parts))
    };
    let products = [
        along(&program.directions[0])?,
        along(&program.directions[1])?,
    ];
    Ok(Ours {
        loss: at.loss().clone().into_data().iter::<f64>().sum(),
        gradient: flat(at.gradients()),
        products,
    })
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn size(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |size, x| size.max(x.abs()))
}

/// The measurements of one kind of program.
#[derive(Default)]
struct Line {
    programs: usize,
    curved: usize,
    refused: usize,
    /// Worst errors, relative to the larger of one and the reference.
    golden: f64,
    differences: f64,
    wrong: Vec<usize>,
}

fn swept(programs: std::ops::Range<usize>) -> BTreeMap<Kind, Line> {
    let golden = golden();
    assert_eq!(golden.len(), PROGRAMS);
    let mut table: BTreeMap<Kind, Line> = BTreeMap::new();
    for index in programs {
        let program = Program::new(index);
        let line = table.entry(program.kind).or_default();
        line.programs += 1;
        let ours = match ours(&program) {
            Ok(ours) => ours,
            Err(LinearizeError::Tie { .. }) => {
                line.refused += 1;
                continue;
            }
            Err(error) => panic!("program {index}: {error}"),
        };
        let [u, v] = &program.directions;
        let [loss, slope, curvature] = golden[index];
        let pairs = [
            (ours.loss, loss),
            (dot(&ours.gradient, u), slope),
            (dot(&ours.products[0], v), curvature),
            (dot(&ours.products[1], u), curvature),
        ];
        let off =
            |(found, expected): (f64, f64)| (found - expected).abs() / expected.abs().max(1.0);
        let from_golden = pairs.map(off).into_iter().fold(0.0, f64::max);
        let mut from_differences = 0.0_f64;
        for (direction, product) in program.directions.iter().zip(&ours.products) {
            let expected = differences(&program, direction);
            let scale = size(&expected).max(size(&ours.gradient)).max(1.0);
            let apart: Vec<f64> = expected.iter().zip(product).map(|(a, b)| a - b).collect();
            from_differences = from_differences.max(size(&apart) / scale);
        }
        line.curved += usize::from(curvature != 0.0);
        line.golden = line.golden.max(from_golden);
        line.differences = line.differences.max(from_differences);
        // NaN is wrong too.
        if !(from_golden < 1e-12 && from_differences < 1e-8) {
            line.wrong.push(index);
        }
    }
    table
}

fn hold(programs: std::ops::Range<usize>) {
    let table = swept(programs);
    println!("zeros in   programs  with curvature  refused  PyTorch   differences  silently wrong");
    for (kind, line) in &table {
        println!(
            "{:<10} {:8}  {:14}  {:7}  {:.1e}   {:.1e}      {:4}",
            format!("{kind:?}").to_lowercase(),
            line.programs,
            line.curved,
            line.refused,
            line.golden,
            line.differences,
            line.wrong.len()
        );
    }
    assert_eq!(table.len(), 5);
    for (kind, line) in table {
        assert_eq!(line.wrong, [0_usize; 0], "{kind:?}");
        assert_eq!(line.refused, 0, "{kind:?}");
        // Programs without curvature would show nothing.
        assert!(4 * line.curved > line.programs, "{kind:?}");
    }
}

#[test]
fn curvature_of_products_with_zeros_is_that_of_the_polynomial() {
    hold(0..PROGRAMS / 10);
}

#[test]
#[ignore = "cargo xtask sweep zeros"]
fn sweep_zeros_of_products() {
    hold(0..PROGRAMS);
}
