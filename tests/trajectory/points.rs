//! Trajectories of points, and reproducible walks.

use burn::tensor::{DType, Device};
use burnscape::trajectory::Trajectory;
use burnscape_testkit::objectives::Point;

/// The trajectory through these points in f64, at steps 0, 10, 20, …
pub(crate) fn through<P: AsRef<[f64]>>(points: &[P]) -> Trajectory<Point> {
    let device = Device::default();
    let at = |point: &P| Point::new(point.as_ref(), &device, DType::F64);
    let models = points.iter().enumerate();
    Trajectory::of(models.map(|(index, point)| (10 * index, at(point)))).unwrap()
}

/// The points that these steps reach from the origin.
pub(crate) fn reached(steps: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; steps[0].len()]];
    for step in steps {
        let last = &points[points.len() - 1];
        let next = last.iter().zip(step).map(|(x, step)| x + step).collect();
        points.push(next);
    }
    points
}

/// Random signs, by SplitMix64.
pub(crate) struct Signs {
    state: u64,
    word: u64,
    left: u32,
}

impl Signs {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            word: 0,
            left: 0,
        }
    }

    pub(crate) fn draw(&mut self) -> f64 {
        if self.left == 0 {
            self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (self.word, self.left) = (z ^ (z >> 31), 64);
        }
        let sign = if self.word & 1 == 1 { 1.0 } else { -1.0 };
        (self.word, self.left) = (self.word >> 1, self.left - 1);
        sign
    }
}

/// Independent steps `decayᵗ (±1 + drift) / (1 + j)` in coordinates `j`.
pub(crate) fn decaying_steps(seed: u64, count: usize, decay: f64, drift: f64) -> Vec<Vec<f64>> {
    let mut signs = Signs::new(seed);
    let mut step = |t: usize| -> Vec<f64> {
        let size = decay.powi(t as i32);
        let coordinates = (0..12).map(|j| size * (signs.draw() + drift) / f64::from(1 + j));
        coordinates.collect()
    };
    (0..count).map(&mut step).collect()
}
