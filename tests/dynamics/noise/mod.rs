//! Gradient noise against its definition, a linear regression where it is known, and an independent implementation.

mod calibration;
mod curvature;
mod estimators;
mod monitors;
mod refusals;
mod regression;
mod results;
mod settings;
