//! Reports: results as figures, and as one page for people who do not know the field.
//!
//! A [`ReportBuilder`] takes landscapes, training runs, spectra, paths and measures, and makes a
//! [`Report`](burnscape_plot::Report), which is one HTML file that works without a network. Its sentences are made from
//! the numbers, and every panel says what it cannot tell.
//!
//! The figures alone, for [SVG and PNG](burnscape_plot::Figure):
//!
//! | function | figure of |
//! |---|---|
//! | [`landscape_figure`] | a [`Landscape`](crate::landscape::Landscape) over two directions, with its wells |
//! | [`tree_branches`] | its [merge tree](crate::landscape::LandscapeTree) |
//! | [`spectrum_figure`] | a [density of eigenvalues](burnscape_krylov::SpectralDensity) |
//! | [`path_figure`] | [profiles](crate::path::CurveProfile) of paths |

mod answers;
mod branches;
mod builder;
mod doubling;
mod headline;
mod landscape_figure;
mod paths;
mod sharpness;
mod spectrum;
mod surface;
mod topology;
mod training;
mod trust;
mod view;
mod wells;
mod words;

pub use branches::tree_branches;
pub use builder::ReportBuilder;
pub use landscape_figure::landscape_figure;
pub use paths::path_figure;
pub use spectrum::spectrum_figure;
