//! PAC-Bayes: the noise that the weights tolerate, and the bound that follows.

mod bound;
mod sigma;

pub use bound::{McAllesterBound, McAllesterConfig};
pub use sigma::{PacBayesSigma, PacBayesSigmaConfig};
