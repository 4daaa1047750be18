//! Two diagrams as points: finite ones, and others that are matched among themselves.

use super::Match;
use crate::{Death, Diagram, TopologyError};

/// The most pairs of finite points.
pub(super) const MOST_PAIRS: usize = 10_000_000;

/// A finite point off the diagonal, divided by `scale`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Its number in the diagram.
    pub(super) number: usize,
    pub(super) birth: f64,
    pub(super) death: f64,
}

impl Point {
    /// The distance to another point in the maximum norm.
    pub(super) fn largest(self, other: Self) -> f64 {
        (self.birth - other.birth)
            .abs()
            .max((self.death - other.death).abs())
    }

    pub(super) fn euclidean(self, other: Self) -> f64 {
        (self.birth - other.birth).hypot(self.death - other.death)
    }

    pub(super) fn persistence(self) -> f64 {
        (self.death - self.birth).abs()
    }
}

/// Two diagrams.
pub(super) struct Points {
    pub(super) first: Vec<Point>,
    pub(super) second: Vec<Point>,
    /// What coordinates were divided by, a power of two.
    pub(super) scale: f64,
    /// Matches of points with an infinite coordinate.
    pub(super) infinite: Vec<Match>,
}

impl Points {
    pub(super) fn new(first: &Diagram, second: &Diagram) -> Result<Self, TopologyError> {
        first.ensure_numbers()?;
        second.ensure_numbers()?;
        if first.level != second.level {
            return Err(TopologyError::OtherKind { what: "level" });
        }
        if first.dimension != second.dimension {
            return Err(TopologyError::OtherKind { what: "dimension" });
        }
        let coordinates = [first, second]
            .into_iter()
            .flat_map(|diagram| &diagram.pairs);
        let coordinates = coordinates.flat_map(|pair| [Some(pair.birth), pair.death.value()]);
        let finite = coordinates.flatten().filter(|value| value.is_finite());
        let largest = finite.fold(0.0_f64, |most, value| most.max(value.abs()));
        // Differences and norms of what is left have no overflow.
        let scale = if largest > f64::MAX / 16.0 { 16.0 } else { 1.0 };
        let points = Self {
            first: finite_points(first, scale),
            second: finite_points(second, scale),
            scale,
            infinite: infinite_matches(first, second),
        };
        let (n, m) = (points.first.len(), points.second.len());
        if n.saturating_mul(m) > MOST_PAIRS {
            return Err(TopologyError::TooManyPairs {
                first: n,
                second: m,
                limit: MOST_PAIRS,
            });
        }
        Ok(points)
    }

    /// All matches in their order. A partner in `partners` is a place in `second`.
    pub(super) fn matching(
        &self,
        partners: &[Option<usize>],
        cost: impl Fn(Point, Point) -> f64,
        to_diagonal: impl Fn(Point) -> f64,
    ) -> Vec<Match> {
        let mut matching = self.infinite.clone();
        let mut is_free = vec![true; self.second.len()];
        for (point, partner) in self.first.iter().zip(partners) {
            let other = partner.map(|place| {
                is_free[place] = false;
                self.second[place]
            });
            let cost = other.map_or_else(|| to_diagonal(*point), |other| cost(*point, other));
            matching.push(Match {
                first: Some(point.number),
                second: other.map(|other| other.number),
                cost: cost * self.scale,
            });
        }
        for (point, is_free) in self.second.iter().zip(is_free) {
            if is_free {
                matching.push(Match {
                    first: None,
                    second: Some(point.number),
                    cost: to_diagonal(*point) * self.scale,
                });
            }
        }
        matching.sort_by_key(|pair| (pair.first.unwrap_or(usize::MAX), pair.second));
        matching
    }
}

fn finite_points(diagram: &Diagram, scale: f64) -> Vec<Point> {
    let numbered = diagram.pairs.iter().enumerate();
    numbered
        .filter_map(|(number, pair)| {
            let death = pair.death.value()?;
            let is_point = pair.birth.is_finite() && death.is_finite() && pair.birth != death;
            is_point.then_some(Point {
                number,
                birth: pair.birth / scale,
                death: death / scale,
            })
        })
        .collect()
}

/// Where a point with an infinite coordinate is: the kind, and the coordinate that may be finite.
fn infinite_place(birth: f64, death: Death) -> Option<((u8, u8), f64)> {
    let kind = |value: f64| match value {
        f64::NEG_INFINITY => 1,
        f64::INFINITY => 2,
        _ => 0,
    };
    match death {
        Death::Never if birth.is_finite() => Some(((0, 3), birth)),
        Death::Never => Some(((kind(birth), 3), 0.0)),
        Death::At(death) if birth == death => None,
        Death::At(death) if birth.is_finite() && death.is_finite() => None,
        Death::At(death) => {
            let finite = if birth.is_finite() { birth } else { death };
            let place = if finite.is_finite() { finite } else { 0.0 };
            Some(((kind(birth), kind(death)), place))
        }
    }
}

/// Points of one kind are matched in their order, which is best for every metric here.
fn infinite_matches(first: &Diagram, second: &Diagram) -> Vec<Match> {
    let sorted = |diagram: &Diagram| {
        let mut found: Vec<((u8, u8), f64, usize)> = Vec::new();
        for (number, pair) in diagram.pairs.iter().enumerate() {
            if let Some((kind, place)) = infinite_place(pair.birth, pair.death) {
                found.push((kind, place, number));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        found
    };
    let (first, second) = (sorted(first), sorted(second));
    let (mut i, mut j) = (0, 0);
    let mut matching = Vec::new();
    while i < first.len() || j < second.len() {
        let order = match (first.get(i), second.get(j)) {
            (Some(a), Some(b)) => a.0.cmp(&b.0),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        let (takes_first, takes_second) = (order.is_le(), order.is_ge());
        let cost = if order.is_eq() {
            (first[i].1 - second[j].1).abs()
        } else {
            f64::INFINITY
        };
        matching.push(Match {
            first: takes_first.then(|| first[i].2),
            second: takes_second.then(|| second[j].2),
            cost,
        });
        i += usize::from(takes_first);
        j += usize::from(takes_second);
    }
    matching
}
