use crate::vector::{exponent, times_power};

/// `max Σ cᵢ yᵢ + ½ dᵢ yᵢ²` over `|y| ≤ ρ`: the problem in a basis of eigenvectors, where only the
/// multiplier is left to be found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secular<'a> {
    /// The eigenvalues `d`, in any order.
    pub(super) values: &'a [f64],
    /// The gradient `c` in their basis.
    pub(super) gradient: &'a [f64],
    pub(super) radius: f64,
    /// A part of the gradient along the largest eigenvalue that is no longer than this counts as
    /// none where the largest eigenvalue itself is the multiplier.
    pub(super) negligible: f64,
}

/// The largest exponent for which nothing is scaled.
const ORDINARY: i32 = 200;

/// The maximizer in the basis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Maximizer {
    pub(super) y: Vec<f64>,
    /// `μ ≥ max(0, dᵢ)` with `(μ − dᵢ) yᵢ = cᵢ`.
    pub(super) multiplier: f64,
    pub(super) is_inside: bool,
    /// In the hard case the index of a largest eigenvalue and the length `τ > 0` along it: `y ± τ` are
    /// both maximizers. `y` itself has no part there.
    pub(super) hard: Option<(usize, f64)>,
}

impl Secular<'_> {
    /// In units that are powers of two, where squares of the numbers as they are would leave their range.
    pub(super) fn solve(&self) -> Maximizer {
        let largest = |sizes: &[f64]| sizes.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let length = exponent(self.radius);
        let gradient = exponent(largest(self.gradient)) - length;
        let unit = match largest(self.values) {
            0.0 => gradient,
            size => exponent(size).max(gradient),
        };
        if length.abs() <= ORDINARY && unit.abs() <= ORDINARY && gradient.abs() <= ORDINARY {
            return self.solve_near_one();
        }
        let times = |values: &[f64], power: i32| -> Vec<f64> {
            values.iter().map(|x| times_power(*x, power)).collect()
        };
        let (values, gradient) = (
            times(self.values, -unit),
            times(self.gradient, -unit - length),
        );
        let problem = Secular {
            values: &values,
            gradient: &gradient,
            radius: times_power(self.radius, -length),
            negligible: times_power(self.negligible, -unit - length),
        };
        let found = problem.solve_near_one();
        Maximizer {
            y: times(&found.y, length),
            multiplier: times_power(found.multiplier, unit),
            hard: found.hard.map(|(i, tau)| (i, times_power(tau, length))),
            is_inside: found.is_inside,
        }
    }

    /// Everything is in terms of `s = μ − max d`, so that a multiplier next to the largest eigenvalue
    /// keeps its digits.
    fn solve_near_one(&self) -> Maximizer {
        let top = (0..self.values.len())
            .max_by(|&i, &j| self.values[i].total_cmp(&self.values[j]))
            .unwrap_or(0);
        let largest = self.values.get(top).copied().unwrap_or(0.0);
        let lowest = (-largest).max(0.0);
        let size = self.values.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
        let is_top = |i: usize| largest - self.values[i] <= 4.0 * f64::EPSILON * size;

        let at = |s: f64, i: usize| match self.gradient[i] {
            0.0 => 0.0,
            c => c / (s + (largest - self.values[i])),
        };
        let square = |s: f64| -> f64 { (0..self.values.len()).map(|i| at(s, i).powi(2)).sum() };
        let solution = |s: f64| {
            (0..self.values.len())
                .map(|i| at(s, i))
                .collect::<Vec<f64>>()
        };

        let bound = self.radius * self.radius;
        if largest <= 0.0 && square(lowest) <= bound {
            return Maximizer {
                y: solution(lowest),
                multiplier: 0.0,
                is_inside: true,
                hard: None,
            };
        }
        if largest > 0.0 {
            let share = (0..self.values.len()).filter(|&i| is_top(i));
            let share: f64 = share.map(|i| self.gradient[i].powi(2)).sum();
            let rest = (0..self.values.len()).filter(|&i| !is_top(i));
            let rest: f64 = rest.map(|i| at(0.0, i).powi(2)).sum();
            if share.sqrt() <= self.negligible && rest <= bound {
                let y = (0..self.values.len()).map(|i| match is_top(i) {
                    true => 0.0,
                    false => at(0.0, i),
                });
                return Maximizer {
                    y: y.collect(),
                    multiplier: largest,
                    is_inside: false,
                    hard: Some((top, (bound - rest).sqrt())),
                };
            }
        }
        let s = self.root(largest, lowest);
        Maximizer {
            y: solution(s),
            multiplier: (largest + s).max(0.0),
            is_inside: false,
            hard: None,
        }
    }

    /// The `s` at which `|y(s)| = ρ`, by Newton's method on `1/|y(s)| − 1/ρ`, which is concave and
    /// nearly a line, within a bracket that halves where a step leaves it (Moré and Sorensen 1983).
    fn root(&self, largest: f64, lowest: f64) -> f64 {
        let terms: Vec<(f64, f64)> = (self.values.iter().zip(self.gradient))
            .map(|(d, c)| (largest - d, c.abs()))
            .filter(|(_, c)| *c > 0.0)
            .collect();
        // One term alone is at most ρ, and all of them at the smallest distance at least ρ.
        let mut low = terms
            .iter()
            .fold(lowest, |low, (gap, c)| low.max(c / self.radius - gap));
        let norm = terms.iter().fold(0.0_f64, |norm, (_, c)| norm.hypot(*c));
        let mut high = (norm / self.radius).max(low);
        let mut s = low;
        for _ in 0..200 {
            let (mut square, mut slope) = (0.0, 0.0);
            for (gap, c) in &terms {
                let y = c / (s + gap);
                square += y * y;
                slope += y * y / (s + gap);
            }
            let length = square.sqrt();
            if (length - self.radius).abs() <= 4.0 * f64::EPSILON * self.radius {
                break;
            }
            match length > self.radius {
                true => low = s,
                false => high = s,
            }
            let newton = s + square * (length - self.radius) / (self.radius * slope);
            let next = match newton.is_finite() && newton > low && newton < high {
                true => newton,
                false => 0.5 * (low + high),
            };
            if next == s || high - low <= f64::EPSILON * high {
                break;
            }
            s = next;
        }
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solve(values: &[f64], gradient: &[f64], radius: f64) -> Maximizer {
        let problem = Secular {
            values,
            gradient,
            radius,
            negligible: 1e-14,
        };
        problem.solve()
    }

    fn assert_near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} {expected}");
    }

    #[test]
    fn one_dimension_is_read_off() {
        // 3y + y² is largest at the right end, and steepest: μ = d + c/ρ.
        let found = solve(&[2.0], &[3.0], 0.5);
        assert_near(found.y[0], 0.5, 1e-15);
        assert_near(found.multiplier, 8.0, 1e-14);
        // 3y − y² has its top at 3/2.
        let found = solve(&[-2.0], &[3.0], 5.0);
        assert_eq!(
            (found.y[0], found.multiplier, found.is_inside),
            (1.5, 0.0, true)
        );
    }

    #[test]
    fn conditions_hold_far_from_and_next_to_the_hard_case() {
        for share in [1.0, 1e-4, 1e-8, 1e-13, 1e-100] {
            let (values, gradient) = ([3.0, 1.0, -2.0], [share, 0.3, -0.7]);
            let problem = Secular {
                values: &values,
                gradient: &gradient,
                radius: 2.0,
                negligible: 0.0,
            };
            let found = problem.solve();
            let length = found.y.iter().map(|y| y * y).sum::<f64>().sqrt();
            assert_near(length, 2.0, 1e-14);
            assert!(found.multiplier >= 3.0 && found.hard.is_none());
            for (i, y) in found.y.iter().enumerate().skip(1) {
                assert_near((found.multiplier - values[i]) * y, gradient[i], 1e-14);
            }
        }
    }

    #[test]
    fn the_hard_case_has_the_rest_of_the_radius_along_the_top() {
        // (3 − 1) y₁ = 1: y₁ = ½, and 2² − ½² is left.
        let found = solve(&[3.0, 1.0], &[0.0, 1.0], 2.0);
        assert_eq!((found.multiplier, found.y[1]), (3.0, 0.5));
        let (index, length) = found.hard.unwrap_or((9, 0.0));
        assert_eq!(index, 0);
        assert_near(length, 3.75_f64.sqrt(), 1e-15);
        // A short radius is used up by the rest: no hard case, although the share is zero.
        let found = solve(&[3.0, 1.0], &[0.0, 1.0], 0.25);
        assert_eq!(found.hard, None);
        assert_near(found.multiplier, 5.0, 1e-14);
        assert_eq!(found.y[0], 0.0);
    }
}
