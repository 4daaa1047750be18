//! Planes through models.

use burn::tensor::{DType, Device};
use burnscape::space::{ParamSpace, ParamVector, ParameterPlane, SpaceError};
use burnscape_testkit::objectives::Point;
use proptest::prelude::*;

fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default().autodiff(), DType::F64)
}

fn combine(points: &[[f64; 4]; 3], weights: [f64; 3]) -> Point {
    let coordinate = |i: usize| (0..3).map(|k| weights[k] * points[k][i]).sum::<f64>();
    point(&[0, 1, 2, 3].map(coordinate))
}

#[test]
fn the_distance_from_the_plane_is_that_of_geometry() {
    let [a, b, c] = [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [1.0, 2.0, 0.0]].map(|p| point(&p));
    let plane = ParameterPlane::through(&a, &b, &c).unwrap();
    assert_eq!(plane.corners(), [[0.0, 0.0], [3.0, 0.0], [1.0, 2.0]]);
    let place = plane.place(&point(&[0.5, -1.0, -7.0])).unwrap();
    assert_eq!((place.x, place.y, place.distance), (0.5, -1.0, 7.0));
    assert_eq!(
        plane.point(0.5, -1.0).unwrap().coordinates(),
        [0.5, -1.0, 0.0]
    );
    assert!(plane.point(f64::NAN, 0.0).is_err());
}

#[test]
fn models_on_a_line_span_no_plane() {
    let [a, b] = [[1.0, 2.0, 0.5], [3.0, -1.0, 0.1]].map(|p| point(&p));
    for three in [[&a, &a, &b], [&a, &b, &a]] {
        let error = ParameterPlane::through(three[0], three[1], three[2]).unwrap_err();
        assert!(matches!(error, SpaceError::NoPlane { .. }), "{error}");
    }
    let (middle, opposite) = (point(&[2.0, 0.5, 0.3]), point(&[-1.0, 5.0, 0.9]));
    for (third, sign) in [(&b, 1.0), (&middle, 1.0), (&opposite, -1.0)] {
        let error = ParameterPlane::through(&a, &b, third).unwrap_err();
        assert_parallel(&error, sign);
    }
    let error = ParameterPlane::through(&a, &b, &point(&[1.0])).unwrap_err();
    assert!(matches!(error, SpaceError::DifferentSpaces { .. }));
}

/// The error has the cosine, also in its text.
fn assert_parallel(error: &SpaceError, sign: f64) {
    let SpaceError::ParallelDirections { cosine } = error else {
        panic!("{error}");
    };
    assert!((cosine - sign).abs() < 1e-14, "{error}");
    let text = error.to_string();
    assert!(text.contains(&format!("(cosine {cosine})")), "{text}");
}

#[test]
fn a_plane_that_directions_span_is_that_through_their_ends() {
    let [a, b, c] = [[1.0, 2.0, 0.5], [3.0, -1.0, 0.1], [0.0, 2.0, 4.0]].map(|p| point(&p));
    let through = ParameterPlane::through(&a, &b, &c).unwrap();
    let space = ParamSpace::of(&a).unwrap();
    let [first, second] = [[2.0, -3.0, -0.4], [-1.0, 0.0, 3.5]]
        .map(|direction| ParamVector::from_host(&space, &direction).unwrap());
    let spanned = ParameterPlane::spanned(&a, [&first, &second]).unwrap();
    assert_eq!(spanned.corners(), [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]);
    let place = spanned.place(&c).unwrap();
    assert!(place.x.abs() < 1e-14 && (place.y - 1.0).abs() < 1e-14);
    assert!(place.distance < 1e-14 && place.off_plane_share < 1e-14);
    // Its axes are the directions themselves.
    let axes = spanned.axes();
    assert_eq!(axes[0].to_host().unwrap(), first.to_host().unwrap());
    assert_eq!(axes[1].to_host().unwrap(), second.to_host().unwrap());
    let orthonormal = spanned.orthonormalized();
    assert_eq!(orthonormal.corners(), through.corners());
    let place = orthonormal.place(&c).unwrap();
    assert!((place.x - through.corners()[2][0]).abs() < 1e-14);
    assert!((place.y - through.corners()[2][1]).abs() < 1e-14);
    let [u, v] = orthonormal.axes();
    let products = [u.dot(u), u.dot(v), v.dot(v)].map(Result::unwrap);
    for (product, expected) in products.into_iter().zip([1.0, 0.0, 1.0]) {
        assert!((product - expected).abs() < 1e-15, "{products:?}");
    }
    let parallel = first.clone().scale(-2.0);
    let error = ParameterPlane::spanned(&a, [&first, &parallel]).unwrap_err();
    assert_parallel(&error, -1.0);
    let zero = ParamVector::zeros(&space).unwrap();
    for pair in [[&zero, &first], [&first, &zero]] {
        let error = ParameterPlane::spanned(&a, pair).unwrap_err();
        assert!(matches!(error, SpaceError::NoPlane { .. }), "{error}");
    }
    let broken = ParamVector::from_host(&space, &[f64::NAN, 0.0, 1.0]).unwrap();
    for pair in [[&broken, &first], [&first, &broken]] {
        let error = ParameterPlane::spanned(&a, pair).unwrap_err();
        assert!(matches!(error, SpaceError::NoDirection { .. }), "{error}");
    }
}

fn spanned(origin: &[f64], directions: [&[f64]; 2]) -> ParameterPlane<Point> {
    let origin = point(origin);
    let space = ParamSpace::of(&origin).unwrap();
    let [first, second] =
        directions.map(|direction| ParamVector::from_host(&space, direction).unwrap());
    ParameterPlane::spanned(&origin, [&first, &second]).unwrap()
}

#[test]
fn directions_that_differ_by_rounding_span_no_plane() {
    let model = point(&[1.0, 2.0]);
    let space = ParamSpace::of(&model).unwrap();
    let direction = |height: f64| ParamVector::from_host(&space, &[1.0, height]).unwrap();
    let plane = |units: f64| {
        let pair = [&direction(0.0), &direction(units * f64::EPSILON)];
        ParameterPlane::spanned(&model, pair).map(drop)
    };
    // The bound of landscapes.
    for units in [20.0, 99.0] {
        assert_parallel(&plane(units).unwrap_err(), 1.0);
    }
    assert_eq!(plane(101.0), Ok(()));
}

#[test]
fn a_projection_is_by_least_squares_whatever_the_axes() {
    let model = point(&[3.0, 4.0, 12.0, 0.0]);
    let origin = [0.0; 4];
    let x: &[f64] = &[1.0, 0.0, 0.0, 0.0];
    let cases: [([&[f64]; 2], [f64; 2]); 3] = [
        ([x, &[0.0, 1.0, 0.0, 0.0]], [3.0, 4.0]),
        ([x, &[1.0, 1.0, 0.0, 0.0]], [-1.0, 4.0]),
        ([&[2.0, 0.0, 0.0, 0.0], &[-1.0, 4.0, 0.0, 0.0]], [2.0, 1.0]),
    ];
    for (axes, expected) in cases {
        let plane = spanned(&origin, axes);
        let place = plane.place(&model).unwrap();
        assert_eq!([place.x, place.y], expected);
        assert_eq!(place.distance, 12.0);
        assert_eq!(place.off_plane_share, 12.0 / 13.0);
        let nearest = plane.point(place.x, place.y).unwrap();
        assert_eq!(nearest.coordinates(), [3.0, 4.0, 0.0, 0.0]);
        let place = plane.orthonormalized().place(&model).unwrap();
        assert_eq!((place.x, place.y, place.distance), (3.0, 4.0, 12.0));
    }
}

#[test]
fn checkpoints_lie_off_the_plane_by_their_third_coordinate() {
    let plane = spanned(&[0.0; 3], [&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0]]);
    for (checkpoint, residual, share) in [
        ([1.0, 0.0, 1.0], 1.0, 0.5_f64.sqrt()),
        ([0.5, 0.0, 0.2], 0.2, 0.2 / 0.29_f64.sqrt()),
        // The origin itself is in the plane.
        ([0.0, 0.0, 0.0], 0.0, 0.0),
    ] {
        let place = plane.place(&point(&checkpoint)).unwrap();
        assert_eq!([place.x, place.y], [checkpoint[0], 0.0]);
        assert!((place.distance - residual).abs() < 1e-15);
        assert!((place.off_plane_share - share).abs() < 1e-15);
    }
}

#[test]
fn a_point_is_on_the_line_through_its_first_coordinate() {
    let origin = [0.3, -0.7, 1.1];
    let (x, y) = ([0.1, 0.2, -0.3], [0.7, 0.1, 0.4]);
    let plane = spanned(&origin, [&x, &y]);
    assert_eq!(plane.point(0.0, 0.0).unwrap().coordinates(), origin);
    assert_eq!(plane.origin().coordinates(), origin);
    let (a, b) = (0.37, -1.9);
    let row: Vec<f64> = (0..3).map(|i| origin[i] + x[i] * a).collect();
    assert_eq!(plane.point(a, 0.0).unwrap().coordinates(), row);
    let expected: Vec<f64> = (0..3).map(|i| row[i] + y[i] * b).collect();
    assert_eq!(plane.point(a, b).unwrap().coordinates(), expected);
    let alone: Vec<f64> = (0..3).map(|i| origin[i] + y[i] * b).collect();
    assert_eq!(plane.point(0.0, b).unwrap().coordinates(), alone);
    for pair in [[f64::NAN, 0.0], [0.0, f64::INFINITY]] {
        let error = plane.point(pair[0], pair[1]).map(drop);
        assert!(matches!(error, Err(SpaceError::NonFiniteCoordinate { .. })));
    }
}

proptest! {
    #[test]
    fn affine_combinations_keep_their_weights(
        corners in prop::array::uniform3(prop::array::uniform4(-3.0..3.0_f64)),
        (p, q) in (-2.0..2.0_f64, -2.0..2.0_f64),
    ) {
        let [a, b, c] = corners.map(|corner| point(&corner));
        let Ok(plane) = ParameterPlane::through(&a, &b, &c) else { return Ok(()) };
        prop_assume!(plane.corners()[2][1] > 1e-3);
        let weights = [1.0 - p - q, p, q];
        let place = plane.place(&combine(&corners, weights)).unwrap();
        let at = |axis: usize| (0..3).map(|k| weights[k] * plane.corners()[k][axis]).sum::<f64>();
        prop_assert!((place.x - at(0)).abs() < 1e-10);
        prop_assert!((place.y - at(1)).abs() < 1e-10);
        prop_assert!(place.distance < 1e-10);
        // The frame is orthonormal: distances in the plane are those in parameter space.
        let back = plane.point(place.x, place.y).unwrap().coordinates();
        for (x, y) in back.iter().zip(combine(&corners, weights).coordinates()) {
            prop_assert!((x - y).abs() < 1e-10);
        }
    }

    #[test]
    fn coefficients_of_the_given_directions_come_back(
        [first, second, off] in prop::array::uniform3(prop::array::uniform4(-3.0..3.0_f64)),
        (x, y) in (-2.0..2.0_f64, -2.0..2.0_f64),
    ) {
        let origin = [0.5, -1.0, 0.25, 2.0];
        let model = point(&origin);
        let space = ParamSpace::of(&model).unwrap();
        let [d, e, off] =
            [first, second, off].map(|d| ParamVector::from_host(&space, &d).unwrap());
        let sine = 1.0 - (d.dot(&e).unwrap() / (d.norm().unwrap() * e.norm().unwrap())).powi(2);
        prop_assume!(sine > 1e-3 && d.norm().unwrap() > 0.1 && e.norm().unwrap() > 0.1);
        let across = e.clone().orthogonalize(std::slice::from_ref(&d)).unwrap();
        let off = off.orthogonalize(&[d.clone(), across]).unwrap();
        let plane = ParameterPlane::spanned(&model, [&d, &e]).unwrap();
        let moved = off.perturb(&plane.point(x, y).unwrap(), 1.0).unwrap();
        let place = plane.place(&moved).unwrap();
        prop_assert!((place.x - x).abs() < 1e-10 && (place.y - y).abs() < 1e-10);
        prop_assert!((place.distance - off.norm().unwrap()).abs() < 1e-10);
        let same = plane.orthonormalized().place(&moved).unwrap();
        prop_assert!((same.distance - place.distance).abs() < 1e-12);
        prop_assert!((same.off_plane_share - place.off_plane_share).abs() < 1e-12);
    }
}
