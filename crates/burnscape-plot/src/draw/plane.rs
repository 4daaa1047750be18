//! Two axes and the box between them.

use crate::PlotError;
use crate::draw::canvas::{Anchor, Canvas, Stroke};
use crate::draw::frame::{Frame, LABEL, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::scale::{Scale, Ticks};
use crate::draw::text;

/// A label with its scale.
#[derive(Debug, Clone)]
pub(super) struct ScaledAxis {
    pub(super) label: String,
    pub(super) scale: Scale,
}

impl ScaledAxis {
    /// The label with the factor of its numbers. Of a label that does not fit, the factor is kept.
    pub(super) fn text(&self, room: f64) -> String {
        let size = f64::from(LABEL);
        let factor = self.scale.factor();
        let room = room - text::width(&factor, size, false);
        format!("{}{factor}", text::fit(&self.label, size, false, room))
    }
}

/// Where values are in the picture.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) rect: Rect,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

/// How the axes look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grid {
    /// Lines at the ticks of the vertical axis.
    Horizontal,
    /// No lines: the data fill the box.
    None,
}

/// Where the label of the vertical axis may stand above the box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Above {
    /// How long it may be.
    pub(super) width: f64,
    /// How much higher than just above.
    pub(super) lift: f64,
}

const TICK_LENGTH: f64 = 4.0;

impl Plane {
    pub(super) fn x(&self, value: f64) -> Option<f64> {
        Some(self.rect.left + self.x.place(value)? * self.rect.width())
    }

    pub(super) fn y(&self, value: f64) -> Option<f64> {
        Some(self.rect.bottom - self.y.place(value)? * self.rect.height())
    }

    pub(super) fn point(&self, x: f64, y: f64) -> Option<Point> {
        Some([self.x(x)?, self.y(y)?])
    }
}

/// Room for axes around a box.
pub(super) struct Margins {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Margins {
    pub(super) fn of(x: &ScaledAxis, y: &ScaledAxis, height: f64) -> Self {
        let labels = y.scale.ticks(most_rows(height)).major;
        let widest = labels
            .iter()
            .map(|(_, label)| text::width(label, f64::from(TICK), false))
            .fold(0.0, f64::max);
        let has_y_label = !text::clean(&y.label).is_empty() || !y.scale.factor().is_empty();
        let has_x_label = !text::clean(&x.label).is_empty() || !x.scale.factor().is_empty();
        Self {
            left: widest + TICK_LENGTH + 5.0,
            top: if has_y_label { 20.0 } else { 6.0 },
            bottom: 19.0 + if has_x_label { 19.0 } else { 0.0 },
        }
    }
}

fn most_rows(height: f64) -> usize {
    ((height / 42.0) as usize).clamp(2, 9)
}

impl Frame {
    /// Axes that fill the room.
    pub(super) fn axes(
        &mut self,
        x: ScaledAxis,
        y: ScaledAxis,
        grid: Grid,
    ) -> Result<Plane, PlotError> {
        let margins = Margins::of(&x, &y, self.room.height() - 50.0);
        let rect = Rect::new(
            self.room.left + margins.left,
            self.room.top + margins.top,
            self.room.right - 6.0,
            self.room.bottom - margins.bottom,
        );
        let above = Above {
            width: self.room.width(),
            lift: 0.0,
        };
        self.axes_around(rect, x, y, grid, above)
    }

    /// Axes around a box for which there is room.
    pub(super) fn axes_around(
        &mut self,
        rect: Rect,
        x: ScaledAxis,
        y: ScaledAxis,
        grid: Grid,
        above: Above,
    ) -> Result<Plane, PlotError> {
        let rect = self.enough(rect)?;
        let x_ticks = fitting(&x.scale, rect.width());
        let y_ticks = y.scale.ticks(most_rows(rect.height()));
        if grid == Grid::Horizontal {
            for &(place, _) in &y_ticks.major {
                let at = rect.bottom - place * rect.height();
                let stroke = Stroke::new(self.theme.grid, 1.0);
                self.canvas
                    .line(&[[rect.left, at], [rect.right, at]], stroke);
            }
        }
        self.horizontal(rect, &x_ticks);
        self.vertical(rect, &y_ticks);
        self.axis_labels(rect, &x, &y, above);
        Ok(Plane {
            rect,
            x: x.scale,
            y: y.scale,
        })
    }

    fn horizontal(&mut self, rect: Rect, ticks: &Ticks) {
        let stroke = Stroke::new(self.theme.axis, 1.0);
        let canvas = &mut self.canvas;
        canvas.line(
            &[[rect.left, rect.bottom], [rect.right, rect.bottom]],
            stroke,
        );
        let at = |place: f64| rect.left + place * rect.width();
        for &place in &ticks.minor {
            tick(
                canvas,
                [at(place), rect.bottom],
                [0.0, 0.6 * TICK_LENGTH],
                stroke,
            );
        }
        for (place, label) in &ticks.major {
            tick(
                canvas,
                [at(*place), rect.bottom],
                [0.0, TICK_LENGTH],
                stroke,
            );
            let baseline = rect.bottom + TICK_LENGTH + 4.0 + 0.75 * f64::from(TICK);
            canvas.text(
                [at(*place), baseline],
                label,
                TICK,
                Anchor::Middle,
                self.theme.secondary,
            );
        }
    }

    fn vertical(&mut self, rect: Rect, ticks: &Ticks) {
        let stroke = Stroke::new(self.theme.axis, 1.0);
        let canvas = &mut self.canvas;
        canvas.line(&[[rect.left, rect.top], [rect.left, rect.bottom]], stroke);
        let at = |place: f64| rect.bottom - place * rect.height();
        for &place in &ticks.minor {
            tick(
                canvas,
                [rect.left, at(place)],
                [-0.6 * TICK_LENGTH, 0.0],
                stroke,
            );
        }
        for (place, label) in &ticks.major {
            tick(canvas, [rect.left, at(*place)], [-TICK_LENGTH, 0.0], stroke);
            let point = [
                rect.left - TICK_LENGTH - 3.0,
                at(*place) + 0.36 * f64::from(TICK),
            ];
            canvas.text(point, label, TICK, Anchor::End, self.theme.secondary);
        }
    }

    /// The label of the vertical axis stands above it: nobody has to turn the head.
    fn axis_labels(&mut self, rect: Rect, x: &ScaledAxis, y: &ScaledAxis, above: Above) {
        let size = f64::from(LABEL);
        let label = y.text(above.width);
        let widest = text::width(&label, size, false);
        let left = self
            .room
            .left
            .max(rect.left - 40.0)
            .min(self.room.right - widest);
        let at = [left, rect.top - above.lift - 9.0];
        self.canvas
            .text(at, &label, LABEL, Anchor::Start, self.theme.ink);
        let label = x.text(self.room.width());
        let half = 0.5 * text::width(&label, size, false);
        let middle = 0.5 * (rect.left + rect.right);
        let middle = middle
            .min(self.room.right - half)
            .max(self.room.left + half);
        let at = [middle, rect.bottom + 33.0];
        self.canvas
            .text(at, &label, LABEL, Anchor::Middle, self.theme.ink);
    }
}

fn tick(canvas: &mut Canvas, [x, y]: Point, [dx, dy]: Point, stroke: Stroke) {
    canvas.line(&[[x, y], [x + dx, y + dy]], stroke);
}

/// As many ticks as have room for their labels.
fn fitting(scale: &Scale, width: f64) -> Ticks {
    let mut most = ((width / 62.0) as usize).clamp(2, 10);
    loop {
        let ticks = scale.ticks(most);
        let widest = ticks
            .major
            .iter()
            .map(|(_, label)| text::width(label, f64::from(TICK), false))
            .fold(0.0, f64::max);
        let nearest = ticks
            .major
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * width)
            .fold(f64::INFINITY, f64::min);
        if most <= 2 || widest + 8.0 <= nearest {
            return ticks;
        }
        most -= 1;
    }
}
