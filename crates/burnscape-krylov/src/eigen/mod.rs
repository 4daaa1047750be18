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
mod residual_kind;
mod subspace;
mod which;

pub use config::EigenpairsConfig;
pub use eigenpairs::Eigenpairs;
pub(crate) use measure::{measured, of_norm_one};
pub use method::EigenMethod;
pub(crate) use pair::Eigenpair;
pub use residual_kind::ResidualKind;
pub use which::Which;

use crate::KrylovFault;

/// Refuses no pairs, more than there are, and a tolerance that no run could meet.
fn check(k: usize, dimension: usize, tolerance: f64) -> Result<(), KrylovFault> {
    if k > dimension || k == 0 {
        return Err(KrylovFault::TooMany {
            asked: k,
            available: dimension,
        });
    }
    if tolerance > 0.0 && tolerance.is_finite() {
        Ok(())
    } else {
        Err(KrylovFault::InvalidTolerance { tolerance })
    }
}

/// How many Ritz vectors a restart keeps: more than are wanted, so that those converge while
/// they are refined, and few enough that there is room to refine.
fn kept(k: usize, full: usize) -> usize {
    (k + 2 * full.saturating_sub(k) / 5).min(full.saturating_sub(2))
}
