//! What cannot be answered is an error that says why.

use burnscape::krylov::{HostError, KrylovError};
use burnscape::spectrum::{Spectrum, SpectrumError};
use std::ops::ControlFlow;

use super::fixture::{Matrix, point, with_hessian};
use burnscape::krylov::Dense;
use burnscape::space::ParamSpace;

#[test]
fn arguments_out_of_range() {
    with_hessian(&point(5), &[1.0, 2.0, 3.0, 4.0, 5.0], |hessian| {
        let spectrum = || Spectrum::of(hessian);
        let error = spectrum().top_eigenpairs(6).unwrap_err();
        let expected = KrylovError::TooMany {
            asked: 6,
            available: 5,
        };
        assert_eq!(error, SpectrumError::Krylov(expected));
        let error = spectrum().with_probes(0).density().unwrap_err();
        assert_eq!(error, SpectrumError::Krylov(KrylovError::NoProbes));
        let error = spectrum().with_probes(0).diagonal().unwrap_err();
        assert_eq!(error, SpectrumError::Krylov(KrylovError::NoProbes));
        let error = spectrum().with_probes(0).trace_by_layer().unwrap_err();
        assert_eq!(error, SpectrumError::Krylov(KrylovError::NoProbes));
        let error = spectrum().with_max_products(0).trace().unwrap_err();
        assert_eq!(error, SpectrumError::Krylov(KrylovError::NoProbes));
        for tolerance in [0.0, -1.0, f64::NAN] {
            let error = spectrum().with_tolerance(tolerance).top_eigenpairs(1);
            let error = error.unwrap_err();
            assert!(
                matches!(
                    error,
                    SpectrumError::Krylov(KrylovError::InvalidTolerance { .. })
                ),
                "{error}"
            );
        }
        for value in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            let error = spectrum().effective_dimension(value).unwrap_err();
            assert!(matches!(
                error,
                SpectrumError::OutOfRange { name: "gamma", .. }
            ));
            assert!(error.to_string().contains("give a finite number > 0"));
            let error = spectrum().critical_point(value).unwrap_err();
            let name = "gradient_tolerance";
            assert!(matches!(error, SpectrumError::OutOfRange { name: n, .. } if n == name));
        }
        let error = spectrum().with_zero(-1.0).inertia().unwrap_err();
        assert!(matches!(
            error,
            SpectrumError::OutOfRange { name: "zero", .. }
        ));
        let error = spectrum().density().unwrap().curve(0).unwrap_err();
        let expected = HostError::NotPositive { name: "points" };
        assert_eq!(error, SpectrumError::Host(expected));
    });
}

#[test]
fn a_number_that_is_not_finite_is_named_by_its_product() {
    let point = point(3);
    let space = ParamSpace::of(&point).unwrap();
    let entries = vec![1.0, 0.0, 0.0, 0.0, f64::NAN, 0.0, 0.0, 0.0, 1.0];
    let matrix = Matrix {
        space,
        entries: Dense::from_row_major(3, 3, entries).unwrap(),
    };
    let expected = || SpectrumError::Krylov(KrylovError::NonFinite { product: 0 });
    let spectrum = || Spectrum::of(&matrix);
    assert_eq!(spectrum().top_eigenpairs(1).unwrap_err(), expected());
    assert_eq!(spectrum().density().unwrap_err(), expected());
    assert_eq!(spectrum().trace().unwrap_err(), expected());
    assert_eq!(spectrum().trace_by_layer().unwrap_err(), expected());
    assert_eq!(spectrum().diagonal().unwrap_err(), expected());
    assert_eq!(spectrum().inertia().unwrap_err(), expected());
}

#[test]
fn stopped_with_nothing_is_an_error() {
    with_hessian(&point(30), &[1.0; 30], |hessian| {
        let error = Spectrum::of(hessian)
            .with_observer(|_| ControlFlow::Break(()))
            .inertia();
        assert_eq!(error.unwrap_err(), SpectrumError::Stopped { products: 1 });
        let varied: Vec<f64> = (0..30).map(f64::from).collect();
        with_hessian(&point(30), &varied, |hessian| {
            let error = Spectrum::of(hessian)
                .with_observer(|_| ControlFlow::Break(()))
                .density();
            assert_eq!(error.unwrap_err(), SpectrumError::Stopped { products: 1 });
        });
    });
}
