//! The loss times every power of two, against the loss itself.

use std::collections::BTreeMap;

use burnscape::loss::Risk;
use burnscape::optim::{Sam, SamConfig};

use super::answers::{Answer, answers, steps, variants};
use super::exponents::{FAR, LARGEST, NORMAL, exponents};
use super::models::{KINDS, Kind, Net, batch, loss, recorded};
use crate::element::EPSILON;

const SEEDS: u64 = 10;
/// What may change, in units of the last place of the element type.
const MOST: f64 = 4.0;

#[derive(Default)]
struct Row {
    cases: usize,
    changed: usize,
    worst: f64,
}

/// The first seeds, for both kinds and every `stride`-th exponent; says what was found.
fn sweep(seeds: u64, stride: usize) {
    let mut table: BTreeMap<(&str, &str), Row> = BTreeMap::new();
    let mut failures = Vec::new();
    for kind in KINDS {
        for seed in 0..seeds {
            let one = answers(kind, seed, 0);
            for exponent in exponents().step_by(stride) {
                if exponent == 0 {
                    continue;
                }
                for (there, here) in answers(kind, seed, exponent).iter().zip(&one) {
                    assert_eq!(there.name, here.name);
                    let error = error(there, here);
                    let group = if here.is_exact { "exact" } else { "4 ulp" };
                    let row = table.entry((group, here.name)).or_default();
                    row.cases += 1;
                    row.changed += usize::from(error > 0.0);
                    row.worst = row.worst.max(error);
                    let most = if here.is_exact { 0.0 } else { MOST };
                    // NaN is no error that is small enough.
                    if error.is_nan() || error > most {
                        let name = here.name;
                        failures.push(format!(
                            "{name}, {kind:?} {seed}, 2^{exponent}: {error} ulp"
                        ));
                    }
                }
            }
        }
    }
    println!("| | answer | cases | changed | worst, ulp |\n|---|---|---|---|---|");
    for ((group, name), row) in table {
        let Row {
            cases,
            changed,
            worst,
        } = row;
        println!("| {group} | {name} | {cases} | {changed} | {worst:.2} |");
    }
    let some: Vec<_> = failures.iter().take(20).collect();
    assert!(failures.is_empty(), "{} of them: {some:#?}", failures.len());
}

/// How far two answers are apart, relative to the largest number of the answer.
fn error(there: &Answer, here: &Answer) -> f64 {
    assert_eq!(there.values.len(), here.values.len());
    let size = here
        .values
        .iter()
        .fold(0.0_f64, |size, x| size.max(x.abs()));
    let pairs = there.values.iter().zip(&here.values);
    let mut worst = 0.0_f64;
    for (x, y) in pairs {
        let error = (x - y).abs() / (EPSILON * size.max(f64::MIN_POSITIVE));
        if error.is_nan() {
            return f64::NAN;
        }
        worst = worst.max(error);
    }
    worst
}

#[test]
fn recorded_values_stay_normal_at_every_scale() {
    for kind in KINDS {
        for seed in 0..SEEDS {
            for value in recorded(kind, seed) {
                assert!(value != 0.0 && value.is_finite());
                for exponent in [-LARGEST, LARGEST] {
                    let size = (value.abs().log2() + f64::from(exponent)).floor() as i32;
                    // With room for products of vectors of norm one and their digits.
                    let room = NORMAL.start() + 40..=NORMAL.end() - 10;
                    assert!(
                        room.contains(&size),
                        "{kind:?} {seed}: {value:e} 2^{exponent}"
                    );
                }
            }
        }
    }
}

#[test]
fn steps_have_the_same_digits_where_no_square_is_a_number() {
    for kind in KINDS {
        let one = steps(kind, 0, 0, &variants());
        for exponent in FAR {
            for (there, here) in steps(kind, 0, exponent, &variants()).iter().zip(&one) {
                assert_eq!(there.values, here.values, "{} 2^{exponent}", here.name);
            }
        }
    }
}

#[test]
fn the_displacement_is_the_published_one_where_its_floor_does_not_count() {
    let rho = 0.5;
    let mut compared = 0;
    for kind in KINDS {
        for exponent in exponents() {
            let (net, data, loss) = (Net::new(0), batch(0), loss(kind, exponent));
            let mut seen = Vec::new();
            let closure = |net: &Net| {
                seen.push(net.numbers());
                loss(net, data.clone())
            };
            let config = SamConfig::new().with_rho(rho);
            let gradients = Sam::gradients(&config, &net, closure);
            let (gradients, report) = gradients.expect("gradients");
            drop(gradients);
            let step: Vec<f64> = seen[1].iter().zip(&seen[0]).map(|(x, y)| x - y).collect();
            // Never shorter for a small gradient.
            let length = step.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!(
                (length / rho - 1.0).abs() < 1e-6,
                "{kind:?} 2^{exponent}: {length}"
            );
            if report.gradient_norm <= 1e-6 {
                continue;
            }
            let gradient = gradient(kind, exponent);
            let factor = rho / (report.gradient_norm + 1e-12);
            let off = step
                .iter()
                .zip(&gradient)
                .map(|(e, g)| (e - factor * g).powi(2));
            let off = off.sum::<f64>().sqrt();
            // What is seen of it is rounded to the digits of the weights.
            let size = seen[1].iter().map(|x| x * x).sum::<f64>().sqrt();
            let most = 1e-6 * rho + 0.5 * EPSILON * size;
            assert!(off <= most, "{kind:?} 2^{exponent}: {off:e}");
            compared += 1;
        }
    }
    assert!(compared > exponents().count() / 2);
}

fn gradient(kind: Kind, exponent: i32) -> Vec<f64> {
    let (net, data, loss) = (Net::new(0), [batch(0)], loss(kind, exponent));
    let found = Risk::new(&loss, &data).loss_and_gradient(&net);
    let gradient = found.expect("a gradient").gradient;
    gradient.to_host().expect("numbers")
}

#[test]
fn no_answer_depends_on_the_scale_of_the_loss() {
    // Every third exponent: the largest and the smallest, and odd and even ones, whose square roots have other digits.
    sweep(1, 3);
}

#[test]
#[ignore = "cargo xtask sweep scales"]
fn sweep_scales() {
    sweep(SEEDS, 1);
}
