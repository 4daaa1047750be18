use super::curve::Curve;

/// The least cost of what follows a point, if its parts need not join: no line that continues costs less.
pub(super) struct Remaining {
    /// By the number of parts, then by the point before them; infinite where so many parts do not fit.
    least: Vec<Vec<f64>>,
}

impl Remaining {
    /// For up to `most` parts, each of at least `min_points` points besides the one before it.
    pub(super) fn new(curve: &Curve, most: usize, min_points: usize) -> Self {
        let last = curve.last();
        let mut least = vec![vec![f64::INFINITY; last + 1]; most + 1];
        least[0][last] = 0.0;
        for start in (0..last).rev() {
            let mut straight = Straight::default();
            for end in start + 1..=last {
                straight.add(curve.x[end], curve.y[end], curve.weights[end]);
                if end - start < min_points {
                    continue;
                }
                let cost = straight.cost();
                for parts in 1..=most {
                    let sum = cost + least[parts - 1][end];
                    least[parts][start] = least[parts][start].min(sum);
                }
            }
        }
        Self { least }
    }

    /// Of the points after `start`, in this number of parts.
    pub(super) fn least(&self, parts: usize, start: usize) -> f64 {
        self.least[parts][start]
    }
}

/// The moments of points added one by one, around their means.
#[derive(Default)]
struct Straight {
    weight: f64,
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Straight {
    fn add(&mut self, x: f64, y: f64, weight: f64) {
        self.weight += weight;
        let share = weight / self.weight;
        let (dx, dy) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += share * dx;
        self.mean_y += share * dy;
        let (new_dx, new_dy) = (x - self.mean_x, y - self.mean_y);
        self.xx += weight * dx * new_dx;
        self.xy += weight * dx * new_dy;
        self.yy += weight * dy * new_dy;
    }

    /// The least cost of a straight line, from below also with rounding.
    fn cost(&self) -> f64 {
        let explained = match self.xx > 0.0 {
            true => self.xy * self.xy / self.xx,
            false => self.yy,
        };
        (self.yy - explained - 1e-12 * self.yy).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_need_not_join_cost_what_each_costs_alone() {
        let curve = Curve {
            x: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            y: vec![9.0, 0.0, 0.0, 3.0, 1.0, 2.0, 3.5],
            weights: vec![1.0; 7],
        };
        let remaining = Remaining::new(&curve, 2, 2);
        // Alone 0, 0, 3 cost 3/2 and 1, 2, 3.5 cost 1/24; other parts cost more together.
        assert_eq!(remaining.least(0, 6), 0.0);
        assert!(remaining.least(1, 6).is_infinite());
        assert!((remaining.least(1, 3) - 1.0 / 24.0).abs() < 1e-10);
        assert!((remaining.least(2, 0) - (1.5 + 1.0 / 24.0)).abs() < 1e-10);
        assert!(remaining.least(2, 3).is_infinite());
    }
}
