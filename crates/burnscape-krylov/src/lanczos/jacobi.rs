use serde::{Deserialize, Serialize};

use super::{Projected, Quadrature};

/// The tridiagonal matrix of a Krylov space: the recurrence of the polynomials that are orthonormal in the
/// spectral measure of the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Jacobi {
    diagonal: Vec<f64>,
    /// The coefficients that couple each vector to the next. The last leads out of the space: zero where that is exhausted.
    steps: Vec<f64>,
}

/// Beyond this many norms a replaced entry would cost digits: the node requested is one of the rule already.
const FAR: f64 = 1e4;

impl Jacobi {
    pub(super) fn new(projected: &Projected, size: usize, last: f64) -> Self {
        let inner = (1..size).map(|index| projected.get(index, index - 1));
        Self {
            diagonal: (0..size).map(|index| projected.get(index, index)).collect(),
            steps: inner.chain([last]).collect(),
        }
    }

    /// Bounds of the share of the mass below `x`: certainly below `x − margin`, and at most up to
    /// `x + margin`.
    ///
    /// Of all measures with the same moments none has less below `x` than the Gauss-Radau rule with a node
    /// there has before that node, and none has more up to `x` than the rule has with it: the inequalities of
    /// Chebyshev, Markov and Stieltjes (Szegő, *Orthogonal Polynomials*, section 3.41; Akhiezer, *The Classical
    /// Moment Problem*, section 2.5).
    pub(crate) fn share_below(&self, x: f64, margin: f64) -> (f64, f64) {
        let (low, at_low) = self.rule_at(x - margin);
        let (high, at_high) = match margin > 0.0 {
            true => self.rule_at(x + margin),
            false => (low.clone(), at_low.clone()),
        };
        let below = low.weights[..at_low.start].iter().sum::<f64>();
        let up_to = high.weights[..at_high.end].iter().sum::<f64>();
        (below.clamp(0.0, 1.0), up_to.clamp(0.0, 1.0))
    }

    /// The Gauss-Radau rule with a node at `x`, and which node that is. An exhausted space has no other rule
    /// than its own: the node is then where it would stand, and there may be none.
    pub(crate) fn rule_at(&self, x: f64) -> (Quadrature, std::ops::Range<usize>) {
        let size = self.diagonal.len();
        let last = self.steps.last().copied().unwrap_or(0.0);
        if last == 0.0 {
            let rule = rule(&self.diagonal, &self.steps[..size.saturating_sub(1)]);
            let start = rule.nodes.partition_point(|node| *node < x);
            let end = rule.nodes.partition_point(|node| *node <= x);
            return (rule, start..end);
        }
        // One of two neighboring sizes has no node near `x` that is not converged.
        let corner = |size: usize| self.corner(x, size);
        let far = FAR * self.size();
        let (size, corner) = match corner(size) {
            entry if entry.abs() <= far || size < 2 => (size, entry),
            _ => (size - 1, corner(size - 1)),
        };
        let mut diagonal = self.diagonal[..size].to_vec();
        diagonal.push(corner.clamp(-far, far));
        let rule = rule(&diagonal, &self.steps[..size]);
        let distance = |index: &usize| (rule.nodes[*index] - x).abs();
        let nearest = (0..rule.nodes.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let at = nearest.unwrap_or(0);
        (rule, at..at + 1)
    }

    /// The entry that continues the first `size` rows so that `x` is an eigenvalue (Golub, *Some modified
    /// matrix eigenvalue problems*, SIAM Review 15 (1973), section 7).
    fn corner(&self, x: f64, size: usize) -> f64 {
        let smallest = f64::EPSILON * self.size();
        let mut pivot = f64::INFINITY;
        let mut step = 0.0;
        for (entry, next) in self.diagonal[..size].iter().zip(&self.steps) {
            pivot = entry - x - step / pivot * step;
            if pivot.abs() < smallest {
                pivot = smallest.copysign(pivot);
            }
            step = *next;
        }
        x + step / pivot * step
    }

    /// At least the norm, and at most three times it.
    pub(crate) fn size(&self) -> f64 {
        let all = self.diagonal.iter().chain(&self.steps);
        3.0 * all.fold(f64::MIN_POSITIVE, |most, entry| most.max(entry.abs()))
    }
}

/// Nodes and weights of a tridiagonal matrix (Golub and Welsch 1969).
fn rule(diagonal: &[f64], steps: &[f64]) -> Quadrature {
    let row = |index: usize| {
        let mut row = vec![0.0; index + 1];
        row[index] = diagonal[index];
        if let Some(step) = index.checked_sub(1).and_then(|before| steps.get(before)) {
            row[index - 1] = *step;
        }
        row
    };
    let size = diagonal.len();
    Projected::from_rows((0..size).map(row).collect()).quadrature(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the uniform measure on [−1, 1]: Legendre's recurrence.
    fn legendre(size: usize) -> Jacobi {
        let step = |k: usize| k as f64 / ((4 * k * k - 1) as f64).sqrt();
        Jacobi {
            diagonal: vec![0.0; size],
            steps: (1..=size).map(step).collect(),
        }
    }

    #[test]
    fn the_rule_has_the_node_that_was_asked_for_and_the_moments() {
        for x in [-1.0, -0.3, 0.0, 1e-9, 0.7] {
            let (rule, at) = legendre(6).rule_at(x);
            assert!((rule.nodes[at.start] - x).abs() < 1e-13, "{x}: {rule:?}");
            for power in 0..11 {
                let moment = match power % 2 {
                    0 => 1.0 / f64::from(power + 1),
                    _ => 0.0,
                };
                let found = rule.integrate(|t| t.powi(power));
                assert!((found - moment).abs() < 1e-12, "{x}, {power}: {found}");
            }
        }
    }

    #[test]
    fn the_share_below_lies_between_its_bounds_which_close_with_the_size() {
        for size in [2, 3, 8, 31, 80] {
            let jacobi = legendre(size);
            for step in -99..100 {
                let x = 0.01 * f64::from(step);
                let (low, high) = jacobi.share_below(x, 0.0);
                let share = 0.5 * (x + 1.0);
                assert!(low <= share + 1e-12 && share <= high + 1e-12, "{x}");
                assert!(high - low < 2.0 / size as f64, "{x}: {low} {high}");
            }
        }
    }

    #[test]
    fn the_share_below_an_exhausted_space_is_that_of_its_nodes() {
        // Eigenvalues −1 and 1 with equal weight.
        let jacobi = Jacobi {
            diagonal: vec![0.0, 0.0],
            steps: vec![1.0, 0.0],
        };
        for (x, margin, expected) in [
            (0.0, 0.0, (0.5, 0.5)),
            (-2.0, 0.5, (0.0, 0.0)),
            (1.5, 0.0, (1.0, 1.0)),
            (1.0, 0.1, (0.5, 1.0)),
        ] {
            let (low, high) = jacobi.share_below(x, margin);
            assert!((low - expected.0).abs() < 1e-14 && (high - expected.1).abs() < 1e-14);
        }
    }
}
