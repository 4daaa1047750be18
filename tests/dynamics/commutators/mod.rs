//! Commutators of gradient steps against closed forms, their laws, and an independent implementation.

mod alarms;
mod dense;
mod finite;
mod grokking;
mod hoeffding;
mod laws;
mod losses;
mod monitors;
mod refusals;
mod settings;
