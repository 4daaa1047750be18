use std::collections::BTreeMap;

use burn_ir::{
    FloatOperationIr as Float, ModuleOperationIr as Module, OperationIr, TensorId, TensorIr,
};
use rustc_hash::FxHashMap;

use super::{Port, Program, Rename};

impl Program {
    /// Only the matrix products and convolutions of the program, with every tensor that they read as an
    /// input. The program itself may still take less time: kernels of our own join sums of two convolutions.
    #[must_use]
    pub fn kernels(&self) -> Self {
        self.only(is_kernel)
    }

    /// Only some of the operations, with every tensor that they read as an input and every result as an output.
    pub(crate) fn only(&self, is_kept: impl Fn(&OperationIr) -> bool) -> Self {
        let mut inputs: Vec<Port> = Vec::new();
        let mut names = FxHashMap::default();
        let mut operations = Vec::new();
        let mut outputs = Vec::new();
        for operation in self.operations.iter().filter(|&op| is_kept(op)) {
            let mut operation = operation.clone();
            for tensor in operation.inputs().cloned().collect::<Vec<_>>() {
                let id = *names.entry(tensor.id).or_insert_with(|| {
                    // Names count down from the largest, which no recording reaches.
                    let id = TensorId::new(u64::MAX - 1 - inputs.len() as u64);
                    inputs.push(Port {
                        name: format!("operand {}", inputs.len()),
                        tensor: TensorIr {
                            id,
                            ..tensor.clone()
                        },
                    });
                    id
                });
                operation.visit_mut(&mut Rename(FxHashMap::from_iter([(tensor.id, id)])));
            }
            outputs.extend(operation.outputs().map(|tensor| Port {
                name: String::new(),
                tensor: tensor.clone(),
            }));
            operations.push(operation);
        }
        // Not normalized, so that equal products are timed as often as they occur.
        Self::unchecked(operations, inputs, outputs, BTreeMap::new())
    }
}

/// Whether the operation is a matrix product or a convolution.
pub(crate) fn is_kernel(operation: &OperationIr) -> bool {
    use Module as M;
    match operation {
        OperationIr::Float(_, Float::Matmul(_)) => true,
        OperationIr::Module(op) => matches!(
            op,
            M::Linear(_)
                | M::LinearXBackward(_)
                | M::LinearWeightBackward(_)
                | M::Conv1d(_)
                | M::Conv1dXBackward(_)
                | M::Conv1dWeightBackward(_)
                | M::Conv2d(_)
                | M::Conv2dXBackward(_)
                | M::Conv2dWeightBackward(_)
                | M::Conv3d(_)
                | M::Conv3dXBackward(_)
                | M::Conv3dWeightBackward(_)
                | M::ConvTranspose1d(_)
                | M::ConvTranspose1dWeightBackward(_)
                | M::ConvTranspose2d(_)
                | M::ConvTranspose2dWeightBackward(_)
                | M::ConvTranspose3d(_)
                | M::ConvTranspose3dWeightBackward(_)
        ),
        _ => false,
    }
}
