use serde::{Deserialize, Serialize};

use super::{Axis, SpectralDensity};
use crate::{Estimate, KrylovFault, Quadrature};

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
    /// The standard error of `density` at each place, from the spread of the probes. It does not cover the resolution of
    /// the quadratures; [`SpectralDensity::fraction_below`] counts with an interval that covers both. None for one probe.
    pub standard_error: Option<Vec<f64>>,
    /// The standard deviation that a node was drawn with, in units of the axis.
    pub bandwidth: f64,
    /// Eigenvalues that are known exactly, each with the mass `1/n`.
    pub outliers: Vec<f64>,
}

/// How far the grid reaches beyond the outermost nodes, in bandwidths: a ten-thousandth of a normal law
/// is beyond.
const MARGIN: f64 = 4.0;

impl SpectralDensity {
    /// The density as a curve with an error band, at `points` points of an axis. Empty if every eigenvalue is an outlier.
    ///
    /// Each node is drawn as a normal law of standard deviation `bandwidth`, in units of the axis. Outliers that are known
    /// exactly are not smeared: they are listed, and their mass is not under the curve, which has the area
    /// `(n − outliers) / n`.
    ///
    /// # Defaults
    ///
    /// Without a bandwidth, the range of the nodes over the depth of the quadratures (the largest number of nodes of
    /// one): what that many steps resolve. For a single point of mass, where there is no range, a hundredth of its place,
    /// or 0.01 at zero. Ours.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::OutOfBounds`] for a bandwidth, a scale of the axis or a number of points that is not positive.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Axis, Dense, DensityConfig, Symmetric};
    ///
    /// let values: Vec<f64> = (1..=100).map(f64::from).collect();
    /// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
    /// let density = DensityConfig::new().with_probes(4).with_steps(20).run(&a)?;
    /// let curve = density.curve(Axis::Linear, 512, None)?;
    /// let step = curve.grid[1] - curve.grid[0];
    /// assert!((curve.density.iter().sum::<f64>() * step - 1.0).abs() < 1e-2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Reference
    ///
    /// Lin, Saad, Yang, *Approximating spectral densities of large matrices*, SIAM Review 58 (2016): a bandwidth below the
    /// resolution shows the method, not the spectrum.
    pub fn curve(
        &self,
        axis: Axis,
        points: usize,
        bandwidth: Option<f64>,
    ) -> Result<DensityCurve, KrylovFault> {
        let scale = match axis {
            Axis::SymmetricLog { scale } => scale,
            Axis::Linear => 1.0,
        };
        KrylovFault::ensure_positive("bandwidth", bandwidth.unwrap_or(1.0))?;
        KrylovFault::ensure_positive("scale", scale)?;
        KrylovFault::ensure_positive("points", points as f64)?;
        let probes = self.bulk();
        let places = |probe: &Quadrature| -> Vec<f64> {
            let nodes = probe.nodes.iter();
            nodes.map(|node| axis.place(*node)).collect()
        };
        let places: Vec<Vec<f64>> = probes.iter().map(places).collect();
        let all = || places.iter().flatten().copied();
        let low = all().fold(f64::INFINITY, f64::min);
        let high = all().fold(f64::NEG_INFINITY, f64::max);
        let depth = places.iter().map(Vec::len).max().unwrap_or(0);
        let bandwidth = bandwidth.unwrap_or_else(|| {
            let width = (high - low) / depth as f64;
            // Nodes of one eigenvalue differ by rounding from probe to probe.
            if width > 64.0 * f64::EPSILON * low.abs().max(high.abs()) {
                width
            } else if low != 0.0 && low.is_finite() {
                0.01 * low.abs()
            } else {
                0.01
            }
        });
        let mut curve = DensityCurve {
            axis,
            grid: Vec::new(),
            density: Vec::new(),
            standard_error: (probes.len() > 1).then(Vec::new),
            bandwidth,
            outliers: self.outliers().to_vec(),
        };
        if depth == 0 {
            return Ok(curve);
        }
        let (low, high) = (low - MARGIN * bandwidth, high + MARGIN * bandwidth);
        let step = (high - low) / points.saturating_sub(1).max(1) as f64;
        let scale = 1.0 / (bandwidth * (2.0 * std::f64::consts::PI).sqrt());
        let bump = |distance: f64| scale * (-0.5 * (distance / bandwidth).powi(2)).exp();
        for index in 0..points {
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
