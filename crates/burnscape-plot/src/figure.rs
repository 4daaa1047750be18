use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::write::write_atomically;
use crate::{
    Bar, CurveFigure, Drawing, LandscapeFigure, PlotError, SpectrumFigure, TreeBranch, draw,
};

/// A picture as data.
///
/// # Formats
///
/// An SVG has no scripts, styles, identifiers or links, so it can stand in a page beside others. Its text is text, in the
/// fonts of the reader. The text of a PNG is drawn with a font that comes with the crate (DejaVu Sans: Latin, Greek,
/// Cyrillic, Hebrew, Arabic letters without joining; an empty box for others).
///
/// With serde, a figure and its [`Drawing`] are JSON, with numbers as short as possible and `"nan"`, `"inf"` and `"-inf"` where
/// JSON has none. `serde_json` reads them back to the last bit, and exactly with its feature `float_roundtrip`.
///
/// # Colors
///
/// Values are viridis. Curves have six colors that remain apart in the three kinds of color blindness, and different dashes.
/// Text has a contrast of at least 4.5 to its ground, and lines of 3.
///
/// # Example
///
/// ```no_run
/// use burnscape_plot::{PlotAxis, CurveFigure, Drawing, Figure, Series};
///
/// let figure = Figure::Curve(CurveFigure {
///     x: PlotAxis::new("step"),
///     y: PlotAxis::new("loss").log(),
///     series: vec![Series::new("training", vec![0.0, 1.0], vec![2.3, 0.9])],
///     ..CurveFigure::default()
/// });
/// figure.write("loss.svg", &Drawing::new(600, 400).with_title("Training"))?;
/// # Ok::<(), burnscape_plot::PlotError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Figure {
    /// Curves, also along paths.
    Curve(CurveFigure),
    /// Lines of equal value on a plane, from above.
    Contour(LandscapeFigure),
    /// The same as a surface in three dimensions.
    Surface(LandscapeFigure),
    /// The same as colored cells, one for each value.
    HeatMap(LandscapeFigure),
    /// The density of eigenvalues.
    Spectrum(SpectrumFigure),
    /// The births and deaths of a merge tree.
    Persistence(Vec<TreeBranch>),
    /// A merge tree.
    MergeTree(Vec<TreeBranch>),
    /// A table of values with errors.
    Bars(Vec<Bar>),
}

impl Figure {
    /// The figure as SVG, a document and an element of HTML at once.
    ///
    /// # Errors
    ///
    /// [`PlotError::Empty`], [`NothingFinite`](PlotError::NothingFinite), [`Lengths`](PlotError::Lengths),
    /// [`Coordinates`](PlotError::Coordinates), [`Size`](PlotError::Size), [`Draw`](PlotError::Draw).
    pub fn to_svg(&self, drawing: &Drawing) -> Result<String, PlotError> {
        Ok(draw::draw(self, drawing)?.to_svg())
    }

    /// The figure as a PNG of twice the size.
    ///
    /// # Cost
    ///
    /// About a tenth of a second for 600 × 400, since every pixel is the mean of four.
    ///
    /// # Errors
    ///
    /// Those of [`to_svg`](Self::to_svg).
    pub fn to_png(&self, drawing: &Drawing) -> Result<Vec<u8>, PlotError> {
        draw::draw(self, drawing)?.to_png()
    }

    /// Writes an `.svg` or a `.png`, as the path says. The file is there as a whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`to_svg`](Self::to_svg), [`PlotError::Extension`], [`File`](PlotError::File).
    pub fn write(&self, path: impl AsRef<Path>, drawing: &Drawing) -> Result<(), PlotError> {
        let path = path.as_ref();
        let extension = path.extension().map(|it| it.to_ascii_lowercase());
        let content = match extension.as_ref().and_then(|it| it.to_str()) {
            Some("svg") => self.to_svg(drawing)?.into_bytes(),
            Some("png") => self.to_png(drawing)?,
            _ => {
                return Err(PlotError::Extension {
                    path: path.display().to_string(),
                });
            }
        };
        write_atomically(path, &content)
    }

    /// The kind, as errors and alternative texts name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Curve(_) => "curve",
            Self::Contour(_) => "contour map",
            Self::Surface(_) => "surface",
            Self::HeatMap(_) => "heat map",
            Self::Spectrum(_) => "spectrum",
            Self::Persistence(_) => "persistence diagram",
            Self::MergeTree(_) => "merge tree",
            Self::Bars(_) => "bar table",
        }
    }
}
