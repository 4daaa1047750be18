//! Dense layers and normalizations.

use super::activations::uneven;
use super::products::device;
use super::referee::{Case, case, spec, wave};
use burn::module::{Module, RunningState};
use burn::nn::conv::{Conv1dConfig, Conv2dConfig};
use burn::nn::norm::{Normalization, NormalizationConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, DropoutConfig, Embedding, EmbeddingConfig, GaussianNoiseConfig,
    GroupNormConfig, Identity, InstanceNormConfig, LayerNormConfig, Linear, LinearConfig,
    LinearLayout, RmsNormConfig,
};
use burn::tensor::{FloatDType, Int, Tensor};

/// A table and the layer that reads from it.
#[derive(Module, Debug)]
struct Words {
    table: Embedding,
    linear: Linear,
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = dense();
    cases.extend(normalizations());
    cases
}

fn dense() -> Vec<Case> {
    let d = device();
    let words: Tensor<2, Int> = Tensor::from_data([[1, 2, 3], [4, 2, 6]], &d);
    let table = Words {
        table: EmbeddingConfig::new(10, 6).init(&d),
        linear: LinearConfig::new(6, 2).init(&d),
    };
    vec![
        case(
            "Linear",
            LinearConfig::new(4, 3).init(&d),
            wave([5, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Linear, without bias, rank 3",
            LinearConfig::new(4, 3).with_bias(false).init(&d),
            wave([2, 5, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case("Embedding", table, words, |m, x| {
            uneven(m.linear.forward(m.table.forward(x)))
        }),
        case(
            "Linear, columns first",
            LinearConfig::new(4, 3)
                .with_layout(LinearLayout::Col)
                .init(&d),
            wave([5, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Identity",
            (LinearConfig::new(4, 3).init(&d), Identity::new()),
            wave([5, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        spec(
            "Dropout, train",
            (
                LinearConfig::new(4, 8).init(&d),
                DropoutConfig::new(0.5).init(),
            ),
            wave([5, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .case(),
        case(
            "Dropout, eval",
            (
                LinearConfig::new(4, 8).init(&d),
                DropoutConfig::new(0.5).init().freeze(),
            ),
            wave([5, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        spec(
            "GaussianNoise, train",
            (
                LinearConfig::new(4, 6).init(&d),
                GaussianNoiseConfig::new(0.3).init(),
            ),
            wave([5, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .case(),
    ]
}

/// Clones share running statistics: a model in single precision needs its own.
fn in_single(mut norm: BatchNorm) -> BatchNorm {
    let narrow = |state: &RunningState<Tensor<1>>| {
        RunningState::new(state.value_sync().cast(FloatDType::F32))
    };
    (norm.running_mean, norm.running_var) = (narrow(&norm.running_mean), narrow(&norm.running_var));
    norm
}

/// A batch norm that is evaluated with statistics it has met.
fn used() -> BatchNorm {
    let mut norm = BatchNormConfig::new(3).init(&device());
    norm.running_mean = RunningState::new(wave([3]).inner());
    norm.running_var = RunningState::new(wave([3]).inner().square() + 0.3);
    norm.freeze().set_require_grad(true)
}

fn normalizations() -> Vec<Case> {
    let d = device();
    vec![
        spec(
            "BatchNorm, train",
            BatchNormConfig::new(3).init(&d),
            wave([4, 3, 2, 3]),
            |m, x| uneven(m.forward(x)),
        )
        .narrowed(in_single)
        .case(),
        spec("BatchNorm, eval", used(), wave([4, 3, 2, 3]), |m, x| {
            uneven(m.forward(x))
        })
        .narrowed(in_single)
        .case(),
        spec(
            "BatchNorm, train, after Conv2d",
            (
                Conv2dConfig::new([1, 3], [3, 3]).init(&d),
                BatchNormConfig::new(3).init(&d),
            ),
            wave([3, 1, 5, 5]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .narrowed(|(conv, norm)| (conv, in_single(norm)))
        .case(),
        case(
            "LayerNorm",
            (
                LinearConfig::new(4, 6).init(&d),
                LayerNormConfig::new(6).init(&d),
            ),
            wave([4, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "GroupNorm",
            (
                Conv1dConfig::new(2, 4, 3).init(&d),
                GroupNormConfig::new(2, 4).init(&d),
            ),
            wave([2, 2, 7]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "InstanceNorm",
            (
                Conv1dConfig::new(2, 4, 3).init(&d),
                InstanceNormConfig::new(4).init(&d),
            ),
            wave([2, 2, 7]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "LayerNorm, without bias",
            (
                LinearConfig::new(4, 6).init(&d),
                LayerNormConfig::new(6).with_bias(false).init(&d),
            ),
            wave([4, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Normalization",
            (
                LinearConfig::new(4, 6).init(&d),
                NormalizationConfig::Layer(LayerNormConfig::new(6)).init(&d),
            ),
            wave([4, 4]),
            |m: &(Linear, Normalization), x| uneven(m.1.forward(m.0.forward(x))),
        ),
        spec(
            "RmsNorm",
            (
                LinearConfig::new(4, 6).init(&d),
                RmsNormConfig::new(6).init(&d),
            ),
            wave([4, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .partly_single(|m, x| {
            let y = m.0.forward(x);
            let size = (y.clone().square().mean_dim(1) + m.1.epsilon).sqrt();
            uneven(y / size * m.1.gamma.val().unsqueeze())
        })
        .case(),
    ]
}
