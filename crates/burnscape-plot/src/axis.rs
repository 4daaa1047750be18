use serde::{Deserialize, Serialize};

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisScale {
    /// Equal differences are equally long.
    #[default]
    Linear,
    /// Equal ratios are equally long. Values that are not positive have no place; figures leave them out and say how
    /// many there are.
    Log,
}

/// What an axis shows, and how.
///
/// # Example
///
/// ```
/// use burnscape_plot::{PlotAxis, AxisScale};
///
/// let axis = PlotAxis::new("loss (nats)").log();
/// assert_eq!(axis.scale, AxisScale::Log);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlotAxis {
    /// The quantity with its unit.
    pub label: String,
    /// The scale.
    pub scale: AxisScale,
}

impl PlotAxis {
    /// A linear axis.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scale: AxisScale::Linear,
        }
    }

    /// The same axis with a logarithmic scale.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.scale = AxisScale::Log;
        self
    }
}
