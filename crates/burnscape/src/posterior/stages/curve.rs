/// Points of a curve, with the weights of their squared residuals.
#[derive(Clone)]
pub(super) struct Curve {
    /// Ascending.
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) weights: Vec<f64>,
}

/// A continuous line through a curve, straight between knots.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fit {
    /// The points at which it bends, ascending.
    pub(super) knots: Vec<usize>,
    /// Its height at the first point, at each knot and at the last point.
    pub(super) heights: Vec<f64>,
    /// Its height at each point.
    pub(super) heights_at_points: Vec<f64>,
    /// The weighted sum of squared residuals.
    pub(super) cost: f64,
}

impl Curve {
    pub(super) fn last(&self) -> usize {
        self.x.len() - 1
    }

    /// The same points with other heights.
    pub(super) fn with_heights(&self, y: Vec<f64>) -> Self {
        Self { y, ..self.clone() }
    }

    /// The line of least cost with these knots.
    ///
    /// Its unknowns are the heights at the ends of its parts, so that the normal equations have three diagonals and are
    /// well conditioned. A second solution for the residuals removes the rounding of the first: the cost of an exact
    /// fit is then that of rounding the heights.
    pub(super) fn fit(&self, knots: &[usize]) -> Fit {
        let ends = self.ends(knots);
        let mut heights = self.solve(&ends, &self.y);
        let residuals = difference(&self.y, &self.line(&ends, &heights));
        let corrections = self.solve(&ends, &residuals);
        for (height, correction) in heights.iter_mut().zip(corrections) {
            *height += correction;
        }
        let heights_at_points = self.line(&ends, &heights);
        Fit {
            knots: knots.to_vec(),
            cost: self.cost_of(&heights_at_points),
            heights,
            heights_at_points,
        }
    }

    /// The cost of that line, but for rounding.
    pub(super) fn cost(&self, knots: &[usize]) -> f64 {
        let ends = self.ends(knots);
        let heights = self.solve(&ends, &self.y);
        self.cost_of(&self.line(&ends, &heights))
    }

    /// The slope of each part of a fit.
    pub(super) fn slopes(&self, fit: &Fit) -> Vec<f64> {
        let ends = self.ends(&fit.knots);
        let rises = fit.heights.windows(2).map(|pair| pair[1] - pair[0]);
        let runs = ends
            .windows(2)
            .map(|pair| self.x[pair[1]] - self.x[pair[0]]);
        rises.zip(runs).map(|(rise, run)| rise / run).collect()
    }

    /// The first point, the knots and the last point.
    fn ends(&self, knots: &[usize]) -> Vec<usize> {
        let knots = knots.iter().copied();
        std::iter::once(0)
            .chain(knots)
            .chain([self.last()])
            .collect()
    }

    fn cost_of(&self, line: &[f64]) -> f64 {
        let residuals = self.y.iter().zip(line).map(|(y, height)| y - height);
        residuals
            .zip(&self.weights)
            .map(|(r, weight)| weight * r * r)
            .sum()
    }

    /// For every point the part it belongs to, and the share of that part behind it.
    fn places(&self, ends: &[usize]) -> impl Iterator<Item = (usize, f64)> {
        let parts = ends.windows(2).enumerate();
        parts.flat_map(move |(part, pair)| {
            let (start, end) = (pair[0], pair[1]);
            let run = self.x[end] - self.x[start];
            // A knot belongs to the part that it ends.
            let first = if part == 0 { start } else { start + 1 };
            (first..=end).map(move |point| (part, (self.x[point] - self.x[start]) / run))
        })
    }

    /// The heights at the ends of least cost, for these heights of the points.
    fn solve(&self, ends: &[usize], y: &[f64]) -> Vec<f64> {
        let mut diagonal = vec![0.0; ends.len()];
        let mut beside = vec![0.0; ends.len()];
        let mut right = vec![0.0; ends.len()];
        let points = y.iter().zip(&self.weights);
        for ((part, share), (y, weight)) in self.places(ends).zip(points) {
            let (before, behind) = (weight * (1.0 - share), weight * share);
            diagonal[part] += before * (1.0 - share);
            beside[part] += before * share;
            diagonal[part + 1] += behind * share;
            right[part] += before * y;
            right[part + 1] += behind * y;
        }
        for row in 1..ends.len() {
            let factor = beside[row - 1] / diagonal[row - 1];
            diagonal[row] -= factor * beside[row - 1];
            right[row] -= factor * right[row - 1];
        }
        let mut next = 0.0;
        for row in (0..ends.len()).rev() {
            // The last one has nothing beside it.
            next = (right[row] - beside[row] * next) / diagonal[row];
            right[row] = next;
        }
        right
    }

    /// The height at every point of the line with these heights at its ends.
    fn line(&self, ends: &[usize], heights: &[f64]) -> Vec<f64> {
        let height =
            |(part, share): (usize, f64)| (1.0 - share) * heights[part] + share * heights[part + 1];
        self.places(ends).map(height).collect()
    }
}

fn difference(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter()
        .zip(other)
        .map(|(one, other)| one - other)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_bends_is_reproduced() {
        let x = vec![0.0, 0.5, 1.5, 2.0, 4.0, 4.5, 7.0];
        let y = [1.0, 2.0, 4.0, 5.0, 4.0, 3.75, 2.5].to_vec();
        let weights = vec![1.0, 0.5, 0.25, 1.0, 2.0, 1.0, 0.1];
        let curve = Curve { x, y, weights };
        let fit = curve.fit(&[3]);
        assert!(fit.cost < 1e-26 && curve.cost(&[3]) < 1e-26);
        for (found, exact) in fit.heights.iter().zip([1.0, 5.0, 2.5]) {
            assert!((found - exact).abs() < 1e-14);
        }
        for (found, exact) in curve.slopes(&fit).iter().zip([2.0, -0.5]) {
            assert!((found - exact).abs() < 1e-14);
        }
    }

    #[test]
    fn without_knots_it_is_the_line_of_least_squares() {
        let curve = Curve {
            x: vec![0.0, 1.0, 2.0],
            y: vec![0.0, 0.0, 3.0],
            weights: vec![1.0; 3],
        };
        let fit = curve.fit(&[]);
        // Slope 3/2 through the means 1 and 1.
        assert!((curve.slopes(&fit)[0] - 1.5).abs() < 1e-14);
        assert!((fit.cost - 1.5).abs() < 1e-14);
    }
}
