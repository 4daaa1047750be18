//! The laws of every kind of curve.

use burnscape::path::{BezierCurve, ControlPoints, Curve, PathError, PolygonalChain};
use burnscape_testkit::objectives::Point;

use super::models::{at, point};

/// A new kind of curve gets a line here.
#[test]
fn every_curve_keeps_the_laws() {
    let models = [[1.0, 0.0], [3.0, -1.0], [0.5, 2.0], [-1.0, 1.0]].map(|p| point(&p));
    let models: Vec<&Point> = models.iter().collect();
    keeps_the_laws(&BezierCurve::from_models(&models).unwrap());
    keeps_the_laws(&PolygonalChain::from_models(&models).unwrap());
    keeps_the_laws(&Foreign(BezierCurve::from_models(&models).unwrap()));
}

fn keeps_the_laws(curve: &impl Curve<Point>) {
    let last = curve.control_points().vectors().len() - 1;
    for t in (0..=20).map(|index| f64::from(index) / 20.0) {
        let (weights, slopes) = (curve.weights(t).unwrap(), curve.slopes(t).unwrap());
        assert_eq!((weights.len(), slopes.len()), (last + 1, last + 1));
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-13);
        assert!(slopes.iter().sum::<f64>().abs() < 1e-12);
    }
    // At the ends, all weight is on the end.
    assert_eq!(curve.weights(0.0).unwrap()[0], 1.0);
    assert_eq!(curve.weights(1.0).unwrap()[last], 1.0);
    for t in [-0.1, 1.1, f64::NAN] {
        for refused in [curve.weights(t), curve.slopes(t)] {
            assert!(matches!(refused.unwrap_err(), PathError::OutOfRange(_)));
        }
    }
    for t in [0.1, 0.45, 0.9] {
        let step = 1e-6;
        let tangent = curve.tangent(t).unwrap().leaves()[0].clone().unwrap();
        let (up, down) = (at(curve, t + step), at(curve, t - step));
        for (index, slope) in tangent.into_data().iter::<f64>().enumerate() {
            assert!((slope - (up[index] - down[index]) / (2.0 * step)).abs() < 1e-8);
        }
    }
    assert!(curve.length().unwrap() >= curve.chord().unwrap().length().unwrap());
    let same = curve.with_control_points(curve.control_points().clone());
    assert_eq!(at(&same, 0.3), at(curve, 0.3));
    for (x, y) in at(&curve.reversed(), 0.7).iter().zip(at(curve, 0.3)) {
        assert!((x - y).abs() < 1e-12, "{x} {y}");
    }
    let moved = curve.offset(0.1, 1).unwrap();
    assert_ne!(at(&moved, 0.3), at(curve, 0.3));
    assert_eq!(
        [0.0, 1.0].map(|t| at(&moved, t)),
        [0.0, 1.0].map(|t| at(curve, t))
    );
}

/// A curve from outside the crate: the required methods are enough.
struct Foreign(BezierCurve<Point>);

impl Curve<Point> for Foreign {
    fn control_points(&self) -> &ControlPoints<Point> {
        self.0.control_points()
    }
    fn weights(&self, t: f64) -> Result<Vec<f64>, PathError> {
        self.0.weights(t)
    }
    fn slopes(&self, t: f64) -> Result<Vec<f64>, PathError> {
        self.0.slopes(t)
    }
    fn with_control_points(&self, points: ControlPoints<Point>) -> Self {
        Self(self.0.with_control_points(points))
    }
}
