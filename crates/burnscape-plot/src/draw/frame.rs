//! What is around the data: title, notes and room.

use crate::draw::canvas::{Anchor, Canvas};
use crate::draw::geometry::Rect;
use crate::draw::text;
use crate::draw::theme::Theme;
use crate::{Drawing, PlotError};

/// Sizes of text.
pub(super) const TITLE: u32 = 15;
pub(super) const LABEL: u32 = 12;
pub(super) const TICK: u32 = 11;

const MARGIN: f64 = 14.0;
const NOTE_LINE: f64 = 15.0;
/// Notes are two or three numbers; a long one is cut.
const MOST_NOTE_LINES: usize = 3;

/// A picture in the making: what is painted, and the room that is left.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) canvas: Canvas,
    pub(super) theme: &'static Theme,
    pub(super) room: Rect,
    size: [u32; 2],
}

impl Frame {
    /// An empty picture with its title.
    pub(super) fn new(drawing: &Drawing, kind: &str) -> Result<Self, PlotError> {
        let size = [drawing.width, drawing.height];
        if size.iter().any(|side| !(200..=4000).contains(side)) {
            return Err(too_small(size, "no size of a picture"));
        }
        let [width, height] = size.map(f64::from);
        let theme = Theme::of(drawing.is_dark);
        let title = text::fit(&drawing.title, f64::from(TITLE), true, width - 2.0 * MARGIN);
        let mut frame = Self {
            canvas: Canvas::new(width, height, theme, alternative(drawing, kind)),
            theme,
            room: Rect::new(MARGIN, MARGIN, width - MARGIN, height - MARGIN),
            size,
        };
        if !title.is_empty() {
            let baseline = frame.room.top + f64::from(TITLE) * 0.8;
            frame.canvas.bold(
                [frame.room.left, baseline],
                &title,
                TITLE,
                Anchor::Start,
                theme.ink,
            );
            frame.room.top += f64::from(TITLE) + 11.0;
        }
        Ok(frame)
    }

    /// Sentences below the picture, from the bottom up.
    pub(super) fn note(&mut self, sentences: &[String]) {
        let mut lines = text::wrapped(&sentences.join(" "), f64::from(TICK), self.room.width());
        lines.truncate(MOST_NOTE_LINES);
        if lines.is_empty() {
            return;
        }
        let top = self.room.bottom - NOTE_LINE * lines.len() as f64;
        for (index, line) in lines.iter().enumerate() {
            let baseline = top + NOTE_LINE * (index as f64 + 0.85);
            self.canvas.text(
                [self.room.left, baseline],
                line,
                TICK,
                Anchor::Start,
                self.theme.secondary,
            );
        }
        self.room.bottom = top - 5.0;
    }

    /// An error unless the box is large enough to show something.
    pub(super) fn enough(&self, rect: Rect) -> Result<Rect, PlotError> {
        if rect.width() < 50.0 || rect.height() < 36.0 {
            return Err(too_small(self.size, "too small for this figure"));
        }
        Ok(rect)
    }
}

fn too_small([width, height]: [u32; 2], problem: &'static str) -> PlotError {
    PlotError::Size {
        width,
        height,
        problem,
    }
}

fn alternative(drawing: &Drawing, kind: &str) -> String {
    if !drawing.alt.trim().is_empty() {
        // Longer than a line, but safe as one.
        return drawing
            .alt
            .split_whitespace()
            .map(text::clean)
            .collect::<Vec<_>>()
            .join(" ");
    }
    match text::clean(&drawing.title) {
        title if title.is_empty() => format!("a {kind}"),
        title => format!("a {kind}: {title}"),
    }
}

/// `1 point is`, `3 points are`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one} is")
    } else {
        format!("{count} {many} are")
    }
}
