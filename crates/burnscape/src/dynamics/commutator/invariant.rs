use burnscape_krylov::LinearOperator;

use super::brackets::{Unit, power};
use super::pairs::Pairs;
use crate::curvature::{BatchHessians, CurvatureError};
use crate::loss::Reduction;
use crate::space::{ParamVector, Wide};

/// The part of the brackets that does not depend on the batch size.
pub(super) struct Invariant {
    /// `V_a`.
    pub(super) variance: f64,
    /// `√V_a / |ḡ|²`; none without a gradient.
    pub(super) ratio: Option<f64>,
}

impl Invariant {
    /// From the one-sided brackets `a_A = H_A ḡ − H̄ g_A` of all parts.
    ///
    /// # Cost
    ///
    /// One product over all data, and one more for each part. Memory: three vectors per part besides its gradient.
    pub(super) fn of(
        hessians: &BatchHessians<'_>,
        gradients: &[Unit],
        pairs: &Pairs,
        reduction: Reduction,
    ) -> Result<Self, CurvatureError> {
        let mean = Unit::of(hessians.whole().gradient()?)?;
        let of_mean = hessians.products(|_| &mean.vector)?;
        let vectors: Vec<ParamVector> = gradients.iter().map(|g| g.vector.clone()).collect();
        let of_parts = hessians.whole().matmat(&vectors)?;
        let norms = gradients.iter().map(|gradient| gradient.norm);
        let exponents = norms.chain([mean.norm]).map(Wide::exponent);
        let common = exponents.max().unwrap_or(0);
        let mut sum = Wide::ZERO;
        for ((own, other), gradient) in of_mean.into_iter().zip(of_parts).zip(gradients) {
            let own = own.scale_wide(power(mean.norm.exponent() - common));
            let other = other.scale_wide(power(gradient.norm.exponent() - common));
            let bracket = own.axpy(-1.0, &other)?;
            sum = sum + bracket.wide_dot(&bracket)?;
        }
        if !sum.is_finite() {
            return Err(hessians.find_non_finite(|_| &mean.vector)?);
        }
        let (size, count) = (pairs.size as f64, pairs.num_parts as f64);
        let all = size * count;
        // Of all batches of this size, drawn without replacement, the one-sided brackets have the mean square
        // (N/(N − 1)) (1/b − 1/N) V_a, and 1/b − 1/N is (1 − 1/count)/b.
        let variance = sum * Wide::from((all - 1.0) / all * size / (count - 1.0));
        // For sums, brackets are those of the sum over a part and the sum over the data.
        let [brackets, gradient] = match reduction {
            Reduction::Mean => [1.0, 1.0],
            Reduction::Sum => [1.0 / (size * all), 1.0 / all],
        };
        let variance = variance.shifted(2 * common) * Wide::from(brackets * brackets);
        let norm = mean.norm * Wide::from(gradient);
        let ratio = norm
            .is_positive()
            .then(|| (variance.sqrt() / (norm * norm)).value());
        Ok(Self {
            variance: variance.value(),
            ratio,
        })
    }
}
