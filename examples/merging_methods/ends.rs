//! Two networks from different seeds, and what lies between them.

use burnscape::align::{ActivationMatchingConfig, WeightMatchingConfig};
use burnscape::merge::{RepairConfig, average};

use super::data::Data;
use super::network::{Net, logits};
use super::predictions::best_single;
use super::scores::{Score, Scores};
use super::training::{bar, trained};
use super::verdicts::list;
use crate::training_dynamics::table::heading;
use crate::{Args, Failure};

const WIDTH: usize = 256;
const STEPS: usize = 400;

const SINGLE: &str = "best single network";
const AVERAGE: &str = "plain average";

pub(crate) fn run(args: &Args, data: &Data) -> Result<(), Failure> {
    let widths = [args.width(WIDTH); 3];
    let (steps, seeds) = (args.steps(STEPS), args.seeds());
    let [width, ..] = widths;
    heading(
        "Two networks from different seeds",
        &format!(
            "Pairs of networks 64-{width}-{width}-{width}-10, {steps} steps each; pairs: {}. A repair gives the units of the \
             average the means and deviations that they have in both networks; without an alignment it is a control.",
            seeds.len()
        ),
    );
    let progress = bar(4 * seeds.len())?;
    let mut scores = Scores::default();
    for seed in seeds {
        progress.set_message(format!("training two networks, seed {seed}"));
        let a = trained(&widths, seed, data, steps)?;
        progress.inc(1);
        let b = trained(&widths, seed.wrapping_add(1), data, steps)?;
        progress.inc(1);
        progress.set_message("aligning");
        let symmetries = a.symmetries(data)?;
        let by_weights = WeightMatchingConfig::new().run(&symmetries, &a, &b)?;
        let by_activations =
            ActivationMatchingConfig::new().run(&symmetries, &logits, &data.batches, &a, &b)?;
        progress.inc(1);

        progress.set_message("averaging and repairing");
        let both = [a.clone(), b.clone()];
        scores.add(SINGLE, Score::of(best_single(&both, data)?, data));
        for (name, b) in [
            (AVERAGE, &b),
            ("average, aligned by weights", &by_weights.model),
            ("average, aligned by activations", &by_activations.model),
        ] {
            let (merged, repaired) = merged(&a, b, data)?;
            scores.add(name, Score::of(&merged, data));
            scores.add(&format!("{name}, repaired"), Score::of(&repaired, data));
        }
        scores.add("ensemble of both", Score::of_ensemble(&[&a, &b], data));
        progress.inc(1);
    }
    progress.finish_and_clear();
    scores.print();
    let best = scores.best(|name| name.contains("aligned"));
    let best = best.ok_or("no scores")?;
    list(
        "Accuracy on test images:",
        &[
            scores.compared(AVERAGE, SINGLE),
            scores.compared(&format!("{AVERAGE}, repaired"), AVERAGE),
            scores.compared(best, AVERAGE),
            scores.compared(best, SINGLE),
            "The best of the four aligned averages was found on the test images, so that its lead over the others is \
             partly luck."
                .to_string(),
        ],
    );
    Ok(())
}

/// The average of two networks, and what a repair makes of it.
fn merged(a: &Net, b: &Net, data: &Data) -> Result<(Net, Net), Failure> {
    let merged = average(&[a, b])?;
    let repaired = RepairConfig::new().run(&logits, &data.batches, a, b, &merged, 0.5)?;
    Ok((merged, repaired.model))
}
