//! Empty records, settings that mean nothing, and errors that say what is true.

use crate::spectra::Diagonal;
use burnscape_krylov::{
    Axis, DensityConfig, DiagonalConfig, DiagonalMethod, EigenMethod, EigenpairsConfig,
    KrylovFault, LanczosFactorization, LinearOperator, Preconditioned, SelfAdjoint, SolveConfig,
    TraceConfig, TraceMethod, TrustRegionConfig, Which,
};

#[test]
fn a_record_without_steps_gives_empty_answers() {
    let a = Diagonal(vec![1.0, 2.0, 0.0]);
    let empty = LanczosFactorization::from_random(&a, 0, 0).unwrap();
    assert!(empty.is_empty() && !empty.is_invariant());
    assert!(empty.ritz_values().is_empty() && empty.residual_estimates().is_empty());
    assert!(empty.quadrature().is_none() && empty.density().is_none());
    assert!(empty.quadratic_form(|x| x).is_none());
    assert!(empty.apply(|x| x).unwrap().is_none());
    assert_eq!(empty.projected().unwrap().num_rows(), 0);
    let count = empty.count_in(0.0..);
    assert_eq!(
        (count.at_least, count.exact, count.estimate),
        (0, None, None)
    );
    assert!(
        empty
            .eigenpairs(&a, Which::Largest, 0)
            .unwrap()
            .values
            .is_empty()
    );
    let error = empty.eigenpairs(&a, Which::Largest, 1).unwrap_err();
    assert_eq!(
        error,
        KrylovFault::TooMany {
            name: "Ritz pairs",
            asked: 1,
            available: 0
        }
    );
    // It is a start as good as any.
    let mut later = empty.clone();
    later.extend(&a, 3).unwrap();
    assert_eq!(
        later.ritz_values(),
        LanczosFactorization::from_random(&a, 3, 0)
            .unwrap()
            .ritz_values()
    );
}

#[test]
fn conjugate_gradients_on_a_singular_system_say_that_it_is_singular() {
    let a = Diagonal(vec![1.0, 2.0, 0.0]);
    for b in [vec![1.0, 2.0, 1.0], vec![0.0, 0.0, 1.0]] {
        let error = SolveConfig::conjugate_gradients()
            .run(&a, &b)
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(error, KrylovFault::NotPositive { value, .. } if value.abs() < 1e-15),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("not positive definite") && !text.contains("NaN"),
            "{text}"
        );
    }
    // A consistent one has a solution.
    let found = SolveConfig::conjugate_gradients()
        .run(&a, &vec![1.0, 2.0, 0.0])
        .unwrap();
    assert!(found.outcome.is_converged());
}

/// NaN times whatever it is given, or minus that.
struct Bad(f64);

impl LinearOperator for Bad {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        3
    }

    fn range(&self) -> usize {
        3
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        Ok(v.iter().map(|x| self.0 * x).collect())
    }
}

impl SelfAdjoint for Bad {}

#[test]
fn the_preconditioner_is_blamed_for_what_it_does() {
    let a = Diagonal(vec![1.0, 2.0, 3.0]);
    let b = vec![1.0, 1.0, 1.0];
    for (factor, is_nan) in [(f64::NAN, true), (f64::INFINITY, true), (-1.0, false)] {
        let bad = Bad(factor);
        let cg =
            SolveConfig::conjugate_gradients().run(&Preconditioned::new(&a, &bad).unwrap(), &b);
        let minres = SolveConfig::minres().run(&Preconditioned::new(&a, &bad).unwrap(), &b);
        for error in [cg.map(|_| ()).unwrap_err(), minres.map(|_| ()).unwrap_err()] {
            let is_right = match is_nan {
                true => matches!(
                    error,
                    KrylovFault::NonFinitePreconditioner { application: 0 }
                ),
                false => matches!(
                    error,
                    KrylovFault::IndefinitePreconditioner { application: 0, .. }
                ),
            };
            assert!(is_right, "{error}");
        }
    }
    let wide = Diagonal((0..40).map(f64::from).collect());
    struct Wide;
    impl LinearOperator for Wide {
        type Domain = Vec<f64>;
        type Range = Vec<f64>;
        type Error = KrylovFault;
        fn domain(&self) -> usize {
            40
        }
        fn range(&self) -> usize {
            40
        }
        fn matvec(&self, _v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
            Ok(vec![f64::NAN; 40])
        }
    }
    impl SelfAdjoint for Wide {}
    let found = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Lobpcg)
        .run(&Preconditioned::new(&wide, &Wide).unwrap());
    assert_eq!(
        found.map(|_| ()),
        Err(KrylovFault::NonFinitePreconditioner { application: 0 })
    );
}

#[test]
fn a_tolerance_that_no_run_could_meet_is_refused_with_a_true_text() {
    let a = Diagonal(vec![1.0, 2.0, 3.0]);
    let b = vec![1.0, 1.0, 1.0];
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let errors = [
            EigenpairsConfig::new(1, Which::Largest)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            EigenpairsConfig::new(1, Which::Largest)
                .with_method(EigenMethod::Block)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            EigenpairsConfig::new(1, Which::Largest)
                .with_method(EigenMethod::Lobpcg)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            EigenpairsConfig::new(1, Which::LargestMagnitude)
                .with_method(EigenMethod::Power)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            EigenpairsConfig::new(1, Which::Largest)
                .with_method(EigenMethod::Davidson)
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            SolveConfig::conjugate_gradients()
                .with_tolerance(tolerance)
                .run(&a, &b)
                .map(|_| ()),
            SolveConfig::minres()
                .with_tolerance(tolerance)
                .run(&a, &b)
                .map(|_| ()),
            TraceConfig::new()
                .with_tolerance(tolerance)
                .run(&a)
                .map(|_| ()),
            TrustRegionConfig::new(1.0)
                .with_tolerance(tolerance)
                .maximize(&a, &b)
                .map(|_| ()),
        ];
        for error in errors {
            let text = error.unwrap_err().to_string();
            assert!(text.ends_with("give a positive, finite number"), "{text}");
        }
    }
}

#[test]
fn a_huge_tolerance_is_used_and_does_not_make_accidents_of_values() {
    let a = Diagonal((0..30).map(f64::from).collect());
    for tolerance in [1.0, 1e100, f64::MAX] {
        let config = EigenpairsConfig::new(2, Which::Largest).with_tolerance(tolerance);
        let found = config.run(&a).unwrap();
        for (i, expected) in (0..found.values.len()).zip([29.0, 28.0]) {
            assert!((found.values[i] - expected).abs() <= found.residuals[i] + 1e-12);
        }
    }
}

#[test]
fn errors_name_what_is_allowed() {
    let a = Diagonal(vec![1.0, 2.0]);
    for confidence in [0.0, 1.0, 2.0, f64::NAN] {
        let error = TraceConfig::new().with_confidence(confidence).run(&a);
        let text = error.map(|_| ()).unwrap_err().to_string();
        let expected =
            format!("`confidence` is {confidence}; give a number between 0 and 1, neither of them");
        assert_eq!(text, expected);
    }
    let start = LanczosFactorization::from_vector(&a, vec![0.0; 2], 1, 0);
    let text = start.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        text,
        "`start` is 0; give a vector with a positive, finite norm"
    );
}

#[test]
fn a_density_is_not_drawn_with_a_width_that_is_none() {
    let a = Diagonal(vec![1.0, 2.0, 3.0]);
    let density = DensityConfig::new().run(&a).unwrap();
    for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = density.curve(Axis::Linear, 9, Some(width)).unwrap_err();
        assert!(matches!(
            error,
            KrylovFault::OutOfBounds {
                name: "bandwidth",
                ..
            }
        ));
    }
    let curve = density
        .curve(Axis::Linear, 9, Some(f64::MIN_POSITIVE))
        .unwrap();
    assert!(curve.density.iter().all(|height| !height.is_nan()));
}

#[test]
fn counts_of_none_are_refused_or_give_nothing() {
    let a = Diagonal(vec![1.0, 2.0, 3.0]);
    let b = vec![1.0, 1.0, 1.0];
    let none = |method, name| KrylovFault::NoProbes {
        method,
        name,
        needed: 1,
        found: 0,
    };
    for (config, name) in [
        (DensityConfig::new().with_num_probes(0), "num_probes"),
        (DensityConfig::new().with_steps(0), "steps"),
    ] {
        assert_eq!(config.run(&a).map(|_| ()), Err(none("a density", name)));
    }
    let no_products = none("Hutchinson's method", "max_matvecs");
    let few = TraceConfig::new().with_max_matvecs(0).run(&a);
    assert_eq!(few.map(|_| ()), Err(no_products.clone()));
    let few = DiagonalConfig::new().with_max_matvecs(0).run(&a);
    assert_eq!(few.map(|_| ()), Err(no_products));
    let few = EigenpairsConfig::new(1, Which::Largest)
        .with_method(EigenMethod::Davidson)
        .with_max_matvecs(0)
        .run(&a);
    assert!(matches!(few.map(|_| ()), Err(KrylovFault::TooMany { .. })));
    for found in [
        SolveConfig::conjugate_gradients()
            .with_max_matvecs(0)
            .run(&a, &b)
            .unwrap(),
        SolveConfig::minres()
            .with_max_matvecs(0)
            .run(&a, &b)
            .unwrap(),
    ] {
        assert!(!found.outcome.is_converged() && found.residual == 1.0);
    }
    for found in [
        EigenpairsConfig::new(1, Which::Largest)
            .with_max_matvecs(0)
            .run(&a)
            .unwrap(),
        EigenpairsConfig::new(1, Which::LargestMagnitude)
            .with_method(EigenMethod::Power)
            .with_max_matvecs(0)
            .run(&a)
            .unwrap(),
    ] {
        assert!(!found.outcome.is_converged());
    }
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = DiagonalConfig::new().with_tolerance(tolerance).run(&a);
        let text = error.map(|_| ()).unwrap_err().to_string();
        assert!(text.ends_with("give a positive, finite number"), "{text}");
    }
    for radius in [-1.0, f64::NAN, f64::INFINITY] {
        let error = TrustRegionConfig::new(radius).minimize(&a, &b);
        assert!(matches!(
            error.map(|_| ()),
            Err(KrylovFault::OutOfBounds { name: "radius", .. })
        ));
    }
}

#[test]
fn an_operator_without_dimensions_has_no_trace_and_no_diagonal() {
    let a = Diagonal(Vec::new());
    for method in [
        TraceMethod::HutchPlusPlus,
        TraceMethod::XTrace,
        TraceMethod::XNysTrace,
    ] {
        let found = TraceConfig::new().with_method(method).run(&a).unwrap();
        assert_eq!((found.value, found.half_width), (0.0, Some(0.0)));
    }
    let diagonal = DiagonalConfig::new().with_method(DiagonalMethod::XDiag);
    assert!(diagonal.run(&a).unwrap().diagonal.is_empty());
}
