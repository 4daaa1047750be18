//! Shapes in the order in which they are painted.

use crate::draw::geometry::{Point, Rect};
use crate::draw::text;
use crate::draw::theme::{Color, Theme};

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stroke {
    pub(super) color: Color,
    pub(super) width: f64,
    pub(super) dash: &'static [f64],
}

impl Stroke {
    pub(super) fn new(color: Color, width: f64) -> Self {
        Self {
            color,
            width,
            dash: &[],
        }
    }

    pub(super) fn with_dash(mut self, dash: &'static [f64]) -> Self {
        self.dash = dash;
        self
    }
}

/// Which point of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Line {
        points: Vec<Point>,
        stroke: Stroke,
    },
    Area {
        points: Vec<Point>,
        fill: Color,
        opacity: f64,
        outline: Option<Stroke>,
    },
    /// A box that meets its neighbors without a seam or a soft edge.
    Tile {
        rect: Rect,
        fill: Color,
    },
    Dot {
        center: Point,
        radius: f64,
        fill: Option<Color>,
        outline: Option<Stroke>,
    },
    Text {
        at: Point,
        text: String,
        size: u32,
        anchor: Anchor,
        color: Color,
        is_bold: bool,
    },
}

/// Shapes on a ground.
#[derive(Debug, Clone)]
pub(crate) struct Canvas {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) ground: Color,
    pub(super) alt: String,
    pub(super) shapes: Vec<Shape>,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64, theme: &Theme, alt: String) -> Self {
        Self {
            width,
            height,
            ground: theme.ground,
            alt,
            shapes: vec![],
        }
    }

    pub(super) fn line(&mut self, points: &[Point], stroke: Stroke) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line {
                points: points.to_vec(),
                stroke,
            });
        }
    }

    pub(super) fn area(&mut self, points: &[Point], fill: Color) {
        self.translucent(points, fill, 1.0);
    }

    pub(super) fn translucent(&mut self, points: &[Point], fill: Color, opacity: f64) {
        if points.len() > 2 {
            self.shapes.push(Shape::Area {
                points: points.to_vec(),
                fill,
                opacity,
                outline: None,
            });
        }
    }

    pub(super) fn tile(&mut self, rect: Rect, fill: Color) {
        self.shapes.push(Shape::Tile { rect, fill });
    }

    pub(super) fn dot(
        &mut self,
        center: Point,
        radius: f64,
        fill: Option<Color>,
        outline: Option<Stroke>,
    ) {
        self.shapes.push(Shape::Dot {
            center,
            radius,
            fill,
            outline,
        });
    }

    pub(super) fn text(&mut self, at: Point, text: &str, size: u32, anchor: Anchor, color: Color) {
        self.write(at, text, size, anchor, color, false);
    }

    pub(super) fn bold(&mut self, at: Point, text: &str, size: u32, anchor: Anchor, color: Color) {
        self.write(at, text, size, anchor, color, true);
    }

    fn write(
        &mut self,
        at: Point,
        text: &str,
        size: u32,
        anchor: Anchor,
        color: Color,
        is_bold: bool,
    ) {
        let text = text::clean(text);
        if !text.is_empty() {
            self.shapes.push(Shape::Text {
                at,
                text,
                size,
                anchor,
                color,
                is_bold,
            });
        }
    }

    /// Lines that rise to the right through a box. Those of neighbors continue each other.
    pub(super) fn hatch(&mut self, rect: Rect, color: Color) {
        const DISTANCE: f64 = 5.0;
        let first = ((rect.left + rect.top) / DISTANCE).ceil() as i64;
        let last = ((rect.right + rect.bottom) / DISTANCE).floor() as i64;
        for index in first..=last {
            let sum = index as f64 * DISTANCE;
            let from = [rect.left, sum - rect.left];
            let to = [rect.right, sum - rect.right];
            for part in rect.clip_line(&[from, to]) {
                self.line(&part, Stroke::new(color, 1.0));
            }
        }
    }
}
