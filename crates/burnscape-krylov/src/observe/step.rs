use std::fmt;

/// One step of a run (a product, or a block of them), as an observer sees it.
///
/// [`LinearOperator::observed`](crate::LinearOperator::observed) attaches an observer to an operator.
///
/// # Example
///
/// ```
/// use burnscape_krylov::Step;
///
/// let step = Step::new("trace", 12).with_limit(64).with_value(3.5).with_error(0.25).with_goal(0.1);
/// assert_eq!(step.to_string(), "trace: 12 of 64 products, 3.500000e0 ± 2.5e-1 (goal 1.0e-1)");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The purpose of the run, in words: "eigenpairs", "trace".
    pub task: &'static str,
    /// Products of this run so far.
    pub num_matvecs: usize,
    /// The most products that it may make.
    pub limit: Option<usize>,
    /// The estimate so far. Of several, the first one.
    pub value: Option<f64>,
    /// The residual of the estimate, or half the width of its interval. Of several, the largest one.
    pub error: Option<f64>,
    /// The run ends once `error` is at most this, if it ends by that alone.
    pub goal: Option<f64>,
}

impl Step {
    /// A step after so many products.
    pub fn new(task: &'static str, num_matvecs: usize) -> Self {
        Self {
            task,
            num_matvecs,
            limit: None,
            value: None,
            error: None,
            goal: None,
        }
    }

    /// Sets the most products that the run may make.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets the estimate so far.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<Option<f64>>) -> Self {
        self.value = value.into();
        self
    }

    /// Sets the residual of the estimate, or half the width of its interval.
    #[must_use]
    pub fn with_error(mut self, error: impl Into<Option<f64>>) -> Self {
        self.error = error.into();
        self
    }

    /// Sets the error at which the run ends.
    #[must_use]
    pub fn with_goal(mut self, goal: impl Into<Option<f64>>) -> Self {
        self.goal = goal.into();
        self
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.task, self.num_matvecs)?;
        if let Some(limit) = self.limit {
            write!(f, " of {limit}")?;
        }
        f.write_str(" products")?;
        match (self.value, self.error) {
            (Some(value), Some(error)) => write!(f, ", {value:.6e} ± {error:.1e}")?,
            (Some(value), None) => write!(f, ", {value:.6e}")?,
            (None, Some(error)) => write!(f, ", error {error:.1e}")?,
            (None, None) => {}
        }
        if let Some(goal) = self.goal {
            write!(f, " (goal {goal:.1e})")?;
        }
        Ok(())
    }
}
