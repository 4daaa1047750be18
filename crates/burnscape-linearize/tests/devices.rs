//! A product is the same on every device, also where Burn's kernels are not.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::gelu;
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use burnscape_linearize::{GradientTrace, LinearizedGradient};
use burnscape_testkit::double::device;

/// Something of everything of which devices have kernels of their own.
#[derive(Module, Debug)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm,
    attention: MultiHeadAttention,
    last: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        let attention = MultiHeadAttentionConfig::new(4, 2).with_dropout(0.0);
        let net = Self {
            conv: Conv2dConfig::new([2, 4], [3, 3])
                .with_groups(2)
                .init(device),
            norm: BatchNormConfig::new(4).init(device),
            attention: attention.init(device),
            last: LinearConfig::new(4, 3).init(device),
        };
        net.map(&mut Fill(0.0))
    }

    fn loss(&self, x: Tensor<4>) -> Tensor<1> {
        let hidden = gelu(self.norm.forward(self.conv.forward(x)));
        let padding = PaddingConfig2d::Explicit(1, 0, 1, 0);
        let pool = MaxPool2dConfig::new([3, 2])
            .with_strides([2, 2])
            .with_padding(padding);
        let hidden = pool.init().forward(hidden);
        let hidden = AvgPool2dConfig::new([2, 1]).init().forward(hidden);
        let [batch, channels, height, width] = hidden.dims();
        let words = hidden
            .reshape([batch, channels, height * width])
            .swap_dims(1, 2);
        let words = self.attention.forward(MhaInput::self_attn(words)).context;
        gelu(self.last.forward(words)).powi_scalar(3).mean()
    }
}

struct Fill(f64);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        if !value.is_require_grad() {
            return Param::from_mapped_value(id, value, mapper);
        }
        self.0 += 31.0;
        let numbers = waves(value.shape().num_elements(), self.0);
        let data = TensorData::new(numbers, value.shape());
        let value = Tensor::<D>::from_data(data, (&value.device(), DType::F64));
        Param::from_mapped_value(id, value.require_grad(), mapper)
    }
}

fn waves(len: usize, phase: f64) -> Vec<f64> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    (0..len).map(wave).collect()
}

fn product(plain: &Device) -> Vec<f64> {
    let (tracked, settings) = (plain.clone().autodiff(), plain.settings());
    let x = TensorData::new(waves(3 * 2 * 8 * 8, 0.5), [3, 2, 8, 8]);
    let x = Tensor::<4>::from_data(x, &tracked);
    let traced = GradientTrace::new(
        Net::new(&tracked),
        settings,
        |inputs| inputs.float(x),
        |net: &Net, x| net.loss(x),
    );
    let traced = traced.expect("a trace");
    let linearized = LinearizedGradient::new(&traced, settings, plain);
    let mut linearized = linearized.expect("a linearization");
    let ports = traced.parameters.iter().map(|parameter| {
        let port = &traced.program.inputs()[parameter.input];
        port.shape().iter().product::<usize>()
    });
    let direction: Vec<Tensor<1>> = ports
        .map(|len| Tensor::from_data(TensorData::new(waves(len, 7.7), [len]), plain))
        .collect();
    let parts = linearized.hvp(&direction).expect("a product");
    let parts = parts.into_iter().flatten();
    parts
        .flat_map(|part| part.into_data().iter::<f64>().collect::<Vec<_>>())
        .collect()
}

#[test]
fn products_agree_between_devices() {
    #[allow(deprecated, reason = "deprecated by Burn, served while Burn has it")]
    let mut other = Device::ndarray();
    // No other test of this binary uses NdArray.
    other.configure(FloatDType::F64).expect("a fresh device");
    let (flex, other) = (product(&device()), product(&other));
    assert_eq!(flex.len(), other.len());
    let size = flex.iter().map(|x| x * x).sum::<f64>().sqrt();
    let difference = flex.iter().zip(&other).map(|(a, b)| (a - b) * (a - b));
    let difference = difference.sum::<f64>().sqrt() / size;
    println!("relative difference between Flex and NdArray: {difference:.1e}");
    assert!(size > 1e-3 && difference <= 1e-12, "{size} {difference}");
}
