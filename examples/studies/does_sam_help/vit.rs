//! A small vision transformer.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::Failure;
use crate::studies::digits::{CLASSES, Place};
use crate::studies::network::{Activation, Network, normal};

/// Patches of an image in a row or column, and pixels of a patch.
const SIDE: usize = 4;
const PATCH: usize = 2;
const TOKENS: usize = SIDE * SIDE;

const WIDTH: usize = 32;
const HEADS: usize = 4;
const HIDDEN: usize = 64;
const BLOCKS: usize = 1;
/// The standard deviation of the first positions.
const POSITIONS: f64 = 0.1;

/// Patches of 2×2 pixels as tokens, blocks that normalize first, and the mean of the tokens.
#[derive(Module, Debug)]
pub(super) struct Vit {
    embedding: Linear,
    positions: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

/// Attention and two layers, each beside a skip.
#[derive(Module, Debug)]
pub(super) struct Block {
    attention_norm: LayerNorm,
    queries: Linear,
    keys: Linear,
    values: Linear,
    joined: Linear,
    layers_norm: LayerNorm,
    inner: Linear,
    outer: Linear,
}

impl Vit {
    /// Normal weights of a variance of one over the inputs of their layer; biases are zero.
    pub(super) fn new(seed: u64, place: Place<'_>) -> Result<Self, Failure> {
        let mut drawn = 0;
        let mut layer = |from: usize, to: usize| -> Result<Linear, Failure> {
            drawn += 1;
            let deviation = (from as f64).sqrt().recip();
            Ok(Linear {
                weight: normal([from, to], deviation, (seed, drawn), place)?,
                bias: Some(Param::from_tensor(Tensor::zeros([to], place))),
            })
        };
        let norm = || LayerNormConfig::new(WIDTH).init(place.0);
        let embedding = layer(PATCH * PATCH, WIDTH)?;
        let head = layer(WIDTH, CLASSES)?;
        let blocks = (0..BLOCKS).map(|_| -> Result<Block, Failure> {
            Ok(Block {
                attention_norm: norm(),
                queries: layer(WIDTH, WIDTH)?,
                keys: layer(WIDTH, WIDTH)?,
                values: layer(WIDTH, WIDTH)?,
                joined: layer(WIDTH, WIDTH)?,
                layers_norm: norm(),
                inner: layer(WIDTH, HIDDEN)?,
                outer: layer(HIDDEN, WIDTH)?,
            })
        });
        Ok(Self {
            embedding,
            positions: normal([TOKENS, WIDTH], POSITIONS, (seed, 0), place)?,
            blocks: blocks.collect::<Result<_, _>>()?,
            norm: norm(),
            head,
        })
    }
}

impl Network for Vit {
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let [count, _] = images.dims();
        let tokens = self.embedding.forward(patches(images));
        let tokens = tokens.reshape([count, TOKENS, WIDTH]);
        let tokens = tokens + self.positions.val().unsqueeze::<3>();
        let tokens = tokens.reshape([count * TOKENS, WIDTH]);
        let blocks = self.blocks.iter();
        let tokens = blocks.fold(tokens, |tokens, block| block.forward(tokens, count));
        let tokens = self.norm.forward(tokens);
        let mean = tokens.reshape([count, TOKENS, WIDTH]).mean_dim(1);
        self.head.forward(mean.squeeze_dim::<2>(1))
    }
}

impl Block {
    /// The tokens of all images as rows.
    fn forward(&self, tokens: Tensor<2>, count: usize) -> Tensor<2> {
        let tokens = tokens.clone() + self.attention(tokens, count);
        let hidden = self.layers_norm.forward(tokens.clone());
        let hidden = Activation::Gelu.apply(self.inner.forward(hidden));
        tokens + self.outer.forward(hidden)
    }

    fn attention(&self, tokens: Tensor<2>, count: usize) -> Tensor<2> {
        let size = WIDTH / HEADS;
        let tokens = self.attention_norm.forward(tokens);
        // `[images, heads, tokens, size]`.
        let parts = [&self.queries, &self.keys, &self.values].map(|layer| {
            let part = layer.forward(tokens.clone());
            part.reshape([count, TOKENS, HEADS, size]).swap_dims(1, 2)
        });
        let [queries, keys, values] = parts;
        let scores = queries.matmul(keys.transpose()) / (size as f64).sqrt();
        let joined = softmax(scores, 3).matmul(values).swap_dims(1, 2);
        let joined = joined.reshape([count * TOKENS, WIDTH]);
        self.joined.forward(joined)
    }
}

/// The pixels of the patches as rows, the patches of an image one after another: `[n, 64]` to `[16 n, 4]`.
fn patches(images: Tensor<2>) -> Tensor<2> {
    let [count, _] = images.dims();
    let lines = images.reshape([count, SIDE, PATCH, SIDE, PATCH]);
    let squares = lines.swap_dims(2, 3);
    squares.reshape([count * TOKENS, PATCH * PATCH])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;
    use crate::studies::digits::PIXELS;

    #[test]
    fn patches_are_squares_of_the_image() {
        let device = Device::default();
        let pixels: Vec<f64> = (0..2 * PIXELS).map(|pixel| pixel as f64).collect();
        let images = TensorData::new(pixels, [2, PIXELS]);
        let images = Tensor::from_data(images, (&device, DType::F64));
        let found: Vec<f64> = patches(images).try_into_vec_as().unwrap();
        assert_eq!(found[..8], [0.0, 1.0, 8.0, 9.0, 2.0, 3.0, 10.0, 11.0]);
        // The second row of patches, and the second image.
        assert_eq!(found[16..20], [16.0, 17.0, 24.0, 25.0]);
        assert_eq!(found[64..68], [64.0, 65.0, 72.0, 73.0]);
    }

    #[test]
    fn images_do_not_see_each_other_and_places_count() {
        let device = Device::default();
        let net = Vit::new(3, (&device, DType::F32)).unwrap();
        let numbers = |images: Tensor<2>| -> Vec<f64> {
            net.forward(images).try_into_vec_as::<f64>().unwrap()
        };
        let image = |lit: usize| -> Tensor<2> {
            let pixels = (0..PIXELS).map(|pixel| if pixel == lit { 1.0 } else { 0.0 });
            let pixels = TensorData::new(pixels.collect::<Vec<f32>>(), [1, PIXELS]);
            Tensor::from_data(pixels, &device)
        };
        // The same pixel of two patches: positions tell them apart.
        let both = numbers(Tensor::cat(vec![image(0), image(2)], 0));
        let alone = [numbers(image(0)), numbers(image(2))].concat();
        assert_eq!(both.len(), 2 * CLASSES);
        let mut pairs = both.iter().zip(&alone);
        assert!(pairs.all(|(one, two)| (one - two).abs() < 1e-5));
        assert!((both[0] - both[CLASSES]).abs() > 1e-4);
    }
}
