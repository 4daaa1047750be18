//! What the marks mean, in a row above the data.

use crate::draw::canvas::{Anchor, Canvas, Stroke};
use crate::draw::frame::{Frame, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::marker::{MapMark, Marker, draw_map_mark, draw_marker};
use crate::draw::text;
use crate::draw::theme::{Color, value_color};

const LINE: f64 = 18.0;
const SYMBOL: f64 = 24.0;
const GAP: f64 = 18.0;

/// What stands before a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Symbol {
    /// A piece of a curve, with the marker of its points.
    Line(Stroke, Option<Marker>),
    /// A piece of a band.
    Band(Color, f64),
    /// A dot, filled or hollow.
    Dot {
        radius: f64,
        fill: Option<Color>,
        outline: Option<Stroke>,
    },
    /// A line with a dot at its top.
    Stick(Color),
    /// A mark on a piece of a map.
    OnMap(MapMark, f64),
    /// A cell.
    Cell { fill: Color, hatch: Option<Color> },
}

impl Frame {
    /// The entries in lines above the data. Names that are too long are cut.
    pub(super) fn legend(&mut self, entries: &[(Symbol, String)]) {
        let size = f64::from(TICK);
        let most = (self.room.width() - SYMBOL - 6.0).max(20.0);
        let [mut x, mut y] = [self.room.left, self.room.top + 0.5 * LINE];
        let mut has_entries = false;
        for (symbol, name) in entries {
            let name = text::fit(name, size, false, most);
            if name.is_empty() {
                continue;
            }
            let width = symbol.width() + 6.0 + text::width(&name, size, false);
            if has_entries && x > self.room.left && x + width > self.room.right {
                [x, y] = [self.room.left, y + LINE];
            }
            symbol.draw(&mut self.canvas, [x, y]);
            let at = [x + symbol.width() + 6.0, y + 0.36 * size];
            self.canvas
                .text(at, &name, TICK, Anchor::Start, self.theme.ink);
            x += width + GAP;
            has_entries = true;
        }
        if has_entries {
            self.room.top = y + 0.5 * LINE + 5.0;
        }
    }
}

impl Symbol {
    fn width(&self) -> f64 {
        match self {
            Self::Line(..) | Self::Band(..) => SYMBOL,
            Self::Dot { radius, .. } => 2.0 * radius.max(4.0),
            Self::Stick(_) => 9.0,
            Self::Cell { .. } | Self::OnMap(..) => 14.0,
        }
    }

    fn draw(&self, canvas: &mut Canvas, [x, y]: Point) {
        let middle = [x + 0.5 * self.width(), y];
        match *self {
            Self::Line(stroke, marker) => {
                canvas.line(&[[x, y], [x + SYMBOL, y]], stroke);
                if let Some(marker) = marker {
                    draw_marker(canvas, marker, middle, 3.2, stroke.color);
                }
            }
            Self::Band(color, opacity) => {
                let rect = Rect::new(x, y - 5.0, x + SYMBOL, y + 5.0);
                canvas.translucent(&rect.corners(), color, opacity);
            }
            Self::Dot {
                radius,
                fill,
                outline,
            } => canvas.dot(middle, radius, fill, outline),
            Self::Stick(color) => {
                canvas.line(
                    &[[middle[0], y + 6.0], [middle[0], y - 4.0]],
                    Stroke::new(color, 1.5),
                );
                canvas.dot([middle[0], y - 4.0], 2.5, Some(color), None);
            }
            Self::OnMap(mark, radius) => {
                canvas.tile(Rect::new(x, y - 7.0, x + 14.0, y + 7.0), value_color(0.42));
                draw_map_mark(canvas, mark, middle, radius);
            }
            Self::Cell { fill, hatch } => {
                let rect = Rect::new(x, y - 5.0, x + 14.0, y + 5.0);
                canvas.tile(rect, fill);
                if let Some(color) = hatch {
                    canvas.hatch(rect, color);
                }
            }
        }
    }
}
