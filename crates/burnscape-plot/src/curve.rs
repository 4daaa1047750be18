use serde::{Deserialize, Serialize};

use crate::{PlotAxis, number};

/// Curves over one axis: losses of a training run, or the loss along paths between two models.
///
/// Points are joined in their order. A NaN is a gap; an infinite value is a triangle at the border.
///
/// # Example
///
/// ```
/// use burnscape_plot::{PlotAxis, CurveFigure, Drawing, Figure, Series};
///
/// let figure = Figure::Curve(CurveFigure {
///     x: PlotAxis::new("step"),
///     y: PlotAxis::new("loss").log(),
///     series: vec![Series::new("training", vec![0.0, 1.0, 2.0], vec![2.3, 0.9, 0.4])],
///     regions: vec![],
///     bracket: None,
/// });
/// assert!(figure.to_svg(&Drawing::new(600, 400))?.starts_with("<svg"));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CurveFigure {
    /// The horizontal axis.
    pub x: PlotAxis,
    /// The vertical axis.
    pub y: PlotAxis,
    /// The curves, in the order of the legend.
    pub series: Vec<Series>,
    /// Shaded intervals of the horizontal axis.
    pub regions: Vec<ShadedRegion>,
    /// A height to point out.
    pub bracket: Option<BarrierBracket>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Horizontal coordinates.
    #[serde(with = "number")]
    pub x: Vec<f64>,
    /// Values, one for each coordinate.
    #[serde(with = "number")]
    pub y: Vec<f64>,
    /// Lower and upper ends of an error band, one of each for each coordinate.
    #[serde(with = "number")]
    pub band: Option<[Vec<f64>; 2]>,
}

impl Series {
    /// A curve without an error band.
    #[must_use]
    pub fn new(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            x,
            y,
            band: None,
        }
    }

    /// The same curve in a band.
    #[must_use]
    pub fn with_band(mut self, lower: Vec<f64>, upper: Vec<f64>) -> Self {
        self.band = Some([lower, upper]);
        self
    }
}

/// A shaded interval of the horizontal axis, for example a plateau.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ShadedRegion {
    /// Its left end.
    #[serde(with = "number")]
    pub from: f64,
    /// Its right end.
    #[serde(with = "number")]
    pub to: f64,
    /// A word or two at its top; may be empty.
    pub label: String,
}

/// A height between two values, for example the barrier of a path.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BarrierBracket {
    /// Where it stands on the horizontal axis.
    #[serde(with = "number")]
    pub at: f64,
    /// Its lower end.
    #[serde(with = "number")]
    pub low: f64,
    /// Its upper end.
    #[serde(with = "number")]
    pub high: f64,
    /// The text beside it.
    pub label: String,
}
