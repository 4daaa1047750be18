use burnscape_krylov::KrylovFault;
use thiserror::Error;

use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::LossError;
use crate::space::SpaceError;

/// A posterior that cannot be sampled, or numbers that do not follow from its draws.
///
/// Errors of a [`Potential`](super::Potential) of your own convert into it with an implementation of `From`.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PosteriorError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
    /// Parameters or vectors that do not match, or a device that cannot be read.
    #[error(transparent)]
    Space(SpaceError),
    /// The Hessian could not be made or multiplied.
    #[error(transparent)]
    Curvature(CurvatureError),
    /// Vectors on the host, or the largest eigenvalue.
    #[error(transparent)]
    Krylov(KrylovFault),
    /// The loss or its gradient is not finite where chains start.
    #[error(
        "at the start the loss is {loss} and the norm of its gradient {gradient_norm}; start where both are finite"
    )]
    BadStart {
        /// The loss.
        loss: f64,
        /// The norm of its gradient.
        gradient_norm: f64,
    },
    /// A step with which a chain leaves a quadratic minimum.
    #[error(
        "the step {step:.3e} is unstable: nβL + γ/2 |w − w₀|² has the curvature {curvature:.3e} along its sharpest \
         direction, so that steps must be below {limit:.3e}; use a smaller step, or `Sampler::mala()`, which is exact \
         for any step"
    )]
    UnstableStep {
        /// The step.
        step: f64,
        /// The least unstable step, `4 / curvature`.
        limit: f64,
        /// `nβ λ_max + γ` at the start.
        curvature: f64,
    },
    /// A chain left the range of numbers.
    #[error(
        "chain {chain} diverged at iteration {draw}: its loss or gradient is not finite; the step is {step:.3e}, and a \
         quadratic minimum as sharp as the start allows steps below {limit:.3e}: use a smaller one, or \
         `Sampler::mala()`, which rejects such points"
    )]
    Diverged {
        /// The chain, from zero.
        chain: usize,
        /// The iteration, from zero, burn-in included.
        draw: usize,
        /// The step.
        step: f64,
        /// The least step that is unstable at a quadratic minimum with the curvature of the start.
        limit: f64,
    },
    /// No step follows from a curvature of zero.
    #[error(
        "the loss is flat at the start and there is no localizer, so that no step follows from the curvature; give the \
         sampler a step, or set `with_localizer`"
    )]
    NoScale,
    /// A sampler that compares losses over all data.
    #[error(
        "{sampler} accepts or rejects by the loss over all data; leave `with_batches_per_step` out, or use another \
         sampler"
    )]
    NeedsAllData {
        /// The sampler.
        sampler: &'static str,
    },
    /// Chains that are too short for any diagnostic.
    #[error("a chain has {found} draws, and {needed} are the least; draw more")]
    TooFewDraws {
        /// The draws of a chain.
        found: usize,
        /// The least number.
        needed: usize,
    },
    /// Temperatures that are too few for a fit.
    #[error("{found} distinct temperatures are too few, {needed} are the least; add more")]
    TooFewTemperatures {
        /// The number of distinct temperatures.
        found: usize,
        /// The least number.
        needed: usize,
    },
    /// A risk that sums over its examples.
    #[error(
        "the risk is a sum over examples, and the posterior is that of n times their mean; use a loss with \
         `Reduction::Mean`"
    )]
    SumReduction,
    /// Parameters on which the loss does not depend, without a localizer.
    #[error(
        "{count} parameters have no gradient and there is no localizer, so that their posterior is no probability; \
         freeze them, restrict the risk with `with_group`, or set `with_localizer`"
    )]
    UnusedParameters {
        /// The number of such parameter tensors.
        count: usize,
    },
    /// Vectors in half precision.
    #[error(
        "the parameters are in half precision (epsilon {epsilon:.1e}), in which small steps are lost to rounding; \
         convert the model to f32 or f64"
    )]
    HalfPrecision {
        /// The distance from 1 to the next number.
        epsilon: f64,
    },
    /// A chain that rejected every proposal.
    #[error(
        "chain {chain} did not move in {draws} draws with the step {step:.3e}: every proposal was rejected; use a \
         longer burn-in, or a smaller step"
    )]
    Stuck {
        /// The chain, from zero.
        chain: usize,
        /// Its draws.
        draws: usize,
        /// Its step.
        step: f64,
    },
    /// A record that does not fit.
    #[error("cannot resume from the record: {message}")]
    Record {
        /// What is wrong, and what to do.
        message: String,
    },
    /// Threads that the system refuses.
    #[error("cannot start {threads} threads ({message}); ask for fewer with `with_num_threads`")]
    NoThreads {
        /// The number of threads.
        threads: usize,
        /// The message of the system.
        message: String,
    },
    /// The observer stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// Readings of different settings, which have different biases.
    #[error(
        "readings of different settings cannot be compared: {message}; measure all of them with the same settings"
    )]
    OtherSettings {
        /// The settings that differ.
        message: String,
    },
    /// Lists that must be equally long are not.
    #[error("expected {expected} numbers, found {found}; pass lists of one length")]
    Length {
        /// The length expected.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// Points that are too few for a fit.
    #[error("{found} points are too few, {needed} are the least; pass more")]
    TooFewPoints {
        /// The number of points.
        found: usize,
        /// The least number.
        needed: usize,
    },
    /// A number that must be finite is not.
    #[error("{what} {index} (from 0) is {value}; pass finite numbers")]
    NotFinite {
        /// What the number is, for instance `draw`.
        what: &'static str,
        /// Its place, from zero.
        index: usize,
        /// Its value.
        value: f64,
    },
}

impl From<KrylovFault> for PosteriorError {
    fn from(fault: KrylovFault) -> Self {
        match fault {
            KrylovFault::Stopped => Self::Stopped,
            other => Self::Krylov(other),
        }
    }
}

impl From<SpaceError> for PosteriorError {
    fn from(error: SpaceError) -> Self {
        match error {
            SpaceError::Krylov(fault) => fault.into(),
            other => Self::Space(other),
        }
    }
}

impl From<LossError> for PosteriorError {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Stopped { .. } => Self::Stopped,
            LossError::Space(error) => error.into(),
            other => Self::Loss(other),
        }
    }
}

impl From<CurvatureError> for PosteriorError {
    fn from(error: CurvatureError) -> Self {
        match error {
            CurvatureError::Stopped => Self::Stopped,
            CurvatureError::OutOfRange(error) => error.into(),
            CurvatureError::Loss(error) => error.into(),
            CurvatureError::Space(error) => error.into(),
            CurvatureError::Krylov(fault) => fault.into(),
            other => Self::Curvature(other),
        }
    }
}

/// A result of vectors as one of this room.
pub(crate) fn converted<T, E: Into<PosteriorError>>(
    result: Result<T, E>,
) -> Result<T, PosteriorError> {
    result.map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_has_one_shape_whatever_wraps_it() {
        let stopped = LossError::Stopped { batches: 3 };
        assert_eq!(
            PosteriorError::from(CurvatureError::from(stopped.clone())),
            PosteriorError::Stopped
        );
        assert_eq!(PosteriorError::from(stopped), PosteriorError::Stopped);
        let fault = KrylovFault::HutchinsonOnly;
        let wrapped = CurvatureError::from(SpaceError::from(fault.clone()));
        assert_eq!(PosteriorError::from(wrapped), PosteriorError::Krylov(fault));
    }

    #[test]
    fn an_unstable_step_states_its_limit() {
        let error = PosteriorError::UnstableStep {
            step: 0.5,
            limit: 0.04,
            curvature: 100.0,
        };
        let text = error.to_string();
        assert!(
            text.contains("5.000e-1") && text.contains("4.000e-2"),
            "{text}"
        );
    }
}
