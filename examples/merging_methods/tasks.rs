//! Three networks that know some digits each, merged into one that knows all.

use burnscape::krylov::Estimate;
use burnscape::merge::{Recipe, average};
use indicatif::ProgressBar;

use super::data::Data;
use super::network::Net;
use super::predictions::{best_single, held_out_loss};
use super::scores::{Score, Scores};
use super::task_methods::{MODEL_STOCK, Make, Method, SCALES, USES_DATA, with_data, without_data};
use super::training::{Batches, Plan, bar, train, trained};
use super::verdicts::{capitalized, list};
use crate::training_dynamics::table::{heading, meaning, table};
use crate::{Args, Failure};

const WIDTH: usize = 128;
/// Steps of the base, on all digits.
const BASE: usize = 60;
/// Steps of each network after it, on its own digits.
const STEPS: usize = 60;
/// Their learning rate, less than half of that of the base.
const RATE: f64 = 0.02;
/// The digits of each network.
const TASKS: [&[usize]; 3] = [&[0, 1, 2, 3], &[4, 5, 6], &[7, 8, 9]];

const START: &str = "base";
const SINGLE: &str = "best single network";
const AVERAGE: &str = "plain average";
const ENSEMBLE: &str = "ensemble";
const ARITHMETIC: &str = "task arithmetic";

pub(crate) fn run(args: &Args, data: &Data) -> Result<(), Failure> {
    let (width, steps, seeds) = (args.width(WIDTH), args.steps(STEPS), args.seeds());
    let base_steps = args.steps(BASE);
    heading(
        "Three tasks",
        &format!(
            "A network 64-{width}-10 is trained on all digits for {base_steps} steps: the base. From there three \
             networks are trained for {steps} steps with rate {RATE}, on the digits 0 to 3, 4 to 6, and 7 to 9, and \
             forget the others. Merged, they should know all. Losses and accuracies are over all digits; seeds: \
             {}. A scale, where a method has one, is the best of {} on held-out images of all digits, by \
             the loss.",
            seeds.len(),
            SCALES.map(|scale| format!("{scale:.2}")).join(", "),
        ),
    );
    let progress = bar((TASKS.len() + without_data().len() + 2) * seeds.len())?;
    let mut found = Found::default();
    for seed in seeds {
        progress.set_message(format!("training, seed {seed}"));
        let base = trained(&[width], seed, data, base_steps)?;
        let examples: Vec<Vec<usize>> = TASKS.iter().map(|digits| data.showing(digits)).collect();
        let nets = examples.iter().zip(seed + 1..).map(|(own, seed)| {
            progress.inc(1);
            let mut batches = Batches::of(own.clone(), seed);
            let plan = Plan {
                rate: RATE,
                ..Plan::new(steps)
            };
            train(&base, data, &mut batches, plan)
        });
        let nets = nets.collect::<Result<Vec<Net>, Failure>>()?;
        found.add(&base, &nets, &examples, data, &progress)?;
    }
    progress.finish_and_clear();
    found.print();
    Ok(())
}

/// What every method makes of the networks, over repetitions.
#[derive(Default)]
struct Found {
    scores: Scores,
    scales: Vec<Scaled>,
}

/// A method with a scale, over repetitions.
struct Scaled {
    name: &'static str,
    /// Its losses on the held-out images by scale.
    losses: [Vec<f64>; SCALES.len()],
    /// The scales that were chosen.
    chosen: Vec<f64>,
}

impl Scaled {
    /// How often a scale was chosen.
    fn times(&self, scale: f64) -> usize {
        self.chosen
            .iter()
            .filter(|chosen| **chosen == scale)
            .count()
    }

    /// Sentences about choices of the smallest and the largest scale: a better one may lie beyond it.
    fn at_the_ends(&self) -> Vec<String> {
        let ends = [
            (SCALES[0], "smallest", "smaller"),
            (SCALES[SCALES.len() - 1], "largest", "larger"),
        ];
        let sentences = ends.into_iter().filter_map(|(scale, which, beyond)| {
            let (name, times, count) = (self.name, self.times(scale), self.chosen.len());
            (times > 0).then(|| {
                format!(
                    "{} chose the {which} scale in {times} of {count} repetitions: the best one may be {beyond}.",
                    capitalized(name)
                )
            })
        });
        sentences.collect()
    }
}

impl Found {
    fn add(
        &mut self,
        base: &Net,
        nets: &[Net],
        examples: &[Vec<usize>],
        data: &Data,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        let all: Vec<&Net> = nets.iter().collect();
        self.scores.add(START, Score::of(base, data));
        self.scores
            .add(SINGLE, Score::of(best_single(nets, data)?, data));
        self.scores.add(AVERAGE, Score::of(&average(&all)?, data));
        progress.set_message("statistics of the networks");
        let mut methods = without_data();
        methods.extend(with_data(nets, examples, data)?);
        for Method { name, recipe } in methods {
            progress.set_message(name);
            let merged = |recipe: &Recipe| -> Result<Net, Failure> {
                Ok(recipe.run(Some(base), &all)?.model)
            };
            let best = match recipe {
                Make::Fixed(recipe) => merged(&recipe)?,
                Make::Scaled(make) => {
                    let nets = SCALES.iter().map(|&scale| merged(&make(scale)));
                    let nets = nets.collect::<Result<Vec<Net>, Failure>>()?;
                    self.add_scales(name, &nets, data)?
                }
            };
            self.scores.add(name, Score::of(&best, data));
            progress.inc(1);
        }
        self.scores.add(ENSEMBLE, Score::of_ensemble(&all, data));
        Ok(())
    }

    /// The best of the networks of all scales.
    fn add_scales(
        &mut self,
        name: &'static str,
        nets: &[Net],
        data: &Data,
    ) -> Result<Net, Failure> {
        let losses: Vec<f64> = nets.iter().map(|net| held_out_loss(net, data)).collect();
        let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
        let best = best.ok_or("no scales")?;
        let known = self.scales.iter().position(|known| known.name == name);
        let row = known.unwrap_or_else(|| {
            self.scales.push(Scaled {
                name,
                losses: Default::default(),
                chosen: Vec::new(),
            });
            self.scales.len() - 1
        });
        let row = &mut self.scales[row];
        for (known, loss) in row.losses.iter_mut().zip(losses) {
            known.push(loss);
        }
        row.chosen.push(SCALES[best]);
        Ok(nets[best].clone())
    }

    fn print(&self) {
        self.scores.print();
        println!("  Mean loss on held-out images by scale, and how often each scale was chosen\n");
        let mut headings = vec![String::new()];
        headings.extend(SCALES.map(|scale| format!("{scale:.2}")));
        headings.push("chosen".to_string());
        let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
        let rows = self.scales.iter().map(|method| {
            let mut row = vec![method.name.to_string()];
            let means = method
                .losses
                .iter()
                .map(|losses| Estimate::of(losses).value);
            row.extend(means.map(|mean| format!("{mean:.2}")));
            let counts = SCALES.map(|scale| (scale, method.times(scale)));
            let chosen = counts.iter().filter(|(_, times)| *times > 0);
            let chosen = chosen.map(|(scale, times)| format!("{times} × {scale:.2}"));
            row.push(chosen.collect::<Vec<_>>().join(", "));
            row
        });
        table(&headings, &rows.collect::<Vec<_>>());

        meaning(
            "At a scale of ⅓ task arithmetic is the plain average. DARE, DELLA and breadcrumbs are sums here as well. \
             Fisher and RegMean use statistics of each network on images of its own digits.",
        );
        list("Accuracy on test images:", &self.verdicts());
    }

    fn verdicts(&self) -> Vec<String> {
        let scores = &self.scores;
        let is_method = |name: &str| ![START, SINGLE, AVERAGE, ENSEMBLE].contains(&name);
        let best = [
            scores.best(|name| is_method(name) && !name.ends_with(USES_DATA)),
            scores.best(is_method),
        ];
        let mut best: Vec<&str> = best.into_iter().flatten().collect();
        best.dedup();
        let mut sentences = vec![
            scores.compared(AVERAGE, SINGLE),
            scores.compared(AVERAGE, START),
            scores.compared(ARITHMETIC, AVERAGE),
        ];
        let is_torn = scores.loss(ARITHMETIC) < scores.loss(AVERAGE)
            && scores.accuracy(ARITHMETIC) < scores.accuracy(AVERAGE);
        if is_torn {
            sentences.push(
                "Task arithmetic has a lower test loss than the plain average: its scale was chosen by the loss, not \
                 by the accuracy."
                    .to_string(),
            );
        }
        let others = best.iter().filter(|name| **name != ARITHMETIC);
        sentences.extend(others.map(|name| scores.compared(name, AVERAGE)));
        sentences.push(
            "The best of all methods and the best of those without data were found on the test images: their lead is \
             partly luck."
                .to_string(),
        );
        if scores.accuracy(ENSEMBLE) < scores.accuracy(AVERAGE) {
            sentences.push(
                "The ensemble is less accurate than the plain average: each network is sure that every image shows one \
                 of its own digits, and the mean of the probabilities cannot tell which network is right."
                    .to_string(),
            );
        }
        if scores.are_equal(MODEL_STOCK, START) {
            sentences.push(
                "Model stock is the base: the differences of networks with disjoint digits are at right angles or \
                 wider on average, so that its t is 0, and nothing of them is added."
                    .to_string(),
            );
        }
        sentences.extend(self.scales.iter().flat_map(Scaled::at_the_ends));
        sentences
    }
}
