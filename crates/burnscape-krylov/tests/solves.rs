//! Solvers reach the solution, report the true residual, and refuse systems that they cannot solve.

use std::ops::ControlFlow;

use burnscape_krylov::{
    Dense, KrylovFault, LinearOperator, Preconditioned, Probe, SolveConfig, Symmetric, VectorSpace,
};

/// `H D H` with a Householder reflection `H`.
fn with_spectrum(values: &[f64]) -> Symmetric<Dense> {
    let n = values.len();
    let v: Vec<f64> = Probe::Gaussian.draw(&n, 99, 0).unwrap();
    let square = v.dot(&v).unwrap();
    let reflection = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square;
    let entry = |index: usize| {
        let (i, j) = (index / n, index % n);
        let terms = values.iter().enumerate();
        terms
            .map(|(k, value)| reflection(i, k) * value * reflection(k, j))
            .sum::<f64>()
    };
    let dense = Dense::from_row_major(n, n, (0..n * n).map(entry).collect()).unwrap();
    Symmetric::verified(dense, 1e-10, 0).unwrap()
}

fn error(x: &[f64], exact: &[f64]) -> f64 {
    let difference: f64 = x.iter().zip(exact).map(|(a, b)| (a - b).powi(2)).sum();
    let size: f64 = exact.iter().map(|x| x * x).sum();
    (difference / size).sqrt()
}

#[test]
fn solutions_are_found_as_fast_as_the_spectrum_allows() {
    // Four values: four products are enough, in exact arithmetic.
    for (values, is_positive) in [
        ([1.0, 2.0, 5.0, 9.0], true),
        ([-3.0, 2.0, 5.0, -0.5], false),
    ] {
        let spectrum: Vec<f64> = (0..40).map(|i| values[i % 4]).collect();
        let a = with_spectrum(&spectrum);
        let exact: Vec<f64> = Probe::Gaussian.draw(&40, 5, 0).unwrap();
        let b = a.matvec(&exact).unwrap();
        let minres = SolveConfig::minres()
            .with_tolerance(1e-12)
            .run(&a, &b)
            .unwrap();
        assert!(minres.outcome.is_converged() && error(&minres.x, &exact) < 1e-11);
        assert_eq!(minres.num_matvecs, 5, "four, and one for the residual");
        if is_positive {
            let cg = SolveConfig::conjugate_gradients()
                .with_tolerance(1e-12)
                .run(&a, &b)
                .unwrap();
            assert!(cg.outcome.is_converged() && error(&cg.x, &exact) < 1e-11);
            assert_eq!(cg.num_matvecs, 5);
        }
        // The residual is the true one.
        let rest = b.clone().axpy(-1.0, &a.matvec(&minres.x).unwrap()).unwrap();
        let true_residual = rest.norm().unwrap() / b.norm().unwrap();
        assert_eq!(true_residual, minres.residual);
    }
}

#[test]
fn preconditioners_shorten_the_way() {
    let values: Vec<f64> = (0..60).map(|i| 1.5_f64.powi(i % 30)).collect();
    let diagonal = |f: &dyn Fn(f64) -> f64| {
        let entries: Vec<f64> = values.iter().map(|x| f(*x)).collect();
        Symmetric::verified(Dense::diagonal(&entries), 1e-12, 0).unwrap()
    };
    let a = diagonal(&|x| x);
    let nearly = diagonal(&|x| 1.0 / (x + 0.1 * (x.sin() + 1.0)));
    let b: Vec<f64> = Probe::Gaussian.draw(&60, 5, 0).unwrap();
    let cg = SolveConfig::conjugate_gradients().with_tolerance(1e-10);
    let (plain, better) = (
        cg.run(&a, &b).unwrap(),
        cg.run(&Preconditioned::new(&a, &nearly).unwrap(), &b)
            .unwrap(),
    );
    assert!(plain.outcome.is_converged() && better.outcome.is_converged());
    assert!(
        2 * better.num_matvecs < plain.num_matvecs,
        "{} {}",
        better.num_matvecs,
        plain.num_matvecs
    );
    assert!(error(&better.x, &plain.x) < 1e-8);
    let minres = SolveConfig::minres().with_tolerance(1e-10);
    let (plain, better) = (
        minres.run(&a, &b).unwrap(),
        minres
            .run(&Preconditioned::new(&a, &nearly).unwrap(), &b)
            .unwrap(),
    );
    assert!(plain.outcome.is_converged() && better.outcome.is_converged());
    assert!(
        2 * better.num_matvecs < plain.num_matvecs,
        "{} {}",
        better.num_matvecs,
        plain.num_matvecs
    );
    assert!(error(&better.x, &plain.x) < 1e-7);
}

#[test]
fn minres_never_lets_the_residual_grow() {
    let values: Vec<f64> = (0..50).map(|i| f64::from(i) - 20.3).collect();
    let a = with_spectrum(&values);
    let b: Vec<f64> = Probe::Gaussian.draw(&50, 6, 0).unwrap();
    let mut residuals = Vec::new();
    let observed = (&a).observed(|step| {
        residuals.extend(step.error);
        ControlFlow::Continue(())
    });
    let found = SolveConfig::minres().run(&observed, &b);
    assert!(found.unwrap().outcome.is_converged());
    assert!(
        residuals
            .windows(2)
            .all(|pair| pair[1] <= pair[0] * (1.0 + 1e-12))
    );
}

#[test]
fn systems_without_a_solution_are_reported() {
    // The right-hand side leaves the range of a singular operator.
    let a = Symmetric::verified(Dense::diagonal(&[2.0, 0.0]), 1e-12, 0).unwrap();
    let found = SolveConfig::minres().run(&a, &vec![2.0, 1.0]).unwrap();
    assert!(!found.outcome.is_converged() && (found.residual - 0.2_f64.sqrt()).abs() < 1e-12);
    let zero = SolveConfig::minres().run(&a, &vec![0.0, 0.0]).unwrap();
    assert!(zero.outcome.is_converged() && zero.x == [0.0, 0.0] && zero.num_matvecs == 0);
    // A negative direction.
    let saddle = Symmetric::verified(Dense::diagonal(&[2.0, -1.0]), 1e-12, 0).unwrap();
    let refused = SolveConfig::conjugate_gradients()
        .run(&saddle, &vec![0.0, 1.0])
        .map(|_| ());
    assert_eq!(
        refused,
        Err(KrylovFault::NotPositive {
            product: 0,
            value: -1.0
        })
    );
    // Limits, and what is no number.
    let values: Vec<f64> = (1..60).map(f64::from).collect();
    let slow = with_spectrum(&values);
    let b: Vec<f64> = Probe::Gaussian.draw(&59, 7, 0).unwrap();
    let few = SolveConfig::conjugate_gradients()
        .with_max_matvecs(3)
        .run(&slow, &b)
        .unwrap();
    assert!(!few.outcome.is_converged() && few.num_matvecs == 4);
    let refused = SolveConfig::conjugate_gradients()
        .run(&slow, &vec![f64::NAN; 59])
        .map(|_| ());
    assert!(matches!(
        refused,
        Err(KrylovFault::NonFiniteArgument { name: "b", .. })
    ));
    let refused = SolveConfig::minres()
        .with_tolerance(0.0)
        .run(&slow, &b)
        .map(|_| ());
    assert_eq!(
        refused,
        Err(KrylovFault::OutOfBounds {
            name: "tolerance",
            value: 0.0,
            allowed: "a positive, finite number"
        })
    );
    assert!(
        SolveConfig::conjugate_gradients()
            .run(&slow, &vec![1.0; 3])
            .is_err()
    );
}

#[test]
fn a_right_hand_side_far_larger_than_the_operator_is_solved_for() {
    let values: Vec<f64> = (0..30).map(|i| 1.0 + f64::from(i) / 10.0).collect();
    let signs = values.iter().enumerate();
    let signs: Vec<f64> = signs
        .map(|(i, x)| if i % 3 == 0 { -x } else { *x })
        .collect();
    let inverse: Vec<f64> = values.iter().map(|x| 1.0 / (x + 0.1 * x.sin())).collect();
    let nearly = Symmetric::verified(Dense::diagonal(&inverse), 1e-12, 0).unwrap();
    let (positive, indefinite) = (with_spectrum(&values), with_spectrum(&signs));
    let diagonal = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0).unwrap();
    let exact: Vec<f64> = Probe::Gaussian.draw(&30, 5, 0).unwrap();
    for size in [1.0, 1e14, 1e18, 1e30, 1e100] {
        let exact: Vec<f64> = exact.iter().map(|x| size * x).collect();
        let b = |a: &Symmetric<Dense>| a.matvec(&exact).unwrap();
        let (cg, minres) = (SolveConfig::conjugate_gradients(), SolveConfig::minres());
        for found in [
            cg.run(&positive, &b(&positive)),
            minres.run(&positive, &b(&positive)),
            minres.run(&indefinite, &b(&indefinite)),
            cg.run(
                &Preconditioned::new(&diagonal, &nearly).unwrap(),
                &b(&diagonal),
            ),
            minres.run(
                &Preconditioned::new(&diagonal, &nearly).unwrap(),
                &b(&diagonal),
            ),
        ] {
            let found = found.unwrap();
            assert!(found.outcome.is_converged(), "{size:e}: {}", found.residual);
            assert!(error(&found.x, &exact) < 1e-7, "{size:e}");
        }
    }
    // Single precision has fewer digits for this to happen in.
    let a = burnscape_krylov::Scaled::new(Rounded, 2.0).unwrap();
    let found = SolveConfig::minres()
        .run(&a, &vec![2e6, -4e6, 6e6])
        .unwrap();
    assert!(found.outcome.is_converged() && (found.x[1] + 1e6).abs() < 10.0);
}

/// `diag(1, 2, 3)` in single precision.
struct Rounded;

impl LinearOperator for Rounded {
    type Domain = Vec<f32>;
    type Range = Vec<f32>;
    type Error = burnscape_krylov::KrylovFault;

    fn domain(&self) -> usize {
        3
    }

    fn range(&self) -> usize {
        3
    }

    fn matvec(&self, v: &Vec<f32>) -> Result<Vec<f32>, Self::Error> {
        Ok(v.iter().zip([1.0, 2.0, 3.0]).map(|(x, d)| x * d).collect())
    }
}

impl burnscape_krylov::SelfAdjoint for Rounded {}

#[test]
fn minres_does_not_solve_with_rounding_where_the_operator_is_singular_along_the_right_hand_side() {
    let values: Vec<f64> = (0..30).map(f64::from).collect();
    let a = with_spectrum(&values);
    // The eigenvector of zero is the mirror image of the first axis.
    let mirror: Vec<f64> = Probe::Gaussian.draw(&30, 99, 0).unwrap();
    let share = 2.0 * mirror[0] / mirror.dot(&mirror).unwrap();
    let mut b: Vec<f64> = mirror.iter().map(|x| -share * x).collect();
    b[0] += 1.0;
    let found = SolveConfig::minres().run(&a, &b).unwrap();
    assert!(!found.outcome.is_converged() && found.x.iter().all(|x| x.abs() < 1e-12));
    assert!((found.residual - 1.0).abs() < 1e-12);
}
