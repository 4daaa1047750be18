//! Federated averaging: clients train on their own digits, and a server averages their networks.

use burnscape::align::WeightMatchingConfig;
use burnscape::loss::Batch;
use burnscape::merge::weighted;
use burnscape::symmetry::Symmetries;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::data::{BATCH_SIZE, Data};
use super::networks::{initial, symmetries, train};
use super::predictions::best_single;
use super::repetition::Repetition;
use crate::Failure;
use crate::studies::criteria::merging::{FEDERATED, LOCAL_STEPS, SINGLE, every};
use crate::studies::digits::{CLASSES, Labeled};
use crate::studies::frame::Plan;
use crate::studies::network::Mlp;
use crate::studies::training::{Course, Draws};

const WIDTH: usize = 64;
const CLIENTS: usize = 5;
/// Of each client in all, however they are divided into rounds.
const STEPS: usize = 200;
/// Without momentum, which a round would forget.
const RATE: f64 = 0.2;

const ONCE: &str = "average once at the end";
pub(super) const TOGETHER: &str = "network trained on all images";

pub(super) fn run(plan: &Plan, data: &Data, seed: u64) -> Result<Repetition, Failure> {
    let (width, steps) = (plan.pick(WIDTH, 16), plan.steps(STEPS));
    let clients = Clients::new(data, width, steps, seed)?;
    let mut found = Repetition::of(FEDERATED);
    let alone = clients.alone(data)?;
    found.score(SINGLE, best_single(&alone, data)?, data)?;
    found.score(ONCE, &clients.mean(&alone)?, data)?;
    let mut all = data.draws(seed);
    let together = train(
        &clients.start,
        data,
        &data.lesson,
        &mut all,
        constant(steps),
    )?;
    found.score(TOGETHER, &together, data)?;

    let rounds = LOCAL_STEPS.into_iter().filter(|local| *local <= steps);
    let rounds: Vec<usize> = rounds.collect();
    let longest = *rounds.last().ok_or("no local steps")?;
    for is_aligned in [false, true] {
        for &local in &rounds {
            let server = clients.federated(data, local, is_aligned, None)?;
            found.score(&every(local, is_aligned, false), &server, data)?;
        }
        let own = own_starts(width, seed)?;
        let server = clients.federated(data, longest, is_aligned, Some(own))?;
        found.score(&every(longest, is_aligned, true), &server, data)?;
    }
    Ok(found)
}

/// The clients of one repetition.
struct Clients {
    start: Mlp,
    symmetries: Symmetries,
    /// The images of each, on the device that differentiates.
    images: Vec<Labeled>,
    /// How many these are.
    counts: Vec<usize>,
    steps: usize,
    seed: u64,
}

impl Clients {
    fn new(data: &Data, width: usize, steps: usize, seed: u64) -> Result<Self, Failure> {
        let start = initial(&[width], seed)?;
        let examples = skewed(data, seed);
        let images = examples.iter().map(|own| data.lesson.select(own));
        Ok(Self {
            symmetries: symmetries(&start, data)?,
            start,
            images: images.collect::<Result<_, _>>()?,
            counts: examples.iter().map(Vec::len).collect(),
            steps,
            seed,
        })
    }

    /// The batches of each client: the same in every run.
    fn draws(&self) -> Vec<Draws> {
        let clients = self.counts.iter().zip(self.seed + 1..);
        clients
            .map(|(&count, seed)| Draws::epochs(count, BATCH_SIZE, seed))
            .collect()
    }

    /// Each client after some steps from a start.
    fn trained(
        &self,
        data: &Data,
        starts: &[Mlp],
        draws: &mut [Draws],
        steps: usize,
    ) -> Result<Vec<Mlp>, Failure> {
        let clients = starts.iter().zip(&self.images).zip(draws);
        clients
            .map(|((start, images), draws)| train(start, data, images, draws, constant(steps)))
            .collect()
    }

    /// Each client without the others.
    fn alone(&self, data: &Data) -> Result<Vec<Mlp>, Failure> {
        let starts = vec![self.start.clone(); CLIENTS];
        self.trained(data, &starts, &mut self.draws(), self.steps)
    }

    /// The server's network after all rounds of `local` steps. With `own`, the first round starts from these networks.
    fn federated(
        &self,
        data: &Data,
        local: usize,
        is_aligned: bool,
        own: Option<Vec<Mlp>>,
    ) -> Result<Mlp, Failure> {
        let mut draws = self.draws();
        let mut server = self.start.clone();
        let mut starts = own.unwrap_or_else(|| vec![server.clone(); CLIENTS]);
        for _ in 0..self.steps / local {
            let mut nets = self.trained(data, &starts, &mut draws, local)?;
            if is_aligned && let Some((first, others)) = nets.split_first_mut() {
                for net in others {
                    let found = WeightMatchingConfig::new().run(&self.symmetries, first, net);
                    *net = found?.model;
                }
            }
            server = self.mean(&nets)?;
            starts = vec![server.clone(); CLIENTS];
        }
        Ok(server)
    }

    /// The mean of networks, weighted by the numbers of images.
    fn mean(&self, nets: &[Mlp]) -> Result<Mlp, Failure> {
        let counts = self.counts.iter().map(|&count| count as f64);
        let pairs: Vec<(&Mlp, f64)> = nets.iter().zip(counts).collect();
        Ok(weighted(&pairs)?)
    }
}

fn constant(steps: usize) -> (Course, f64) {
    (Course::constant(steps, RATE), 0.0)
}

/// Other initial weights for each client.
fn own_starts(width: usize, seed: u64) -> Result<Vec<Mlp>, Failure> {
    let seeds = (seed + 100..).take(CLIENTS);
    seeds.map(|seed| initial(&[width], seed)).collect()
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
