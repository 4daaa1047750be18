use burn::backend::{DispatchTensor, TensorMetadata};
use burn::tensor::Tensor;
use burn_ir::OperationIr;

use super::engine::flat;
use super::linearized::Linearized;
use super::point::{Point, with_tangent};
use crate::LinearizeError;
use crate::coverage::describe;
use crate::map::LinearMap;
use crate::program::{Port, Program};

impl Linearized {
    /// The first operation of a product that returns a NaN or an infinite number, with its shapes; `None` if all
    /// results are finite.
    ///
    /// # Cost
    ///
    /// For debugging: one product that frees no intermediate result, and one host synchronization per
    /// operation.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn find_non_finite(
        &mut self,
        point: &Point,
        tangent: &[Tensor<1>],
    ) -> Result<Option<String>, LinearizeError> {
        let held = point.held();
        let map = self.map().clone();
        let mut program = if point.is_stored() {
            Program::clone(&map.each)
        } else {
            map.whole(1)
        };
        for (port, tensor) in program.inputs.iter().zip(&held) {
            if !is_finite(tensor.clone())? {
                return Ok(Some(origin(&map, port)));
            }
        }
        let made = program.operations.iter().flat_map(|operation| {
            let floats = operation.outputs().filter(|out| out.dtype.is_float());
            floats.map(move |out| (operation, out))
        });
        let (operations, outputs): (Vec<OperationIr>, Vec<Port>) = made
            .map(|(operation, tensor)| {
                let name = String::new();
                let tensor = tensor.clone();
                (operation.clone(), Port { name, tensor })
            })
            .unzip();
        program.outputs = outputs;
        let executable = self.engine.executable(&program);
        let inputs = with_tangent(&executable, held, tangent)?;
        let results = self.engine.run(&executable, &inputs)?;
        for (operation, result) in operations.iter().zip(results) {
            if !is_finite(result)? {
                return Ok(Some(named(operation)));
            }
        }
        Ok(None)
    }
}

/// Names the operation that computes a residual.
fn origin(map: &LinearMap, residual: &Port) -> String {
    let is_it = |operation: &&OperationIr| {
        let mut outputs = operation.outputs();
        outputs.any(|tensor| tensor.id == residual.tensor.id)
    };
    let programs: [&Program; 2] = [&map.once, &map.draws];
    let mut operations = programs.into_iter().flat_map(|program| &program.operations);
    let mut inputs = map.once.inputs.iter();
    match (
        operations.find(is_it),
        inputs.find(|port| port.tensor.id == residual.tensor.id),
    ) {
        (Some(operation), _) => named(operation),
        (None, Some(port)) => format!("the input `{}`", port.name),
        (None, None) => residual.name.clone(),
    }
}

fn named(operation: &OperationIr) -> String {
    let shapes: Vec<&[usize]> = operation.inputs().map(|t| t.shape.as_slice()).collect();
    format!("`{}` with shapes {shapes:?}", describe(operation).0)
}

fn is_finite(tensor: DispatchTensor) -> Result<bool, LinearizeError> {
    if !tensor.dtype().is_float() {
        return Ok(true);
    }
    let all = flat(tensor).is_finite().all().try_into_data();
    let all = all.map_err(|error| LinearizeError::Execution {
        message: format!("{error:?}"),
    })?;
    Ok(all.iter::<bool>().all(|finite| finite))
}
