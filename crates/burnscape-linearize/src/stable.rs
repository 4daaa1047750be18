//! What Burn records with numbers that its derivative cannot be computed from.
//!
//! - `1 − p` of a probability near one: the gradient of a sigmoid is `g p (1 − p)`, of which nothing is left
//!   once `p` rounds to one. It is `g σ(x) σ(−x)` here, which keeps its digits.
//! - `exp(−m)` of an extremum, as `quiet_softmax` adds it to a sum that it divides by. Where everything is
//!   masked it is infinite, which is right for the value and makes `0 · ∞` of its derivative. Held at the
//!   largest finite number, it has the derivative zero there.

use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::tensor::{DType, Scalar};
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, FloatOperationIr as Float,
    NumericOperationIr as Numeric, OperationIr, TensorId, TensorIr,
};
use rustc_hash::FxHashMap;

use super::lifter::C;
use super::program::Program;
use super::recording::Symbol;

/// The operations of a program that are recorded otherwise.
#[derive(Default)]
pub(crate) struct Stable<'p> {
    /// What `sigmoid` was taken of, by its result.
    sigmoids: FxHashMap<TensorId, &'p TensorIr>,
    /// Extrema, and what was made of them by changes of sign and by masks.
    shifts: FxHashMap<TensorId, &'p OperationIr>,
}

impl<'p> Stable<'p> {
    pub(crate) fn of(program: &'p Program) -> Self {
        let mut found = Self::default();
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

    /// Whether [`written`](Self::written) has something to say.
    pub(crate) fn rewrites(&self, operation: &OperationIr) -> bool {
        match operation {
            OperationIr::Activation(Activation::SigmoidBackward(o)) => {
                self.sigmoids.contains_key(&o.lhs.id)
            }
            OperationIr::Float(_, Float::Exp(o)) => {
                self.is_shift(&o.input) && largest_exponent(o.input.dtype).is_some()
            }
            _ => false,
        }
    }

    /// The result of an operation, and how it is recorded instead.
    pub(crate) fn written(
        &self,
        operation: &OperationIr,
        symbol: impl Fn(&TensorIr) -> Symbol,
    ) -> Option<(TensorIr, Symbol)> {
        match operation {
            OperationIr::Activation(Activation::SigmoidBackward(o)) => {
                let x = self.sigmoids.get(&o.lhs.id)?;
                let rest = C::sigmoid(C::float_neg(symbol(x)));
                let slope = C::float_mul(symbol(&o.lhs), rest);
                Some((o.out.clone(), C::float_mul(symbol(&o.rhs), slope)))
            }
            OperationIr::Float(_, Float::Exp(o)) if self.is_shift(&o.input) => {
                let bound = largest_exponent(o.input.dtype)?;
                let held = C::float_clamp_max(symbol(&o.input), Scalar::Float(bound));
                Some((o.out.clone(), C::float_exp(held)))
            }
            _ => None,
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
