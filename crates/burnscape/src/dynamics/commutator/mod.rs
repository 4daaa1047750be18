//! Commutators of gradient steps: how much the order of two batches matters.
//!
//! [`CommutatorConfig`] computes them exactly, from Hessian products, [`FiniteCommutatorConfig`] as the difference of two
//! orders of steps of an optimizer. [`AlarmConfig`] asks whether a rise of such a number announces generalization.

mod alarm;
mod alarm_config;
mod brackets;
mod commutator_defect;
mod commutator_monitor;
mod config;
mod finite_commutator;
mod finite_config;
mod invariant;
mod pairs;

pub use alarm::{Alarm, AlarmPoint};
pub use alarm_config::AlarmConfig;
pub use commutator_defect::CommutatorDefect;
pub use commutator_monitor::CommutatorMonitor;
pub use config::CommutatorConfig;
pub use finite_commutator::FiniteCommutator;
pub use finite_config::FiniteCommutatorConfig;
