//! Three networks that know some digits each, merged into one that knows all.

use burnscape::loss::Batch;
use burnscape::merge::{Recipe, average};

use super::data::{BATCH_SIZE, Data};
use super::networks::{MOMENTUM, RATE, train, trained};
use super::predictions::{best_single, held_out_loss};
use super::repetition::{ENSEMBLE, Repetition};
use super::task_methods::{Make, Method, SCALES, with_data, without_data};
use crate::Failure;
use crate::studies::criteria::merging::{AVERAGE, SINGLE, TASKS};
use crate::studies::frame::Plan;
use crate::studies::network::Mlp;
use crate::studies::training::{Course, Draws};

const WIDTH: usize = 128;
/// Steps of the base, on all digits.
const BASE: usize = 60;
/// Steps of each network after it, on its own digits.
const STEPS: usize = 60;
/// Their learning rate, less than half of that of the base.
const OWN_RATE: f64 = 0.02;
/// The digits of each network.
const DIGITS: [&[usize]; 3] = [&[0, 1, 2, 3], &[4, 5, 6], &[7, 8, 9]];

pub(super) const START: &str = "base";
pub(super) const SCALE: &str = "chosen scale";

pub(super) fn run(plan: &Plan, data: &Data, seed: u64) -> Result<Repetition, Failure> {
    let width = plan.pick(WIDTH, 16);
    let base = Course::cosine(plan.steps(BASE), RATE);
    let base = trained(&[width], data, seed, base)?;
    let examples: Vec<Vec<usize>> = DIGITS.iter().map(|digits| data.showing(digits)).collect();
    let nets = examples.iter().zip(seed + 1..).map(|(own, seed)| {
        let images = data.lesson.select(own)?;
        let mut draws = Draws::epochs(own.len(), BATCH_SIZE, seed);
        let course = Course::cosine(plan.steps(STEPS), OWN_RATE);
        train(&base, data, &images, &mut draws, (course, MOMENTUM))
    });
    let nets = nets.collect::<Result<Vec<Mlp>, Failure>>()?;

    let mut found = Repetition::of(TASKS);
    let all: Vec<&Mlp> = nets.iter().collect();
    found.score(START, &base, data)?;
    found.score(SINGLE, best_single(&nets, data)?, data)?;
    found.score(AVERAGE, &average(&all)?, data)?;
    let mut methods = without_data();
    methods.extend(with_data(&nets, &examples, data)?);
    for Method { name, recipe } in methods {
        let merged =
            |recipe: &Recipe| -> Result<Mlp, Failure> { Ok(recipe.run(Some(&base), &all)?.model) };
        let best = match recipe {
            Make::Fixed(recipe) => merged(&recipe)?,
            Make::Scaled(make) => {
                let nets = SCALES.iter().map(|&scale| merged(&make(scale)));
                let nets = nets.collect::<Result<Vec<Mlp>, Failure>>()?;
                let losses = nets.iter().map(|net| held_out_loss(net, data));
                let losses = losses.collect::<Result<Vec<f64>, Failure>>()?;
                let places = 0..losses.len();
                let best = places.min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
                let best = best.ok_or("no scales")?;
                found.push(name, SCALE, SCALES[best]);
                found.by_scale.push((name, losses));
                nets[best].clone()
            }
        };
        found.score(name, &best, data)?;
    }
    found.score_ensemble(ENSEMBLE, &all, data)?;
    Ok(found)
}
