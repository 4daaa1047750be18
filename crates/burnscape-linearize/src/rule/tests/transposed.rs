//! Every transposition: `⟨c, J v⟩ = ⟨Jᵀ c, v⟩` for the program of every line, for its derivatives in both modes, and
//! for theirs, which contain every operation that a rule records on a tangent or a cotangent.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;

use burn::backend::ops::{
    ConvOptions, ConvTransposeOptions, FloatTensorOps, InterpolateMode, InterpolateOptions,
    ModuleOps, PadMode, UnfoldOptions,
};
use burn::tensor::{IndexingUpdateOp, Shape, Slice};

use super::{Line, elementary, layers, plain, program, run_all, values};
use crate::derive::vjp;
use crate::lower::lower;
use crate::program::Program;
use crate::record::C;

/// Settings that the lines of the derivative rules do not cover.
fn settings() -> &'static [Line] {
    &[
        ("expand, more axes", &[&[3, 1]], |g| {
            C::float_expand(g.a(), Shape::from([2, 3, 5]))
        }),
        ("permute, three axes", &[&[2, 3, 4]], |g| {
            C::float_permute(g.a(), &[2, 0, 1])
        }),
        ("flip, two axes", &[&[3, 4]], |g| {
            C::float_flip(g.a(), &[0, 1])
        }),
        ("unfold, overlapping inside", &[&[2, 7, 3]], |g| {
            C::float_unfold(g.a(), 1, 3, 2)
        }),
        ("slices, one with a step", &[&[5, 7]], |g| {
            let steps = [Slice::full(), Slice::new(1, Some(6), 2)];
            let back = [Slice::new(0, Some(5), -2), Slice::new(0, None, 3)];
            let parts = [
                C::float_slice(g.a(), &steps),
                C::float_slice(g.a(), &back),
                C::float_slice(g.a(), &[Slice::from(2..5), Slice::new(-4, Some(-1), 1)]),
            ];
            C::float_cat(parts.to_vec(), 0)
        }),
        ("overlapping slices", &[&[4, 3]], |g| {
            let rows = |from: usize| C::float_slice(g.a(), &[Slice::from(from..from + 2)]);
            let parts = (0..3).map(|from| C::float_mul(rows(from), rows(2 - from)));
            C::float_cat(parts.collect(), 1)
        }),
        ("repeat_dim, middle", &[&[2, 3, 2]], |g| {
            C::float_repeat_dim(g.a(), 1, 3)
        }),
        ("cat of three", &[&[2, 1], &[2, 3], &[2, 2]], |g| {
            C::float_cat(vec![g.a(), g.b(), g.c()], 1)
        }),
        ("mask_where, broadcast", &[&[3, 1], &[3, 4]], |g| {
            let a = C::float_expand(g.a(), Shape::from([3, 4]));
            let mask = C::float_greater(a.clone(), g.b(), g.settings.bool_dtype);
            C::float_mask_where(a, mask, g.b())
        }),
        ("assigned, several at one place", &[&[3, 4], &[3, 3]], |g| {
            let places = g.ints(&[1, 1, 0, 3, 2, 2, 0, 0, 0], [3, 3]);
            C::float_scatter(1, g.a(), places, g.b(), IndexingUpdateOp::Assign)
        }),
        (
            "selected and assigned, twice at one place",
            &[&[3, 4], &[3, 3]],
            |g| {
                let places = g.ints(&[2, 0, 2], [3]);
                C::float_select_assign(g.a(), 1, places, g.b(), IndexingUpdateOp::Assign)
            },
        ),
        (
            "assigned rows, twice at one place",
            &[&[4, 3], &[3, 3]],
            |g| {
                let places = g.ints(&[2, 0, 2], [3, 1]);
                C::float_scatter_nd(g.a(), places, g.b(), IndexingUpdateOp::Assign)
            },
        ),
        ("added rows", &[&[4, 3], &[3, 3]], |g| {
            let places = g.ints(&[2, 0, 2], [3, 1]);
            C::float_scatter_nd(g.a(), places, g.b(), IndexingUpdateOp::Add)
        }),
        ("gather_nd of rows", &[&[4, 3]], |g| {
            C::float_gather_nd(g.a(), g.ints(&[2, 0, 2], [3, 1]))
        }),
        ("sub and div, broadcast", &[&[1, 4], &[3, 1]], |g| {
            let ratio = C::float_div(g.b(), g.near(2.0));
            C::float_sub(ratio, C::float_sub(g.a(), g.b()))
        }),
        ("one number for all", &[&[1, 1], &[3, 4]], |g| {
            C::float_mul(g.a(), C::float_add(g.a(), g.b()))
        }),
        ("sum_dims of three", &[&[2, 3, 4]], |g| {
            C::float_sum_dims(g.a(), &[0, 2])
        }),
        ("pad, every side and mode", &[&[3, 4]], |g| {
            let sides = [(2, 1), (0, 3)];
            let padded = |mode| C::float_pad(g.a(), &sides, mode);
            let sum = C::float_add(padded(PadMode::Reflect), padded(PadMode::Edge));
            C::float_add(sum, padded(PadMode::Constant(0.5)))
        }),
        (
            "matmul, one matrix on the left",
            &[&[1, 3, 4], &[2, 4, 2]],
            |g| C::float_matmul(g.a(), g.b()),
        ),
        (
            "matmul, two batch axes",
            &[&[2, 1, 3, 4], &[1, 3, 4, 2]],
            |g| C::float_matmul(g.a(), g.b()),
        ),
        ("cross, broadcast", &[&[1, 3], &[2, 3]], |g| {
            C::float_cross(g.a(), g.b(), 1)
        }),
        ("linear, three axes", &[&[2, 5, 3], &[3, 4], &[4]], |g| {
            C::linear(g.a(), g.b(), Some(g.c()))
        }),
        (
            "linear, three axes, backward",
            &[&[2, 5, 3], &[3, 4], &[2, 5, 4]],
            |g| {
                let (x, w, y) = (g.a(), g.b(), g.c());
                let x = C::linear_weight_backward(
                    x,
                    C::linear_x_backward(
                        C::float_swap_dims(w, 0, 1),
                        C::float_slice(
                            y.clone(),
                            &[Slice::full(), Slice::full(), Slice::from(0..3)],
                        ),
                    ),
                );
                C::float_add(C::float_sum(x), C::float_sum(C::linear_bias_backward(y)))
            },
        ),
        (
            "conv1d, remainder and dilation",
            &[&[2, 2, 9], &[3, 2, 2], &[3]],
            |g| {
                C::conv1d(
                    g.a(),
                    g.b(),
                    Some(g.c()),
                    ConvOptions::new([3], [1], [2], 1),
                )
            },
        ),
        (
            "conv2d, stride and padding",
            &[&[2, 2, 5, 6], &[4, 2, 3, 2], &[4]],
            |g| {
                let options = ConvOptions::new([2, 3], [1, 0], [1, 2], 1);
                C::conv2d(g.a(), g.b(), Some(g.c()), options)
            },
        ),
        (
            "conv3d, groups",
            &[&[1, 2, 4, 3, 3], &[2, 1, 2, 2, 2], &[2]],
            |g| {
                let options = ConvOptions::new([2, 1, 1], [0, 1, 0], [1, 1, 1], 2);
                C::conv3d(g.a(), g.b(), Some(g.c()), options)
            },
        ),
        (
            "conv_transpose1d, padded output",
            &[&[2, 2, 3], &[2, 3, 3], &[3]],
            |g| {
                let options = ConvTransposeOptions::new([2], [1], [1], [1], 1);
                C::conv_transpose1d(g.a(), g.b(), Some(g.c()), options)
            },
        ),
        (
            "conv_transpose2d, groups",
            &[&[1, 4, 3, 2], &[4, 1, 2, 2], &[2]],
            |g| {
                let options = ConvTransposeOptions::new([2, 1], [1, 0], [1, 0], [1, 2], 2);
                C::conv_transpose2d(g.a(), g.b(), Some(g.c()), options)
            },
        ),
        (
            "conv_transpose3d, stride",
            &[&[1, 2, 2, 2, 2], &[2, 1, 2, 2, 2], &[1]],
            |g| {
                let options =
                    ConvTransposeOptions::new([2, 1, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1], 1);
                C::conv_transpose3d(g.a(), g.b(), Some(g.c()), options)
            },
        ),
        ("avg_pool2d, ceil and padding", &[&[1, 2, 5, 4]], |g| {
            C::avg_pool2d(g.a(), [2, 3], [2, 2], [1, 1], false, true)
        }),
        ("interpolate, nearest", &[&[1, 2, 3, 4]], |g| {
            C::interpolate(
                g.a(),
                [5, 7],
                InterpolateOptions::new(InterpolateMode::Nearest),
            )
        }),
        ("interpolate, bicubic", &[&[1, 2, 4, 4]], |g| {
            C::interpolate(
                g.a(),
                [5, 7],
                InterpolateOptions::new(InterpolateMode::Bicubic),
            )
        }),
        ("interpolate, corners not aligned", &[&[1, 2, 3, 4]], |g| {
            let options = InterpolateOptions::new(InterpolateMode::Bilinear);
            C::interpolate(g.a(), [2, 7], options.with_align_corners(false))
        }),
        ("unfold4d, dilation", &[&[2, 2, 5, 4]], |g| {
            C::unfold4d(g.a(), [2, 2], UnfoldOptions::new([2, 1], [1, 1], [2, 1]))
        }),
        ("unfold4d, no padding", &[&[1, 2, 5, 4]], |g| {
            C::unfold4d(g.a(), [3, 2], UnfoldOptions::new([1, 1], [0, 0], [1, 1]))
        }),
    ]
}

/// `|⟨c, J v⟩ − ⟨Jᵀ c, v⟩|` by the sizes of the terms, for all outputs and inputs.
pub(super) fn defect(program: &Program) -> f64 {
    let settings = plain().settings();
    let wrt: Vec<usize> = (0..program.inputs().len()).collect();
    let of: Vec<usize> = (0..program.outputs().len()).collect();
    let forward = program.jvp(&wrt, settings).expect("a forward derivative");
    let reverse = vjp(program, &of, &wrt, settings).expect("a reverse derivative");
    let (x, v) = (values(program, 0.5), values(program, 57.0));
    let cotangents: Vec<Vec<f64>> = values(&reverse.program, 91.0).split_off(x.len());
    let moved = run_all(&forward.program, &[&x, &v]);
    let pulled = run_all(&reverse.program, &[&x, &cotangents]);
    let mut size = 0.0;
    let mut sum = |found: Vec<(Option<&Vec<f64>>, &Vec<f64>)>| -> f64 {
        let terms = found.into_iter().filter_map(|(a, b)| Some((a?, b)));
        let products = terms.flat_map(|(a, b)| {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).map(|(a, b)| a * b)
        });
        products.inspect(|product| size += product.abs()).sum()
    };
    let tangents = forward.tangent_outputs.iter().zip(&cotangents);
    let left = sum(tangents
        .map(|(index, c)| (index.map(|index| &moved[index]), c))
        .collect());
    let gradients = reverse.gradients.iter().zip(&v);
    let right = sum(gradients
        .map(|(index, v)| (index.map(|index| &pulled[index]), v))
        .collect());
    (left - right).abs() / size.max(1.0)
}

/// The program, its derivatives in both modes, and those of its derivatives in reverse mode.
fn derivatives(program: &Program) -> Vec<(&'static str, Program)> {
    let settings = plain().settings();
    let inputs = |program: &Program| (0..program.inputs().len()).collect::<Vec<_>>();
    let outputs = |program: &Program| (0..program.outputs().len()).collect::<Vec<_>>();
    let forward = |program: &Program| {
        let derivative = program.jvp(&inputs(program), settings);
        derivative.expect("a forward derivative").program
    };
    let reverse = |program: &Program| {
        let derivative = vjp(program, &outputs(program), &inputs(program), settings);
        derivative.expect("a reverse derivative").program
    };
    let (moved, pulled) = (forward(program), reverse(program));
    vec![
        ("vjp of vjp", reverse(&pulled)),
        ("jvp of vjp", forward(&pulled)),
        ("program", program.clone()),
        ("jvp", moved),
        ("vjp", pulled),
    ]
}

#[test]
fn every_rule_is_adjoint_to_its_transposition_and_so_are_the_derivatives_of_both() {
    let lines = elementary::lines().iter().chain(layers::lines());
    let mut failed = BTreeMap::new();
    let mut met = BTreeSet::new();
    for &(name, shapes, operation) in lines.chain(settings()) {
        let measured = catch_unwind(|| {
            let written = program(shapes, operation);
            let lowered = lower(written, plain().settings()).expect("a program");
            let mut worst = 0.0_f64;
            let mut names = Vec::new();
            for (kind, derivative) in derivatives(&lowered) {
                names.extend(derivative.operation_names());
                let error = defect(&derivative);
                if error.is_nan() || error > 1e-12 {
                    println!("{name}: {kind} {error:.1e}");
                }
                worst = if error.is_nan() {
                    error
                } else {
                    worst.max(error)
                };
            }
            (names, worst)
        });
        let (names, error) = measured.unwrap_or((vec![], f64::NAN));
        met.extend(names);
        if error.is_nan() || error > 1e-12 {
            failed.insert(name, error);
        }
    }
    println!("{} operations", met.len());
    assert!(failed.is_empty(), "{failed:?}");
}
