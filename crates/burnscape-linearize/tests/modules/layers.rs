//! Dense layers and normalizations.

use super::activations::uneven;
use super::referee::{Case, case, device, wave};
use burn::module::Module;
use burn::nn::conv::{Conv1dConfig, Conv2dConfig};
use burn::nn::{
    BatchNormConfig, DropoutConfig, Embedding, EmbeddingConfig, GroupNormConfig,
    InstanceNormConfig, LayerNormConfig, Linear, LinearConfig, RmsNormConfig,
};
use burn::tensor::{Int, Tensor};

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
            "Linear without bias, rank 3",
            LinearConfig::new(4, 3).with_bias(false).init(&d),
            wave([2, 5, 4]),
            |m, x| uneven(m.forward(x)),
        ),
        case("Embedding", table, words, |m, x| {
            uneven(m.linear.forward(m.table.forward(x)))
        }),
        case(
            "Dropout",
            LinearConfig::new(4, 8).init(&d),
            wave([5, 4]),
            |m, x| uneven(DropoutConfig::new(0.5).init().forward(m.forward(x))),
        )
        .drawing(),
    ]
}

fn normalizations() -> Vec<Case> {
    let d = device();
    vec![
        case(
            "BatchNorm, train",
            BatchNormConfig::new(3).init(&d),
            wave([4, 3, 2, 3]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "BatchNorm, eval",
            BatchNormConfig::new(3)
                .init(&d)
                .freeze()
                .set_require_grad(true),
            wave([4, 3, 2, 3]),
            |m, x| uneven(m.forward(x)),
        ),
        case(
            "Conv2d, BatchNorm, train",
            (
                Conv2dConfig::new([1, 3], [3, 3]).init(&d),
                BatchNormConfig::new(3).init(&d),
            ),
            wave([3, 1, 5, 5]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Linear, LayerNorm",
            (
                LinearConfig::new(4, 6).init(&d),
                LayerNormConfig::new(6).init(&d),
            ),
            wave([4, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Conv1d, GroupNorm",
            (
                Conv1dConfig::new(2, 4, 3).init(&d),
                GroupNormConfig::new(2, 4).init(&d),
            ),
            wave([2, 2, 7]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Conv1d, InstanceNorm",
            (
                Conv1dConfig::new(2, 4, 3).init(&d),
                InstanceNormConfig::new(4).init(&d),
            ),
            wave([2, 2, 7]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        ),
        case(
            "Linear, RmsNorm",
            (
                LinearConfig::new(4, 6).init(&d),
                RmsNormConfig::new(6).init(&d),
            ),
            wave([4, 4]),
            |m, x| uneven(m.1.forward(m.0.forward(x))),
        )
        .in_single(),
    ]
}
