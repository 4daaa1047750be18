//! Simplexes: volume, sampling, fitting.

use burn::optim::SgdConfig;
use burn::tensor::{DType, Device, Tensor};
use burnscape::path::{PathError, Simplex, SimplexFitterConfig};
use burnscape_testkit::objectives::Point;
use proptest::prelude::*;

use super::models::{nothing, point, ring};

fn simplex(vertices: &[Vec<f64>]) -> Simplex<Point> {
    let points: Vec<Point> = vertices.iter().map(|v| point(v)).collect();
    Simplex::new(&points.iter().collect::<Vec<_>>()).unwrap()
}

#[test]
fn volumes_are_those_of_geometry() {
    let corner = |i: usize, scale: f64| {
        let mut v = vec![1.0; 5];
        if i > 0 {
            v[i] += scale;
        }
        v
    };
    // Orthogonal edges of length 2: the volume is 2^k/k!.
    for (k, volume) in [(1, 2.0), (2, 2.0), (3, 4.0 / 3.0), (4, 2.0 / 3.0)] {
        let vertices: Vec<Vec<f64>> = (0..=k).map(|i| corner(i, 2.0)).collect();
        let found = simplex(&vertices).volume().unwrap();
        assert!((found - volume).abs() < 1e-12, "{k} {found}");
    }
    let flat = [vec![0.0, 0.0], vec![1.0, 1.0], vec![2.0, 2.0]];
    assert_eq!(simplex(&flat).volume().unwrap(), 0.0);
}

#[test]
fn vertices_on_a_line_span_no_volume_in_single_precision() {
    let device = Device::default();
    for scale in (1..40).map(|i| 0.1 * f64::from(i)) {
        // Rounding of the inner products leaves a squared height of about 1e-7 of the squared length, with either
        // sign.
        let vertex = |t: f64| {
            let w: Vec<f64> = (0..8)
                .map(|i| (1.0 + f64::from(i)).sin() * t * scale)
                .collect();
            Point::new(&w, &device, DType::F32)
        };
        let (a, b, c) = (vertex(1.0), vertex(2.3), vertex(3.7));
        let line = Simplex::new(&[&a, &b, &c]).unwrap();
        assert_eq!(line.log_volume().unwrap(), f64::NEG_INFINITY);
    }
}

#[test]
fn samples_have_the_moments_of_the_uniform_law() {
    let vertices = [
        vec![0.0, 0.0, 0.0],
        vec![1.0, 0.0, 0.0],
        vec![0.0, 1.0, 0.0],
        vec![0.0, 0.0, 1.0],
    ];
    let simplex = simplex(&vertices);
    let count = 20_000;
    let draws: Vec<Vec<f64>> = (0..count).map(|i| simplex.sample(5, i)).collect();
    let n = count as f64;
    for vertex in 0..4 {
        let mean = draws.iter().map(|d| d[vertex]).sum::<f64>() / n;
        let square = draws.iter().map(|d| d[vertex].powi(2)).sum::<f64>() / n;
        let cross = draws
            .iter()
            .map(|d| d[vertex] * d[(vertex + 1) % 4])
            .sum::<f64>()
            / n;
        // Dirichlet(1, 1, 1, 1): mean ¼, E w² = 2/20, E w w' = 1/20; four standard errors.
        assert!((mean - 0.25).abs() < 4.0 * (3.0_f64 / 80.0 / n).sqrt());
        assert!((square - 0.1).abs() < 4.0 * (0.02_f64 / n).sqrt());
        assert!((cross - 0.05).abs() < 4.0 * (0.003_f64 / n).sqrt());
    }
    assert_eq!(simplex.sample(5, 3), simplex.sample(5, 3));
    assert_ne!(simplex.sample(5, 3), simplex.sample(6, 3));
}

#[test]
fn only_convex_combinations_are_points() {
    let triangle = simplex(&[vec![0.0, 0.0], vec![1.0, 0.0], vec![0.0, 2.0]]);
    assert_eq!(
        triangle.point(&[0.25, 0.5, 0.25]).unwrap().coordinates(),
        [0.5, 0.5]
    );
    assert_eq!(
        triangle.point(&[1.0, 0.0, 0.0]).unwrap().coordinates(),
        [0.0, 0.0]
    );
    for weights in [
        &[0.5, 0.5][..],
        &[0.5, 0.6, 0.2],
        &[1.5, -0.5, 0.0],
        &[f64::NAN, 0.5, 0.5],
    ] {
        let error = triangle.point(weights).unwrap_err();
        assert!(matches!(error, PathError::OutOfRange { .. }), "{error}");
    }
    let one = point(&[0.0]);
    let error = Simplex::new(&[&one]).unwrap_err();
    assert_eq!(error.to_string(), "`models.len()` is 1; use 2 or more");
}

#[test]
fn a_step_follows_the_gradient_of_loss_and_volume() {
    let vertices = [
        vec![0.3, 0.1, -0.4],
        vec![1.0, 0.2, 0.0],
        vec![-0.2, 0.9, 0.5],
    ];
    let before = simplex(&vertices);
    let (weight, rate) = (0.7, 0.01);
    let mut fitter = SimplexFitterConfig::new(rate)
        .with_volume_weight(weight)
        .with_seed(9)
        .init(before.clone(), SgdConfig::new().init())
        .unwrap();
    let [batch] = nothing();
    fitter.step(batch, &ring).unwrap();
    let weights = before.sample(9, 0);
    let after = fitter.simplex().unwrap();
    let objective = |vertex: &[f64]| {
        let moved = simplex(&[vertices[0].clone(), vertices[1].clone(), vertex.to_vec()]);
        let w = moved.point(&weights).unwrap().coordinates();
        let loss = (w.iter().map(|x| x * x).sum::<f64>() - 1.0).powi(2);
        loss - weight * moved.log_volume().unwrap()
    };
    let moved = after.point(&[0.0, 0.0, 1.0]).unwrap().coordinates();
    for i in 0..3 {
        let shifted = |h: f64| {
            let mut vertex = vertices[2].clone();
            vertex[i] += h;
            objective(&vertex)
        };
        let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
        assert!((moved[i] - (vertices[2][i] - rate * slope)).abs() < 1e-9);
    }
}

#[test]
fn a_fitted_simplex_grows_where_the_loss_allows() {
    // The minima are a plane, in which the triangle can grow.
    let valley = |p: &Point, _: Tensor<1>| p.w.val().slice(0..1).square();
    let start = simplex(&[
        vec![0.0, 0.0, 0.0],
        vec![0.0, 1.0, 0.0],
        vec![0.5, 0.1, 0.1],
    ]);
    let mut fitter = SimplexFitterConfig::new(0.5)
        .with_volume_weight(0.02)
        .init(start.clone(), SgdConfig::new().init())
        .unwrap();
    for _ in 0..400 {
        let [batch] = nothing();
        fitter.step(batch, &valley).unwrap();
    }
    let fitted = fitter.simplex().unwrap();
    let vertex = fitted.point(&[0.0, 0.0, 1.0]).unwrap().coordinates();
    // The loss depends on the first coordinate, and not on the third.
    assert!(fitted.volume().unwrap() > 3.0 * start.volume().unwrap());
    assert!(vertex[0].abs() < 0.1 * vertex[2].abs(), "{vertex:?}");
}

proptest! {
    #[test]
    fn volume_is_invariant_to_motion_and_order_and_scales(
        coordinates in prop::collection::vec(-2.0..2.0_f64, 12),
        shift in -3.0..3.0_f64,
        scale in 0.5..2.0_f64,
    ) {
        let vertices: Vec<Vec<f64>> = coordinates.chunks(4).map(<[f64]>::to_vec).collect();
        let volume = simplex(&vertices).volume().unwrap();
        prop_assume!(volume > 1e-3);
        let each = |f: &dyn Fn(f64) -> f64| -> Vec<Vec<f64>> {
            vertices.iter().map(|v| v.iter().map(|x| f(*x)).collect()).collect()
        };
        let moved = simplex(&each(&|x| x + shift)).volume().unwrap();
        let scaled = simplex(&each(&|x| x * scale)).volume().unwrap();
        let turned = simplex(&[vertices[2].clone(), vertices[0].clone(), vertices[1].clone()]);
        prop_assert!((moved / volume - 1.0).abs() < 1e-9);
        prop_assert!((scaled / volume / scale.powi(2) - 1.0).abs() < 1e-9);
        prop_assert!((turned.volume().unwrap() / volume - 1.0).abs() < 1e-9);
    }
}
