//! Programs in double precision.

use burn::tensor::DType;
use burn_ir::{IrVisitorMut, OperationIr, TensorIr};

use super::Program;

impl Program {
    /// The same program with every float in f64. Casts between floats have no effect in it.
    pub(crate) fn in_f64(&self) -> Self {
        let mut double = self.clone();
        for operation in &mut double.operations {
            operation.visit_mut(&mut Double);
            if let OperationIr::NumericFloat(dtype, _) | OperationIr::Float(dtype, _) = operation {
                *dtype = doubled(*dtype);
            }
        }
        for port in double.inputs.iter_mut().chain(&mut double.outputs) {
            port.tensor.dtype = doubled(port.tensor.dtype);
        }
        for data in double.constants.values_mut() {
            if data.dtype().is_float() && data.dtype() != DType::F64 {
                *data = data.clone().convert_dtype(DType::F64);
            }
        }
        double
    }
}

fn doubled(dtype: DType) -> DType {
    if dtype.is_float() { DType::F64 } else { dtype }
}

struct Double;

impl IrVisitorMut for Double {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        tensor.dtype = doubled(tensor.dtype);
    }
}
