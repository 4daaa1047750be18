use super::{TraceConfig, TraceEstimate, TraceMethod};
use crate::basis::push_outside;
use crate::estimate::Samples;
use crate::{KrylovFault, Outcome, Probe, SelfAdjoint, Square, VectorBlock, VectorSpace};

impl TraceConfig {
    pub(super) fn hutch_plus_plus<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<TraceEstimate, A::Error> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let third = (self.max_matvecs / 3).min(dimension);
        KrylovFault::ensure_enough(self.limit(), "Hutch++", 3)?;
        // The range of the operator, from products with random vectors.
        let mut basis = <A::Vector as VectorSpace>::Block::with_capacity(&space, third)?;
        let mut source = Samples::new(operator, Probe::Rademacher, self.seed);
        // Until there is a basis, the estimate from these alone.
        let mut forms = Vec::with_capacity(third);
        let plain = |forms: &[f64], products: usize| {
            self.estimate(forms, 0.0, (products, TraceMethod::Hutchinson))
        };
        while source.num_matvecs < third {
            let Some(pairs) = source.next(1)? else {
                return Ok(plain(&forms, source.num_matvecs).stopped());
            };
            let mut is_new = true;
            for (v, product) in pairs {
                forms.push(v.dot(&product)?);
                is_new = push_outside(&mut basis, product)?;
            }
            let estimate = plain(&forms, source.num_matvecs);
            if self.shown(operator, &estimate) {
                return Ok(estimate.stopped());
            }
            // Of low rank, the operator has shown its range already.
            if !is_new {
                break;
            }
        }
        let mut products = source.num_matvecs;
        // The vectors outside the basis continue after all those that may find it.
        let mut source = source.after(third, 0);
        let mut exact = 0.0;
        for index in 0..basis.len() {
            if let Some(q) = basis.get(index)? {
                exact += match quadratic(operator, &q, products) {
                    Err(error) if operator.is_stop(&error) => {
                        return Ok(plain(&forms, products).stopped());
                    }
                    form => form?,
                };
                products += 1;
                let is_last = index + 1 == basis.len() && basis.len() == dimension;
                if !is_last && self.shown(operator, &plain(&forms, products)) {
                    return Ok(plain(&forms, products).stopped());
                }
            }
        }
        let mut samples = Vec::new();
        let mut estimate = TraceEstimate {
            value: exact,
            half_width: (basis.len() == dimension).then_some(0.0),
            num_matvecs: products,
            outcome: Outcome::of(basis.len() == dimension, false),
            method: TraceMethod::HutchPlusPlus,
        };
        if basis.len() == dimension {
            self.shown(operator, &estimate);
            return Ok(estimate);
        }
        while products < self.max_matvecs {
            let rest = basis.project_out(source.draw()?)?;
            samples.push(match quadratic(operator, &rest, products) {
                Err(error) if operator.is_stop(&error) => {
                    let last = if samples.is_empty() {
                        plain(&forms, products)
                    } else {
                        estimate
                    };
                    return Ok(last.stopped());
                }
                form => form?,
            });
            products += 1;
            estimate = self.estimate(&samples, exact, (products, TraceMethod::HutchPlusPlus));
            let is_stopped = self.shown(operator, &estimate);
            if self.is_done(&estimate) || products >= self.max_matvecs {
                break;
            }
            if is_stopped {
                return Ok(estimate.stopped());
            }
        }
        Ok(estimate)
    }
}

/// `vᵀ A v`.
fn quadratic<A: SelfAdjoint + ?Sized>(
    operator: &A,
    v: &<A as Square>::Vector,
    product: usize,
) -> Result<f64, A::Error> {
    let value = v.dot(&operator.matvec(v)?)?;
    if value.is_finite() {
        return Ok(value);
    }
    Err(KrylovFault::NonFinite { product }.into())
}
