//! Derivatives by the input inside a recorded loss.

mod critic;
mod evaluated;
mod golden;
mod laws;
mod program;
mod random;
mod refused;
mod steps;
