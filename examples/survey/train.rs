//! The training loop: one for all optimizers.

use std::error::Error;
use std::time::Instant;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::tensor::Tensor;
use burnscape::loss::Batch;
use burnscape::optim::ClosureStep;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::data::Digits;
use super::models::Classifier;
use super::settings::{BATCH_SIZE, LEARNING_RATE};

/// What to train on, for how long.
pub(crate) struct Course<'a> {
    pub(crate) digits: &'a Digits,
    pub(crate) num_examples: usize,
    pub(crate) epochs: usize,
    /// Decides the order of the batches.
    pub(crate) seed: u64,
}

/// A trained network, and what its training took.
pub(crate) struct Trained<M> {
    pub(crate) model: M,
    /// Mean loss of each epoch, at the weights before each step.
    pub(crate) losses: Vec<f64>,
    pub(crate) steps: usize,
    /// Steps left out because a number was not finite.
    pub(crate) skipped: usize,
    pub(crate) gradients: usize,
    pub(crate) seconds: f64,
}

/// Cross entropy, the mean over the batch.
pub(crate) fn loss<M: Classifier>(model: &M, digits: Digits) -> Tensor<1> {
    let cross_entropy = CrossEntropyLossConfig::new().init(&digits.images.device());
    cross_entropy.forward(model.logits(digits.images), digits.labels)
}

pub(crate) fn train<M: Classifier, O: ClosureStep>(
    model: M,
    optimizer: O,
    course: &Course<'_>,
    after_epoch: impl FnMut(f64),
) -> Result<Trained<M>, Box<dyn Error>> {
    train_watched(model, optimizer, course, |_, _, _| Ok(()), after_epoch)
}

/// The same. `before_step` is called with the number of each step, its learning rate, and the model before it.
pub(crate) fn train_watched<M: Classifier, O: ClosureStep>(
    mut model: M,
    mut optimizer: O,
    course: &Course<'_>,
    mut before_step: impl FnMut(usize, f64, &M) -> Result<(), Box<dyn Error>>,
    mut after_epoch: impl FnMut(f64),
) -> Result<Trained<M>, Box<dyn Error>> {
    let mut order: Vec<usize> = (0..course.num_examples).collect();
    let mut rng = StdRng::seed_from_u64(course.seed);
    let planned = course.epochs * course.num_examples.div_ceil(BATCH_SIZE);
    let mut rates = CosineAnnealingLrSchedulerConfig::new(LEARNING_RATE, planned).init()?;
    let (mut losses, mut steps, mut skipped, mut gradients) = (Vec::new(), 0, 0, 0);
    let start = Instant::now();
    for _ in 0..course.epochs {
        order.shuffle(&mut rng);
        let mut sum = 0.0;
        for examples in order.chunks(BATCH_SIZE) {
            let batch = course.digits.select(examples)?;
            let closure = |model: &M| loss(model, batch.clone());
            let rate = rates.step();
            before_step(steps, rate.base(), &model)?;
            let report = optimizer.closure_step(rate, &mut model, closure)?;
            sum += report.loss.unwrap_or(f64::NAN) * examples.len() as f64;
            gradients += report.num_gradients;
            skipped += usize::from(report.skipped.is_some());
            steps += 1;
        }
        let mean = sum / course.num_examples as f64;
        losses.push(mean);
        after_epoch(mean);
    }
    // Reading a loss waits for the device, but the last update may still be under way.
    course.digits.images.device().sync()?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Trained {
        model,
        losses,
        steps,
        skipped,
        gradients,
        seconds,
    })
}
