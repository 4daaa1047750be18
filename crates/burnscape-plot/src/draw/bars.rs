//! A table with a bar in each line.

use crate::draw::canvas::{Anchor, Stroke};
use crate::draw::frame::{Frame, LABEL, TICK, counted};
use crate::draw::geometry::Rect;
use crate::draw::number_text::with_error;
use crate::draw::scale::Scale;
use crate::draw::text;
use crate::draw::theme::Color;
use crate::{AxisScale, Bar, PlotError};

const KIND: &str = "bar table";
/// The least and the most height of a line.
const LINE: [f64; 2] = [15.0, 30.0];
/// The height of the name of a group, in lines.
const HEADING: f64 = 1.25;

/// Widths of the columns.
struct Columns {
    label: f64,
    value: f64,
    note: f64,
}

pub(super) fn draw(frame: &mut Frame, bars: &[Bar]) -> Result<(), PlotError> {
    if bars.is_empty() {
        return Err(PlotError::Empty { figure: KIND });
    }
    if bars.iter().all(|bar| !bar.value.is_finite()) {
        return Err(PlotError::NothingFinite { figure: KIND });
    }
    let groups: Vec<&[Bar]> = bars.chunk_by(|a, b| a.group == b.group).collect();
    let lines: f64 = groups.iter().map(|group| height(group)).sum();
    let mut line = (frame.room.height() / lines).min(LINE[1]);
    let mut shown = bars.len();
    if line < LINE[0] {
        line = LINE[0];
        shown = fitting(&groups, (frame.room.height() - 20.0) / line);
        let lost = bars.len() - shown;
        let counted = counted(lost, "more bar", "more bars");
        frame.note(&[format!("{counted} not drawn; a higher picture has room.")]);
    }
    let room = frame.enough(frame.room)?;
    let columns = columns(bars, room.width());
    let labels = distinct(bars);
    let mut top = room.top;
    for group in groups {
        let group = &group[..group.len().min(shown)];
        shown -= group.len();
        if group.is_empty() {
            break;
        }
        let name = text::fit(&group[0].group, f64::from(LABEL), true, room.width());
        if !name.is_empty() {
            let at = [room.left, top + 0.62 * HEADING * line + 2.0];
            frame
                .canvas
                .bold(at, &name, LABEL, Anchor::Start, frame.theme.ink);
            top += HEADING * line;
        }
        let scale = scale_of(group);
        for bar in group {
            let color = match labels.iter().position(|label| *label == bar.label) {
                Some(index) if labels.len() <= 6 => frame.theme.series(index),
                _ => frame.theme.series(0),
            };
            let row = Rect::new(room.left, top, room.right, top + line);
            draw_bar(frame, bar, row, &columns, scale.as_ref(), color);
            top += line;
        }
        top += 0.25 * line;
    }
    Ok(())
}

/// The height of a group in lines.
fn height(group: &[Bar]) -> f64 {
    let has_name = group
        .first()
        .is_some_and(|bar| !text::clean(&bar.group).is_empty());
    group.len() as f64 + 0.25 + if has_name { HEADING } else { 0.0 }
}

/// How many bars there is room for.
fn fitting(groups: &[&[Bar]], mut lines: f64) -> usize {
    let mut count = 0;
    for group in groups {
        let names = height(group) - group.len() as f64;
        let room = (lines - names).max(0.0) as usize;
        count += room.min(group.len());
        lines -= height(group);
    }
    count.max(1)
}

fn distinct(bars: &[Bar]) -> Vec<&str> {
    let mut labels: Vec<&str> = vec![];
    for bar in bars {
        if !labels.contains(&bar.label.as_str()) {
            labels.push(&bar.label);
        }
    }
    labels
}

fn columns(bars: &[Bar], room: f64) -> Columns {
    let size = f64::from(LABEL);
    let widest = |texts: &mut dyn Iterator<Item = String>, most: f64| {
        texts
            .map(|it| text::width(&text::clean(&it), size, false))
            .fold(0.0, f64::max)
            .min(most * room)
    };
    let gap = |width: f64| if width > 0.0 { width + 14.0 } else { 0.0 };
    Columns {
        label: gap(widest(&mut bars.iter().map(|bar| bar.label.clone()), 0.3)),
        value: gap(widest(
            &mut bars.iter().map(|bar| with_error(bar.value, bar.error)),
            0.4,
        )),
        note: gap(widest(&mut bars.iter().map(|bar| bar.note.clone()), 0.28)),
    }
}

/// From zero to the ends of the errors; `None` if nothing is finite.
fn scale_of(group: &[Bar]) -> Option<Scale> {
    let ends = group
        .iter()
        .filter(|bar| bar.value.is_finite())
        .flat_map(|bar| {
            let error = bar
                .error
                .filter(|error| error.is_finite())
                .unwrap_or(0.0)
                .abs();
            [bar.value - error, bar.value, bar.value + error]
        });
    let mut ends: Vec<f64> = ends.collect();
    if ends.is_empty() {
        return None;
    }
    ends.push(0.0);
    Scale::of(AxisScale::Linear, ends)
}

fn draw_bar(
    frame: &mut Frame,
    bar: &Bar,
    row: Rect,
    columns: &Columns,
    scale: Option<&Scale>,
    color: Color,
) {
    let size = f64::from(LABEL);
    let middle = 0.5 * (row.top + row.bottom);
    let baseline = middle + 0.36 * size;
    let label = text::fit(&bar.label, size, false, columns.label - 12.0);
    frame.canvas.text(
        [row.left, baseline],
        &label,
        LABEL,
        Anchor::Start,
        frame.theme.ink,
    );
    let left = row.left + columns.label;
    let right = (row.right - columns.value - columns.note).max(left + 10.0);
    let at = |place: f64| left + place.clamp(0.0, 1.0) * (right - left);
    let half = (0.3 * row.height()).min(7.0);
    if let Some(scale) = scale {
        let zero = scale.place(0.0).map_or(left, at);
        let axis = Stroke::new(frame.theme.axis, 1.0);
        frame
            .canvas
            .line(&[[zero, row.top], [zero, row.bottom]], axis);
        if let Some(end) = scale.place(bar.value).map(at) {
            let tile = Rect::new(zero.min(end), middle - half, zero.max(end), middle + half);
            frame.canvas.tile(tile, color);
        }
        whisker(frame, bar, [middle, half], |value| {
            scale.place(value).map(at)
        });
    }
    let value = text::fit(
        &with_error(bar.value, bar.error),
        size,
        false,
        columns.value - 12.0,
    );
    let x = right + 14.0;
    frame
        .canvas
        .text([x, baseline], &value, LABEL, Anchor::Start, frame.theme.ink);
    let note = text::fit(&bar.note, f64::from(TICK), false, columns.note - 12.0);
    let x = right + 14.0 + columns.value;
    frame.canvas.text(
        [x, baseline],
        &note,
        TICK,
        Anchor::Start,
        frame.theme.secondary,
    );
}

/// The error on its bar: dark with a light casing, to be seen on the bar and beside it.
fn whisker(
    frame: &mut Frame,
    bar: &Bar,
    [middle, half]: [f64; 2],
    place: impl Fn(f64) -> Option<f64>,
) {
    let Some(error) = bar.error.filter(|error| error.is_finite() && *error > 0.0) else {
        return;
    };
    let (Some(from), Some(to)) = (place(bar.value - error), place(bar.value + error)) else {
        return;
    };
    let center = 0.5 * (from + to);
    let arm = (0.8 * half).min(4.5);
    let cap = |x: f64| vec![[x, middle - arm], [x, middle + arm]];
    // Ends that would touch are one.
    let lines = if to - from < 5.0 {
        vec![cap(center)]
    } else {
        vec![vec![[from, middle], [to, middle]], cap(from), cap(to)]
    };
    for stroke in [
        Stroke::new(frame.theme.ground, 2.75),
        Stroke::new(frame.theme.ink, 1.25),
    ] {
        for line in &lines {
            frame.canvas.line(line, stroke);
        }
    }
}
