//! Operations whose recorded form leaves its derivative without correct digits.
//!
//! - `1 − p` for a probability near one: the gradient of a sigmoid is `g p (1 − p)`, and `1 − p` has no
//!   digits left once `p` rounds to one. It is rewritten as `g σ(x) σ(−x)`, which keeps its digits and is differentiated
//!   by the `Slopes` of the room `derive`.
//! - `exp(−m)` of an extremum `m`, which `quiet_softmax` adds to a sum that it divides by. Where everything
//!   is masked it is infinite: correct as a value, but its derivative is `0 · ∞`. Clamped to the largest
//!   finite number, it has derivative zero there. This applies only if the sum is used for nothing but
//!   division: a quotient by infinity is zero, and by the largest number zero up to rounding. Any other overflow
//!   stays one.

use burn::tensor::{DType, Scalar};
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BinaryOpIr,
    FloatOperationIr as Float, NumericOperationIr as Numeric, OperationIr, ScalarOpIr, TensorId,
    TensorIr, TensorStatus, UnaryOpIr,
};
use rustc_hash::FxHashMap;

use crate::coverage::describe;
use crate::program::Program;

/// Finds the operations of a program to rewrite.
struct Stable<'p> {
    program: &'p Program,
    /// The argument of each `sigmoid`, by its result.
    sigmoids: FxHashMap<TensorId, &'p TensorIr>,
    /// Extrema, and tensors derived from them by negation, masking or views.
    shifts: FxHashMap<TensorId, &'p OperationIr>,
}

impl<'p> Stable<'p> {
    fn of(program: &'p Program) -> Self {
        let mut found = Self {
            program,
            sigmoids: FxHashMap::default(),
            shifts: FxHashMap::default(),
        };
        for operation in &program.operations {
            match operation {
                OperationIr::Activation(Activation::Sigmoid(o)) => {
                    found.sigmoids.insert(o.out.id, &o.input);
                }
                OperationIr::NumericFloat(
                    _,
                    Numeric::Max(_)
                    | Numeric::MaxDim(_)
                    | Numeric::MaxDimWithIndices(_)
                    | Numeric::Min(_)
                    | Numeric::MinDim(_)
                    | Numeric::MinDimWithIndices(_),
                ) => found.shift(operation),
                OperationIr::BaseFloat(Base::MaskFill(o)) if found.is_shift(&o.tensor) => {
                    found.shift(operation);
                }
                OperationIr::BaseFloat(Base::Expand(o)) if found.is_shift(&o.input) => {
                    found.shift(operation);
                }
                OperationIr::BaseFloat(Base::Reshape(o)) if found.is_shift(&o.input) => {
                    found.shift(operation);
                }
                OperationIr::NumericFloat(_, Numeric::Neg(o)) if found.is_shift(&o.input) => {
                    found.shift(operation);
                }
                _ => {}
            }
        }
        found
    }

    fn shift(&mut self, operation: &'p OperationIr) {
        let floats = operation.outputs().filter(|out| out.dtype.is_float());
        self.shifts.extend(floats.map(|out| (out.id, operation)));
    }

    fn is_shift(&self, tensor: &TensorIr) -> bool {
        self.shifts.contains_key(&tensor.id)
    }

    /// Whether a tensor is used only in sums that are used only as divisors.
    fn is_term_of_divisor(&self, tensor: &TensorIr) -> bool {
        self.is_read_only(tensor, |operation| match operation {
            OperationIr::NumericFloat(_, Numeric::Add(o)) => self.is_divisor(&o.out),
            _ => false,
        })
    }

    /// Whether a tensor is used only as a divisor, or squared as a divisor as in Burn's backward pass.
    fn is_divisor(&self, tensor: &TensorIr) -> bool {
        self.is_read_only(tensor, |operation| match operation {
            OperationIr::NumericFloat(_, Numeric::Div(o)) => o.lhs.id != tensor.id,
            OperationIr::Float(_, Float::Recip(_)) => true,
            OperationIr::NumericFloat(_, Numeric::Mul(o)) => {
                o.lhs.id == o.rhs.id && self.is_divisor(&o.out)
            }
            _ => false,
        })
    }

    fn is_read_only(&self, tensor: &TensorIr, by: impl Fn(&OperationIr) -> bool) -> bool {
        let mut outputs = self.program.outputs.iter();
        let mut operations = self.program.operations.iter();
        outputs.all(|port| port.tensor.id != tensor.id)
            && operations.all(|operation| {
                operation.inputs().all(|input| input.id != tensor.id) || by(operation)
            })
    }

    /// The operations that replace an operation, under the same result names; `None` if it stays.
    fn replacement(&self, operation: &OperationIr, names: &mut Names) -> Option<Vec<OperationIr>> {
        match operation {
            OperationIr::Activation(Activation::SigmoidBackward(o)) => {
                let x = self.sigmoids.get(&o.lhs.id)?;
                let (negative, rest, slope) = (names.like(x), names.like(x), names.like(x));
                let numeric = |operation| OperationIr::NumericFloat(x.dtype, operation);
                Some(vec![
                    numeric(Numeric::Neg(UnaryOpIr {
                        input: (*x).clone(),
                        out: negative.clone(),
                    })),
                    OperationIr::Activation(Activation::Sigmoid(UnaryOpIr {
                        input: negative,
                        out: rest.clone(),
                    })),
                    numeric(Numeric::Mul(BinaryOpIr {
                        lhs: o.lhs.clone(),
                        rhs: rest,
                        out: slope.clone(),
                    })),
                    numeric(Numeric::Mul(BinaryOpIr {
                        lhs: o.rhs.clone(),
                        rhs: slope,
                        out: o.out.clone(),
                    })),
                ])
            }
            OperationIr::Float(dtype, Float::Exp(o))
                if self.is_shift(&o.input) && self.is_term_of_divisor(&o.out) =>
            {
                let bound = largest_exponent(o.input.dtype)?;
                let held = names.like(&o.input);
                Some(vec![
                    OperationIr::NumericFloat(
                        *dtype,
                        Numeric::ClampMax(ScalarOpIr {
                            lhs: o.input.clone(),
                            rhs: Scalar::Float(bound).into(),
                            out: held.clone(),
                        }),
                    ),
                    OperationIr::Float(
                        *dtype,
                        Float::Exp(UnaryOpIr {
                            input: held,
                            out: o.out.clone(),
                        }),
                    ),
                ])
            }
            _ => None,
        }
    }
}

/// Rewrites these operations in place: most programs with a sigmoid need no other change, so recording them
/// again would be wasteful.
pub(crate) fn stable(mut program: Program) -> Program {
    let found = Stable::of(&program);
    let mut names = Names::default();
    let changes: Vec<Option<Vec<OperationIr>>> = program
        .operations
        .iter()
        .map(|operation| found.replacement(operation, &mut names))
        .collect();
    if changes.iter().all(Option::is_none) {
        return program;
    }
    let operations = std::mem::take(&mut program.operations);
    for (operation, change) in operations.into_iter().zip(changes) {
        let Some(change) = change else {
            program.operations.push(operation);
            continue;
        };
        let name = describe(&operation).0;
        let outputs = operation.outputs().map(|out| (out.id, name.clone()));
        program.decomposed.extend(outputs);
        program.operations.extend(change);
    }
    program
}

/// Names outside the range of recordings, which count from zero, and of composed factors, which count from `1 << 62`.
#[derive(Default)]
struct Names(u64);

impl Names {
    fn like(&mut self, tensor: &TensorIr) -> TensorIr {
        self.0 += 1;
        TensorIr {
            id: TensorId::new((1 << 61) + self.0),
            status: TensorStatus::ReadOnly,
            ..tensor.clone()
        }
    }
}

/// The largest number whose exponential is finite, rounded down.
fn largest_exponent(dtype: DType) -> Option<f64> {
    match dtype {
        DType::F64 => Some(709.78),
        DType::F32 | DType::BF16 => Some(88.72),
        DType::F16 => Some(11.08),
        _ => None,
    }
}
