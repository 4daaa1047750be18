//! Groups of permutations that leave the outputs of a network alone: those that are found, and those that are not.

mod contexts;
mod discovery;
mod leave_out;
mod random_programs;
mod refused;
mod scalings;
mod uniform;
pub(crate) mod zoo;
