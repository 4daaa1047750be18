//! Activations, each behind a linear layer and under a smooth, uneven loss.

use burn::nn::{Linear, LinearConfig, PReluConfig, SwiGluConfig};
use burn::tensor::Tensor;
use burn::tensor::activation as act;

use super::referee::{Case, case, device, wave};

/// A loss with curvature everywhere, so that piecewise linear functions have some too.
pub(crate) fn uneven<const D: usize>(y: Tensor<D>) -> Tensor<1> {
    let weights = wave(y.dims());
    let weights = Tensor::<D>::from_data(weights.into_data(), &y.device());
    ((y.clone() * 0.7 + 0.1).tanh() * weights + y.tanh().square() * 0.3).sum()
}

fn activation(name: &'static str, f: fn(Tensor<2>) -> Tensor<2>) -> Case {
    let linear: Linear = LinearConfig::new(4, 6).init(&device());
    case(name, linear, wave([5, 4]), move |linear, x| {
        uneven(f(linear.forward(x)))
    })
}

pub(crate) fn cases() -> Vec<Case> {
    let d = device();
    vec![
        activation("relu", act::relu),
        activation("relu6", act::relu6),
        activation("hardtanh", |x| act::hardtanh(x, -0.6, 0.5)),
        activation("leaky_relu", |x| act::leaky_relu(x, 0.1)),
        activation("gelu", act::gelu),
        activation("gelu_approximate", act::gelu_approximate),
        activation("silu", act::silu),
        activation("sigmoid", act::sigmoid),
        activation("log_sigmoid", act::log_sigmoid),
        activation("hard_sigmoid", |x| act::hard_sigmoid(x, 0.2, 0.5)).in_single(),
        activation("hard_swish", act::hard_swish).in_single(),
        activation("mish", act::mish),
        activation("tanh", act::tanh),
        activation("tanhshrink", act::tanhshrink),
        activation("elu", |x| act::elu(x, 0.8)),
        activation("celu", |x| act::celu(x, 1.3)),
        activation("selu", act::selu),
        activation("thresholded_relu", |x| act::thresholded_relu(x, 0.3)),
        activation("threshold", |x| act::threshold(x, 0.2, 0.1)),
        activation("glu", |x| act::glu(x, 1)),
        activation("softsign", act::softsign),
        activation("hard_shrink", |x| act::hard_shrink(x, 0.3)),
        activation("soft_shrink", |x| act::soft_shrink(x, 0.3)),
        activation("shrink", |x| act::shrink(x, 0.3, 0.1)),
        activation("softplus", |x| act::softplus(x, 1.2)),
        activation("softplus_with_threshold", |x| {
            act::softplus_with_threshold(x, 1.0, 0.5)
        }),
        activation("softmax", |x| act::softmax(x, 1)),
        activation("softmin", |x| act::softmin(x, 1)),
        activation("quiet_softmax", |x| act::quiet_softmax(x, 1)),
        activation("log_softmax", |x| act::log_softmax(x, 1)),
        case(
            "PRelu",
            PReluConfig::new().init(&d),
            wave([3, 5]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "PRelu, a slope a channel",
            PReluConfig::new().with_num_parameters(5).init(&d),
            wave([3, 5]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "SwiGlu",
            SwiGluConfig::new(4, 6).init(&d),
            wave([3, 4]),
            |m, x| uneven(m.forward(x)),
        ),
    ]
}
