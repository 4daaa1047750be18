//! The networks.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor};
use burnscape::space::ParamSpace;
use burnscape::symmetry::{Symmetries, SymmetriesConfig};

use super::data::Data;
use crate::Failure;
use crate::survey::data::Digits;

const PIXELS: usize = 64;
pub(crate) const CLASSES: usize = 10;

/// Hidden layers with rectifiers.
#[derive(Module, Debug)]
pub(crate) struct Net {
    hidden: Vec<Linear>,
    last: Linear,
}

impl Net {
    /// A network before training, a function of the seed.
    pub(crate) fn new(widths: &[usize], seed: u64) -> Result<Self, Failure> {
        let device = Device::default().autodiff();
        device.seed(seed);
        let (mut from, mut hidden) = (PIXELS, Vec::new());
        for &to in widths {
            hidden.push(LinearConfig::new(from, to).init(&device));
            from = to;
        }
        let last = LinearConfig::new(from, CLASSES).init(&device);
        let net = Self { hidden, last };
        // Burn draws weights at their first use: here, before other draws.
        ParamSpace::of(&net)?;
        Ok(net.valid())
    }

    /// What its units permute to without another output.
    pub(crate) fn symmetries(&self, data: &Data) -> Result<Symmetries, Failure> {
        let batch = data.batches.first().ok_or("no digits")?;
        Ok(SymmetriesConfig::new().run(&logits, self, batch.clone())?)
    }
}

/// A score for each digit, `[n, 10]`.
pub(crate) fn logits(net: &Net, digits: &Digits) -> Tensor<2> {
    let images = digits.images.clone().flatten::<2>(1, 2);
    let hidden = net.hidden.iter();
    net.last
        .forward(hidden.fold(images, |x, layer| relu(layer.forward(x))))
}

/// The mean cross-entropy.
pub(crate) fn loss(net: &Net, digits: Digits) -> Tensor<1> {
    let cross_entropy = CrossEntropyLossConfig::new().init(&digits.images.device());
    cross_entropy.forward(logits(net, &digits), digits.labels)
}

/// The cross-entropy of each image.
pub(crate) fn loss_per_example(net: &Net, digits: Digits) -> Tensor<1> {
    let logs = log_softmax(logits(net, &digits), 1);
    let labels = digits.labels.unsqueeze_dim::<2>(1);
    -logs.gather(1, labels).squeeze_dim::<1>(1)
}
