//! Lottery tickets: masks of weights, optimizers that keep to them, and the search for them by magnitude.

mod bits;
mod config;
mod initial;
mod masked_optimizer;
mod placed;
mod pruning;
mod result;
mod search;
mod weight_mask;

pub use config::TicketSearchConfig;
pub use masked_optimizer::MaskedOptimizer;
pub use result::{TicketLevel, TicketScores, TicketSearch};
pub use weight_mask::WeightMask;
