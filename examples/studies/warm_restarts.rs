//! Warm restarts of the rate, and the networks at the ends of the cycles as an ensemble.

use std::iter::zip;

use super::criteria::warm_restarts::{
    CLEAR, DISAGREEMENT, FULL, LAST, LEAST, LEAVES, RATES, RESTARTS, SHORT, SINGLE, SNAPSHOTS,
    SUGGESTED, TEST_LOSS, judge, minus, of_rate,
};
use super::digits::Digits;
use super::frame::{Measured, Plan, Study};
use super::numbers::with_error;
use crate::Failure;
use repetition::{Points, Repetition};

mod answers;
mod repetition;

pub(crate) static STUDY: Study = Study {
    name: "warm-restarts",
    claim: "A restart of the rate takes training out of its valley, so that the networks at the ends of the cycles \
            are an ensemble for the price of one run, better than a run along one cosine, though less diverse than \
            independent runs.",
    papers: &[
        "Loshchilov and Hutter 2017, arXiv:1608.03983",
        "Huang et al. 2017, arXiv:1704.00109",
        "Gotmare et al. 2019, arXiv:1810.13243",
        "Fort, Hu and Lakshminarayanan 2019, arXiv:1912.02757",
    ],
    ran: "ReLU 64-64-64-10 with cross-entropy on 512 digits, the other 1,285 for tests: SGD with momentum 0.9, \
          batches of 64 and weight decay 0.0001, with rates of 0.05, 0.2 and 0.5. Five cycles of 400 steps, in each of \
          which the rate falls to zero along half a cosine and then starts anew, while momentum goes on; the networks \
          at their ends are the snapshots. Beside them: one cosine over all 2,000 steps from the same initial weights \
          and with the same batches; that one and four other full runs, which take five times the gradients; and five \
          short runs of one cycle, which take as many as the snapshots, and of which the first is the first cycle. \
          Networks together are the mean of their probabilities. A barrier is the largest excess of the training loss \
          at 21 points of the straight line over the line between the losses of its ends; disagreement is the share \
          of the test digits on which the most probable digits of two networks differ, mean over all pairs, or over \
          the pairs of the lines.",
    would_change: "At rates of 0.2 and 0.5, on which side of a tenth of the mean barrier between full runs the least \
                   barrier of the four restarts is, with three standard errors; at 0.2, whether the test loss of the \
                   snapshots together is below that of one cosine, with two standard errors of the differences within \
                   seeds. Deeper networks and harder data may differ.",
    wrong: "From the rise of the training loss after each restart, that a valley was left: the loss rises within a \
            valley as well. From a barrier on a line, that its ends are in separate valleys: Gotmare et al. connect \
            such ends by curves of low loss. From a difference between the snapshots together and one cosine, that it \
            is due to the restarts: short runs from new weights cost as much, and stand beside them. And from \
            snapshots without a lead, that no ensemble has one: see that of full runs.",
    references: &[],
    run,
    judge,
};

/// The mean of the weights of all snapshots.
const AVERAGE: &str = "average of the snapshots";
/// Lines.
const SHORT_PAIRS: &str = "lines between short runs";
const FULL_PAIRS: &str = "lines between full runs";
const ENDS: &str = "line from the first to the last snapshot";

const STEPS: &str = "steps";
const TRAINING_LOSS: &str = "training loss";
const ACCURACY: &str = "test accuracy";
const BARRIER: &str = "barrier";
const OVER_LOSS: &str = "barrier over loss of the ends";
const DISTANCE: &str = "distance";
/// Of the barrier between full runs.
const SHARE: &str = "share of that between full runs";

/// Rows whose differences within seeds are shown.
const PAIRS: [(&str, &str); 6] = [
    (SNAPSHOTS, SINGLE),
    (SNAPSHOTS, SHORT),
    (SNAPSHOTS, FULL),
    (FULL, SINGLE),
    (LAST, SINGLE),
    (AVERAGE, LAST),
];

/// The line across a restart.
fn of_restart(index: usize) -> String {
    format!("restart {index}")
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let rates = plan.pick(&RATES[..], &RATES[1..2]);
    let jobs = rates.iter();
    let jobs = jobs.flat_map(|&rate| plan.seeds.iter().map(move |&seed| (rate, seed)));
    let jobs: Vec<(f64, u64)> = jobs.collect();
    let repetitions = plan.over(&jobs, |&(rate, seed)| {
        let repetition = Repetition::of(plan, &digits, rate, seed)?;
        let end = match &repetition {
            Some(_) => "",
            None => ": not finite",
        };
        plan.progress(format!("rate {rate}, seed {seed}{end}"));
        Ok(repetition)
    })?;
    let whole = repetitions.iter().flatten().next();
    let names = whole.map(|it| it.cells.iter().map(|(row, column, _)| (row, *column)));
    let names: Vec<(&String, &str)> = names.into_iter().flatten().collect();
    for (&(rate, seed), repetition) in zip(&jobs, &repetitions) {
        let Some(repetition) = repetition else {
            for (row, column) in &names {
                found.push(of_rate(rate, row), *column, f64::NAN);
            }
            continue;
        };
        for (row, column, value) in &repetition.cells {
            found.push(of_rate(rate, row), *column, *value);
        }
        if plan.seeds.first() == Some(&seed) {
            charts(rate, repetition, found);
        }
    }
    for &rate in rates {
        differences(rate, found);
        let mean = |index: usize| {
            let row = of_rate(rate, &of_restart(index));
            (index as f64, found.mean(&row, BARRIER))
        };
        let means = (1..).map(mean);
        let points: Points = means.take_while(|(_, mean)| mean.is_finite()).collect();
        let (chart, series) = ("barrier by restart", format!("rate {rate}"));
        found.line(chart, "restart", "mean barrier", &series, points);
        notes(rate, found);
    }
    Ok(())
}

fn charts(rate: f64, repetition: &Repetition, found: &mut Measured) {
    for (name, points) in &repetition.curves {
        let series = of_rate(rate, name);
        let chart = "training loss by step";
        found.line(chart, "step", TRAINING_LOSS, &series, points.clone());
    }
    for (name, points) in &repetition.lines {
        let series = of_rate(rate, name);
        let chart = "training loss along lines from one network to the next";
        found.line(chart, "network", TRAINING_LOSS, &series, points.clone());
    }
}

fn differences(rate: f64, found: &mut Measured) {
    for (first, second) in PAIRS {
        let row = of_rate(rate, &minus(first, second));
        for column in [TEST_LOSS, ACCURACY, DISAGREEMENT] {
            let values = |name: &str| found.values(&of_rate(rate, name), column);
            let gaps = zip(values(first), values(second)).map(|(one, other)| one - other);
            let gaps: Vec<f64> = gaps.collect();
            found.extend(&row, column, gaps);
        }
    }
}

fn notes(rate: f64, found: &mut Measured) {
    let mean = |row: &str, column: &str| {
        let row = of_rate(rate, row);
        (found.mean(&row, column), found.standard_error(&row, column))
    };
    // Whether a mean is so many standard errors from a bound.
    let said = |(mean, error): (f64, f64), bound: f64, errors: f64| {
        let text = with_error(mean, Some(error));
        match (mean - bound).abs() >= errors * error {
            true => text,
            false => format!("{text} (no clear difference from {bound})"),
        }
    };
    let gap = |first: &str, second: &str, column: &str| {
        said(mean(&minus(first, second), column), 0.0, SUGGESTED)
    };
    let (share, error) = mean(RESTARTS, SHARE);
    let valleys = format!(
        "Rate {rate}: the least barrier of a restart is {} of the mean barrier between full runs, and the mean of the \
         restarts {} % of it. The test loss of the average of the snapshots less that of the last one is \
         {}.",
        said(mean(RESTARTS, LEAST), LEAVES, CLEAR),
        with_error(100.0 * share, Some(100.0 * error)),
        gap(AVERAGE, LAST, TEST_LOSS)
    );
    let ensembles = format!(
        "Rate {rate}: the test loss of the snapshots together less that of one cosine is {}; less that of short runs \
         together, for as many gradients, {}; less that of full runs together, for five times as many, {}. Full \
         runs together less one cosine: {}. The last snapshot less one cosine: {}. Disagreement of the snapshots less \
         that of full runs: {}.",
        gap(SNAPSHOTS, SINGLE, TEST_LOSS),
        gap(SNAPSHOTS, SHORT, TEST_LOSS),
        gap(SNAPSHOTS, FULL, TEST_LOSS),
        gap(FULL, SINGLE, TEST_LOSS),
        gap(LAST, SINGLE, TEST_LOSS),
        gap(SNAPSHOTS, FULL, DISAGREEMENT)
    );
    found.note(valleys);
    found.note(ensembles);
}
