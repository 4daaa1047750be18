use burnscape_krylov::{LanczosFactorization, LinearOperator, Step, Which};
use serde::{Deserialize, Serialize};
use std::fmt;

use super::Spectrum;
use super::spectrum_of::check_positive;
use crate::OutOfRange;
use crate::curvature::{CurvatureError, Hessian};
use crate::loss::LossError;
use crate::space::ParamVector;

/// What a point of parameter space is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PointKind {
    /// The gradient is larger than what counts as zero: the loss falls along it.
    NotCritical,
    /// A way down: at least one eigenvalue is negative, at least one positive.
    Saddle,
    /// No eigenvalue is negative, and none is near zero as far as was seen: a strict minimum.
    Minimum,
    /// No eigenvalue is negative, some are near zero: to second order a minimum, along the others the
    /// loss is decided by higher derivatives. The usual end of training.
    DegenerateMinimum,
    /// No eigenvalue is positive, some are negative.
    Maximum,
    /// All eigenvalues are near zero: flat to second order.
    Plateau,
}

/// What a point is, and the evidence.
///
/// One Lanczos run from a random vector. Negative curvature that it finds is there for certain
/// (`λ_min ≤ θ_min`, to rounding). That there is none it can only make likely: with probability
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
    /// What it is.
    pub kind: PointKind,
    /// Probability with which the verdict would stand if all eigenvalues were known: 1 for what is
    /// proved by what was found, and where the whole space was spanned.
    pub confidence: f64,
    /// The loss.
    pub loss: f64,
    /// The norm of the gradient.
    pub gradient_norm: f64,
    /// What counted as zero for it: absolute, as it was given.
    pub gradient_tolerance: f64,
    /// The smallest Ritz value: `λ_min` is at most this.
    pub lambda_min: f64,
    /// Its residual: some eigenvalue is within this of it.
    pub lambda_min_residual: f64,
    /// The largest Ritz value: `λ_max` is at least this.
    pub lambda_max: f64,
    /// Its residual.
    pub lambda_max_residual: f64,
    /// The index, at least: so many eigenvalues are below `−zero`.
    pub negative: usize,
    /// At least so many are above `zero`.
    pub positive: usize,
    /// What counted as zero for eigenvalues.
    pub zero: f64,
    /// Whether the whole space was spanned, so that the counts are exact.
    pub exact: bool,
    /// Number of parameters.
    pub dimension: usize,
    /// Products used.
    pub num_matvecs: usize,
}

impl fmt::Display for CriticalPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.exact { "" } else { " or more" };
        match self.kind {
            PointKind::NotCritical => write!(f, "not critical")?,
            PointKind::Saddle => write!(f, "a saddle of index {}{more}", self.negative)?,
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
    /// What the point is at which the Hessian was taken: minimum, saddle, plateau, or not critical.
    /// `gradient_tolerance` is the norm up to which the gradient counts as zero, in its own units.
    ///
    /// # Units
    ///
    /// The tolerance is absolute, loss per parameter, and so is [`with_zero`](Self::with_zero), loss per squared
    /// parameter; without it, what counts as a zero eigenvalue follows the Hessian. A loss times a factor has the
    /// verdict of the loss where both are multiplied by the factor, as long as gradients and products are normal
    /// numbers of their type.
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
        check_positive("gradient_tolerance", gradient_tolerance)?;
        let gradient_norm = self.operator.gradient()?.norm()?;
        if !gradient_norm.is_finite() {
            let norm = gradient_norm;
            return Err(CurvatureError::Loss(LossError::NonFiniteGradient { norm }));
        }
        let dimension = self.dimension();
        if self.settings.steps == 0 {
            return Err(OutOfRange::new("steps", 0.0, "at least 1").into());
        }
        let steps = self.settings.steps.min(dimension);
        let record = LanczosFactorization::from_random(self.operator, steps, self.settings.seed)?;
        let (bottom, top, num_matvecs) = self.outermost(&record)?;
        let size = bottom.value.abs().max(top.value.abs());
        let zero = self.zero(size)?;
        let values = record.ritz_values();
        let negative = values.iter().filter(|value| **value < -zero).count();
        let positive = values.iter().filter(|value| **value > zero).count();
        let exact = record.is_invariant() && values.len() == dimension;
        // Fresh vectors after a breakdown start a space of their own.
        let depth = record.quadrature().map_or(0, |space| space.nodes.len());
        let evidence = Evidence {
            exhausted: record.is_invariant() || depth < values.len(),
            depth,
            dimension,
        };
        let (low, high) = (bottom.value, top.value);
        // Were there an eigenvalue just beyond the bound, the spread would reach from there to the other
        // end, which is further than the Ritz values do.
        let none_below = |bound| evidence.none_beyond(low - bound, high + top.residual - bound);
        let none_above = |bound| evidence.none_beyond(bound - high, bound - low + bottom.residual);
        let near_zero = values.iter().any(|value| value.abs() <= zero);
        let (kind, confidence) = match () {
            () if gradient_norm > gradient_tolerance => (PointKind::NotCritical, 1.0),
            () if size <= zero => (PointKind::Plateau, none_below(-zero).min(none_above(zero))),
            () if negative > 0 && positive > 0 => (PointKind::Saddle, 1.0),
            () if negative > 0 => (PointKind::Maximum, none_above(zero)),
            () if near_zero => (PointKind::DegenerateMinimum, none_below(-zero)),
            // Strict: none near zero either.
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
            negative,
            positive,
            zero,
            exact,
            dimension,
            num_matvecs,
        })
    }

    /// The outermost Ritz values with their residuals, and the products of the run in all. Residuals are measured, or
    /// estimated once an observer has stopped the run.
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
            // A residual without a product is one that an observer has stopped.
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

/// What is known about the eigenvalues that a Lanczos run did not find.
struct Evidence {
    /// Whether the Krylov space of the start became invariant.
    exhausted: bool,
    /// Steps in the Krylov space of the random start.
    depth: usize,
    dimension: usize,
}

impl Evidence {
    /// The probability that no eigenvalue is beyond a bound that is `distance` from the outermost Ritz
    /// value and `spread` from the eigenvalue at the other end.
    fn none_beyond(&self, distance: f64, spread: f64) -> f64 {
        // A space that is exhausted has a vector of every eigenvalue in it: a random start has a part
        // along all of them. The zero operator's is, at once.
        if self.exhausted || spread <= 0.0 {
            return 1.0;
        }
        let share = (distance / spread).clamp(0.0, 1.0);
        let steps = (2 * self.depth) as f64 - 1.0;
        let failure = 1.648 * (self.dimension as f64).sqrt() * (-share.sqrt() * steps).exp();
        1.0 - failure.min(1.0)
    }
}
