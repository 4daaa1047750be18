//! Our convolutions against sums written as in the definition, in f64.

mod programs;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Conv, Kind};

/// One axis: input, kernel, stride, zeros before and behind, dilation.
#[derive(Debug, Clone, Copy)]
struct Side {
    input: usize,
    kernel: usize,
    stride: usize,
    before: usize,
    behind: usize,
    dilation: usize,
}

impl Side {
    const ONE: Self = Self {
        input: 1,
        kernel: 1,
        stride: 1,
        before: 0,
        behind: 0,
        dilation: 1,
    };

    /// The number of outputs, if the kernel fits.
    fn output(&self) -> Option<usize> {
        let reach = (self.kernel - 1) * self.dilation + 1;
        let free = (self.input + self.before + self.behind).checked_sub(reach)?;
        Some(free / self.stride + 1)
    }
}

#[derive(Debug, Clone)]
struct Case {
    batch: usize,
    groups: usize,
    /// The channels of a group.
    inputs: usize,
    outputs: usize,
    sides: Vec<Side>,
}

fn sides(rank: usize) -> impl Strategy<Value = Vec<Side>> {
    let longest: usize = [24, 14, 7][rank - 1];
    let kernel: usize = [7, 7, 3][rank - 1];
    let side = (
        1..=longest,
        1..=kernel,
        1..=3_usize,
        0..=4_usize,
        0..=4_usize,
        1..=3_usize,
    );
    let side = side.prop_map(
        move |(input, kernel, stride, before, behind, dilation)| Side {
            input,
            kernel,
            stride,
            before,
            behind: if rank == 3 { before } else { behind },
            dilation,
        },
    );
    let side = side.prop_filter("the kernel fits", |side| side.output().is_some());
    proptest::collection::vec(side, rank)
}

fn cases() -> impl Strategy<Value = Case> {
    let sides = (1..=3_usize).prop_flat_map(sides);
    (1..=5_usize, 1..=3_usize, 1..=5_usize, 1..=9_usize, sides).prop_map(
        |(batch, groups, inputs, outputs, sides)| Case {
            batch,
            groups,
            inputs,
            outputs,
            sides,
        },
    )
}

fn runner(cases: u32) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[23; 32]);
    TestRunner::new_with_rng(
        Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        },
        rng,
    )
}

impl Case {
    fn conv(&self) -> Conv {
        let axes = |of: fn(&Side) -> usize| {
            let mut axes = [of(&Side::ONE); 3];
            let from = 3 - self.sides.len();
            self.sides
                .iter()
                .enumerate()
                .for_each(|(a, side)| axes[from + a] = of(side));
            axes
        };
        Conv {
            batch: self.batch,
            groups: self.groups,
            inputs: self.groups * self.inputs,
            outputs: self.groups * self.outputs,
            input: axes(|side| side.input),
            kernel: axes(|side| side.kernel),
            output: axes(|side| side.output().expect("the kernel fits")),
            stride: axes(|side| side.stride),
            padding: axes(|side| side.before),
            dilation: axes(|side| side.dilation),
        }
    }
}

fn waves(len: usize, phase: f64) -> Vec<f64> {
    (0..len)
        .map(|i| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin())
        .collect()
}

/// The convolution and both gradients, as in the definition.
fn defined(conv: &Conv, x: &[f64], weight: &[f64], gradient: &[f64]) -> [Vec<f64>; 3] {
    let mut sums =
        [conv.output_len(), conv.input_len(), conv.weight_len()].map(|len| vec![0.0; len]);
    let [ci, co] = conv.channels();
    let indices =
        |[a, b, c]: [usize; 3]| (0..a * b * c).map(move |i| [i / (b * c), i / c % b, i % c]);
    let at = |[i, j, k]: [usize; 3], [_, b, c]: [usize; 3]| (i * b + j) * c + k;
    for image in 0..conv.batch {
        for output in 0..conv.outputs {
            for position in indices(conv.output) {
                let y =
                    (image * conv.outputs + output) * conv.positions() + at(position, conv.output);
                for (input, tap) in
                    (0..ci).flat_map(|input| indices(conv.kernel).map(move |tap| (input, tap)))
                {
                    let read: [usize; 3] = std::array::from_fn(|a| {
                        // Places before the input wrap around to large numbers.
                        (position[a] * conv.stride[a] + tap[a] * conv.dilation[a])
                            .wrapping_sub(conv.padding[a])
                    });
                    if (0..3).any(|a| read[a] >= conv.input[a]) {
                        continue;
                    }
                    let channel = image * conv.inputs + output / co * ci + input;
                    let from = channel * conv.plane() + at(read, conv.input);
                    let w = (output * ci + input) * conv.taps() + at(tap, conv.kernel);
                    sums[0][y] += x[from] * weight[w];
                    sums[1][from] += gradient[y] * weight[w];
                    sums[2][w] += gradient[y] * x[from];
                }
            }
        }
    }
    sums
}

/// The largest difference, relative to the largest number if that is above one.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most, d| {
        if d.is_nan() {
            f64::INFINITY
        } else {
            d.max(most)
        }
    }) / largest
}

#[test]
fn convolutions_are_the_sums_of_their_definition() {
    let outcome = runner(400).run(&cases(), |case| {
        let conv = case.conv();
        let x = waves(conv.input_len(), 0.5);
        let (weight, gradient) = (waves(conv.weight_len(), 3.0), waves(conv.output_len(), 7.0));
        let expected = defined(&conv, &x, &weight, &gradient);
        let errors = errors(&conv, [&x, &weight, &gradient], &expected);
        prop_assert!(errors < 1e-13, "{errors:.1e}");
        Ok(())
    });
    outcome.expect("the same sums");
}

/// The largest error of the convolution with a bias and of both gradients, alone and as sums over two pairs, in all
/// ways.
fn errors(conv: &Conv, [x, weight, gradient]: [&[f64]; 3], expected: &[Vec<f64>; 3]) -> f64 {
    let bias = waves(conv.outputs, 11.0);
    let mut most = 0.0_f64;
    for (kind, [a, b]) in [
        (Kind::Forward, [x, weight]),
        (Kind::Input, [weight, gradient]),
        (Kind::Weight, [x, gradient]),
    ] {
        let is_biased = kind == Kind::Forward;
        let bias = is_biased.then_some(&bias[..]);
        let expected = |terms: f64| -> Vec<f64> {
            let sums = expected[kind as usize].iter().enumerate();
            let shift = |i: usize| bias.map_or(0.0, |b| b[i / conv.positions() % b.len()]);
            sums.map(|(i, sum)| terms * sum + shift(i)).collect()
        };
        let third: Vec<f64> = a.iter().map(|a| a / 3.0).collect();
        for is_tiled in [false, true] {
            let single = conv.sum(kind, is_tiled, &[[a, b]], bias);
            let double = conv.sum(kind, is_tiled, &[[a, b], [&third[..], b]], bias);
            most = most.max(difference(&single, &expected(1.0)));
            most = most.max(difference(&double, &expected(4.0 / 3.0)));
        }
    }
    most
}

/// Convolutions that have tiles, with any zeros around them.
fn tiled_cases() -> impl Strategy<Value = Case> {
    let side = (1..=19_usize, 0..=4_usize, 0..=4_usize);
    let side = side.prop_map(|(input, before, behind)| Side {
        input,
        kernel: 3,
        before,
        behind,
        ..Side::ONE
    });
    let side = side.prop_filter("the kernel fits", |side| side.output().is_some());
    let sides = proptest::collection::vec(side, 2);
    (1..=40_usize, 1..=2_usize, 1..=5_usize, 1..=9_usize, sides).prop_map(
        |(batch, groups, inputs, outputs, sides)| Case {
            batch,
            groups,
            inputs,
            outputs,
            sides,
        },
    )
}

#[test]
fn tiles_give_the_sums_of_the_definition() {
    let outcome = runner(150).run(&tiled_cases(), |case| {
        let conv = case.conv();
        prop_assert!(conv.has_tiles());
        let x = waves(conv.input_len(), 0.5);
        let (weight, gradient) = (waves(conv.weight_len(), 3.0), waves(conv.output_len(), 7.0));
        let expected = defined(&conv, &x, &weight, &gradient);
        let errors = errors(&conv, [&x, &weight, &gradient], &expected);
        prop_assert!(errors < 1e-13, "{errors:.1e}");
        Ok(())
    });
    outcome.expect("the same sums");
}

/// An output in tiles depends on its own window only, as in the definition: zeros give exactly zero beside other numbers,
/// and what is not a number stays where it is.
#[test]
fn outputs_in_tiles_read_nothing_outside_their_windows() {
    let side = Side {
        input: 9,
        kernel: 3,
        before: 1,
        behind: 1,
        ..Side::ONE
    };
    let case = Case {
        batch: 1,
        groups: 1,
        inputs: 1,
        outputs: 1,
        sides: vec![side; 2],
    };
    let conv = case.conv();
    let weight = waves(9, 3.0);
    for at in 0..conv.input_len() {
        for number in [1.0 / 3.0, f64::INFINITY, f64::NAN] {
            let mut x = vec![0.0; conv.input_len()];
            x[at] = number;
            for (kind, pair) in [(Kind::Forward, [&x, &weight]), (Kind::Input, [&weight, &x])] {
                let found = conv.sum(kind, true, &[pair.map(Vec::as_slice)], None);
                for (output, found) in found.into_iter().enumerate() {
                    let is_near =
                        (output / 9).abs_diff(at / 9) < 2 && (output % 9).abs_diff(at % 9) < 2;
                    assert!(
                        is_near || found == 0.0,
                        "{kind:?} of {number} at {at}: {found} at {output}"
                    );
                    assert!(!is_near || found.is_finite() == number.is_finite());
                }
            }
        }
    }
}

/// More terms of a sum and more outputs than are made at once, tasks that are split among threads, and several images
/// in a line: the random shapes above are too small for that.
#[test]
fn large_convolutions_are_the_sums_of_their_definition() {
    let side = |input, kernel, stride, zeros| Side {
        input,
        kernel,
        stride,
        before: zeros,
        behind: zeros,
        dilation: 1,
    };
    for (batch, groups, inputs, outputs, side) in [
        (3, 1, 12, 42, side(9, 5, 1, 2)),
        (2, 1, 33, 70, side(8, 3, 2, 1)),
        (20, 1, 29, 30, side(2, 3, 1, 1)),
        (9, 2, 30, 27, side(4, 3, 1, 1)),
        (17, 1, 3, 5, side(11, 3, 1, 0)),
        (1, 1, 40, 36, side(30, 3, 1, 1)),
        (3, 2, 70, 66, side(6, 3, 1, 1)),
    ] {
        let case = Case {
            batch,
            groups,
            inputs,
            outputs,
            sides: vec![side; 2],
        };
        let conv = case.conv();
        let x = waves(conv.input_len(), 0.5);
        let (weight, gradient) = (waves(conv.weight_len(), 3.0), waves(conv.output_len(), 7.0));
        let expected = defined(&conv, &x, &weight, &gradient);
        let error = errors(&conv, [&x, &weight, &gradient], &expected);
        assert!(error < 1e-13, "{error:.1e} for {case:?}");
    }
}

#[test]
fn single_precision_rounds_no_more_than_its_sums() {
    let any = prop_oneof![cases(), tiled_cases()];
    let outcome = runner(80).run(&any, |case| {
        let conv = case.conv();
        let x = waves(conv.input_len(), 0.5);
        let (weight, gradient) = (waves(conv.weight_len(), 3.0), waves(conv.output_len(), 7.0));
        let single = |x: &[f64]| -> Vec<f32> { x.iter().map(|&x| x as f32).collect() };
        let double = |x: Vec<f32>| -> Vec<f64> { x.into_iter().map(f64::from).collect() };
        let [x32, weight32, gradient32] = [&x, &weight, &gradient].map(|x| single(x));
        let [y, for_x, for_weight] = defined(&conv, &x, &weight, &gradient);
        for (kind, operands, expected) in [
            (Kind::Forward, [&x32[..], &weight32], &y),
            (Kind::Input, [&weight32, &gradient32], &for_x),
            (Kind::Weight, [&x32, &gradient32], &for_weight),
        ] {
            for is_tiled in [false, true] {
                let found = double(conv.run(kind, is_tiled, operands));
                prop_assert!(difference(&found, expected) < 2e-5);
            }
        }
        Ok(())
    });
    outcome.expect("the same sums");
}
