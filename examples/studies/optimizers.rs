//! Where SGD, adaptive optimizers and Muon end from one start, at the same training loss.

use std::iter::zip;

use super::criteria::optimizers::{
    ADAM, ADAM_W, BARRIER, GOAL, LAMBDA, LOSS, MATCHED, MOMENTUM, MUON, OTHER_ORDER, SGD,
    SLOW_ADAM, SLOW_SGD, STABLE, STEPS, TEST, between, judge, less,
};
use super::digits::Digits;
use super::frame::{Measured, Plan, Study};
use super::network::Mlp;
use super::numbers::with_error;
use crate::Failure;
use ends::{Method, trained};

mod ends;
mod lines;

pub(crate) static STUDY: Study = Study {
    name: "optimizers",
    claim: "Adaptive optimizers end in other minima than SGD does, sharper ones at the same training loss, which \
            classify worse; Muon changes a layer in many more directions than Adam.",
    papers: &[
        "Wilson et al. 2017, arXiv:1705.08292",
        "Zhou et al. 2020, arXiv:2010.05627",
        "Cohen et al. 2022, arXiv:2207.14484",
        "Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks",
        "Liu et al. 2025, arXiv:2502.16982",
    ],
    ran: "ReLU 64-64-64-10 with cross-entropy on 1,280 digits, another split for each seed, batches of 64, constant \
          rates. SGD, SGD with a momentum of 0.9, Adam, AdamW (decay 0.1) and Muon have one start and one order of \
          the batches, and rates with which they take about as many steps. Muon moves all weight matrices, its steps \
          scaled to the size of Adam's (Liu et al.), and Adam the biases at the same rate. A run ends where the loss \
          on all training digits, which is looked at before every step, is first at most 0.02. Measured there: λ_max \
          of the Hessian, beside the edge of the optimizer (of the preconditioned Hessian for Adam and AdamW), its \
          trace from 64 probes, the distance from the start, the spectral norm and the stable rank of the middle \
          layer's change, loss and accuracy on 517 other digits; and between the ends of each pair the training loss \
          on the straight line. Controls: SGD with other batches, and SGD and Adam with a quarter of the rate.",
    would_change: "Whether λ_max of Adam and of AdamW is above SGD's by three standard errors of the differences \
                   within seeds, and Adam's test accuracy below by two; whether the barrier between the ends of SGD \
                   and Adam is at least the loss of the ends; and whether Muon's change of a layer has at least twice \
                   the stable rank of Adam's. Larger networks and longer trainings may differ.",
    wrong: "That an optimizer has a sharpness of its own: compare the rows with a quarter of the rate; and runs of one \
            length instead of one training loss compare the losses. That a barrier between the ends of two optimizers \
            sets them apart: compare that between two orders of the batches. And that λ_max is the sharpness that \
            every optimizer feels: Adam is stable in another metric than SGD.",
    references: &[],
    run,
    judge,
};

const TRACE: &str = "trace";
const DISTANCE: &str = "distance from the start";
const SPECTRAL: &str = "spectral norm of the middle layer's change";
const TEST_LOSS: &str = "test loss";
/// Of optimizers whose edge is known.
const EDGE: &str = "λ_max over the edge";

/// What is measured of every network, in the order of an `End`.
const COLUMNS: [&str; 9] = [
    STEPS, LOSS, LAMBDA, TRACE, DISTANCE, SPECTRAL, STABLE, TEST_LOSS, TEST,
];
type End = [f64; COLUMNS.len()];

/// The row of the mean of the weights.
const AVERAGE: &str = "average of the five ends";

/// Pairs whose differences are rows.
const COMPARED: [[&str; 2]; 6] = [
    [MOMENTUM, SGD],
    [ADAM, SGD],
    [ADAM_W, SGD],
    [MUON, SGD],
    [SLOW_SGD, SGD],
    [SLOW_ADAM, ADAM],
];
const DIFFERENCES: [&str; 6] = [LOSS, LAMBDA, TRACE, DISTANCE, TEST_LOSS, TEST];

/// Images of a quick look, and what it trains.
const FEW: usize = 256;
const QUICK: [&str; 4] = [SGD, ADAM, MUON, OTHER_ORDER];

struct Setting {
    name: &'static str,
    method: Method,
    rate: f64,
    /// Whether its batches are others than those of the other runs.
    has_own_order: bool,
}

const fn setting(name: &'static str, method: Method, rate: f64) -> Setting {
    Setting {
        name,
        method,
        rate,
        has_own_order: false,
    }
}

const SGD_RATE: f64 = 0.4;
const MOMENTUM_RATE: f64 = 0.04;
const ADAM_RATE: f64 = 2e-3;
const MUON_RATE: f64 = 3e-3;
/// The part of the rate that slow runs have.
const SLOWER: f64 = 0.25;

static SETTINGS: [Setting; 8] = [
    setting(SGD, Method::Sgd, SGD_RATE),
    setting(MOMENTUM, Method::Momentum, MOMENTUM_RATE),
    setting(ADAM, Method::Adam, ADAM_RATE),
    setting(ADAM_W, Method::AdamW, ADAM_RATE),
    setting(MUON, Method::Muon, MUON_RATE),
    Setting {
        has_own_order: true,
        ..setting(OTHER_ORDER, Method::Sgd, SGD_RATE)
    },
    setting(SLOW_SGD, Method::Sgd, SLOWER * SGD_RATE),
    setting(SLOW_ADAM, Method::Adam, SLOWER * ADAM_RATE),
];

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = plan.over_seeds(Digits::load)?;
    let settings = SETTINGS.iter();
    let settings = settings.filter(|setting| !plan.quick || QUICK.contains(&setting.name));
    let settings: Vec<&Setting> = settings.collect();
    let places = 0..plan.seeds.len();
    let jobs = settings.iter();
    let jobs = jobs.flat_map(|&setting| places.clone().map(move |place| (setting, place)));
    let jobs: Vec<(&Setting, usize)> = jobs.collect();
    let runs = plan.over(&jobs, |&(setting, place)| {
        let seed = plan.seeds[place];
        let run = trained(plan, setting, seed, &digits[place])?;
        let (name, steps) = (setting.name, run.end[0]);
        plan.progress(format!("{name}, seed {seed}: goal at step {steps}"));
        Ok(run)
    })?;
    for ((setting, place), run) in zip(&jobs, &runs) {
        for (column, value) in zip(COLUMNS, run.end) {
            found.push(setting.name, column, value);
        }
        if let Some(ratio) = run.edge_ratio {
            found.push(setting.name, EDGE, ratio);
        }
        if *place == 0 {
            let curve = run.curve.clone();
            found.line("Training", "step", LOSS, setting.name, curve);
        }
    }
    plan.progress("lines between the ends");
    for (place, digits) in digits.iter().enumerate() {
        let of_seed = runs.iter().skip(place).step_by(plan.seeds.len());
        let ends = zip(&settings, of_seed);
        let ends: Vec<(&str, Option<&Mlp>)> = ends
            .map(|(setting, run)| (setting.name, run.net.as_ref()))
            .collect();
        lines::between_ends(plan, digits, &ends, place == 0, found)?;
    }
    differences(found);
    notes(found);
    Ok(())
}

/// Seed by seed.
fn differences(found: &mut Measured) {
    for [first, second] in COMPARED {
        for column in DIFFERENCES {
            let gaps = gaps(found, [first, second], column);
            found.extend(&less(first, second), column, gaps);
        }
    }
    let [to_adam, to_order] = [ADAM, OTHER_ORDER].map(|name| between(SGD, name));
    let gaps = gaps(found, [&to_adam, &to_order], BARRIER);
    found.extend(&less(ADAM, OTHER_ORDER), BARRIER, gaps);
}

fn gaps(found: &Measured, rows: [&str; 2], column: &str) -> Vec<f64> {
    let [first, second] = rows.map(|row| found.values(row, column));
    zip(first, second)
        .map(|(first, second)| first - second)
        .collect()
}

fn notes(found: &mut Measured) {
    found.note(
        "A difference is that of the same seed, and clear from two of its standard errors on. A barrier is the largest \
         excess of the training loss over the line between the losses of both ends; the row Adam − SGD, another order \
         has the difference of the barriers on the lines that start at the end of SGD. No edge of Muon is known.",
    );
    for name in [MOMENTUM, ADAM, ADAM_W, MUON] {
        let row = less(name, SGD);
        let text = format!(
            "{row}, at a training loss of {GOAL}: λ_max {}; trace {}; distance {}; test accuracy in points {}.",
            in_words(found, &row, LAMBDA, 1.0),
            in_words(found, &row, TRACE, 1.0),
            in_words(found, &row, DISTANCE, 1.0),
            in_words(found, &row, TEST, 100.0),
        );
        found.note(text);
    }
    let slower = less(SLOW_SGD, SGD);
    let text = format!(
        "A quarter of SGD's rate: λ_max {}; test accuracy in points {}.",
        in_words(found, &slower, LAMBDA, 1.0),
        in_words(found, &slower, TEST, 100.0)
    );
    found.note(text);
    let ranks = MATCHED.map(|name| format!("{name} {:.1}", found.mean(name, STABLE)));
    let ranks = ranks.join(", ");
    found.note(format!(
        "The stable rank of the middle layer's change: {ranks}."
    ));
    let loss = found.mean(AVERAGE, LOSS);
    let test = 100.0 * found.mean(AVERAGE, TEST);
    found.note(format!(
        "The average of the weights of all five has a training loss of {loss:.3} and a test accuracy of {test:.2} %."
    ));
}

/// A mean difference in a unit of which there are so many in one.
fn in_words(found: &Measured, row: &str, column: &str, units: f64) -> String {
    let mean = units * found.mean(row, column);
    let error = units * found.standard_error(row, column);
    let text = with_error(mean, Some(error));
    match mean.abs() < 2.0 * error {
        true => format!("{text} (no clear difference)"),
        false => text,
    }
}
