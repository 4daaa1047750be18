//! Questions without a result are errors that state the reason.

use burnscape::OutOfRange;
use burnscape::krylov::{Axis, KrylovFault};
use burnscape::spectrum::Spectrum;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fixture::{Matrix, nothing, origin, point, with_hessian};
use burn::tensor::Tensor;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{Dense, LinearOperator, SelfAdjoint, Symmetric};
use burnscape::loss::{LossError, Risk};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::objectives::Point;
use std::cell::Cell;

#[test]
fn arguments_out_of_range() {
    with_hessian(&point(5), &[1.0, 2.0, 3.0, 4.0, 5.0], |hessian| {
        let spectrum = || Spectrum::of(hessian);
        let error = spectrum().top_eigenpairs(6).unwrap_err();
        let expected = KrylovFault::TooMany {
            name: "eigenpairs",
            asked: 6,
            available: 5,
        };
        assert_eq!(error, CurvatureError::Krylov(expected));
        let error = spectrum().with_max_bytes(39).top_eigenpairs(1).unwrap_err();
        assert!(matches!(
            error,
            CurvatureError::Krylov(KrylovFault::MemoryTooSmall { bytes: 39, .. })
        ));
        let error = spectrum().with_num_probes(0).density().unwrap_err();
        let none = |method, name| {
            let (needed, found) = (1, 0);
            CurvatureError::Krylov(KrylovFault::NoProbes {
                method,
                name,
                needed,
                found,
            })
        };
        assert_eq!(error, none("a density", "num_probes"));
        let error = spectrum().with_num_probes(0).trace_by_layer().unwrap_err();
        assert!(matches!(
            error,
            CurvatureError::OutOfRange(OutOfRange {
                name: "num_probes",
                ..
            })
        ));
        let error = spectrum().with_max_matvecs(0).trace().unwrap_err();
        assert_eq!(error, none("Hutchinson's method", "max_matvecs"));
        for tolerance in [0.0, -1.0, f64::NAN] {
            let error = spectrum().with_tolerance(tolerance).top_eigenpairs(1);
            let error = error.unwrap_err();
            assert!(
                matches!(
                    error,
                    CurvatureError::Krylov(KrylovFault::OutOfBounds {
                        name: "tolerance",
                        ..
                    })
                ),
                "{error}"
            );
        }
        for value in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            let error = spectrum().effective_dimension(value).unwrap_err();
            assert!(matches!(
                error,
                CurvatureError::OutOfRange(OutOfRange { name: "gamma", .. })
            ));
            assert!(error.to_string().ends_with("more than 0"), "{error}");
            let error = spectrum().critical_point(value).unwrap_err();
            let name = "gradient_tolerance";
            assert!(matches!(
                error,
                CurvatureError::OutOfRange(OutOfRange { name: n, .. }) if n == name
            ));
        }
        let error = spectrum().with_steps(0).critical_point(1.0).unwrap_err();
        assert!(matches!(
            error,
            CurvatureError::OutOfRange(OutOfRange { name: "steps", .. })
        ));
        assert!(spectrum().with_steps(0).density().is_err());
        assert!(spectrum().with_steps(0).inertia().is_err());
        for wrong in [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY] {
            assert!(
                spectrum().with_confidence(wrong).trace().is_err(),
                "{wrong}"
            );
            assert!(
                spectrum().with_confidence(wrong).trace_by_layer().is_err(),
                "{wrong}"
            );
        }
        for wrong in [-0.5, f64::NAN, f64::INFINITY] {
            assert!(
                spectrum().with_trace_tolerance(wrong).trace().is_err(),
                "{wrong}"
            );
            assert!(spectrum().with_zero(wrong).inertia().is_err(), "{wrong}");
            assert!(
                spectrum().with_zero(wrong).critical_point(1.0).is_err(),
                "{wrong}"
            );
            assert!(
                spectrum().with_zero(wrong).condition_number().is_err(),
                "{wrong}"
            );
        }
        assert!(spectrum().with_max_basis(0).top_eigenpairs(1).is_err());
        assert!(spectrum().with_outliers(6).density().is_err());
        let error = spectrum().with_zero(-1.0).inertia().unwrap_err();
        assert!(matches!(
            error,
            CurvatureError::OutOfRange(OutOfRange { name: "zero", .. })
        ));
        let density = spectrum().density().unwrap();
        let error = density.curve(Axis::Linear, 0, None).unwrap_err();
        assert!(matches!(
            error,
            KrylovFault::OutOfBounds { name: "points", .. }
        ));
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
    let expected = || CurvatureError::Krylov(KrylovFault::NonFinite { product: 0 });
    let spectrum = || Spectrum::of(&matrix);
    assert_eq!(spectrum().top_eigenpairs(1).unwrap_err(), expected());
    assert_eq!(spectrum().density().unwrap_err(), expected());
    assert_eq!(spectrum().trace().unwrap_err(), expected());
    assert_eq!(spectrum().trace_by_layer().unwrap_err(), expected());
    assert_eq!(spectrum().inertia().unwrap_err(), expected());
}

#[test]
fn a_point_whose_gradient_is_not_finite_is_no_critical_point() {
    // Burn's gradient of √0 is infinite, and drops out of the products: they are those of the squares.
    let loss = |point: &Point, _: Tensor<1>| {
        let w = point.w.val();
        w.clone().square().sum() + w.sum().sqrt()
    };
    let data = nothing();
    let risk = Risk::new(&loss, &data);
    let hessian = risk.clone().with_checks(false).hessian(&origin(3)).unwrap();
    let error = Spectrum::of(&hessian).critical_point(1.0).unwrap_err();
    let CurvatureError::Loss(LossError::NonFiniteGradient { norm }) = error else {
        panic!("{error}");
    };
    assert!(!norm.is_finite());
}

#[test]
fn stopped_with_nothing_is_an_error() {
    with_hessian(&point(30), &[1.0; 30], |hessian| {
        let stopped = hessian.observed(|_| ControlFlow::Break(()));
        let error = Spectrum::of(&stopped).inertia();
        assert_eq!(error.unwrap_err(), CurvatureError::Stopped);
    });
}

/// A diagonal matrix whose product number five is NaN.
struct Late {
    matrix: Matrix,
    products: Cell<usize>,
}

impl LinearOperator for Late {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.matrix.domain()
    }

    fn range(&self) -> ParamSpace {
        self.matrix.range()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let product = self.matrix.matvec(v)?;
        let number = self.products.replace(self.products.get() + 1);
        Ok(product.scale(if number == 5 { f64::NAN } else { 1.0 }))
    }
}

impl SelfAdjoint for Late {}

#[test]
fn a_late_nan_is_named_by_its_place_among_all_products() {
    let values: Vec<f64> = (1..=30).map(f64::from).collect();
    let late = || Late {
        matrix: Matrix {
            space: ParamSpace::of(&point(30)).unwrap(),
            entries: Dense::diagonal(&values),
        },
        products: Cell::new(0),
    };
    let expected = || CurvatureError::Krylov(KrylovFault::NonFinite { product: 5 });
    let ask = |ask: &dyn Fn(&Spectrum<'_, Late>) -> CurvatureError| {
        let operator = late();
        // Four steps a probe: the fifth product is the second of the second probe.
        assert_eq!(ask(&Spectrum::of(&operator).with_steps(4)), expected());
    };
    ask(&|spectrum| spectrum.top_eigenpairs(1).unwrap_err());
    ask(&|spectrum| spectrum.bottom_eigenpairs(1).unwrap_err());
    ask(&|spectrum| spectrum.density().unwrap_err());
    ask(&|spectrum| spectrum.effective_dimension(1.0).unwrap_err());
    ask(&|spectrum| spectrum.trace().unwrap_err());
    ask(&|spectrum| spectrum.trace_by_layer().unwrap_err());
    ask(&|spectrum| spectrum.inertia().unwrap_err());
    ask(&|spectrum| spectrum.condition_number().unwrap_err());
}

#[test]
fn limits_of_any_size_are_taken() {
    let values: Vec<f64> = (1..=30).map(f64::from).collect();
    with_hessian(&point(30), &values, |hessian| {
        let seen = AtomicUsize::new(0);
        let stopped = hessian.observed(|_| match seen.fetch_add(1, Ordering::Relaxed) == 11 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        let spectrum = || {
            seen.store(0, Ordering::Relaxed);
            Spectrum::of(&stopped)
                .with_num_probes(usize::MAX)
                .with_max_matvecs(usize::MAX)
        };
        let density = spectrum().with_steps(5).density().unwrap();
        assert_eq!((density.probes().len(), density.num_matvecs()), (2, 12));
        assert_eq!(spectrum().trace_by_layer().unwrap().num_matvecs, 12);
        let error = spectrum().inertia().unwrap_err();
        assert_eq!(error, CurvatureError::Stopped);
        assert!(spectrum().top_eigenpairs(3).unwrap().num_matvecs <= 15);
    });
}

#[test]
fn an_operator_that_is_not_symmetric_is_refused_where_it_is_checked() {
    let matrix = |entries: Vec<f64>| Matrix {
        space: ParamSpace::of(&point(2)).unwrap(),
        entries: Dense::from_row_major(2, 2, entries).unwrap(),
    };
    let rotation = matrix(vec![0.0, 1.0, -1.0, 0.0]);
    let error = Symmetric::verified(rotation, 1e-12, 0).map(|_| ());
    assert!(matches!(
        error,
        Err(CurvatureError::Krylov(KrylovFault::NotSymmetric { .. }))
    ));
    let swap = Symmetric::verified(matrix(vec![0.0, 1.0, 1.0, 0.0]), 1e-12, 0).unwrap();
    let top = Spectrum::of(&swap).top_eigenpairs(1).unwrap();
    assert!((top.values[0] - 1.0).abs() < 1e-12);
}
