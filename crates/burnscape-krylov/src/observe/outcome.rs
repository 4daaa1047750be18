use std::fmt;

use serde::{Deserialize, Serialize};

/// How a run ended.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, Outcome, SolveConfig, Symmetric};
///
/// let a = Symmetric::verified(Dense::diagonal(&[1.0, 4.0, 9.0]), 1e-12, 0)?;
/// let found = SolveConfig::minres().with_max_matvecs(1).run(&a, &vec![1.0; 3])?;
/// assert_eq!(found.outcome, Outcome::LimitReached);
/// assert!(found.outcome.advice().starts_with("raise the limit"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The result is within the tolerance.
    Converged,
    /// The limit of products came first: the result is the best so far.
    LimitReached,
    /// An observer ended the run: the result is the best so far.
    Stopped,
}

impl Outcome {
    /// Whether the result is within the tolerance.
    pub fn is_converged(self) -> bool {
        self == Self::Converged
    }

    /// Advice for a better result.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Converged => "lower the tolerance for more digits",
            Self::LimitReached => "raise the limit of products, or the tolerance",
            Self::Stopped => "run again, or continue from this result where the method can",
        }
    }

    /// Convergence comes before anything else: a run that is stopped at its last step has converged.
    pub(crate) fn of(is_converged: bool, is_stopped: bool) -> Self {
        match (is_converged, is_stopped) {
            (true, _) => Self::Converged,
            (false, true) => Self::Stopped,
            (false, false) => Self::LimitReached,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::LimitReached => "limit reached",
            Self::Stopped => "stopped",
        })
    }
}
