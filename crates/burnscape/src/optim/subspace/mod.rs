//! Training in a random subspace, and the dimension that a task needs.

mod config;
mod coordinates;
mod intrinsic_dimension;
mod subspace_optimizer;

pub use config::RandomSubspaceConfig;
pub use intrinsic_dimension::{IntrinsicDimension, IntrinsicDimensionConfig};
pub use subspace_optimizer::SubspaceOptimizer;
