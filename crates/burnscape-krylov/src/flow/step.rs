use super::RungeKutta;
use super::attempt::moved;
use super::root::root_between;
use crate::{KrylovFault, VectorSpace};

/// An accepted step of a flow, with the solution at every time within it.
///
/// [`FlowConfig::run`](crate::FlowConfig::run) passes each one to its caller, in order: a step starts where the one
/// before ended. A clone holds the dense output of its step for later: as many vectors as the method has stages, and
/// two.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burnscape_krylov::{FlowConfig, KrylovFault};
///
/// // A stone falls from 20 m, with the state height and velocity.
/// let fall = |_: f64, y: &Vec<f64>| Ok::<_, KrylovFault>(vec![y[1], -9.81]);
/// let (mut heights, mut impact) = (Vec::new(), None);
/// let mut times = (0..).map(|i| 0.5 * f64::from(i)).peekable();
/// let flow = FlowConfig::new(10.0).run(vec![20.0, 0.0], fall, |step| {
///     // The height every half second, however long the steps are.
///     while let Some(time) = times.next_if(|time| *time <= step.end()) {
///         heights.push(step.at(time)?[0]);
///     }
///     // The time at which the height is zero.
///     impact = step.root(|_, y| Ok(y[0]))?;
///     Ok(if impact.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
/// })?;
/// let exact = (2.0 * 20.0 / 9.81_f64).sqrt();
/// assert!(impact.is_some_and(|time| (time - exact).abs() < 1e-12));
/// assert!((heights[3] - (20.0 - 0.5 * 9.81 * 1.5 * 1.5)).abs() < 1e-12);
/// assert!(flow.time >= exact, "the step goes on to its end");
/// # Ok::<(), KrylovFault>(())
/// ```
#[derive(Debug, Clone)]
pub struct FlowStep<V> {
    pub(super) method: RungeKutta,
    pub(super) times: [f64; 2],
    pub(super) values: [V; 2],
    /// All but the last.
    pub(super) stages: Vec<V>,
    /// The last stage: the field at the end.
    pub(super) slope: V,
    pub(super) num_evaluations: usize,
    /// The longest step from here on, if the caller set it.
    pub(super) limit: Option<f64>,
}

impl<V: VectorSpace> FlowStep<V> {
    /// The time at which the step starts.
    pub fn start(&self) -> f64 {
        self.times[0]
    }

    /// The time at which it ends.
    pub fn end(&self) -> f64 {
        self.times[1]
    }

    /// `y` at the start.
    pub fn start_value(&self) -> &V {
        &self.values[0]
    }

    /// `y` at the end.
    pub fn end_value(&self) -> &V {
        &self.values[1]
    }

    /// The field `f(t, y)` at the start, which the step has used.
    pub fn start_slope(&self) -> &V {
        self.stages.first().unwrap_or(&self.slope)
    }

    /// The field `f(t, y)` at the end, which the step has evaluated.
    pub fn end_slope(&self) -> &V {
        &self.slope
    }

    /// Evaluations of the field by the run so far.
    pub fn num_evaluations(&self) -> usize {
        self.num_evaluations
    }

    /// `y` at a time within the step, by the interpolation of the method: the cubic through values and slopes of both
    /// ends for Bogacki-Shampine, a polynomial of degree 4 for Dormand-Prince. Its error within one step falls with the
    /// fourth and with the fifth power of the length. At both ends it is the value itself.
    ///
    /// # Cost
    ///
    /// No evaluation; a sum of the stages.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::OutOfBounds`] for a time outside the step, and those of the vectors.
    pub fn at(&self, time: f64) -> Result<V, V::Error> {
        let ([start, end], [first, last]) = (self.times, &self.values);
        if !(start..=end).contains(&time) {
            return Err(KrylovFault::OutOfBounds {
                name: "time",
                value: time,
                allowed: "a time from the start of the step to its end",
            }
            .into());
        }
        if time == start {
            return Ok(first.clone());
        }
        if time == end {
            return Ok(last.clone());
        }
        let h = end - start;
        let weights = self.method.tableau().weights((time - start) / h);
        moved(first, h, &weights, self.stages.iter().chain([&self.slope]))
    }

    /// The time at which a function of time and `y` changes its sign between the start and the end of the step, or is
    /// zero at the end; `None` if it does not. A zero at the start belongs to the step before, and hides a change of
    /// sign after it.
    ///
    /// The time is exact to rounding for the interpolated `y`, so that its error is that of the solution. Where the
    /// function changes its sign an odd number of times, one of them is found; an even number is not seen: bound the
    /// steps with [`FlowConfig::with_max_step`](crate::FlowConfig::with_max_step).
    ///
    /// # Cost
    ///
    /// Two calls of the function; with a change about ten more, each with a `y` by [`at`](Self::at), at most 200.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NonFiniteArgument`] for a value of the function that is not finite, those of the function, and
    /// those of the vectors.
    pub fn root(
        &self,
        mut function: impl FnMut(f64, &V) -> Result<f64, V::Error>,
    ) -> Result<Option<f64>, V::Error> {
        let mut checked = |time: f64, value: &V| -> Result<f64, V::Error> {
            let found = function(time, value)?;
            KrylovFault::ensure_finite("function", found)?;
            Ok(found)
        };
        let low = (self.start(), checked(self.start(), self.start_value())?);
        let high = (self.end(), checked(self.end(), self.end_value())?);
        if high.1 == 0.0 {
            return Ok(Some(high.0));
        }
        if low.1 == 0.0 {
            return Ok(None);
        }
        if (low.1 > 0.0) == (high.1 > 0.0) {
            return Ok(None);
        }
        let found = root_between(low, high, |time| checked(time, &self.at(time)?))?;
        Ok(Some(found))
    }

    /// Bounds all steps after this one, until another call: what stability allows, for example, after the field has
    /// become stiffer or less stiff. Replaces [`FlowConfig::with_max_step`](crate::FlowConfig::with_max_step). Infinity
    /// means no bound; the run refuses what is not positive.
    pub fn limit_next(&mut self, length: f64) {
        self.limit = Some(length);
    }
}
