//! Deformable convolution. Burn's backward pass computes in single precision; the truth is the same
//! convolution with samples written as sums over the whole input, weighted by tents.

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{DeformConv2d, DeformConv2dConfig};
use burn::tensor::module::deform_conv2d;
use burn::tensor::ops::DeformConvOptions;
use burn::tensor::{Int, Tensor, TensorData};

use super::activations::uneven;
use super::products::device;
use super::referee::{Case, spec, wave};

type Weights = Param<Tensor<4>>;

fn weights(shape: [usize; 4]) -> Weights {
    Param::from_tensor(wave(shape))
}

/// The tensors and options of a convolution.
struct Convolution {
    input: Tensor<4>,
    offset: Tensor<4>,
    mask: Option<Tensor<4>>,
    weight: Tensor<4>,
    options: DeformConvOptions<2>,
}

impl Convolution {
    fn burns(self) -> Tensor<4> {
        deform_conv2d(
            self.input,
            self.offset,
            self.weight,
            self.mask,
            None,
            self.options,
        )
    }

    fn by_tents(self) -> Tensor<4> {
        let [batch, channels, height, width] = self.input.dims();
        let [filters, _, rows, columns] = self.weight.dims();
        let [_, _, down, along] = self.offset.dims();
        let (groups, kernel) = (self.options.offset_groups, rows * columns);
        let group = channels / groups;
        let mut out = Tensor::zeros([batch, filters, down * along], &self.input.device());
        let weight = self.all_weights();
        for g in 0..groups {
            let cells = self.input.clone().narrow(1, g * group, group);
            let cells = cells.reshape([batch, group, height * width]);
            for k in 0..kernel {
                let tent = |axis: usize, len: usize| {
                    let moved = self
                        .offset
                        .clone()
                        .narrow(1, (g * kernel + k) * 2 + axis, 1);
                    let cell = [k / columns, k % columns][axis];
                    let place = moved + self.places(axis, cell, [down, along]);
                    let place = place.reshape([batch, down * along, 1]);
                    let all = Tensor::<1, Int>::arange(0..len as i64, &place.device());
                    let all = all.float().reshape([1, 1, len]);
                    ((place - all).abs().neg() + 1.0).clamp_min(0.0)
                };
                let (vertical, horizontal) = (tent(0, height), tent(1, width));
                let tents = vertical.unsqueeze_dim::<4>(3) * horizontal.unsqueeze_dim(2);
                let tents = tents.reshape([batch, down * along, height * width]);
                let mut samples = cells.clone().matmul(tents.swap_dims(1, 2));
                if let Some(mask) = &self.mask {
                    let mask = mask.clone().narrow(1, g * kernel + k, 1);
                    samples = samples * mask.reshape([batch, 1, down * along]);
                }
                let own = weight.clone().narrow(1, g * group, group);
                let own = own.slice([0..filters, 0..group, k / columns..k / columns + 1]);
                let own = own.narrow(3, k % columns, 1).reshape([1, filters, group]);
                out = out + own.matmul(samples);
            }
        }
        out.reshape([batch, filters, down, along])
    }

    /// The weights of all channels: zero between groups.
    fn all_weights(&self) -> Tensor<4> {
        let groups = self.options.weight_groups;
        let filters = self.weight.dims()[0] / groups;
        let rows = (0..groups).map(|g| {
            let own = self.weight.clone().narrow(0, g * filters, filters);
            let row = (0..groups).map(|other| own.clone() * f64::from(u8::from(other == g)));
            Tensor::cat(row.collect(), 1)
        });
        Tensor::cat(rows.collect(), 0)
    }

    fn places(&self, axis: usize, cell: usize, places: [usize; 2]) -> Tensor<4> {
        let options = &self.options;
        let at = |place: usize| place * options.stride[axis] + cell * options.dilation[axis];
        let values: Vec<f64> = (0..places[axis])
            .map(|place| at(place) as f64 - options.padding[axis] as f64)
            .collect();
        let mut shape = [1; 4];
        shape[2 + axis] = places[axis];
        Tensor::from_data(TensorData::new(values, shape), &self.input.device())
    }
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        spec(
            "DeformConv2d",
            layer(),
            (wave([2, 2, 4, 5]), wave([2, 8, 3, 4]) * 1.3),
            |m, (x, offset)| uneven(m.forward(x, offset, None)),
        )
        .partly_single(|m, (input, offset)| {
            let bias = m.bias.as_ref().map(|bias| bias.val().reshape([1, 3, 1, 1]));
            let out = Convolution {
                input,
                offset,
                mask: None,
                weight: m.weight.val(),
                options: DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1),
            };
            let out = out.by_tents();
            uneven(match bias {
                Some(bias) => out + bias,
                None => out,
            })
        })
        .lawful()
        .case(),
        spec("deform_conv2d", parts(), (), |m, ()| {
            uneven(convolution(m).burns())
        })
        .partly_single(|m, ()| uneven(convolution(m).by_tents()))
        .lawful()
        .case(),
    ]
}

fn layer() -> DeformConv2d {
    DeformConv2dConfig::new([2, 3], [2, 2])
        .with_padding(PaddingConfig2d::Valid)
        .init(&device())
}

/// Input, offsets, mask and weights: everything moves.
type Parts = (Weights, Weights, Weights, Weights);

fn parts() -> Parts {
    (
        weights([1, 4, 4, 4]),
        weights([1, 16, 2, 3]),
        weights([1, 8, 2, 3]),
        weights([2, 2, 2, 2]),
    )
}

/// In groups, with a stride, padding and dilation; some samples fall outside.
fn convolution(m: &Parts) -> Convolution {
    Convolution {
        input: m.0.val(),
        offset: m.1.val() * 0.8,
        mask: Some(m.2.val()),
        weight: m.3.val(),
        options: DeformConvOptions::new([2, 1], [1, 0], [2, 1], 2, 2),
    }
}
