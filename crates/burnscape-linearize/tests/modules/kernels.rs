//! The functions of `burn::tensor::module`, with what layers do not ask of them: uneven padding,
//! attention with a bias and a cap, normalization with given statistics.

use burn::module::Param;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, Conv3dConfig};
use burn::nn::conv::{ConvTranspose1dConfig, ConvTranspose2dConfig, ConvTranspose3dConfig};
use burn::nn::{EmbeddingConfig, LayerNormConfig, LinearConfig};
use burn::tensor::loss::cross_entropy_with_logits;
use burn::tensor::ops::{
    AttentionModuleOptions, AvgPoolOptions, ConvOptions, ConvTransposeOptions, GridSampleOptions,
    InterpolateMode, InterpolateOptions, MaxPoolOptions, UnfoldOptions,
};
use burn::tensor::{Bool, Int, Tensor, module};

use super::activations::uneven;
use super::products::device;
use super::referee::{Case, case, wave};

/// A parameter of any shape.
fn weights<const D: usize>(shape: [usize; D]) -> Param<Tensor<D>> {
    Param::from_tensor(wave(shape))
}

/// The bias of a layer that has one.
fn bias(bias: &Option<Param<Tensor<1>>>) -> Option<Tensor<1>> {
    bias.as_ref().map(Param::val)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = convolutions();
    cases.extend(pools());
    cases.extend(dense());
    cases.extend(attention());
    cases
}

fn convolutions() -> Vec<Case> {
    let d = device();
    vec![
        case(
            "conv1d, uneven padding",
            Conv1dConfig::new(2, 3, 3).init(&d),
            wave([2, 2, 7]),
            |m: &Conv1d, x| {
                let options = ConvOptions::new_with_padding([2], [(2, 0)], [1], 1);
                let y = module::conv1d(x, m.weight.val(), bias(&m.bias), options);
                uneven(y)
            },
        ),
        case(
            "conv2d, uneven padding",
            Conv2dConfig::new([2, 4], [2, 3]).with_groups(2).init(&d),
            wave([2, 2, 5, 5]),
            |m: &Conv2d, x| {
                let padding = [(1, 0), (0, 2)];
                let options = ConvOptions::new_with_padding([1, 2], padding, [2, 1], 2);
                let y = module::conv2d(x, m.weight.val(), bias(&m.bias), options);
                uneven(y)
            },
        ),
        case(
            "conv3d, groups",
            Conv3dConfig::new([2, 2], [2, 2, 2]).with_groups(2).init(&d),
            wave([1, 2, 3, 3, 4]),
            |m, x| {
                let options = ConvOptions::new([1, 1, 2], [0, 1, 0], [1, 1, 1], 2);
                let y = module::conv3d(x, m.weight.val(), bias(&m.bias), options);
                uneven(y)
            },
        ),
        case(
            "conv_transpose1d, groups",
            ConvTranspose1dConfig::new([2, 4], 3)
                .with_groups(2)
                .init(&d),
            wave([2, 2, 4]),
            |m, x| {
                let options = ConvTransposeOptions::new([2], [1], [1], [2], 2);
                let y = module::conv_transpose1d(x, m.weight.val(), bias(&m.bias), options);
                uneven(y)
            },
        ),
        case(
            "conv_transpose2d, padding out",
            ConvTranspose2dConfig::new([2, 2], [2, 3]).init(&d),
            wave([2, 2, 3, 3]),
            |m, x| {
                let options = ConvTransposeOptions::new([2, 1], [1, 0], [1, 0], [1, 2], 1);
                let y = module::conv_transpose2d(x, m.weight.val(), bias(&m.bias), options);
                uneven(y)
            },
        ),
        case(
            "conv_transpose3d, padding out",
            ConvTranspose3dConfig::new([2, 2], [2, 2, 2]).init(&d),
            wave([1, 2, 2, 2, 2]),
            |m, x| {
                let options =
                    ConvTransposeOptions::new([2, 1, 1], [1, 0, 0], [1, 0, 0], [1, 1, 1], 1);
                let y = module::conv_transpose3d(x, m.weight.val(), bias(&m.bias), options);
                uneven(y)
            },
        ),
        case(
            "conv2d_weight_backward",
            (
                weights([2, 2, 4, 4]),
                weights([3, 2, 2, 2]),
                weights([2, 3, 3, 3]),
            ),
            (),
            |m, ()| {
                let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
                let (x, weight, gradient) = (m.0.val(), m.1.val(), m.2.val());
                uneven(module::conv2d_weight_backward(x, weight, gradient, options))
            },
        ),
        case("unfold4d", weights([1, 2, 4, 5]), (), |m, ()| {
            let options = UnfoldOptions::new([1, 2], [1, 0], [2, 1]);
            uneven(module::unfold4d(m.val(), [2, 3], options))
        }),
        case("fold4d", weights([1, 8, 6]), (), |m, ()| {
            let options = UnfoldOptions::new([1, 2], [0, 1], [1, 1]);
            uneven(module::fold4d(m.val(), [3, 4], [2, 2], options))
        }),
    ]
}

fn pools() -> Vec<Case> {
    let image = || weights([2, 2, 5, 5]);
    let line = || weights([2, 2, 9]);
    let max1 = || MaxPoolOptions::new([3]).with_stride([2]);
    let max2 = || MaxPoolOptions::new([2, 3]).with_stride([2, 2]);
    vec![
        case("max_pool1d, dilated", line(), (), move |m, ()| {
            uneven(module::max_pool1d(m.val(), max1().with_dilation([2])))
        }),
        case("max_pool2d, uneven padding", image(), (), move |m, ()| {
            let options = max2().with_padding_pairs([(1, 0), (0, 1)]);
            uneven(module::max_pool2d(m.val(), options))
        }),
        case("max_pool1d_with_indices", line(), (), move |m, ()| {
            let options = max1().with_padding_pairs([(1, 0)]);
            uneven(module::max_pool1d_with_indices(m.val(), options).0)
        }),
        case("max_pool2d_with_indices", image(), (), move |m, ()| {
            let options = max2().with_ceil_mode(true);
            uneven(module::max_pool2d_with_indices(m.val(), options).0)
        }),
        case("avg_pool1d, uneven padding", line(), (), |m, ()| {
            let options = AvgPoolOptions::new([3]).with_padding_pairs([(1, 0)]);
            uneven(module::avg_pool1d(m.val(), options))
        }),
        case("avg_pool2d, without the padding", image(), (), |m, ()| {
            let options = AvgPoolOptions::new([2, 2])
                .with_padding([1, 1])
                .with_ceil_mode(true)
                .with_count_include_pad(false);
            uneven(module::avg_pool2d(m.val(), options))
        }),
        case("adaptive_avg_pool1d", line(), (), |m, ()| {
            uneven(module::adaptive_avg_pool1d(m.val(), 4))
        }),
        case("adaptive_avg_pool2d", image(), (), |m, ()| {
            uneven(module::adaptive_avg_pool2d(m.val(), [3, 2]))
        }),
        case(
            "adaptive_avg_pool3d",
            weights([1, 2, 3, 4, 3]),
            (),
            |m, ()| uneven(module::adaptive_avg_pool3d(m.val(), [2, 3, 1])),
        ),
        case("interpolate, corners aligned", image(), (), |m, ()| {
            let options = InterpolateOptions::new(InterpolateMode::Bilinear)
                .with_output_size([7, 3])
                .with_align_corners(true);
            uneven(module::interpolate(m.val(), options))
        }),
        case(
            "grid_sample_2d",
            (image(), weights([2, 3, 4, 2])),
            (),
            |m, ()| {
                let (image, grid) = (m.0.val(), m.1.val() * 0.9);
                uneven(image.grid_sample_2d(grid, GridSampleOptions::default()))
            },
        ),
    ]
}

fn dense() -> Vec<Case> {
    let d = device();
    vec![
        case(
            "linear, rank 1",
            LinearConfig::new(4, 3).init(&d),
            wave([4]),
            |m, x| uneven(module::linear(x, m.weight.val(), bias(&m.bias))),
        ),
        case(
            "embedding",
            EmbeddingConfig::new(5, 3).init(&d),
            Tensor::<2, Int>::from_data([[1, 4, 1], [0, 0, 3]], &d),
            |m, x| uneven(module::embedding(m.weight.val(), x)),
        ),
        case(
            "layer_norm",
            (weights([3, 4]), LayerNormConfig::new(4).init(&d)),
            (),
            |m, ()| {
                let (gamma, beta) = (m.1.gamma.val(), bias(&m.1.beta));
                uneven(module::layer_norm(m.0.val(), gamma, beta, 1e-3))
            },
        ),
        case(
            "batch_norm",
            vec![weights([3]), weights([3]), weights([3]), weights([3])],
            wave([4, 3, 2]),
            |m, x| {
                let (mean, spread) = (m[2].val(), m[3].val().square() + 0.3);
                uneven(module::batch_norm(
                    x,
                    m[0].val(),
                    m[1].val(),
                    mean,
                    spread,
                    1e-3,
                ))
            },
        ),
        case(
            "batch_norm_train",
            (weights([4, 3, 2]), vec![weights([3]), weights([3])]),
            (),
            |m, ()| {
                let (gamma, beta) = (m.1[0].val(), m.1[1].val());
                uneven(module::batch_norm_train(m.0.val(), gamma, beta, 1e-3).output)
            },
        ),
        case(
            "cross_entropy_with_logits",
            weights([3, 4]),
            wave([3, 4]),
            |m, t| cross_entropy_with_logits(m.val(), t.square()),
        ),
        case("ctc_loss", weights([5, 2, 4]), (), |m, ()| {
            let d = m.val().device();
            let probabilities = burn::tensor::activation::log_softmax(m.val(), 2);
            let targets = Tensor::<2, Int>::from_data([[1, 2], [3, 3]], &d);
            let len = Tensor::<1, Int>::from_data([5, 4], &d);
            let kept = Tensor::<1, Int>::from_data([2, 2], &d);
            let loss = module::ctc_loss(probabilities, targets, len, kept, 0);
            uneven(loss * 0.3)
        }),
    ]
}

/// Queries, keys, values and a bias.
type Heads = (Weights, Weights, Weights, Weights);
type Weights = Param<Tensor<4>>;

fn heads() -> Heads {
    (
        weights([1, 2, 3, 4]),
        weights([1, 2, 5, 4]),
        weights([1, 2, 5, 3]),
        weights([1, 2, 3, 5]),
    )
}

fn attention() -> Vec<Case> {
    let mask = || {
        let cells: Tensor<4> = wave([1, 2, 3, 5]);
        cells.greater_elem(0.6)
    };
    let options = || AttentionModuleOptions {
        scale: Some(0.7),
        // Burn differentiates the division by the cap in single precision: one that is exact there.
        softcap: Some(2.0),
        is_causal: false,
    };
    vec![
        case(
            "attention",
            heads(),
            mask(),
            move |m: &Heads, mask: Tensor<4, Bool>| {
                let (query, key, value) = (m.0.val(), m.1.val(), m.2.val());
                let bias = Some(m.3.val());
                uneven(module::attention(
                    query,
                    key,
                    value,
                    Some(mask),
                    bias,
                    options(),
                ))
            },
        ),
        case("attention, causal", heads(), (), |m: &Heads, ()| {
            let (query, key, value) = (m.0.val(), m.1.val(), m.2.val());
            let options = AttentionModuleOptions {
                is_causal: true,
                ..Default::default()
            };
            uneven(module::attention(query, key, value, None, None, options))
        }),
        case(
            "attention_fallback",
            heads(),
            mask(),
            move |m: &Heads, mask| {
                let (query, key, value) = (m.0.val(), m.1.val(), m.2.val());
                let bias = Some(m.3.val());
                uneven(module::attention_fallback(
                    query,
                    key,
                    value,
                    Some(mask),
                    bias,
                    options(),
                ))
            },
        ),
    ]
}
