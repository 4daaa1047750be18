//! Soups of five networks, and the ensemble of the same ones.

use std::ops::ControlFlow;

use burnscape::align::MultiMatchingConfig;
use burnscape::loss::Risk;
use burnscape::merge::{SoupConfig, average};

use super::data::Data;
use super::networks::{RATE, symmetries, trained, trained_from};
use super::predictions::{best_single, error_correlation};
use super::repetition::{ENSEMBLE, Repetition};
use crate::Failure;
use crate::studies::criteria::merging::{ALIGNED, AVERAGE, GREEDY, ONE_START, OWN_STARTS, SINGLE};
use crate::studies::frame::Plan;
use crate::studies::losses::cross_entropy;
use crate::studies::network::Mlp;
use crate::studies::training::Course;

const WIDTH: usize = 128;
/// Steps to the start that networks have in common.
const START: usize = 100;
/// Steps of each network after it.
const STEPS: usize = 300;
/// Learning rates of the five networks.
const RATES: [f64; 5] = [0.05, 0.06, 0.07, 0.08, 0.1];

pub(super) const ALIGNED_GREEDY: &str = "aligned greedy soup";
/// Networks in a greedy soup.
pub(super) const MEMBERS: &str = "networks in it";
pub(super) const CORRELATION: &str = "correlation of errors";

/// Networks that are fine-tuned from one start.
pub(super) fn from_one_start(plan: &Plan, data: &Data, seed: u64) -> Result<Repetition, Failure> {
    let width = plan.pick(WIDTH, 16);
    let start = Course::cosine(plan.steps(START), RATE);
    let start = trained(&[width], data, seed, start)?;
    let nets = RATES.iter().zip(seed + 1..).map(|(&rate, seed)| {
        let course = Course::cosine(plan.steps(STEPS), rate);
        trained_from(&start, data, seed, course)
    });
    let nets = nets.collect::<Result<Vec<Mlp>, Failure>>()?;
    let mut found = Repetition::of(ONE_START);
    add(&mut found, &nets, data)?;
    Ok(found)
}

/// Networks that are trained from initial weights of their own, for as many steps.
pub(super) fn from_own_starts(plan: &Plan, data: &Data, seed: u64) -> Result<Repetition, Failure> {
    let width = plan.pick(WIDTH, 16);
    let nets = RATES.iter().zip(seed + 1..).map(|(&rate, seed)| {
        let course = Course::cosine(plan.steps(START + STEPS), rate);
        trained(&[width], data, seed, course)
    });
    let nets = nets.collect::<Result<Vec<Mlp>, Failure>>()?;
    let mut found = Repetition::of(OWN_STARTS);
    add(&mut found, &nets, data)?;
    add_aligned(&mut found, &nets, data)?;
    Ok(found)
}

fn add(found: &mut Repetition, nets: &[Mlp], data: &Data) -> Result<(), Failure> {
    let all: Vec<&Mlp> = nets.iter().collect();
    found.score(SINGLE, best_single(nets, data)?, data)?;
    found.score(AVERAGE, &average(&all)?, data)?;
    add_greedy(found, GREEDY, nets, data)?;
    found.score_ensemble(ENSEMBLE, &all, data)?;
    found.push(ENSEMBLE, CORRELATION, error_correlation(nets, data)?);
    Ok(())
}

/// The same networks, permuted towards each other: their ensemble is the same.
fn add_aligned(found: &mut Repetition, nets: &[Mlp], data: &Data) -> Result<(), Failure> {
    let symmetries = symmetries(nets.first().ok_or("no networks")?, data)?;
    let all: Vec<&Mlp> = nets.iter().collect();
    let matching = MultiMatchingConfig::new();
    let aligned = matching.run(&symmetries, &all, |_| ControlFlow::Continue(()))?;
    let all: Vec<&Mlp> = aligned.models.iter().collect();
    found.score(ALIGNED, &average(&all)?, data)?;
    add_greedy(found, ALIGNED_GREEDY, &aligned.models, data)
}

fn add_greedy(
    found: &mut Repetition,
    name: &str,
    nets: &[Mlp],
    data: &Data,
) -> Result<(), Failure> {
    let loss = cross_entropy::<Mlp>;
    let held_out = Risk::new(&loss, std::slice::from_ref(&data.held_out.images));
    // For running statistics, of which these networks have none.
    let train = Risk::new(&loss, &data.batches);
    let load = |index: usize| Ok::<Mlp, Failure>(nets[index].clone());
    let soup = SoupConfig::new().run(nets.len(), load, &held_out, &train)?;
    found.score(name, &soup.model, data)?;
    found.push(name, MEMBERS, soup.included.len() as f64);
    Ok(())
}
