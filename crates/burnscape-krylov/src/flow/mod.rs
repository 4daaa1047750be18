//! Differential equations in time, `dy/dt = f(t, y)`, by explicit Runge-Kutta pairs.

mod attempt;
mod config;
mod controller;
mod first_step;
mod integrate;
mod report;
mod root;
mod runge_kutta;
mod step;
mod tableau;

pub use config::FlowConfig;
pub use report::Flow;
pub use runge_kutta::RungeKutta;
pub use step::FlowStep;
