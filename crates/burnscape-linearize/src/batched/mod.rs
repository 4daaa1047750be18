//! Many tangents in one run: a program in which every tensor that depends on a tangent has an additional
//! leading axis.
//!
//! Everything else is computed once for all tangents. Many operations process all tangents in one call:
//! elementwise operations by broadcasting, matrix products by folding the tangents into rows or batch axes,
//! convolutions by folding them into the batch. The remaining operations are called once per tangent.

mod axes;
mod matrix;
mod pointwise;

use std::collections::HashMap;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DeviceSettings, Shape, Slice};
use burn_ir::{OperationIr, TensorId, TensorIr};
use burn_router::RouterClient;

use crate::LinearizeError;
use crate::program::{Port, Program, Rename};
use crate::record::{C, Recorder, Symbol, completed, declared_with, record};

/// The program for `k` values at once of each input from index `first_moving` on.
pub(crate) fn batched(
    program: &Program,
    first_moving: usize,
    k: usize,
    settings: DeviceSettings,
) -> Result<Program, LinearizeError> {
    let mut inputs = program.inputs.clone();
    let (graph, outputs) = record(settings, |_, recorder, scope| {
        let mut block = Block {
            recorder,
            k,
            moving: HashMap::new(),
        };
        for port in &mut inputs[first_moving..] {
            let single = port.tensor.clone();
            let symbol = recorder.input(block.shape(&single), single.dtype);
            port.tensor = recorder.port(&port.name, &symbol).tensor;
            block.set(&single, symbol);
        }
        for operation in &program.operations {
            if !operation
                .inputs()
                .any(|tensor| block.moving.contains_key(&tensor.id))
            {
                recorder.client().register_op(operation.clone());
            } else if !(pointwise::apply(operation, &mut block)
                || axes::apply(operation, &mut block)
                || matrix::apply(operation, &mut block))
            {
                block.one_by_one(operation);
            }
        }
        let ports = program.outputs.iter();
        let outputs = ports
            .map(|Port { name, tensor }| recorder.port(name, &block.spread(tensor)))
            .collect();
        let read = program.outputs.iter().map(|port| port.tensor.id);
        let mut known = declared_with(program, read);
        known.retain(|id| {
            !program.inputs[first_moving..]
                .iter()
                .any(|p| p.tensor.id == *id)
        });
        known.extend(inputs[first_moving..].iter().map(|port| port.tensor.id));
        Ok((completed(scope, known), outputs))
    })?;
    let mut constants = program.constants.clone();
    constants.extend(graph.values);
    Program::new(graph.graph.operations, inputs, outputs, constants)
}

/// The tensors that depend on a tangent, with their additional axis.
struct Block<'a> {
    recorder: &'a Recorder,
    k: usize,
    /// Tensors with an axis for the tangents, by the name of the single tensor.
    moving: HashMap<TensorId, Symbol>,
}

impl Block<'_> {
    /// The shape of a single tensor with the axis of the tangents in front.
    fn shape(&self, single: &TensorIr) -> Shape {
        self.shape_of(single.shape.as_slice())
    }

    fn shape_of(&self, single: &[usize]) -> Shape {
        let mut axes = vec![self.k];
        axes.extend_from_slice(single);
        Shape::from(axes)
    }

    fn moves(&self, tensor: &TensorIr) -> bool {
        self.moving.contains_key(&tensor.id)
    }

    fn set(&mut self, single: &TensorIr, symbol: Symbol) {
        self.recorder.hold(&symbol);
        self.moving.insert(single.id, symbol);
    }

    /// A tensor without the axis of the tangents.
    fn fixed(&self, tensor: &TensorIr) -> Symbol {
        self.recorder
            .named(tensor.id, tensor.shape.clone(), tensor.dtype)
    }

    /// `[k, …]` if the tensor depends on the tangents, else `[1, …]`: ready for broadcasting.
    fn float(&self, tensor: &TensorIr) -> Symbol {
        self.moving.get(&tensor.id).cloned().unwrap_or_else(|| {
            let mut axes = vec![1];
            axes.extend_from_slice(tensor.shape.as_slice());
            C::float_reshape(self.fixed(tensor), Shape::from(axes))
        })
    }

    /// `[k, …]`, repeated if the tensor does not depend on the tangents.
    fn spread(&self, tensor: &TensorIr) -> Symbol {
        let symbol = self.float(tensor);
        let shape = self.shape(tensor);
        if symbol.shape() == shape {
            symbol
        } else {
            C::float_expand(symbol, shape)
        }
    }

    /// Applies the operation to each tangent separately.
    fn one_by_one(&mut self, operation: &OperationIr) {
        let mut collected: Vec<Vec<Symbol>> = Vec::new();
        for index in 0..self.k {
            let mut rename = Rename::default();
            for tensor in operation.inputs() {
                let Some(block) = self.moving.get(&tensor.id) else {
                    continue;
                };
                let mut ranges = vec![Slice::from(index..index + 1)];
                ranges.resize(tensor.shape.num_dims() + 1, Slice::full());
                let single = C::float_slice(block.clone(), &ranges);
                let single = C::float_reshape(single, tensor.shape.clone());
                self.recorder.hold(&single);
                rename.0.insert(tensor.id, single.id());
            }
            let outs: Vec<TensorIr> = operation.outputs().cloned().collect();
            let singles: Vec<Symbol> = outs
                .iter()
                .map(|out| self.recorder.placeholder(out.shape.clone(), out.dtype))
                .collect();
            for (out, single) in outs.iter().zip(&singles) {
                rename.0.insert(out.id, single.id());
            }
            let mut operation = operation.clone();
            operation.visit_mut(&mut rename);
            self.recorder.client().register_op(operation);
            collected.resize_with(outs.len(), Vec::new);
            for ((out, single), list) in outs.iter().zip(singles).zip(&mut collected) {
                let mut axes = vec![1];
                axes.extend_from_slice(out.shape.as_slice());
                list.push(C::float_reshape(single, Shape::from(axes)));
            }
        }
        let outs: Vec<TensorIr> = operation.outputs().cloned().collect();
        for (out, list) in outs.iter().zip(collected) {
            let whole = C::float_cat(list, 0);
            self.set(out, whole);
        }
    }
}
