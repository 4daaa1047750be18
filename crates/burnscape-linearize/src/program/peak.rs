//! The peak memory of a run.

use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, FloatOperationIr as Float,
    ModuleOperationIr as Module, NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Program;
use super::storage::{bytes, viewed};

impl Program {
    /// The peak memory of intermediate results and outputs in bytes, predicted from the shapes. Views take none, unless
    /// a transposed one is reshaped, and an elementwise operation overwrites an operand that nothing else
    /// reads, as on Burn's backends. The buffers of convolutions are those of Burn's kernels on Flex, the largest that
    /// may run; an operator's memory plan counts those that do run. Inputs and constants are not counted.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_with(&burn_workspace)
    }

    /// The same with the memory that kernels need beside operands and results.
    pub(crate) fn peak_with(&self, workspace: &Workspace<'_>) -> u64 {
        let mut memory = Memory::new(self);
        for (index, operation) in self.operations.iter().enumerate() {
            memory.run(index, operation, workspace);
        }
        memory.peak
    }
}

/// The memory that an operation needs beside its operands and results, in bytes. The function tells of an operand whether
/// its numbers are adjacent in memory.
pub(crate) type Workspace<'w> = dyn Fn(&OperationIr, &dyn Fn(&TensorIr) -> bool) -> u64 + 'w;

/// The tensors of a program during a run.
struct Memory {
    /// The last operation that reads a tensor.
    last: FxHashMap<TensorId, usize>,
    outputs: FxHashSet<TensorId>,
    tensors: FxHashMap<TensorId, View>,
    /// The buffers in use.
    buffers: FxHashMap<TensorId, Buffer>,
    alive: u64,
    peak: u64,
}

/// How a tensor lies in memory.
#[derive(Clone, Copy)]
struct View {
    /// The buffer; `None` if it belongs to an input.
    buffer: Option<TensorId>,
    is_contiguous: bool,
}

struct Buffer {
    bytes: u64,
    /// The number of tensors that use it.
    users: usize,
}

impl Memory {
    fn new(program: &Program) -> Self {
        let mut last = FxHashMap::default();
        for (index, operation) in program.operations.iter().enumerate() {
            last.extend(operation.inputs().map(|tensor| (tensor.id, index)));
        }
        Self {
            last,
            outputs: program.outputs.iter().map(|port| port.tensor.id).collect(),
            tensors: FxHashMap::default(),
            buffers: FxHashMap::default(),
            alive: 0,
            peak: 0,
        }
    }

    fn run(&mut self, index: usize, operation: &OperationIr, workspace: &Workspace<'_>) {
        for out in operation.outputs() {
            let view = self
                .view(operation, out)
                .or_else(|| self.overwritten(index, operation, out))
                .unwrap_or_else(|| self.allocated(out));
            self.tensors.insert(out.id, view);
            if let Some(buffer) = view.buffer.and_then(|id| self.buffers.get_mut(&id)) {
                buffer.users += 1;
            }
        }
        let is_contiguous = |tensor: &TensorIr| self.of(tensor.id).is_contiguous;
        let beside = workspace(operation, &is_contiguous);
        self.peak = self.peak.max(self.alive + beside);
        let read: FxHashSet<TensorId> = operation.inputs().map(|tensor| tensor.id).collect();
        let ended = |id: &TensorId| self.last.get(id).is_none_or(|&last| last == index);
        let all = read
            .into_iter()
            .chain(operation.outputs().map(|out| out.id));
        let dead: Vec<TensorId> = all.filter(ended).collect();
        for id in dead {
            if !self.outputs.contains(&id) {
                self.free(id);
            }
        }
    }

    /// The view of an operand that a result is; `None` if it has memory of its own.
    fn view(&self, operation: &OperationIr, out: &TensorIr) -> Option<View> {
        let input = viewed(operation)?;
        let of = self.of(input.id);
        let is_contiguous = match base(operation)? {
            Base::Reshape(_) => {
                // Burn copies a transposed tensor.
                return of.is_contiguous.then_some(of);
            }
            Base::Slice(_) => is_range(&input.shape, &out.shape),
            _ => {
                let is_line = input.shape.iter().filter(|&&len| len > 1).count() < 2;
                is_line && input.shape.num_elements() == out.shape.num_elements()
            }
        };
        Some(View {
            is_contiguous: of.is_contiguous && is_contiguous,
            ..of
        })
    }

    /// The operand whose memory the result takes.
    fn overwritten(&self, index: usize, operation: &OperationIr, out: &TensorIr) -> Option<View> {
        let candidates = match overwrites(operation) {
            Overwrites::Nothing => 0,
            Overwrites::First => 1,
            Overwrites::Any => usize::MAX,
        };
        let reads: Vec<&TensorIr> = operation.inputs().collect();
        let is_free = |tensor: &&&TensorIr| {
            let is_last = self.last.get(&tensor.id) == Some(&index);
            let is_once = reads.iter().filter(|read| read.id == tensor.id).count() == 1;
            let view = self.of(tensor.id);
            let buffer = view.buffer.and_then(|id| self.buffers.get(&id));
            let is_alone = buffer.is_some_and(|buffer| {
                buffer.users == 1 && buffer.bytes == bytes(tensor) && bytes(tensor) == bytes(out)
            });
            let is_kept = self.outputs.contains(&tensor.id);
            is_last
                && is_once
                && is_alone
                && view.is_contiguous
                && !is_kept
                && tensor.dtype == out.dtype
        };
        let found = reads.iter().take(candidates).find(is_free);
        found.map(|tensor| self.of(tensor.id))
    }

    fn allocated(&mut self, out: &TensorIr) -> View {
        let bytes = bytes(out);
        self.alive += bytes;
        self.buffers.insert(out.id, Buffer { bytes, users: 0 });
        View {
            buffer: Some(out.id),
            is_contiguous: true,
        }
    }

    fn free(&mut self, id: TensorId) {
        let Some(View {
            buffer: Some(buffer),
            ..
        }) = self.tensors.remove(&id)
        else {
            return;
        };
        if let Some(found) = self.buffers.get_mut(&buffer) {
            found.users -= 1;
            if found.users == 0 {
                self.alive -= found.bytes;
                self.buffers.remove(&buffer);
            }
        }
    }

    fn of(&self, id: TensorId) -> View {
        self.tensors.get(&id).copied().unwrap_or(View {
            buffer: None,
            is_contiguous: true,
        })
    }
}

fn base(operation: &OperationIr) -> Option<&Base> {
    match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            Some(op)
        }
        _ => None,
    }
}

/// Whether a slice is a single range of a contiguous tensor.
fn is_range(whole: &[usize], part: &[usize]) -> bool {
    let differs = |axis: &usize| whole[*axis] != part[*axis];
    match (0..whole.len()).rev().find(differs) {
        None => true,
        Some(axis) => part[..axis].iter().all(|&len| len == 1),
    }
}

/// The memory that Burn's kernels on Flex need at most. Convolutions copy their operands with the channels
/// last, and the gradient of a weight is a convolution of operands that are transposed first.
pub(crate) fn burn_workspace(operation: &OperationIr, _: &dyn Fn(&TensorIr) -> bool) -> u64 {
    let OperationIr::Module(operation) = operation else {
        return 0;
    };
    match operation {
        Module::Conv1d(o) => bytes(&o.x) + bytes(&o.weight),
        Module::Conv2d(o) => bytes(&o.x) + bytes(&o.weight),
        Module::Conv3d(o) => bytes(&o.x) + bytes(&o.weight),
        Module::Conv1dXBackward(o) => bytes(&o.output_grad) + bytes(&o.weight),
        Module::Conv2dXBackward(o) => bytes(&o.output_grad) + bytes(&o.weight),
        Module::Conv3dXBackward(o) => bytes(&o.output_grad) + bytes(&o.weight),
        Module::Conv1dWeightBackward(o) => 2 * (bytes(&o.x) + bytes(&o.output_grad)),
        Module::Conv2dWeightBackward(o) => 2 * (bytes(&o.x) + bytes(&o.output_grad)),
        Module::Conv3dWeightBackward(o) => 2 * (bytes(&o.x) + bytes(&o.output_grad)),
        _ => 0,
    }
}

/// Whether the operation is elementwise arithmetic, which takes the time to read and write its tensors once.
pub(crate) fn is_arithmetic(operation: &Numeric) -> bool {
    matches!(
        operation,
        Numeric::Add(_)
            | Numeric::AddScalar(_)
            | Numeric::Sub(_)
            | Numeric::SubScalar(_)
            | Numeric::Mul(_)
            | Numeric::MulScalar(_)
            | Numeric::Div(_)
            | Numeric::DivScalar(_)
            | Numeric::Abs(_)
            | Numeric::Neg(_)
    )
}

/// Whether the operation compares numbers.
pub(crate) fn is_comparison(operation: &Numeric) -> bool {
    matches!(
        operation,
        Numeric::Greater(_)
            | Numeric::GreaterElem(_)
            | Numeric::GreaterEqual(_)
            | Numeric::GreaterEqualElem(_)
            | Numeric::Lower(_)
            | Numeric::LowerElem(_)
            | Numeric::LowerEqual(_)
            | Numeric::LowerEqualElem(_)
    )
}

/// The operands whose memory a result may take.
enum Overwrites {
    Nothing,
    First,
    Any,
}

fn overwrites(operation: &OperationIr) -> Overwrites {
    let is_elementwise = match operation {
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => is_arithmetic(op),
        OperationIr::Float(_, op) => !matches!(
            op,
            Float::Matmul(_) | Float::Cross(_) | Float::Random(_) | Float::GridSample2d(_)
        ),
        OperationIr::Activation(op) => matches!(
            op,
            Activation::Relu(_) | Activation::Gelu(_) | Activation::Sigmoid(_)
        ),
        OperationIr::BaseFloat(op) => {
            return match op {
                Base::MaskFill(_)
                | Base::SliceAssign(_)
                | Base::SelectAssign(_)
                | Base::Scatter(_) => Overwrites::First,
                Base::MaskWhere(_) => Overwrites::Any,
                _ => Overwrites::Nothing,
            };
        }
        _ => false,
    };
    if is_elementwise {
        Overwrites::Any
    } else {
        Overwrites::Nothing
    }
}
