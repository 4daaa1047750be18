use std::sync::atomic::Ordering;

use burn::module::Module;

use super::{Risk, RiskGradient};
use crate::loss::{Agreement, LossError, Sides, Tolerance, compare};
use crate::space::{Distance, Nearby, ParamVector};

impl<M: Module, K> Risk<'_, M, K> {
    /// Evaluates loss and gradient twice and refuses, by name, if they differ.
    ///
    /// Dropout, a shuffled loader, or an exhausted iterator make curvature meaningless; this is the
    /// check to run before believing any. Losses and gradients may differ by `tolerance` relative
    /// to their size (0 on the CPU; reductions on a GPU may run in any order). Where the terms of a loss
    /// or a gradient cancel, at a minimum, that is relative to their size at displaced weights.
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
        // This is the probe, and says more.
        self.is_probed.store(true, Ordering::Relaxed);
        let found = self.compare_twice(model, tolerance);
        self.is_probed.store(found.is_ok(), Ordering::Relaxed);
        found
    }

    fn compare_twice(&self, model: &M, tolerance: f64) -> Result<(), LossError> {
        let first = self.whole_gradient(model)?;
        let second = match self.whole_gradient(model) {
            Err(LossError::EmptyData) => {
                let what = "number of examples";
                let first = first.num_examples as f64;
                return Err(LossError::NotDeterministic {
                    what,
                    first,
                    second: 0.0,
                });
            }
            other => other?,
        };
        let different = |what, first, second| LossError::NotDeterministic {
            what,
            first,
            second,
        };
        let (a, b) = (first.num_examples as f64, second.num_examples as f64);
        if a != b {
            return Err(different("number of examples", a, b));
        }
        let norms = [first.gradient.norm()?, second.gradient.norm()?];
        if !norms[0].is_finite() {
            return Err(LossError::NonFiniteGradient { norm: norms[0] });
        }
        let own = both_sides(&first, &second)?;
        let numbers = [("loss", [first.value, second.value]), ("gradient", norms)];
        for (index, (what, [first, second])) in numbers.into_iter().enumerate() {
            let is_equal = own[index].difference <= tolerance * own[index].size;
            if !is_equal && !self.agrees_nearby(model, tolerance, (own, index))? {
                return Err(different(what, first, second));
            }
        }
        Ok(())
    }

    /// Whether two evaluations differ by no more than the rounding of terms that cancel at the weights:
    /// where those do not cancel, both have to be equal.
    fn agrees_nearby(
        &self,
        model: &M,
        tolerance: f64,
        (own, index): ([Sides; 2], usize),
    ) -> Result<bool, LossError> {
        if tolerance.is_nan() || tolerance <= 0.0 {
            return Ok(false);
        }
        let space = self.space(model)?;
        let nearby = Nearby::around(&ParamVector::from_module(&space, model)?)?;
        let points = [Distance::NONE].into_iter();
        let points = points.chain(Distance::growing(space.dtype()?));
        let agreement = compare(Tolerance::of(tolerance), points, |distance| {
            if distance == Distance::NONE {
                return Ok(Some(own[index]));
            }
            let moved = nearby.displacement(distance)?.displace(model, 1.0)?;
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
