//! The line of operations: tensors and operations added to it, and parts cut out of it.

use std::collections::BTreeMap;

use burn::tensor::{DType, Shape, TensorData};
use burn_ir::{
    BaseOperationIr as Base, IrVisitorMut, OperationIr, ShapeOpIr, TensorId, TensorIr, TensorStatus,
};
use rustc_hash::FxHashSet;

use super::Expansion;
use crate::LinearizeError;
use crate::lower::lower;
use crate::program::{Port, Program, Rename, is_draw};
use crate::record::{Symbol, completed, record};

impl Expansion {
    pub(super) fn free(&mut self) -> TensorId {
        self.next += 1;
        TensorId::new(self.next - 1)
    }

    /// The tensor of one number for each element, broadcast from `[1, …]`.
    pub(super) fn spread(&mut self, data: TensorData, shape: &Shape, dtype: DType) -> TensorIr {
        let id = self.free();
        let data = data.convert_dtype(dtype);
        let input = tensor_ir(id, data.shape().clone(), dtype);
        self.line.constants.insert(id, data);
        let out = tensor_ir(self.free(), shape.clone(), dtype);
        let expand = ShapeOpIr {
            input,
            out: out.clone(),
        };
        self.line
            .operations
            .push(OperationIr::BaseFloat(Base::Expand(expand)));
        out
    }

    pub(super) fn filled(&mut self, value: f64, like: &TensorIr) -> TensorIr {
        let ones = vec![1; like.shape.num_dims()];
        let data = TensorData::new(vec![value], ones);
        self.spread(data, &like.shape, like.dtype)
    }

    /// A vector for every row that is one in one column.
    pub(super) fn column(&mut self, column: usize, like: &TensorIr) -> TensorIr {
        let width = like.shape[1];
        let numbers: Vec<f64> = (0..width)
            .map(|i| f64::from(u8::from(i == column)))
            .collect();
        self.spread(
            TensorData::new(numbers, [1, width]),
            &like.shape,
            like.dtype,
        )
    }

    /// The operations from some tensors to a result, and the indices of the tensors among them that it depends on,
    /// which are the first inputs.
    pub(super) fn from(
        &mut self,
        sources: &[TensorIr],
        result: &TensorIr,
    ) -> Result<(Program, Vec<usize>), LinearizeError> {
        let ids: FxHashSet<TensorId> = sources.iter().map(|tensor| tensor.id).collect();
        let is_inner = |operation: &OperationIr| {
            operation.outputs().all(|tensor| !ids.contains(&tensor.id)) && !is_draw(operation)
        };
        let program = self.part(sources, result, is_inner)?;
        let mut read: FxHashSet<TensorId> = FxHashSet::from_iter([program.outputs[0].tensor.id]);
        for operation in &program.operations {
            read.extend(operation.inputs().map(|tensor| tensor.id));
        }
        let mut program = program;
        let found = sources.iter().enumerate();
        let found = found.filter(|(_, tensor)| read.contains(&tensor.id));
        let found: Vec<usize> = found.map(|(index, _)| index).collect();
        let mut index = 0;
        let num_sources = sources.len();
        program.inputs.retain(|port| {
            index += 1;
            index > num_sources || read.contains(&port.tensor.id)
        });
        Ok((program, found))
    }

    /// A lowered program of those operations of the line that a result needs, as far as `is_inner` holds. Its first
    /// inputs are `sources`.
    pub(super) fn part(
        &self,
        sources: &[TensorIr],
        result: &TensorIr,
        is_inner: impl Fn(&OperationIr) -> bool,
    ) -> Result<Program, LinearizeError> {
        let mut needed = FxHashSet::from_iter([result.id]);
        let mut kept = Vec::new();
        for operation in self.line.operations.iter().rev() {
            let mut outputs = operation.outputs();
            if outputs.any(|tensor| needed.contains(&tensor.id)) && is_inner(operation) {
                needed.extend(operation.inputs().map(|tensor| tensor.id));
                kept.push(operation.clone());
            }
        }
        kept.reverse();
        let mut made: FxHashSet<TensorId> = sources.iter().map(|tensor| tensor.id).collect();
        let mut inputs: Vec<Port> = sources.iter().map(port).collect();
        let mut constants = BTreeMap::new();
        let results: FxHashSet<TensorId> = kept
            .iter()
            .flat_map(|operation| operation.outputs().map(|tensor| tensor.id))
            .collect();
        let ends = std::iter::once(result);
        for tensor in kept.iter().flat_map(OperationIr::inputs).chain(ends) {
            if results.contains(&tensor.id) || !made.insert(tensor.id) {
                continue;
            }
            match self.line.constants.get(&tensor.id) {
                Some(data) => {
                    constants.insert(tensor.id, data.clone());
                }
                None => inputs.push(port(tensor)),
            }
        }
        let program = Program::new(kept, inputs, vec![port(result)], constants)?;
        lower(program, self.settings)
    }

    /// Adds the operations of a program, under new names, and returns its outputs. Some inputs are bound to other
    /// tensors, the others have their own names.
    pub(super) fn append(
        &mut self,
        program: Program,
        bindings: &[(TensorId, TensorId)],
    ) -> Result<Vec<TensorIr>, LinearizeError> {
        let mut rename = Rename::default();
        rename.0.extend(bindings.iter().copied());
        for operation in &program.operations {
            for tensor in operation.outputs() {
                let id = self.free();
                rename.0.insert(tensor.id, id);
            }
        }
        for mut operation in program.operations {
            operation.visit_mut(&mut rename);
            self.line.operations.push(operation);
        }
        let known = &mut self.line.constants;
        for (id, data) in program.constants {
            known.entry(id).or_insert(data);
        }
        for tie in &program.ties {
            let mut tie = tie.renamed(&mut rename);
            tie.moving = self.sources(&tie.moving);
            self.line.ties.push(tie);
        }
        let outputs = program.outputs.into_iter().map(|mut port| {
            rename.visit_tensor_mut(&mut port.tensor);
            port.tensor
        });
        Ok(outputs.collect())
    }

    /// The float inputs of the line that tensors depend on.
    pub(super) fn sources(&self, of: &[TensorId]) -> Vec<TensorId> {
        let mut needed: FxHashSet<TensorId> = of.iter().copied().collect();
        for operation in self.line.operations.iter().rev() {
            if operation
                .outputs()
                .any(|tensor| needed.contains(&tensor.id))
            {
                needed.extend(operation.inputs().map(|tensor| tensor.id));
            }
        }
        let ports = self.line.inputs.iter().map(|port| &port.tensor);
        let ports = ports.filter(|tensor| tensor.dtype.is_float() && needed.contains(&tensor.id));
        ports.map(|tensor| tensor.id).collect()
    }

    /// Records a function of tensors of the line; `None` of none.
    pub(super) fn combined(
        &mut self,
        tensors: Vec<TensorIr>,
        combine: impl FnOnce(Vec<Symbol>) -> Symbol,
    ) -> Result<Option<TensorIr>, LinearizeError> {
        if tensors.is_empty() {
            return Ok(None);
        }
        let (graph, result) = record(self.settings, |_, recorder, scope| {
            let symbols = tensors
                .iter()
                .map(|tensor| recorder.named(tensor.id, tensor.shape.clone(), tensor.dtype));
            let result = combine(symbols.collect());
            let result = recorder.port("", &result).tensor;
            let read: FxHashSet<TensorId> = tensors.iter().map(|tensor| tensor.id).collect();
            let read: Vec<TensorId> = read.into_iter().collect();
            // A single tensor may be the result.
            let read = if read.contains(&result.id) {
                Vec::new()
            } else {
                read
            };
            Ok((completed(scope, read), result))
        })?;
        self.line.operations.extend(graph.graph.operations);
        self.line.constants.extend(graph.values);
        Ok(Some(result))
    }
}

fn port(tensor: &TensorIr) -> Port {
    Port {
        name: format!("tensor {}", tensor.id.value()),
        tensor: TensorIr {
            status: TensorStatus::ReadOnly,
            ..tensor.clone()
        },
    }
}

fn tensor_ir(id: TensorId, shape: Shape, dtype: DType) -> TensorIr {
    TensorIr {
        id,
        shape,
        status: TensorStatus::ReadOnly,
        dtype,
    }
}
