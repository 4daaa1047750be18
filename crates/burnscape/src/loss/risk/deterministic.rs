use std::sync::atomic::Ordering;

use burn::module::Module;

use super::{Risk, RiskGradient};
use crate::loss::{Agreement, LossError, Sides, compare_nearby};
use crate::space::{Nearby, ParamVector};

impl<M: Module, K> Risk<'_, M, K> {
    /// Evaluates loss and gradient twice and returns an error that names the quantity that differs.
    ///
    /// Dropout, a shuffling loader or an exhausted iterator makes curvature meaningless; run this check
    /// before you trust any. Losses and gradients may differ by `tolerance` relative to their size (use 0 on
    /// the CPU; reductions on a GPU may run in any order). Where the terms of a loss or gradient cancel, as
    /// they do at a minimum, the tolerance is relative to their size at displaced weights.
    ///
    /// # Cost
    ///
    /// Two passes with gradients; up to eight more where they differ and the tolerance is not zero.
    ///
    /// # Errors
    ///
    /// [`LossError::NotDeterministic`], [`LossError::NonFiniteGradient`], and those of
    /// [`loss_and_gradient`](Self::loss_and_gradient).
    pub fn check_deterministic(&self, model: &M, tolerance: f64) -> Result<(), LossError> {
        // This check covers the probe and reports more.
        self.is_probed.store(true, Ordering::Relaxed);
        let found = self.in_time(model, || self.compare_twice(model, tolerance));
        self.is_probed.store(found.is_ok(), Ordering::Relaxed);
        found
    }

    fn compare_twice(&self, model: &M, tolerance: f64) -> Result<(), LossError> {
        let first = self.whole_gradient(model)?;
        let different = |what, first, second| LossError::NotDeterministic {
            what,
            first,
            second,
        };
        let second = self.whole_gradient(model);
        let examples = match &second {
            Ok(second) => second.num_examples,
            Err(LossError::EmptyData) => 0,
            Err(error) => return Err(error.clone()),
        };
        if examples != first.num_examples {
            let [first, second] = [first.num_examples, examples].map(|examples| examples as f64);
            return Err(different("number of examples", first, second));
        }
        let second = second?;
        let norms = [first.gradient.norm()?, second.gradient.norm()?];
        if !norms[0].is_finite() {
            return Err(LossError::NonFiniteGradient { norm: norms[0] });
        }
        let own = both_sides(&first, &second)?;
        let numbers = [("loss", [first.value, second.value]), ("gradient", norms)];
        for (index, (what, [first, second])) in numbers.into_iter().enumerate() {
            let is_equal = own[index].difference <= tolerance * own[index].size;
            if !is_equal && !self.agrees_nearby(model, tolerance, own[index], index)? {
                return Err(different(what, first, second));
            }
        }
        Ok(())
    }

    /// Whether two evaluations differ only by the rounding of terms that cancel at the weights. Near the
    /// weights, where the terms do not cancel, both must be equal.
    fn agrees_nearby(
        &self,
        model: &M,
        tolerance: f64,
        own: Sides,
        index: usize,
    ) -> Result<bool, LossError> {
        if tolerance.is_nan() || tolerance <= 0.0 {
            return Ok(false);
        }
        let space = self.space(model)?;
        let nearby = Nearby::around(&ParamVector::from_module(&space, model)?)?;
        let agreement = compare_nearby(tolerance, space.dtype()?, Some(own), |distance| {
            let moved = nearby.displacement(distance)?.perturb(model, 1.0)?;
            let evaluate = || match self.whole_gradient(&moved) {
                Err(LossError::NonFinite { .. }) => Ok(None),
                other => other.map(Some),
            };
            let (Some(first), Some(second)) = (evaluate()?, evaluate()?) else {
                return Ok(None);
            };
            let sides = both_sides(&first, &second)?[index];
            Ok::<_, LossError>(sides.size.is_finite().then_some(sides))
        })?;
        Ok(agreement == Agreement::Equal)
    }
}

/// Losses and gradients of two evaluations at one point.
fn both_sides(first: &RiskGradient, second: &RiskGradient) -> Result<[Sides; 2], LossError> {
    let difference = first.gradient.clone().axpy(-1.0, &second.gradient)?;
    Ok([
        Sides {
            difference: (first.value - second.value).abs(),
            size: first.value.abs().max(second.value.abs()),
        },
        Sides {
            difference: difference.norm()?,
            size: first.gradient.norm()?.max(second.gradient.norm()?),
        },
    ])
}
