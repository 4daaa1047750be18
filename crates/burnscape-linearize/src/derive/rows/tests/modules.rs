//! Modules of Burn on a batch of three examples, as they are traced.

use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::{AdaptiveAvgPool2dConfig, MaxPool2dConfig};
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    BatchNormConfig, BiLstmConfig, DropoutConfig, GroupNormConfig, GruConfig, InstanceNormConfig,
    LayerNormConfig, LinearConfig, LstmConfig, RmsNormConfig,
};
use burn::tensor::activation::{gelu, silu, softmax};
use burn::tensor::{Device, Tensor};

use super::{check, is_by_rows, refused};
use crate::program::Program;
use crate::rule::tests::plain;
use crate::trace::OutputTrace;

fn device() -> Device {
    plain().autodiff()
}

/// The outputs of a model as a program, with the batch last.
fn traced<M: Module, const D: usize, const E: usize>(
    model: M,
    shape: [usize; D],
    forward: fn(&M, Tensor<D>) -> Tensor<E>,
) -> Program {
    let batch = Tensor::<D>::zeros(shape, &device());
    let trace = OutputTrace::new(
        model,
        plain().settings(),
        |inputs| inputs.float(batch),
        |model, x| forward(model, x.clone()),
    );
    trace.expect("a trace").forward()
}

fn batch(program: &Program) -> usize {
    program.input("batch.0").expect("a batch")
}

fn apart() -> Vec<(&'static str, Program)> {
    let d = &device();
    vec![
        (
            "dense layers",
            traced(
                (
                    LinearConfig::new(4, 8).init(d),
                    LayerNormConfig::new(8).init(d),
                    LinearConfig::new(8, 2).init(d),
                ),
                [3, 4],
                |m, x| {
                    let hidden = m.1.forward(m.0.forward(x).tanh());
                    m.2.forward(softmax(gelu(hidden.clone()) + silu(hidden), 1))
                },
            ),
        ),
        (
            "convolutions",
            traced(
                (
                    Conv2dConfig::new([2, 4], [3, 3]).init(d),
                    GroupNormConfig::new(2, 4).init(d),
                    LinearConfig::new(16, 2).init(d),
                ),
                [3, 2, 8, 8],
                |m, x| {
                    let hidden = m.1.forward(m.0.forward(x));
                    let hidden = MaxPool2dConfig::new([2, 2]).init().forward(hidden);
                    let pool = AdaptiveAvgPool2dConfig::new([2, 2]).init();
                    m.2.forward(pool.forward(hidden).flatten::<2>(1, 3))
                },
            ),
        ),
        (
            "normalizations of an example",
            traced(
                (
                    InstanceNormConfig::new(4).init(d),
                    RmsNormConfig::new(6).init(d),
                ),
                [3, 4, 6],
                |m, x| m.1.forward(m.0.forward(x)),
            ),
        ),
        (
            "batch normalization, evaluated",
            traced(
                (
                    LinearConfig::new(4, 6).init(d),
                    BatchNormConfig::new(6).init(d).freeze(),
                ),
                [3, 4],
                |m, x| m.1.forward(m.0.forward(x)),
            ),
        ),
        (
            "attention",
            traced(
                MultiHeadAttentionConfig::new(8, 2)
                    .with_dropout(0.0)
                    .init(d),
                [3, 5, 8],
                |m, x| {
                    let context = m.forward(MhaInput::self_attn(x)).context;
                    context.mean_dim(1).flatten::<2>(1, 2)
                },
            ),
        ),
        (
            "a transformer",
            traced(
                TransformerEncoderConfig::new(8, 16, 2, 2)
                    .with_dropout(0.0)
                    .init(d),
                [3, 5, 8],
                |m, x| m.forward(TransformerEncoderInput::new(x)),
            ),
        ),
        (
            "Lstm",
            traced(LstmConfig::new(3, 4, true).init(d), [3, 5, 3], |m, x| {
                m.forward(x, None).0
            }),
        ),
        (
            "Lstm, the last state",
            traced(LstmConfig::new(3, 4, true).init(d), [3, 5, 3], |m, x| {
                m.forward(x, None).1.hidden
            }),
        ),
        (
            "Gru",
            traced(GruConfig::new(3, 4, true).init(d), [3, 5, 3], |m, x| {
                m.forward(x, None)
            }),
        ),
        (
            "BiLstm",
            traced(BiLstmConfig::new(3, 4, true).init(d), [3, 5, 3], |m, x| {
                m.forward(x, None).0
            }),
        ),
    ]
}

#[test]
fn modules_that_process_examples_separately_are_accepted() {
    for (name, program) in apart() {
        let input = batch(&program);
        assert_eq!(check(&program, input), Ok(()), "{name}\n{program}");
        assert!(is_by_rows(&program, input), "{name}");
    }
}

/// A mask is drawn for the whole batch, but does not depend on it.
#[test]
fn draws_do_not_mix_rows() {
    let model = (
        LinearConfig::new(4, 6).init(&device()),
        DropoutConfig::new(0.3).init(),
    );
    let program = traced(model.train(), [3, 4], |m, x| m.1.forward(m.0.forward(x)));
    assert!(format!("{program}").contains("Random"), "{program}");
    assert_eq!(check(&program, batch(&program)), Ok(()), "{program}");
}

#[test]
fn batch_normalization_in_training_is_refused() {
    let model = (
        LinearConfig::new(4, 6).init(&device()),
        BatchNormConfig::new(6).init(&device()),
    );
    let program = traced(model.train(), [3, 4], |m, x| m.1.forward(m.0.forward(x)));
    let refused = refused(&program, batch(&program));
    assert_eq!(
        refused.as_deref(),
        Some("NumericFloat::MeanDim"),
        "{program}"
    );
}
