//! Quadratics in balls: closed forms, dense references, and the case that a gradient cannot see.

use std::ops::ControlFlow;

use crate::counted::Counted;
use burnscape_krylov::{
    Dense, KrylovFault, LinearOperator, Probe, SelfAdjoint, SolutionKind, Symmetric,
    TrustRegionConfig, TrustRegionSolution, VectorSpace,
};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use proptest::prelude::*;

fn diagonal(values: &[f64]) -> Symmetric<Dense> {
    Symmetric::verified(Dense::diagonal(values), 1e-12, 0).unwrap()
}

fn gaussian(n: usize, seed: u64) -> Vec<f64> {
    Probe::Gaussian.draw(&n, seed, 0).unwrap()
}

/// A dense symmetric matrix with these eigenvalues, and its orthonormal eigenvectors as columns.
fn with_spectrum(values: &[f64], seed: u64) -> (Symmetric<Dense>, DMatrix<f64>) {
    let n = values.len();
    let random = DMatrix::from_vec(n, n, gaussian(n * n, seed));
    let vectors = SymmetricEigen::new(&random + random.transpose()).eigenvectors;
    let a = &vectors
        * DMatrix::from_diagonal(&DVector::from_column_slice(values))
        * vectors.transpose();
    let a = (&a + a.transpose()) * 0.5;
    let a = Dense::from_row_major(n, n, a.as_slice().to_vec()).unwrap();
    (Symmetric::verified(a, 1e-12, 0).unwrap(), vectors)
}

/// The maximum by all eigenvalues and plain bisection for the multiplier; not for the hard case.
fn reference(values: &[f64], vectors: &DMatrix<f64>, g: &[f64], rho: f64) -> (f64, Vec<f64>) {
    let c = vectors.transpose() * DVector::from_column_slice(g);
    let at = |mu: f64| DVector::from_fn(values.len(), |i, _| c[i] / (mu - values[i]));
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top < 0.0 && at(0.0).norm() <= rho {
        return (0.0, (vectors * at(0.0)).as_slice().to_vec());
    }
    let (mut low, mut high) = (top.max(0.0), top.max(0.0) + c.norm() / rho);
    for _ in 0..2000 {
        let middle = 0.5 * (low + high);
        match at(middle).norm() > rho {
            true => low = middle,
            false => high = middle,
        }
    }
    (high, (vectors * at(high)).as_slice().to_vec())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    square.sqrt()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} {expected}");
}

/// The conditions of a global maximizer, checked without the numbers of the solver.
fn assert_optimal<A: SelfAdjoint<Vector = Vec<f64>>>(
    a: &A,
    g: &[f64],
    rho: f64,
    found: &TrustRegionSolution<Vec<f64>>,
) {
    let product = a.matvec(&found.v).unwrap();
    let rest: Vec<f64> = (0..g.len())
        .map(|i| found.multiplier * found.v[i] - product[i] - g[i])
        .collect();
    assert_near(rest.norm().unwrap(), found.residual, 1e-12);
    let value = g.to_vec().dot(&found.v).unwrap() + 0.5 * found.v.dot(&product).unwrap();
    assert_near(value, found.value, 1e-12 * value.abs().max(1.0));
    assert!(found.v.norm().unwrap() <= rho * (1.0 + 1e-12));
    assert!(
        found.outcome.is_converged() && found.certified && found.residual <= found.goal + 1e-12
    );
}

#[test]
fn the_known_maximum_of_an_ellipse_is_found() {
    // ½ (4 x² + y²) around (1, 1), where it is 5/2 and its gradient (4, 1).
    let h = diagonal(&[4.0, 1.0]);
    let g = vec![4.0, 1.0];
    let found = TrustRegionConfig::new(0.5)
        .with_tolerance(1e-13)
        .maximize(&h, &g)
        .unwrap();
    assert_near(found.v[0], 0.49186465, 1e-8);
    assert_near(found.v[1], 0.08982855, 1e-8);
    assert_near(2.5 + found.value, 5.0451834, 5e-8);
    // The gradient at the maximizer is μ v. The digits on paper are rounded twice.
    assert_near(found.multiplier * found.v[0], 5.9674586, 6e-8);
    assert_near(found.multiplier * found.v[1], 1.0898286, 6e-8);
    let (mu, v) = reference(&[4.0, 1.0], &DMatrix::identity(2, 2), &g, 0.5);
    assert_near(found.multiplier, mu, 1e-12);
    assert!(distance(&found.v, &v) < 1e-12);
    assert_eq!(found.kind, SolutionKind::Boundary);
    assert_optimal(&h, &g, 0.5, &found);
}

#[test]
fn the_hard_case_of_two_dimensions_has_both_signs() {
    // μ = 4, (4 − 1) y = 0.3, and the rest of the radius along x, either way.
    let h = diagonal(&[4.0, 1.0]);
    for (g, y) in [([0.0, 0.3], 0.1), ([0.0, -0.3], -0.1), ([0.0, 0.0], 0.0)] {
        let found = TrustRegionConfig::new(0.5)
            .maximize(&h, &g.to_vec())
            .unwrap();
        let x = f64::sqrt(0.25 - y * y);
        assert_eq!(found.kind, SolutionKind::HardCase);
        assert_near(found.multiplier, 4.0, 1e-8);
        assert_near(found.v[0].abs(), x, 1e-8);
        assert_near(found.v[1], y, 1e-8);
        let mirror = found.mirror.clone().expect("a second solution");
        assert_near(mirror[0], -found.v[0], 1e-8);
        assert_near(mirror[1], found.v[1], 1e-8);
        assert_near(found.value, 2.0 * x * x + 0.5 * y * y + g[1] * y, 1e-8);
        assert_optimal(&h, &g, 0.5, &found);
    }
    // Without the certificate the first case is not seen, and said not to be certified.
    let blind = TrustRegionConfig::new(0.5).with_certificate(false);
    let found = blind.maximize(&h, &vec![0.0, 0.3]).unwrap();
    assert_near(found.v[1], 0.5, 1e-12);
    assert!(!found.certified && found.outcome.is_converged() && found.mirror.is_none());
}

#[test]
fn a_ball_that_the_gradient_uses_up_is_no_hard_case() {
    // (μ − 1) ρ = 6 with ρ = ½ gives 13, beyond the eigenvalue 4.
    let h = diagonal(&[4.0, 1.0]);
    let found = TrustRegionConfig::new(0.5)
        .maximize(&h, &vec![0.0, 6.0])
        .unwrap();
    assert_eq!((found.kind, found.mirror), (SolutionKind::Boundary, None));
    assert_near(found.multiplier, 13.0, 1e-12);
    assert_near(found.v[1], 0.5, 1e-12);
    assert!(found.certified);
}

#[test]
fn random_problems_agree_with_a_dense_solution() {
    let n = 40;
    let spectra: Vec<(&str, Vec<f64>)> = vec![
        ("even", (0..n).map(|i| i as f64 / 4.0 - 5.0).collect()),
        (
            "decay",
            (0..n).map(|i| 10.0 * 0.7_f64.powi(i as i32)).collect(),
        ),
        ("negative", (0..n).map(|i| -1.0 - i as f64 / 8.0).collect()),
        (
            "outliers",
            (0..n)
                .map(|i| {
                    if i < 3 {
                        30.0 - i as f64
                    } else {
                        0.01 * i as f64
                    }
                })
                .collect(),
        ),
        (
            "few",
            (0..n).map(|i| [3.0, -1.0, 0.5, 2.0][i % 4]).collect(),
        ),
    ];
    let mut worst = 0.0_f64;
    for (seed, (name, values)) in (0..).zip(&spectra) {
        let (a, vectors) = with_spectrum(values, seed);
        let g = gaussian(n, 100 + seed);
        for rho in [1e-3, 0.1, 1.0, 20.0] {
            let config = TrustRegionConfig::new(rho).with_tolerance(1e-13);
            let found = config.maximize(&a, &g).unwrap();
            let (mu, v) = reference(values, &vectors, &g, rho);
            let error = distance(&found.v, &v) / rho.max(1e-300);
            worst = worst.max(error);
            assert!(error < 1e-8, "{name} {rho}: {error:e}");
            assert_near(found.multiplier, mu, 1e-8 * mu.max(1.0));
            assert_optimal(&a, &g, rho, &found);
            let is_inside = *name == "negative" && rho > 6.0;
            assert_eq!(
                found.kind == SolutionKind::Interior,
                is_inside,
                "{name} {rho}"
            );

            // The smallest value is the largest of the negative.
            let found = config_of_min(rho).minimize(&a, &g).unwrap();
            let opposite: Vec<f64> = values.iter().map(|d| -d).collect();
            let against: Vec<f64> = g.iter().map(|g| -g).collect();
            let (_, v) = reference(&opposite, &vectors, &against, rho);
            let error = distance(&found.v, &v) / rho;
            worst = worst.max(error);
            assert!(error < 1e-8, "{name} {rho}, smallest: {error:e}");
            let product = a.matvec(&found.v).unwrap();
            let value = g.dot(&found.v).unwrap() + 0.5 * found.v.dot(&product).unwrap();
            assert_near(found.value, value, 1e-12 * value.abs().max(1.0));
            assert!(found.value < 0.0);
        }
    }
    println!("largest relative distance {worst:.1e}");
}

fn config_of_min(rho: f64) -> TrustRegionConfig {
    TrustRegionConfig::new(rho).with_tolerance(1e-13)
}

#[test]
fn the_hard_case_of_many_dimensions_is_solved() {
    // The gradient has no part along the two largest eigenvalues; the first of them is double.
    let n = 60;
    let mut values: Vec<f64> = (0..n).map(|i| (i as f64 * 0.7).sin()).collect();
    (values[0], values[1], values[2]) = (4.0, 4.0, 3.0);
    let (a, vectors) = with_spectrum(&values, 5);
    let mut c = gaussian(n, 6);
    (c[0], c[1], c[2]) = (0.0, 0.0, 0.0);
    let g = (&vectors * DVector::from_column_slice(&c))
        .as_slice()
        .to_vec();
    let rho = 10.0;
    let counted = Counted::new(&a);
    let config = TrustRegionConfig::new(rho).with_tolerance(1e-12);
    let found = config.maximize(&counted, &g).unwrap();
    assert_eq!(found.num_matvecs, counted.num_matvecs());
    assert_eq!(found.kind, SolutionKind::HardCase);
    assert_near(found.multiplier, 4.0, 1e-10);
    assert_near(found.v.norm().unwrap(), rho, 1e-10);
    let y = vectors.transpose() * DVector::from_column_slice(&found.v);
    for i in 3..n {
        assert_near(y[i], c[i] / (4.0 - values[i]), 1e-8);
    }
    assert_near(y[2], 0.0, 1e-8);
    let mirror = found.mirror.clone().expect("a second solution");
    let product = a.matvec(&mirror).unwrap();
    let value = g.dot(&mirror).unwrap() + 0.5 * mirror.dot(&product).unwrap();
    assert_near(value, found.value, 1e-9);
    assert_optimal(&a, &g, rho, &found);

    // A share along the top that is within the tolerance is none; a larger one decides the sign.
    for sign in [1.0, -1.0] {
        c[0] = sign * 1e-6;
        let g = (&vectors * DVector::from_column_slice(&c))
            .as_slice()
            .to_vec();
        let loose = TrustRegionConfig::new(rho)
            .with_tolerance(1e-5)
            .maximize(&a, &g)
            .unwrap();
        assert_eq!(loose.kind, SolutionKind::HardCase);
        let found = config.maximize(&a, &g).unwrap();
        assert_eq!(found.kind, SolutionKind::Boundary);
        let y = vectors.transpose() * DVector::from_column_slice(&found.v);
        let rest: f64 = (2..n).map(|i| (c[i] / (4.0 - values[i])).powi(2)).sum();
        assert_near(y[0], sign * (rho * rho - rest).sqrt(), 1e-4);
        assert_optimal(&a, &g, rho, &found);
    }
}

#[test]
fn an_eigenvalue_just_beyond_the_multiplier_is_not_overlooked() {
    let n = 120;
    let (rho, mut found_beyond) = (2.0, 0);
    let mut values: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
    let mut c = gaussian(n, 11);
    c[0] = 0.0;
    c.iter_mut().for_each(|c| *c *= 0.02);
    let identity = DMatrix::identity(n - 1, n - 1);
    let (mu, _) = reference(&values[1..], &identity, &c[1..], rho);
    for shift in [-0.1, -1e-2, -1e-3, 1e-3, 1e-2, 0.1] {
        values[0] = mu + shift;
        let (a, vectors) = with_spectrum(&values, 12);
        let g = (&vectors * DVector::from_column_slice(&c))
            .as_slice()
            .to_vec();
        let found = TrustRegionConfig::new(rho).maximize(&a, &g).unwrap();
        let (place, multiplier) = match shift > 0.0 {
            true => (SolutionKind::HardCase, mu + shift),
            false => (SolutionKind::Boundary, mu),
        };
        assert_eq!(found.kind, place, "{shift}");
        assert_near(found.multiplier, multiplier, 1e-6);
        assert!(found.certified && found.outcome.is_converged());
        found_beyond += usize::from(shift > 0.0);
        println!("{shift:+}: {} products", found.num_matvecs);
    }
    assert_eq!(found_beyond, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Small whole numbers make eigenvalues multiple, gradients orthogonal and radii just long enough.
    #[test]
    fn every_answer_meets_the_conditions_of_a_global_maximum(
        entries in prop::collection::vec((-3_i32..4, -2_i32..3), 1..9),
        radius in prop::sample::select(vec![1e-3, 0.5, 1.0, 2.0, 2.5, 100.0]),
        seed in 0_u64..1000,
        is_turned in any::<bool>(),
    ) {
        let (values, c): (Vec<f64>, Vec<f64>) =
            entries.iter().map(|(d, c)| (f64::from(*d), f64::from(*c))).unzip();
        let n = values.len();
        let (a, vectors) = match is_turned {
            true => with_spectrum(&values, seed),
            false => (diagonal(&values), DMatrix::identity(n, n)),
        };
        let g = (&vectors * DVector::from_column_slice(&c)).as_slice().to_vec();
        let config = TrustRegionConfig::new(radius).with_tolerance(1e-11).with_seed(seed);
        let found = config.maximize(&a, &g).unwrap();
        let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let size = g.norm().unwrap() + 3.0 * radius;
        prop_assert!(found.outcome.is_converged() && found.certified, "{:?}", found);
        prop_assert!(found.multiplier >= top.max(0.0) - 1e-9);
        for v in [Some(&found.v), found.mirror.as_ref()].into_iter().flatten() {
            let product = a.matvec(v).unwrap();
            let rest: Vec<f64> = (0..n)
                .map(|i| found.multiplier * v[i] - product[i] - g[i])
                .collect();
            prop_assert!(rest.norm().unwrap() <= 1e-9 * size, "{:?}", found);
            let length = v.norm().unwrap();
            prop_assert!(length <= radius * (1.0 + 1e-9));
            let is_slack = radius - length > 1e-9 * radius;
            prop_assert!(!is_slack || found.multiplier == 0.0, "{:?}", found);
            let value = g.dot(v).unwrap() + 0.5 * v.dot(&product).unwrap();
            prop_assert!((value - found.value).abs() <= 1e-9 * (1.0 + size * radius));
        }
        // The hard case, known from the construction of the problem.
        let rest: f64 = (values.iter().zip(&c))
            .filter(|(d, _)| **d < top)
            .map(|(d, c)| (c / (top - d)).powi(2))
            .sum();
        let sees = values.iter().zip(&c).any(|(d, c)| *d == top && *c != 0.0);
        if (rest.sqrt() - radius).abs() > 1e-6 {
            let is_hard = top > 0.0 && !sees && rest.sqrt() < radius;
            prop_assert_eq!(found.kind == SolutionKind::HardCase, is_hard, "{:?}", found);
        }
    }
}

#[test]
fn without_a_gradient_the_largest_eigenvalue_decides() {
    let (a, vectors) = with_spectrum(&[-1.0, 2.0, 0.5, -3.0, 1.0], 3);
    let found = TrustRegionConfig::new(3.0)
        .maximize(&a, &vec![0.0; 5])
        .unwrap();
    assert_eq!(found.kind, SolutionKind::HardCase);
    assert_near(found.value, 0.5 * 2.0 * 9.0, 1e-10);
    let along = (vectors.transpose() * DVector::from_column_slice(&found.v))[1];
    assert_near(along.abs(), 3.0, 1e-10);

    let (a, _) = with_spectrum(&[-1.0, -2.0, -0.5], 3);
    let found = TrustRegionConfig::new(3.0)
        .maximize(&a, &vec![0.0; 3])
        .unwrap();
    assert_eq!((found.v, found.value), (vec![0.0; 3], 0.0));
    assert_eq!(
        (found.kind, found.certified),
        (SolutionKind::Interior, true)
    );

    let found = TrustRegionConfig::new(1.0)
        .maximize(&diagonal(&[0.0; 3]), &vec![0.0; 3])
        .unwrap();
    assert_eq!(
        (found.v, found.kind),
        (vec![0.0; 3], SolutionKind::Interior)
    );
}

#[test]
fn the_top_of_a_negative_definite_quadratic_is_taken_where_it_is_inside() {
    let (a, vectors) = with_spectrum(&[-1.0, -2.0, -4.0, -0.5], 8);
    let g = gaussian(4, 9);
    let c = vectors.transpose() * DVector::from_column_slice(&g);
    let newton = DVector::from_fn(4, |i, _| c[i] / [1.0, 2.0, 4.0, 0.5][i]);
    let length = newton.norm();
    let top = (&vectors * newton).as_slice().to_vec();
    let inside = TrustRegionConfig::new(1.01 * length)
        .maximize(&a, &g)
        .unwrap();
    assert_eq!(
        (inside.kind, inside.multiplier),
        (SolutionKind::Interior, 0.0)
    );
    assert!(distance(&inside.v, &top) < 1e-12);
    let outside = TrustRegionConfig::new(0.99 * length)
        .maximize(&a, &g)
        .unwrap();
    assert_eq!(outside.kind, SolutionKind::Boundary);
    assert_near(outside.v.norm().unwrap(), 0.99 * length, 1e-12);
    assert!(outside.multiplier > 0.0 && outside.value < inside.value);
}

#[test]
fn a_ball_of_no_radius_is_its_center() {
    let found = TrustRegionConfig::new(0.0)
        .maximize(&diagonal(&[4.0, 1.0]), &vec![4.0, 1.0])
        .unwrap();
    assert_eq!(
        (found.v, found.value, found.num_matvecs),
        (vec![0.0, 0.0], 0.0, 0)
    );
    assert_eq!(found.multiplier, f64::INFINITY);
}

struct Single(Vec<f32>);

impl LinearOperator for Single {
    type Domain = Vec<f32>;
    type Range = Vec<f32>;
    type Error = KrylovFault;
    fn domain(&self) -> usize {
        self.0.len()
    }
    fn range(&self) -> usize {
        self.0.len()
    }
    fn matvec(&self, v: &Vec<f32>) -> Result<Vec<f32>, KrylovFault> {
        Ok(v.iter().zip(&self.0).map(|(x, d)| x * d).collect())
    }
}

impl SelfAdjoint for Single {}

#[test]
fn single_precision_reaches_its_own_rounding() {
    let values: Vec<f32> = (0..30).map(|i| i as f32 / 5.0 - 2.0).collect();
    let g: Vec<f32> = Probe::Gaussian.draw(&30, 2, 0).unwrap();
    let config = TrustRegionConfig::new(0.7).with_tolerance(1e-14);
    let found = config.maximize(&Single(values.clone()), &g).unwrap();
    assert!(found.outcome.is_converged() && found.certified, "{found:?}");
    let wide: Vec<f64> = values.iter().map(|d| f64::from(*d)).collect();
    let g: Vec<f64> = g.iter().map(|g| f64::from(*g)).collect();
    let (mu, v) = reference(&wide, &DMatrix::identity(30, 30), &g, 0.7);
    let wide: Vec<f64> = found.v.iter().map(|v| f64::from(*v)).collect();
    // 32 ε of f32 over the distance of the multiplier to the spectrum.
    assert!(distance(&wide, &v) < 1e-5, "{:e}", distance(&wide, &v));
    assert_near(found.multiplier, mu, 1e-4);

    // The hard case.
    let found = config
        .maximize(&Single(vec![4.0, 1.0]), &vec![0.0, 0.3])
        .unwrap();
    assert_eq!(found.kind, SolutionKind::HardCase);
    assert_near(f64::from(found.v[0].abs()), 0.48_f64.sqrt(), 1e-5);
    assert_near(f64::from(found.v[1]), 0.1, 1e-5);
}

#[test]
fn products_are_counted_shown_and_limited() {
    let (a, _) = with_spectrum(&(0..50).map(f64::from).collect::<Vec<_>>(), 1);
    let g = gaussian(50, 4);
    let a = Counted::new(a);
    let mut seen = Vec::new();
    let config = TrustRegionConfig::new(1.0);
    let observed = (&a).observed(|step| {
        seen.push((step.num_matvecs, step.task));
        ControlFlow::Continue(())
    });
    let found = config.maximize(&observed, &g).unwrap();
    assert_eq!(found.num_matvecs, a.num_matvecs());
    assert_eq!(seen.len() + 1, found.num_matvecs);
    assert!(
        seen.iter()
            .enumerate()
            .all(|(i, (products, _))| *products == i + 1)
    );
    assert!(seen.iter().any(|(_, task)| *task == "certificate"));

    // Stopped, it is what the vectors so far give, and says that it is not the solution.
    let stopped = (&a).observed(|_| ControlFlow::Break(()));
    let one = config.maximize(&stopped, &g).unwrap();
    assert!(!one.outcome.is_converged() && !one.certified);
    assert_eq!(one.num_matvecs, 2);
    let norm = g.norm().unwrap();
    let cosine = one.v.dot(&g).unwrap() / norm / one.v.norm().unwrap();
    assert_near(cosine, 1.0, 1e-12);
    let few = config.with_max_basis(4).maximize(&a, &g).unwrap();
    assert!(!few.outcome.is_converged() && few.residual > few.goal);
    assert!(few.value > one.value && few.value < found.value);
}

#[test]
fn every_product_but_the_last_is_shown_in_the_hard_case_too() {
    let config = TrustRegionConfig::new(1.0);
    let hard = Counted::new(diagonal(&[4.0, 1.0, 0.5, -1.0]));
    let mut seen = Vec::new();
    let observed = (&hard).observed(|step| {
        seen.push((step.num_matvecs, step.task));
        ControlFlow::Continue(())
    });
    let found = config
        .maximize(&observed, &vec![0.0, 0.3, 0.1, 0.1])
        .unwrap();
    assert_eq!(found.kind, SolutionKind::HardCase);
    assert_eq!(found.num_matvecs, hard.num_matvecs());
    assert_eq!(seen.len() + 1, found.num_matvecs);
    let mut counts = seen.iter().enumerate();
    assert!(counts.all(|(i, (products, _))| *products == i + 1));
    for task in ["trust region", "certificate", "certificate: eigenvector"] {
        assert!(seen.iter().any(|(_, seen)| *seen == task), "{task}");
    }
}

#[test]
fn input_that_cannot_be_right_is_refused() {
    let h = diagonal(&[4.0, 1.0]);
    let g = vec![1.0, 1.0];
    for radius in [-1.0, f64::NAN, f64::INFINITY] {
        let error = TrustRegionConfig::new(radius)
            .maximize(&h, &g)
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(error, KrylovFault::OutOfBounds { name: "radius", .. }),
            "{error}"
        );
    }
    let config = TrustRegionConfig::new(1.0);
    for tolerance in [0.0, -1.0, f64::NAN] {
        let error = config
            .clone()
            .with_tolerance(tolerance)
            .maximize(&h, &g)
            .map(|_| ());
        assert!(matches!(
            error,
            Err(KrylovFault::OutOfBounds {
                name: "tolerance",
                ..
            })
        ));
    }
    let error = config
        .clone()
        .with_max_basis(0)
        .maximize(&h, &g)
        .map(|_| ());
    assert!(matches!(error, Err(KrylovFault::BasisTooSmall { .. })));
    let error = config.maximize(&h, &vec![1.0, f64::NAN]).map(|_| ());
    assert!(matches!(
        error,
        Err(KrylovFault::NonFiniteArgument { name: "g", .. })
    ));
    let error = config.maximize(&h, &vec![1.0]).map(|_| ());
    assert!(matches!(error, Err(KrylovFault::DimensionMismatch { .. })));
    let error = TrustRegionConfig::new(1.0)
        .maximize(&Single(vec![4.0, f32::INFINITY]), &vec![1.0, 1.0])
        .map(|_| ());
    assert!(
        matches!(error, Err(KrylovFault::NonFinite { .. })),
        "{error:?}"
    );
}
