//! Activations, as functions and as modules, each behind a linear layer and under a smooth, uneven loss.

use burn::module::Module;
use burn::nn::activation::*;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::activation as act;

use super::products::device;
use super::referee::{Case, Spec, case, spec, wave};

/// A loss with curvature everywhere, so that piecewise linear functions have some too.
pub(crate) fn uneven<const D: usize>(y: Tensor<D>) -> Tensor<1> {
    let weights = wave(y.dims());
    let weights = Tensor::<D>::from_data(weights.into_data(), &y.device());
    ((y.clone() * 0.7 + 0.1).tanh() * weights + y.tanh().square() * 0.3).sum()
}

type Function = fn(Tensor<2>) -> Tensor<2>;

fn function(name: &'static str, f: Function) -> Spec<Linear, Tensor<2>> {
    let linear: Linear = LinearConfig::new(4, 6).init(&device());
    spec(name, linear, wave([5, 4]), move |linear, x| {
        uneven(f(linear.forward(x)))
    })
}

fn layer<A: Module + 'static>(
    name: &'static str,
    layer: A,
    f: fn(&A, Tensor<2>) -> Tensor<2>,
) -> Spec<(Linear, A), Tensor<2>> {
    let linear: Linear = LinearConfig::new(4, 6).init(&device());
    spec(
        name,
        (linear, layer),
        wave([5, 4]),
        move |(linear, layer), x| uneven(f(layer, linear.forward(x))),
    )
}

/// `clamp(αx + β, 0, 1)`, of which Burn computes the inside in single precision.
fn hard_sigmoid(x: Tensor<2>) -> Tensor<2> {
    (x * 0.2 + 0.5).clamp(0.0, 1.0)
}

/// `x clamp(x/6 + 1/2, 0, 1)`
fn hard_swish(x: Tensor<2>) -> Tensor<2> {
    x.clone() * (x * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = functions();
    cases.extend(modules());
    cases
}

fn functions() -> Vec<Case> {
    let plain: &[(&'static str, Function)] = &[
        ("relu", act::relu),
        ("relu6", |x| act::relu6(x * 8.0)),
        ("hardtanh", |x| act::hardtanh(x, -0.6, 0.5)),
        ("leaky_relu", |x| act::leaky_relu(x, 0.1)),
        ("gelu", act::gelu),
        ("gelu_approximate", act::gelu_approximate),
        ("silu", act::silu),
        ("sigmoid", act::sigmoid),
        ("log_sigmoid", act::log_sigmoid),
        ("mish", act::mish),
        ("tanh", act::tanh),
        ("tanhshrink", act::tanhshrink),
        ("elu", |x| act::elu(x, 0.8)),
        ("celu", |x| act::celu(x, 1.3)),
        ("selu", act::selu),
        ("thresholded_relu", |x| act::thresholded_relu(x, 0.3)),
        ("threshold", |x| act::threshold(x, 0.2, 0.1)),
        ("glu", |x| act::glu(x, 1)),
        ("softsign", act::softsign),
        ("hard_shrink", |x| act::hard_shrink(x, 0.3)),
        ("soft_shrink", |x| act::soft_shrink(x, 0.3)),
        ("shrink", |x| act::shrink(x, 0.3, 0.1)),
        ("softplus", |x| act::softplus(x, 1.2)),
        ("softplus_with_threshold", |x| {
            act::softplus_with_threshold(x, 1.0, 0.5)
        }),
        ("softmax", |x| act::softmax(x, 1)),
        ("softmin", |x| act::softmin(x, 1)),
        ("quiet_softmax", |x| act::quiet_softmax(x, 1)),
        ("log_softmax", |x| act::log_softmax(x, 1)),
    ];
    let mut cases: Vec<Case> = plain
        .iter()
        .map(|(name, f)| function(name, *f).case())
        .collect();
    cases.extend([
        function("hard_sigmoid", |x| act::hard_sigmoid(x, 0.2, 0.5))
            .partly_single(|linear, x| uneven(hard_sigmoid(linear.forward(x))))
            .case(),
        function("hard_swish", act::hard_swish)
            .partly_single(|linear, x| uneven(hard_swish(linear.forward(x))))
            .case(),
        case(
            "prelu",
            LinearConfig::new(4, 6).init(&device()),
            wave([5, 4]),
            |linear: &Linear, x| {
                // The bias is a slope a channel as well.
                let slope = linear.bias.as_ref().map(|bias| bias.val());
                let y = linear.forward(x);
                uneven(match slope {
                    Some(slope) => act::prelu(y, slope),
                    None => y,
                })
            },
        ),
    ]);
    cases
}

fn modules() -> Vec<Case> {
    let d = device();
    vec![
        layer("Relu", Relu::new(), |m, x| m.forward(x)).case(),
        layer("Relu6", Relu6::new(), |m, x| m.forward(x * 8.0)).case(),
        layer("Hardtanh", HardtanhConfig::new().init(), |m, x| {
            m.forward(x * 2.0)
        })
        .case(),
        layer("LeakyRelu", LeakyReluConfig::new().init(), |m, x| {
            m.forward(x)
        })
        .case(),
        layer("Gelu", Gelu::new(), |m, x| m.forward(x)).case(),
        layer("Gelu, approximate", Gelu::new_approximate(), |m, x| {
            m.forward(x)
        })
        .case(),
        layer("SiLU", SiLU::new(), |m, x| m.forward(x)).case(),
        layer("Sigmoid", Sigmoid::new(), |m, x| m.forward(x)).case(),
        layer("LogSigmoid", LogSigmoid::new(), |m, x| m.forward(x)).case(),
        layer("HardSigmoid", HardSigmoidConfig::new().init(), |m, x| {
            m.forward(x * 3.0)
        })
        .partly_single(|(linear, _), x| uneven(hard_sigmoid(linear.forward(x) * 3.0)))
        .case(),
        layer("HardSwish", HardSwish::new(), |m, x| m.forward(x * 2.0))
            .partly_single(|(linear, _), x| uneven(hard_swish(linear.forward(x) * 2.0)))
            .case(),
        layer("Mish", Mish::new(), |m, x| m.forward(x)).case(),
        layer("Tanh", Tanh::new(), |m, x| m.forward(x)).case(),
        layer("Tanhshrink", Tanhshrink::new(), |m, x| m.forward(x)).case(),
        layer("Elu", EluConfig::new().init(), |m, x| m.forward(x)).case(),
        layer("Celu", CeluConfig::new().with_alpha(1.3).init(), |m, x| {
            m.forward(x)
        })
        .case(),
        layer("Selu", Selu::new(), |m, x| m.forward(x)).case(),
        layer(
            "ThresholdedRelu",
            ThresholdedReluConfig::new().with_alpha(0.3).init(),
            |m, x| m.forward(x),
        )
        .case(),
        layer(
            "Threshold",
            ThresholdConfig::new(0.2, 0.1).init(),
            |m, x| m.forward(x),
        )
        .case(),
        layer("GLU", GLU::new(1), |m, x| m.forward(x)).case(),
        layer("Softsign", Softsign::new(), |m, x| m.forward(x)).case(),
        layer("HardShrink", HardShrinkConfig::new().init(), |m, x| {
            m.forward(x)
        })
        .case(),
        layer("SoftShrink", SoftShrinkConfig::new().init(), |m, x| {
            m.forward(x)
        })
        .case(),
        layer("Shrink", ShrinkConfig::new().init(), |m, x| m.forward(x)).case(),
        layer("Softplus", SoftplusConfig::new().init(), |m, x| {
            m.forward(x)
        })
        .case(),
        layer("RRelu, train", RReluConfig::new().init(), |m, x| {
            m.forward(x)
        })
        .draws_apart()
        .case(),
        layer("RRelu, eval", RReluConfig::new().init().freeze(), |m, x| {
            m.forward(x)
        })
        .case(),
        layer("PRelu", PReluConfig::new().init(&d), |m, x| m.forward(x)).case(),
        layer(
            "PRelu, a slope a channel",
            PReluConfig::new().with_num_parameters(6).init(&d),
            |m, x| m.forward(x),
        )
        .case(),
        layer("SwiGlu", SwiGluConfig::new(6, 4).init(&d), |m, x| {
            m.forward(x)
        })
        .case(),
        layer(
            "Activation",
            ActivationConfig::SwiGlu(SwiGluConfig::new(6, 4)).init(&d),
            |m: &Activation, x| m.forward(x),
        )
        .case(),
    ]
}
