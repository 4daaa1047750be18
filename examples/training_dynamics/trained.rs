//! The survey's MLP for digits, trained.

use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use burnscape::loss::Risk;
use burnscape::optim::ClosureStep;
use burnscape::space::ParamSpace;

use crate::survey::data::{Digits, Split};
use crate::survey::models::{Classifier, Mlp};
use crate::survey::settings::{DAMPENING, MOMENTUM};
use crate::survey::train::{Course, train};
use crate::{Args, Failure};

/// Epochs of a training run.
const EPOCHS: usize = 15;

/// The network before training, a function of the seed, and the number of its parameters.
pub(crate) fn initial(seed: u64, device: &Device) -> Result<(Mlp, usize), Failure> {
    device.seed(seed);
    let model = Mlp::new(device);
    // Burn draws weights at their first use: here, before other draws.
    let parameters = ParamSpace::of(&model)?.len();
    Ok((model, parameters))
}

/// The survey's SGD.
pub(crate) fn momentum() -> ModuleOptimizer {
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(DAMPENING);
    SgdConfig::new().with_momentum(Some(momentum)).init()
}

/// The network after training.
pub(crate) fn trained<O: ClosureStep>(
    model: Mlp,
    optimizer: O,
    split: &Split,
    args: &Args,
) -> Result<Mlp, Failure> {
    let course = Course {
        digits: &split.train,
        num_examples: split.num_train,
        epochs: args.length(EPOCHS, 1),
        seed: args.seed,
    };
    Ok(train(model, optimizer, &course, |_| {})?.model)
}

/// The fraction of images whose digit has the highest score.
pub(crate) fn accuracy(model: &Mlp, digits: Digits) -> Tensor<1> {
    let guesses = model.logits(digits.images).argmax(1).flatten::<1>(0, 1);
    guesses.equal(digits.labels).float().mean()
}

/// That of the test images.
pub(crate) fn test_accuracy(model: &Mlp, split: &Split) -> Result<f64, Failure> {
    let risk = Risk::new(&accuracy, std::slice::from_ref(&split.test));
    Ok(risk.loss(model)?.value)
}
