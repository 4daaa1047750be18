//! PAC-Bayes: how much noise the weights bear, and the bound that follows.

mod bound;
mod sigma;

pub use bound::{McAllesterBound, McAllesterConfig, mcallester_term};
pub use sigma::{PacBayesSigma, PacBayesSigmaConfig, SigmaStep};
