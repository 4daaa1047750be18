//! Gradients that Burn computes wrongly are refused by name, exactly those. When a test here fails because Burn's
//! gradient is right, Burn has mended it: `src/run/upstream.rs` and its section of `docs/upstream.md` can go.

use burn::module::Param;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::{PaddingConfig1d, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient};

/// A convolution along one axis with two channels a group.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Setting {
    groups: usize,
    stride: usize,
    dilation: usize,
    padding: usize,
    length: usize,
    kernel: usize,
}

impl Setting {
    fn all() -> impl Iterator<Item = Self> {
        let axes = (1..=2).flat_map(|groups| (1..=4).map(move |stride| (groups, stride)));
        let axes = axes.flat_map(|axes| (1..=2).map(move |dilation| (axes, dilation)));
        let axes = axes.flat_map(|axes| (0..=1).map(move |padding| (axes, padding)));
        let axes = axes.flat_map(|axes| (6..=10).map(move |length| (axes, length)));
        axes.flat_map(|((((groups, stride), dilation), padding), length)| {
            (1..=3).map(move |kernel| Self {
                groups,
                stride,
                dilation,
                padding,
                length,
                kernel,
            })
        })
    }

    fn numbers<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        let len: usize = shape.iter().product();
        let numbers: Vec<f32> = (0..len).map(|i| (1.3 * i as f32).sin()).collect();
        Tensor::from_data(TensorData::new(numbers, shape), device)
    }

    fn input(&self) -> Tensor<3> {
        Self::numbers([2, 2 * self.groups, self.length], &Device::flex())
    }

    fn line(&self) -> Conv1d {
        let channels = 2 * self.groups;
        let device = Device::flex().autodiff();
        let config = Conv1dConfig::new(channels, channels, self.kernel)
            .with_bias(false)
            .with_groups(self.groups)
            .with_stride(self.stride)
            .with_dilation(self.dilation)
            .with_padding(PaddingConfig1d::Explicit(self.padding, self.padding));
        let mut layer = config.init(&device);
        layer.weight = Param::from_tensor(Self::numbers([channels, 2, self.kernel], &device));
        layer
    }

    /// The same with a second axis of one.
    fn plane(&self) -> Conv2d {
        let channels = 2 * self.groups;
        let device = Device::flex().autodiff();
        let config = Conv2dConfig::new([channels, channels], [self.kernel, 1])
            .with_bias(false)
            .with_groups(self.groups)
            .with_stride([self.stride, 1])
            .with_dilation([self.dilation, 1])
            .with_padding(PaddingConfig2d::Explicit(self.padding, 0, self.padding, 0));
        let mut layer = config.init(&device);
        layer.weight = Param::from_tensor(Self::numbers([channels, 2, self.kernel, 1], &device));
        layer
    }
}

fn loss(layer: &Conv1d, x: Tensor<3>) -> Tensor<1> {
    layer.forward(x).sin().sum()
}

fn numbers<const D: usize>(x: Option<Tensor<D>>) -> Vec<f32> {
    x.map_or_else(Vec::new, |x| x.into_data().iter::<f32>().collect())
}

/// Whether Burn's gradient is that of the plane, which is right.
fn is_right(setting: Setting) -> bool {
    let burns = std::panic::catch_unwind(|| {
        let layer = setting.line();
        let gradients = loss(&layer, setting.input()).backward();
        numbers(layer.weight.val().grad(&gradients))
    });
    let plane = setting.plane();
    let gradients = plane
        .forward(setting.input().unsqueeze_dim(3))
        .sin()
        .sum()
        .backward();
    let right = numbers(plane.weight.val().grad(&gradients));
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-4 * (1.0 + b.abs());
    burns.is_ok_and(|burns| burns.len() == right.len() && burns.iter().zip(&right).all(is_near))
}

fn linearized(setting: Setting) -> Result<LinearizedGradient, LinearizeError> {
    let plain = Device::flex();
    let trace = GradientTrace::new(
        setting.line(),
        plain.settings(),
        |inputs| inputs.float(setting.input()),
        loss,
    )?;
    LinearizedGradient::new(&trace, plain.settings(), &plain)
}

#[test]
fn weight_gradients_of_grouped_strided_conv1d_are_refused_exactly_where_burn_has_them_wrong() {
    let (mut right, mut wrong) = (0, 0);
    for setting in Setting::all() {
        let is_refused = match linearized(setting) {
            Ok(_) => false,
            Err(LinearizeError::Upstream { .. }) => true,
            Err(error) => panic!("{setting:?}: {error}"),
        };
        let is_right = is_right(setting);
        assert_eq!(
            is_right, !is_refused,
            "{setting:?}: right {is_right}, refused {is_refused}"
        );
        right += usize::from(is_right);
        wrong += usize::from(!is_right);
    }
    println!("{right} right, {wrong} wrong");
    assert!(wrong > 20 && right > 20, "{right} right, {wrong} wrong");
}

#[test]
fn the_refusal_says_what_is_wrong_and_how_it_is_done_rightly() {
    let setting = Setting {
        groups: 2,
        stride: 3,
        dilation: 1,
        padding: 0,
        length: 9,
        kernel: 1,
    };
    let error = linearized(setting)
        .map(|_| ())
        .expect_err("two places are left");
    assert_eq!(
        error.to_string(),
        "Burn computes a wrong gradient: the weight gradient of a `Conv1d` with 2 groups, where stride 3 leaves a \
         remainder of 2 (input [2, 4, 9], weight [4, 2, 1], padding 0 and 0, dilation 1), which training uses as \
         well; remove the last 2 padded positions, which no window reaches (slice the input, or pad less at \
         its end), or use `Conv2d` with a second axis of one; see docs/upstream.md"
    );
    let cropped = Setting {
        length: 7,
        ..setting
    };
    assert!(linearized(cropped).is_ok());
}
