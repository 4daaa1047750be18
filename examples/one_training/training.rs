//! The training, watched by a log.

use std::error::Error;

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Tensor;
use burnscape::dynamics::{Due, Moment, Monitors, Watch};
use burnscape::loss::{Batch, Risk};
use burnscape::space::ParamSpace;
use burnscape::trajectory::TrajectoryLog;
use indicatif::ProgressBar;

use crate::Args;
use crate::survey::data::{Digits, Split};
use crate::survey::models::{Classifier, Cnn};
use crate::survey::settings::{BATCH_SIZE, DAMPENING, MOMENTUM};
use crate::survey::train::{Course, loss, train_watched};

const EPOCHS: usize = 20;
const CHECKPOINTS: usize = 50;

/// Trains the network as the survey does, and writes its checkpoints. Says what that took.
pub(crate) fn record(
    args: &Args,
    split: &Split,
    progress: &ProgressBar,
) -> Result<String, Box<dyn Error>> {
    let seed = args.seed.unwrap_or(0);
    let epochs = args.epochs.unwrap_or(EPOCHS);
    let device = split.train.images.device().autodiff();
    device.seed(seed);
    let model = Cnn::new(&device);
    // Burn draws weights at their first use: here, before other draws.
    ParamSpace::of(&model)?;
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(DAMPENING);
    let sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    let digits = split.train.clone().to_device(&device);
    let course = Course {
        digits: &digits,
        num_examples: split.num_train,
        epochs,
        seed,
    };

    let loss = loss::<Cnn>;
    let (seen, unseen) = (
        std::slice::from_ref(&split.train),
        std::slice::from_ref(&split.test),
    );
    let (test_loss, test_error) = (Risk::new(&loss, unseen), Risk::new(&error, unseen));
    let log = TrajectoryLog::<Cnn>::create(&args.out)?
        .with_metric("test loss", &test_loss)
        .with_metric("test error", &test_error);
    let steps = epochs * split.num_train.div_ceil(BATCH_SIZE);
    let count = args.checkpoints.unwrap_or(CHECKPOINTS).min(steps);
    let due = (0..=count).map(|index| index * steps / count).collect();
    let watch = Watch::new(Due::At(due), log, Risk::new(&loss, seen))?;
    let readings = watch.readings();
    let mut monitors = Monitors::new().with(watch)?;
    let trained = train_watched(
        model,
        sgd,
        &course,
        |step, rate, model| {
            monitors.observe(&Moment::new(step, rate, model))?;
            Ok(())
        },
        |loss| progress.set_message(format!("training the network: loss {loss:.4}")),
    )?;
    monitors.observe(&Moment::new(trained.steps, 0.0, &trained.model))?;
    Ok(format!(
        "Training and log took {:.1} s; the log evaluated {}.",
        trained.seconds,
        readings.cost()
    ))
}

/// The fraction of images whose digit does not have the highest score.
fn error(model: &Cnn, digits: Digits) -> Tensor<1> {
    let guesses = model.logits(digits.images).argmax(1).flatten::<1>(0, 1);
    guesses.not_equal(digits.labels).float().mean()
}
