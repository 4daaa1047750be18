//! What Burn records with numbers that its derivative cannot be computed from.
//!
//! - `1 − p` of a probability near one: the gradient of a sigmoid is `g p (1 − p)`, of which nothing is left
//!   once `p` rounds to one. It is `g σ(x) σ(−x)` here, which keeps its digits; [`Slopes`](super::slopes::Slopes)
//!   differentiates it.
//! - `exp(−m)` of an extremum, as `quiet_softmax` adds it to a sum that it divides by. Where everything is
//!   masked it is infinite, which is right for the value and makes `0 · ∞` of its derivative. Held at the
//!   largest finite number, it has the derivative zero there. Only where nothing but a division reads the sum:
//!   what is divided by infinity is zero, and to rounding is so here. Anywhere else an overflow stays one.

use burn::tensor::{DType, Scalar};
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BinaryOpIr,
    FloatOperationIr as Float, NumericOperationIr as Numeric, OperationIr, ScalarOpIr, TensorId,
    TensorIr, TensorStatus, UnaryOpIr,
};
use rustc_hash::FxHashMap;

use super::coverage::describe;
use super::program::Program;

/// The operations of a program that are recorded otherwise.
struct Stable<'p> {
    program: &'p Program,
    /// What `sigmoid` was taken of, by its result.
    sigmoids: FxHashMap<TensorId, &'p TensorIr>,
    /// Extrema, and what was made of them by changes of sign and by masks.
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

    /// Whether a tensor is read only as a term of sums that are read only by divisions.
    fn is_term_of_divisor(&self, tensor: &TensorIr) -> bool {
        self.is_read_only(tensor, |operation| match operation {
            OperationIr::NumericFloat(_, Numeric::Add(o)) => self.is_divisor(&o.out),
            _ => false,
        })
    }

    /// Whether a tensor is read only to divide by it, or by its square as Burn's backward pass does.
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

    /// What is put in an operation's place; none if it stays. Results keep their names.
    fn instead(&self, operation: &OperationIr, names: &mut Names) -> Option<Vec<OperationIr>> {
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

/// The program with such operations recorded otherwise. It is not recorded anew: most programs with a sigmoid
/// need no other change.
pub(crate) fn stable(mut program: Program) -> Program {
    let found = Stable::of(&program);
    let mut names = Names::default();
    let changes: Vec<Option<Vec<OperationIr>>> = program
        .operations
        .iter()
        .map(|operation| found.instead(operation, &mut names))
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
        program.written_out.extend(outputs);
        program.operations.extend(change);
    }
    program
}

/// Names that no recording gives out: recordings count from zero, and [factors](super::factors) from twice as far.
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
