//! The smallest eigenvalue of the Hessian as a certificate.

use burn::tensor::{DType, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{EigenpairsConfig, KrylovFault, Which};
use burnscape::loss::Risk;
use burnscape::optim::{OptimError, PerturbedGdConfig, SkipReason};
use burnscape_testkit::objectives::{Point, quadratic, saddle};

use super::fixture::{assert_near, device, no_data, point, sgd};

fn smallest() -> EigenpairsConfig {
    EigenpairsConfig::new(1, Which::Smallest)
}

#[test]
fn a9_perturbed_descent_ends_at_a_minimum_that_lanczos_certifies() {
    let loss = |m: &Point, _: Tensor<1>| saddle(m);
    let data = [no_data()];
    let risk = Risk::new(&loss, &data);
    let lambda_min = smallest().with_tolerance(1e-12);
    for seed in 0..5 {
        let mut model = point(&[1.0, 0.0]);
        let config = PerturbedGdConfig::new(0.05, 1e-4, 1e-3)
            .with_patience(150)
            .with_seed(seed);
        let mut descent = config.init(sgd()).expect("a valid configuration");
        let mut measured = None;
        for _ in 0..1000 {
            let certificate = |m: &Point| {
                let found = lambda_min.run(&risk.hessian(m)?)?;
                let value = found.values[0];
                measured = Some(found);
                Ok(value)
            };
            let report = descent.step_with_certificate(0.1, &mut model, saddle, certificate);
            if report.expect("a step").skipped == Some(SkipReason::Certified) {
                break;
            }
        }
        let certified = descent.certified().expect("a certificate");
        let end = model.coordinates();
        assert_near(end[1].abs(), 1.0, 1e-3);
        assert_near(certified.loss, -0.25, 1e-6);
        // H = diag(1, −1 + 3y²).
        assert_near(certified.lambda_min.expect("an eigenvalue"), 1.0, 1e-8);
        let measured = measured.expect("a measurement");
        assert!(measured.outcome.is_converged() && measured.residuals[0] < 1e-11);
    }
    // At the saddle itself it is −1.
    let hessian = risk.hessian(&point(&[0.0, 0.0])).expect("a Hessian");
    let found = lambda_min.run(&hessian).expect("a measurement");
    assert_near(found.values[0], -1.0, 1e-12);
}

#[test]
fn the_smallest_eigenvalue_is_that_of_all_the_data() {
    // ½ Σ xⱼ wⱼ² over examples: the mean of the rows is the diagonal of the Hessian.
    let loss = |m: &Point, x: Tensor<2>| {
        let squares = m.w.val().square().unsqueeze::<2>();
        (x * squares).sum_dim(1).mean() * 0.5
    };
    let rows = |rows: Vec<[f64; 3]>| {
        let n = rows.len();
        Tensor::<1>::from_data(rows.concat().as_slice(), (&device(), DType::F64)).reshape([n, 3])
    };
    let data = [
        rows(vec![[3.0, 1.0, 0.0], [1.0, -5.0, 2.0]]),
        rows(vec![[-1.0, 1.0, 4.0]]),
    ];
    let model = point(&[0.3, 0.1, -0.2]);
    let hessian = Risk::new(&loss, &data).hessian(&model).expect("a Hessian");
    let lambda_min = smallest().with_tolerance(1e-12).with_seed(3);
    let found = lambda_min.run(&hessian).expect("a measurement");
    assert_near(found.values[0], -1.0, 1e-10);
    assert!(found.outcome.is_converged() && found.num_matvecs >= 3);
}

#[test]
fn a_run_that_is_cut_short_reports_it_and_bad_settings_are_refused() {
    let diagonal: Vec<f64> = (0..60).map(|i| f64::from(i).sqrt()).collect();
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &diagonal);
    let (model, data) = (point(&[0.1; 60]), [no_data()]);
    let risk = Risk::new(&loss, &data);
    let hessian = risk.hessian(&model).expect("a Hessian");
    let few = smallest().with_max_matvecs(6);
    let found = few.run(&hessian).expect("a measurement");
    assert!(!found.outcome.is_converged() && found.num_matvecs <= 6);
    // A Ritz value is above the eigenvalue, and within its residual of one.
    assert!(found.values[0] > 1e-3);
    let near = diagonal.iter().map(|d| (d - found.values[0]).abs());
    assert!(near.fold(f64::INFINITY, f64::min) <= found.residuals[0]);

    let refused = smallest().with_tolerance(-1.0);
    let error = refused.run(&hessian).expect_err("a refusal");
    assert!(matches!(
        error,
        CurvatureError::Krylov(KrylovFault::OutOfBounds {
            name: "tolerance",
            value: -1.0,
            ..
        })
    ));
}

#[test]
fn no_point_is_certified_when_the_certificate_fails() {
    let failures: [fn() -> Result<f64, OptimError>; 3] = [
        || {
            Err(OptimError::Certificate {
                message: "no memory".into(),
            })
        },
        || Ok(f64::NAN),
        || {
            let loss = |m: &Point, _: Tensor<1>| saddle(m);
            let none: [Tensor<1>; 0] = [];
            let risk = Risk::new(&loss, &none);
            let hessian = risk.hessian(&point(&[0.0, 0.0]))?;
            Ok(smallest().run(&hessian)?.values[0])
        },
    ];
    for failure in failures {
        let config = PerturbedGdConfig::new(1e-3, 1e-2, 1e-3).with_patience(3);
        let mut descent = config.init(sgd()).expect("a valid configuration");
        let mut model = point(&[0.0, 0.0]);
        let mut refused = None;
        for _ in 0..5 {
            let before = model.coordinates();
            match descent.step_with_certificate(0.1, &mut model, saddle, |_| failure()) {
                Ok(report) => assert_ne!(report.skipped, Some(SkipReason::Certified)),
                Err(error) => {
                    assert_eq!(model.coordinates(), before);
                    refused = Some(error);
                }
            }
            assert!(descent.certified().is_none());
        }
        let error = refused.expect("a refusal");
        assert!(error.to_string().contains("; "), "no remedy: {error}");
        // At the next step, a certificate that succeeds ends the search at the saved point.
        let report = descent.step_with_certificate(0.1, &mut model, saddle, |_| Ok(-1.0));
        assert_eq!(report.expect("a step").skipped, Some(SkipReason::Certified));
        assert_eq!(
            descent.certified().and_then(|point| point.lambda_min),
            Some(-1.0)
        );
        assert_eq!(model.coordinates(), [0.0, 0.0]);
    }
}

#[test]
fn a_saddle_that_the_certificate_sees_is_left() {
    // So little noise and patience that the search gives up at the saddle.
    let loss = |m: &Point, _: Tensor<1>| saddle(m);
    let data = [Tensor::<1>::zeros([1], &device())];
    let risk = Risk::new(&loss, &data);
    let lambda_min = smallest();
    let end = |threshold: Option<f64>| {
        let config = PerturbedGdConfig::new(1e-3, 1e-2, 1e-3)
            .with_patience(3)
            .with_curvature_threshold(threshold);
        let mut descent = config.init(sgd()).expect("a valid configuration");
        let mut model = point(&[0.0, 0.0]);
        for _ in 0..400 {
            let certificate = |m: &Point| Ok(lambda_min.run(&risk.hessian(m)?)?.values[0]);
            let report = descent.step_with_certificate(0.1, &mut model, saddle, certificate);
            report.expect("a step");
        }
        (model.coordinates()[1].abs(), descent.certified().cloned())
    };
    let (y, certified) = end(None);
    let certified = certified.expect("an end");
    assert_near(certified.lambda_min.expect("an eigenvalue"), -1.0, 1e-8);
    assert!(y < 1e-9, "taken back to the saddle: {y}");
    let (y, certified) = end(Some(0.1));
    let certified = certified.expect("an end");
    assert_near(certified.lambda_min.expect("an eigenvalue"), 1.0, 0.1);
    assert!((y - 1.0).abs() < 0.05, "at a minimum: {y}");
}
