//! Curves: weights, ends, lengths, reversal.

use burn::nn::LinearConfig;
use burn::tensor::Device;
use burnscape::path::{BezierCurve, Curve, PathError, PolygonalChain};
use burnscape::space::SpaceError;
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;
use proptest::prelude::*;

use super::models::{at, network, parameters, point};

fn near(x: &[f64], y: &[f64]) {
    for (x, y) in x.iter().zip(y) {
        assert!((x - y).abs() < 1e-12, "{x} {y}");
    }
}

#[test]
fn collinear_equispaced_points_give_the_line() {
    let (a, b) = (point(&[1.0, -2.0, 0.3]), point(&[-4.0, 0.5, 7.0]));
    let line = PolygonalChain::line(&a, &b).unwrap();
    for degree in 1..12 {
        let curve = BezierCurve::between(&a, &b, degree).unwrap();
        let chain = PolygonalChain::between(&a, &b, degree).unwrap();
        for index in 0..=20 {
            let t = f64::from(index) / 20.0;
            near(&at(&curve, t), &at(&line, t));
            near(&at(&chain, t), &at(&line, t));
        }
        assert!((curve.length().unwrap() - line.length().unwrap()).abs() < 1e-12);
        assert!((chain.length().unwrap() - line.length().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn the_ends_are_the_models_to_the_last_bit() {
    let [a, b, c] = [1, 2, 3].map(network);
    // Running statistics that differ from the initial ones.
    for model in [&a, &b] {
        let input = burn::tensor::Tensor::<2>::ones([6, 4], &Device::default().autodiff());
        let _ = model.forward(input);
    }
    let curves: [&dyn DynCurve; 3] = [
        &PolygonalChain::line(&a, &b).unwrap(),
        &BezierCurve::from_models(&[&a, &c, &b]).unwrap(),
        &PolygonalChain::from_models(&[&a, &c, &b]).unwrap(),
    ];
    for curve in curves {
        for (t, end) in [(0.0, &a), (1.0, &b)] {
            let model = curve.point_at(t);
            assert_eq!(parameters(&model), parameters(end));
            let running = |net: &Normalized| net.norm.running_mean.value_sync().into_data();
            assert_eq!(running(&model), running(end));
        }
    }
}

trait DynCurve {
    fn point_at(&self, t: f64) -> Normalized;
}

impl<C: Curve<Normalized>> DynCurve for C {
    fn point_at(&self, t: f64) -> Normalized {
        self.point(t).unwrap()
    }
}

#[test]
fn a_quarter_circle_in_cubic_form_has_its_length() {
    // The usual cubic approximation of a quarter of the unit circle.
    let k = 4.0 / 3.0 * (2.0_f64.sqrt() - 1.0);
    let models = [[1.0, 0.0], [1.0, k], [k, 1.0], [0.0, 1.0]].map(|p| point(&p));
    let models: Vec<&Point> = models.iter().collect();
    let curve = BezierCurve::from_models(&models).unwrap();
    // The reference is a fine polyline.
    let points: Vec<Vec<f64>> = (0..=4000)
        .map(|i| at(&curve, f64::from(i) / 4000.0))
        .collect();
    let length: f64 = points
        .windows(2)
        .map(|w| ((w[1][0] - w[0][0]).powi(2) + (w[1][1] - w[0][1]).powi(2)).sqrt())
        .sum();
    assert!((curve.length().unwrap() - length).abs() < 1e-7);
    let tangent = curve.tangent(0.0).unwrap();
    assert!((tangent.norm().unwrap() - 3.0 * k).abs() < 1e-12);
}

#[test]
fn the_offset_is_orthogonal_to_the_line_and_has_the_given_length() {
    let curve = BezierCurve::between(&point(&[-1.0, 0.0]), &point(&[1.0, 0.0]), 2).unwrap();
    let middle = at(&curve.offset(0.025, 7).unwrap(), 0.5);
    // The inner point is at (0, ±0.05), half of which is the curve's height.
    assert!(middle[0].abs() < 1e-12 && (middle[1].abs() - 0.025).abs() < 1e-12);
    assert_eq!(at(&curve.offset(0.025, 7).unwrap(), 0.5), middle);
    let one = BezierCurve::between(&point(&[-1.0]), &point(&[1.0]), 2).unwrap();
    let error = one.offset(0.1, 1).unwrap_err();
    assert!(matches!(error, PathError::Degenerate { .. }));
}

#[test]
fn models_that_differ_are_refused_by_name() {
    let (a, b) = (point(&[1.0, 2.0]), point(&[1.0, 2.0, 3.0]));
    let error = PolygonalChain::line(&a, &b).unwrap_err();
    assert!(matches!(
        &error,
        PathError::Space(SpaceError::DifferentSpaces { .. })
    ));
    assert!(error.to_string().contains("`w` [2]"), "{error}");
    let device = Device::default();
    let wide = LinearConfig::new(3, 2).init(&device);
    let narrow = LinearConfig::new(2, 2).init(&device);
    let error = BezierCurve::between(&wide, &narrow, 2).unwrap_err();
    assert!(error.to_string().contains("`weight`"), "{error}");
    assert!(matches!(
        BezierCurve::between(&a, &a, 0).unwrap_err(),
        PathError::OutOfRange { .. }
    ));
    assert!(PolygonalChain::between(&a, &a, 0).is_err());
    assert!(BezierCurve::from_models(&[&a]).is_err());
    let line = PolygonalChain::line(&a, &a).unwrap();
    for t in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            line.point(t).unwrap_err(),
            PathError::OutOfRange { .. }
        ));
        assert!(line.vector(t).is_err() && line.tangent(t).is_err());
    }
}

proptest! {
    #[test]
    fn weights_are_a_partition_of_unity_at_any_degree(degree in 1_usize..60, t in 0.0..=1.0_f64) {
        let (a, b) = (point(&[0.0]), point(&[1.0]));
        let bezier = BezierCurve::between(&a, &b, degree).unwrap();
        let chain = PolygonalChain::between(&a, &b, degree).unwrap();
        for (weights, slopes) in [
            (bezier.weights(t).unwrap(), bezier.slopes(t).unwrap()),
            (chain.weights(t).unwrap(), chain.slopes(t).unwrap()),
        ] {
            prop_assert!(weights.iter().all(|&w| (0.0..=1.0).contains(&w)));
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-13);
            prop_assert!(slopes.iter().sum::<f64>().abs() < 1e-11);
        }
    }

    #[test]
    fn a_reversed_curve_is_the_same_curve_backwards(
        coordinates in prop::collection::vec(-3.0..3.0_f64, 8),
        t in 0.0..=1.0_f64,
    ) {
        let models: Vec<Point> = coordinates.chunks(2).map(point).collect();
        let models: Vec<&Point> = models.iter().collect();
        let bezier = BezierCurve::from_models(&models).unwrap();
        let chain = PolygonalChain::from_models(&models).unwrap();
        for (x, y) in [
            (at(&bezier, t), at(&bezier.reversed(), 1.0 - t)),
            (at(&chain, t), at(&chain.reversed(), 1.0 - t)),
        ] {
            for (x, y) in x.iter().zip(&y) {
                prop_assert!((x - y).abs() < 1e-11, "{x} {y}");
            }
        }
        prop_assert!((bezier.length().unwrap() - bezier.reversed().length().unwrap()).abs() < 1e-9);
    }
}
