//! Our convolutions against Burn's and against sums written as in the definition, in f64.

use burn::backend::DispatchTensor;
use burn::backend::ops::{ConvOptions, ConvTransposeOptions, ModuleOps};
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::program::Program;
use crate::record::C;
use crate::rule::tests::{plain, program, values};
use crate::run::engine::{engine, flat};
use crate::run::executable::Executable;

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
        let bias = waves(conv.outputs, 11.0);
        let [y, for_x, for_weight] = defined(&conv, &x, &weight, &gradient);
        let biased = y
            .iter()
            .enumerate()
            .map(|(i, y)| y + bias[i / conv.positions() % conv.outputs]);
        let biased: Vec<f64> = biased.collect();
        let found = conv.forward(&x, &weight, Some(&bias));
        prop_assert!(difference(&found, &biased) < 1e-13, "forward");
        let found = conv.input(&weight, &gradient, None);
        prop_assert!(difference(&found, &for_x) < 1e-13, "input");
        let found = conv.weight(&x, &gradient);
        prop_assert!(difference(&found, &for_weight) < 1e-13, "weight");
        Ok(())
    });
    outcome.expect("the same sums");
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
        let [y, for_x, for_weight] = defined(&conv, &x, &weight, &gradient);
        let found = [
            conv.forward(&x, &weight, None),
            conv.input(&weight, &gradient, None),
            conv.weight(&x, &gradient),
        ];
        for (found, expected) in found.iter().zip([y, for_x, for_weight]) {
            let error = difference(found, &expected);
            assert!(error < 1e-13, "{error:.1e} for {case:?}");
        }
    }
}

#[test]
fn single_precision_rounds_no_more_than_its_sums() {
    let outcome = runner(60).run(&cases(), |case| {
        let conv = case.conv();
        let x = waves(conv.input_len(), 0.5);
        let (weight, gradient) = (waves(conv.weight_len(), 3.0), waves(conv.output_len(), 7.0));
        let single = |x: &[f64]| -> Vec<f32> { x.iter().map(|&x| x as f32).collect() };
        let double = |x: Vec<f32>| -> Vec<f64> { x.into_iter().map(f64::from).collect() };
        let [x32, weight32, gradient32] = [&x, &weight, &gradient].map(|x| single(x));
        let [y, for_x, for_weight] = defined(&conv, &x, &weight, &gradient);
        for (found, expected) in [
            (conv.run(Kind::Forward, [&x32, &weight32]), y),
            (conv.run(Kind::Input, [&weight32, &gradient32]), for_x),
            (conv.run(Kind::Weight, [&x32, &gradient32]), for_weight),
        ] {
            prop_assert!(difference(&double(found), &expected) < 2e-5);
        }
        Ok(())
    });
    outcome.expect("the same sums");
}

/// Runs a program with Burn's kernels, with ours, and with those that the model chooses.
fn three_ways(program: &Program) -> [Vec<f64>; 3] {
    let values = values(program, 0.5);
    let ways: [fn(&Conv, Kind) -> bool; 3] = [|_, _| false, |_, _| true, Conv::is_faster];
    ways.map(|is_ours| {
        let mut chosen = std::borrow::Cow::Borrowed(program);
        replace(&mut chosen, is_ours);
        let mut engine = engine(&plain()).expect("a device");
        engine.constants(&chosen);
        let bound = values.iter().map(|x| -> DispatchTensor {
            let data = TensorData::new(x.clone(), [x.len()]);
            Tensor::<1>::from_data(data, &plain()).into_dispatch()
        });
        let bound: Vec<_> = bound.collect();
        let outputs = engine
            .run(&Executable::new(&chosen), &bound)
            .expect("a run");
        let numbers = outputs
            .into_iter()
            .flat_map(|output| flat(output).into_data().iter::<f64>().collect::<Vec<_>>());
        numbers.collect()
    })
}

/// How Burn counts the outputs of a stride that leaves a remainder in weight gradients of grouped convolutions is
/// wrong for one axis (docs/upstream.md).
fn is_wrong_in_burn(case: &Case) -> bool {
    case.groups > 1 && case.sides.len() == 1
}

macro_rules! same_as_burn {
    ($case:ident, $rank:literal, $options:expr, $conv:ident, $for_x:ident, $for_weight:ident) => {{
        let conv = $case.conv();
        let [ci, _] = conv.channels();
        let shape = |channels: [usize; 2], axes: [usize; 3]| {
            let axes = axes.into_iter().skip(3 - $rank);
            channels.into_iter().chain(axes).collect::<Vec<_>>()
        };
        let x = shape([conv.batch, conv.inputs], conv.input);
        let weight = shape([conv.outputs, ci], conv.kernel);
        let gradient = shape([conv.batch, conv.outputs], conv.output);
        let options = $options(&$case.sides, conv.groups);
        let programs = [
            program(&[&x, &weight, &[conv.outputs]], |given| {
                C::$conv(given.at(0), given.at(1), Some(given.at(2)), options.clone())
            }),
            program(&[&x, &weight, &gradient], |given| {
                C::$for_x(given.at(0), given.at(1), given.at(2), options.clone())
            }),
            program(&[&x, &weight, &gradient], |given| {
                C::$for_weight(given.at(0), given.at(1), given.at(2), options.clone())
            }),
        ];
        for (index, program) in programs.iter().enumerate() {
            if index == 2 && is_wrong_in_burn(&$case) {
                continue;
            }
            let [burn, ours, chosen] = three_ways(program);
            prop_assert!(difference(&ours, &burn) < 1e-12, "ours {index}");
            prop_assert!(difference(&chosen, &burn) < 1e-12, "chosen {index}");
        }
    }};
}

fn fixed<const D: usize>(sides: &[Side], of: fn(&Side) -> usize) -> [usize; D] {
    std::array::from_fn(|a| of(&sides[a]))
}

fn symmetric<const D: usize>(sides: &[Side], groups: usize) -> ConvOptions<D> {
    ConvOptions::new(
        fixed(sides, |side| side.stride),
        fixed(sides, |side| side.before),
        fixed(sides, |side| side.dilation),
        groups,
    )
}

/// The gradient of a convolution is the transposed one, with the zeros of the first as what it leaves out.
fn transposed<const D: usize>(sides: &[Side], groups: usize) -> ConvTransposeOptions<D> {
    ConvTransposeOptions::new(
        fixed(sides, |side| side.stride),
        fixed(sides, |side| side.before),
        fixed(sides, |side| (side.stride - 1).min(side.behind)),
        fixed(sides, |side| side.dilation),
        groups,
    )
}

/// Burn's operations have the same zeros at both ends.
fn with_equal_ends() -> impl Strategy<Value = Case> {
    cases().prop_filter_map("the kernel fits", |mut case| {
        case.sides
            .iter_mut()
            .for_each(|side| side.behind = side.before);
        let fits = case.sides.iter().all(|side| side.output().is_some());
        fits.then_some(case)
    })
}

#[test]
fn programs_give_the_same_with_burns_kernels_and_with_ours() {
    let outcome = runner(60).run(&with_equal_ends(), |case| {
        match case.sides.len() {
            1 => same_as_burn!(
                case,
                1,
                symmetric::<1>,
                conv1d,
                conv1d_x_backward,
                conv1d_weight_backward
            ),
            2 => same_as_burn!(
                case,
                2,
                symmetric::<2>,
                conv2d,
                conv2d_x_backward,
                conv2d_weight_backward
            ),
            _ => same_as_burn!(
                case,
                3,
                symmetric::<3>,
                conv3d,
                conv3d_x_backward,
                conv3d_weight_backward
            ),
        }
        Ok(())
    });
    outcome.expect("the same numbers");
}

/// The length of an axis of a transposed convolution.
fn enlarged(side: &Side) -> Option<usize> {
    let reach = (side.input - 1) * side.stride + (side.kernel - 1) * side.dilation + 1;
    (reach + (side.stride - 1).min(side.behind))
        .checked_sub(2 * side.before)
        .filter(|len| *len > 0)
}

macro_rules! same_transposed {
    ($case:ident, $rank:literal, $conv:ident, $for_weight:ident) => {{
        let case = &$case;
        let shape = |channels: [usize; 2], of: fn(&Side) -> usize| {
            channels
                .into_iter()
                .chain(case.sides.iter().map(of))
                .collect::<Vec<_>>()
        };
        let (inputs, outputs) = (case.groups * case.inputs, case.groups * case.outputs);
        let x = shape([case.batch, inputs], |side| side.input);
        let weight = shape([inputs, case.outputs], |side| side.kernel);
        let gradient = shape([case.batch, outputs], |side| {
            enlarged(side).unwrap_or_default()
        });
        let options = transposed::<$rank>(&case.sides, case.groups);
        let mut programs = vec![program(&[&x, &weight, &[outputs]], |given| {
            C::$conv(given.at(0), given.at(1), Some(given.at(2)), options.clone())
        })];
        if case.groups == 1 {
            programs.push(program(&[&x, &weight, &gradient], |given| {
                C::$for_weight(given.at(0), given.at(1), given.at(2), options.clone())
            }));
        }
        for (index, program) in programs.iter().enumerate() {
            let [burn, ours, chosen] = three_ways(program);
            prop_assert!(difference(&ours, &burn) < 1e-12, "ours {index}");
            prop_assert!(difference(&chosen, &burn) < 1e-12, "chosen {index}");
        }
    }};
}

#[test]
fn transposed_convolutions_are_the_same_as_burns() {
    let larger = cases().prop_filter("an output", |case| {
        case.sides.iter().all(|side| enlarged(side).is_some())
    });
    let outcome = runner(60).run(&larger, |case| {
        match case.sides.len() {
            1 => same_transposed!(case, 1, conv_transpose1d, conv_transpose1d_weight_backward),
            2 => same_transposed!(case, 2, conv_transpose2d, conv_transpose2d_weight_backward),
            _ => same_transposed!(case, 3, conv_transpose3d, conv_transpose3d_weight_backward),
        }
        Ok(())
    });
    outcome.expect("the same numbers");
}
