use std::fmt;
use std::ops::Bound::{Excluded, Unbounded};

use burnscape_krylov::{EigenvalueCount, LanczosFactorization, LinearOperator, Step, Which};
use serde::{Deserialize, Serialize};

use super::Spectrum;
use crate::curvature::{CurvatureError, Hessian};
use crate::loss::LossError;
use crate::range::{POSITIVE, ensure};
use crate::space::ParamVector;

/// The kind of a point of parameter space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PointKind {
    /// The gradient is larger than its tolerance.
    NotCritical,
    /// At least one eigenvalue is negative, and at least one positive.
    Saddle,
    /// No eigenvalue found is negative or near zero: a strict minimum.
    Minimum,
    /// No eigenvalue found is negative, some are near zero: a minimum to second order; higher derivatives determine the
    /// loss in the flat directions.
    DegenerateMinimum,
    /// No eigenvalue found is positive, some are negative.
    Maximum,
    /// All eigenvalues are near zero: flat to second order.
    Plateau,
}

/// The kind of a point, and the evidence.
///
/// The evidence is one Lanczos run from a random vector. Negative curvature that it finds is certain
/// (`λ_min ≤ θ_min`, to rounding). It cannot prove that there is none: with probability
/// [`confidence`](Self::confidence) no eigenvalue is below `−zero`, by the theorem of Kuczyński and
/// Woźniakowski (1992) on Lanczos from a random start, `P(θ_min − λ_min > ε (λ_max − λ_min)) ≤ 1.648 √n
/// exp(−√ε (2 steps − 1))`.
///
/// # Reference
///
/// Kuczyński, Woźniakowski, *Estimating the largest eigenvalue by the power and Lanczos algorithms
/// with a random start*, SIAM J. Matrix Anal. Appl. 13 (1992), theorem 4.2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CriticalPoint {
    /// The kind.
    pub kind: PointKind,
    /// Probability with which the kind is the same if all eigenvalues are known: 1 if the eigenvalues found prove it, or
    /// if the run spanned the whole space.
    pub confidence: f64,
    /// The loss.
    pub loss: f64,
    /// The norm of the gradient.
    pub gradient_norm: f64,
    /// The norm up to which the gradient counts as zero, in its units.
    pub gradient_tolerance: f64,
    /// The smallest Ritz value: `λ_min` is at most this.
    pub lambda_min: f64,
    /// Its residual: some eigenvalue is within this of it.
    pub lambda_min_residual: f64,
    /// The largest Ritz value: `λ_max` is at least this.
    pub lambda_max: f64,
    /// Its residual.
    pub lambda_max_residual: f64,
    /// Eigenvalues below `−zero`: the index.
    pub negative: EigenvalueCount,
    /// Eigenvalues above `zero`.
    pub positive: EigenvalueCount,
    /// The size up to which an eigenvalue counts as zero.
    pub zero: f64,
    /// Number of parameters.
    pub dimension: usize,
    /// Products used.
    pub num_matvecs: usize,
}

impl fmt::Display for CriticalPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            PointKind::NotCritical => write!(f, "not critical")?,
            PointKind::Saddle => match self.negative.exact {
                Some(index) => write!(f, "a saddle of index {index}")?,
                // A negative Ritz value proves one, even where no count is certain yet.
                None => write!(
                    f,
                    "a saddle of index {} or more",
                    self.negative.at_least.max(1)
                )?,
            },
            PointKind::Minimum => write!(f, "a minimum")?,
            PointKind::DegenerateMinimum => write!(f, "a minimum with flat directions")?,
            PointKind::Maximum => write!(f, "a maximum")?,
            PointKind::Plateau => write!(f, "a plateau")?,
        }
        write!(
            f,
            " (|g| {:.2e}, eigenvalues {:.3e} to {:.3e}, confidence {:.3})",
            self.gradient_norm, self.lambda_min, self.lambda_max, self.confidence
        )
    }
}

impl Spectrum<'_, Hessian<'_>> {
    /// The kind of the point at which the Hessian was made: minimum, saddle, plateau, or not critical.
    /// `gradient_tolerance` is the norm up to which the gradient counts as zero, in its units.
    ///
    /// # Units
    ///
    /// The tolerance is absolute, in loss per parameter, and so is [`with_zero`](Self::with_zero), in loss per squared
    /// parameter; its default is relative to the Hessian. If the loss and both sizes are multiplied by a factor, the kind
    /// stays the same, as long as gradients and products are normal numbers of their type.
    ///
    /// # Cost
    ///
    /// `steps` products, at most one for each parameter, and two for residuals; a vector of parameters for each step.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::OutOfRange`] for a tolerance that is not positive or no steps,
    /// [`CurvatureError::Loss`] for a gradient that is not finite, [`CurvatureError::Krylov`] for a
    /// product that is not finite, [`CurvatureError::Stopped`] before the first product.
    pub fn critical_point(&self, gradient_tolerance: f64) -> Result<CriticalPoint, CurvatureError> {
        ensure("gradient_tolerance", gradient_tolerance, POSITIVE)?;
        ensure("steps", self.settings.steps as f64, 1.0..)?;
        let gradient_norm = self.operator.gradient()?.norm()?;
        if !gradient_norm.is_finite() {
            let norm = gradient_norm;
            return Err(CurvatureError::Loss(LossError::NonFiniteGradient { norm }));
        }
        let dimension = self.dimension();
        let steps = self.settings.steps.min(dimension);
        let record = LanczosFactorization::from_random(self.operator, steps, self.settings.seed)?;
        let (bottom, top, num_matvecs) = self.outermost(&record)?;
        let size = bottom.value.abs().max(top.value.abs());
        let zero = self.zero(size)?;
        let values = record.ritz_values();
        let (is_negative, is_positive) = (bottom.value < -zero, top.value > zero);
        // New vectors after a breakdown start another Krylov space.
        let depth = record.quadrature().map_or(0, |space| space.nodes.len());
        // An exhausted space contains a vector of every eigenvalue, because a random start has a component along all of
        // them. The zero operator exhausts it at once.
        let is_exhausted = record.is_invariant() || depth < values.len();
        // The probability that no eigenvalue is beyond a bound, `distance` from the outermost Ritz value and `spread` from
        // the eigenvalue at the other end.
        let none_beyond = |distance: f64, spread: f64| {
            if is_exhausted || spread <= 0.0 {
                return 1.0;
            }
            let share = (distance / spread).clamp(0.0, 1.0);
            let decay = (-share.sqrt() * (2.0 * depth as f64 - 1.0)).exp();
            1.0 - (1.648 * (dimension as f64).sqrt() * decay).min(1.0)
        };
        let (low, high) = (bottom.value, top.value);
        // If an eigenvalue lay just beyond the bound, the spectrum would extend from there to the other end, further than
        // the Ritz values do.
        let none_below = |bound| none_beyond(low - bound, high + top.residual - bound);
        let none_above = |bound| none_beyond(bound - high, bound - low + bottom.residual);
        let near_zero = values.iter().any(|value| value.abs() <= zero);
        let (kind, confidence) = match () {
            () if gradient_norm > gradient_tolerance => (PointKind::NotCritical, 1.0),
            () if size <= zero => (PointKind::Plateau, none_below(-zero).min(none_above(zero))),
            () if is_negative && is_positive => (PointKind::Saddle, 1.0),
            () if is_negative => (PointKind::Maximum, none_above(zero)),
            () if near_zero => (PointKind::DegenerateMinimum, none_below(-zero)),
            // A strict minimum has no eigenvalue near zero.
            () => (PointKind::Minimum, none_below(zero)),
        };
        Ok(CriticalPoint {
            kind,
            confidence,
            loss: self.operator.loss(),
            gradient_norm,
            gradient_tolerance,
            lambda_min: low,
            lambda_min_residual: bottom.residual,
            lambda_max: high,
            lambda_max_residual: top.residual,
            negative: record.count_in(..-zero),
            positive: record.count_in((Excluded(zero), Unbounded)),
            zero,
            dimension,
            num_matvecs,
        })
    }

    /// The outermost Ritz values with their residuals, and the products of the run in total. Residuals are measured, or
    /// estimated after an observer has stopped the run.
    fn outermost(
        &self,
        record: &LanczosFactorization<ParamVector>,
    ) -> Result<(RitzValue, RitzValue, usize), CurvatureError> {
        let (values, residuals) = (record.ritz_values(), record.residual_estimates());
        let mut estimated = values
            .iter()
            .zip(&residuals)
            .map(|(&value, &residual)| RitzValue { value, residual });
        let (bottom, top) = (estimated.next(), estimated.next_back());
        let (mut bottom, mut top) = (bottom, top.or(bottom));
        let mut num_matvecs = record.num_matvecs();
        let limit = num_matvecs + 2;
        let mut is_stopped = record.is_stopped();
        for (which, place) in [(Which::Smallest, &mut bottom), (Which::Largest, &mut top)] {
            if is_stopped {
                break;
            }
            let pair = record.eigenpairs(self.operator, which, 1)?;
            num_matvecs += pair.num_matvecs;
            let step = Step::new("residuals", num_matvecs).with_limit(limit);
            // A residual without a product: an observer has stopped it.
            is_stopped = pair.num_matvecs == 0 || self.operator.report(&step).is_break();
            let pair = pair.values.first().zip(pair.residuals.first());
            *place = pair.map(|(&value, &residual)| RitzValue { value, residual });
        }
        match (bottom, top) {
            (Some(bottom), Some(top)) => Ok((bottom, top, num_matvecs)),
            _ => Err(CurvatureError::Stopped),
        }
    }
}

/// A Ritz value with its residual.
#[derive(Clone, Copy)]
struct RitzValue {
    value: f64,
    residual: f64,
}
