use super::TraceMethod;

/// An estimated trace.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TraceEstimate {
    /// The trace.
    pub value: f64,
    /// Half the width of the interval that covers the trace with the confidence asked for; zero where
    /// the trace is exact, none where a single sample says nothing.
    pub half_width: Option<f64>,
    /// Products used.
    pub products: usize,
    /// Whether the half width came within the tolerance, if one was set.
    pub converged: bool,
    /// The method: the one that was chosen, if it was left to choose.
    pub method: TraceMethod,
}
