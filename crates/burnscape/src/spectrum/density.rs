use std::io;

use burnscape_krylov::{CurveConfig, DensityConfig, Quadrature, SelfAdjoint, SpectralDensity};
use serde::Serialize;

use super::{Spectrum, SpectrumError};
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
    /// Eigenvalues that are known exactly, each a node of weight `1 / dimension`: see
    /// [`with_outliers`](Spectrum::with_outliers).
    pub outliers: Vec<f64>,
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

/// A density as a curve with an error band, for the eye.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DensityCurve {
    /// Eigenvalues, ascending; evenly spaced on the axis that was asked for.
    pub x: Vec<f64>,
    /// Share of the eigenvalues per unit of the axis, outliers that are known exactly left out.
    pub density: Vec<f64>,
    /// Its standard error over the probes: of the curve that so many steps draw in the mean, not its distance from
    /// that of the eigenvalues; [`inertia`](Spectrum::inertia) has intervals with room for both. None from a single
    /// one.
    pub standard_error: Option<Vec<f64>>,
    /// Standard deviation of the normal law that each node is drawn as, in units of the axis.
    pub bandwidth: f64,
    /// Eigenvalues that are known exactly.
    pub outliers: Vec<f64>,
}

impl Density {
    /// The raw measure as a quadrature: integrals, moments, fractions.
    pub fn measure(&self) -> Quadrature {
        self.quadratures.measure()
    }

    /// The density as a curve at `points` places of a linear axis, as finely as the depth can tell.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Host`] for no points.
    pub fn curve(&self, points: usize) -> Result<DensityCurve, SpectrumError> {
        self.curve_as(&CurveConfig::new().with_points(points))
    }

    /// The density as a curve on an axis and with a bandwidth of one's own: logarithmic, for instance, by
    /// [`Axis::SymmetricLog`](crate::krylov::Axis).
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Host`] for a setting that is not positive.
    pub fn curve_as(&self, config: &CurveConfig) -> Result<DensityCurve, SpectrumError> {
        let curve = config.draw(&self.quadratures)?;
        let values = curve.grid.iter().map(|place| curve.axis.value(*place));
        Ok(DensityCurve {
            x: values.collect(),
            density: curve.density,
            standard_error: curve.standard_error,
            bandwidth: curve.bandwidth,
            outliers: curve.outliers,
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
    /// Writes the columns as JSON.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_json(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        Ok(writing::json(self, writer)?)
    }

    /// Writes `x,density,standard_error`, a line for each place.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), SpectrumError> {
        let error = |index: usize| {
            let error = self.standard_error.as_ref().map(|errors| errors[index]);
            error.map_or(String::new(), |error| error.to_string())
        };
        let rows = (0..self.x.len()).map(|index| {
            let (x, density) = (self.x[index], self.density[index]);
            [x.to_string(), density.to_string(), error(index)]
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
    /// # Cost
    ///
    /// `probes · steps` products, fewer where a run is exhausted before; `steps` vectors of parameters.
    ///
    /// # Errors
    ///
    /// [`SpectrumError::Krylov`] for no probes or no steps, or a product that is not finite;
    /// [`SpectrumError::Stopped`] before a probe was finished.
    pub fn density(&self) -> Result<Density, SpectrumError> {
        let found = self.quadratures()?;
        let Quadrature { nodes, weights } = found.measure();
        Ok(Density {
            nodes,
            weights,
            outliers: found.outliers().to_vec(),
            dimension: found.dimension(),
            probes: found.probes().len(),
            products: found.products(),
            quadratures: found,
        })
    }

    pub(super) fn quadratures(&self) -> Result<SpectralDensity, SpectrumError> {
        let settings = &self.settings;
        let steps = settings.steps.min(self.dimension());
        let config = DensityConfig::new()
            .with_probes(settings.probes)
            .with_steps(steps)
            .with_outliers(settings.outliers)
            .with_seed(settings.seed);
        Ok(config.run(self.operator)?)
    }
}
