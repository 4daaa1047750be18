//! Flat ends: programs from one vector to one vector, as linear algebra wants them.

use std::collections::BTreeSet;

use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, DeviceSettings, FloatDType, Shape, Slice};
use burn_ir::TensorId;
use burn_router::RouterClient;

use super::LinearizeError;
use super::lifter::C;
use super::program::{Port, Program, Rename};
use super::recording::{Recorder, Symbol, completed, record};
use super::trace::{port, unique};

/// A tensor of a program as a part of a flat vector; absent, it is zero.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) tensor: Option<Port>,
    pub(crate) len: usize,
}

impl Part {
    pub(crate) fn of(port: &Port) -> Self {
        Self {
            tensor: Some(port.clone()),
            len: port.num_elements(),
        }
    }
}

/// A flat vector that a program puts out: its parts one after the other.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) parts: Vec<Part>,
    /// The element type of parts that are zero.
    pub(crate) dtype: DType,
}

/// Replaces the inputs `tangent` by slices of one flat input, which comes last, and puts out the
/// vectors given.
pub(crate) fn with_flat_ends(
    program: &Program,
    tangent: &[Port],
    outputs: &[Vector],
    dtype: DType,
    settings: DeviceSettings,
) -> Result<Program, LinearizeError> {
    let replaced = unique(tangent);
    let mut inputs: Vec<Port> = program.inputs.clone();
    inputs.retain(|port| replaced.binary_search(&port.tensor.id).is_err());
    // Only the ends are recorded; the program itself is put between them as it is.
    let mut rename = Rename::default();
    let (head, whole) = record(settings, |_, recorder, scope| {
        let len: usize = tangent.iter().map(Port::num_elements).sum();
        let whole = recorder.placeholder(Shape::from([len]), dtype);
        drop(C::float_neg(whole.clone()));
        let mut start = 0;
        for part in tangent {
            let end = start + part.num_elements();
            let slice = match tangent.len() {
                1 => whole.clone(),
                _ => C::float_slice(whole.clone(), &[Slice::from(start..end)]),
            };
            let slice = C::float_reshape(slice, part.tensor.shape.clone());
            recorder.hold(&slice);
            rename.0.insert(part.tensor.id, slice.id());
            start = end;
        }
        let whole = port(recorder, "tangent", &whole);
        Ok((completed(scope, [whole.tensor.id]), whole))
    })?;
    let (tail, ends) = record(settings, |_, recorder, scope| {
        let mut ends = Vec::new();
        let mut read = BTreeSet::new();
        for vector in outputs {
            let symbol = joined(vector, &rename, recorder, &mut read);
            ends.push(port(recorder, &vector.name, &symbol));
        }
        Ok((completed(scope, read), ends))
    })?;
    inputs.push(whole);
    let mut operations = head.graph.operations;
    operations.extend(program.operations.iter().cloned().map(|mut operation| {
        operation.visit_mut(&mut rename);
        operation
    }));
    operations.extend(tail.graph.operations);
    let mut constants = program.constants.clone();
    constants.extend(head.values);
    constants.extend(tail.values);
    let mut flat = Program::unchecked(operations, inputs, ends, constants);
    flat.ties = program
        .ties
        .iter()
        .map(|tie| tie.renamed(&mut rename))
        .collect();
    flat.in_order()
}

/// The vector's parts one after the other; `read` gets the tensors that they are.
fn joined(
    vector: &Vector,
    rename: &Rename,
    recorder: &Recorder,
    read: &mut BTreeSet<TensorId>,
) -> Symbol {
    let parts = vector.parts.iter().map(|part| match &part.tensor {
        Some(Port { tensor, .. }) => {
            let id: TensorId = rename.0.get(&tensor.id).copied().unwrap_or(tensor.id);
            read.insert(id);
            let symbol = recorder.named(id, tensor.shape.clone(), tensor.dtype);
            C::float_reshape(symbol, Shape::from([part.len]))
        }
        None => {
            let device = recorder.client().device();
            C::float_zeros(
                Shape::from([part.len]),
                &device,
                FloatDType::from(vector.dtype),
            )
        }
    });
    let mut parts: Vec<Symbol> = parts.collect();
    match parts.len() {
        1 => parts.remove(0),
        _ => C::float_cat(parts, 0),
    }
}
