//! The outermost eigenpairs: one question, several methods.

mod block;
mod config;
mod davidson;
mod eigenpairs;
mod lanczos;
mod lobpcg;
mod measure;
mod method;
mod pair;
mod power;
mod subspace;
mod which;

pub use config::EigenpairsConfig;
pub use eigenpairs::Eigenpairs;
use measure::Ending;
pub(crate) use measure::measured;
pub use method::EigenMethod;
pub(crate) use pair::Eigenpair;
pub use which::Which;

/// How many Ritz vectors a restart keeps: more than are wanted, so that those converge while
/// they are refined, and few enough that there is room to refine.
fn kept(k: usize, full: usize) -> usize {
    (k + 2 * full.saturating_sub(k) / 5).min(full.saturating_sub(2))
}
