use burn::backend::{DispatchTensor, TensorMetadata};
use burn::tensor::Tensor;
use burn_ir::OperationIr;

use super::coverage::describe;
use super::executable::Executable;
use super::linearized::{Linearized, Point, with_tangent};
use super::program::{Port, Program};
use super::run::flat;
use super::{LinearMap, LinearizeError};

impl Linearized {
    /// The first operation of a product that gives a number which is not finite, with its shapes;
    /// `None` if every number is finite.
    ///
    /// # Cost
    ///
    /// One product in which no intermediate result is freed, and one host synchronization an
    /// operation: for finding out what went wrong.
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
        let mut program = match point.is_kept() {
            true => map.each.clone(),
            false => map.whole(),
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
        let inputs = with_tangent(&program, held, tangent)?;
        let results = self.run_once(&program, &Executable::new(&program), &inputs)?;
        for (operation, result) in operations.iter().zip(results) {
            if !is_finite(result)? {
                return Ok(Some(named(operation)));
            }
        }
        Ok(None)
    }
}

/// What made a residual.
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
    let all = all.map_err(|error| LinearizeError::Run {
        message: format!("{error:?}"),
    })?;
    Ok(all.iter::<bool>().all(|finite| finite))
}
