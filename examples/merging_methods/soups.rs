//! Soups of several networks, and the ensemble of the same ones.

use std::ops::ControlFlow;

use burnscape::align::MultiMatchingConfig;
use burnscape::loss::Risk;
use burnscape::merge::{SoupConfig, average};
use indicatif::ProgressBar;

use super::data::Data;
use super::network::{Net, loss};
use super::predictions::{best_single, error_correlation};
use super::scores::{Score, Scores};
use super::training::{Batches, Plan, bar, train, trained};
use super::verdicts::list;
use crate::training_dynamics::table::{heading, meaning, table, with_error};
use crate::{Args, Failure};

const WIDTH: usize = 128;
/// Steps to the start that networks have in common.
const START: usize = 100;
/// Steps of each network after it, or from a start of its own.
const STEPS: usize = 300;
/// Learning rates of the five networks.
const RATES: [f64; 5] = [0.05, 0.06, 0.07, 0.08, 0.1];

const SINGLE: &str = "best single network";
const AVERAGE: &str = "plain average (uniform soup)";
const GREEDY: &str = "greedy soup";
const ENSEMBLE: &str = "ensemble";
const ALIGNED: &str = "aligned average";
const ALIGNED_GREEDY: &str = "aligned greedy soup";

pub(crate) fn run(args: &Args, data: &Data) -> Result<(), Failure> {
    let width = args.width(WIDTH);
    let (start_steps, steps, seeds) = (args.steps(START), args.steps(STEPS), args.seeds());
    heading(
        "Soups",
        &format!(
            "Five networks 64-{width}-10, with learning rates from {} to {} and other orders of the data; \
             seeds: {}. From one start: fine-tuned for {steps} steps from a network that was trained for \
             {start_steps}. From different starts: each trained for {} steps from initial weights of its own. A greedy \
             soup takes networks, the best first, as long as the loss on held-out images gets no worse.",
            RATES[0],
            RATES[4],
            seeds.len(),
            start_steps + steps,
        ),
    );
    let progress = bar(2 * RATES.len() * seeds.len())?;
    let [mut one_start, mut different] = [(); 2].map(|()| Soups::default());
    for seed in seeds {
        progress.set_message(format!("from one start, seed {seed}"));
        let start = trained(&[width], seed, data, start_steps)?;
        let nets = RATES
            .iter()
            .zip(seed + 1..)
            .map(|(&rate, seed)| -> Result<Net, Failure> {
                let plan = Plan {
                    rate,
                    ..Plan::new(steps)
                };
                progress.inc(1);
                train(&start, data, &mut Batches::all(data, seed), plan)
            });
        one_start.add(&nets.collect::<Result<Vec<Net>, Failure>>()?, data)?;

        progress.set_message(format!("from different starts, seed {seed}"));
        let nets = RATES
            .iter()
            .zip(seed + 1..)
            .map(|(&rate, seed)| -> Result<Net, Failure> {
                let plan = Plan {
                    rate,
                    ..Plan::new(start_steps + steps)
                };
                progress.inc(1);
                let start = Net::new(&[width], seed)?;
                train(&start, data, &mut Batches::all(data, seed), plan)
            });
        let nets = nets.collect::<Result<Vec<Net>, Failure>>()?;
        different.add(&nets, data)?;
        different.add_aligned(&nets, data, &progress)?;
    }
    progress.finish_and_clear();

    println!("  From one start\n");
    one_start.scores.print();
    println!("  From different starts\n");
    different.scores.print();
    let row = |name: &str, soups: &Soups| {
        vec![
            name.to_string(),
            with_error(&soups.correlations, 3),
            with_error(&soups.sizes, 1),
        ]
    };
    let rows = [
        row("from one start", &one_start),
        row("from different starts", &different),
    ];
    table(
        &["five networks", "error correlation", "in the greedy soup"],
        &rows,
    );
    let [alike, unlike] = [&one_start, &different].map(Soups::mean_correlation);
    let relation = if alike > unlike {
        "more alike, so that there is less to gain from an ensemble of them"
    } else {
        "not more alike"
    };
    meaning(&format!(
        "Error correlation: of being wrong on a test image, the mean over pairs of networks. The errors of networks \
         from one start are {relation} ({alike:.2} beside {unlike:.2})."
    ));
    let mut sentences = vec![
        one_start.scores.compared(AVERAGE, SINGLE),
        one_start.scores.compared(GREEDY, SINGLE),
        one_start.scores.compared(ENSEMBLE, AVERAGE),
    ];
    sentences.extend(alone(GREEDY, &one_start.sizes));
    list("From one start, accuracy on test images:", &sentences);
    let mut sentences = vec![
        different.scores.compared(AVERAGE, SINGLE),
        different.scores.compared(ALIGNED, AVERAGE),
        different.scores.compared(ALIGNED, SINGLE),
        different.scores.compared(ENSEMBLE, ALIGNED),
    ];
    sentences.extend(alone(GREEDY, &different.sizes));
    sentences.extend(alone(ALIGNED_GREEDY, &different.aligned_sizes));
    list(
        "From different starts, accuracy on test images:",
        &sentences,
    );
    Ok(())
}

/// A sentence about greedy soups of one network.
fn alone(name: &str, sizes: &[f64]) -> Option<String> {
    let times = sizes.iter().filter(|size| **size == 1.0).count();
    let count = sizes.len();
    (times > 0).then(|| {
        format!("The {name} kept the best network alone in {times} of {count} repetitions.")
    })
}

/// What is known of five networks, over repetitions.
#[derive(Default)]
struct Soups {
    scores: Scores,
    correlations: Vec<f64>,
    /// Networks in the greedy soup.
    sizes: Vec<f64>,
    /// Networks in the greedy soup of aligned networks.
    aligned_sizes: Vec<f64>,
}

impl Soups {
    fn add(&mut self, nets: &[Net], data: &Data) -> Result<(), Failure> {
        let all: Vec<&Net> = nets.iter().collect();
        self.scores
            .add(SINGLE, Score::of(best_single(nets, data)?, data));
        self.scores.add(AVERAGE, Score::of(&average(&all)?, data));
        let (greedy, size) = greedy(nets, data)?;
        self.scores.add(GREEDY, Score::of(&greedy, data));
        self.scores.add(ENSEMBLE, Score::of_ensemble(&all, data));
        self.correlations.push(error_correlation(nets, data));
        self.sizes.push(size as f64);
        Ok(())
    }

    /// The same networks, permuted towards each other: their ensemble is the same.
    fn add_aligned(
        &mut self,
        nets: &[Net],
        data: &Data,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        let symmetries = nets.first().ok_or("no networks")?.symmetries(data)?;
        let all: Vec<&Net> = nets.iter().collect();
        let aligned = MultiMatchingConfig::new().run(&symmetries, &all, |_| {
            progress.tick();
            ControlFlow::Continue(())
        })?;
        let all: Vec<&Net> = aligned.models.iter().collect();
        self.scores.add(ALIGNED, Score::of(&average(&all)?, data));
        let (greedy, size) = greedy(&aligned.models, data)?;
        self.scores.add(ALIGNED_GREEDY, Score::of(&greedy, data));
        self.aligned_sizes.push(size as f64);
        Ok(())
    }

    fn mean_correlation(&self) -> f64 {
        self.correlations.iter().sum::<f64>() / self.correlations.len() as f64
    }
}

/// The greedy soup, and how many networks are in it.
fn greedy(nets: &[Net], data: &Data) -> Result<(Net, usize), Failure> {
    let held_out = Risk::new(&loss, std::slice::from_ref(&data.held_out.digits));
    // For running statistics, of which these networks have none.
    let train = Risk::new(&loss, &data.batches);
    let load = |index: usize| Ok::<Net, Failure>(nets[index].clone());
    let soup = SoupConfig::new().run(nets.len(), load, &held_out, &train)?;
    Ok((soup.model, soup.included.len()))
}
