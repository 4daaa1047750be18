//! Which layers scale with their operands.

use burn_ir::{ModuleOperationIr as Module, TensorIr};

use super::Mode;
use super::operations::one;
use super::relation::{How, Meaning, Relation, broadcast};

use Meaning::{Fixed, Related};

pub(super) fn module(op: &Module, mode: Mode) -> Meaning<'_> {
    let is_scale = mode == Mode::Scale;
    match op {
        Module::Linear(o) => {
            let last = o.x.shape.num_dims() - 1;
            let product = Relation {
                operands: vec![&o.x, &o.weight],
                summed: vec![(0, last)],
                bases: Vec::new(),
                places: Box::new(|to: &[usize], over: &[usize]| {
                    let mut x = to.to_vec();
                    let out = std::mem::replace(&mut x[to.len() - 1], over[0]);
                    Some(vec![Some(x), Some(vec![over[0], out])])
                }),
                how: How::Product(vec![1, 1]),
            };
            with_bias(product, o.bias.as_ref(), |to| to[to.len() - 1])
        }
        Module::Embedding(o) => one(Relation::summed(&o.weights, vec![0], |to, over| {
            vec![over[0], to[to.len() - 1]]
        })),
        Module::Conv1d(o) => {
            convolution(&o.x, &o.weight, o.bias.as_ref(), &o.out, o.options.groups)
        }
        Module::Conv2d(o) => {
            convolution(&o.x, &o.weight, o.bias.as_ref(), &o.out, o.options.groups)
        }
        Module::Conv3d(o) => {
            convolution(&o.x, &o.weight, o.bias.as_ref(), &o.out, o.options.groups)
        }
        Module::ConvTranspose1d(o) => {
            transposed(&o.x, &o.weight, o.bias.as_ref(), o.options.groups)
        }
        Module::ConvTranspose2d(o) => {
            transposed(&o.x, &o.weight, o.bias.as_ref(), o.options.groups)
        }
        Module::ConvTranspose3d(o) => {
            transposed(&o.x, &o.weight, o.bias.as_ref(), o.options.groups)
        }
        Module::AvgPool1d(o) => pooled(&o.x),
        Module::AvgPool2d(o) => pooled(&o.x),
        Module::AdaptiveAvgPool1d(o) => pooled(&o.x),
        Module::AdaptiveAvgPool2d(o) => pooled(&o.x),
        Module::AdaptiveAvgPool3d(o) => pooled(&o.x),
        Module::Interpolate(o) => pooled(&o.x),
        Module::MaxPool1d(o) if is_scale => pooled(&o.x),
        Module::MaxPool1dWithIndices(o) if is_scale => pooled(&o.x),
        Module::MaxPool2d(o) if is_scale => pooled(&o.x),
        Module::MaxPool2dWithIndices(o) if is_scale => pooled(&o.x),
        Module::Unfold4d(o) => {
            let window: usize = o.kernel_size.iter().product();
            one(Relation::summed(&o.x, vec![2, 3], move |to, over| {
                vec![to[0], to[1] / window.max(1), over[0], over[1]]
            }))
        }
        _ => Fixed,
    }
}

fn with_bias<'o>(
    product: Relation<'o>,
    bias: Option<&'o TensorIr>,
    channel: fn(&[usize]) -> usize,
) -> Meaning<'o> {
    let mut relations = vec![product];
    let bias = bias.map(|bias| {
        let place = move |to: &[usize]| broadcast(bias, &[channel(to)]);
        Relation::moved(bias, place)
    });
    relations.extend(bias);
    Related(relations)
}

fn pooled(x: &TensorIr) -> Meaning<'_> {
    let axes: Vec<usize> = (2..x.shape.num_dims()).collect();
    one(Relation::summed(x, axes, |to, over| {
        to[..2].iter().chain(over).copied().collect()
    }))
}

/// Weight `[out, in / groups, …]`.
fn convolution<'o>(
    x: &'o TensorIr,
    weight: &'o TensorIr,
    bias: Option<&'o TensorIr>,
    out: &'o TensorIr,
    groups: usize,
) -> Meaning<'o> {
    let rank = x.shape.num_dims();
    let (outputs, inputs) = (out.shape[1] / groups.max(1), weight.shape[1]);
    let positions = (2..rank).map(|axis| (0, axis));
    let kernel = (2..rank).map(|axis| (1, axis));
    let summed = std::iter::once((1, 1)).chain(positions).chain(kernel);
    let product = Relation {
        operands: vec![x, weight],
        summed: summed.collect(),
        bases: Vec::new(),
        places: Box::new(move |to, over| {
            let group = to[1] / outputs.max(1);
            let (positions, kernel) = over[1..].split_at(rank - 2);
            let mut of_x = vec![to[0], group * inputs + over[0]];
            of_x.extend_from_slice(positions);
            let mut of_weight = vec![to[1], over[0]];
            of_weight.extend_from_slice(kernel);
            Some(vec![Some(of_x), Some(of_weight)])
        }),
        how: How::Product(vec![1, 1]),
    };
    with_bias(product, bias, |to| to[1])
}

/// Weight `[in, out / groups, …]`.
fn transposed<'o>(
    x: &'o TensorIr,
    weight: &'o TensorIr,
    bias: Option<&'o TensorIr>,
    groups: usize,
) -> Meaning<'o> {
    let rank = x.shape.num_dims();
    let (inputs, outputs) = (weight.shape[0] / groups.max(1), weight.shape[1]);
    let positions = (2..rank).map(|axis| (0, axis));
    let kernel = (2..rank).map(|axis| (1, axis));
    let summed = std::iter::once((0, 1)).chain(positions).chain(kernel);
    let product = Relation {
        operands: vec![x, weight],
        summed: summed.collect(),
        bases: Vec::new(),
        places: Box::new(move |to, over| {
            let group = to[1] / outputs.max(1);
            // Channels of other groups are not read.
            if over[0] / inputs.max(1) != group {
                return None;
            }
            let (positions, kernel) = over[1..].split_at(rank - 2);
            let mut of_x = vec![to[0], over[0]];
            of_x.extend_from_slice(positions);
            let mut of_weight = vec![over[0], to[1] % outputs.max(1)];
            of_weight.extend_from_slice(kernel);
            Some(vec![Some(of_x), Some(of_weight)])
        }),
        how: How::Product(vec![1, 1]),
    };
    with_bias(product, bias, |to| to[1])
}
