//! Merged networks for handwritten digits: every method beside the plain average and the best single network.

mod data;
mod federated;
mod networks;
mod pair;
mod predictions;
mod repetition;
mod sentences;
mod soups;
mod task_methods;
mod tasks;

use burnscape::krylov::Estimate;

use super::criteria::merging::{ACCURACY, FEDERATED, LOCAL_STEPS, every, judge, row};
use super::frame::{Measured, Plan, Study};
use crate::Failure;
use data::Data;
use repetition::Repetition;
use task_methods::SCALES;

pub(crate) static STUDY: Study = Study {
    name: "merging",
    claim: "Networks can be merged into one that is about as good as the best of them: as they are if they have one \
            start, and after an alignment of their units if they have not; and networks that know some digits each \
            into one that knows more than each.",
    papers: &[
        "Wortsman et al. 2022, arXiv:2203.05482",
        "Ainsworth, Hayase and Srinivasa 2023, arXiv:2209.04836",
        "Jordan et al. 2023, arXiv:2211.08403",
        "Ilharco et al. 2023, arXiv:2212.04089",
        "McMahan et al. 2017, arXiv:1602.05629",
    ],
    ran: "ReLU networks on 1,088 digits, with 192 others to choose by and 517 to test, in the order of the file, so \
          that others have written the tests; SGD with momentum 0.9 and batches of 64 unless said. Two networks \
          64-256-256-256-10 of 400 steps from different seeds, averaged as they are, aligned by weights and by \
          activations, each also repaired (REPAIR). Soups of five networks 64-128-10 with rates from 0.05 to 0.1: \
          from one start of 100 steps, 300 more each, and from starts of their own. A base of 60 steps, and from \
          there three networks of 60 steps on the digits 0 to 3, 4 to 6 and 7 to 9, merged by eleven methods, where \
          they have a scale with the best of eight on held-out images. Five clients whose shares of each digit are \
          drawn from a Dirichlet distribution with parameter ½: 200 steps at rate 0.2 without momentum, averaged \
          every 1, 10 or 100 steps, also aligned, and also from starts of their own. One repetition for each seed; \
          initial weights are normal with a variance of two over the inputs of their layer.",
    would_change: "A difference whose 95 % interval over the seeds (Student's, wider where differences are skewed, of \
                   the differences within each) contains zero or is on the other side.",
    wrong: "That the method at the top is the best one: a dozen were compared on the same test images, and its lead \
            is partly luck. And that alignment helps wherever networks are averaged: clients that begin each round \
            with one network have nothing to align.",
    references: &[],
    run,
    judge,
};

type Part = fn(&Plan, &Data, u64) -> Result<Repetition, Failure>;

const PARTS: [(&str, Part); 5] = [
    ("two networks", pair::run),
    ("a soup from one start", soups::from_one_start),
    ("a soup from own starts", soups::from_own_starts),
    ("three tasks", tasks::run),
    ("federated averaging", federated::run),
];

/// Seeds are far enough apart for seeds between them.
const APART: u64 = 1000;

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let parts = PARTS.iter();
    let jobs: Vec<(&str, Part, u64)> = parts
        .flat_map(|&(name, part)| plan.seeds.iter().map(move |&seed| (name, part, seed)))
        .collect();
    let repetitions = plan.over(&jobs, |&(name, part, seed)| {
        let repetition = part(plan, &Data::load()?, seed.wrapping_mul(APART))?;
        plan.progress(format!("{name}, seed {seed}"));
        Ok(repetition)
    })?;
    for (row, column, value) in repetitions.iter().flat_map(|own| &own.cells) {
        found.push(row.as_str(), *column, *value);
    }
    draw_scales(&repetitions, found);
    draw_steps(found);
    for note in sentences::notes(found) {
        found.note(note);
    }
    Ok(())
}

/// The mean loss on held-out images by scale, for each method that has one.
fn draw_scales(repetitions: &[Repetition], found: &mut Measured) {
    let mut methods: Vec<(&str, Vec<&[f64]>)> = Vec::new();
    for (name, losses) in repetitions.iter().flat_map(|own| &own.by_scale) {
        match methods.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => all.push(losses),
            None => methods.push((*name, vec![losses.as_slice()])),
        }
    }
    for (name, all) in methods {
        let mean = |place: usize| {
            let losses: Vec<f64> = all.iter().map(|losses| losses[place]).collect();
            Estimate::of(&losses).value
        };
        let scales = SCALES.iter().enumerate();
        let points = scales.map(|(place, &scale)| (scale, mean(place))).collect();
        let chart = "loss of merged tasks by scale";
        found.line(chart, "scale", "loss on held-out images", name, points);
    }
}

/// The accuracy of federated averages by local steps.
fn draw_steps(found: &mut Measured) {
    for (series, is_aligned) in [("as they are", false), ("aligned", true)] {
        let points = LOCAL_STEPS.iter().map(|&local| {
            let row = row(FEDERATED, &every(local, is_aligned, false));
            (local as f64, found.mean(&row, ACCURACY))
        });
        let points: Vec<(f64, f64)> = points.collect();
        let chart = "federated accuracy by local steps";
        found.line(chart, "steps between averages", ACCURACY, series, points);
    }
}
