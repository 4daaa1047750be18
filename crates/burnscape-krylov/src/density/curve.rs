use serde::{Deserialize, Serialize};

use super::{Axis, SpectralDensity};
use crate::{Estimate, KrylovFault, Quadrature};

/// A density drawn at points of an axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DensityCurve {
    /// The axis.
    pub axis: Axis,
    /// Places on the axis; [`Axis::value`] converts them to eigenvalues.
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
    /// The density as a curve with an error band, at `points` evenly spaced points of an axis that cover all nodes. Empty if
    /// every eigenvalue is an outlier.
    ///
    /// Each node is drawn as a normal law of standard deviation `bandwidth`, in units of the axis. Outliers that are known
    /// exactly are not smeared: they are listed, and their mass is not under the curve, which has the area
    /// `(n − outliers) / n`.
    ///
    /// # Defaults
    ///
    /// Without a bandwidth, the range of the nodes divided by the largest number of nodes, about the resolution of that many
    /// steps. If all nodes are at one place, a hundredth of it, or 0.01 at zero. Ours.
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
    /// let density = DensityConfig::new().with_num_probes(4).with_steps(20).run(&a)?;
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
        KrylovFault::ensure_positive("points", points as f64)?;
        let mut curve = self.curve_on(axis, &[], bandwidth)?;
        let places = self.places(axis);
        if places.iter().all(Vec::is_empty) {
            return Ok(curve);
        }
        let (low, high) = ends(&places);
        let (low, high) = (
            low - MARGIN * curve.bandwidth,
            high + MARGIN * curve.bandwidth,
        );
        let step = (high - low) / points.saturating_sub(1).max(1) as f64;
        let grid = (0..points).map(|index| low + step * index as f64);
        self.draw(&mut curve, grid.collect());
        Ok(curve)
    }

    /// The [curve](Self::curve) at the places `grid` of the axis: those of another curve, say, to compare the two.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::OutOfBounds`] for a bandwidth or a scale of the axis that is not positive,
    /// [`KrylovFault::NonFiniteArgument`] for a place that is not finite.
    pub fn curve_on(
        &self,
        axis: Axis,
        grid: &[f64],
        bandwidth: Option<f64>,
    ) -> Result<DensityCurve, KrylovFault> {
        if let Axis::SymmetricLog { scale } = axis {
            KrylovFault::ensure_positive("scale", scale)?;
        }
        KrylovFault::ensure_positive("bandwidth", bandwidth.unwrap_or(1.0))?;
        for place in grid {
            KrylovFault::ensure_finite("grid", *place)?;
        }
        let mut curve = DensityCurve {
            axis,
            grid: Vec::new(),
            density: Vec::new(),
            standard_error: (self.bulk().len() > 1).then(Vec::new),
            bandwidth: bandwidth.unwrap_or_else(|| default_bandwidth(&self.places(axis))),
            outliers: self.outliers().to_vec(),
        };
        self.draw(&mut curve, grid.to_vec());
        Ok(curve)
    }

    /// The places of each probe's nodes.
    fn places(&self, axis: Axis) -> Vec<Vec<f64>> {
        let places = |probe: &Quadrature| {
            let nodes = probe.nodes.iter();
            nodes.map(|node| axis.place(*node)).collect()
        };
        self.bulk().iter().map(places).collect()
    }

    /// Adds the places of a grid to a curve.
    fn draw(&self, curve: &mut DensityCurve, grid: Vec<f64>) {
        let (places, bandwidth) = (self.places(curve.axis), curve.bandwidth);
        let scale = 1.0 / (bandwidth * (2.0 * std::f64::consts::PI).sqrt());
        let bump = |distance: f64| scale * (-0.5 * (distance / bandwidth).powi(2)).exp();
        for x in &grid {
            let height = |(probe, places): (&Quadrature, &Vec<f64>)| {
                let terms = places.iter().zip(&probe.weights);
                terms
                    .map(|(place, weight)| weight * bump(x - place))
                    .sum::<f64>()
            };
            let heights: Vec<f64> = self.bulk().iter().zip(&places).map(height).collect();
            let estimate = Estimate::of(&heights);
            curve.density.push(estimate.value);
            if let (Some(all), Some(error)) = (&mut curve.standard_error, estimate.standard_error) {
                all.push(error);
            }
        }
        curve.grid = grid;
    }
}

/// The smallest and the largest place.
fn ends(places: &[Vec<f64>]) -> (f64, f64) {
    let all = || places.iter().flatten().copied();
    (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::NEG_INFINITY, f64::max),
    )
}

fn default_bandwidth(places: &[Vec<f64>]) -> f64 {
    let (low, high) = ends(places);
    let depth = places.iter().map(Vec::len).max().unwrap_or(0);
    let width = (high - low) / depth as f64;
    // Nodes of one eigenvalue differ by rounding from probe to probe.
    if width > 64.0 * f64::EPSILON * low.abs().max(high.abs()) {
        width
    } else if low != 0.0 && low.is_finite() {
        0.01 * low.abs()
    } else {
        0.01
    }
}
