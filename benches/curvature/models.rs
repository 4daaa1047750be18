//! The networks that are measured, each with a criterion and one batch.

use burn::module::Module;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, PaddingConfig2d,
};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burnscape::loss::{Risk, Split};

/// A classifier with inputs of rank `D`.
pub(crate) trait Classifier<const D: usize>: Module + 'static {
    fn logits(&self, input: Tensor<D>) -> Tensor<2>;

    /// The classes that the rows of the logits should have.
    fn classes((_, target): Batch<D>) -> Tensor<1, Int> {
        target
    }
}

pub(crate) type Batch<const D: usize> = (Tensor<D>, Tensor<1, Int>);

/// Mean cross-entropy.
pub(crate) fn loss<M: Classifier<D>, const D: usize>(model: &M, batch: Batch<D>) -> Tensor<1> {
    criterion::<M, D>(model.logits(batch.0.clone()), batch)
}

fn criterion<M: Classifier<D>, const D: usize>(outputs: Tensor<2>, batch: Batch<D>) -> Tensor<1> {
    let device = outputs.device();
    CrossEntropyLossConfig::new()
        .init(&device)
        .forward(outputs, M::classes(batch))
}

/// The same over data, with outputs and criterion apart.
pub(crate) fn risk<'a, M: Classifier<D> + 'a, const D: usize>(
    data: &'a [Batch<D>],
) -> Risk<'a, M, Split> {
    Risk::split(
        |model: &M, (input, _): &Batch<D>| model.logits(input.clone()),
        criterion::<M, D>,
        data,
    )
}

pub(crate) fn batch<const D: usize>(shape: [usize; D], device: &Device) -> Batch<D> {
    let input = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
    let target = Tensor::arange(0..shape[0] as i64, device).remainder_scalar(10);
    (input, target)
}

#[derive(Module, Debug)]
pub(crate) struct Mlp {
    layers: [Linear; 4],
    rectified: bool,
}

impl Mlp {
    /// 784-w-w-w-10.
    pub(crate) fn new(width: usize, rectified: bool, device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        let layers = [
            layer(784, width),
            layer(width, width),
            layer(width, width),
            layer(width, 10),
        ];
        Self { layers, rectified }
    }
}

impl Classifier<2> for Mlp {
    fn logits(&self, input: Tensor<2>) -> Tensor<2> {
        let [hidden @ .., last] = &self.layers;
        let end = hidden.iter().fold(input, |x, layer| match self.rectified {
            true => relu(layer.forward(x)),
            false => layer.forward(x).tanh(),
        });
        last.forward(end)
    }
}

/// The network of the survey's digits: two convolutions with batch norm on 8×8 images.
#[derive(Module, Debug)]
pub(crate) struct DigitsCnn {
    first: Conv2d,
    first_norm: BatchNorm,
    second: Conv2d,
    second_norm: BatchNorm,
    pool: MaxPool2d,
    last: Linear,
}

impl DigitsCnn {
    pub(crate) fn new(device: &Device) -> Self {
        let convolution = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(device)
        };
        Self {
            first: convolution(1, 8),
            first_norm: BatchNormConfig::new(8).init(device),
            second: convolution(8, 16),
            second_norm: BatchNormConfig::new(16).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            last: LinearConfig::new(64, 10).init(device),
        }
    }
}

impl Classifier<4> for DigitsCnn {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let x = relu(self.first_norm.forward(self.first.forward(input)));
        let x = self.pool.forward(x);
        let x = relu(self.second_norm.forward(self.second.forward(x)));
        self.last.forward(self.pool.forward(x).flatten(1, 3))
    }
}

/// Two convolutions, ReLU and max pooling on 28×28 images.
#[derive(Module, Debug)]
pub(crate) struct ConvNet {
    first: Conv2d,
    second: Conv2d,
    pool: MaxPool2d,
    last: Linear,
}

impl ConvNet {
    pub(crate) fn new(device: &Device) -> Self {
        let convolution = |from, to| Conv2dConfig::new([from, to], [3, 3]).init(device);
        Self {
            first: convolution(1, 8),
            second: convolution(8, 16),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            last: LinearConfig::new(16 * 5 * 5, 10).init(device),
        }
    }
}

impl Classifier<4> for ConvNet {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.first.forward(input)));
        let x = self.pool.forward(relu(self.second.forward(x)));
        self.last.forward(x.flatten(1, 3))
    }
}

/// Four encoder layers: d_model 128, four heads, d_ff 512, no dropout.
#[derive(Module, Debug)]
pub(crate) struct Transformer {
    encoder: TransformerEncoder,
    last: Linear,
}

impl Transformer {
    pub(crate) fn new(device: &Device) -> Self {
        let encoder = TransformerEncoderConfig::new(128, 512, 4, 4).with_dropout(0.0);
        Self {
            encoder: encoder.init(device),
            last: LinearConfig::new(128, 10).init(device),
        }
    }
}

impl Classifier<3> for Transformer {
    fn logits(&self, input: Tensor<3>) -> Tensor<2> {
        let words = self.encoder.forward(TransformerEncoderInput::new(input));
        self.last.forward(words.mean_dim(1).squeeze_dim::<2>(1))
    }
}

/// ResNet-18 for 32×32 images: a 3×3 stem without pooling, batch norm in evaluation mode.
#[derive(Module, Debug)]
pub(crate) struct ResNet {
    stem: Conv2d,
    stem_norm: BatchNorm,
    blocks: Vec<ResidualBlock>,
    last: Linear,
}

#[derive(Module, Debug)]
struct ResidualBlock {
    first: Conv2d,
    first_norm: BatchNorm,
    second: Conv2d,
    second_norm: BatchNorm,
    /// Where the shape changes.
    shortcut: Option<(Conv2d, BatchNorm)>,
}

fn square(from: usize, to: usize, kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new([from, to], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(false)
        .init(device)
}

impl ResidualBlock {
    fn new(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        let norm = || BatchNormConfig::new(to).init(device);
        let changes = stride > 1 || from != to;
        Self {
            first: square(from, to, 3, stride, device),
            first_norm: norm(),
            second: square(to, to, 3, 1, device),
            second_norm: norm(),
            shortcut: changes.then(|| (square(from, to, 1, stride, device), norm())),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = relu(self.first_norm.forward(self.first.forward(input.clone())));
        let x = self.second_norm.forward(self.second.forward(x));
        let beside = match &self.shortcut {
            Some((convolution, norm)) => norm.forward(convolution.forward(input)),
            None => input,
        };
        relu(x + beside)
    }
}

impl ResNet {
    pub(crate) fn new(device: &Device) -> Self {
        let stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)];
        let blocks = stages.into_iter().flat_map(|(from, to, stride)| {
            [
                ResidualBlock::new(from, to, stride, device),
                ResidualBlock::new(to, to, 1, device),
            ]
        });
        Self {
            stem: square(3, 64, 3, 1, device),
            stem_norm: BatchNormConfig::new(64).init(device),
            blocks: blocks.collect(),
            last: LinearConfig::new(512, 10).init(device),
        }
    }
}

impl Classifier<4> for ResNet {
    fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let stem = relu(self.stem_norm.forward(self.stem.forward(input)));
        let x = self.blocks.iter().fold(stem, |x, block| block.forward(x));
        self.last.forward(x.mean_dim(3).mean_dim(2).flatten(1, 3))
    }
}

/// A GPT over bytes: norm first, causal attention, GELU, an untied head. A row of the input has one token
/// more than the context; each token is to be predicted from those before it.
#[derive(Module, Debug)]
pub(crate) struct Gpt {
    tokens: Embedding,
    places: Embedding,
    encoder: TransformerEncoder,
    norm: LayerNorm,
    last: Linear,
}

impl Gpt {
    /// The number of different tokens.
    pub(crate) const TOKENS: usize = 256;

    pub(crate) fn new(d: usize, layers: usize, context: usize, device: &Device) -> Self {
        let encoder = TransformerEncoderConfig::new(d, 4 * d, d / 32, layers)
            .with_dropout(0.0)
            .with_norm_first(true);
        Self {
            tokens: EmbeddingConfig::new(Self::TOKENS, d).init(device),
            places: EmbeddingConfig::new(context, d).init(device),
            encoder: encoder.init(device),
            norm: LayerNormConfig::new(d).init(device),
            last: LinearConfig::new(d, Self::TOKENS)
                .with_bias(false)
                .init(device),
        }
    }

    /// Rows of random tokens.
    pub(crate) fn batch(rows: usize, context: usize, device: &Device) -> Batch<2> {
        let any = Distribution::Uniform(0.0, Self::TOKENS as f64);
        let input = Tensor::random([rows, context + 1], any, device).floor();
        (input, Tensor::zeros([rows], device))
    }
}

impl Classifier<2> for Gpt {
    fn logits(&self, input: Tensor<2>) -> Tensor<2> {
        let [rows, tokens] = input.dims();
        let (context, device) = (tokens - 1, input.device());
        let places = Tensor::<1, Int>::arange(0..context as i64, &device);
        let words = self.tokens.forward(input.int().narrow(1, 0, context));
        let words = words + self.places.forward(places.unsqueeze::<2>());
        let mask = generate_autoregressive_mask(rows, context, &device);
        let words = TransformerEncoderInput::new(words).mask_attn(mask);
        let words = self.norm.forward(self.encoder.forward(words));
        self.last.forward(words).flatten(0, 1)
    }

    fn classes((input, _): Batch<2>) -> Tensor<1, Int> {
        let [_, tokens] = input.dims();
        input.int().narrow(1, 1, tokens - 1).flatten(0, 1)
    }
}
