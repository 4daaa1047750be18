//! Lottery tickets on the digits, and their controls.

use std::ops::Range;

use burn::tensor::Device;
use burnscape::loss::{Batch, Risk};
use burnscape::optim::{
    ClosureStep, MaskedOptimizer, TicketLevel, TicketSearch, TicketSearchConfig, WeightMask,
};
use burnscape::path::{CurveProfileConfig, InstabilityConfig};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::table::{heading, indented, meaning};
use super::trained::{accuracy, momentum};
use crate::survey::data::Split;
use crate::survey::models::{Classifier, Mlp};
use crate::survey::settings::{BATCH_SIZE, LEARNING_RATE};
use crate::survey::train::loss;
use crate::{Args, Failure};

/// Ten epochs.
const STEPS: usize = 200;
/// Each level keeps half of the weights.
const FRACTION: f64 = 0.5;
const LEVELS: usize = 6;
const QUICK_LEVELS: usize = 2;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = Device::default().autodiff();
    let split = Split::load(&device)?;
    let steps = args.length(STEPS, 4);
    heading(
        "Lottery tickets",
        &format!(
            "The survey's MLP, {} digits, {steps} steps. Each level trains, prunes the half of the weights that is \
             smallest then, and sets the others back to their initial values. Accuracy on {} other digits, {} \
             seed(s).",
            split.num_train,
            split.num_test,
            args.seeds().len()
        ),
    );
    let initial = |seed: u64| {
        device.seed(seed);
        Mlp::new(&device)
    };
    let train = |model: Mlp, mask: &WeightMask, steps: Range<usize>, order: u64| {
        train_masked(model, mask, steps, order, &split)
    };
    let levels = if args.is_quick() {
        QUICK_LEVELS
    } else {
        LEVELS
    };
    eprintln!("searching for tickets…");
    let scores = Risk::new(&accuracy, std::slice::from_ref(&split.test));
    let found = TicketSearchConfig::new(steps)
        .with_levels(levels)
        .with_fraction(FRACTION)
        .with_seeds(args.seeds())
        .run(&scores, initial, train)?;
    println!("{}", indented(&found.to_string()));
    compare(&found);

    eprintln!("two orders of the data…");
    let loss = loss::<Mlp>;
    let losses = Risk::new(&loss, std::slice::from_ref(&split.train));
    let (mut barriers, mut kept) = (Vec::new(), Vec::new());
    let ends = found.levels.first().into_iter().chain(found.levels.last());
    for level in ends {
        let (Some(mask), Some(rewound)) = (level.masks.first(), found.rewound.first()) else {
            continue;
        };
        let ticket = mask.apply_to(rewound)?;
        let again = |model: Mlp, (): (), steps: Range<usize>, order: u64| {
            train_masked(model, mask, steps, order, &split).map(|model| (model, ()))
        };
        let branches = InstabilityConfig::new(vec![0], steps)
            .with_profile(CurveProfileConfig::new().with_num_points(11))
            .run(&losses, &ticket, (), again)?;
        let profile = branches.profiles.first().ok_or("no profile")?;
        let barrier = profile.barriers().ok_or("no barrier")?;
        barriers.push(format!("{:.3}", barrier.above_mean));
        kept.push(format!("{:.1} %", 100.0 * level.kept_share));
    }
    meaning(&format!(
        "Two orders of the batches, from the same initial weights: the loss on the line between both results rises \
         by {} with {} of the weights. Near 0 the order of the batches does not matter.",
        barriers.join(" and "),
        kept.join(" and ")
    ));
    Ok(())
}

/// The ticket with the fewest weights beside its controls.
fn compare(found: &TicketSearch<Mlp>) {
    let Some(level) = found.levels.last() else {
        return;
    };
    let TicketLevel {
        ticket,
        reinitialized: Some(reinitialized),
        random_mask: Some(random_mask),
        ..
    } = level
    else {
        return;
    };
    let [other, random] = [reinitialized, random_mask].map(|control| {
        let more = ticket.minus(control);
        match more.standard_error {
            Some(error) => format!("{:.1} ± {:.1}", 100.0 * more.value, 100.0 * error),
            None => format!("{:.1}", 100.0 * more.value),
        }
    });
    meaning(&format!(
        "With {:.1} % of the weights the ticket is {other} points better than the same weights from another \
         initialization, and {random} better than as many random weights: which weights stay matters, and what they \
         start from.",
        100.0 * level.kept_share
    ));
}

/// Trains the weights of a mask. The same seed has the same batches at the same step.
fn train_masked(
    mut model: Mlp,
    mask: &WeightMask,
    steps: Range<usize>,
    order: u64,
    split: &Split,
) -> Result<Mlp, Failure> {
    let mut optimizer = MaskedOptimizer::new(momentum(), mask.clone());
    for step in steps {
        let batch = split
            .train
            .select(&examples(step, order, split.num_train))?;
        optimizer.closure_step(LEARNING_RATE, &mut model, |model: &Mlp| {
            loss(model, batch.clone())
        })?;
    }
    Ok(model)
}

/// The examples of a step.
fn examples(step: usize, order: u64, count: usize) -> Vec<usize> {
    let epoch_steps = count.div_ceil(BATCH_SIZE);
    let seed = order
        .wrapping_mul(1000)
        .wrapping_add((step / epoch_steps) as u64);
    let mut examples: Vec<usize> = (0..count).collect();
    examples.shuffle(&mut StdRng::seed_from_u64(seed));
    let batches = examples.chunks(BATCH_SIZE);
    let batch = batches.skip(step % epoch_steps).take(1);
    batch.flatten().copied().collect()
}
