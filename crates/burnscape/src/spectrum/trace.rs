use std::io;

use burnscape_krylov::{SelfAdjoint, TraceConfig};
use serde::Serialize;

use super::{Spectrum, SpectrumError};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::writing;

/// The sum of the eigenvalues, with an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// The trace.
    pub value: f64,
    /// Half the width of the interval that covers it with probability `confidence`, by Student's t over the products
    /// with [room for skewness](burnscape_krylov::Estimate::half_width): the draw of the vectors is all that makes it
    /// wrong. None from a single product.
    pub half_width: Option<f64>,
    /// That probability.
    pub confidence: f64,
    /// Whether the half width came within the tolerance: never from fewer than 24 products.
    pub converged: bool,
    /// Products used.
    pub products: usize,
}

impl Trace {
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
    /// The trace, by Hutchinson's method with Rademacher vectors or
    /// [another](Self::with_trace_method): products are taken until half the interval is within
    /// [its tolerance](Self::with_trace_tolerance) of the trace, or the limit of products is reached.
    ///
    /// # Cost
    ///
    /// Products up to the limit, 24 at least; two vectors of parameters for Hutchinson's method, as many
    /// as products for some others. The half width falls as one over the root of the products there: ten
    /// times the accuracy takes a hundred times the products.
    /// [`with_probes`](Self::with_probes) does not count here.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Krylov`] for a limit of no products, a tolerance or a confidence out of range,
    /// a product that is not finite.
    pub fn trace(&self) -> Result<Trace, SpectrumError> {
        let settings = &self.settings;
        let found = TraceConfig::new()
            .with_method(settings.trace_method)
            .with_max_products(settings.max_products)
            .with_tolerance(settings.trace_tolerance)
            .with_confidence(settings.confidence)
            .with_seed(settings.seed)
            .run(self.operator)?;
        Ok(Trace {
            value: found.value,
            half_width: found.half_width,
            confidence: settings.confidence,
            converged: found.outcome.is_converged(),
            products: found.products,
        })
    }
}
