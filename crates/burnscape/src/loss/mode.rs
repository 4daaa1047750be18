use serde::{Deserialize, Serialize};

/// Which behavior a model is measured in.
///
/// The measuring functions set the flags on a copy of their own; the user's model keeps its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Mode {
    /// Dropout off, running statistics in use: the function that is deployed.
    #[default]
    Eval,
    /// Dropout on, statistics of the batch: the function that was trained. The running statistics
    /// of the user's model are not touched.
    Train,
}
