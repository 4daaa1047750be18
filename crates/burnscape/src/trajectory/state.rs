use serde::{Deserialize, Serialize};

/// What a [`TrajectoryLog`](super::TrajectoryLog) continues from: which checkpoints its directory has, and the lines of
/// the index. The checkpoints themselves stay in the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrajectoryLogState {
    /// Measurements so far.
    pub(super) measured: usize,
    /// The step of the last one.
    pub(super) last_step: Option<usize>,
    /// The first line of the index; none before the first checkpoint.
    pub(super) header: Option<String>,
    pub(super) kept: Vec<KeptCheckpoint>,
}

/// A checkpoint of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptCheckpoint {
    /// The number of measurements before its own.
    pub(super) measurement: usize,
    pub(super) step: usize,
    /// Its line of the index. A text keeps all digits in every format.
    pub(super) line: String,
}

impl TrajectoryLogState {
    /// The index; empty before the first checkpoint.
    pub(super) fn index(&self) -> String {
        let lines = self.kept.iter().map(|kept| &kept.line);
        let mut text = String::new();
        for line in self.header.iter().chain(lines) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    pub(super) fn steps(&self) -> Vec<usize> {
        self.kept.iter().map(|kept| kept.step).collect()
    }
}
