//! The cost of a program, computed from its shapes.

use burn_ir::{
    FloatOperationIr as Float, ModuleOperationIr as Module, NumericOperationIr as Numeric,
    OperationIr, TensorIr,
};

use super::Program;

/// The cost of a program, computed from its shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgramStats {
    /// The number of operations.
    pub operations: usize,
    /// Floating-point operations, with a multiplication and an addition counted separately. Matrix
    /// products and convolutions are counted by their formula, elementwise operations and reductions
    /// as one per element, and data movement as zero.
    pub flops: u64,
    /// Operations without a known count, which `flops` omits: pooling, resampling, sorting.
    pub uncounted: usize,
    /// The peak memory of intermediate results and outputs in bytes, if every result keeps its own
    /// memory until its last read. Views (reshape, transpose, expand, slice) need none; inputs and
    /// constants are not counted. A run may need less, because Burn overwrites a tensor on its last
    /// read.
    pub peak_bytes: u64,
}

impl Program {
    /// The cost of the program, computed from its shapes.
    pub fn stats(&self) -> ProgramStats {
        let mut stats = ProgramStats {
            operations: self.operations.len(),
            flops: 0,
            uncounted: 0,
            peak_bytes: self.peak_bytes(),
        };
        for operation in &self.operations {
            match flops(operation) {
                Some(count) => stats.flops += count,
                None => stats.uncounted += 1,
            }
        }
        stats
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
