//! Rings around what is above a level: marching squares on a grid with a border that is below everything.
//!
//! Rings never cross, so that areas painted from the largest ring to the smallest make a correct map without holes.

use std::collections::BTreeMap;

use crate::draw::geometry::Point;

/// A closed line of equal value, in indices of the grid.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    /// The number of its level.
    pub(super) level: usize,
    pub(super) points: Vec<Point>,
    /// Whether the segment that begins at each point is a line of the data: neither the border nor a guess at a missing
    /// value.
    pub(super) is_line: Vec<bool>,
    /// Positive if it is higher inside.
    pub(super) area: f64,
}

/// Places on a grid, `None` where there is none.
pub(super) struct Grid<F> {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) place: F,
}

impl<F: Fn(usize, usize) -> Option<f64>> Grid<F> {
    /// The rings of all levels, in the order in which they are painted.
    pub(super) fn rings(&self, levels: &[f64]) -> Vec<Ring> {
        let mut rings: Vec<Ring> = levels
            .iter()
            .enumerate()
            .flat_map(|(index, &level)| self.rings_of(index, level))
            .collect();
        // Of rings with the same points, inner ones come later: higher levels of peaks, lower ones of pits.
        let inner = |ring: &Ring| {
            if ring.area > 0.0 {
                ring.level as i64
            } else {
                -(ring.level as i64)
            }
        };
        rings.sort_by(|a, b| {
            let outer_first = b.area.abs().total_cmp(&a.area.abs());
            outer_first.then(inner(a).cmp(&inner(b)))
        });
        rings
    }

    /// The place of a point of the grid with its border.
    fn padded(&self, i: usize, j: usize) -> Option<f64> {
        let is_inside = (1..=self.columns).contains(&i) && (1..=self.rows).contains(&j);
        if is_inside {
            (self.place)(i - 1, j - 1)
        } else {
            None
        }
    }

    fn rings_of(&self, index: usize, level: f64) -> Vec<Ring> {
        let mut next = self.segments(level);
        let mut rings = vec![];
        while let Some((&first, _)) = next.first_key_value() {
            let (mut points, mut is_line) = (vec![], vec![]);
            let mut edge = first;
            while let Some((following, is_data)) = next.remove(&edge) {
                points.push(self.crossing(edge, level));
                is_line.push(is_data);
                edge = following;
            }
            let area = signed_area(&points);
            rings.push(Ring {
                level: index,
                points,
                is_line,
                area,
            });
        }
        rings
    }

    /// From the edge of the grid where a segment starts to that where it ends, with the higher side on the left.
    fn segments(&self, level: f64) -> BTreeMap<Edge, (Edge, bool)> {
        let mut segments = BTreeMap::new();
        for i in 0..=self.columns {
            for j in 0..=self.rows {
                let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
                let places = corners.map(|(i, j)| self.padded(i, j));
                let is_data = places.iter().all(Option::is_some);
                let values = places.map(|place| place.unwrap_or(-1.0));
                let is_high = values.map(|value| value >= level);
                // Counterclockwise; a segment starts where the corners fall, and ends where they rise.
                let sides = [0, 1, 2, 3].map(|side| (is_high[side], is_high[(side + 1) % 4]));
                let is_saddle = is_high[0] == is_high[2]
                    && is_high[1] == is_high[3]
                    && is_high[0] != is_high[1];
                let is_ridge = values.iter().sum::<f64>() >= 4.0 * level;
                for start in (0..4).filter(|&side| sides[side] == (true, false)) {
                    let end = if is_saddle {
                        (start + if is_ridge { 1 } else { 3 }) % 4
                    } else {
                        (0..4)
                            .find(|&side| sides[side] == (false, true))
                            .unwrap_or(start)
                    };
                    let edge = |side: usize| Edge::between(corners[side], corners[(side + 1) % 4]);
                    segments.insert(edge(start), (edge(end), is_data));
                }
            }
        }
        segments
    }

    /// Where a level crosses an edge, by linear interpolation.
    fn crossing(&self, edge: Edge, level: f64) -> Point {
        let [from, to] = edge.ends();
        let value = |(i, j): (usize, usize)| self.padded(i, j).unwrap_or(-1.0);
        let (a, b) = (value(from), value(to));
        let t = if a == b { 0.5 } else { (level - a) / (b - a) };
        // The border lies on the outermost points.
        let at = |index: usize, count: usize| index.clamp(1, count) as f64 - 1.0;
        let along = |from: f64, to: f64| from + t * (to - from);
        [
            along(at(from.0, self.columns), at(to.0, self.columns)),
            along(at(from.1, self.rows), at(to.1, self.rows)),
        ]
    }
}

/// An edge between neighbors of the grid with its border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    i: usize,
    j: usize,
    is_across: bool,
}

impl Edge {
    fn between(a: (usize, usize), b: (usize, usize)) -> Self {
        Self {
            i: a.0.min(b.0),
            j: a.1.min(b.1),
            is_across: a.0 != b.0,
        }
    }

    fn ends(self) -> [(usize, usize); 2] {
        let step = usize::from(self.is_across);
        [(self.i, self.j), (self.i + step, self.j + 1 - step)]
    }
}

fn signed_area(points: &[Point]) -> f64 {
    let pairs = points.iter().zip(points.iter().cycle().skip(1));
    pairs.map(|(a, b)| 0.5 * (a[0] * b[1] - b[0] * a[1])).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rings(values: &[[f64; 4]], levels: &[f64]) -> Vec<Ring> {
        let grid = Grid {
            columns: values.len(),
            rows: 4,
            place: |i: usize, j: usize| Some(values[i][j]).filter(|v| !v.is_nan()),
        };
        grid.rings(levels)
    }

    #[test]
    fn a_peak_and_a_pit_have_rings() {
        let low = [0.0; 4];
        let peak = rings(&[low, [0.0, 1.0, 0.0, 0.0], low], &[0.5]);
        assert_eq!(peak.len(), 1);
        assert!((peak[0].area - 0.5).abs() < 1e-12);
        assert!(peak[0].is_line.iter().all(|is_line| *is_line));

        let high = [1.0; 4];
        let pit = rings(&[high, [1.0, 0.0, 1.0, 1.0], high], &[0.5]);
        // Around everything along the border, then the pit.
        assert_eq!(
            pit.iter().map(|ring| ring.area).collect::<Vec<_>>(),
            [6.0, -0.5]
        );
        assert!(pit[0].is_line.iter().all(|is_line| !is_line));
    }

    #[test]
    fn saddles_are_joined_by_their_middle() {
        let ridge = rings(&[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], &[0.4]);
        assert_eq!(ridge.len(), 1);
        let pass = rings(&[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], &[0.6]);
        assert_eq!(pass.len(), 2);
    }

    #[test]
    fn missing_values_make_no_lines() {
        let rings = rings(&[[1.0, 1.0, f64::NAN, 1.0], [1.0; 4], [1.0; 4]], &[0.5]);
        assert!(
            rings
                .iter()
                .flat_map(|ring| &ring.is_line)
                .all(|is_line| !is_line)
        );
    }

    #[test]
    fn a_whole_plane_of_rings_is_painted_from_low_to_high() {
        let rings = rings(&[[0.9; 4], [0.9; 4]], &[0.2, 0.4, 0.6]);
        assert_eq!(
            rings.iter().map(|ring| ring.level).collect::<Vec<_>>(),
            [0, 1, 2]
        );
    }
}
