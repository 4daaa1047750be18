//! Lines with gaps, bands and points at the border: what curves and spectra share.

use crate::draw::canvas::Stroke;
use crate::draw::frame::{Frame, counted};
use crate::draw::geometry::Point;
use crate::draw::marker::{Marker, draw_marker};
use crate::draw::plane::Plane;
use crate::draw::theme::{Color, dash};

/// Up to so many points, each has a marker.
const MOST_MARKERS: usize = 26;

/// What of some points cannot be drawn where it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Missing {
    pub(super) nan: usize,
    pub(super) infinite: usize,
    pub(super) not_positive: usize,
}

impl Missing {
    /// What a reader must know, in sentences.
    pub(super) fn sentences(&self) -> Vec<String> {
        let sentence = |count: usize, what: &str| {
            (count > 0).then(|| format!("{} {what}.", counted(count, "point", "points")))
        };
        let [gap, triangle] = [self.nan, self.infinite].map(|count| count == 1);
        [
            sentence(self.nan, if gap { "NaN (a gap)" } else { "NaN (gaps)" }),
            sentence(
                self.infinite,
                if triangle {
                    "infinite (a triangle at the border)"
                } else {
                    "infinite (triangles at the border)"
                },
            ),
            sentence(
                self.not_positive,
                "not positive and off the logarithmic axis",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Counts the points of a curve.
    pub(super) fn add(&mut self, x: &[f64], y: &[f64], is_log: bool) {
        for (x, y) in x.iter().zip(y) {
            if x.is_nan() || y.is_nan() || x.is_infinite() {
                self.nan += 1;
            } else if y.is_infinite() {
                self.infinite += 1;
            } else if is_log && *y <= 0.0 {
                self.not_positive += 1;
            }
        }
    }
}

/// The look of curve `index`.
pub(super) fn stroke_of(frame: &Frame, index: usize) -> Stroke {
    Stroke::new(frame.theme.series(index), 1.75).with_dash(dash(index))
}

/// Runs of points that have a place.
fn runs(plane: &Plane, x: &[f64], y: &[f64]) -> Vec<Vec<Point>> {
    let mut runs: Vec<Vec<Point>> = vec![vec![]];
    for (&x, &y) in x.iter().zip(y) {
        match (plane.point(x, y), runs.last_mut()) {
            (Some(point), Some(run)) => run.push(point),
            (None, Some(run)) if !run.is_empty() => runs.push(vec![]),
            _ => {}
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// A curve with its gaps; single points between gaps are dots.
pub(super) fn draw_line(
    frame: &mut Frame,
    plane: &Plane,
    x: &[f64],
    y: &[f64],
    stroke: Stroke,
    marker: Option<Marker>,
) {
    for run in runs(plane, x, y) {
        if let [point] = run[..] {
            draw_marker(
                &mut frame.canvas,
                marker.unwrap_or(Marker::Circle),
                point,
                3.2,
                stroke.color,
            );
            continue;
        }
        for part in plane.rect.grown(1.0).clip_line(&thinned(&run)) {
            frame.canvas.line(&part, stroke);
        }
        for point in run
            .iter()
            .filter(|point| plane.rect.grown(1.0).contains(**point))
        {
            if let Some(marker) = marker {
                draw_marker(&mut frame.canvas, marker, *point, 3.2, stroke.color);
            }
        }
    }
    for (&x, &y) in x.iter().zip(y) {
        if y.is_infinite()
            && let Some(at) = plane.x(x)
        {
            let (marker, height) = if y > 0.0 {
                (Marker::Up, plane.rect.top + 4.0)
            } else {
                (Marker::Down, plane.rect.bottom - 4.0)
            };
            draw_marker(&mut frame.canvas, marker, [at, height], 3.6, stroke.color);
        }
    }
}

/// A marker for curves with few points.
pub(super) fn marker_of(index: usize, points: usize) -> Option<Marker> {
    (points <= MOST_MARKERS).then(|| Marker::of(index))
}

/// The area between two curves; ends without a place are at the border.
pub(super) fn draw_band(
    frame: &mut Frame,
    plane: &Plane,
    x: &[f64],
    [lower, upper]: &[Vec<f64>; 2],
    color: Color,
    opacity: f64,
) {
    let mut run: Vec<[Point; 2]> = vec![];
    let mut runs = vec![];
    for ((&x, &low), &high) in x.iter().zip(lower).zip(upper) {
        let ends = || {
            let at = plane.x(x)?;
            let border = |value: f64| match plane.y(value) {
                Some(y) => Some(y),
                None if value.is_nan() => None,
                None if value > 0.0 => Some(plane.rect.top),
                None => Some(plane.rect.bottom),
            };
            Some([[at, border(low)?], [at, border(high)?]])
        };
        match ends() {
            Some(ends) => run.push(ends),
            None => runs.push(std::mem::take(&mut run)),
        }
    }
    runs.push(run);
    for run in runs.iter().filter(|run| run.len() > 1) {
        let low = thinned(&run.iter().map(|ends| ends[0]).collect::<Vec<_>>());
        let mut area = thinned(&run.iter().map(|ends| ends[1]).collect::<Vec<_>>());
        area.extend(low.into_iter().rev());
        let area = plane.rect.clip_area(&area);
        frame.canvas.translucent(&area, color, opacity);
    }
}

/// The same line with at most four points in each half unit of width: the first, the lowest, the highest and the last.
fn thinned(points: &[Point]) -> Vec<Point> {
    const MOST: usize = 3000;
    if points.len() <= MOST {
        return points.to_vec();
    }
    let column = |point: &Point| (2.0 * point[0]).floor();
    let mut kept = vec![];
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let order = |a: &usize, b: &usize| group[*a][1].total_cmp(&group[*b][1]);
        let lowest = (0..group.len()).max_by(order).unwrap_or(0);
        let highest = (0..group.len()).min_by(order).unwrap_or(0);
        let mut indices = [0, lowest, highest, group.len() - 1];
        indices.sort_unstable();
        let mut last = None;
        for index in indices {
            if last != Some(index) {
                kept.push(group[index]);
            }
            last = Some(index);
        }
    }
    kept
}
