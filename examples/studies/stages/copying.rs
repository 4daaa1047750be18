//! Bigrams and then copying: when transformers learn each, and the learning coefficient beside it.

use std::iter::zip;

use super::posterior::{Lengths, Posteriors, Reading};
use super::sequences::{Chain, Sizes};
use super::training::{Look, Times, Trained, trained};
use crate::Failure;
use crate::studies::criteria::stages::{
    AFTER, AT_START, BEFORE, BIGRAMS, COPYING, DATA, EXCESS, FIRST_RISE, GAIN, INDUCTION, KNOWN,
    LATER, ONE, OWN, PREVIOUS, RISE, SCORE, SHARE, START, TOGETHER, TWO,
};
use crate::studies::frame::{Measured, Plan};

/// `λ_max` of the loss of the data.
const LAMBDA: &str = "λ_max";
/// Looks at which the coefficient of the first seed is measured besides those around its induction stage, over all.
const PLACES: [f64; 6] = [0.0, 0.02, 0.08, 0.25, 0.5, 1.0];

/// What became of a training.
struct Run {
    num_layers: usize,
    looks: Vec<Look>,
    times: Times,
    /// At the end: the gain by copying, and both scores.
    gain: f64,
    induction: f64,
    previous: f64,
    /// The least loss of bigrams over that of the chain.
    excess: f64,
    /// The share of bigrams that is learned where half of copying is.
    known: f64,
    /// At the start, around the induction stage, and further ones of the first seed.
    readings: Vec<Reading>,
    /// The steps of the readings before and after.
    stage: Option<[usize; 2]>,
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let sizes = plan.pick(Sizes::FULL, Sizes::QUICK);
    let jobs = [2, 1].into_iter();
    let jobs = jobs.flat_map(|layers| plan.seeds.iter().map(move |&seed| (layers, seed)));
    let jobs: Vec<(usize, u64)> = jobs.collect();
    let runs = plan.over(&jobs, |&(num_layers, seed)| {
        let training = trained(&sizes, num_layers, seed)?;
        let times = training.times();
        plan.progress(format!(
            "{}, seed {seed}: bigrams at step {:.0}, copying at {:.0}",
            row(num_layers),
            times.bigrams,
            times.copying
        ));
        let run = seen(plan, &sizes, num_layers, seed, &training)?;
        if !run.readings.is_empty() {
            plan.progress(format!("coefficients, seed {seed}"));
        }
        Ok(run)
    })?;
    let (two, one) = runs.split_at(plan.seeds.len());
    for (run, control) in zip(two, one) {
        push(run, found);
        push(control, found);
        // Without a gain there is nothing to compare with.
        let share = control.gain / run.gain;
        found.push(ONE, SHARE, if run.gain > 0.0 { share } else { f64::NAN });
        push_readings(run, found);
    }
    for run in two.first().into_iter().chain(one.first()) {
        draw(run, found);
    }
    if let Some(run) = two.first() {
        tell(run, found);
    }
    tell_findings(two, found);
    Ok(())
}

fn row(num_layers: usize) -> &'static str {
    if num_layers == 1 { ONE } else { TWO }
}

/// Measures the coefficients of networks of two layers.
fn seen(
    plan: &Plan,
    sizes: &Sizes,
    num_layers: usize,
    seed: u64,
    training: &Trained,
) -> Result<Run, Failure> {
    let last = training.looks.len() - 1;
    let is_first = plan.seeds.first() == Some(&seed);
    let stage = match plan.quick {
        true => is_first.then_some([0, last]),
        false => training.stage(),
    };
    let mut places = Vec::new();
    if num_layers == 2 {
        if let Some([before, after]) = stage {
            places.extend([0, before, after]);
        }
        if is_first && !plan.quick {
            places.extend(PLACES.map(|place| (place * last as f64).round() as usize));
        }
        places.sort_unstable();
        places.dedup();
    }
    let chain = Chain::new(*sizes, seed)?;
    let posteriors = Posteriors::new(&chain, plan.pick(Lengths::FULL, Lengths::QUICK), seed);
    let readings = places.into_iter().map(|place| {
        let step = training.looks[place].step;
        posteriors.at(step, &training.nets[place])
    });
    Ok(Run {
        num_layers,
        looks: training.looks.clone(),
        times: training.times(),
        gain: training.end(|look| look.gain),
        induction: training.end(|look| look.induction),
        previous: training.end(|look| look.previous),
        excess: training.least() - training.chain_loss,
        known: training.known(),
        readings: readings.collect::<Result<_, _>>()?,
        stage: stage.map(|places| places.map(|place| training.looks[place].step)),
    })
}

fn push(run: &Run, found: &mut Measured) {
    let (row, times) = (row(run.num_layers), run.times);
    let start = run.looks.first().map_or(f64::NAN, |look| look.induction);
    for (column, value) in [
        (BIGRAMS, times.bigrams),
        (EXCESS, run.excess),
        (GAIN, run.gain),
        (START, start),
        (SCORE, run.induction),
        (PREVIOUS, run.previous),
    ] {
        found.push(row, column, value);
    }
    // A layer alone has no induction head, whatever it attends to.
    if run.num_layers > 1 {
        found.push(row, COPYING, times.copying);
        found.push(row, INDUCTION, times.induction);
        found.push(row, LATER, times.copying / times.bigrams);
        found.push(row, KNOWN, run.known);
        found.push(row, TOGETHER, times.induction / times.copying);
    }
}

/// The name of a number of a reading, and the number.
type Named = (&'static str, fn(&Reading) -> f64);

fn push_readings(run: &Run, found: &mut Measured) {
    let steps = run.stage.map_or([None; 3], |[before, after]| {
        [Some(0), Some(before), Some(after)]
    });
    let around = steps.map(|step| {
        let mut readings = run.readings.iter();
        readings.find(|reading| Some(reading.step) == step)
    });
    let number = |reading: Option<&Reading>, of: fn(&Reading) -> f64| reading.map_or(f64::NAN, of);
    let columns: [Named; 3] = [
        (DATA, |reading| reading.data.value),
        (OWN, |reading| reading.own.value),
        (LAMBDA, |reading| reading.data.sharpness),
    ];
    for (column, of) in columns {
        let [start, before, after] = around.map(|reading| number(reading, of));
        for (row, value) in [
            (AT_START, start),
            (BEFORE, before),
            (AFTER, after),
            (FIRST_RISE, before - start),
            (RISE, after - before),
        ] {
            found.push(row, column, value);
        }
    }
}

fn draw(run: &Run, found: &mut Measured) {
    let row = row(run.num_layers);
    let line = |of: fn(&Look) -> f64| -> Vec<(f64, f64)> {
        let points = run.looks.iter().map(|look| (look.step as f64, of(look)));
        points.collect()
    };
    let name = format!("Stages of {row}");
    for (line_name, points) in [
        ("loss of bigrams", line(|look| look.bigrams)),
        (GAIN, line(|look| look.gain)),
    ] {
        found.line(&name, "step", "nats", line_name, points);
    }
    let (name, score) = ("Attention of the best heads", "share of the attention");
    for (line_name, points) in [
        (
            "what followed before, last layer",
            line(|look| look.induction),
        ),
        (
            "the position before, first layer",
            line(|look| look.previous),
        ),
    ] {
        let line_name = format!("{row}: {line_name}");
        found.line(name, "step", score, &line_name, points);
    }
    let readings = |of: fn(&Reading) -> f64| -> Vec<(f64, f64)> {
        let readings = run.readings.iter();
        let points = readings.map(|reading| (reading.step as f64, of(reading)));
        points.filter(|(_, value)| value.is_finite()).collect()
    };
    if run.readings.is_empty() {
        return;
    }
    let name = format!("λ̂ of {row}");
    for (line_name, points) in [
        (DATA, readings(|reading| reading.data.value)),
        (OWN, readings(|reading| reading.own.value)),
    ] {
        found.line(&name, "step", "λ̂", line_name, points);
    }
}

/// The readings of a training, with all that was found about them.
fn tell(run: &Run, found: &mut Measured) {
    if run.readings.is_empty() {
        return;
    }
    let readings = run.readings.iter().map(|reading| {
        let (step, data, own) = (reading.step, reading.data.text(), reading.own.text());
        format!("step {step}: {data}; own outputs {own}")
    });
    let readings: Vec<String> = readings.collect();
    let stage = run.stage.map_or(String::new(), |[before, after]| {
        format!(" (its induction stage is from step {before} to {after})")
    });
    found.note(format!(
        "λ̂ of {TWO}, first seed{stage}. {}.",
        readings.join(". ")
    ));
}

/// How many readings stand as they are.
fn tell_findings(runs: &[Run], found: &mut Measured) {
    let readings = || runs.iter().flat_map(|run| &run.readings);
    let total = readings().count();
    if total == 0 {
        return;
    }
    let count = |holds: fn(&Reading) -> bool| readings().filter(|reading| holds(reading)).count();
    found.note(format!(
        "Of {total} readings of λ̂, {} on the data and {} on own outputs are localizer-dominated: half of the localizer \
         changes them by more than 10 % and two standard errors. {} on the data and {} on own outputs are refused.",
        count(|reading| reading.data.is_dominated),
        count(|reading| reading.own.is_dominated),
        count(|reading| reading.data.is_refused),
        count(|reading| reading.own.is_refused)
    ));
}
