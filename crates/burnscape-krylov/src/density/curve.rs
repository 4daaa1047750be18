use serde::{Deserialize, Serialize};

use super::{Axis, SpectralDensity};
use crate::{Estimate, HostError, Quadrature};

/// The density of eigenvalues as a curve with an error band: a picture of a [`SpectralDensity`].
///
/// Each node is drawn as a normal law on the axis. Outliers that are known exactly are not smeared: they
/// are listed, and their mass is not under the curve, which has the area `(n − outliers) / n`.
///
/// # Defaults
///
/// A linear axis, 512 points, and as bandwidth the range of the nodes over the depth of the quadratures
/// (the largest number of nodes of one): what that many steps resolve. For a single point of
/// mass, where there is no range, a hundredth of its place, or of one at zero. Ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{CurveConfig, Dense, DensityConfig, Symmetric};
///
/// let values: Vec<f64> = (1..=100).map(f64::from).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let density = DensityConfig::new().with_probes(4).with_steps(20).run(&a)?;
/// let curve = CurveConfig::new().draw(&density)?;
/// let step = curve.grid[1] - curve.grid[0];
/// assert!((curve.density.iter().sum::<f64>() * step - 1.0).abs() < 1e-2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Lin, Saad, Yang, *Approximating spectral densities of large matrices*, SIAM Review 58 (2016), on what
/// a bandwidth below the resolution shows: the method, not the spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveConfig {
    axis: Axis,
    points: usize,
    bandwidth: Option<f64>,
}

/// A density drawn at points of an axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DensityCurve {
    /// The axis.
    pub axis: Axis,
    /// Places on the axis, evenly spaced and ascending; [`Axis::value`] makes eigenvalues of them.
    pub grid: Vec<f64>,
    /// Mass for each unit of the axis, at each place.
    pub density: Vec<f64>,
    /// The standard error of `density` at each place, from the spread of the probes: of the curve that quadratures of
    /// this depth draw in the mean. How far that is from the curve of the eigenvalues is not in it; counts that have
    /// room for both are [`SpectralDensity::fraction_below`]. None for one probe.
    pub standard_error: Option<Vec<f64>>,
    /// The standard deviation that a node was drawn with, in units of the axis.
    pub bandwidth: f64,
    /// Eigenvalues that are known exactly, each with the mass `1/n`.
    pub outliers: Vec<f64>,
}

/// How far the grid reaches beyond the outermost nodes, in bandwidths: a ten-thousandth of a normal law
/// is beyond.
const MARGIN: f64 = 4.0;

impl Default for CurveConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl CurveConfig {
    /// A linear axis, 512 points, bandwidth by the depth.
    pub fn new() -> Self {
        Self {
            axis: Axis::Linear,
            points: 512,
            bandwidth: None,
        }
    }

    /// Sets the axis.
    #[must_use]
    pub fn with_axis(mut self, axis: Axis) -> Self {
        self.axis = axis;
        self
    }

    /// Sets the number of points.
    #[must_use]
    pub fn with_points(mut self, points: usize) -> Self {
        self.points = points;
        self
    }

    /// Sets the standard deviation with which a node is drawn, in units of the axis.
    #[must_use]
    pub fn with_bandwidth(mut self, bandwidth: f64) -> Self {
        self.bandwidth = Some(bandwidth);
        self
    }

    /// Draws. Empty if every eigenvalue is an outlier.
    ///
    /// # Errors
    ///
    /// [`HostError::NotPositive`] for a bandwidth, a scale of the axis or a number of points.
    pub fn draw(&self, density: &SpectralDensity) -> Result<DensityCurve, HostError> {
        let scale = match self.axis {
            Axis::SymmetricLog { scale } => scale,
            Axis::Linear => 1.0,
        };
        for (name, value) in [
            ("bandwidth", self.bandwidth.unwrap_or(1.0)),
            ("scale", scale),
            ("points", self.points as f64),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(HostError::NotPositive { name });
            }
        }
        let probes = density.bulk();
        let places = |probe: &Quadrature| -> Vec<f64> {
            probe
                .nodes
                .iter()
                .map(|node| self.axis.place(*node))
                .collect()
        };
        let places: Vec<Vec<f64>> = probes.iter().map(places).collect();
        let all = || places.iter().flatten().copied();
        let low = all().fold(f64::INFINITY, f64::min);
        let high = all().fold(f64::NEG_INFINITY, f64::max);
        let depth = places.iter().map(Vec::len).max().unwrap_or(0);
        let bandwidth = self.bandwidth.unwrap_or_else(|| {
            let width = (high - low) / depth as f64;
            // Nodes of one eigenvalue differ by rounding from probe to probe.
            match width > 64.0 * f64::EPSILON * low.abs().max(high.abs()) {
                true => width,
                false if low != 0.0 && low.is_finite() => 0.01 * low.abs(),
                false => 0.01,
            }
        });
        let mut curve = DensityCurve {
            axis: self.axis,
            grid: Vec::new(),
            density: Vec::new(),
            standard_error: (probes.len() > 1).then(Vec::new),
            bandwidth,
            outliers: density.outliers().to_vec(),
        };
        if depth == 0 {
            return Ok(curve);
        }
        let (low, high) = (low - MARGIN * bandwidth, high + MARGIN * bandwidth);
        let step = (high - low) / self.points.saturating_sub(1).max(1) as f64;
        let scale = 1.0 / (bandwidth * (2.0 * std::f64::consts::PI).sqrt());
        let bump = |distance: f64| scale * (-0.5 * (distance / bandwidth).powi(2)).exp();
        for index in 0..self.points {
            let x = low + step * index as f64;
            let height = |(probe, places): (&Quadrature, &Vec<f64>)| {
                let terms = places.iter().zip(&probe.weights);
                terms
                    .map(|(place, weight)| weight * bump(x - place))
                    .sum::<f64>()
            };
            let heights: Vec<f64> = probes.iter().zip(&places).map(height).collect();
            let estimate = Estimate::of(&heights);
            curve.grid.push(x);
            curve.density.push(estimate.value);
            if let (Some(all), Some(error)) = (&mut curve.standard_error, estimate.standard_error) {
                all.push(error);
            }
        }
        Ok(curve)
    }
}
