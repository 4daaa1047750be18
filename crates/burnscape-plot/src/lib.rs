//! Figures of loss landscapes, spectra, paths and merge trees.
//!
//! A figure is data: numbers and labels. [`Figure`] draws it as SVG or PNG, and a [`Report`] puts many into one page that
//! works without a network. The crate knows no tensors and no models.
//!
//! # A minute's tour
//!
//! ```
//! use burnscape_plot::{PlotAxis, BarrierBracket, CurveFigure, Drawing, Figure, Series};
//!
//! let t: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
//! let line: Vec<f64> = t.iter().map(|t| 0.1 + 8.0 * (t * (1.0 - t)).powi(2)).collect();
//! let figure = Figure::Curve(CurveFigure {
//!     x: PlotAxis::new("position on the path"),
//!     y: PlotAxis::new("loss"),
//!     series: vec![Series::new("straight line", t, line)],
//!     bracket: Some(BarrierBracket { at: 0.5, low: 0.1, high: 0.6, label: "barrier 0.5".into() }),
//!     ..CurveFigure::default()
//! });
//! let drawing = Drawing::new(600, 400).with_title("From one model to the other");
//! assert!(figure.to_svg(&drawing)?.contains("barrier 0.5"));
//! assert!(figure.to_png(&drawing)?.starts_with(b"\x89PNG"));
//! # Ok::<(), burnscape_plot::PlotError>(())
//! ```
//!
//! # Modules
//!
//! | module | purpose | items |
//! |---|---|---|
//! | figure | a picture and how it is drawn | [`Figure`], [`Drawing`], [`PlotError`] |
//! | curve | curves and paths | [`CurveFigure`], [`Series`], [`ShadedRegion`], [`BarrierBracket`], [`PlotAxis`], [`AxisScale`] |
//! | landscape | values on a plane | [`LandscapeFigure`], [`TrajectoryMark`] |
//! | spectrum | densities of eigenvalues | [`SpectrumFigure`] |
//! | branch | merge trees and their diagrams | [`TreeBranch`] |
//! | bar | tables with bars | [`Bar`] |
//! | page | many figures in one file | [`Report`], [`Panel`], [`Content`] |
//!
//! # Numbers that are not
//!
//! Every figure takes NaN and infinities and shows where they are: gaps, triangles at the border, hatched and gray cells,
//! with their number below. Only a figure with nothing else is an error.
#![forbid(unsafe_code)]
#![doc(test(attr(deny(warnings))))]

mod axis;
mod bar;
mod branch;
mod curve;
mod draw;
mod drawing;
mod error;
mod figure;
mod landscape_figure;
mod number;
mod page;
mod spectrum_figure;
mod write;

pub use axis::{AxisScale, PlotAxis};
pub use bar::Bar;
pub use branch::TreeBranch;
pub use curve::{BarrierBracket, CurveFigure, Series, ShadedRegion};
pub use drawing::Drawing;
pub use error::PlotError;
pub use figure::Figure;
pub use landscape_figure::{LandscapeFigure, TrajectoryMark};
pub use page::{Content, Panel, Report};
pub use spectrum_figure::SpectrumFigure;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
