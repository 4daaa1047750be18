//! Programs with Burn's convolutions and with ours.

use std::borrow::Cow;

use burn::backend::DispatchTensor;
use burn::backend::ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps};
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;

use super::super::operation::Operation;
use super::super::{Conv, Kind, replace};
use super::{Case, Side, cases, difference, runner};
use crate::program::Program;
use crate::record::C;
use crate::rule::tests::{plain, program, values};
use crate::run::engine::{engine, flat};
use crate::run::executable::Executable;

/// Runs a program with Burn's kernels, with ours, and with those that the model chooses.
fn three_ways(program: &Program) -> [Vec<f64>; 3] {
    let values = values(program, 0.5);
    let ways: [fn(&Conv, Kind) -> bool; 3] = [|_, _| false, |_, _| true, Conv::is_faster];
    ways.map(|is_ours| {
        let mut chosen = Cow::Borrowed(program);
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

/// What a convolution and its gradients are differentiated to.
#[test]
fn sums_of_two_convolutions_are_one_with_the_same_numbers() {
    let outcome = runner(40).run(&with_equal_ends(), |case| {
        if case.sides.len() != 2 {
            return Ok(());
        }
        let conv = case.conv();
        let [ci, _] = conv.channels();
        let x = [conv.batch, conv.inputs, conv.input[1], conv.input[2]];
        let weight = [conv.outputs, ci, conv.kernel[1], conv.kernel[2]];
        let gradient = [conv.batch, conv.outputs, conv.output[1], conv.output[2]];
        let options = symmetric::<2>(&case.sides, conv.groups);
        let shapes: [&[usize]; 6] = [&x, &weight, &gradient, &x, &weight, &gradient];
        let programs = [
            program(&shapes, |given| {
                let conv = |x, w| C::conv2d(given.at(x), given.at(w), None, options.clone());
                C::float_add(conv(0, 4), conv(3, 1))
            }),
            program(&shapes, |given| {
                let conv = |w, g| {
                    C::conv2d_x_backward(given.at(0), given.at(w), given.at(g), options.clone())
                };
                C::float_add(conv(1, 5), conv(4, 2))
            }),
            program(&shapes, |given| {
                let conv = |x, g| {
                    C::conv2d_weight_backward(
                        given.at(x),
                        given.at(1),
                        given.at(g),
                        options.clone(),
                    )
                };
                C::float_add(conv(0, 5), conv(3, 2))
            }),
        ];
        for program in &programs {
            let mut ours = Cow::Borrowed(program);
            replace(&mut ours, |_, _| true);
            prop_assert_eq!(ours.operations.len(), 1);
            let [burn, ours, chosen] = three_ways(program);
            prop_assert!(difference(&ours, &burn) < 1e-12);
            prop_assert!(difference(&chosen, &burn) < 1e-12);
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

/// The weights of both are in panels at the same time, and there is a single result.
#[test]
fn the_peak_of_a_sum_has_the_buffers_of_both_convolutions() {
    let (x, weight) = ([2, 64, 10, 10], [64, 64, 3, 3]);
    let sum = program(&[&x, &weight, &x, &weight], |given| {
        let term = |first: usize| {
            let options = ConvOptions::<2>::new([1, 1], [1, 1], [1, 1], 1);
            C::conv2d(given.at(first), given.at(first + 1), None, options)
        };
        C::float_add(term(0), term(2))
    });
    let found = sum.operations.iter().find_map(Operation::of);
    let conv = found.expect("a convolution").conv;
    assert!(conv.is_faster(Kind::Forward));
    let (out, buffers) = (8 * conv.output_len(), conv.buffers_of(Kind::Forward, 8, 2));
    assert!(buffers > conv.buffers(Kind::Forward, 8) + out);
    let engine = engine(&plain()).expect("a device");
    assert_eq!(engine.peak_bytes(&sum), (out + buffers) as u64);
}
