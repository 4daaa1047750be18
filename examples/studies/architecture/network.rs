//! Deep networks without biases, of several kinds.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::Failure;
use crate::studies::digits::{CLASSES, PIXELS, Place};
use crate::studies::network::{Network, normal};

/// How blocks are connected. Normalization has no parameters of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `h ← relu(h W)`
    Plain,
    /// `h ← h + relu(h W) / √depth`
    Skip,
    /// `h ← h + relu(h W)`
    UnscaledSkip,
    /// `h ← relu(norm(h W))`, over the units of an example.
    LayerNorm,
    /// `h ← h + relu(norm(h) W) / √depth`
    LayerNormSkip,
    /// `h ← relu(norm(h W))`, over the examples for each unit.
    BatchNorm,
    /// `h ← h + relu(norm(h) W) / √depth`
    BatchNormSkip,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Skip => "skip",
            Self::UnscaledSkip => "unscaled skip",
            Self::LayerNorm => "layer norm",
            Self::LayerNormSkip => "layer norm and skip",
            Self::BatchNorm => "batch norm",
            Self::BatchNormSkip => "batch norm and skip",
        }
    }
}

/// A layer from the pixels, blocks of one width, and a layer to the classes.
#[derive(Module, Debug)]
pub(super) struct Deep {
    first: Linear,
    blocks: Vec<Linear>,
    last: Linear,
    #[module(skip)]
    kind: Kind,
    /// The block that is left out.
    #[module(skip)]
    left_out: Option<usize>,
}

impl Deep {
    /// Normal weights of variance two over the inputs of their layer, one in the last. They are the same for all kinds.
    pub(super) fn new(
        kind: Kind,
        [depth, width]: [usize; 2],
        seed: u64,
        place: Place<'_>,
    ) -> Result<Self, Failure> {
        let layer = |index: usize, [from, to]: [usize; 2], gain: f64| -> Result<Linear, Failure> {
            let deviation = (gain / from as f64).sqrt();
            Ok(Linear {
                weight: normal([from, to], deviation, (seed, index as u64), place)?,
                bias: None,
            })
        };
        let blocks = (1..=depth).map(|index| layer(index, [width, width], 2.0));
        Ok(Self {
            first: layer(0, [PIXELS, width], 2.0)?,
            blocks: blocks.collect::<Result<_, _>>()?,
            last: layer(depth + 1, [width, CLASSES], 1.0)?,
            kind,
            left_out: None,
        })
    }

    /// The same network, in which a block changes nothing.
    pub(super) fn without(&self, block: usize) -> Self {
        Self {
            left_out: Some(block),
            ..self.clone()
        }
    }

    /// Batch normalization takes means and variances of the first `seen` images.
    fn outputs(&self, images: Tensor<2>, seen: usize) -> Tensor<2> {
        let scale = 1.0 / (self.blocks.len() as f64).sqrt();
        let mut h = relu(self.first.forward(images));
        for (index, block) in self.blocks.iter().enumerate() {
            if self.left_out == Some(index) {
                continue;
            }
            h = match self.kind {
                Kind::Plain => relu(block.forward(h)),
                Kind::Skip => h.clone() + relu(block.forward(h)) * scale,
                Kind::UnscaledSkip => h.clone() + relu(block.forward(h)),
                Kind::LayerNorm => relu(layer_norm(block.forward(h))),
                Kind::LayerNormSkip => h.clone() + relu(block.forward(layer_norm(h))) * scale,
                Kind::BatchNorm => relu(batch_norm(block.forward(h), seen)),
                Kind::BatchNormSkip => {
                    let normalized = batch_norm(h.clone(), seen);
                    h + relu(block.forward(normalized)) * scale
                }
            };
        }
        self.last.forward(h)
    }
}

/// Normalized over all images that it is given.
impl Network for Deep {
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let [count, _] = images.dims();
        self.outputs(images, count)
    }
}

/// A network whose batch normalization has the means and variances of its training images.
pub(super) struct Deployed<'n> {
    pub(super) net: &'n Deep,
    /// The images that it was trained on.
    pub(super) train: Tensor<2>,
}

impl Network for Deployed<'_> {
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let [seen, _] = self.train.dims();
        let [count, _] = images.dims();
        let all = Tensor::cat(vec![self.train.clone(), images], 0);
        let outputs = self.net.outputs(all, seen);
        outputs.slice([seen..seen + count, 0..CLASSES])
    }
}

/// What is added to variances.
const EPSILON: f64 = 1e-5;

/// Mean 0 and variance 1 over the units of each example.
fn layer_norm(h: Tensor<2>) -> Tensor<2> {
    let centered = h.clone() - h.mean_dim(1);
    let variance = centered.clone().square().mean_dim(1);
    centered / (variance + EPSILON).sqrt()
}

/// Mean 0 and variance 1 over the first examples for each unit.
fn batch_norm(h: Tensor<2>, seen: usize) -> Tensor<2> {
    let [count, width] = h.dims();
    let known = match seen < count {
        true => h.clone().slice([0..seen, 0..width]),
        false => h.clone(),
    };
    let mean = known.clone().mean_dim(0);
    let variance = (known - mean.clone()).square().mean_dim(0);
    (h - mean) / (variance + EPSILON).sqrt()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use burnscape::krylov::Probe;

    use super::*;

    const KINDS: [Kind; 7] = [
        Kind::Plain,
        Kind::Skip,
        Kind::UnscaledSkip,
        Kind::LayerNorm,
        Kind::LayerNormSkip,
        Kind::BatchNorm,
        Kind::BatchNormSkip,
    ];

    fn images(count: usize, seed: u64, device: &Device) -> Tensor<2> {
        let place = (device, DType::F64);
        normal([count, PIXELS], 1.0, (seed, 0), place)
            .unwrap()
            .val()
    }

    fn numbers(outputs: Tensor<2>) -> Vec<f64> {
        outputs.try_into_vec_as().unwrap()
    }

    #[test]
    fn rows_are_normalized_by_layers_and_columns_by_batches() {
        let device = Device::default();
        let values: Vec<f64> = Probe::Gaussian.draw(&15, 1, 0).unwrap();
        let values = TensorData::new(values, [5, 3]);
        let h = Tensor::<2>::from_data(values, (&device, DType::F64)) * 40.0 + 7.0;
        for (normalized, axis) in [
            (layer_norm(h.clone()), 1_usize),
            (batch_norm(h.clone(), 5), 0),
        ] {
            let mean = numbers(normalized.clone().mean_dim(axis));
            assert!(mean.iter().all(|mean| mean.abs() < 1e-9));
            let square = numbers(normalized.square().mean_dim(axis));
            assert!(square.iter().all(|square| (square - 1.0).abs() < 1e-4));
        }
        // Later examples have no part in the statistics.
        let some = batch_norm(h.clone(), 3).slice([0..3, 0..3]);
        let alone = batch_norm(h.slice([0..3, 0..3]), 3);
        assert_eq!(numbers(some), numbers(alone));
    }

    #[test]
    fn a_deployed_network_has_the_outputs_of_its_training_images() {
        let device = Device::default();
        let (train, test) = (images(20, 1, &device), images(3, 2, &device));
        for kind in KINDS {
            let net = Deep::new(kind, [3, 8], 0, (&device, DType::F64)).unwrap();
            let train = train.clone();
            let deployed = Deployed { net: &net, train };
            let again = numbers(deployed.forward(deployed.train.clone()));
            for (found, known) in again
                .iter()
                .zip(numbers(net.forward(deployed.train.clone())))
            {
                assert!((found - known).abs() < 1e-9, "{kind:?}");
            }
            let outputs = numbers(deployed.forward(test.clone()));
            let first = numbers(deployed.forward(test.clone().slice([0..1, 0..PIXELS])));
            for (found, known) in first.iter().zip(&outputs) {
                assert!((found - known).abs() < 1e-9, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_block_that_is_left_out_changes_nothing() {
        let device = Device::default();
        let net = Deep::new(Kind::Skip, [1, 8], 0, (&device, DType::F64)).unwrap();
        let linear = |images: Tensor<2>| net.last.forward(relu(net.first.forward(images)));
        let images = images(4, 1, &device);
        let found = numbers(net.without(0).forward(images.clone()));
        assert_eq!(found, numbers(linear(images.clone())));
        assert_ne!(found, numbers(net.forward(images)));
    }
}
