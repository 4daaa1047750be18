//! Lottery tickets, and the controls without which they say nothing.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor};
use burnscape::loss::{Batch, Recorded, Risk};
use burnscape::optim::{
    ClosureStep, MaskedOptimizer, TicketSearch, TicketSearchConfig, WeightMask,
};
use burnscape::path::{CurveProfileConfig, InstabilityConfig};

use super::criteria::lottery_ticket::{
    BARRIER, FEW, OTHER, RANDOM, REWOUND, TICKET, judge, lead, row,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS};
use super::frame::{Measured, Plan, Reference, Study};
use super::losses::cross_entropy;
use super::network::{Activation, Mlp, Network};
use super::numbers::with_error;
use super::training::{Course, Draws, heavy_ball};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "lottery-ticket",
    claim: "A network contains a small one, found by magnitude after training, that trains well from its own initial \
            weights: better than from new ones, and much better than one of as many weights in random places.",
    papers: &[
        "Frankle and Carbin 2019, arXiv:1803.03635",
        "Frankle et al. 2020, arXiv:1912.05671",
    ],
    ran: "A ReLU network 64-100-50-10 on 1,280 digits: SGD with momentum 0.9, batches of 64 and a rate of 0.1 that \
          falls along half a cosine, 1,000 steps. Each of 16 levels prunes a fifth of the weights, those that are \
          smallest then in all layers together, and sets the others back to their initial values. Every network of a \
          seed sees the same batches. Controls at each level: new initial weights under the same mask, and random \
          masks with as many weights in each layer. Beside them: tickets that are rewound to step 40, and the barrier \
          of the training loss between two orders of the batches from the same ticket.",
    would_change: "A level with at most 0.05 of the weights at which a ticket is not better than new weights in its \
                   places, or these not better than random places, by three standard errors of the differences within \
                   seeds.",
    wrong: "That pruned networks need their own initial weights: with a sixth of the weights left, new ones do as \
            well. And that tickets save training: each is found by training the larger network first.",
    references: &[
        // Printed with ± 0.0009, whose variance divides by the number of seeds instead of one less.
        Reference::new("1.000 of the weights", TICKET, 0.9834, 0.001),
        Reference::new("0.168 of the weights", TICKET, 0.98, 0.001),
        Reference::new("0.168 of the weights", OTHER, 0.98, 0.002),
        Reference::new("0.168 of the weights", RANDOM, 0.973, 0.002),
        Reference::new("0.069 of the weights", TICKET, 0.976, 0.002),
        Reference::new("0.069 of the weights", OTHER, 0.965, 0.004),
        Reference::new("0.069 of the weights", RANDOM, 0.944, 0.008),
        Reference::new("0.044 of the weights", TICKET, 0.973, 0.002),
        Reference::new("0.044 of the weights", OTHER, 0.952, 0.003),
        Reference::new("0.044 of the weights", RANDOM, 0.77, 0.028),
        Reference::new("0.028 of the weights", TICKET, 0.971, 0.003),
        Reference::new("0.028 of the weights", OTHER, 0.931, 0.004),
        Reference::new("0.028 of the weights", RANDOM, 0.487, 0.05),
    ],
    run,
    judge,
};

const SIZES: [usize; 4] = [PIXELS, 100, 50, CLASSES];
const STEPS: usize = 1000;
const BATCH: usize = 64;
const RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const LEVELS: usize = 16;
/// The step to which weights are rewound in the second search.
const REWIND: usize = 40;
/// Points on the line between two orders of the batches.
const POINTS: usize = 11;
/// A share of the weights at which new ones should do as well.
const MANY: f64 = 0.168;

/// A share of the weights, a column, and a number.
type Found = (f64, &'static str, f64);

/// The parts of a repetition, which have threads of their own.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Tickets from the initial weights, with controls.
    Initial,
    /// Tickets from a later step.
    Rewound,
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let seeds = plan.seeds.iter();
    let jobs: Vec<(Part, u64)> = seeds
        .flat_map(|&seed| [(Part::Initial, seed), (Part::Rewound, seed)])
        .collect();
    let levels = plan.pick(LEVELS, 2);
    let parts = plan.over(&jobs, |&(part, seed)| {
        let bench = Bench::new(plan, &digits);
        let found = match part {
            Part::Initial => bench.tickets(levels, seed)?,
            Part::Rewound => bench.later_tickets(levels, plan.steps(REWIND), seed)?,
        };
        plan.progress(format!("{part:?}, seed {seed}"));
        Ok(found)
    })?;
    for (share, column, value) in parts.iter().flatten() {
        found.push(row(*share), *column, *value);
    }
    let first = parts.first().into_iter().flatten();
    let tickets = first.filter(|(_, column, _)| *column == TICKET);
    let shares: Vec<f64> = tickets.map(|(share, ..)| *share).collect();
    for column in [TICKET, OTHER, RANDOM, REWOUND] {
        let means = shares.iter();
        let means = means.map(|&share| (share, found.mean(&row(share), column)));
        let points = means.filter(|(_, mean)| mean.is_finite()).collect();
        let chart = "accuracy by share of the weights";
        found.line(chart, "share of weights", "test accuracy", column, points);
    }
    note(found);
    Ok(())
}

/// What is not part of the criterion.
fn note(found: &mut Measured) {
    let of = |share: f64, pair: [&str; 2]| {
        let gap = lead(found, &row(share), pair);
        with_error(gap.value, gap.standard_error)
    };
    let many = of(MANY, [TICKET, OTHER]);
    let later = of(FEW[FEW.len() - 1], [REWOUND, TICKET]);
    found.note(format!(
        "No part of the criterion: with {MANY} of the weights a ticket is more accurate than new weights in its places \
         by {many}; with {} of them one that is rewound to step {REWIND} is more accurate than one from step 0 by \
         {later}.",
        FEW[FEW.len() - 1]
    ));
}

/// The fraction of images whose digit has the largest output.
fn accuracy(net: &Mlp, (images, labels): Labeled) -> Tensor<1> {
    let guesses = net.forward(images).argmax(1).flatten::<1>(0, 1);
    guesses.equal(labels).float().mean()
}

type Loss = fn(&Mlp, Labeled) -> Tensor<1>;

/// The data, the loss and the schedule of one thread.
struct Bench {
    train: Labeled,
    test: Labeled,
    loss: Recorded<Loss>,
    course: Course,
}

impl Bench {
    fn new(plan: &Plan, digits: &Digits) -> Self {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        Self {
            train: digits.train(place),
            test: digits.test(place),
            loss: Recorded::new(cross_entropy::<Mlp> as Loss),
            course: Course::cosine(plan.steps(STEPS), RATE),
        }
    }

    /// Tickets from step 0 beside their controls, and the barriers between two orders of the batches.
    fn tickets(&self, levels: usize, seed: u64) -> Result<Vec<Found>, Failure> {
        let config = TicketSearchConfig::new(self.course.steps).with_levels(levels);
        let search = self.searched(config, seed)?;
        let mut found = Vec::new();
        for level in &search.levels {
            let share = level.kept_share;
            found.push((share, TICKET, level.ticket.mean));
            let controls = [(OTHER, &level.reinitialized), (RANDOM, &level.random_mask)];
            for (column, scores) in controls {
                let score = scores.as_ref().map(|scores| (share, column, scores.mean));
                found.extend(score);
            }
        }
        for index in [0, levels / 2, levels] {
            let level = search.levels.get(index).ok_or("a level is missing")?;
            let pair = level.masks.first().zip(search.rewound.first());
            let (mask, start) = pair.ok_or("a search without a seed")?;
            let barrier = self.between_orders(&mask.apply_to(start)?, mask, seed)?;
            found.push((level.kept_share, BARRIER, barrier));
        }
        Ok(found)
    }

    /// Tickets from a later step, without controls.
    fn later_tickets(&self, levels: usize, step: usize, seed: u64) -> Result<Vec<Found>, Failure> {
        let config = TicketSearchConfig::new(self.course.steps)
            .with_levels(levels)
            .with_rewind(step)
            .with_reinitialized(false)
            .with_random_mask(false)
            .with_from_initialization(false);
        let search = self.searched(config, seed)?;
        let levels = search.levels.iter();
        Ok(levels
            .map(|level| (level.kept_share, REWOUND, level.ticket.mean))
            .collect())
    }

    fn searched(
        &self,
        config: TicketSearchConfig,
        seed: u64,
    ) -> Result<TicketSearch<Mlp>, Failure> {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let network = |seed| Mlp::new(&SIZES, Activation::Relu, seed, place);
        let first = network(seed)?;
        // The search refuses to have the first network twice, so that a failure does not pass.
        let initial = |seed| network(seed).unwrap_or_else(|_| first.clone());
        let train = |model: Mlp, mask: &WeightMask, steps: Range<usize>, order: u64| {
            self.trained(model, mask, steps, order)
        };
        let scores = Risk::new(&accuracy, std::slice::from_ref(&self.test));
        let config = config.with_seeds(vec![seed]);
        Ok(config.run(&scores, initial, train)?)
    }

    /// Trains the weights of a mask. With the same seed every step has the same batch, wherever a run begins.
    fn trained(
        &self,
        mut model: Mlp,
        mask: &WeightMask,
        steps: Range<usize>,
        order: u64,
    ) -> Result<Mlp, Failure> {
        let mut sgd = MaskedOptimizer::new(heavy_ball(MOMENTUM).init(), mask.clone());
        let mut draws = Draws::distinct(NUM_TRAIN, BATCH, order);
        for step in 0..steps.end {
            let examples = draws.draw();
            if step < steps.start {
                continue;
            }
            let batch = self.train.select(&examples)?;
            sgd.closure_step(self.course.rate_at(step), &mut model, |model: &Mlp| {
                self.loss.loss_on(model, batch.clone())
            })?;
        }
        Ok(model)
    }

    /// The barrier of the training loss between the ends of two trainings of one ticket.
    fn between_orders(&self, ticket: &Mlp, mask: &WeightMask, seed: u64) -> Result<f64, Failure> {
        let objective = cross_entropy::<Mlp>;
        let losses = Risk::new(&objective, std::slice::from_ref(&self.train));
        let again = |model: Mlp, (): (), steps: Range<usize>, order: u64| {
            let trained = self.trained(model, mask, steps, order);
            trained.map(|model| (model, ()))
        };
        let branches = InstabilityConfig::new(vec![0], self.course.steps)
            .with_orders([seed, seed, !seed])
            .with_profile(CurveProfileConfig::new().with_num_points(POINTS))
            .run(&losses, ticket, (), again)?;
        let profile = branches.profiles.first().ok_or("no profile")?;
        Ok(profile.barriers().ok_or("no barrier")?.above_line)
    }
}
