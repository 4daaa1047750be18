//! The networks and their training.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor};
use burnscape::symmetry::{Symmetries, SymmetriesConfig};

use super::data::Data;
use crate::Failure;
use crate::studies::digits::{CLASSES, Labeled, PIXELS};
use crate::studies::network::{Activation, Mlp, Network};
use crate::studies::training::{Course, Draws, heavy_ball, minibatch, unwatched};

/// Of the first step, unless another is named; the rate falls to zero.
pub(super) const RATE: f64 = 0.05;
pub(super) const MOMENTUM: f64 = 0.9;

/// A network before training, a function of the seed.
pub(super) fn initial(widths: &[usize], seed: u64) -> Result<Mlp, Failure> {
    let device = Device::default().autodiff();
    let sizes = [&[PIXELS][..], widths, &[CLASSES][..]].concat();
    let net = Mlp::new(&sizes, Activation::Relu, seed, (&device, DType::F32))?;
    Ok(net.valid())
}

/// What its units permute to without another output.
pub(super) fn symmetries(net: &Mlp, data: &Data) -> Result<Symmetries, Failure> {
    let batch = data.batches.first().ok_or("no digits")?;
    Ok(SymmetriesConfig::new().run(&outputs, net, batch.clone())?)
}

/// A score for each digit, `[n, 10]`.
pub(super) fn outputs(net: &Mlp, (images, _): &Labeled) -> Tensor<2> {
    net.forward(images.clone())
}

/// The cross-entropy of each image.
pub(super) fn loss_per_example(net: &Mlp, (images, labels): Labeled) -> Tensor<1> {
    let logs = log_softmax(net.forward(images), 1);
    let labels = labels.unsqueeze_dim::<2>(1);
    -logs.gather(1, labels).squeeze_dim::<1>(1)
}

/// The network after these steps from a start, on images that are on the device that differentiates.
pub(super) fn train(
    start: &Mlp,
    data: &Data,
    images: &Labeled,
    draws: &mut Draws,
    (course, momentum): (Course, f64),
) -> Result<Mlp, Failure> {
    let net = start.clone().train();
    let mut sgd = heavy_ball(momentum).init();
    let net = minibatch(net, &mut sgd, &data.loss, images, draws, course, unwatched)?;
    Ok(net.valid())
}

/// The network after these steps from a start, on all images.
pub(super) fn trained_from(
    start: &Mlp,
    data: &Data,
    seed: u64,
    course: Course,
) -> Result<Mlp, Failure> {
    let mut draws = data.draws(seed);
    train(start, data, &data.lesson, &mut draws, (course, MOMENTUM))
}

/// A network that is trained from its initial weights, both functions of the seed.
pub(super) fn trained(
    widths: &[usize],
    data: &Data,
    seed: u64,
    course: Course,
) -> Result<Mlp, Failure> {
    trained_from(&initial(widths, seed)?, data, seed, course)
}
