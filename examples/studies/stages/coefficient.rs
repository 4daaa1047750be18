//! The learning coefficient of a linear network that learns one mode after the other, and the stages that it shows.

use std::iter::zip;

use burnscape::posterior::{
    LearningCoefficientConfig, PosteriorConfig, PosteriorError, Stage, Stages, StagesConfig,
};

use crate::Failure;
use crate::coefficients::linear_network::{
    HIDDEN, MODES, OwnMap, RATE, exact_coefficient, initial, step, strength_at, time_of,
};
use crate::studies::criteria::stages::{COEFFICIENT, LAST, OWN_STAGES};
use crate::studies::frame::{Measured, Plan};
use crate::studies::numbers::number;

/// `nβ`. The posterior sees a mode from a strength of `1/√nβ` on: to leave it out then costs half a unit of `nβ L`.
const TEMPERED: usize = 1000;
/// Logarithms of the first time and the last, and how many intervals there are between checkpoints.
const LOG_TIMES: (f64, f64) = (-1.0, 3.0);
const INTERVALS: usize = 40;
/// Of each of four chains.
const BURN_IN: usize = 1500;
const DRAWS: usize = 4500;
/// Six would do: two for each mode.
const MAX_KNOTS: usize = 7;
const REFITS: usize = 200;

/// The coefficient along a training.
#[derive(Default)]
struct Curve {
    times: Vec<f64>,
    values: Vec<f64>,
    errors: Vec<f64>,
    /// Checkpoints without a coefficient.
    num_refused: usize,
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let runs = plan.over_seeds(|seed| {
        let curve = measured(plan, seed)?;
        let stages = stages(&curve, seed, REFITS)?;
        let own = own_stages(stages.as_ref());
        plan.progress(format!("{COEFFICIENT}, seed {seed}: stages of {own} modes"));
        Ok((curve, stages))
    })?;
    let mut num_refused = 0;
    for (index, (curve, stages)) in runs.into_iter().enumerate() {
        num_refused += curve.num_refused;
        let last = curve.values.last().copied().unwrap_or(f64::NAN);
        found.push(COEFFICIENT, OWN_STAGES, own_stages(stages.as_ref()));
        found.push(COEFFICIENT, LAST, last / exact_coefficient(HIDDEN));
        if index == 0 {
            draw(&curve, found);
            if let Some(stages) = &stages {
                found.note(told(stages));
            }
        }
    }
    if num_refused > 0 {
        found.note(format!(
            "{num_refused} readings of the linear network were refused."
        ));
    }
    Ok(())
}

/// Trains the network, and samples around each checkpoint, against its own outputs.
fn measured(plan: &Plan, seed: u64) -> Result<Curve, Failure> {
    let (mut weights, mut done) = (initial(), 0);
    let mut curve = Curve::default();
    let intervals = plan.pick(INTERVALS, 8);
    for index in 0..=intervals {
        let (first, last) = LOG_TIMES;
        let time = (first + (last - first) * index as f64 / intervals as f64).exp();
        let steps = (time / RATE).round() as usize;
        for _ in done..steps {
            step(&mut weights);
        }
        done = steps;
        let posterior = PosteriorConfig::new(TEMPERED)
            .with_inverse_temperature(1.0)
            .with_num_chains(4)
            .with_burn_in(plan.pick(BURN_IN, 40))
            .with_num_draws(plan.pick(DRAWS, 40))
            // Checkpoints and seeds are independent of each other.
            .with_seed(1000 * seed + index as u64);
        let reading = LearningCoefficientConfig::new(posterior)
            .with_localizer_check(false)
            .run_on(&OwnMap::new(&weights))?;
        match reading.coefficient {
            Some(coefficient) => {
                curve.times.push(steps as f64 * RATE);
                curve.values.push(coefficient);
                curve.errors.push(reading.standard_error);
            }
            None => curve.num_refused += 1,
        }
    }
    Ok(curve)
}

/// None if too few readings were accepted.
fn stages(curve: &Curve, seed: u64, refits: usize) -> Result<Option<Stages>, Failure> {
    let config = StagesConfig::new()
        .with_max_knots(MAX_KNOTS)
        .with_num_refits(refits)
        .with_seed(seed);
    match config.run(&curve.times, &curve.values, &curve.errors) {
        Err(PosteriorError::TooFewPoints { .. }) => Ok(None),
        found => Ok(Some(found?)),
    }
}

fn seen_strength() -> f64 {
    (TEMPERED as f64).sqrt().recip()
}

/// How many modes have a rising stage of their own: it holds the time at which the posterior first sees the mode, and
/// that of no other. Knots are exact to a checkpoint at best. Not a number without stages.
fn own_stages(stages: Option<&Stages>) -> f64 {
    let Some(stages) = stages else {
        return f64::NAN;
    };
    let (first, last) = LOG_TIMES;
    let checkpoint = ((last - first) / INTERVALS as f64).exp();
    let holds = |stage: &Stage, mode: f64| {
        let seen = time_of(seen_strength(), mode);
        stage.start <= seen * checkpoint && seen <= stage.end * checkpoint
    };
    let is_own = |stage: &Stage, mode: f64| {
        let held = MODES.into_iter().filter(|mode| holds(stage, *mode));
        holds(stage, mode) && held.count() == 1
    };
    let rising: Vec<&Stage> = stages.stages.iter().filter(|it| rises(it)).collect();
    let modes = MODES.into_iter();
    let modes = modes.filter(|mode| rising.iter().any(|&stage| is_own(stage, *mode)));
    modes.count() as f64
}

fn rises(stage: &Stage) -> bool {
    !stage.is_plateau && stage.slope > 0.0
}

fn draw(curve: &Curve, found: &mut Measured) {
    let (name, x, y) = ("λ̂ of two linear layers", "time", "λ̂");
    let points = zip(&curve.times, &curve.values).map(|(time, value)| (*time, *value));
    found.line(name, x, y, "measured", points.collect());
    let exact = curve.times.iter().map(|&time| {
        let strengths = MODES.map(|mode| strength_at(time, mode));
        let rank = strengths
            .iter()
            .filter(|strength| **strength > seen_strength());
        (time, exact_coefficient(rank.count()))
    });
    let line = "exact in the limit, by the modes that are seen";
    found.line(name, x, y, line, exact.collect());
}

/// What the stages are, in words.
fn told(stages: &Stages) -> String {
    let each = stages.stages.iter().map(|stage| {
        let what = if rises(stage) {
            "rises"
        } else if stage.is_plateau {
            "stays"
        } else {
            "falls"
        };
        let [start, end] = [stage.start, stage.end].map(number);
        format!("{what} from {start} to {end}")
    });
    let each: Vec<String> = each.collect();
    let seen = MODES.map(|mode| number(time_of(seen_strength(), mode)));
    format!(
        "λ̂ of the linear network, first seed, by time: {}. Its posterior sees the modes from {} on.",
        each.join(", "),
        seen.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, and 2 more behind each of these logarithms of a time, within half a unit around it.
    fn curve(logs: &[f64]) -> Curve {
        let places = (0..=INTERVALS).map(|index| -1.0 + 0.1 * index as f64);
        let height = |place: f64| {
            let rises = logs
                .iter()
                .map(|log| (2.0 * (place - log) + 0.5).clamp(0.0, 1.0));
            1.0 + 2.0 * rises.sum::<f64>()
        };
        Curve {
            times: places.clone().map(f64::exp).collect(),
            values: places.map(height).collect(),
            errors: vec![0.1; INTERVALS + 1],
            num_refused: 0,
        }
    }

    #[test]
    fn rises_at_the_modes_are_their_stages() {
        // Seen at the logarithms -0.33, 0.66 and 1.58.
        let found = stages(&curve(&[-0.35, 0.65, 1.55]), 0, 40).unwrap();
        assert_eq!(own_stages(found.as_ref()), 3.0);
        assert!(told(&found.unwrap()).contains("rises from"));
        let found = stages(&curve(&[0.15, 2.45]), 0, 40).unwrap();
        assert_eq!(own_stages(found.as_ref()), 0.0);
        assert!(own_stages(None).is_nan());
        assert!(stages(&Curve::default(), 0, 40).unwrap().is_none());
    }
}
