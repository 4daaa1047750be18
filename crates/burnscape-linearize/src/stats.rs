use burn_ir::{
    BaseOperationIr as Base, FloatOperationIr as Float, ModuleOperationIr as Module, OperationIr,
    TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::program::{Port, Rename};
use super::{LinearMap, Program};

/// What a program costs, by its shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgramStats {
    /// Number of operations.
    pub operations: usize,
    /// Floating-point operations, a multiplication and an addition counted apart: matrix products
    /// and convolutions by their formula, elementwise operations and reductions one an element, and
    /// moving elements about nothing.
    pub flops: u64,
    /// Operations whose count is not known and not in `flops` (pooling, resampling, sorting).
    pub uncounted: usize,
    /// The most that intermediate results and outputs take at one time, in bytes, if every result
    /// has memory of its own until its last read. Views (reshape, transpose, expand, slice) take
    /// none. Inputs and constants are not counted. Burn writes over what is read last, so that a run
    /// may need less.
    pub peak_bytes: u64,
}

impl Program {
    /// What the program costs, by its shapes.
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

    /// The matrix products and convolutions of the program alone, each operand an input of its own:
    /// what to time when asking what no engine on the same backend can go below.
    #[must_use]
    pub fn kernels(&self) -> Self {
        let mut inputs: Vec<Port> = Vec::new();
        let mut operations = Vec::new();
        let mut outputs = Vec::new();
        for operation in self.operations.iter().filter(|op| is_kernel(op)) {
            let mut operation = operation.clone();
            for tensor in operation.inputs().cloned().collect::<Vec<_>>() {
                let name = format!("operand {}", inputs.len());
                // Counted from the end, where no recorded name is.
                let id = TensorId::new(u64::MAX - 1 - inputs.len() as u64);
                operation.visit_mut(&mut Rename(FxHashMap::from_iter([(tensor.id, id)])));
                inputs.push(Port {
                    name,
                    tensor: TensorIr { id, ..tensor },
                });
            }
            outputs.extend(operation.outputs().map(|tensor| Port {
                name: String::new(),
                tensor: tensor.clone(),
            }));
            operations.push(operation);
        }
        // Not put in order: equal products are to be timed as often as they occur.
        Self::unchecked(operations, inputs, outputs, Default::default())
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        let storage = Storage::of(&self.operations);
        let mut last: FxHashMap<TensorId, usize> = FxHashMap::default();
        for (index, operation) in self.operations.iter().enumerate() {
            for tensor in operation.inputs().chain(operation.outputs()) {
                last.insert(storage.owner(tensor.id), index);
            }
        }
        for port in &self.outputs {
            last.insert(storage.owner(port.tensor.id), usize::MAX);
        }
        let (mut alive, mut peak) = (0, 0);
        let mut ends: FxHashMap<usize, u64> = FxHashMap::default();
        for (index, operation) in self.operations.iter().enumerate() {
            for tensor in operation.outputs() {
                if let Some(size) = storage.sizes.get(&tensor.id) {
                    alive += size;
                    *ends.entry(last[&tensor.id]).or_default() += size;
                }
            }
            peak = peak.max(alive);
            alive -= ends.remove(&index).unwrap_or(0);
        }
        peak
    }
}

/// What the residuals of a map take, in bytes, beyond the tensors that are given.
pub(crate) fn residual_bytes(map: &LinearMap) -> usize {
    let storage = Storage::of(&map.once.operations);
    let draws = map.draws.outputs.iter().map(|port| bytes(&port.tensor));
    (storage.total(&map.once.outputs[map.num_values..][..map.num_residuals()]) + draws.sum::<u64>())
        as usize
}

/// Which tensors have memory of their own, and how much.
pub(crate) struct Storage {
    sizes: FxHashMap<TensorId, u64>,
    views: FxHashMap<TensorId, TensorId>,
}

impl Storage {
    pub(crate) fn of<'p>(operations: impl IntoIterator<Item = &'p OperationIr>) -> Self {
        let mut storage = Self {
            sizes: FxHashMap::default(),
            views: FxHashMap::default(),
        };
        for operation in operations {
            let viewed = viewed(operation);
            for out in operation.outputs() {
                match viewed {
                    Some(input) => {
                        let owner = storage.owner(input.id);
                        storage.views.insert(out.id, owner);
                    }
                    None => {
                        storage.sizes.insert(out.id, bytes(out));
                    }
                }
            }
        }
        storage
    }

    /// What tensors take in bytes, each memory counted once and what is given not at all.
    pub(crate) fn total(&self, ports: &[Port]) -> u64 {
        let owners = ports.iter().map(|port| self.owner(port.tensor.id));
        let owners: FxHashSet<TensorId> = owners.collect();
        owners.iter().filter_map(|id| self.sizes.get(id)).sum()
    }

    fn owner(&self, id: TensorId) -> TensorId {
        self.views.get(&id).copied().unwrap_or(id)
    }
}

/// The tensor that the operation only looks at in another way.
fn viewed(operation: &OperationIr) -> Option<&TensorIr> {
    let (OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op)) =
        operation
    else {
        return None;
    };
    match op {
        Base::Reshape(o) | Base::Expand(o) => Some(&o.input),
        Base::SwapDims(o) => Some(&o.input),
        Base::Permute(o) => Some(&o.input),
        Base::Slice(o) => Some(&o.tensor),
        _ => None,
    }
}

fn bytes(tensor: &TensorIr) -> u64 {
    (tensor.shape.num_elements() * tensor.dtype.size()) as u64
}

fn is_kernel(operation: &OperationIr) -> bool {
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

fn flops(operation: &OperationIr) -> Option<u64> {
    let numel = |tensor: &TensorIr| tensor.shape.num_elements() as u64;
    let largest = || {
        let tensors = operation.inputs().chain(operation.outputs());
        tensors.map(numel).max()
    };
    // Every element of one side meets one filter: taps × input channels of its group.
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
            burn_ir::NumericOperationIr::Sort(_)
            | burn_ir::NumericOperationIr::SortWithIndices(_)
            | burn_ir::NumericOperationIr::TopK(_)
            | burn_ir::NumericOperationIr::TopKWithIndices(_) => None,
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
