//! Figures as pictures: one file for each kind, and what they share.

mod bars;
mod canvas;
mod color_bar;
mod contour;
mod curve;
mod curve_parts;
mod field;
mod frame;
mod geometry;
mod heat_map;
mod isolines;
mod labels;
mod legend;
mod map;
mod marker;
mod merge_tree;
mod number_text;
mod persistence;
mod plane;
mod scale;
mod scene;
mod spectrum;
mod surface;
mod surface_axes;
mod surface_run;
mod text;
pub(crate) mod theme;
mod tree_layout;

use canvas::Canvas;
use frame::Frame;

use crate::{Drawing, Figure, PlotError};

/// The shapes of a figure.
pub(crate) fn draw(figure: &Figure, drawing: &Drawing) -> Result<Canvas, PlotError> {
    let mut frame = Frame::new(drawing, figure.kind())?;
    match figure {
        Figure::Curve(curves) => curve::draw(&mut frame, curves)?,
        Figure::Contour(landscape) => contour::draw(&mut frame, landscape)?,
        Figure::Surface(landscape) => surface::draw(&mut frame, landscape)?,
        Figure::HeatMap(landscape) => heat_map::draw(&mut frame, landscape)?,
        Figure::Spectrum(spectrum) => spectrum::draw(&mut frame, spectrum)?,
        Figure::Persistence(branches) => persistence::draw(&mut frame, branches)?,
        Figure::MergeTree(branches) => merge_tree::draw(&mut frame, branches)?,
        Figure::Bars(bars) => bars::draw(&mut frame, bars)?,
    }
    Ok(frame.canvas)
}

/// An error if two lists that belong together differ in length.
fn same_length(what: &str, expected: usize, found: usize) -> Result<(), PlotError> {
    if expected == found {
        return Ok(());
    }
    Err(PlotError::Lengths {
        what: what.to_owned(),
        expected,
        found,
    })
}
