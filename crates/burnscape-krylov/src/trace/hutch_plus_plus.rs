use std::ops::ControlFlow;

use super::hutchinson::quadratic;
use super::{TraceConfig, TraceEstimate, TraceMethod};
use crate::error::raise;
use crate::vector::push_orthogonal;
use crate::{KrylovError, Probe, SelfAdjoint, VectorBlock, VectorSpace};

impl TraceConfig {
    pub(super) fn hutch_plus_plus<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        mut observe: impl FnMut(&TraceEstimate) -> ControlFlow<()>,
    ) -> Result<TraceEstimate, KrylovError<A::Error>> {
        let space = operator.domain();
        let dimension = <A::Vector as VectorSpace>::dimension(&space);
        let third = (self.max_products / 3).min(dimension);
        if third == 0 {
            return Err(KrylovError::NoProbes);
        }
        // The range of the operator, from products with random vectors.
        let block = <A::Vector as VectorSpace>::Block::with_capacity(&space, third);
        let mut basis = block.map_err(raise)?;
        let mut products = 0;
        for index in 0..third {
            let v = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index as u64);
            let product = operator.matvec(&v.map_err(raise)?)?;
            products += 1;
            if !product.norm().map_err(raise)?.is_finite() {
                return Err(KrylovError::NonFinite { product: index });
            }
            // Of low rank, the operator has shown its range already.
            if !push_orthogonal(&mut basis, product).map_err(raise)? {
                break;
            }
        }
        let mut exact = 0.0;
        for index in 0..basis.len() {
            if let Some(q) = basis.get(index) {
                exact += quadratic(operator, &q, products)?;
                products += 1;
            }
        }
        let mut samples = Vec::new();
        let mut estimate = TraceEstimate {
            value: exact,
            half_width: (basis.len() == dimension).then_some(0.0),
            products,
            converged: basis.len() == dimension,
            method: TraceMethod::HutchPlusPlus,
        };
        if estimate.converged && observe(&estimate).is_break() {
            return Ok(estimate);
        }
        while basis.len() < dimension && products < self.max_products {
            let index = (third + samples.len()) as u64;
            let v = Probe::Rademacher.draw::<A::Vector>(&space, self.seed, index);
            let rest = basis.reject(v.map_err(raise)?).map_err(raise)?;
            samples.push(quadratic(operator, &rest, products)?);
            products += 1;
            estimate = self.estimate(&samples, exact, (products, TraceMethod::HutchPlusPlus));
            let is_done = self.tolerance.is_some() && estimate.converged;
            if observe(&estimate).is_break() || is_done {
                break;
            }
        }
        Ok(estimate)
    }
}
