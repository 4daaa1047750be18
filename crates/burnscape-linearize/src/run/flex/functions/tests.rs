//! Errors are in units of the last place of the exact value.

use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::{Shape, Slice};
use burnscape_testkit::golden::{self, GoldenHeader};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

use super::super::{FlexTensor, with_kernels};
use super::chunks::CHUNK;
use super::normal::Normal;
use super::*;
use crate::lower::lower;
use crate::record::C;
use crate::rule::tests::{plain, program};

/// Every function has less than this error in units of the last place.
const LIMIT: f64 = 4.0;

fn overwrite<T: Normal>(function: Function, values: &mut [T]) {
    vectorized(function, values);
}

/// The function in double precision, by the mathematical library.
fn library(function: Function) -> fn(f64) -> f64 {
    match function {
        Function::Exp => f64::exp,
        Function::Tanh => f64::tanh,
        Function::Sigmoid => |x| {
            let small = (-x.abs()).exp();
            (if x < 0.0 { small } else { 1.0 }) / (1.0 + small)
        },
        Function::Erf => libm::erf,
        Function::NormalDistribution => |x| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
    }
}

/// The unit in the last place of a single at `x`.
fn unit(x: f64) -> f64 {
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    f64::from(exponent.clamp(-126, 127) - 23).exp2()
}

/// The largest error over the bit patterns `0, stride, 2 stride, …` of singles, and where it is.
fn worst_of_singles(function: Function, stride: u32) -> (f64, f32) {
    let exact = library(function);
    let mut worst = (0.0, 0.0);
    let mut patterns = (0..=u32::MAX).step_by(stride as usize);
    loop {
        let arguments: Vec<f32> = patterns
            .by_ref()
            .take(1 << 14)
            .map(f32::from_bits)
            .collect();
        if arguments.is_empty() {
            return worst;
        }
        let mut results = arguments.clone();
        overwrite(function, &mut results);
        for (x, found) in arguments.into_iter().zip(results) {
            let expected = exact(x.into());
            let rounded = expected as f32;
            let error = if rounded.is_nan() {
                if found.is_nan() { 0.0 } else { f64::INFINITY }
            } else if rounded.is_infinite() || found.is_infinite() || expected == 0.0 {
                // Overflow, and zeros with their signs, are exact.
                let is_same = rounded.to_bits() == found.to_bits();
                if is_same { 0.0 } else { f64::INFINITY }
            } else {
                (f64::from(found) - expected).abs() / unit(expected)
            };
            if error > worst.0 {
                worst = (error, x);
            }
        }
    }
}

fn check_singles(stride: u32) {
    for function in Function::ALL {
        let (error, x) = worst_of_singles(function, stride);
        println!("{:20} {error:.3} at {x:e}", function.name());
        assert!(error < LIMIT, "{}: {error} at {x:e}", function.name());
    }
}

#[test]
fn singles_have_their_digits() {
    // A prime, so that all exponents and low bits occur.
    check_singles(4093);
}

/// Every single, and ten million doubles.
#[test]
#[ignore = "minutes; `cargo xtask sweep functions`"]
fn sweep_functions() {
    check_singles(1);
    let mut draw = StdRng::seed_from_u64(0);
    for function in Function::ALL {
        if function == Function::NormalDistribution {
            // The library has no reference for it: the rounding of `x/√2` grows with `x²`.
            continue;
        }
        let mut worst = (0.0, 0.0);
        for round in 0..10_000 {
            let range = [1.5, 6.0, 30.0, 700.0][round % 4];
            let arguments: Vec<f64> = (0..1000)
                .map(|_| draw.random_range(-range..range))
                .collect();
            let mut results = arguments.clone();
            overwrite(function, &mut results);
            for (x, found) in arguments.into_iter().zip(results) {
                let expected = library(function)(x);
                let error = (found - expected).abs() / unit_of_double(expected);
                if error > worst.0 || error.is_nan() {
                    worst = (error, x);
                }
            }
        }
        let (error, x) = worst;
        println!(
            "{:20} {error:.0} at {x:e} in double precision",
            function.name()
        );
        // The library may be wrong by one.
        assert!(error < LIMIT + 1.0, "{}: {error} at {x:e}", function.name());
    }
}

#[derive(Deserialize)]
struct Golden {
    #[serde(rename = "header")]
    _header: GoldenHeader,
    functions: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// Argument, rounded result, and the rest in units of its last place.
    points: Vec<(String, String, f64)>,
}

fn double(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).expect("sixteen digits"))
}

/// The distance to the next number away from zero.
fn unit_of_double(x: f64) -> f64 {
    let size = x.abs();
    f64::from_bits(size.to_bits() + 1) - size
}

#[test]
fn doubles_have_their_digits() {
    let file: Golden = golden::load("linearize", "functions").expect("a golden file");
    assert_eq!(file.functions.len(), 1 + Function::ALL.len());
    for case in file.functions {
        let named = |function: &Function| function.name() == case.name;
        let function = Function::ALL.into_iter().find(named);
        let mut worst = (0.0, 0.0);
        for (x, rounded, rest) in &case.points {
            let (x, rounded) = (double(x), double(rounded));
            let mut found = [x];
            overwrite(function.unwrap_or(Function::NormalDistribution), &mut found);
            // GELU is not a kernel of its own: a program multiplies.
            let gelu = x * found[0];
            let found = if function.is_some() { found[0] } else { gelu };
            // Where Φ is subnormal its rounding alone is more than that of the product: that is |x| units.
            let unit = unit_of_double(rounded);
            let is_tail = function.is_none() && x < -37.5;
            let allowance = if is_tail { x.abs() } else { 1.0 };
            let error = ((found - rounded) / unit - rest).abs() / allowance;
            if error > worst.0 || error.is_nan() {
                worst = (error, x);
            }
        }
        let (error, x) = worst;
        println!("{:20} {error:.3} at {x:e}", case.name);
        let limit = if case.name == "exp" { 2.0 } else { LIMIT };
        assert!(error < limit, "{}: {error} at {x:e}", case.name);
    }
}

/// GELU's error in units of the last place of a single, for `x` whose distribution function is a normal number.
#[test]
fn gelu_of_singles_has_its_digits() {
    let exact = library(Function::NormalDistribution);
    for x in (-1290..1290).map(|i| i as f32 * 0.009_997) {
        let mut found = [x];
        overwrite(Function::NormalDistribution, &mut found);
        let expected = f64::from(x) * exact(x.into());
        let error = (f64::from(x * found[0]) - expected).abs() / unit(expected);
        assert!(error < 1.6, "{error} at {x}");
    }
}

#[test]
fn ends_are_exact() {
    fn ends<T: Normal>(function: Function, x: T) -> T {
        let mut x = [x];
        overwrite(function, &mut x);
        x[0]
    }
    for (function, x, y) in [
        (Function::Exp, f64::INFINITY, f64::INFINITY),
        (Function::Exp, 710.0, f64::INFINITY),
        (Function::Exp, -746.0, 0.0),
        (Function::Exp, f64::NEG_INFINITY, 0.0),
        (Function::Exp, -0.0, 1.0),
        (Function::Tanh, f64::INFINITY, 1.0),
        (Function::Tanh, f64::NEG_INFINITY, -1.0),
        (Function::Tanh, -0.0, -0.0),
        (Function::Tanh, 5e-324, 5e-324),
        (Function::Sigmoid, f64::INFINITY, 1.0),
        (Function::Sigmoid, f64::NEG_INFINITY, 0.0),
        (Function::Sigmoid, 0.0, 0.5),
        (Function::Erf, f64::INFINITY, 1.0),
        (Function::Erf, f64::NEG_INFINITY, -1.0),
        (Function::Erf, -0.0, -0.0),
        (Function::NormalDistribution, f64::INFINITY, 1.0),
        (Function::NormalDistribution, f64::NEG_INFINITY, 0.0),
        (Function::NormalDistribution, 0.0, 0.5),
    ] {
        let found = ends(function, x);
        assert_eq!(found.to_bits(), y.to_bits(), "{function:?} {x}: {found}");
        let found = ends(function, x as f32);
        assert_eq!(
            found.to_bits(),
            (y as f32).to_bits(),
            "{function:?} {x}: {found}"
        );
    }
    for function in Function::ALL {
        assert!(ends(function, f64::NAN).is_nan() && ends(function, f32::NAN).is_nan());
    }
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(burn::tensor::TensorData::new(values, shape.into()))
}

fn numbers(tensor: FlexTensor) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("singles")
}

/// The same numbers for any layout in memory, shared or not, on one thread or many.
#[test]
fn views_are_mapped_in_their_order() {
    let size = CHUNK + 3;
    let values: Vec<f32> = (0..4 * size).map(|i| (i as f32 * 0.37).sin()).collect();
    let whole = || tensor(values.clone(), [4, size]);
    let row = || tensor(values[..size].to_vec(), [1, size]);
    type View = fn(FlexTensor) -> FlexTensor;
    let views: [(&str, View); 6] = [
        ("contiguous", |x| x),
        ("transposed", |x| Flex::float_swap_dims(x, 0, 1)),
        ("flipped", |x| Flex::float_flip(x, &[1])),
        ("rows", |x| {
            Flex::float_slice(x, &[Slice::from(1..3), Slice::from(0..CHUNK)])
        }),
        ("a run", |x| Flex::float_slice(x, &[Slice::from(1..3)])),
        ("every third", |x| {
            Flex::float_slice(x, &[Slice::from(0..4), Slice::with_step(0, None, 3)])
        }),
    ];
    let expanded: (&str, View) = ("expanded", |x| {
        let columns = x.layout().shape()[1];
        Flex::float_expand(x, Shape::from([5, columns]))
    });
    let cases = views.into_iter().map(|(name, view)| (name, whole(), view));
    for (name, base, view) in cases.chain([(expanded.0, row(), expanded.1)]) {
        let shared = base.clone();
        let expected: Vec<f32> = numbers(view(base.clone()).to_contiguous());
        let expected: Vec<f64> = expected.iter().map(|x| f64::from(*x).tanh()).collect();
        for (is_shared, viewed) in [(true, view(base)), (false, view(shared))] {
            let before = viewed.clone();
            let before = is_shared.then_some(before);
            let held = before.clone().map(|x| numbers(x.to_contiguous()));
            let found = numbers(Function::Tanh.applied(viewed).to_contiguous());
            assert_eq!(found.len(), expected.len(), "{name}");
            for (found, expected) in found.iter().zip(&expected) {
                let error = (f64::from(*found) - expected).abs() / unit(*expected);
                assert!(error < LIMIT, "{name}: {error}");
            }
            // What somebody else holds is as it was.
            assert_eq!(before.map(|x| numbers(x.to_contiguous())), held, "{name}");
        }
    }
}

#[test]
fn memory_that_nothing_else_reads_is_reused() {
    let owned = tensor(vec![0.5; 8], [2, 4]);
    let address = owned.bytes().as_ptr();
    let found = Function::Exp.applied(owned);
    assert_eq!(found.bytes().as_ptr(), address);
    let held = found.clone();
    assert_ne!(Function::Exp.applied(found).bytes().as_ptr(), address);
    assert_eq!(held.bytes().as_ptr(), address);
}

/// The names of the operations of a program as it runs on Flex.
fn names_on_flex(program: &Program) -> Vec<String> {
    with_kernels(program).operation_names().collect()
}

#[test]
fn functions_of_programs_are_replaced() {
    let written = program(&[&[3, 4]], |given| {
        let x = C::float_tanh(C::float_exp(given.at(0)));
        C::sigmoid(C::float_erf(C::float_neg(x)))
    });
    assert_eq!(
        names_on_flex(&written),
        [
            "Custom::exp",
            "Custom::tanh",
            "NumericFloat::Neg",
            "Custom::erf",
            "Custom::sigmoid"
        ]
    );
}

#[test]
fn gelu_is_one_function_and_a_product() {
    let written = program(&[&[3, 4]], |given| C::gelu(given.at(0)));
    let written = lower(written, plain().settings()).expect("a program");
    assert_eq!(
        names_on_flex(&written),
        ["Custom::normal_distribution", "NumericFloat::Mul"]
    );
}

#[test]
fn an_error_function_that_something_else_reads_stays() {
    let written = program(&[&[3, 4]], |given| {
        let erf = C::float_erf(C::float_mul_scalar(
            given.at(0),
            std::f64::consts::FRAC_1_SQRT_2.into(),
        ));
        let sum = C::float_add_scalar(erf.clone(), 1.0.into());
        C::float_mul(erf, C::float_mul_scalar(sum, 0.5.into()))
    });
    let names = names_on_flex(&written);
    assert!(names.contains(&"Custom::erf".into()), "{names:?}");
    assert!(!names.contains(&"Custom::normal_distribution".into()));
}
