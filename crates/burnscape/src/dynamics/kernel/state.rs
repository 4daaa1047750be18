use serde::{Deserialize, Serialize};

/// What later readings of a [`TangentKernelMonitor`](super::TangentKernelMonitor) depend on besides its settings: the
/// weights and the kernel of the start.
///
/// # Cost
///
/// The number of parameters, and `N²` numbers for a matrix of `N` outputs, `k N` for `k` probes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TangentKernelMonitorState {
    pub(super) start: Option<Start>,
}

/// The start of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    /// Coordinates, in visit order.
    pub(super) weights: Vec<f64>,
    /// The matrix row by row, or its products with the probes one after the other.
    pub(super) kernel: Vec<f64>,
    pub(super) num_outputs: usize,
    /// The number of probes and their seed; none for a matrix.
    pub(super) probes: Option<(usize, u64)>,
    /// Hashes of the batches, unless the checks of the risk were off.
    pub(super) digests: Option<Vec<u64>>,
}

impl Start {
    /// Whether the kernel has as many numbers as its outputs and probes ask for.
    pub(super) fn is_whole(&self) -> bool {
        let vectors = self.probes.map_or(self.num_outputs, |(count, _)| count);
        self.num_outputs.checked_mul(vectors) == Some(self.kernel.len())
    }
}
