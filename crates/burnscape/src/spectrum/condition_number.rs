use burnscape_krylov::{Outcome, SelfAdjoint};
use serde::{Deserialize, Serialize};

use super::Spectrum;
use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::writing::number;

/// The largest over the smallest eigenvalue of a positive definite operator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConditionNumber {
    /// `largest / smallest`; none unless the smallest exceeds [`zero`](Self::zero) by more than its residual. The
    /// operator is then singular or indefinite, or cannot be distinguished from such an operator: Ritz values approach
    /// the smallest eigenvalue from above, so that a singular operator too has a small positive one. The Hessian of an
    /// overparametrized model is nearly always singular; add damping with [`Shifted`](crate::krylov::Shifted). If
    /// [`smallest_residual`](Self::smallest_residual) is too large, lower the tolerance: a condition number of `κ` needs
    /// one below `1/κ`.
    #[serde(with = "number")]
    pub value: Option<f64>,
    /// The largest eigenvalue.
    pub largest: f64,
    /// The smallest.
    pub smallest: f64,
    /// The residual of the smallest: the error of the smallest, and relative to it that of the condition number.
    pub smallest_residual: f64,
    /// The size up to which an eigenvalue counts as zero.
    pub zero: f64,
    /// How the runs ended: that of the largest eigenvalue, or if it has converged, that of the smallest. Unless both have
    /// converged, the condition number is too small, because Ritz values approach the smallest eigenvalue from above.
    pub outcome: Outcome,
    /// Products used.
    pub num_matvecs: usize,
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The condition number, from one pair at each end, and at the cost of both.
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
            outcome: if top.outcome.is_converged() {
                bottom.outcome
            } else {
                top.outcome
            },
            num_matvecs: top.num_matvecs + bottom.num_matvecs,
        })
    }
}
