//! Slopes of sigmoids, `σ(x) σ(−x)`, as [`stable`](super::stable) writes them.

use burn::backend::ops::FloatTensorOps;
use burn_ir::{
    ActivationOperationIr as Activation, NumericOperationIr as Numeric, OperationIr, TensorId,
    TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::LinearizeError;
use super::lifter::C;
use super::program::Program;
use super::tape::Tape;

/// The products `σ(x) σ(−x)` of a program. They are functions of `σ(x)`, with the derivative
/// `σ(−x) − σ(x)`, which takes three operations less than those of `−x` and `σ(−x)`.
pub(crate) struct Slopes<'p> {
    /// `σ(x)` and `σ(−x)`, by their product.
    factors: FxHashMap<TensorId, [&'p TensorIr; 2]>,
    /// What is read only on the way to such products: its own derivative is not needed.
    unread: FxHashSet<TensorId>,
}

impl<'p> Slopes<'p> {
    pub(crate) fn of(program: &'p Program) -> Self {
        let mut found = Self {
            factors: FxHashMap::default(),
            unread: FxHashSet::default(),
        };
        let mut sigmoids = FxHashMap::default();
        let mut negatives = FxHashMap::default();
        for operation in &program.operations {
            match operation {
                OperationIr::Activation(Activation::Sigmoid(o)) => {
                    sigmoids.insert(o.out.id, &o.input);
                }
                OperationIr::NumericFloat(_, Numeric::Neg(o)) => {
                    negatives.insert(o.out.id, &o.input);
                }
                OperationIr::NumericFloat(_, Numeric::Mul(o)) if !sigmoids.is_empty() => {
                    for (y, rest) in [(&o.lhs, &o.rhs), (&o.rhs, &o.lhs)] {
                        let (Some(x), Some(negative)) =
                            (sigmoids.get(&y.id), sigmoids.get(&rest.id))
                        else {
                            continue;
                        };
                        if negatives
                            .get(&negative.id)
                            .is_some_and(|own| own.id == x.id)
                        {
                            found.factors.insert(o.out.id, [y, rest]);
                            found.unread.extend([rest.id, negative.id]);
                        }
                    }
                }
                _ => {}
            }
        }
        found.leave_what_is_read(program);
        found
    }

    /// Takes back what something else reads as well.
    fn leave_what_is_read(&mut self, program: &Program) {
        if self.unread.is_empty() {
            return;
        }
        for port in &program.outputs {
            self.unread.remove(&port.tensor.id);
        }
        // Whose tangent a product needs.
        for [y, _] in self.factors.values() {
            self.unread.remove(&y.id);
        }
        // From the end, so that what reads is known before what is read.
        for operation in program.operations.iter().rev() {
            let mut outputs = operation.outputs();
            let is_on_the_way = outputs
                .all(|out| self.factors.contains_key(&out.id) || self.unread.contains(&out.id));
            if !is_on_the_way {
                for input in operation.inputs() {
                    self.unread.remove(&input.id);
                }
            }
        }
    }

    /// Whether nothing but such a product reads the result of an operation.
    pub(crate) fn is_unread(&self, operation: &OperationIr) -> bool {
        !self.unread.is_empty() && operation.outputs().all(|out| self.unread.contains(&out.id))
    }

    /// States the tangent of such a product; false for other operations.
    pub(crate) fn apply(
        &self,
        operation: &OperationIr,
        tape: &mut Tape<'_>,
    ) -> Result<bool, LinearizeError> {
        let OperationIr::NumericFloat(_, Numeric::Mul(o)) = operation else {
            return Ok(false);
        };
        let Some([y, rest]) = self.factors.get(&o.out.id) else {
            return Ok(false);
        };
        let derivative = C::float_sub(tape.primal(rest), tape.primal(y));
        let tangent = tape.tangent(y).map(|t| C::float_mul(t, derivative));
        tape.set(&o.out, tangent)?;
        Ok(true)
    }
}
