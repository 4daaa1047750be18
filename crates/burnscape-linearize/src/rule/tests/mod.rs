//! Every rule on its own: for a program of one operation, the tangent is compared with differences of the value,
//! and the second tangent with differences of the tangent.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

pub(crate) mod chains;
pub(crate) mod elementary;
pub(crate) mod layers;
mod refused;
mod transposed;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;

use burn::backend::DispatchTensor;
use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::tensor::{DType, DeviceSettings, Shape, Tensor, TensorData};
use burn_capture::CaptureDevice;
use burn_router::RouterClient;
pub(crate) use burnscape_testkit::double::device as plain;

use crate::coverage::{Rule, coverage};
use crate::derive::Jvp;
use crate::lower::lower;
use crate::program::{Program, unique};
use crate::record::{C, Symbol, record};

/// The arguments of an operation.
pub(crate) struct Given {
    floats: Vec<Symbol>,
    pub(crate) device: CaptureDevice,
    pub(crate) settings: DeviceSettings,
}

impl Given {
    pub(crate) fn at(&self, index: usize) -> Symbol {
        self.floats[index].clone()
    }

    pub(crate) fn a(&self) -> Symbol {
        self.floats[0].clone()
    }

    pub(crate) fn b(&self) -> Symbol {
        self.floats[1].clone()
    }

    pub(crate) fn c(&self) -> Symbol {
        self.floats[2].clone()
    }

    /// The first argument, moved close to `center`, where the function is defined.
    pub(super) fn near(&self, center: f64) -> Symbol {
        C::float_add_scalar(C::float_mul_scalar(self.a(), 0.3.into()), center.into())
    }

    pub(crate) fn ints<const D: usize>(&self, values: &[i32], shape: [usize; D]) -> Symbol {
        C::int_from_data(TensorData::new(values.to_vec(), shape), &self.device)
    }

    pub(crate) fn mask<const D: usize>(&self, values: &[bool], shape: [usize; D]) -> Symbol {
        C::bool_from_data(TensorData::new(values.to_vec(), shape), &self.device)
    }
}

/// A name, the shapes of the arguments and the operation.
pub(crate) type Line = (
    &'static str,
    &'static [&'static [usize]],
    fn(&Given) -> Symbol,
);

/// The program of an operation on arguments of the given shapes.
pub(crate) fn program(shapes: &[&[usize]], operation: impl Fn(&Given) -> Symbol) -> Program {
    let settings = plain().settings();
    let mut ports = None;
    let (graph, ()) = record(settings, |_, recorder, scope| {
        let placeholder = |shape: &&[usize]| {
            let symbol = recorder.placeholder(Shape::from(shape.to_vec()), DType::F64);
            drop(C::float_neg(symbol.clone()));
            symbol
        };
        let floats: Vec<Symbol> = shapes.iter().map(placeholder).collect();
        let inputs: Vec<_> = floats.iter().map(|x| recorder.port("x", x)).collect();
        let device = recorder.client().device();
        let given = Given {
            floats,
            device,
            settings,
        };
        let outputs = vec![recorder.port("y", &operation(&given))];
        let completed = scope.complete(unique(&inputs), unique(&outputs));
        ports = Some((inputs, outputs));
        Ok((completed, ()))
    })
    .expect("a recording");
    let (inputs, outputs) = ports.expect("ports");
    Program::new(graph.graph.operations, inputs, outputs, graph.values).expect("a program")
}

fn waves(len: usize, phase: f64) -> Vec<f64> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin();
    (0..len).map(wave).collect()
}

/// Values, or a direction, for all inputs of a program of one operation.
pub(crate) fn values(program: &Program, phase: f64) -> Vec<Vec<f64>> {
    let ports = program.inputs().iter().enumerate();
    ports
        .map(|(i, port)| waves(port.shape().iter().product(), phase + 13.0 * i as f64))
        .collect()
}

pub(crate) fn run(program: &Program, parts: &[&[Vec<f64>]], output: usize) -> Vec<f64> {
    run_all(program, parts).swap_remove(output)
}

/// All outputs.
pub(crate) fn run_all(program: &Program, parts: &[&[Vec<f64>]]) -> Vec<Vec<f64>> {
    let bind = |x: &Vec<f64>| -> DispatchTensor {
        let data = TensorData::new(x.clone(), [x.len()]);
        Tensor::<1>::from_data(data, &plain()).into_dispatch()
    };
    let inputs: Vec<DispatchTensor> = parts
        .iter()
        .flat_map(|part| part.iter().map(bind))
        .collect();
    let outputs = program.run(&inputs, &plain()).expect("a run").into_iter();
    outputs
        .map(|output| output.into_data().iter::<f64>().collect())
        .collect()
}

fn differences(at: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    let step = 1e-4;
    let (near, far) = ([at(step), at(-step)], [at(2.0 * step), at(-2.0 * step)]);
    (0..near[0].len())
        .map(|i| {
            let (near, far) = (near[0][i] - near[1][i], far[0][i] - far[1][i]);
            (8.0 * near - far) / (12.0 * step)
        })
        .collect()
}

/// The difference relative to the expected size, or absolute for sizes below one.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(expected).max(1.0)
}

pub(crate) fn moved(x: &[Vec<f64>], direction: &[Vec<f64>], scale: f64) -> Vec<Vec<f64>> {
    let part =
        |(x, d): (&Vec<f64>, &Vec<f64>)| x.iter().zip(d).map(|(x, d)| x + scale * d).collect();
    x.iter().zip(direction).map(part).collect()
}

/// The largest error of first and second tangents.
fn worst(program: &Program) -> f64 {
    let settings = plain().settings();
    let wrt: Vec<usize> = (0..program.inputs().len()).collect();
    let first = program.jvp(&wrt, settings).expect("a derivative");
    let second = first
        .program
        .jvp(&wrt, settings)
        .expect("a second derivative");
    let (x, u, v) = (
        values(program, 0.5),
        values(program, 91.0),
        values(program, 57.0),
    );
    let expected = differences(|scale| run(program, &[&moved(&x, &u, scale)], 0));
    // An absent tangent is zero.
    let tangent = |jvp: &Jvp, output: Option<usize>, parts: &[&[Vec<f64>]], len: usize| {
        let index = output.and_then(|output| jvp.tangent_outputs[output]);
        index.map_or_else(|| vec![0.0; len], |index| run(&jvp.program, parts, index))
    };
    let len = expected.len();
    let found = tangent(&first, Some(0), &[&x, &u], len);
    let along = first.tangent_outputs[0];
    let twice = differences(|scale| tangent(&first, Some(0), &[&moved(&x, &v, scale), &u], len));
    let found_twice = tangent(&second, along, &[&x, &u, &v], len);
    error(&found, &expected).max(error(&found_twice, &twice))
}

#[test]
fn every_rule_is_the_limit_of_differences_once_and_twice() {
    let lines = elementary::lines().iter().chain(layers::lines());
    let mut met = BTreeSet::new();
    let mut failed = BTreeMap::new();
    for &(name, shapes, operation) in lines {
        let measured = catch_unwind(|| {
            let written = program(shapes, operation);
            let mut names: Vec<String> = written.operation_names().collect();
            let lowered = lower(written, plain().settings()).expect("a program");
            names.extend(lowered.operation_names());
            (names, worst(&lowered))
        });
        let (names, error) = measured.unwrap_or((vec![], f64::NAN));
        met.extend(names);
        println!("{:40} {error:.1e}", name);
        if error.is_nan() || error > 1e-7 {
            failed.insert(name, error);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    let has_rule = |rule| !matches!(rule, Rule::Constant | Rule::Refused);
    let missing: Vec<String> = coverage()
        .filter(|(name, rule)| has_rule(*rule) && !met.contains(name))
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "rules without a test: {missing:?}");
}
