//! Random programs, differentiated twice by the input and once by the parameters, every fifth twice, against
//! differences in double precision.
//!
//! CI runs the first 500 programs, which take all kinds of derivatives in turn; `cargo xtask sweep fields` all 5,000.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Tensor;
use burnscape_linearize::{GradientTrace, LinearizeError, LinearizedGradient};
use burnscape_testkit::double::device;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::evaluated::{numbers, of_model, size, tensor};
use super::program::{Net, Program, REQUESTS, Request};
use super::steps::STEPS;

const PROGRAMS: usize = 5000;

/// The step of all differences. Those of eighth order are exact up to rounding, and those of sixth order, from the same
/// values, tell how well they are known.
const STEP: f64 = 1.0 / 128.0;
/// Of second differences, by the distance from the point.
const SECOND: [[f64; 5]; 2] = [
    [-49.0 / 18.0, 1.5, -0.15, 1.0 / 90.0, 0.0],
    [-205.0 / 72.0, 1.6, -0.2, 8.0 / 315.0, -1.0 / 560.0],
];
/// Of first differences, without the point itself.
const FIRST: [[f64; 4]; 2] = [
    [0.75, -0.15, 1.0 / 60.0, 0.0],
    [0.8, -0.2, 4.0 / 105.0, -1.0 / 280.0],
];

/// The second derivative of the field as a bilinear form of directions.
struct Second<'p> {
    program: &'p Program,
    net: Net,
    /// Values at equal distances along directions, the opposite ones added, by the bits of the direction.
    known: RefCell<BTreeMap<Vec<u64>, Vec<Vec<f64>>>>,
    order: usize,
}

impl Second<'_> {
    fn along(&self, direction: &[f64]) -> Vec<f64> {
        let mut known = self.known.borrow_mut();
        let bits = direction.iter().map(|x| x.to_bits()).collect();
        let values = known.entry(bits).or_insert_with(|| {
            let at = |distance: f64| self.program.value(&self.net, direction, distance * STEP);
            let both = (1..5).map(|k| added(&[at(f64::from(k)), at(-f64::from(k))]));
            std::iter::once(at(0.0)).chain(both).collect()
        });
        let weights = SECOND[self.order].iter();
        let terms = values
            .iter()
            .zip(weights)
            .map(|(values, weight)| -> Vec<f64> {
                values.iter().map(|x| weight * x / (STEP * STEP)).collect()
            });
        added(&terms.collect::<Vec<_>>())
    }

    /// By both directions, in the shape of the output.
    fn of(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let along = |sign: f64| {
            let sum: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + sign * b).collect();
            self.along(&sum)
        };
        let pairs = along(1.0).into_iter().zip(along(-1.0));
        pairs.map(|(plus, minus)| (plus - minus) / 4.0).collect()
    }

    fn column(&self, column: usize) -> Vec<f64> {
        let width = self.program.inputs;
        let all = 0..self.program.rows * width;
        all.map(|index| f64::from(u8::from(index % width == column)))
            .collect()
    }

    /// What a program asks for.
    fn expected(&self) -> Vec<f64> {
        let p = self.program;
        let (rows, inputs, outputs) = (p.rows, p.inputs, p.outputs);
        let columns = || (0..inputs).map(|column| self.column(column));
        let by = |i: usize, j: usize| self.of(&self.column(i), &self.column(j));
        let v = p.first_direction();
        // Parts of shape `[n, width]` side by side.
        let joined = |parts: &[Vec<f64>], width: usize| -> Vec<f64> {
            let row = |row: usize| parts.iter().map(move |part| &part[row * width..][..width]);
            (0..rows)
                .flat_map(|i| row(i).flatten().copied().collect::<Vec<f64>>())
                .collect()
        };
        // The sum over the outputs with weights.
        let weighed = |part: Vec<f64>, weights: &[f64]| -> Vec<f64> {
            let products: Vec<f64> = part.iter().zip(weights).map(|(a, b)| a * b).collect();
            products
                .chunks(outputs)
                .map(|row| row.iter().sum())
                .collect()
        };
        match p.request {
            Request::Partial => by(p.columns[0], p.columns[1]),
            Request::Laplacian | Request::DivergenceOfGradient => {
                added(&(0..inputs).map(|i| by(i, i)).collect::<Vec<_>>())
            }
            Request::JvpOfJvp => self.of(&v, &p.directions[1]),
            Request::JvpOfVjp | Request::VjpOfJvp => {
                let parts = columns().map(|e| weighed(self.of(&e, &v), &p.cotangent));
                joined(&parts.collect::<Vec<_>>(), 1)
            }
            Request::JvpOfGradient => {
                joined(&columns().map(|e| self.of(&e, &v)).collect::<Vec<_>>(), 1)
            }
            Request::VjpOfGradient => {
                let parts = columns().map(|e| self.of(&e, &p.cotangent));
                joined(&parts.collect::<Vec<_>>(), 1)
            }
            Request::GradientOfPartial => {
                let parts = (0..inputs).map(|i| by(i, p.columns[0]));
                joined(&parts.collect::<Vec<_>>(), 1)
            }
            Request::JacobianOfGradient => {
                let pairs = (0..inputs * inputs).map(|k| by(k / inputs, k % inputs));
                joined(&pairs.collect::<Vec<_>>(), 1)
            }
            Request::PartialOfJacobian => {
                let parts: Vec<Vec<f64>> = (0..inputs).map(|j| by(p.columns[0], j)).collect();
                let output = |k: usize| {
                    let one = move |part: &Vec<f64>| -> Vec<f64> {
                        part.iter().skip(k).step_by(outputs).copied().collect()
                    };
                    parts.iter().map(one).collect::<Vec<_>>()
                };
                joined(&(0..outputs).flat_map(output).collect::<Vec<_>>(), 1)
            }
            Request::GradientOfDivergence => {
                let of_column = |i: usize| {
                    let terms = (0..inputs).map(|j| {
                        let part = by(i, j);
                        part.into_iter().skip(j).step_by(outputs).collect()
                    });
                    added(&terms.collect::<Vec<_>>())
                };
                joined(&(0..inputs).map(of_column).collect::<Vec<_>>(), 1)
            }
        }
    }
}

fn added(parts: &[Vec<f64>]) -> Vec<f64> {
    let len = parts[0].len();
    (0..len)
        .map(|i| parts.iter().map(|part| part[i]).sum())
        .collect()
}

/// A difference between two vectors, relative to the larger of one and their size.
fn apart(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    // A maximum that keeps NaN.
    let largest = differences.fold(0.0, |all: f64, x| if x <= all { all } else { x });
    largest / size(expected).max(1.0)
}

/// An error, and how well differences are known.
#[derive(Debug, Clone, Copy, Default)]
struct Error {
    error: f64,
    doubt: f64,
}

impl Error {
    fn of(found: &[f64], expected: &[Vec<f64>; 2]) -> Self {
        Self {
            error: apart(found, &expected[1]),
            doubt: apart(&expected[0], &expected[1]),
        }
    }

    fn is_wrong(self) -> bool {
        let is_unknown = self.error.is_nan() || self.doubt.is_nan();
        is_unknown || self.error > 1e-9 + self.doubt
    }
}

/// The second derivative itself.
fn by_inputs(program: &Program) -> Result<Error, LinearizeError> {
    let found = of_model(&program.net(), &program.batch(), |net, batch| {
        program.derivative(net, batch)
    })?;
    let mut second = Second {
        program,
        net: program.plain(),
        known: RefCell::default(),
        order: 0,
    };
    let expected = [0, 1].map(|order| {
        second.order = order;
        second.expected()
    });
    Ok(Error::of(&found.numbers, &expected))
}

/// Derivatives of a loss along a direction of the parameters.
struct ByParameters {
    slope: Error,
    /// Of the gradient, for every fifth program.
    product: Option<Error>,
}

/// The derivatives of a loss of the second derivative.
fn by_parameters(program: &Program, index: usize) -> Result<ByParameters, LinearizeError> {
    let batch = program.batch();
    let trace = GradientTrace::new(
        program.net(),
        device().settings(),
        |inputs| -> Vec<Tensor<2>> { batch.iter().map(|x| inputs.float(x.clone())).collect() },
        |net: &Net, batch| program.loss(net, &batch),
    )?;
    let mut rng = StdRng::seed_from_u64(!(index as u64));
    let directions = program.parameters.iter().map(|numbers| -> Vec<f64> {
        numbers
            .iter()
            .map(|_| rng.random_range(-0.3..0.3))
            .collect()
    });
    let directions: Vec<Vec<f64>> = directions.collect();
    let at = |step: f64| {
        let mut bindings = trace.bindings.clone();
        for parameter in &trace.parameters {
            let input = parameter.input;
            let moved = program.parameters[input].iter().zip(&directions[input]);
            let moved: Vec<f64> = moved.map(|(x, d)| x + step * d).collect();
            bindings[input] = tensor(&moved, program.shapes[input]).into_dispatch();
        }
        let outputs = trace.program.run(&bindings, &device())?;
        Ok::<_, LinearizeError>(outputs.into_iter().map(numbers).collect::<Vec<_>>())
    };
    let outputs = at(0.0)?;
    let slopes = trace.parameters.iter().filter_map(|parameter| {
        let gradient = &outputs[parameter.gradient?];
        let pairs = gradient.iter().zip(&directions[parameter.input]);
        Some(pairs.map(|(g, d)| g * d).sum::<f64>())
    });
    let found: f64 = slopes.sum();
    // The loss, and the gradients one after another.
    let mut differences: Vec<Vec<f64>> = Vec::new();
    for k in 1..5 {
        let distance = f64::from(k) * STEP;
        let (up, down) = (at(distance)?.concat(), at(-distance)?.concat());
        let pairs = up.iter().zip(&down);
        differences.push(pairs.map(|(up, down)| (up - down) / STEP).collect());
    }
    let expected = FIRST.each_ref().map(|weights| {
        let terms = weights.iter().zip(&differences);
        let terms = terms.map(|(weight, all)| all.iter().map(|x| weight * x).collect());
        added(&terms.collect::<Vec<Vec<f64>>>())
    });
    let [slope, gradient] = [0..1, 1..expected[0].len()]
        .map(|part| expected.each_ref().map(|all| all[part.clone()].to_vec()));
    let product = index.is_multiple_of(5).then(|| {
        let mut point = LinearizedGradient::new(&trace, device().settings(), &device())?;
        let parts = trace.parameters.iter().map(|parameter| {
            let direction = &directions[parameter.input];
            tensor(direction, [direction.len()])
        });
        let product = point.hvp(&parts.collect::<Vec<_>>())?;
        let with_gradient = trace.parameters.iter().zip(product);
        let with_gradient = with_gradient.filter(|(parameter, _)| parameter.gradient.is_some());
        let found = with_gradient.flat_map(|(parameter, part)| match part {
            Some(part) => numbers(part),
            None => vec![0.0; program.parameters[parameter.input].len()],
        });
        Ok::<_, LinearizeError>(Error::of(&found.collect::<Vec<_>>(), &gradient))
    });
    Ok(ByParameters {
        slope: Error::of(&[found], &slope),
        product: product.transpose()?,
    })
}

/// The measurements of one kind of derivative.
#[derive(Default)]
struct Line {
    programs: usize,
    /// Worst errors and doubts.
    inputs: Error,
    parameters: Error,
    products: Error,
    /// Programs that differences cannot judge.
    unclear: usize,
    wrong: Vec<usize>,
}

impl Error {
    fn worst(self, other: Self) -> Self {
        Self {
            error: self.error.max(other.error),
            doubt: self.doubt.max(other.doubt),
        }
    }
}

fn hold(programs: std::ops::Range<usize>) {
    let mut table: BTreeMap<Request, Line> = BTreeMap::new();
    let mut layers = BTreeSet::new();
    for index in programs {
        let program = Program::new(index);
        let line = table.entry(program.request).or_default();
        line.programs += 1;
        layers.extend(program.layers());
        let measured = by_inputs(&program).and_then(|inputs| {
            let parameters = by_parameters(&program, index)?;
            Ok((inputs, parameters))
        });
        let (inputs, ByParameters { slope, product }) = measured
            .unwrap_or_else(|error| panic!("program {index}, {:?}: {error}", program.layers()));
        let product = product.unwrap_or_default();
        let all = [inputs, slope, product];
        if all.iter().any(|part| part.doubt > 1e-7) {
            line.unclear += 1;
        } else {
            line.inputs = line.inputs.worst(inputs);
            line.parameters = line.parameters.worst(slope);
            line.products = line.products.worst(product);
        }
        if all.iter().any(|part| part.is_wrong()) {
            println!("{index}: {all:?} {:?}", program.layers());
            line.wrong.push(index);
        }
    }
    println!(
        "worst error (doubt)    programs  unclear  by inputs           by parameters       twice               wrong"
    );
    for (request, line) in &table {
        let [inputs, parameters, products] = [line.inputs, line.parameters, line.products]
            .map(|Error { error, doubt }| format!("{error:.1e} ({doubt:.1e})"));
        println!(
            "{:<21} {:9} {:8}  {inputs:<18}  {parameters:<18}  {products:<18}  {:5}",
            format!("{request:?}"),
            line.programs,
            line.unclear,
            line.wrong.len()
        );
    }
    assert_eq!(table.len(), REQUESTS.len());
    assert_eq!(layers.len(), STEPS.len(), "a layer that no program has");
    for (request, line) in table {
        assert_eq!(line.wrong, [0_usize; 0], "{request:?}");
        assert!(20 * line.unclear <= line.programs, "{request:?}");
    }
}

#[test]
fn derivatives_of_random_programs_are_those_of_differences() {
    hold(0..PROGRAMS / 10);
}

#[test]
#[ignore = "cargo xtask sweep fields"]
fn sweep_fields() {
    hold(0..PROGRAMS);
}
