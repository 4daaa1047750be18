use burn::tensor::DType;
use burn_ir::{
    ActivationOperationIr as Activation, BinaryOpIr, NumericOperationIr as Numeric, OperationIr,
    ScalarIr, ScalarOpIr, TensorId, TensorIr,
};
use rustc_hash::FxHashMap;

use super::operand::Broadcast;
use crate::program::{Program, viewed};

/// A chain of arithmetic.
pub(super) struct Expression<'p> {
    pub(super) inputs: Vec<&'p TensorIr>,
    pub(super) steps: Vec<Step>,
    pub(super) out: &'p TensorIr,
}

/// One step of a chain. Operands are numbered: the inputs, and then the steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) code: Code,
    pub(super) operands: [usize; 2],
    pub(super) scalar: f64,
}

/// What a step does with its operands, or with the first one and a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Add,
    Sub,
    Mul,
    Div,
    AddScalar,
    SubScalar,
    MulScalar,
    DivScalar,
    /// The second operand where the first one is positive or not a number, zero elsewhere.
    Mask,
}

impl Code {
    const ALL: [Self; 9] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::AddScalar,
        Self::SubScalar,
        Self::MulScalar,
        Self::DivScalar,
        Self::Mask,
    ];
}

impl Step {
    /// The steps as arguments of an operation.
    pub(super) fn scalars(steps: &[Self]) -> Vec<ScalarIr> {
        let number = |number: usize| ScalarIr::UInt(number as u64);
        let scalars = steps.iter().flat_map(|step| {
            let [a, b] = step.operands;
            let scalar = ScalarIr::Float(step.scalar);
            [number(step.code as usize), number(a), number(b), scalar]
        });
        scalars.collect()
    }

    pub(super) fn of_scalars(scalars: &[ScalarIr]) -> Vec<Self> {
        let (steps, _) = scalars.as_chunks();
        let number = |scalar: &ScalarIr| scalar.elem::<u64>() as usize;
        let step = |[code, a, b, scalar]: &[ScalarIr; 4]| Self {
            code: Code::ALL[number(code)],
            operands: [number(a), number(b)],
            scalar: scalar.elem(),
        };
        steps.iter().map(step).collect()
    }
}

/// An elementwise operation.
struct Elementwise<'p> {
    code: Code,
    operands: [&'p TensorIr; 2],
    scalar: f64,
    out: &'p TensorIr,
}

impl<'p> Elementwise<'p> {
    fn of(operation: &'p OperationIr) -> Option<Self> {
        let binary = |code, o: &'p BinaryOpIr| Self {
            code,
            operands: [&o.lhs, &o.rhs],
            scalar: 0.0,
            out: &o.out,
        };
        let scalar = |code, o: &'p ScalarOpIr| Self {
            code,
            operands: [&o.lhs; 2],
            scalar: o.rhs.elem(),
            out: &o.out,
        };
        let found = match operation {
            OperationIr::NumericFloat(_, Numeric::Add(o)) => binary(Code::Add, o),
            OperationIr::NumericFloat(_, Numeric::Sub(o)) => binary(Code::Sub, o),
            OperationIr::NumericFloat(_, Numeric::Mul(o)) => binary(Code::Mul, o),
            OperationIr::NumericFloat(_, Numeric::Div(o)) => binary(Code::Div, o),
            OperationIr::NumericFloat(_, Numeric::AddScalar(o)) => scalar(Code::AddScalar, o),
            OperationIr::NumericFloat(_, Numeric::SubScalar(o)) => scalar(Code::SubScalar, o),
            OperationIr::NumericFloat(_, Numeric::MulScalar(o)) => scalar(Code::MulScalar, o),
            OperationIr::NumericFloat(_, Numeric::DivScalar(o)) => scalar(Code::DivScalar, o),
            OperationIr::Activation(Activation::ReluBackward(o)) => binary(Code::Mask, o),
            _ => return None,
        };
        // Numbers of 16 bits keep Burn's kernels.
        let is_wide = matches!(found.out.dtype, DType::F32 | DType::F64);
        let is_known = found.operands.iter().all(|operand| {
            operand.dtype == found.out.dtype
                && Broadcast::new(&operand.shape, &found.out.shape).is_some()
        });
        (is_wide && is_known).then_some(found)
    }

    fn num_operands(&self) -> usize {
        match self.code {
            Code::AddScalar | Code::SubScalar | Code::MulScalar | Code::DivScalar => 1,
            _ => 2,
        }
    }
}

/// Fewer numbers are not worth it.
const FEWEST: usize = 1 << 12;
/// From here on a single step is worth it, for it runs on all threads.
const MANY: usize = 1 << 15;
/// The inputs and steps of a chain, so that its chunks stay in the cache.
const LONGEST: usize = 12;

/// The longest chains of a program whose results between steps nothing else reads, with the place of their last step.
///
/// All steps are next to each other but for views, so that no tensor is needed longer than without them.
pub(super) fn expressions(program: &Program) -> Vec<(usize, Expression<'_>)> {
    let mut reads: FxHashMap<TensorId, usize> = FxHashMap::default();
    let inputs = program.operations.iter().flat_map(OperationIr::inputs);
    for id in inputs.map(|tensor| tensor.id).chain(program.roots()) {
        *reads.entry(id).or_default() += 1;
    }
    let mut found: FxHashMap<TensorId, (usize, Expression<'_>)> = FxHashMap::default();
    // The chains that end since the last operation of another kind.
    let mut near: Vec<TensorId> = Vec::new();
    for (index, operation) in program.operations.iter().enumerate() {
        let Some(step) = Elementwise::of(operation) else {
            if viewed(operation).is_none() {
                near.clear();
            }
            continue;
        };
        if step.out.shape.num_elements() < FEWEST {
            continue;
        }
        let mut chain = Expression {
            inputs: Vec::new(),
            steps: Vec::new(),
            out: step.out,
        };
        let mut operands = [0; 2];
        for (place, operand) in step.operands[..step.num_operands()].iter().enumerate() {
            let is_alone = reads.get(&operand.id) == Some(&1) && near.contains(&operand.id);
            let before = found.get(&operand.id).filter(|(_, before)| {
                is_alone && before.out.shape == step.out.shape && chain.has_room_for(before)
            });
            operands[place] = if before.is_some() {
                found
                    .remove(&operand.id)
                    .map_or(0, |(_, before)| chain.join(before))
            } else {
                chain.input(operand)
            };
        }
        let [first, second] = operands;
        let second = if step.num_operands() == 1 {
            first
        } else {
            second
        };
        chain.steps.push(Step {
            code: step.code,
            operands: [first, second],
            scalar: step.scalar,
        });
        near.push(step.out.id);
        found.insert(step.out.id, (index, chain));
    }
    let mut chains: Vec<_> = found.into_values().collect();
    chains.retain(|(_, chain)| chain.steps.len() > 1 || chain.out.shape.num_elements() >= MANY);
    chains.sort_by_key(|(index, _)| *index);
    for (_, chain) in &mut chains {
        chain.number();
    }
    chains
}

/// While chains are joined, steps are numbered from here on, and inputs from zero.
const STEPS: usize = 1 << 16;

impl<'p> Expression<'p> {
    fn has_room_for(&self, before: &Self) -> bool {
        let len = |chain: &Self| chain.inputs.len() + chain.steps.len();
        // One more step, and one more input.
        len(self) + len(before) + 2 <= LONGEST
    }

    /// The number of an input.
    fn input(&mut self, tensor: &'p TensorIr) -> usize {
        let known = self.inputs.iter().position(|input| input.id == tensor.id);
        known.unwrap_or_else(|| {
            self.inputs.push(tensor);
            self.inputs.len() - 1
        })
    }

    /// Adds a chain, and returns the number of its result.
    fn join(&mut self, before: Self) -> usize {
        let inputs: Vec<usize> = before
            .inputs
            .iter()
            .map(|input| self.input(input))
            .collect();
        let first = self.steps.len();
        self.steps.extend(before.steps.into_iter().map(|step| {
            Step {
                operands: step
                    .operands
                    .map(|operand| match operand.checked_sub(STEPS) {
                        Some(own) => STEPS + first + own,
                        None => inputs[operand],
                    }),
                ..step
            }
        }));
        STEPS + self.steps.len() - 1
    }

    /// Numbers steps behind the inputs.
    fn number(&mut self) {
        let num_inputs = self.inputs.len();
        for operand in self.steps.iter_mut().flat_map(|step| &mut step.operands) {
            if let Some(step) = operand.checked_sub(STEPS) {
                *operand = num_inputs + step;
            }
        }
    }
}
