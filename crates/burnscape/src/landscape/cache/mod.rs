//! The points of a landscape in a file, so that a run that stopped goes on where it ended.
//!
//! The first line is a [`Fingerprint`] of all that decides the values; a file of another run is refused. Every other
//! line is a point, added once it is evaluated. A line that was cut off is dropped. One point is evaluated again when a
//! run goes on, since functions have no fingerprint.

mod file;
mod fingerprint;
mod lines;

pub(super) use file::Cache;
pub(super) use fingerprint::{Fingerprint, Fingerprinted, Fingerprinting};
