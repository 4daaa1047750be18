use serde::{Deserialize, Serialize};

use super::assignment::assign;
use super::points::{Point, Points};
use super::{DiagramDistance, Match};
use crate::{Diagram, TopologyError};

/// The norm in which points of a diagram are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ground {
    /// The larger difference of coordinates. A pair of persistence `p` is `p / 2` from the diagonal.
    Infinity,
    /// The Euclidean distance. A pair of persistence `p` is `p / √2` from the diagonal.
    Euclidean,
}

/// The power to which costs are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// The sum of costs.
    One,
    /// The root of the sum of squares.
    Two,
}

/// The Wasserstein distance `(min Σ cᵠ)^{1/q}` over all matchings of points to each other or to the diagonal, exactly.
///
/// Essential classes are matched among themselves, and so are those that die at infinity. If one diagram has more of
/// them, the distance is infinite. Points without persistence change nothing.
///
/// # Cost
///
/// `O(n² m)` for `n ≤ m` finite points, and 8 bytes for each pair of them.
///
/// # Errors
///
/// [`TopologyError::TooManyPairs`] above 10⁷, [`OtherKind`](TopologyError::OtherKind) for another level or
/// dimension, [`NanPoint`](TopologyError::NanPoint).
///
/// # Defaults
///
/// None: authors differ in both the order and the norm.
///
/// # References
///
/// Cohen-Steiner, Edelsbrunner, Harer and Mileyko 2010, *Lipschitz functions have L_p-stable persistence*.
///
/// # Example
///
/// ```
/// use burnscape_topology::{Death, Diagram, Ground, Level, Order, wasserstein};
///
/// let points = |list: &[(f64, f64)]| {
///     Diagram::new(Level::Sub, 0, list.iter().map(|&(birth, death)| (birth, Death::At(death))))
/// };
/// let (a, b) = (points(&[(0.0, 4.0), (1.0, 2.0)])?, points(&[(0.0, 5.0)])?);
/// assert_eq!(wasserstein(&a, &b, Order::One, Ground::Infinity)?.distance, 1.5);
/// assert_eq!(wasserstein(&a, &b, Order::Two, Ground::Euclidean)?.distance, 1.5_f64.sqrt());
/// # Ok::<(), burnscape_topology::TopologyError>(())
/// ```
pub fn wasserstein(
    first: &Diagram,
    second: &Diagram,
    order: Order,
    ground: Ground,
) -> Result<DiagramDistance, TopologyError> {
    let points = Points::new(first, second)?;
    let partners = partners(&points, order, ground);
    let cost = |a: Point, b: Point| between(a, b, ground);
    let matching = points.matching(&partners, cost, |point| to_diagonal(point, ground));
    Ok(DiagramDistance {
        distance: total(&matching, order),
        matching,
    })
}

fn between(a: Point, b: Point, ground: Ground) -> f64 {
    match ground {
        Ground::Infinity => a.largest(b),
        Ground::Euclidean => a.euclidean(b),
    }
}

fn to_diagonal(point: Point, ground: Ground) -> f64 {
    match ground {
        Ground::Infinity => point.persistence() / 2.0,
        Ground::Euclidean => point.persistence() * std::f64::consts::FRAC_1_SQRT_2,
    }
}

fn power(cost: f64, order: Order) -> f64 {
    match order {
        Order::One => cost,
        Order::Two => cost * cost,
    }
}

/// The partner of each point of the first diagram.
///
/// Only what a match saves over the diagonal is assigned, `min(0, cᵠ − Dᵢ − Dⱼ)`: that needs a quarter of the memory
/// of points and their places on the diagonal.
fn partners(points: &Points, order: Order, ground: Ground) -> Vec<Option<usize>> {
    let is_swapped = points.first.len() > points.second.len();
    let (rows, columns) = if is_swapped {
        (&points.second, &points.first)
    } else {
        (&points.first, &points.second)
    };
    let mut partners = vec![None; points.first.len()];
    if rows.is_empty() {
        return partners;
    }
    let all = rows.iter().chain(columns.iter());
    let most = all.fold(0.0_f64, |most, point| most.max(to_diagonal(*point, ground)));
    let unit = power_of_two(most);
    let own = |point: &Point| power(to_diagonal(*point, ground) / unit, order);
    let column_costs: Vec<f64> = columns.iter().map(own).collect();
    let mut savings = Vec::with_capacity(rows.len() * columns.len());
    for row in rows {
        let row_cost = own(row);
        for (column, column_cost) in columns.iter().zip(&column_costs) {
            let cost = power(between(*row, *column, ground) / unit, order);
            savings.push((cost - row_cost - column_cost).min(0.0));
        }
    }
    for (row, column) in assign(&savings, rows.len(), columns.len())
        .into_iter()
        .enumerate()
    {
        if savings[row * columns.len() + column] < 0.0 {
            let (place, partner) = if is_swapped {
                (column, row)
            } else {
                (row, column)
            };
            partners[place] = Some(partner);
        }
    }
    partners
}

fn total(matching: &[Match], order: Order) -> f64 {
    let most = matching
        .iter()
        .fold(0.0_f64, |most, pair| most.max(pair.cost));
    if most.is_infinite() {
        return f64::INFINITY;
    }
    let unit = power_of_two(most);
    let sum: f64 = matching
        .iter()
        .map(|pair| power(pair.cost / unit, order))
        .sum();
    unit * match order {
        Order::One => sum,
        Order::Two => sum.sqrt(),
    }
}

/// The power of two below a number, by which it can be divided without an error.
fn power_of_two(value: f64) -> f64 {
    let exponent = f64::from_bits(value.to_bits() & 0x7ff0_0000_0000_0000);
    if exponent > 0.0 {
        exponent
    } else {
        f64::MIN_POSITIVE
    }
}
