//! Federated averaging: clients train on their own digits, and a server averages their networks.

use burnscape::align::WeightMatchingConfig;
use burnscape::merge::weighted;
use burnscape::symmetry::Symmetries;
use indicatif::ProgressBar;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::data::{BATCH_SIZE, Data};
use super::network::{CLASSES, Net};
use super::predictions::best_single;
use super::scores::{Score, Scores};
use super::training::{Batches, Plan, bar, train};
use super::verdicts::list;
use crate::training_dynamics::table::{heading, meaning};
use crate::{Args, Failure};

const WIDTH: usize = 64;
const CLIENTS: usize = 5;
/// Of each client in all, however they are divided into rounds.
const STEPS: usize = 200;
/// Steps between two averages.
const LOCAL_STEPS: [usize; 3] = [1, 10, 100];
/// Without momentum, which a round would forget.
const RATE: f64 = 0.2;

const SINGLE: &str = "best single client";
const AVERAGE: &str = "plain average, once at the end";
const TOGETHER: &str = "network trained on all images";

pub(crate) fn run(args: &Args, data: &Data) -> Result<(), Failure> {
    let (width, steps, seeds) = (args.width(WIDTH), args.steps(STEPS), args.seeds());
    heading(
        "Federated averaging",
        &format!(
            "{CLIENTS} clients, each with {steps} steps of a network 64-{width}-10 on images of its own, whose \
             digits are skewed: shares of each digit are drawn from a Dirichlet distribution with parameter ½. After \
             every few steps the networks are averaged, weighted by the numbers of images, and all clients go on from \
             the average. Aligned: each network is first permuted towards the first client's. Seeds: {}. SGD with \
             rate {RATE}, without momentum.",
            seeds.len()
        ),
    );
    let local_steps: Vec<usize> = LOCAL_STEPS
        .into_iter()
        .filter(|local| *local <= steps)
        .collect();
    let kinds = 2 * (local_steps.len() + 1);
    let progress = bar(seeds.len() * (2 + kinds) * steps)?;
    let mut scores = Scores::default();
    for seed in seeds {
        let clients = Clients::new(data, width, steps, seed)?;
        progress.set_message("without averages");
        let alone = clients.alone(data, &progress)?;
        scores.add(SINGLE, Score::of(best_single(&alone, data)?, data));
        let sizes = clients.examples.iter().map(Vec::len);
        let weights: Vec<f64> = sizes.map(|size| size as f64).collect();
        let averaged = mean(&alone, &weights)?;
        scores.add(AVERAGE, Score::of(&averaged, data));
        let mut all = Batches::all(data, seed);
        let together = train(&clients.start, data, &mut all, plan(steps))?;
        progress.inc(steps as u64);
        scores.add(TOGETHER, Score::of(&together, data));

        for (is_aligned, kind) in [(false, ""), (true, ", aligned")] {
            for &local in &local_steps {
                progress.set_message(format!("an average every {local} steps{kind}"));
                let found = clients.federated(data, local, is_aligned, None, &progress)?;
                scores.add(&row(local, kind), Score::of(&found, data));
            }
            let own = own_starts(width, seed)?;
            let local = *local_steps.last().ok_or("no local steps")?;
            let found = clients.federated(data, local, is_aligned, Some(own), &progress)?;
            scores.add(
                &format!("{}, own starts", row(local, kind)),
                Score::of(&found, data),
            );
        }
    }
    progress.finish_and_clear();
    scores.print();
    let pairs = local_steps
        .iter()
        .map(|&local| (row(local, ", aligned"), row(local, "")));
    let pairs: Vec<(String, String)> = pairs.collect();
    let mut sentences = Vec::new();
    if pairs
        .iter()
        .all(|(aligned, plain)| scores.are_equal(aligned, plain))
    {
        sentences.push(
            "Without own starts the alignment changed nothing: clients that begin each round with one network keep \
             their units in the same order."
                .to_string(),
        );
    } else {
        let compared = pairs.iter();
        sentences.extend(compared.map(|(aligned, plain)| scores.compared(aligned, plain)));
    }
    let longest = *local_steps.last().ok_or("no local steps")?;
    let [aligned, plain] =
        [", aligned", ""].map(|kind| format!("{}, own starts", row(longest, kind)));
    sentences.push(scores.compared(&aligned, &plain));
    sentences.push(scores.compared(&row(1, ""), TOGETHER));
    sentences.push(scores.compared(&row(1, ""), SINGLE));
    meaning(
        "Own starts: in the first round each client begins with other initial weights, so that there is something \
         to align.",
    );
    list("Accuracy on test images:", &sentences);
    Ok(())
}

/// The name of a row.
fn row(local: usize, kind: &str) -> String {
    match local {
        1 => format!("average every step{kind}"),
        _ => format!("average every {local} steps{kind}"),
    }
}

/// The clients of one repetition.
struct Clients {
    start: Net,
    symmetries: Symmetries,
    /// The images of each.
    examples: Vec<Vec<usize>>,
    steps: usize,
    seed: u64,
}

impl Clients {
    fn new(data: &Data, width: usize, steps: usize, seed: u64) -> Result<Self, Failure> {
        let start = Net::new(&[width], seed)?;
        Ok(Self {
            symmetries: start.symmetries(data)?,
            start,
            examples: skewed(data, seed),
            steps,
            seed,
        })
    }

    /// The batches of each client: the same in every run.
    fn batches(&self) -> Vec<Batches> {
        let clients = self.examples.iter().zip(self.seed + 1..);
        clients
            .map(|(examples, seed)| Batches::of(examples.clone(), seed))
            .collect()
    }

    /// Each client without the others.
    fn alone(&self, data: &Data, progress: &ProgressBar) -> Result<Vec<Net>, Failure> {
        let mut batches = self.batches();
        let nets = batches.iter_mut().map(|batches| {
            let net = train(&self.start, data, batches, plan(self.steps));
            progress.inc((self.steps / CLIENTS) as u64);
            net
        });
        nets.collect()
    }

    /// The server's network after all rounds of `local` steps. With `own`, the first round starts from these networks.
    fn federated(
        &self,
        data: &Data,
        local: usize,
        is_aligned: bool,
        own: Option<Vec<Net>>,
        progress: &ProgressBar,
    ) -> Result<Net, Failure> {
        let mut batches = self.batches();
        let weights = self.examples.iter().map(|examples| examples.len() as f64);
        let weights: Vec<f64> = weights.collect();
        let mut server = self.start.clone();
        let mut starts = own.unwrap_or_else(|| vec![server.clone(); CLIENTS]);
        for _ in 0..self.steps / local {
            let mut nets: Vec<Net> = Vec::with_capacity(CLIENTS);
            for (start, batches) in starts.iter().zip(&mut batches) {
                let net = train(start, data, batches, plan(local))?;
                let net = match nets.first() {
                    Some(first) if is_aligned => {
                        let found = WeightMatchingConfig::new().run(&self.symmetries, first, &net);
                        found?.model
                    }
                    _ => net,
                };
                nets.push(net);
            }
            server = mean(&nets, &weights)?;
            starts = vec![server.clone(); CLIENTS];
            progress.inc(local as u64);
        }
        Ok(server)
    }
}

fn plan(steps: usize) -> Plan {
    Plan {
        steps,
        rate: RATE,
        falls: false,
        momentum: 0.0,
    }
}

/// Other initial weights for each client.
fn own_starts(width: usize, seed: u64) -> Result<Vec<Net>, Failure> {
    let seeds = (seed + 100..).take(CLIENTS);
    seeds.map(|seed| Net::new(&[width], seed)).collect()
}

fn mean(nets: &[Net], weights: &[f64]) -> Result<Net, Failure> {
    let pairs: Vec<(&Net, f64)> = nets.iter().zip(weights.iter().copied()).collect();
    Ok(weighted(&pairs)?)
}

/// Images for each client: the shares of every digit are squares of normal numbers, divided by their sum, which is the
/// Dirichlet distribution with parameter ½. A client has one batch at least.
fn skewed(data: &Data, seed: u64) -> Vec<Vec<usize>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut examples = vec![Vec::new(); CLIENTS];
    for digit in 0..CLASSES {
        let normal = (0..CLIENTS).map(|_| -> f64 { StandardNormal.sample(&mut rng) });
        let shares: Vec<f64> = normal.map(|x| x * x).collect();
        let total: f64 = shares.iter().sum();
        let images = data.showing(&[digit]);
        let (mut from, mut sum) = (0, 0.0);
        for (client, share) in examples.iter_mut().zip(&shares) {
            sum += share / total;
            let to = (sum * images.len() as f64).round() as usize;
            client.extend(images.iter().copied().take(to).skip(from));
            from = to;
        }
    }
    // Nobody is left without images: the largest client gives some.
    while let Some(poor) = examples.iter().position(|own| own.len() < BATCH_SIZE) {
        let largest = examples.iter().enumerate().max_by_key(|(_, own)| own.len());
        let Some((rich, _)) = largest else { break };
        let kept = examples[rich].len() - BATCH_SIZE;
        let given = examples[rich].split_off(kept);
        examples[poor].extend(given);
    }
    examples
}
