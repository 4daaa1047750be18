//! Laplacians in one pass.
//!
//! A second derivative along a direction obeys the linear part of the first one, with a source at each operation:
//! for `y = f(x)`, `ÿ = f′ ẍ + f″ ẋ²`. The sum over all directions obeys the same equation with the sum of the sources. So
//! it takes one tangent for each direction and one for the sum, instead of two for each direction.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::DeviceSettings;
use burn_ir::{BaseOperationIr as Base, OperationIr, TensorId, TensorIr};
use burn_router::RouterClient;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::LinearizeError;
use crate::coverage::describe;
use crate::program::{Program, unique};
use crate::record::{C, Symbol, completed, declared, record};
use crate::rule::{self, Tape};

/// The sum of the second derivatives of the first output of a program along several directions of its first input.
pub(super) enum Laplacian {
    /// A program whose last inputs are the directions, and whose output is the sum.
    Program(Program),
    /// It is zero whatever the values.
    Zero,
    /// The program compares numbers for equality, or directions are treated differently.
    Unknown,
}

/// The first derivatives along all directions.
struct First {
    program: Program,
    /// The tangent of each tensor, by direction.
    tangents: Vec<FxHashMap<TensorId, TensorIr>>,
}

pub(super) fn laplacian(
    field: &Program,
    num_directions: usize,
    settings: DeviceSettings,
) -> Result<Laplacian, LinearizeError> {
    let compares = |operation: &OperationIr| {
        matches!(
            operation,
            OperationIr::BaseFloat(
                Base::Equal(_)
                    | Base::NotEqual(_)
                    | Base::EqualElem(_)
                    | Base::NotEqualElem(_)
                    | Base::All(_)
                    | Base::Any(_)
                    | Base::AllDim(_)
                    | Base::AnyDim(_)
            )
        )
    };
    if field.operations.iter().any(compares) {
        return Ok(Laplacian::Unknown);
    }
    let first = first(field, num_directions, settings)?;
    second(field, &first, settings)
}

fn first(
    field: &Program,
    num_directions: usize,
    settings: DeviceSettings,
) -> Result<First, LinearizeError> {
    let x = &field.inputs[0];
    let (graph, (inputs, tangents)) = record(settings, |_, recorder, scope| {
        let mut inputs = field.inputs.clone();
        let mut tapes = Vec::new();
        for index in 0..num_directions {
            let direction = recorder.input(x.tensor.shape.clone(), x.tensor.dtype);
            inputs.push(recorder.port(&format!("direction {index}"), &direction));
            let mut tape = Tape::new(recorder, settings);
            tape.set(&x.tensor, Some(direction))?;
            tapes.push(tape);
        }
        for operation in &field.operations {
            recorder.client().register_op(operation.clone());
            for tape in &mut tapes {
                if tape.is_moving(operation.inputs()) {
                    rule::apply(operation, tape)?;
                }
            }
        }
        let tangents = tapes.iter().map(|tape| {
            let ports = tape
                .all()
                .map(|(id, symbol)| (id, recorder.port("", symbol).tensor));
            ports.collect()
        });
        let tangents = tangents.collect();
        let mut declared = declared(field);
        declared.extend(unique(&inputs[field.inputs.len()..]));
        Ok((completed(scope, declared), (inputs, tangents)))
    })?;
    let mut constants = field.constants.clone();
    constants.extend(graph.values);
    let is_operation =
        |operation: &OperationIr| !matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_));
    let operations = graph.graph.operations.into_iter().filter(is_operation);
    let program = Program::unchecked(operations.collect(), inputs, Vec::new(), constants);
    Ok(First { program, tangents })
}

/// What an operation of the first derivatives is.
enum Kind {
    /// An operation of the field.
    Own,
    /// A coefficient that a rule has made of values of the field.
    Coefficient,
    /// Linear in the tangents of a direction.
    Moving(usize),
}

fn second(
    field: &Program,
    first: &First,
    settings: DeviceSettings,
) -> Result<Laplacian, LinearizeError> {
    let First { program, tangents } = first;
    let num_directions = tangents.len();
    let kinds = kinds(field, program, num_directions);
    // The operations of each direction, in order, and how many of the last direction have been seen.
    let of_direction = |wanted: usize| -> Vec<&OperationIr> {
        let pairs = program.operations.iter().zip(&kinds);
        let pairs = pairs.filter(|(_, kind)| matches!(kind, Kind::Moving(i) if *i == wanted));
        pairs.map(|(operation, _)| operation).collect()
    };
    let lists: Vec<Vec<&OperationIr>> = (0..num_directions).map(of_direction).collect();
    let is_alike = |list: &Vec<&OperationIr>| {
        let pairs = lists[0].iter().zip(list);
        lists[0].len() == list.len()
            && pairs
                .into_iter()
                .all(|(a, b)| describe(a).0 == describe(b).0)
    };
    let Some(u) = field.outputs.first() else {
        return Ok(Laplacian::Zero);
    };
    let Some(end) = tangents[0].get(&u.tensor.id) else {
        return Ok(Laplacian::Zero);
    };
    if !lists.iter().all(is_alike) {
        return Ok(Laplacian::Unknown);
    }
    let (graph, output) = record(settings, |_, recorder, scope| {
        let mut sum = Tape::new(recorder, settings);
        let mut tapes = Vec::new();
        for tangents in tangents {
            let mut tape = Tape::new(recorder, settings);
            for (id, tangent) in tangents {
                let symbol = recorder.named(tangent.id, tangent.shape.clone(), tangent.dtype);
                tape.set(
                    &TensorIr {
                        id: *id,
                        ..tangent.clone()
                    },
                    Some(symbol),
                )?;
            }
            tapes.push(tape);
        }
        let mut sources: FxHashMap<(usize, TensorId), Symbol> = FxHashMap::default();
        let mut next = vec![0; num_directions];
        // A coefficient comes before the tangents of the values that it is made of.
        for operation in &program.operations {
            recorder.client().register_op(operation.clone());
        }
        for (operation, kind) in program.operations.iter().zip(&kinds) {
            match kind {
                Kind::Own => {}
                Kind::Coefficient => {
                    for tape in &mut tapes {
                        if tape.is_moving(operation.inputs()) {
                            rule::apply(operation, tape)?;
                        }
                    }
                }
                Kind::Moving(direction) => {
                    let tape = &mut tapes[*direction];
                    if tape.is_moving(operation.inputs()) {
                        rule::apply(operation, tape)?;
                        for out in operation.outputs() {
                            if let Some(source) = tape.take(out) {
                                sources.insert((*direction, out.id), source);
                            }
                        }
                    }
                    let place = next[*direction];
                    next[*direction] += 1;
                    if *direction + 1 == num_directions {
                        propagate(place, &lists, &sources, &mut sum)?;
                    }
                }
            }
        }
        let output = sum
            .tangent(end)
            .map(|symbol| recorder.port("laplacian", &symbol));
        let read = unique(&program.inputs);
        let known: FxHashSet<TensorId> = program
            .operations
            .iter()
            .flat_map(OperationIr::inputs)
            .map(|tensor| tensor.id)
            .collect();
        let declared = read.into_iter().chain(program.constants.keys().copied());
        let declared: Vec<TensorId> = declared.filter(|id| known.contains(id)).collect();
        Ok((completed(scope, declared), output))
    })?;
    let Some(output) = output else {
        return Ok(Laplacian::Zero);
    };
    let mut constants = program.constants.clone();
    constants.extend(graph.values);
    let inputs = program.inputs.clone();
    let whole = Program::new(graph.graph.operations, inputs, vec![output], constants)?;
    Ok(Laplacian::Program(whole))
}

/// Moves the sum through one operation: its own tangent, and the sources of all directions.
fn propagate(
    place: usize,
    lists: &[Vec<&OperationIr>],
    sources: &FxHashMap<(usize, TensorId), Symbol>,
    sum: &mut Tape<'_>,
) -> Result<(), LinearizeError> {
    let operation = lists[0][place];
    if sum.is_moving(operation.inputs()) {
        rule::apply(operation, sum)?;
    }
    for (index, out) in operation.outputs().enumerate() {
        let mut total = sum.take(out);
        for (direction, list) in lists.iter().enumerate() {
            let twin = list[place].outputs().nth(index);
            let source = twin.and_then(|twin| sources.get(&(direction, twin.id)));
            if let Some(source) = source.cloned() {
                total = Some(match total {
                    Some(total) => C::float_add(total, source),
                    None => source,
                });
            }
        }
        sum.set(out, total)?;
    }
    Ok(())
}

fn kinds(field: &Program, program: &Program, num_directions: usize) -> Vec<Kind> {
    let own = field.operations.iter().flat_map(OperationIr::outputs);
    let own: FxHashSet<TensorId> = own.map(|tensor| tensor.id).collect();
    let directions = &program.inputs[program.inputs.len() - num_directions..];
    let mut moving: FxHashMap<TensorId, usize> = directions
        .iter()
        .enumerate()
        .map(|(index, port)| (port.tensor.id, index))
        .collect();
    let mut kinds = Vec::new();
    for operation in &program.operations {
        let direction = operation
            .inputs()
            .find_map(|tensor| moving.get(&tensor.id).copied());
        if let Some(direction) = direction {
            moving.extend(operation.outputs().map(|tensor| (tensor.id, direction)));
            kinds.push(Kind::Moving(direction));
        } else if operation.outputs().any(|tensor| own.contains(&tensor.id)) {
            kinds.push(Kind::Own);
        } else {
            kinds.push(Kind::Coefficient);
        }
    }
    kinds
}
