//! Models at their minima, in the element type of the binary.

mod claims;
mod host;
mod problem;
mod siblings;
mod sweep;
