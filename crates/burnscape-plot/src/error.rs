use thiserror::Error;

/// The errors of figures and pages.
///
/// # Example
///
/// ```
/// use burnscape_plot::{Drawing, Figure, PlotError};
///
/// let error = Figure::Bars(vec![]).to_svg(&Drawing::new(600, 400));
/// assert_eq!(error, Err(PlotError::Empty { figure: "bar table" }));
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PlotError {
    /// A figure without data.
    #[error("the {figure} has no data; leave it out, or give it at least one point")]
    Empty {
        /// The kind of figure.
        figure: &'static str,
    },
    /// A figure in which nothing can be drawn.
    #[error(
        "the {figure} has no value to draw: all are NaN, infinite, or not positive on a logarithmic axis; leave it \
         out, or choose a linear axis"
    )]
    NothingFinite {
        /// The kind of figure.
        figure: &'static str,
    },
    /// Lists that should be equally long and are not.
    #[error("{what}: expected {expected}, found {found}; give one for each")]
    Lengths {
        /// The lists.
        what: String,
        /// The length that is needed.
        expected: usize,
        /// The length that was found.
        found: usize,
    },
    /// Coordinates of a grid that are not finite or do not increase.
    #[error(
        "coordinate {index} along `{axis}` is not a finite number above the one before it; give them in increasing order"
    )]
    Coordinates {
        /// The axis.
        axis: &'static str,
        /// The first such coordinate.
        index: usize,
    },
    /// A size in which the figure does not fit.
    #[error(
        "{width} × {height} is {problem}; give sides from 200 to 4000 that leave room for the data"
    )]
    Size {
        /// The width.
        width: u32,
        /// The height.
        height: u32,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file name that says no format.
    #[error("`{path}` is neither .svg nor .png; name the file with one of them")]
    Extension {
        /// The path.
        path: String,
    },
    /// A file that could not be written. Nothing is left of it.
    #[error("`{path}` could not be written: {message}; choose a path that can be")]
    File {
        /// The path.
        path: String,
        /// What the system said.
        message: String,
    },
    /// Data that make no picture.
    #[error("{message}")]
    Draw {
        /// What is wrong, and what to do.
        message: String,
    },
}
