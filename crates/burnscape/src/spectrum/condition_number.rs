use burnscape_krylov::SelfAdjoint;
use serde::{Deserialize, Serialize};

use super::Spectrum;
use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::writing::number;

/// The largest over the smallest eigenvalue of a positive definite operator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConditionNumber {
    /// `largest / smallest`; none where the smallest is not above what counts as zero by more than its
    /// residual. The operator is then singular or indefinite, where the number has no finite value or no
    /// meaning, or cannot be told from one: a smallest eigenvalue is reached from above, so that a
    /// singular operator too has a small positive Ritz value. A Hessian of an overparametrized model
    /// nearly always is singular; add damping with [`Shifted`](crate::krylov::Shifted). Where
    /// [`smallest_residual`](Self::smallest_residual) is what stands in the way, lower the tolerance: a
    /// condition number of `κ` asks for one below `1/κ`.
    #[serde(with = "number")]
    pub value: Option<f64>,
    /// The largest eigenvalue.
    pub largest: f64,
    /// The smallest.
    pub smallest: f64,
    /// The residual of the smallest, which it can be off by, and the condition number by as much relative
    /// to it.
    pub smallest_residual: f64,
    /// What counted as zero.
    pub zero: f64,
    /// Whether both eigenvalues converged. The smallest is reached from above, so that a run cut short
    /// gives too small a condition number.
    pub converged: bool,
    /// Products used.
    pub num_matvecs: usize,
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The condition number, from one pair of each end, at the cost of both.
    ///
    /// # Errors
    ///
    /// As [`top_eigenpairs`](Self::top_eigenpairs).
    pub fn condition_number(&self) -> Result<ConditionNumber, CurvatureError> {
        let (top, bottom) = (self.top_eigenpairs(1)?, self.bottom_eigenpairs(1)?);
        let (largest, smallest) = (top.values[0], bottom.values[0]);
        let zero = self.zero(largest.abs().max(smallest.abs()))?;
        let smallest_residual = bottom.residuals[0];
        Ok(ConditionNumber {
            value: (smallest - smallest_residual > zero).then(|| largest / smallest),
            largest,
            smallest,
            smallest_residual,
            zero,
            converged: top.outcome.is_converged() && bottom.outcome.is_converged(),
            num_matvecs: top.num_matvecs + bottom.num_matvecs,
        })
    }
}
