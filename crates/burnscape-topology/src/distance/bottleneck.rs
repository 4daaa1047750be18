use super::DiagramDistance;
use super::points::{Point, Points};
use crate::{Diagram, TopologyError};

/// The bottleneck distance: the least `t` for which points can be matched such that none is farther than `t` from its
/// partner, or from the diagonal, in the maximum norm. It is exact: one of the costs.
///
/// Classes that never die are matched among themselves, as in [`wasserstein`](crate::wasserstein).
///
/// # Cost
///
/// A search over at most `n m` costs for `n` and `m` finite points, with a matching at each of its steps, and 8 bytes
/// for each cost that is possible.
///
/// # Errors
///
/// [`TopologyError::TooManyPairs`] above 10⁷, [`OtherKind`](TopologyError::OtherKind) for another level or
/// dimension, [`NanPoint`](TopologyError::NanPoint).
///
/// # References
///
/// Efrat, Itai and Katz 2001, *Geometry helps in bottleneck matching*. Mendelsohn and Dulmage 1958, *Some
/// generalizations of the problem of distinct representatives* (why two one-sided matchings are enough).
///
/// # Example
///
/// ```
/// use burnscape_topology::{Death, Diagram, Level, bottleneck};
///
/// let points = |list: &[(f64, f64)]| {
///     Diagram::new(Level::Sub, 0, list.iter().map(|&(birth, death)| (birth, Death::At(death))))
/// };
/// let found = bottleneck(&points(&[(0.0, 4.0), (1.0, 2.0)])?, &points(&[(0.0, 5.0)])?)?;
/// assert_eq!(found.distance, 1.0);
/// assert_eq!(found.matching[0].second, Some(0));
/// # Ok::<(), burnscape_topology::TopologyError>(())
/// ```
pub fn bottleneck(first: &Diagram, second: &Diagram) -> Result<DiagramDistance, TopologyError> {
    let points = Points::new(first, second)?;
    let mut sides = Sides::new(&points);
    let distance = sides.least();
    sides.is_possible(distance);
    let mut partners = vec![None; points.first.len()];
    for (i, &j) in sides.partner[0].iter().enumerate() {
        partners[sides.sorted[0][i].place] = (j != NONE).then(|| sides.sorted[1][j].place);
    }
    // A pair that is closer to the diagonal than to its partner belongs there.
    for (place, partner) in partners.iter_mut().enumerate() {
        *partner = partner.filter(|&other| {
            let (a, b) = (points.first[place], points.second[other]);
            a.largest(b) <= to_diagonal(a).max(to_diagonal(b))
        });
    }
    let matching = points.matching(&partners, Point::largest, to_diagonal);
    let infinite = points
        .infinite
        .iter()
        .fold(0.0_f64, |most, pair| most.max(pair.cost));
    Ok(DiagramDistance {
        distance: infinite.max(distance * points.scale),
        matching,
    })
}

fn to_diagonal(point: Point) -> f64 {
    point.persistence() / 2.0
}

const NONE: usize = usize::MAX;

/// A point in the order of births.
#[derive(Clone, Copy)]
struct Placed {
    point: Point,
    /// Its place among the points of its diagram.
    place: usize,
}

/// Both diagrams, and a matching of them.
struct Sides {
    sorted: [Vec<Placed>; 2],
    partner: [Vec<usize>; 2],
    /// Points that a search has seen.
    seen: Vec<bool>,
}

impl Sides {
    fn new(points: &Points) -> Self {
        let sorted = [&points.first, &points.second].map(|side| {
            let places = side.iter().enumerate();
            let mut sorted: Vec<Placed> = places
                .map(|(place, &point)| Placed { point, place })
                .collect();
            sorted.sort_by(|a, b| {
                let births = a.point.birth.total_cmp(&b.point.birth);
                births.then(a.point.death.total_cmp(&b.point.death))
            });
            sorted
        });
        let partner = [0, 1].map(|side: usize| vec![NONE; sorted[side].len()]);
        Self {
            sorted,
            partner,
            seen: Vec::new(),
        }
    }

    /// The least possible distance.
    fn least(&mut self) -> f64 {
        let diagonals = self
            .sorted
            .iter()
            .flatten()
            .map(|placed| to_diagonal(placed.point));
        // All points on the diagonal are a matching.
        let most = diagonals.fold(0.0_f64, f64::max);
        // Every point costs at least what its nearest partner or the diagonal does.
        let mut least = 0.0_f64;
        let mut costs: Vec<f64> = Vec::new();
        let mut nearest = self.sorted.each_ref().map(|side| -> Vec<f64> {
            side.iter()
                .map(|placed| to_diagonal(placed.point))
                .collect()
        });
        for (i, a) in self.sorted[0].iter().enumerate() {
            for j in self.window(0, i, most) {
                let cost = a.point.largest(self.sorted[1][j].point);
                nearest[0][i] = nearest[0][i].min(cost);
                nearest[1][j] = nearest[1][j].min(cost);
            }
        }
        for &cost in nearest.iter().flatten() {
            least = least.max(cost);
        }
        for (i, a) in self.sorted[0].iter().enumerate() {
            let window = self.window(0, i, most);
            let found = window.map(|j| a.point.largest(self.sorted[1][j].point));
            costs.extend(found.filter(|&cost| cost > least && cost < most));
        }
        let diagonals = self
            .sorted
            .iter()
            .flatten()
            .map(|placed| to_diagonal(placed.point));
        costs.extend(diagonals.filter(|&cost| cost > least && cost < most));
        costs.sort_unstable_by(f64::total_cmp);
        costs.dedup();
        if self.is_possible(least) {
            return least;
        }
        let (mut low, mut high) = (0, costs.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_possible(costs[middle]) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        costs.get(low).copied().unwrap_or(most)
    }

    /// The points of the other side whose births are no farther than `t`.
    fn window(&self, side: usize, index: usize, t: f64) -> std::ops::Range<usize> {
        let birth = self.sorted[side][index].point.birth;
        let others = &self.sorted[1 - side];
        let low = others
            .partition_point(|other| other.point.birth < birth && birth - other.point.birth > t);
        let high = others
            .partition_point(|other| other.point.birth <= birth || other.point.birth - birth <= t);
        low..high
    }

    fn must_match(&self, side: usize, index: usize, t: f64) -> bool {
        to_diagonal(self.sorted[side][index].point) > t
    }

    /// Whether the points farther than `t` from the diagonal can all have partners within `t`. The matching is left in
    /// `partner`.
    ///
    /// First those of one side, then those of the other: paths of the second search end at a point without a partner, or
    /// at one that needs none, and leave all points of the first side matched.
    fn is_possible(&mut self, t: f64) -> bool {
        for partner in &mut self.partner {
            partner.fill(NONE);
        }
        (0..2).all(|side| self.saturate(side, t))
    }

    fn saturate(&mut self, side: usize, t: f64) -> bool {
        let all = 0..self.sorted[side].len();
        let mut waiting: Vec<usize> = all
            .filter(|&index| self.must_match(side, index, t))
            .collect();
        waiting.retain(|&index| self.partner[side][index] == NONE);
        while !waiting.is_empty() {
            self.seen.clear();
            self.seen.resize(self.sorted[1 - side].len(), false);
            let count = waiting.len();
            waiting.retain(|&index| !self.augment(side, index, t));
            if waiting.len() == count {
                return false;
            }
        }
        true
    }

    /// Gives a point a partner, along a path on which others change theirs.
    fn augment(&mut self, side: usize, start: usize, t: f64) -> bool {
        // The points on the path, and where each looks next. A step goes through the partner of the point before.
        let mut path: Vec<(usize, std::ops::Range<usize>)> =
            vec![(start, self.window(side, start, t))];
        let mut via: Vec<usize> = Vec::new();
        while let Some((index, window)) = path.last_mut() {
            let index = *index;
            let Some(other) = window.next() else {
                path.pop();
                via.pop();
                continue;
            };
            let point = self.sorted[side][index].point;
            if self.seen[other] || point.largest(self.sorted[1 - side][other].point) > t {
                continue;
            }
            self.seen[other] = true;
            via.push(other);
            let owner = self.partner[1 - side][other];
            if owner != NONE && self.must_match(side, owner, t) {
                path.push((owner, self.window(side, owner, t)));
                continue;
            }
            if owner != NONE {
                self.partner[side][owner] = NONE;
            }
            for ((index, _), &other) in path.iter().zip(&via) {
                self.partner[side][*index] = other;
                self.partner[1 - side][other] = *index;
            }
            return true;
        }
        false
    }
}
