//! Errors of vectors on the host, and faults of methods.

mod fault;
mod host;

pub use fault::KrylovFault;
pub use host::HostError;
