use std::io;

use burnscape_krylov::{DensityConfig, Quadrature, SelfAdjoint, SpectralDensity};
use serde::Serialize;

use super::error::check_positive;
use super::spectrum_of::tell;
use super::{Spectrum, SpectrumError, Task};
use crate::curvature::CurvatureError;
use crate::space::ParamVector;
use crate::writing;

/// How the eigenvalues are distributed, by stochastic Lanczos quadrature.
///
/// The measure is a set of nodes with weights that sum to one; a smooth curve is a picture of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Density {
    /// The nodes of all probes, ascending.
    pub nodes: Vec<f64>,
    /// The share of the eigenvalues that each stands for.
    pub weights: Vec<f64>,
    /// Number of eigenvalues.
    pub dimension: usize,
    /// Probes that were finished.
    pub probes: usize,
    /// Products used.
    pub products: usize,
    /// The quadratures of single probes.
    #[serde(skip)]
    pub quadratures: SpectralDensity,
}

/// A density as a curve, for the eye.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DensityCurve {
    /// The places.
    pub x: Vec<f64>,
    /// Share of the eigenvalues per unit of `x`.
    pub density: Vec<f64>,
    /// Its standard error over the probes; zeros from a single one.
    pub standard_error: Vec<f64>,
    /// Standard deviation of the normal law that each node is drawn as.
    pub width: f64,
}

impl Density {
    /// The raw measure as a quadrature: integrals, moments, fractions.
    pub fn measure(&self) -> Quadrature {
        self.quadratures.measure()
    }

    /// The density as a curve at `points` places from the lowest node to the highest and four widths
    /// beyond. The width of a node is the range over the number of nodes of a probe, as finely as the depth
    /// can tell.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::OutOfRange`] for fewer than two points.
    pub fn curve(&self, points: usize) -> Result<DensityCurve, SpectrumError> {
        if points < 2 {
            return Err(SpectrumError::OutOfRange {
                name: "points",
                value: points as f64,
                expected: "at least 2",
            });
        }
        let low = self.nodes.first().copied().unwrap_or(0.0);
        let high = self.nodes.last().copied().unwrap_or(0.0);
        let size = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
        // All eigenvalues may be one.
        let range = (high - low).max(1e-3 * size);
        let depth = self
            .quadratures
            .probes()
            .iter()
            .map(|probe| probe.nodes.len());
        let width = range / depth.max().unwrap_or(1).max(1) as f64;
        let (start, stop) = (low - 4.0 * width, high + 4.0 * width);
        let step = (stop - start) / (points - 1) as f64;
        let x: Vec<f64> = (0..points)
            .map(|index| start + step * index as f64)
            .collect();
        self.curve_at(x, width)
    }

    /// The density as a curve at places and of a width of one's own.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::OutOfRange`] for a width that is not positive.
    pub fn curve_at(&self, x: Vec<f64>, width: f64) -> Result<DensityCurve, SpectrumError> {
        check_positive("width", width)?;
        let scale = 1.0 / (width * (2.0 * std::f64::consts::PI).sqrt());
        let bump = |distance: f64| scale * (-0.5 * (distance / width).powi(2)).exp();
        let estimates = x
            .iter()
            .map(|place| self.quadratures.mean_of(|node| bump(place - node)));
        let (density, standard_error) = estimates
            .map(|estimate| (estimate.value, estimate.standard_error.unwrap_or(0.0)))
            .unzip();
        Ok(DensityCurve {
            x,
            density,
            standard_error,
            width,
        })
    }

    /// Writes the measure as JSON.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_json(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        Ok(writing::json(self, writer)?)
    }

    /// Writes `node,weight`, a line for each node.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        let rows = self.nodes.iter().zip(&self.weights);
        let rows = rows.map(|(node, weight)| [node.to_string(), weight.to_string()]);
        Ok(writing::csv(["node", "weight"], rows, writer)?)
    }
}

impl DensityCurve {
    /// Writes `x,density,standard_error`, a line for each place.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        let rows = (0..self.x.len()).map(|index| {
            [&self.x, &self.density, &self.standard_error].map(|column| column[index].to_string())
        });
        let header = ["x", "density", "standard_error"];
        Ok(writing::csv(header, rows, writer)?)
    }
}

impl<A> Spectrum<'_, A>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    /// The density of the eigenvalues.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Krylov`] for no probes or no steps, or a product that is not finite;
    /// [`SpectrumError::Stopped`] before a probe was finished.
    pub fn density(&mut self) -> Result<Density, SpectrumError> {
        let found = self.quadratures()?;
        let Quadrature { nodes, weights } = found.measure();
        Ok(Density {
            nodes,
            weights,
            dimension: found.dimension(),
            probes: found.probes().len(),
            products: found.products(),
            quadratures: found,
        })
    }

    pub(super) fn quadratures(&mut self) -> Result<SpectralDensity, SpectrumError> {
        let settings = &self.settings;
        let steps = settings.steps.min(self.dimension());
        let planned = settings.probes * steps;
        let config = DensityConfig::new()
            .with_probes(settings.probes)
            .with_steps(steps)
            .with_seed(settings.seed);
        let observer = &mut self.observer;
        let (mut products, mut stopped) = (0, false);
        let found = config.run_observed(self.operator, |_, _| {
            products += 1;
            let answer = tell(observer, Task::Density, products, planned);
            stopped = answer.is_break();
            answer
        });
        match found {
            Err(_) if stopped => Err(SpectrumError::Stopped { products }),
            found => Ok(found?),
        }
    }
}
