use std::ops::ControlFlow;

use super::integrate::{ensure_longest, integrate};
use super::{Flow, FlowStep, RungeKutta};
use crate::{KrylovFault, VectorSpace};

/// Solves `dy/dt = f(t, y)` from `y(0)` to an end time, by an explicit Runge-Kutta method that controls its error: the
/// gradient flow of a loss, for example.
///
/// A step is accepted if its estimated error `e` is tolerated, `|e| ≤ absolute √n + relative max(|y₀|, |y₁|)`, with
/// Euclidean norms of whole vectors of `n` coordinates: a bound for root mean squares, with one scale for all
/// coordinates. (SciPy's `solve_ivp` has a scale for each coordinate. Its runs are similar, not equal.) Otherwise the
/// step is made again with a shorter length. Lengths follow the errors of the last two accepted steps (PI control).
///
/// The tolerance is that of one step. Errors add up, or fade where solutions approach each other.
///
/// # Stiff fields
///
/// An explicit method has to resolve the fastest decay, also when it is over: steps are at most about
/// [`stability_limit`](RungeKutta::stability_limit) divided by its rate `λ`, so that a run takes `t λ / 3.3` steps or
/// more. Error control finds that length by itself. With [`with_max_step`](Self::with_max_step), and
/// [`FlowStep::limit_next`] where `λ` changes, no step exceeds it.
///
/// # Cost
///
/// Each attempt evaluates the field 6 times (Bogacki-Shampine: 3), once more at the start, and once to choose the first
/// step. About 30 (12) operations on vectors and two host synchronizations for each attempt, more where norms leave the
/// range of the type; 11 (8) vectors in memory.
///
/// # Defaults
///
/// [`RungeKutta::DormandPrince`]; tolerances 1e-5 and 1e-8, with a relative one of at least 100 ε of the vectors
/// (SciPy's least); no longest step; at most 100,000 evaluations; ours. Factors of lengths have 0.9 for safety, and are
/// from 0.2 to 10 (Hairer, Nørsett, Wanner), with the exponents `0.7/k` and `0.4/k` for an error of order `k`
/// (Gustafsson): lengths settle at `0.9^(10/3)`, 0.7 of what the estimate allows.
///
/// # References
///
/// Hairer, Nørsett, Wanner, *Solving ordinary differential equations I* (1993), section II.4, for the control of
/// lengths and the first step; Gustafsson, *Control theoretic techniques for stepsize selection in explicit Runge-Kutta
/// methods*, ACM Trans. Math. Softw. 17 (1991). [`RungeKutta`] names the methods.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burnscape_krylov::{FlowConfig, KrylovFault};
///
/// // The gradient flow of the loss ½(4x² + y²).
/// let flow = FlowConfig::new(1.0).run(
///     vec![1.0_f64, 1.0],
///     |_, w| Ok::<_, KrylovFault>(vec![-4.0 * w[0], -w[1]]),
///     |_| Ok(ControlFlow::Continue(())),
/// )?;
/// assert!(flow.outcome.is_converged() && flow.time == 1.0);
/// assert!((flow.value[0] - (-4.0_f64).exp()).abs() < 1e-6);
/// assert!((flow.value[1] - (-1.0_f64).exp()).abs() < 1e-8);
/// let attempts = flow.num_accepted + flow.num_rejected;
/// assert_eq!(flow.num_evaluations, 2 + 6 * attempts);
/// # Ok::<(), KrylovFault>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FlowConfig {
    pub(super) end_time: f64,
    pub(super) method: RungeKutta,
    pub(super) relative: f64,
    pub(super) absolute: f64,
    pub(super) max_step: f64,
    pub(super) first_step: Option<f64>,
    pub(super) max_evaluations: usize,
}

impl FlowConfig {
    /// A flow from time zero to this time.
    pub fn new(end_time: f64) -> Self {
        Self {
            end_time,
            method: RungeKutta::default(),
            relative: 1e-5,
            absolute: 1e-8,
            max_step: f64::INFINITY,
            first_step: None,
            max_evaluations: 100_000,
        }
    }

    /// Sets the method.
    #[must_use]
    pub fn with_method(mut self, method: RungeKutta) -> Self {
        self.method = method;
        self
    }

    /// Sets the error tolerated in a step: relative to the size of `y`, and an absolute one, in units of a coordinate
    /// of `y`, which may be zero. Huge tolerances make steps of one length, that of
    /// [`with_max_step`](Self::with_max_step).
    #[must_use]
    pub fn with_tolerances(mut self, relative: f64, absolute: f64) -> Self {
        self.relative = relative;
        self.absolute = absolute;
        self
    }

    /// Sets the length of the longest step allowed, until [`FlowStep::limit_next`] sets another.
    #[must_use]
    pub fn with_max_step(mut self, length: f64) -> Self {
        self.max_step = length;
        self
    }

    /// Sets the length of the first attempt, which is chosen from the derivatives at the start otherwise.
    #[must_use]
    pub fn with_first_step(mut self, length: f64) -> Self {
        self.first_step = Some(length);
        self
    }

    /// Sets the limit of evaluations of the field. A step is only attempted if all its evaluations are within it.
    #[must_use]
    pub fn with_max_evaluations(mut self, evaluations: usize) -> Self {
        self.max_evaluations = evaluations;
        self
    }

    /// Follows `field`, which returns `f(t, y)`, from `start` at time zero.
    ///
    /// `accepted` sees every accepted step, never a rejected one, and may look into it, bound the next ones, or end the
    /// run. The run ends at the end of that step then, with [`Outcome::Stopped`](crate::Outcome::Stopped); at the limit
    /// of evaluations with [`Outcome::LimitReached`](crate::Outcome::LimitReached).
    ///
    /// A step is made again with a shorter length if a value of the field in it is not finite. An error of the field
    /// ends the run: a field that cannot be evaluated too far out may return NaN there instead.
    ///
    /// # Errors
    ///
    /// - [`KrylovFault::OutOfBounds`] for settings, and for a bound of [`FlowStep::limit_next`];
    /// - [`KrylovFault::NonFiniteArgument`] for a start that is not finite;
    /// - [`KrylovFault::NonFiniteField`] for a field that is not finite at the start, or however short the step is;
    /// - [`KrylovFault::StepTooShort`] if the error is too large however short the step is, as where a solution becomes
    ///   infinite;
    /// - those of the vectors, of `field` and of `accepted`.
    pub fn run<V, E>(
        &self,
        start: V,
        mut field: impl FnMut(f64, &V) -> Result<V, E>,
        mut accepted: impl FnMut(&mut FlowStep<V>) -> Result<ControlFlow<()>, E>,
    ) -> Result<Flow<V>, E>
    where
        V: VectorSpace,
        E: From<V::Error>,
    {
        self.check().map_err(V::Error::from)?;
        integrate(self, start, &mut field, &mut accepted)
    }

    fn check(&self) -> Result<(), KrylovFault> {
        ensure_not_negative(
            "end_time",
            self.end_time,
            "zero or a positive, finite number; to go back in time, reverse the sign of the field",
        )?;
        KrylovFault::ensure_positive("relative", self.relative)?;
        ensure_not_negative(
            "absolute",
            self.absolute,
            "zero or a positive, finite number",
        )?;
        ensure_longest("max_step", self.max_step)?;
        match self.first_step {
            Some(length) => KrylovFault::ensure_positive("first_step", length),
            None => Ok(()),
        }
    }
}

fn ensure_not_negative(
    name: &'static str,
    value: f64,
    allowed: &'static str,
) -> Result<(), KrylovFault> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(KrylovFault::OutOfBounds {
        name,
        value,
        allowed,
    })
}
