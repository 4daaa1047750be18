use super::hutchinson::quadratic;
use super::{TraceConfig, TraceEstimate, TraceMethod};
use crate::basis::push_outside;
use crate::{KrylovFault, Outcome, Probe, SelfAdjoint, VectorBlock, VectorSpace};

impl TraceConfig {
    pub(super) fn hutch_plus_plus<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<TraceEstimate, A::Error> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let third = (self.max_matvecs / 3).min(dimension);
        if third == 0 {
            return Err(KrylovFault::NoProbes.into());
        }
        // The range of the operator, from products with random vectors.
        let block = <A::Vector as VectorSpace>::Block::with_capacity(&space, third);
        let mut basis = block?;
        let mut products = 0;
        // Until there is a basis, the estimate from these alone.
        let mut forms = Vec::with_capacity(third);
        let plain = |forms: &[f64], products: usize| {
            self.estimate(forms, 0.0, (products, TraceMethod::Hutchinson))
        };
        for index in 0..third {
            let v = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index as u64);
            let v = v?;
            let product = match operator.matvec(&v) {
                Err(error) if operator.is_stop(&error) && products > 0 => {
                    return Ok(plain(&forms, products).stopped());
                }
                product => product?,
            };
            products += 1;
            if !product.norm()?.is_finite() {
                return Err(KrylovFault::NonFinite { product: index }.into());
            }
            forms.push(v.dot(&product)?);
            if self.shown(operator, &plain(&forms, products)) {
                return Ok(plain(&forms, products).stopped());
            }
            // Of low rank, the operator has shown its range already.
            if !push_outside(&mut basis, product)? {
                break;
            }
        }
        let mut exact = 0.0;
        for index in 0..basis.len() {
            if let Some(q) = basis.get(index) {
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
            let index = (third + samples.len()) as u64;
            let v = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index);
            let rest = basis.project_out(v?)?;
            samples.push(match quadratic(operator, &rest, products) {
                Err(error) if operator.is_stop(&error) => {
                    return Ok(match samples.is_empty() {
                        true => plain(&forms, products).stopped(),
                        false => estimate.stopped(),
                    });
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
