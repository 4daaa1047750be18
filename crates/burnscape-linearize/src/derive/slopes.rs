//! Slopes of sigmoids, `σ(x) σ(−x)`, as lowering produces them.

use burn::backend::ops::FloatTensorOps;
use burn_ir::{
    ActivationOperationIr as Activation, NumericOperationIr as Numeric, OperationIr, TensorId,
    TensorIr,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::LinearizeError;
use crate::program::Program;
use crate::record::C;
use crate::rule::Tape;

/// The products `σ(x) σ(−x)` of a program. As functions of `σ(x)` they have the derivative
/// `σ(−x) − σ(x)`, which needs three operations fewer than differentiating `−x` and `σ(−x)` too.
pub(crate) struct Slopes<'p> {
    /// The factors `σ(x)` and `σ(−x)`, by their product.
    factors: FxHashMap<TensorId, [&'p TensorIr; 2]>,
    /// Tensors used only to compute such products, whose own derivatives are not needed.
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
        found.keep_used(program);
        found
    }

    /// Removes tensors that are also used elsewhere from `unread`.
    fn keep_used(&mut self, program: &Program) {
        if self.unread.is_empty() {
            return;
        }
        for port in &program.outputs {
            self.unread.remove(&port.tensor.id);
        }
        // The product needs this tangent.
        for [y, _] in self.factors.values() {
            self.unread.remove(&y.id);
        }
        // Backwards, so that every reader is visited before the tensors it reads.
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

    /// Whether the results of an operation are used only for such products.
    pub(crate) fn is_unread(&self, operation: &OperationIr) -> bool {
        !self.unread.is_empty() && operation.outputs().all(|out| self.unread.contains(&out.id))
    }

    /// Sets the tangent of such a product; returns false for other operations.
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
