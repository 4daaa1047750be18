use std::io;

use burnscape_krylov::{Estimate, LanczosConfig, Quadrature, SelfAdjoint, SpectralDensity};
use serde::Serialize;

use super::spectrum_of::tell;
use super::{Spectrum, SpectrumError, Task};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::writing;

/// How many eigenvalues are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Count {
    /// The number; an estimate with a fraction unless [`Inertia::exact`].
    pub value: f64,
    /// Standard error of the estimate over the probes; zero if exact, none from a single probe.
    pub standard_error: Option<f64>,
    /// At least so many, for certain: by Cauchy's interlacing, a compression of an operator to a subspace
    /// has no more eigenvalues beyond a bound than the operator. Always zero for those near zero.
    pub at_least: usize,
}

/// How many eigenvalues are positive, negative, and zero to rounding.
///
/// Exact where all of the space can be spanned within the products that the probes would take;
/// otherwise estimated from a [density](Spectrum::density), beside bounds that are certain. What counts
/// as zero is then, by default, what so many steps can tell from it, `|A| / steps²`: a smaller bound
/// would count a cluster at zero by the signs of its nodes, which are chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inertia {
    /// Eigenvalues above `zero`.
    pub positive: Count,
    /// Eigenvalues below `−zero`: the index, the number of independent ways down.
    pub negative: Count,
    /// Eigenvalues between.
    pub near_zero: Count,
    /// Up to which size an eigenvalue counts as zero.
    pub zero: f64,
    /// Whether the counts are exact (to the rounding of products).
    pub exact: bool,
    /// Number of eigenvalues.
    pub dimension: usize,
    /// Products used.
    pub products: usize,
}

impl Inertia {
    /// Writes the numbers as JSON.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_json(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        Ok(writing::json(self, writer)?)
    }
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The inertia. Up to `probes · steps` parameters it takes a product for each, and is exact.
    ///
    /// # Cost
    ///
    /// If exact, a product and a vector for each parameter; else those of a [density](Self::density).
    ///
    /// # Errors
    ///
    /// As [`density`](Self::density); [`SpectrumError::OutOfRange`] for a negative
    /// [`zero`](Self::with_zero).
    pub fn inertia(&mut self) -> Result<Inertia, SpectrumError> {
        let dimension = self.dimension();
        if dimension <= self.settings.probes.saturating_mul(self.settings.steps) {
            let (observer, mut products) = (&mut self.observer, 0);
            let record = LanczosConfig::new(dimension)
                .with_seed(self.settings.seed)
                .run_observed(self.operator, |_| {
                    products += 1;
                    tell(observer, Task::Density, products, dimension)
                })?;
            let values = record.ritz_values();
            let zero = self.zero(largest(&values))?;
            return match record.is_invariant() && values.len() == dimension {
                true => Ok(exact(&values, zero, products)),
                false => Err(SpectrumError::Stopped { products }),
            };
        }
        let density = self.quadratures()?;
        let size = largest(&density.measure().nodes);
        let resolution = size / (self.settings.steps as f64).powi(2);
        let zero = match self.settings.zero {
            Some(_) => self.zero(size)?,
            None => self.zero(size)?.max(resolution),
        };
        Ok(estimated(&density, zero))
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |size, value| size.max(value.abs()))
}

fn exact(values: &[f64], zero: f64, products: usize) -> Inertia {
    let count = |is_one: &dyn Fn(f64) -> bool| {
        let number = values.iter().filter(|value| is_one(**value)).count();
        Count {
            value: number as f64,
            standard_error: Some(0.0),
            at_least: number,
        }
    };
    Inertia {
        positive: count(&|value| value > zero),
        negative: count(&|value| value < -zero),
        near_zero: count(&|value| value.abs() <= zero),
        zero,
        exact: true,
        dimension: values.len(),
        products,
    }
}

fn estimated(density: &SpectralDensity, zero: f64) -> Inertia {
    let count = |is_one: &dyn Fn(f64) -> bool, is_bounded: bool| {
        let share = |value: f64| f64::from(u8::from(is_one(value)));
        let Estimate {
            value,
            standard_error,
            ..
        } = density.trace_of(share);
        let nodes = |probe: &Quadrature| probe.nodes.iter().filter(|node| is_one(**node)).count();
        let certain = density.probes().iter().map(nodes).max().unwrap_or(0);
        Count {
            value,
            standard_error,
            at_least: if is_bounded { certain } else { 0 },
        }
    };
    Inertia {
        positive: count(&|value| value > zero, true),
        negative: count(&|value| value < -zero, true),
        near_zero: count(&|value| value.abs() <= zero, false),
        zero,
        exact: false,
        dimension: density.dimension(),
        products: density.products(),
    }
}
