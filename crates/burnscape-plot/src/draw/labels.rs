//! Texts near points that do not cover each other.

use crate::draw::canvas::Anchor;
use crate::draw::frame::{Frame, TICK};
use crate::draw::geometry::{Point, Rect};
use crate::draw::text;
use crate::draw::theme::Color;

/// The boxes that are taken.
#[derive(Debug, Default)]
pub(super) struct Labels {
    taken: Vec<Rect>,
}

impl Labels {
    /// Nothing may be written here.
    pub(super) fn take(&mut self, rect: Rect) {
        self.taken.push(rect);
    }

    /// A dot nobody should write on.
    pub(super) fn take_dot(&mut self, [x, y]: Point, radius: f64) {
        self.take(Rect::new(x - radius, y - radius, x + radius, y + radius));
    }

    /// Whether a box is free.
    pub(super) fn is_free(&self, rect: Rect) -> bool {
        self.taken.iter().all(|taken| !taken.meets(&rect))
    }

    /// A place for a text beside a point inside the box `within`: right, left, above, below, then farther.
    pub(super) fn find(
        &mut self,
        text: &str,
        at: Point,
        distance: f64,
        within: Rect,
    ) -> Option<(Point, Anchor)> {
        let size = f64::from(TICK);
        let width = text::width(text, size, false);
        for [dx, dy] in [
            [1.0, 0.0],
            [-1.0, 0.0],
            [0.0, -1.0],
            [0.0, 1.0],
            [0.8, -0.9],
            [-0.8, -0.9],
            [0.8, 0.9],
            [-0.8, 0.9],
        ] {
            let center_y = at[1] + dy * (distance + 0.5 * size);
            let [left, anchor, x] = if dx == 0.0 {
                [at[0] - 0.5 * width, 0.5, at[0]]
            } else if dx > 0.0 {
                let x = at[0] + dx * distance;
                [x, 0.0, x]
            } else {
                let x = at[0] + dx * distance;
                [x - width, 1.0, x]
            };
            let rect = Rect::new(
                left - 1.0,
                center_y - 0.55 * size,
                left + width + 1.0,
                center_y + 0.55 * size,
            );
            if within.holds(&rect) && self.is_free(rect) {
                self.take(rect);
                let anchor = match anchor {
                    0.0 => Anchor::Start,
                    1.0 => Anchor::End,
                    _ => Anchor::Middle,
                };
                return Some(([x, center_y + 0.36 * size], anchor));
            }
        }
        None
    }
}

impl Frame {
    /// A text on a plate of its own, which colors behind it do not make illegible.
    pub(super) fn plate(&mut self, [x, y]: Point, text: &str, anchor: Anchor, color: Color) {
        let size = f64::from(TICK);
        let width = text::width(text, size, false);
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - 0.5 * width,
            Anchor::End => x - width,
        };
        let rect = Rect::new(left, y - 0.82 * size, left + width, y + 0.24 * size).grown(2.0);
        self.canvas
            .translucent(&rect.corners(), self.theme.ground, 0.85);
        self.canvas.text([x, y], text, TICK, anchor, color);
    }
}
