//! A vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929): patches by a convolution, a class token and
//! positions as parameters of their own, Burn's encoder.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::prelude::*;

use super::checklist::Checklist;
use super::fixture::{choices, drawn, stream, wave};
use super::groups;

const WIDTH: usize = 8;
const PATCH: usize = 4;
const SIDE: usize = 8;
const PATCHES: usize = (SIDE / PATCH) * (SIDE / PATCH);
const CLASSES: usize = 3;

#[derive(Module, Debug)]
struct VisionTransformer {
    patches: Conv2d,
    class_token: Param<Tensor<3>>,
    positions: Param<Tensor<3>>,
    encoder: TransformerEncoder,
    norm: LayerNorm,
    head: Linear,
}

impl VisionTransformer {
    fn new(device: &Device) -> Self {
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 0.02,
        };
        let encoder = TransformerEncoderConfig::new(WIDTH, 2 * WIDTH, 2, 2)
            .with_norm_first(true)
            .with_dropout(0.0);
        Self {
            patches: Conv2dConfig::new([1, WIDTH], [PATCH, PATCH])
                .with_stride([PATCH, PATCH])
                .init(device),
            class_token: normal.init([1, 1, WIDTH], device),
            positions: normal.init([1, PATCHES + 1, WIDTH], device),
            encoder: encoder.init(device),
            norm: LayerNormConfig::new(WIDTH).init(device),
            head: LinearConfig::new(WIDTH, CLASSES).init(device),
        }
    }

    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        let patches = self.patches.forward(images).flatten::<3>(2, 3);
        let patches = patches.swap_dims(1, 2);
        let token = self.class_token.val().expand([batch, 1, WIDTH]);
        let tokens = Tensor::cat(vec![token, patches], 1) + self.positions.val();
        let encoded = self.encoder.forward(TransformerEncoderInput::new(tokens));
        let first = encoded.slice([0..batch, 0..1]).squeeze_dim::<2>(1);
        self.head.forward(self.norm.forward(first))
    }
}

type Images = (Tensor<4>, Tensor<1, Int>);

fn data() -> [Images; 2] {
    [
        (wave([4, 1, SIDE, SIDE], 0.2), choices([4], CLASSES, 3.0)),
        (wave([2, 1, SIDE, SIDE], 300.2), choices([2], CLASSES, 8.0)),
    ]
}

#[test]
fn a_vision_transformer_goes_through_every_door() {
    let loss = |model: &VisionTransformer, (images, labels): Images| {
        let logits = model.logits(images);
        let criterion = CrossEntropyLossConfig::new()
            .with_smoothing(Some(0.1))
            .init(&logits.device());
        criterion.forward(logits, labels)
    };
    Checklist::new(&VisionTransformer::new, &loss, &data())
        .in_both_modes()
        .run();
}

#[test]
fn the_groups_of_a_vision_transformer_are_those_of_its_architecture() {
    let _drawing = stream(3);
    let outputs = |model: &VisionTransformer, (images, _): &Images| model.logits(images.clone());
    let [batch, _] = data();
    let model = drawn(VisionTransformer::new);
    groups::check(&model, &outputs, batch, groups::VISION_TRANSFORMER);
}
