//! Linear maps: programs that are linear in a tangent, split so that each product costs as little as possible.

mod copies;
mod demand;
mod factors;
mod flat_io;
mod hessian;
mod hessian_derivative;
mod lean;
mod likelihood;
mod linear_map;
mod output_metric;
mod outputs;
mod segments;
mod several;

pub use likelihood::Likelihood;
pub use linear_map::LinearMap;
pub use output_metric::{Noise, OutputMetric};
