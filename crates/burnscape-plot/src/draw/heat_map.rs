//! One colored cell for each value.

use crate::draw::color_bar::Colors;
use crate::draw::field::{Cell, Field, Fill, edges, paint_cells};
use crate::draw::frame::Frame;
use crate::draw::map::{lay_out, overlay};
use crate::{LandscapeFigure, PlotError};

pub(super) fn draw(frame: &mut Frame, figure: &LandscapeFigure) -> Result<(), PlotError> {
    let field = Field::of(figure, "heat map")?;
    let (x, y) = (edges(field.x), edges(field.y));
    let ends = [[x[0], x[x.len() - 1]], [y[0], y[y.len() - 1]]];
    let colors = Colors::Smooth;
    let plane = lay_out(frame, figure, &field, ends, &colors)?;
    let gray = frame.theme.gray;
    paint_cells(frame, &plane, &x, &y, |i, j| {
        Some(match field.cell(i, j) {
            Cell::Value(place) => Fill::Color(colors.at(place)),
            Cell::Nan => Fill::Hatched,
            Cell::NoPlace => Fill::Color(gray),
        })
    });
    overlay(frame, &plane, figure, &field, &colors);
    Ok(())
}
