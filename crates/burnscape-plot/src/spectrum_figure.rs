use serde::{Deserialize, Serialize};

use crate::number;

/// The density of the eigenvalues of a matrix, on a logarithmic axis.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Drawing, Figure, SpectrumFigure};
///
/// let eigenvalues: Vec<f64> = (-40..=200).map(|i| f64::from(i) / 20.0).collect();
/// let figure = Figure::Spectrum(SpectrumFigure {
///     density: eigenvalues.iter().map(|x| (-x * x).exp()).collect(),
///     eigenvalues,
///     outliers: vec![8.2, 9.1],
///     ..SpectrumFigure::default()
/// });
/// assert!(figure.to_svg(&Drawing::new(600, 400))?.starts_with("<svg"));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SpectrumFigure {
    /// Where the density is given, in order. The axis covers all of them, also those where the density is zero.
    #[serde(with = "number")]
    pub eigenvalues: Vec<f64>,
    /// The density there.
    #[serde(with = "number")]
    pub density: Vec<f64>,
    /// Lower and upper ends of an error band of the density. Where the lower end is below a fifth of the density, a thin
    /// line is the upper one.
    #[serde(with = "number")]
    pub band: Option<[Vec<f64>; 2]>,
    /// Single eigenvalues, drawn as sticks.
    #[serde(with = "number")]
    pub outliers: Vec<f64>,
    /// The share of eigenvalues below zero, which the figure points out.
    #[serde(with = "number")]
    pub negative_mass: Option<f64>,
}
