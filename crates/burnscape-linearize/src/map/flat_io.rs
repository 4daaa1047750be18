//! Flat inputs and outputs: programs on vectors, as linear algebra needs them.

use std::collections::BTreeSet;

use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, DeviceSettings, FloatDType, Shape, Slice};
use burn_capture::CapturedGraph;
use burn_ir::TensorId;
use burn_router::RouterClient;

use crate::LinearizeError;
use crate::program::{Port, Program, Rename, unique};
use crate::record::{C, Recorder, Symbol, completed, record};

/// A tensor as a part of a flat vector; `None` is zero.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) tensor: Option<Port>,
    pub(super) len: usize,
}

impl Part {
    pub(super) fn of(port: &Port) -> Self {
        Self {
            tensor: Some(port.clone()),
            len: port.num_elements(),
        }
    }
}

/// A flat output vector: the concatenation of its parts.
pub(super) struct Vector {
    name: String,
    parts: Vec<Part>,
    /// The element type of parts that are zero.
    dtype: DType,
}

impl Vector {
    pub(super) fn new(name: &str, parts: Vec<Part>, dtype: DType) -> Self {
        Self {
            name: name.into(),
            parts,
            dtype,
        }
    }

    /// A vector that is a single tensor.
    pub(super) fn of(port: &Port) -> Self {
        Self::new(&port.name, vec![Part::of(port)], port.tensor.dtype)
    }
}

/// Flat inputs and outputs for a program.
pub(super) struct FlatIo {
    /// The inputs to replace by slices of one flat input.
    pub(super) tangents: Vec<Port>,
    pub(super) outputs: Vec<Vector>,
    /// The element type of the flat input.
    pub(super) dtype: DType,
}

impl FlatIo {
    /// The program with one flat tangent as its last input, and with flat outputs.
    pub(super) fn wrap(
        self,
        program: &Program,
        settings: DeviceSettings,
    ) -> Result<Program, LinearizeError> {
        let replaced = unique(&self.tangents);
        let mut inputs: Vec<Port> = program.inputs.clone();
        inputs.retain(|port| replaced.binary_search(&port.tensor.id).is_err());
        // Only the slices and concatenations are recorded; the program is inserted between them unchanged.
        let mut rename = Rename::default();
        let (head, tangent) = self.slices(&mut rename, settings)?;
        let (tail, outputs) = record(settings, |_, recorder, scope| {
            let mut read = BTreeSet::new();
            let outputs = self.outputs.iter().map(|vector| {
                let symbol = concatenated(vector, &rename, recorder, &mut read);
                recorder.port(&vector.name, &symbol)
            });
            let outputs = outputs.collect();
            Ok((completed(scope, read), outputs))
        })?;
        inputs.push(tangent);
        let mut operations = head.graph.operations;
        operations.extend(program.operations.iter().cloned().map(|mut operation| {
            operation.visit_mut(&mut rename);
            operation
        }));
        operations.extend(tail.graph.operations);
        let mut constants = program.constants.clone();
        constants.extend(head.values);
        constants.extend(tail.values);
        let mut flat = Program::unchecked(operations, inputs, outputs, constants);
        let ties = program.ties.iter();
        flat.ties = ties.map(|tie| tie.renamed(&mut rename)).collect();
        flat.normalized()
    }

    /// Records the flat tangent and its slices, and renames the tangents to the slices.
    fn slices(
        &self,
        rename: &mut Rename,
        settings: DeviceSettings,
    ) -> Result<(CapturedGraph, Port), LinearizeError> {
        record(settings, |_, recorder, scope| {
            let len: usize = self.tangents.iter().map(Port::num_elements).sum();
            let whole = recorder.input(Shape::from([len]), self.dtype);
            let mut start = 0;
            for part in &self.tangents {
                let end = start + part.num_elements();
                let slice = if self.tangents.len() == 1 {
                    whole.clone()
                } else {
                    C::float_slice(whole.clone(), &[Slice::from(start..end)])
                };
                let slice = C::float_reshape(slice, part.tensor.shape.clone());
                recorder.hold(&slice);
                rename.0.insert(part.tensor.id, slice.id());
                start = end;
            }
            let whole = recorder.port("tangent", &whole);
            Ok((completed(scope, [whole.tensor.id]), whole))
        })
    }
}

/// Concatenates the parts of a vector; `read` collects the tensors used.
fn concatenated(
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
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        C::float_cat(parts, 0)
    }
}
