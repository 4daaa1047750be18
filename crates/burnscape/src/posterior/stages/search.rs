use super::curve::{Curve, Fit};
use super::envelope::{Envelope, Origin, Parabola};
use super::remaining::Remaining;

/// How often positions are exchanged for a first bound. It decides the time of the search, not its result.
const MOST_EXCHANGES: usize = 20;

/// The search for the knots of least cost, exact for any number of them.
///
/// For every point as a knot, the least cost of a line that ends there is a function of its height: the least of one
/// parabola for each choice of the knots before, most of which are nowhere the least. From knot to knot, parabolas
/// continue to parabolas. Those whose cost, with the least cost of the rest of the curve, exceeds that of a line that
/// is known are left out (Fearnhead, Maidstone, Letchford 2019, for a fixed number of knots and with these bounds).
pub(super) struct Search<'c> {
    curve: &'c Curve,
    min_points: usize,
    /// The curve without its straight line, for which rounding is smaller.
    level: Curve,
    remaining: Remaining,
    /// The cost of the straight line.
    straight: f64,
}

impl<'c> Search<'c> {
    /// A search with up to `most` knots. The curve has at least `(most + 1) min_points + 1` points.
    pub(super) fn new(curve: &'c Curve, most: usize, min_points: usize) -> Self {
        let straight = curve.fit(&[]);
        let residuals = curve.y.iter().zip(&straight.heights_at_points);
        let level = curve.with_heights(residuals.map(|(y, height)| y - height).collect());
        Self {
            curve,
            min_points,
            remaining: Remaining::new(&level, most + 1, min_points),
            level,
            straight: straight.cost,
        }
    }

    /// The fits of least cost with 0, 1, … `most` knots.
    pub(super) fn fits(&self, most: usize) -> Vec<Fit> {
        let mut fits = vec![self.curve.fit(&[])];
        for count in 1..=most {
            let before = fits.last().map_or(&[][..], |fit| fit.knots.as_slice());
            let start = self.exchanged(self.added(before).unwrap_or_else(|| self.even(count)));
            fits.push(self.best(&start));
        }
        fits
    }

    /// The fit of least cost with as many knots as `known`, the better the faster.
    pub(super) fn best(&self, known: &[usize]) -> Fit {
        let known = self.curve.fit(known);
        // Room for rounding, so that the least itself is not left out.
        let limit = known.cost * (1.0 + 1e-9) + 1e-12 * self.straight;
        match self.knots_below(known.knots.len(), limit) {
            Some(knots) => {
                let found = self.curve.fit(&knots);
                if found.cost < known.cost {
                    found
                } else {
                    known
                }
            }
            None => known,
        }
    }

    fn knots_below(&self, count: usize, limit: f64) -> Option<Vec<usize>> {
        let last = self.curve.last();
        let parts = count + 1;
        // By the number of parts before a knot, less one, and the knot.
        let mut envelopes: Vec<Vec<Envelope>> = (1..parts)
            .map(|used| {
                let rest = |knot| self.remaining.least(parts - used, knot);
                let below = |knot| Envelope::below(limit - rest(knot));
                (0..=last).map(below).collect()
            })
            .collect();
        // By the number of parts before a knot, and the knot.
        let mut kept = vec![vec![Vec::new(); last + 1]; parts];
        kept[0][0] = vec![self.first()];
        let mut least: Option<(f64, Origin)> = None;
        for start in 0..last {
            for (kept, envelopes) in kept.iter_mut().skip(1).zip(&envelopes) {
                kept[start] = envelopes[start].parabolas();
            }
            if kept.iter().all(|kept| kept[start].is_empty()) {
                continue;
            }
            let mut part = Part::default();
            #[allow(
                clippy::needless_range_loop,
                reason = "an end is a point of several lists"
            )]
            for end in start + 1..=last {
                let run = self.level.x[end] - self.level.x[start];
                part.add(run, self.level.y[end], self.level.weights[end]);
                if !self.is_part(start, end) {
                    continue;
                }
                for (used, kept) in kept.iter().enumerate() {
                    // The last part ends at the last point, the others at knots.
                    if (used + 1 == parts) != (end == last) {
                        continue;
                    }
                    for (index, parabola) in kept[start].iter().enumerate() {
                        let origin = Origin { knot: start, index };
                        let next = part.after(parabola, run, origin);
                        if end < last {
                            envelopes[used][end].insert(next);
                            continue;
                        }
                        let cost = next.c - next.b * next.b / next.a;
                        if least.is_none_or(|(least, _)| cost < least) {
                            least = Some((cost, origin));
                        }
                    }
                }
            }
        }
        let (_, mut origin) = least?;
        let mut knots = Vec::with_capacity(count);
        for used in (1..parts).rev() {
            knots.push(origin.knot);
            origin = kept[used][origin.knot].get(origin.index)?.origin?;
        }
        knots.reverse();
        Some(knots)
    }

    /// The cost of the first point alone.
    fn first(&self) -> Parabola {
        let (y, weight) = (self.level.y[0], self.level.weights[0]);
        Parabola {
            a: weight,
            b: weight * y,
            c: weight * y * y,
            origin: None,
        }
    }

    /// Whether a part may run between two points.
    fn is_part(&self, start: usize, end: usize) -> bool {
        let left = self.curve.last() - end;
        end - start >= self.min_points && (left == 0 || left >= self.min_points)
    }

    /// The knots with one more, at its best place; none if there is no room.
    fn added(&self, knots: &[usize]) -> Option<Vec<usize>> {
        let ends = [&[0][..], knots, &[self.curve.last()]].concat();
        let mut best: Option<(f64, Vec<usize>)> = None;
        for (place, pair) in ends.windows(2).enumerate() {
            for knot in pair[0] + self.min_points..=pair[1].saturating_sub(self.min_points) {
                let mut with = knots.to_vec();
                with.insert(place, knot);
                let cost = self.curve.cost(&with);
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, with));
                }
            }
        }
        best.map(|(_, knots)| knots)
    }

    /// This number of knots at equal distances.
    fn even(&self, count: usize) -> Vec<usize> {
        let place = |number| number * self.curve.last() / (count + 1);
        (1..=count).map(place).collect()
    }

    /// The knots moved one at a time, as long as that lowers the cost.
    fn exchanged(&self, mut knots: Vec<usize>) -> Vec<usize> {
        let mut least = self.curve.cost(&knots);
        for _ in 0..MOST_EXCHANGES {
            let before = least;
            for place in 0..knots.len() {
                let previous = place.checked_sub(1).map_or(0, |previous| knots[previous]);
                let next = knots.get(place + 1).copied().unwrap_or(self.curve.last());
                for knot in previous + self.min_points..=next.saturating_sub(self.min_points) {
                    let mut moved = knots.clone();
                    moved[place] = knot;
                    let cost = self.curve.cost(&moved);
                    if cost < least {
                        (least, knots) = (cost, moved);
                    }
                }
            }
            if least == before {
                break;
            }
        }
        knots
    }
}

/// Sums over the points of a part without its first, added one by one; distances are from that one.
#[derive(Default)]
struct Part {
    weight: f64,
    x: f64,
    xx: f64,
    y: f64,
    xy: f64,
    yy: f64,
}

impl Part {
    fn add(&mut self, distance: f64, y: f64, weight: f64) {
        self.weight += weight;
        self.x += weight * distance;
        self.xx += weight * distance * distance;
        self.y += weight * y;
        self.xy += weight * distance * y;
        self.yy += weight * y * y;
    }

    /// The least cost over the height at the start, by the height at the end, if `before` is the cost up to the start.
    fn after(&self, before: &Parabola, run: f64, origin: Origin) -> Parabola {
        // The cost of the points, by the heights g at the start and h at the end:
        // start g² + 2 both g h + end h² − 2 (left g + right h) + yy.
        let end = self.xx / run / run;
        let both = self.x / run - end;
        let start = self.weight - self.x / run - both;
        let right = self.xy / run;
        let left = self.y - right;
        let a = before.a + start;
        let b = before.b + left;
        Parabola {
            a: end - both * both / a,
            b: right - both * b / a,
            c: before.c + self.yy - b * b / a,
            origin: Some(origin),
        }
    }
}
