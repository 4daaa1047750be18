//! The same answer at every scale: an operator times `2^k` and a vector times `2^j` give what they give at
//! scale one, times a power of two, to 4 units in the last place.

use crate::spectra::Diagonal;
use burnscape_krylov::{
    Dense, DiagonalConfig, DiagonalMethod, EigenMethod, Eigenpairs, EigenpairsConfig, HasAdjoint,
    KrylovFault, LanczosFactorization, LinearOperator, Orthonormal, Probe, SelfAdjoint,
    SolveConfig, Square, TraceConfig, TraceMethod, TrustRegionConfig, VectorSpace, Which,
};

const POWERS: [i32; 9] = [-900, -521, -200, -64, 0, 64, 200, 521, 900];

/// `2^k (1 1ᵀ + D)` of dimension ten.
struct Scaled {
    diagonal: Vec<f64>,
    factor: f64,
}

impl LinearOperator for Scaled {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = KrylovFault;

    fn domain(&self) -> usize {
        self.diagonal.len()
    }

    fn range(&self) -> usize {
        self.diagonal.len()
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, KrylovFault> {
        // A power of two each time, so that no sum leaves the range before the factor comes.
        let v: Vec<f64> = v.iter().map(|x| x * self.factor).collect();
        let sum: f64 = v.iter().sum();
        Ok(v.iter()
            .zip(&self.diagonal)
            .map(|(x, d)| sum + d * x)
            .collect())
    }
}

impl SelfAdjoint for Scaled {}

fn operator(power: i32, is_definite: bool) -> Scaled {
    let sign = |i: usize| {
        if is_definite || !i.is_multiple_of(3) {
            1.0
        } else {
            -1.0
        }
    };
    Scaled {
        diagonal: (0..10).map(|i| sign(i) * (i + 1) as f64 / 4.0).collect(),
        factor: 2.0_f64.powi(power),
    }
}

fn b(power: i32) -> Vec<f64> {
    let b: Vec<f64> = Probe::Gaussian.draw(&10, 3, 7).unwrap();
    b.scale(2.0_f64.powi(power))
}

/// Within four units in the last place of `x · 2^power`.
fn assert_scaled(found: f64, one: f64, power: i32, what: &str) {
    let expected = one * 2.0_f64.powi(power / 2) * 2.0_f64.powi(power - power / 2);
    let distance = (found - expected).abs();
    assert!(
        distance <= 4.0 * f64::EPSILON * expected.abs(),
        "{what} at 2^{power}: {found:e} for {expected:e}"
    );
}

fn assert_pairs(found: &Eigenpairs<Vec<f64>>, one: &Eigenpairs<Vec<f64>>, power: i32, what: &str) {
    assert_eq!(found.values.len(), one.values.len());
    for (found, one) in found.values.iter().zip(&one.values) {
        assert_scaled(*found, *one, power, what);
    }
}

#[test]
fn eigenvalues_scale_with_the_operator() {
    type Run = Box<dyn Fn(&Scaled) -> (Eigenpairs<Vec<f64>>, bool, usize)>;
    for end in [
        Which::Largest,
        Which::Smallest,
        Which::LargestMagnitude,
        Which::BothEnds,
    ] {
        let runs: [(&str, Run); 5] = [
            (
                "Lanczos",
                Box::new(move |a| {
                    let found = EigenpairsConfig::new(2, end).run(a).unwrap();
                    let said = (found.outcome.is_converged(), found.num_matvecs);
                    (found, said.0, said.1)
                }),
            ),
            (
                "block Lanczos",
                Box::new(move |a| {
                    let found = EigenpairsConfig::new(2, end)
                        .with_method(EigenMethod::Block)
                        .run(a)
                        .unwrap();
                    let said = (found.outcome.is_converged(), found.num_matvecs);
                    (found, said.0, said.1)
                }),
            ),
            (
                "LOBPCG",
                Box::new(move |a| {
                    let found = EigenpairsConfig::new(2, end)
                        .with_method(EigenMethod::Lobpcg)
                        .run(a)
                        .unwrap();
                    let said = (found.outcome.is_converged(), found.num_matvecs);
                    (found, said.0, said.1)
                }),
            ),
            (
                "Davidson",
                Box::new(move |a| {
                    let found = EigenpairsConfig::new(2, end)
                        .with_method(EigenMethod::Davidson)
                        .run(a)
                        .unwrap();
                    let said = (found.outcome.is_converged(), found.num_matvecs);
                    (found, said.0, said.1)
                }),
            ),
            (
                "power",
                Box::new(|a| {
                    let found = EigenpairsConfig::new(2, Which::LargestMagnitude)
                        .with_method(EigenMethod::Power)
                        .run(a)
                        .unwrap();
                    let said = (found.outcome.is_converged(), found.num_matvecs);
                    (found, said.0, said.1)
                }),
            ),
        ];
        for (name, run) in &runs {
            let one = run(&operator(0, false));
            for power in POWERS {
                let found = run(&operator(power, false));
                assert_eq!((found.1, found.2), (one.1, one.2), "{name} at 2^{power}");
                assert_pairs(&found.0, &one.0, power, name);
            }
        }
    }
}

#[test]
fn linear_systems_are_solved_at_every_scale() {
    let cg = SolveConfig::conjugate_gradients().with_tolerance(1e-12);
    let minres = SolveConfig::minres().with_tolerance(1e-12);
    let definite = cg.run(&operator(0, true), &b(0)).unwrap();
    let indefinite = minres.run(&operator(0, false), &b(0)).unwrap();
    for k in POWERS {
        for j in POWERS {
            let power = j - k;
            if power.abs() > 1000 {
                continue;
            }
            let found = cg.run(&operator(k, true), &b(j)).unwrap();
            assert!(
                found.outcome.is_converged(),
                "{k} {j}: {:e}",
                found.residual
            );
            assert_eq!(found.num_matvecs, definite.num_matvecs);
            for (x, one) in found.x.iter().zip(&definite.x) {
                assert_scaled(*x, *one, power, "CG");
            }
            let found = minres.run(&operator(k, false), &b(j)).unwrap();
            assert!(
                found.outcome.is_converged(),
                "{k} {j}: {:e}",
                found.residual
            );
            assert_eq!(found.num_matvecs, indefinite.num_matvecs);
            for (x, one) in found.x.iter().zip(&indefinite.x) {
                assert_scaled(*x, *one, power, "MINRES");
            }
        }
    }
}

#[test]
fn a_solution_that_overflows_is_an_error_that_names_its_size() {
    let error = SolveConfig::conjugate_gradients().run(&operator(-900, true), &b(900));
    let error = error.map(|_| ()).unwrap_err();
    assert!(
        matches!(error, KrylovFault::OutOfRange { name: "x", exponent } if (1790..1810).contains(&exponent)),
        "{error}"
    );
    let error = SolveConfig::minres().run(&operator(-900, false), &b(900));
    assert!(matches!(
        error.map(|_| ()),
        Err(KrylovFault::OutOfRange { .. })
    ));
}

#[test]
fn a_right_hand_side_whose_square_underflows_or_overflows_is_solved() {
    let a = Diagonal(vec![1.0, 2.0, 4.0]);
    for size in [1e-200, 1e200] {
        let b = vec![size, 2.0 * size, 4.0 * size];
        let cg = SolveConfig::conjugate_gradients().run(&a, &b).unwrap();
        let minres = SolveConfig::minres().run(&a, &b).unwrap();
        for found in [cg, minres] {
            assert!(found.outcome.is_converged());
            for x in found.x {
                assert!((x / size - 1.0).abs() < 1e-12, "{x:e}");
            }
        }
    }
}

#[test]
fn trust_regions_scale_with_gradient_operator_and_radius() {
    let solve = |k: i32, radius: f64, c: i32| {
        let config = TrustRegionConfig::new(radius);
        config.maximize(&operator(k, false), &b(c)).unwrap()
    };
    let one = solve(0, 0.5, 0);
    assert!(one.outcome.is_converged() && one.certified);
    for k in POWERS {
        let found = solve(k, 0.5, k);
        assert_eq!(
            (found.outcome.is_converged(), found.certified),
            (true, true),
            "{k}"
        );
        assert_eq!(found.kind, one.kind);
        assert_scaled(found.value, one.value, k, "value");
        assert_scaled(found.multiplier, one.multiplier, k, "multiplier");
    }
    for r in [-400, -200, 200, 400] {
        let found = solve(0, 0.5 * 2.0_f64.powi(r), r);
        assert_scaled(found.value, one.value, 2 * r, "value in another ball");
        assert!(found.outcome.is_converged() && found.certified);
    }
    let tiny = Diagonal(vec![3e-200, 1e-200, -1e-200]);
    let found = TrustRegionConfig::new(1.0).maximize(&tiny, &vec![1e-200, 1e-200, 0.0]);
    let near = Diagonal(vec![3.0, 1.0, -1.0]);
    let one = TrustRegionConfig::new(1.0).maximize(&near, &vec![1.0, 1.0, 0.0]);
    let (found, one) = (found.unwrap(), one.unwrap());
    assert!((found.value * 1e200 - one.value).abs() < 1e-12 && found.certified);
}

#[test]
fn traces_and_diagonals_scale_with_the_operator() {
    for method in [
        TraceMethod::Hutchinson,
        TraceMethod::HutchPlusPlus,
        TraceMethod::XTrace,
        TraceMethod::XNysTrace,
        TraceMethod::Auto,
    ] {
        let config = TraceConfig::new().with_method(method).with_max_matvecs(9);
        let one = config.run(&operator(0, true)).unwrap();
        for power in POWERS {
            let found = config.run(&operator(power, true)).unwrap();
            let what = format!("{method:?}");
            assert_scaled(found.value, one.value, power, &what);
            assert_scaled(
                found.half_width.unwrap(),
                one.half_width.unwrap(),
                power,
                &what,
            );
        }
    }
    for method in [DiagonalMethod::Hutchinson, DiagonalMethod::XDiag] {
        let config = DiagonalConfig::new()
            .with_method(method)
            .with_max_matvecs(8);
        let one = config.run(&operator(0, true)).unwrap();
        for power in POWERS {
            let found = config.run(&operator(power, true)).unwrap();
            assert_scaled(found.error, one.error, power, "error of a diagonal");
            for (found, one) in found.diagonal.iter().zip(&one.diagonal) {
                assert_scaled(*found, *one, power, "diagonal");
            }
        }
    }
}

#[test]
fn an_integrand_that_is_not_finite_is_not_blamed_on_the_product() {
    let config = TraceConfig::new().with_max_matvecs(8);
    let square = |_: &Vec<f64>, product: &Vec<f64>| Ok(vec![product.norm()?.powi(2)]);
    let error = config.run_integrands(&operator(900, true), square);
    let (name, exponent) = ("integrand", 1024);
    assert_eq!(error, Err(KrylovFault::OutOfRange { name, exponent }));
    let undefined = |_: &Vec<f64>, _: &Vec<f64>| Ok(vec![0.0, f64::NAN]);
    let error = config.run_integrands(&operator(0, true), undefined);
    assert!(matches!(error, Err(KrylovFault::NonFiniteArgument { .. })));
    let product = config.run_integrands(&operator(1100, true), square);
    assert_eq!(product, Err(KrylovFault::NonFinite { product: 0 }));
}

#[test]
fn a_start_whose_square_underflows_is_normalized() {
    // At |g| = 2e-160 the lowest Ritz value was −242.
    let a = Diagonal((0..=20).map(|i| 1.0 + f64::from(i) / 20.0).collect());
    let start: Vec<f64> = (0..=20).map(|i| 1e-161 * f64::from(i - 7)).collect();
    for power in [-500, -400, 0, 900, 1400] {
        let start = start.clone().scale(2.0_f64.powi(power / 2));
        let start = start.scale(2.0_f64.powi(power - power / 2));
        let record = LanczosFactorization::from_vector(&a, start, 6, 0).unwrap();
        for value in record.ritz_values() {
            assert!((1.0..=2.0).contains(&value), "{power}: {value}");
        }
    }
}

#[test]
fn what_is_certain_in_a_count_does_not_depend_on_the_scale() {
    let count = |power: i32| {
        let values = (0..60).map(|i| 1.0 / f64::from(1 + i));
        let a = Diagonal(values.map(|x| x * 2.0_f64.powi(power)).collect());
        let record = LanczosFactorization::from_random(&a, 9, 0).unwrap();
        record.count_in(0.15 * 2.0_f64.powi(power)..).at_least
    };
    let one = count(0);
    for power in POWERS {
        assert_eq!(count(power), one, "{power}");
    }
}

#[test]
fn checks_and_bases_see_vectors_of_any_size() {
    let a = operator(0, false);
    let (u, v): (Vec<f64>, Vec<f64>) = (
        Probe::Gaussian.draw(&10, 1, 0).unwrap(),
        Probe::Gaussian.draw(&10, 1, 1).unwrap(),
    );
    let shear = Dense::from_rows(&[[1.0, 1.0], [0.0, 1.0]]).unwrap();
    let dense = Dense::of(&a).unwrap();
    for power in [-900, -521, 521, 900] {
        let factor = 2.0_f64.powi(power);
        let scaled = burnscape_krylov::Scaled::new(&a, factor).unwrap();
        assert!(scaled.symmetry_defect(2, 0).unwrap() < 1e-14);
        assert!(scaled.linearity_defect(2, 0).unwrap() < 1e-14);
        let dense = burnscape_krylov::Scaled::new(&dense, factor).unwrap();
        assert!(dense.adjoint_defect(2, 0).unwrap() < 1e-14);
        let scaled = burnscape_krylov::Scaled::new(&shear, factor).unwrap();
        assert_eq!(scaled.symmetry_defect(2, 0), shear.symmetry_defect(2, 0));
        let (u, v) = (u.clone().scale(factor), v.clone().scale(factor));
        let basis = Orthonormal::<Vec<f64>>::orthonormalize(&10, vec![u, v]).unwrap();
        assert!(basis.defect() < 1e-14);
    }
}
