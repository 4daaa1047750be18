//! Networks for digits beside those of the survey.

use std::f64::consts::SQRT_2;

use burn::module::{Module, Param};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::survey::models::Classifier;

const NUM_PIXELS: usize = 64;
const NUM_CLASSES: usize = 10;

/// Hidden layers with rectifiers.
#[derive(Module, Debug)]
pub(super) struct Rectified {
    hidden: Vec<Linear>,
    last: Linear,
}

/// Hidden layers of one width. Weights start as those of He et al. 2015, biases as zeros.
pub(super) fn rectified(num_hidden: usize, width: usize, device: &Device) -> Rectified {
    let layer = |from: usize, to: usize| {
        let he = Initializer::KaimingNormal {
            gain: SQRT_2,
            fan_out_only: false,
        };
        let mut layer = LinearConfig::new(from, to)
            .with_initializer(he)
            .init(device);
        layer.bias = Some(Param::from_tensor(Tensor::<1>::zeros([to], device)));
        layer
    };
    let hidden = (0..num_hidden).map(|index| match index {
        0 => layer(NUM_PIXELS, width),
        _ => layer(width, width),
    });
    Rectified {
        hidden: hidden.collect(),
        last: layer(width, NUM_CLASSES),
    }
}

impl Classifier for Rectified {
    fn new(device: &Device) -> Self {
        rectified(1, 64, device)
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let input = images.flatten(1, 2);
        let hidden = self.hidden.iter();
        self.last
            .forward(hidden.fold(input, |x, layer| relu(layer.forward(x))))
    }
}

/// The width of a row of pixels, and how many there are.
const ROW: usize = 8;
const WIDTH: usize = 32;
const HIDDEN: usize = 64;
const HEADS: usize = 4;
const LAYERS: usize = 2;

/// A transformer whose tokens are the rows of an image.
#[derive(Module, Debug)]
pub(super) struct Rows {
    embedding: Linear,
    positions: Param<Tensor<2>>,
    encoder: TransformerEncoder,
    last: Linear,
}

impl Classifier for Rows {
    fn new(device: &Device) -> Self {
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 0.5,
        };
        Self {
            embedding: LinearConfig::new(ROW, WIDTH).init(device),
            positions: normal.init([ROW, WIDTH], device),
            encoder: TransformerEncoderConfig::new(WIDTH, HIDDEN, HEADS, LAYERS)
                .with_norm_first(true)
                .with_dropout(0.0)
                .init(device),
            last: LinearConfig::new(WIDTH, NUM_CLASSES).init(device),
        }
    }

    fn logits(&self, images: Tensor<3>) -> Tensor<2> {
        let x = self.embedding.forward(images) + self.positions.val().unsqueeze::<3>();
        let x = self.encoder.forward(TransformerEncoderInput::new(x));
        self.last.forward(x.mean_dim(1).squeeze_dim::<2>(1))
    }
}
