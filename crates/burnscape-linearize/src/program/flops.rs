//! Floating-point operations of a program.

use burn_ir::{
    FloatOperationIr as Float, ModuleOperationIr as Module, NumericOperationIr as Numeric,
    OperationIr, TensorIr,
};

use super::Program;

impl Program {
    /// The number of floating-point operations, computed from the shapes, with a multiplication and an
    /// addition counted separately. Matrix products and convolutions are counted by their formula,
    /// elementwise operations and reductions as one per element, and data movement as zero. Pooling,
    /// resampling and sorting have no known count and are omitted.
    pub fn flops(&self) -> u64 {
        self.operations.iter().filter_map(flops).sum()
    }
}

fn flops(operation: &OperationIr) -> Option<u64> {
    let numel = |tensor: &TensorIr| tensor.shape.num_elements() as u64;
    let largest = || {
        let tensors = operation.inputs().chain(operation.outputs());
        tensors.map(numel).max()
    };
    // Every element of `side` meets one filter: taps × input channels of its group.
    let convolution = |side: &TensorIr, weight: &TensorIr| {
        let per_filter = numel(weight) / (weight.shape[0].max(1) as u64);
        2 * numel(side) * per_filter
    };
    match operation {
        OperationIr::Float(_, Float::Matmul(o)) => {
            let inner = o.lhs.shape[o.lhs.shape.num_dims() - 1] as u64;
            Some(2 * numel(&o.out) * inner)
        }
        OperationIr::Float(_, Float::Random(_)) => Some(0),
        OperationIr::Float(..) | OperationIr::Activation(_) => largest(),
        OperationIr::NumericFloat(_, op) => match op {
            Numeric::Sort(_)
            | Numeric::SortWithIndices(_)
            | Numeric::TopK(_)
            | Numeric::TopKWithIndices(_) => None,
            _ => largest(),
        },
        OperationIr::Module(op) => match op {
            Module::Linear(o) => Some(2 * numel(&o.out) * o.weight.shape[0] as u64),
            Module::LinearXBackward(o) => Some(2 * numel(&o.out) * o.weight.shape[1] as u64),
            Module::LinearWeightBackward(o) => Some(2 * numel(&o.x) * o.out.shape[1] as u64),
            Module::LinearBiasBackward(o) => Some(numel(&o.output_grad)),
            Module::Embedding(_) => Some(0),
            Module::EmbeddingBackward(o) => Some(numel(&o.out_grad)),
            Module::Conv1d(o) => Some(convolution(&o.out, &o.weight)),
            Module::Conv2d(o) => Some(convolution(&o.out, &o.weight)),
            Module::Conv3d(o) => Some(convolution(&o.out, &o.weight)),
            Module::Conv1dXBackward(o) => Some(convolution(&o.output_grad, &o.weight)),
            Module::Conv2dXBackward(o) => Some(convolution(&o.output_grad, &o.weight)),
            Module::Conv3dXBackward(o) => Some(convolution(&o.output_grad, &o.weight)),
            Module::Conv1dWeightBackward(o) => Some(convolution(&o.output_grad, &o.weight)),
            Module::Conv2dWeightBackward(o) => Some(convolution(&o.output_grad, &o.weight)),
            Module::Conv3dWeightBackward(o) => Some(convolution(&o.output_grad, &o.weight)),
            Module::ConvTranspose1d(o) => Some(convolution(&o.x, &o.weight)),
            Module::ConvTranspose2d(o) => Some(convolution(&o.x, &o.weight)),
            Module::ConvTranspose3d(o) => Some(convolution(&o.x, &o.weight)),
            _ => None,
        },
        OperationIr::Custom(_) | OperationIr::Distributed(_) => None,
        _ => Some(0),
    }
}
