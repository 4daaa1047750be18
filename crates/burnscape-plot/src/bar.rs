use serde::{Deserialize, Serialize};

use crate::number;

/// A value with its error, as a line of a table with a bar.
///
/// Bars of one group share a scale, and groups have scales of their own, so that measures with different units stand below
/// each other. The same label has the same color in all groups.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Bar, Drawing, Figure};
///
/// let bar = |label: &str, value, error| Bar {
///     label: label.into(),
///     group: "largest eigenvalue".into(),
///     value,
///     error: Some(error),
///     note: String::new(),
/// };
/// let figure = Figure::Bars(vec![bar("SGD", 81.4, 2.1), bar("SAM", 24.9, 0.8)]);
/// assert!(figure.to_svg(&Drawing::new(600, 200))?.contains("24.90 ± 0.80"));
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bar {
    /// What has the value, for example an optimizer.
    pub label: String,
    /// What is measured; bars of a group follow each other.
    pub group: String,
    /// The value.
    #[serde(with = "number")]
    pub value: f64,
    /// Its standard error.
    #[serde(with = "number")]
    pub error: Option<f64>,
    /// A few words after the value; may be empty.
    pub note: String,
}
