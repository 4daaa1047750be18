use burnscape_krylov::SelfAdjoint;
use serde::Serialize;

use super::{Spectrum, SpectrumError};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;

/// The largest over the smallest eigenvalue of a positive definite operator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConditionNumber {
    /// `largest / smallest`; none where the smallest is not positive beyond what counts as zero: the
    /// operator is then singular or indefinite, and the number has no finite value or no meaning. A
    /// Hessian of an overparametrized model nearly always is; add damping with
    /// [`Shifted`](crate::krylov::Shifted) and ask again.
    pub value: Option<f64>,
    /// The largest eigenvalue.
    pub largest: f64,
    /// The smallest.
    pub smallest: f64,
    /// The residual of the smallest, which it can be off by: where that is not small beside it, lower the
    /// tolerance.
    pub smallest_residual: f64,
    /// What counted as zero.
    pub zero: f64,
    /// Whether both eigenvalues converged. The smallest is reached from above, so that a run cut short
    /// gives too small a condition number.
    pub converged: bool,
    /// Products used.
    pub products: usize,
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The condition number, from one pair of each end.
    ///
    /// # Errors
    ///
    /// As [`top_eigenpairs`](Self::top_eigenpairs).
    pub fn condition_number(&mut self) -> Result<ConditionNumber, SpectrumError> {
        let (top, bottom) = self.extremes()?;
        let (largest, smallest) = (top.values[0], bottom.values[0]);
        let zero = self.zero(largest.abs().max(smallest.abs()))?;
        Ok(ConditionNumber {
            value: (smallest > zero).then(|| largest / smallest),
            largest,
            smallest,
            smallest_residual: bottom.residuals[0],
            zero,
            converged: top.converged && bottom.converged,
            products: top.products + bottom.products,
        })
    }
}
