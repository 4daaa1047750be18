//! Two networks from different seeds, and what lies between them.

use burnscape::align::{ActivationMatchingConfig, WeightMatchingConfig};
use burnscape::merge::{RepairConfig, average};

use super::data::Data;
use super::networks::{RATE, outputs, symmetries, trained};
use super::predictions::best_single;
use super::repetition::{ENSEMBLE, Repetition};
use crate::Failure;
use crate::studies::criteria::merging::{AVERAGE, BY_WEIGHTS, PAIR, SINGLE, repaired};
use crate::studies::frame::Plan;
use crate::studies::training::Course;

const WIDTH: usize = 256;
const STEPS: usize = 400;

pub(super) const BY_ACTIVATIONS: &str = "average, aligned by activations";

pub(super) fn run(plan: &Plan, data: &Data, seed: u64) -> Result<Repetition, Failure> {
    let widths = [plan.pick(WIDTH, 16); 3];
    let course = Course::cosine(plan.steps(STEPS), RATE);
    let a = trained(&widths, data, seed, course)?;
    let b = trained(&widths, data, seed + 1, course)?;
    let symmetries = symmetries(&a, data)?;
    let by_weights = WeightMatchingConfig::new().run(&symmetries, &a, &b)?;
    let by_activations = ActivationMatchingConfig::new();
    let by_activations = by_activations.run(&symmetries, &outputs, &data.batches, &a, &b)?;

    let mut found = Repetition::of(PAIR);
    let both = [a.clone(), b.clone()];
    found.score(SINGLE, best_single(&both, data)?, data)?;
    for (name, b) in [
        (AVERAGE, &b),
        (BY_WEIGHTS, &by_weights.model),
        (BY_ACTIVATIONS, &by_activations.model),
    ] {
        let merged = average(&[&a, b])?;
        found.score(name, &merged, data)?;
        let repair = RepairConfig::new();
        let again = repair.run(&outputs, &data.batches, &a, b, &merged, 0.5)?;
        found.score(&repaired(name), &again.model, data)?;
    }
    found.score_ensemble(ENSEMBLE, &[&a, &b], data)?;
    Ok(found)
}
