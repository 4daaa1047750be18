//! Scales, signs and gauges of small programs, against what algebra says.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::Shape;

use super::{Mode, scalings};
use crate::record::{C, Symbol};
use crate::rule::tests::{Given, program};

/// For each symmetry, the exponent of every input, where all places of an input have the same one. The last input is the
/// batch.
fn found(shapes: &[&[usize]], mode: Mode, operation: impl Fn(&Given) -> Symbol) -> Vec<Vec<i64>> {
    let program = program(shapes, operation);
    let count = shapes.len() - 1;
    let found = scalings(&program, count, &vec![true; count], mode).found;
    let exponents = found.iter().map(|scaling| {
        let mut exponents = vec![0; count];
        for place in &scaling.places {
            assert_eq!(place.exponent.1, 1);
            exponents[place.input] = place.exponent.0;
        }
        exponents
    });
    exponents.collect()
}

const MLP: &[&[usize]] = &[&[3, 4], &[1, 4], &[4, 2], &[5, 3]];

fn mlp(given: &Given, activation: impl Fn(Symbol) -> Symbol) -> Symbol {
    let hidden = C::float_add(C::float_matmul(given.at(3), given.at(0)), given.at(1));
    C::float_matmul(activation(hidden), given.at(2))
}

#[test]
fn units_scale_where_their_activation_does() {
    let relu = |mode| found(MLP, mode, |given| mlp(given, C::relu));
    assert_eq!(relu(Mode::Scale), [[1, 1, -1]]);
    assert!(relu(Mode::Sign).is_empty());
    assert!(relu(Mode::Gauge).is_empty());
    let tanh = |mode| found(MLP, mode, |given| mlp(given, C::float_tanh));
    assert!(tanh(Mode::Scale).is_empty());
    assert_eq!(tanh(Mode::Sign), [[1, 1, 1]]);
    let square = |given: &Given| mlp(given, |x| C::float_powi_scalar(x, 2.into()));
    assert_eq!(found(MLP, Mode::Scale, square), [[1, 1, -2]]);
    assert_eq!(found(MLP, Mode::Sign, square), [[1, 1, 0]]);
}

#[test]
fn two_linear_layers_turn_into_each_other() {
    let linear = |mode| found(MLP, mode, |given| mlp(given, |x| x));
    assert_eq!(linear(Mode::Gauge), [[1, 1, -1]]);
    assert_eq!(linear(Mode::Scale), [[1, 1, -1]]);
}

#[test]
fn a_gated_unit_scales_without_its_gate() {
    let shapes: &[&[usize]] = &[&[3, 4], &[3, 4], &[4, 2], &[5, 3]];
    let gated = |given: &Given| {
        let gate = C::sigmoid(C::float_matmul(given.at(3), given.at(0)));
        let up = C::float_matmul(given.at(3), given.at(1));
        C::float_matmul(C::float_mul(gate, up), given.at(2))
    };
    assert_eq!(found(shapes, Mode::Scale, gated), [[0, 1, -1]]);
    assert_eq!(found(shapes, Mode::Sign, gated), [[0, 1, 1]]);
    assert!(found(shapes, Mode::Gauge, gated).is_empty());
}

#[test]
fn heads_scale_and_turn_by_queries_and_keys_and_by_values() {
    let (d, h, k): (usize, usize, usize) = (6, 2, 3);
    let shapes: &[&[usize]] = &[&[1, 6, 6], &[1, 6, 6], &[1, 6, 6], &[1, 6, 6], &[2, 5, 6]];
    let attention = |given: &Given| {
        let heads = |w: Symbol| {
            let y = C::float_matmul(given.at(4), w);
            let y = C::float_reshape(y, Shape::from([2, 5, h, k]));
            C::float_swap_dims(y, 1, 2)
        };
        let (q, key, v) = (heads(given.at(0)), heads(given.at(1)), heads(given.at(2)));
        let scores = C::float_matmul(q, C::float_swap_dims(key, 2, 3));
        let scores = C::softmax(scores, 3);
        let mixed = C::float_swap_dims(C::float_matmul(scores, v), 1, 2);
        let mixed = C::float_reshape(mixed, Shape::from([2, 5, d]));
        C::float_matmul(mixed, given.at(3))
    };
    let expected = [vec![1, -1, 0, 0], vec![0, 0, 1, -1]];
    for mode in [Mode::Scale, Mode::Gauge] {
        let mut found = found(shapes, mode, attention);
        found.sort_by(|a, b| b.cmp(a));
        assert_eq!(found, expected);
    }
}

#[test]
fn a_group_convolution_scales_by_channel() {
    let shapes: &[&[usize]] = &[&[4, 3, 3], &[6, 2, 3], &[2, 6, 1], &[2, 3, 9]];
    let net = |given: &Given| {
        use burn::backend::ops::{ConvOptions, ModuleOps};
        let conv =
            |x, weight, groups| C::conv1d(x, weight, None, ConvOptions::new([1], [1], [1], groups));
        let hidden = C::relu(conv(given.at(3), given.at(0), 1));
        let hidden = C::relu(conv(hidden, given.at(1), 2));
        conv(hidden, given.at(2), 1)
    };
    let mut found = found(shapes, Mode::Scale, net);
    found.sort_by(|a, b| b.cmp(a));
    // Each for the channels within a group; the groups themselves scale as their channels do.
    assert_eq!(found, [[1, -1, 0], [0, 1, -1]]);
}

#[test]
fn a_normalized_stream_turns() {
    // Embedded, normalized with a gain, read and written once, normalized again and read.
    let shapes: &[&[usize]] = &[
        &[3, 4],
        &[1, 4],
        &[4, 5],
        &[5, 4],
        &[1, 4],
        &[4, 2],
        &[6, 3],
    ];
    let stream = |centered: bool| {
        move |given: &Given| {
            let norm = |x: Symbol, gain: Symbol| {
                let x = if centered {
                    C::float_sub(x.clone(), C::float_mean_dim(x, 1))
                } else {
                    x
                };
                let square = C::float_mul(x.clone(), x.clone());
                let size = C::float_sqrt(C::float_add_scalar(
                    C::float_mean_dim(square, 1),
                    1e-5.into(),
                ));
                C::float_mul(C::float_div(x, size), gain)
            };
            let x = C::float_matmul(given.at(6), given.at(0));
            let read = C::float_matmul(norm(x.clone(), given.at(1)), given.at(2));
            let x = C::float_add(x, C::float_matmul(C::float_tanh(read), given.at(3)));
            C::float_matmul(norm(x, given.at(4)), given.at(5))
        }
    };
    for centered in [false, true] {
        let program = program(shapes, stream(centered));
        let turned = scalings(&program, 6, &[true; 6], Mode::Rotation).found;
        assert_eq!(turned.len(), 1, "{turned:?}");
        let mut inputs: Vec<usize> = turned[0].places.iter().map(|place| place.input).collect();
        inputs.sort_unstable();
        assert_eq!(inputs, [0, 2, 3, 5]);
        assert_eq!(turned[0].gains, [1, 4]);
        assert_eq!(turned[0].keeps_ones, centered);
    }
    // Without a normalization the stream turns by any matrix, and with a tanh by none.
    assert!(found(MLP, Mode::Rotation, |given| mlp(given, C::float_tanh)).is_empty());
}

#[test]
fn parts_that_are_joined_scale_together() {
    let shapes: &[&[usize]] = &[&[3, 4], &[3, 4], &[4, 2], &[5, 3]];
    let joined = |given: &Given| {
        let part = |index| C::relu(C::float_matmul(given.at(3), given.at(index)));
        C::float_matmul(C::float_cat(vec![part(0), part(1)], 0), given.at(2))
    };
    assert_eq!(found(shapes, Mode::Scale, joined), [[1, 1, -1]]);
    // A matrix of ones passes no factor.
    let shapes: &[&[usize]] = &[&[4, 2], &[5, 4]];
    let ones = |given: &Given| {
        let ones = C::float_ones(
            Shape::from([1, 4]),
            &given.device,
            burn::tensor::FloatDType::F64,
        );
        let all = C::float_matmul(ones, given.at(0));
        C::float_mul(C::float_sum_dim(given.at(1), 1), all)
    };
    assert!(found(shapes, Mode::Scale, ones).is_empty());
}
