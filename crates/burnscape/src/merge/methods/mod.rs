//! Methods that merge one tensor of several models.

mod average;
mod differences;
mod fisher;
mod inner_products;
mod isotropic;
mod karcher;
mod magnitude;
mod matrices;
mod means;
mod model_stock;
mod regmean;
mod singular_vectors;
mod slerp;
mod stores;
mod take;
mod task;
mod vectors;

pub use average::Average;
pub(super) use average::check_mean_weights;
pub use fisher::FisherAverage;
pub use isotropic::IsotropicMerge;
pub use karcher::KarcherMean;
pub(super) use magnitude::Magnitude;
pub use model_stock::ModelStock;
pub use regmean::RegMean;
pub use singular_vectors::TaskSingularVectors;
pub use slerp::Slerp;
pub use take::Take;
pub use task::{Combine, Sparsify, TaskArithmetic};
