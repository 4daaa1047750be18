//! The scale of the colors beside a map.

use crate::draw::canvas::{Anchor, Stroke};
use crate::draw::frame::{Frame, LABEL, TICK};
use crate::draw::geometry::Rect;
use crate::draw::plane::ScaledAxis;
use crate::draw::text;
use crate::draw::theme::{Color, value_color};

const WIDTH: f64 = 13.0;
const DISTANCE: f64 = 18.0;

/// Colors from the lowest to the highest place.
#[derive(Debug, Clone)]
pub(super) enum Colors {
    Smooth,
    /// Between these places, each has one color.
    Bands(Vec<f64>),
}

impl Colors {
    /// Places where colors change, with both ends.
    fn steps(&self) -> Vec<f64> {
        match self {
            Self::Smooth => (0..=100).map(|i| f64::from(i) / 100.0).collect(),
            Self::Bands(levels) => [vec![0.0], levels.clone(), vec![1.0]].concat(),
        }
    }

    /// The color of a place.
    pub(super) fn at(&self, place: f64) -> Color {
        match self {
            Self::Smooth => value_color(place),
            Self::Bands(levels) => {
                self.band(levels.iter().filter(|level| **level <= place).count())
            }
        }
    }

    /// The color of the band with this number, from 0.
    pub(super) fn band(&self, index: usize) -> Color {
        let steps = self.steps();
        let last = steps.len() - 2;
        let index = index.min(last);
        // The whole range of colors is used, also by a few bands.
        value_color(match last {
            0 => 0.5,
            _ => 0.5 * (steps[index] + steps[index + 1]),
        })
    }
}

/// The width that the bar with its numbers takes from the map.
pub(super) fn bar_width(axis: &ScaledAxis, height: f64) -> f64 {
    let labels = axis.scale.ticks(rows(height)).major;
    let widest = labels
        .iter()
        .map(|(_, label)| text::width(label, f64::from(TICK), false))
        .fold(0.0, f64::max);
    DISTANCE + WIDTH + 7.0 + widest
}

fn rows(height: f64) -> usize {
    ((height / 36.0) as usize).clamp(2, 9)
}

impl Frame {
    /// A bar to the right of a box, as high as it.
    pub(super) fn color_bar(&mut self, rect: Rect, axis: &ScaledAxis, colors: &Colors) {
        let left = (rect.right + DISTANCE).round();
        let bar = Rect::new(left, rect.top.round(), left + WIDTH, rect.bottom.round());
        let at = |place: f64| bar.bottom - place * bar.height();
        for (index, ends) in colors.steps().windows(2).enumerate() {
            let color = match colors {
                Colors::Smooth => value_color(0.5 * (ends[0] + ends[1])),
                Colors::Bands(_) => colors.band(index),
            };
            let snap = |value: f64| (2.0 * value).round() / 2.0;
            let tile = Rect::new(bar.left, snap(at(ends[1])), bar.right, snap(at(ends[0])));
            self.canvas.tile(tile, color);
        }
        let stroke = Stroke::new(self.theme.axis, 1.0);
        for (place, label) in axis.scale.ticks(rows(bar.height())).major {
            let y = at(place);
            self.canvas
                .line(&[[bar.right, y], [bar.right + 3.0, y]], stroke);
            let point = [bar.right + 6.0, y + 0.36 * f64::from(TICK)];
            self.canvas
                .text(point, &label, TICK, Anchor::Start, self.theme.secondary);
        }
        let size = f64::from(LABEL);
        let name = axis.text(0.45 * self.room.width());
        let width = text::width(&name, size, false);
        let x = bar.left.min(self.room.right - width);
        self.canvas.text(
            [x, bar.top - 9.0],
            &name,
            LABEL,
            Anchor::Start,
            self.theme.ink,
        );
    }
}
