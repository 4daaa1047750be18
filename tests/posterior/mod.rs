//! Posteriors against closed forms and quadrature, the findings about them, and runs that are stopped and resumed.

mod calibration;
mod checks;
mod diagnostics;
mod laws;
mod models;
mod monitors;
mod potentials;
mod refusals;
mod runs;
mod samplers;
mod settings;
mod singular;
mod temperatures;
