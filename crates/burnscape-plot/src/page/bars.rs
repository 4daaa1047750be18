//! A table of values with error bars.

use maud::{Markup, html};

use super::value_text::with_error;
use crate::Bar;

/// The smallest and the largest value of a group and of what its errors reach; zero always belongs to it.
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn of(bars: &[&Bar]) -> Self {
        let mut range = Self {
            low: 0.0,
            high: 0.0,
        };
        for bar in bars {
            let error = bar
                .error
                .filter(|error| error.is_finite())
                .unwrap_or(0.0)
                .abs();
            for end in [bar.value - error, bar.value + error]
                .into_iter()
                .filter(|it| it.is_finite())
            {
                range.low = range.low.min(end);
                range.high = range.high.max(end);
            }
        }
        range
    }

    /// The place of a value, in percent.
    fn place(&self, value: f64) -> f64 {
        let length = self.high - self.low;
        if length > 0.0 {
            (100.0 * (value - self.low) / length).clamp(0.0, 100.0)
        } else {
            0.0
        }
    }
}

/// One table with a body for each group.
pub(super) fn table(bars: &[Bar]) -> Markup {
    let labels = labels(bars);
    let groups = groups(bars);
    let has_notes = groups.iter().any(|group| shared_note(group).is_none());
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" {
            table.bars {
                @for group in &groups { (body(group, &labels, has_notes)) }
            }
        }
    }
}

fn body(group: &[&Bar], labels: &[&str], has_notes: bool) -> Markup {
    let range = Range::of(group);
    let name = group.first().map_or("", |bar| bar.group.as_str());
    let shared = shared_note(group).unwrap_or("");
    html! {
        tbody {
            @if !name.is_empty() || !shared.is_empty() {
                tr.group {
                    th scope="rowgroup" colspan={ (4 + usize::from(has_notes)) } dir="auto" {
                        span.clamp title=(name) { (name) }
                        @if !shared.is_empty() { span.meaning { (shared) } }
                    }
                }
            }
            @for bar in group {
                @let (value, error) = with_error(bar.value, bar.error);
                tr {
                    th.cut scope="row" dir="auto" title=(bar.label) { (bar.label) }
                    td.track { (track(bar, &range, labels)) }
                    td.value { (value) }
                    td.error { (error) }
                    @if has_notes { td.note dir="auto" { @if shared.is_empty() { (bar.note) } } }
                }
            }
        }
    }
}

/// A note that all bars of a group share is said once.
fn shared_note<'a>(group: &[&'a Bar]) -> Option<&'a str> {
    let note = group.first()?.note.as_str();
    group.iter().all(|bar| bar.note == note).then_some(note)
}

/// The bar from zero to the value, and a whisker over two errors.
fn track(bar: &Bar, range: &Range, labels: &[&str]) -> Markup {
    let color = labels
        .iter()
        .position(|label| *label == bar.label)
        .unwrap_or(0)
        % 6;
    let zero = range.place(0.0);
    let percent = |value: f64| format!("{value:.2}%");
    html! {
        @if bar.value.is_finite() {
            @let end = range.place(bar.value);
            svg width="100%" height="18" aria-hidden="true" {
                rect class={ "fill series-" (color) } x=(percent(zero.min(end))) width=(percent((end - zero).abs())) y="3" height="12" {}
                @if let Some(error) = bar.error.filter(|error| error.is_finite() && *error > 0.0) {
                    @let (low, high) = (range.place(bar.value - error), range.place(bar.value + error));
                    line.whisker x1=(percent(low)) x2=(percent(high)) y1="9" y2="9" {}
                    line.whisker x1=(percent(low)) x2=(percent(low)) y1="5" y2="13" {}
                    line.whisker x1=(percent(high)) x2=(percent(high)) y1="5" y2="13" {}
                }
                @if zero > 0.0 { line.zero x1=(percent(zero)) x2=(percent(zero)) y1="0" y2="18" {} }
            }
        }
    }
}

/// Bars of one group follow each other.
fn groups(bars: &[Bar]) -> Vec<Vec<&Bar>> {
    let mut groups: Vec<Vec<&Bar>> = Vec::new();
    for bar in bars {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|first| first.group == bar.group) => {
                group.push(bar)
            }
            _ => groups.push(vec![bar]),
        }
    }
    groups
}

/// The labels in the order of their colors: the same label has the same color in all groups.
fn labels(bars: &[Bar]) -> Vec<&str> {
    let mut labels: Vec<&str> = Vec::new();
    for bar in bars {
        if !labels.contains(&bar.label.as_str()) {
            labels.push(&bar.label);
        }
    }
    labels
}
