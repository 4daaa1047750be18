//! What is known exactly about momentum in a valley.

use std::iter::zip;

use super::{CURVATURES, GOAL, START};

/// Steps are counted up to here.
const LONGEST: usize = 100_000;

/// Which gradient meets the velocity `v ← β v + g`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `w ← w − η v`
    HeavyBall,
    /// `w ← w − η (g + β v)`
    Nesterov,
}

/// Gradient descent with a momentum, which may be zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Method {
    pub(crate) kind: Kind,
    pub(crate) momentum: f64,
}

/// The loss of the valley.
pub(crate) fn height(place: &[f64]) -> f64 {
    let terms = zip(place, CURVATURES).map(|(w, curvature)| curvature * w * w);
    0.5 * terms.sum::<f64>()
}

impl Method {
    pub(crate) const DESCENT: Self = Self::heavy_ball(0.0);

    pub(crate) const fn heavy_ball(momentum: f64) -> Self {
        Self {
            kind: Kind::HeavyBall,
            momentum,
        }
    }

    pub(crate) const fn nesterov(momentum: f64) -> Self {
        Self {
            kind: Kind::Nesterov,
            momentum,
        }
    }

    /// With the momentum that is fastest in the valley.
    pub(crate) fn best(kind: Kind) -> Self {
        let [low, high] = CURVATURES;
        let condition = high / low;
        let momentum = match kind {
            Kind::HeavyBall => {
                let root = condition.sqrt();
                ((root - 1.0) / (root + 1.0)).powi(2)
            }
            Kind::Nesterov => {
                let root = (3.0 * condition + 1.0).sqrt();
                (root - 2.0) / (root + 2.0)
            }
        };
        Self { kind, momentum }
    }

    pub(crate) fn name(self) -> String {
        if self == Self::DESCENT {
            return "gradient descent".to_string();
        }
        let kind = match self.kind {
            Kind::HeavyBall => "heavy ball",
            Kind::Nesterov => "Nesterov",
        };
        match self == Self::best(self.kind) {
            true => format!("{kind}, best momentum"),
            false => format!("{kind}, momentum {}", self.momentum),
        }
    }

    /// The rate with the smallest factor. Of a heavy ball with more than the best momentum it is one of many.
    pub(crate) fn best_rate(self) -> f64 {
        let [flat, steep] = CURVATURES;
        let twice = 2.0 * (1.0 + self.momentum);
        if self.kind == Kind::HeavyBall {
            return twice / (flat + steep);
        }
        // The factor falls up to the best rate, and rises from there to the edge.
        let (mut low, mut high) = (0.0, twice / (steep * (1.0 + 2.0 * self.momentum)));
        for _ in 0..200 {
            let third = (high - low) / 3.0;
            match self.factor(low + third) < self.factor(high - third) {
                true => high -= third,
                false => low += third,
            }
        }
        0.5 * (low + high)
    }

    /// By which the distance to the minimum shrinks in a late step.
    pub(crate) fn factor(self, rate: f64) -> f64 {
        let along = CURVATURES.map(|curvature| self.factor_along(rate * curvature));
        along[0].max(along[1])
    }

    /// The larger size of the roots of `r² − sum r + product`.
    fn factor_along(self, step: f64) -> f64 {
        let (momentum, left) = (self.momentum, 1.0 - step);
        let (sum, product) = match self.kind {
            Kind::HeavyBall => (momentum + left, momentum),
            Kind::Nesterov => ((1.0 + momentum) * left, momentum * left),
        };
        let square = sum * sum - 4.0 * product;
        match square < 0.0 {
            true => product.sqrt(),
            false => 0.5 * (sum.abs() + square.sqrt()),
        }
    }

    /// From the start to the goal, without a velocity at first. Not a number if it is too far.
    pub(crate) fn steps(self, rate: f64) -> f64 {
        let (mut place, mut velocity) = (START, [0.0; 2]);
        for step in 0..LONGEST {
            if height(&place) <= GOAL {
                return step as f64;
            }
            let both = zip(&mut place, &mut velocity);
            for ((w, v), curvature) in zip(both, CURVATURES) {
                let gradient = curvature * *w;
                *v = self.momentum * *v + gradient;
                *w -= match self.kind {
                    Kind::HeavyBall => rate * *v,
                    Kind::Nesterov => rate * (gradient + self.momentum * *v),
                };
            }
        }
        f64::NAN
    }

    /// That of the position in the long run, on `½ h w²` with gradients whose noise has a variance of one.
    pub(crate) fn variance(self, rate: f64, curvature: f64) -> f64 {
        let (momentum, step) = (self.momentum, rate * curvature);
        let more = 1.0 + momentum;
        match self.kind {
            Kind::HeavyBall => rate * more / (curvature * (1.0 - momentum) * (2.0 * more - step)),
            Kind::Nesterov => {
                let left = 1.0 - step;
                let both = momentum * left;
                let noise =
                    (1.0 + both) * (more * more + momentum * momentum) - 2.0 * both * more * more;
                let roots = (1.0 - both) * step * (1.0 + (1.0 + 2.0 * momentum) * left);
                rate * rate * noise / roots
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Matrix = [[f64; 2]; 2];

    fn product(a: Matrix, b: Matrix) -> Matrix {
        let entry = |i: usize, j: usize| a[i][0] * b[0][j] + a[i][1] * b[1][j];
        [0, 1].map(|i| [0, 1].map(|j| entry(i, j)))
    }

    fn sum(a: Matrix, b: Matrix) -> Matrix {
        [0, 1].map(|i| [0, 1].map(|j| a[i][j] + b[i][j]))
    }

    fn transposed(a: Matrix) -> Matrix {
        [0, 1].map(|i| [0, 1].map(|j| a[j][i]))
    }

    /// Solves `P = M P Mᵀ + b bᵀ` by doubling, for steps of position and velocity.
    fn lyapunov(method: Method, rate: f64, curvature: f64) -> f64 {
        let (momentum, step) = (method.momentum, rate * curvature);
        // The new position is `w − η (a g + c v)`, with the old velocity and `g = h w + ξ`.
        let (a, c) = match method.kind {
            Kind::HeavyBall => (1.0, momentum),
            Kind::Nesterov => (1.0 + momentum, momentum * momentum),
        };
        let mut map = [[1.0 - a * step, -rate * c], [curvature, momentum]];
        let noise = [-rate * a, 1.0];
        let mut covariance = noise.map(|row| noise.map(|column| row * column));
        for _ in 0..40 {
            let more = product(product(map, covariance), transposed(map));
            covariance = sum(covariance, more);
            map = product(map, map);
        }
        covariance[0][0]
    }

    #[test]
    fn variances_solve_the_equation_of_lyapunov() {
        let both = |momentum| [Method::heavy_ball(momentum), Method::nesterov(momentum)];
        let methods = [0.0, 0.3, 0.9, 0.99].map(both);
        for method in methods.concat() {
            for (rate, curvature) in [(0.002, 1.0), (0.002, 100.0), (0.01, 1.0), (0.3, 2.0)] {
                let (law, direct) = (
                    method.variance(rate, curvature),
                    lyapunov(method, rate, curvature),
                );
                assert!(
                    (law / direct - 1.0).abs() < 1e-8,
                    "{method:?}: {law}, {direct}"
                );
            }
        }
    }

    #[test]
    fn small_rates_have_the_variance_of_their_effective_rate() {
        for momentum in [0.0, 0.5, 0.9] {
            for method in [Method::heavy_ball(momentum), Method::nesterov(momentum)] {
                let rate = 1e-6 * (1.0 - momentum);
                assert!((method.variance(rate, 2.0) / 2.5e-7 - 1.0).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn factors_are_the_known_ones() {
        let at_best = |method: Method| method.factor(method.best_rate());
        let [ball, ahead] = [Kind::HeavyBall, Kind::Nesterov].map(Method::best);
        for (factor, exact) in [
            (at_best(Method::DESCENT), 99.0 / 101.0),
            (at_best(Method::heavy_ball(0.9)), 0.9_f64.sqrt()),
            (at_best(ball), 9.0 / 11.0),
            (at_best(ahead), 1.0 - 2.0 / 301.0_f64.sqrt()),
            (at_best(Method::nesterov(0.0)), 99.0 / 101.0),
        ] {
            assert!((factor - exact).abs() < 1e-5, "{factor}, {exact}");
        }
        assert!((ball.best_rate() - 4.0 / 121.0).abs() < 1e-12);
        assert!((ahead.best_rate() - 4.0 / 301.0).abs() < 1e-6);
    }

    #[test]
    fn steps_are_those_of_closed_forms() {
        let descent = Method::DESCENT;
        assert_eq!(descent.steps(descent.best_rate()), 461.0);
        // Both roots are 9/11 along the first direction, and −9/11 along the other.
        let loss = |step: i32| {
            let squares = [2.0, 20.0].map(|slope| (1.0 + slope * f64::from(step) / 11.0).powi(2));
            0.5 * (9.0_f64 / 11.0).powi(2 * step) * (squares[0] + squares[1])
        };
        let mut steps = 0..500;
        let first = steps.find(|&step| loss(step) <= GOAL).map(f64::from);
        let ball = Method::best(Kind::HeavyBall);
        assert_eq!(Some(ball.steps(ball.best_rate())), first);
        // Above its edge.
        assert!(descent.steps(0.021).is_nan());
    }

    #[test]
    fn methods_have_their_names() {
        assert_eq!(Method::DESCENT.name(), "gradient descent");
        assert_eq!(Method::heavy_ball(0.9).name(), "heavy ball, momentum 0.9");
        assert_eq!(
            Method::best(Kind::Nesterov).name(),
            "Nesterov, best momentum"
        );
    }
}
