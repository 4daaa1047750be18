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
    let middle = point(&[2.0, 0.5, 0.3]);
    for three in [[&a, &a, &b], [&a, &b, &a], [&a, &b, &b], [&a, &b, &middle]] {
        let error = ParameterPlane::through(three[0], three[1], three[2]).unwrap_err();
        assert!(matches!(error, SpaceError::NoPlane { .. }), "{error}");
    }
    let error = ParameterPlane::through(&a, &b, &point(&[1.0])).unwrap_err();
    assert!(matches!(error, SpaceError::DifferentSpaces { .. }));
}

#[test]
fn a_plane_that_directions_span_is_that_through_their_ends() {
    let [a, b, c] = [[1.0, 2.0, 0.5], [3.0, -1.0, 0.1], [0.0, 2.0, 4.0]].map(|p| point(&p));
    let through = ParameterPlane::through(&a, &b, &c).unwrap();
    let space = ParamSpace::of(&a).unwrap();
    let [first, second] = [[2.0, -3.0, -0.4], [-1.0, 0.0, 3.5]]
        .map(|direction| ParamVector::from_host(&space, &direction).unwrap());
    let spanned = ParameterPlane::spanned(&a, [&first, &second]).unwrap();
    assert_eq!(spanned.corners(), through.corners());
    let place = spanned.place(&c).unwrap();
    assert!((place.x - spanned.corners()[2][0]).abs() < 1e-14);
    assert!((place.y - spanned.corners()[2][1]).abs() < 1e-14);
    assert!(place.distance < 1e-14);
    let parallel = first.clone().scale(-2.0);
    let error = ParameterPlane::spanned(&a, [&first, &parallel]).unwrap_err();
    assert!(matches!(error, SpaceError::NoPlane { .. }), "{error}");
    let zero = ParamVector::zeros(&space).unwrap();
    assert!(ParameterPlane::spanned(&a, [&zero, &first]).is_err());
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
}
