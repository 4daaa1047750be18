//! What can go wrong.

mod host;
mod krylov;

pub use host::HostError;
pub use krylov::KrylovError;
pub(crate) use krylov::raise;
