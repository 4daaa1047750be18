//! Points, boxes, and what of lines and areas is inside a box.

/// Right and down, in the units of the picture.
pub(super) type Point = [f64; 2];

/// An upright box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Rect {
    pub(super) fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self {
            left,
            top,
            right,
            bottom,
        }
    }

    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(super) fn corners(&self) -> [Point; 4] {
        [
            [self.left, self.top],
            [self.right, self.top],
            [self.right, self.bottom],
            [self.left, self.bottom],
        ]
    }

    pub(super) fn contains(&self, point: Point) -> bool {
        (self.left..=self.right).contains(&point[0]) && (self.top..=self.bottom).contains(&point[1])
    }

    pub(super) fn holds(&self, other: &Self) -> bool {
        self.contains([other.left, other.top]) && self.contains([other.right, other.bottom])
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    pub(super) fn grown(&self, by: f64) -> Self {
        Self::new(
            self.left - by,
            self.top - by,
            self.right + by,
            self.bottom + by,
        )
    }

    /// The parts of a line inside.
    pub(super) fn clip_line(&self, points: &[Point]) -> Vec<Vec<Point>> {
        let mut parts: Vec<Vec<Point>> = vec![];
        let mut is_open = false;
        for pair in points.windows(2) {
            let Some((from, to)) = self.clip_segment(pair[0], pair[1]) else {
                is_open = false;
                continue;
            };
            match parts.last_mut() {
                Some(part) if is_open && from == pair[0] => part.push(to),
                _ => parts.push(vec![from, to]),
            }
            is_open = to == pair[1];
        }
        parts
    }

    /// Liang and Barsky 1984.
    fn clip_segment(&self, from: Point, to: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        for (step, room) in [
            (-dx, from[0] - self.left),
            (dx, self.right - from[0]),
            (-dy, from[1] - self.top),
            (dy, self.bottom - from[1]),
        ] {
            if step == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if step < 0.0 {
                enter = enter.max(room / step);
            } else {
                leave = leave.min(room / step);
            }
        }
        if enter > leave {
            return None;
        }
        let at = |t: f64, end: Point| match t {
            0.0 => from,
            1.0 => end,
            _ => [from[0] + t * dx, from[1] + t * dy],
        };
        Some((at(enter, to), at(leave, to)))
    }

    /// The part of an area inside (Sutherland and Hodgman 1974).
    pub(super) fn clip_area(&self, points: &[Point]) -> Vec<Point> {
        let mut area = points.to_vec();
        for (axis, limit, sign) in [
            (0, self.left, 1.0),
            (0, self.right, -1.0),
            (1, self.top, 1.0),
            (1, self.bottom, -1.0),
        ] {
            let depth = |p: Point| sign * (p[axis] - limit);
            let mut kept = Vec::with_capacity(area.len() + 4);
            for (index, &here) in area.iter().enumerate() {
                let before = area[(index + area.len() - 1) % area.len()];
                let (d0, d1) = (depth(before), depth(here));
                if (d0 < 0.0) != (d1 < 0.0) {
                    let t = d0 / (d0 - d1);
                    kept.push([
                        before[0] + t * (here[0] - before[0]),
                        before[1] + t * (here[1] - before[1]),
                    ]);
                }
                if d1 >= 0.0 {
                    kept.push(here);
                }
            }
            area = kept;
        }
        area
    }
}

/// The pieces of a line that a pattern of dashes and gaps leaves.
pub(super) fn dashed(points: &[Point], dash: &[f64]) -> Vec<Vec<Point>> {
    if dash.is_empty() || dash.iter().any(|length| *length <= 0.0) {
        return vec![points.to_vec()];
    }
    let mut pieces = vec![];
    let mut piece: Vec<Point> = points.first().copied().into_iter().collect();
    let mut index = 0;
    let mut left = dash[0];
    for pair in points.windows(2) {
        let [mut from, to] = [pair[0], pair[1]];
        loop {
            let length = (to[0] - from[0]).hypot(to[1] - from[1]);
            if length <= left {
                left -= length;
                piece.push(to);
                break;
            }
            let t = left / length;
            from = [
                from[0] + t * (to[0] - from[0]),
                from[1] + t * (to[1] - from[1]),
            ];
            piece.push(from);
            if index % 2 == 0 {
                pieces.push(std::mem::take(&mut piece));
            }
            piece = vec![from];
            index += 1;
            left = dash[index % dash.len()];
        }
    }
    if index % 2 == 0 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Rect = Rect {
        left: 0.0,
        top: 0.0,
        right: 1.0,
        bottom: 1.0,
    };

    #[test]
    fn lines_are_cut_where_they_leave() {
        let parts = UNIT.clip_line(&[
            [-1.0, 0.5],
            [0.5, 0.5],
            [0.5, 2.0],
            [2.0, 2.0],
            [0.25, 0.25],
        ]);
        assert_eq!(
            parts,
            [
                vec![[0.0, 0.5], [0.5, 0.5], [0.5, 1.0]],
                vec![[1.0, 1.0], [0.25, 0.25]]
            ]
        );
        assert!(UNIT.clip_line(&[[2.0, 0.0], [2.0, 1.0]]).is_empty());
    }

    #[test]
    fn areas_are_cut_at_the_border() {
        let area = UNIT.clip_area(&[[-1.0, -1.0], [0.5, -1.0], [0.5, 0.5], [-1.0, 0.5]]);
        assert_eq!(area, [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5]]);
        assert!(
            UNIT.clip_area(&[[2.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
                .is_empty()
        );
    }

    #[test]
    fn dashes_go_around_corners() {
        let pieces = dashed(&[[0.0, 0.0], [3.0, 0.0], [3.0, 3.0]], &[4.0, 1.0]);
        assert_eq!(
            pieces,
            [
                vec![[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]],
                vec![[3.0, 2.0], [3.0, 3.0]]
            ]
        );
    }
}
