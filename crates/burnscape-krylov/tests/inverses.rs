//! Inverses by solvers: products, eigenvalues at the other end, and failures that are reported.

use crate::spectra::{Diagonal, Single, with_spectrum};
use burnscape_krylov::{
    Dense, EigenpairsConfig, HasAdjoint, Inverse, KrylovFault, LinearOperator, Probe, Product,
    Shifted, SolveConfig, Square, VectorSpace, Which,
};

#[test]
fn inverses_undo_their_operator() {
    let values: Vec<f64> = (0..30).map(|i| f64::from(i) - 9.5).collect();
    let a = with_spectrum(&values, 3);
    let config = SolveConfig::minres().with_tolerance(1e-13);
    let inverse = Inverse::new(&a, config).unwrap();
    let one = Dense::of(&Product::new(&inverse, &inverse).unwrap()).unwrap();
    // The square of the inverse, from the eigenvectors.
    let squares: Vec<f64> = values.iter().map(|x| x.powi(-2)).collect();
    let exact = Dense::of(&with_spectrum(&squares, 3)).unwrap();
    for (a, b) in one.as_slice().iter().zip(exact.as_slice()) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    assert!(inverse.symmetry_defect(2, 0).unwrap() < 1e-11);
    assert!(inverse.adjoint_defect(2, 0).unwrap() < 1e-11);
    assert!(inverse.linearity_defect(2, 0).unwrap() < 1e-11);
    let v: Vec<f64> = Probe::Gaussian.draw(&30, 1, 0).unwrap();
    let back = a.matvec(&inverse.matvec(&v).unwrap()).unwrap();
    assert!(back.axpy(-1.0, &v).unwrap().norm().unwrap() < 1e-11);
}

#[test]
fn inverses_find_the_eigenvalues_nearest_to_a_number() {
    let values: Vec<f64> = (0..60).map(|i| f64::from(i).powi(2) / 10.0).collect();
    let a = with_spectrum(&values, 3);
    // Nearest to 10: the values 10 and 12.1, with a tenth between them and the shift.
    let near = Shifted::new(&a, -10.1).unwrap();
    let inverse = Inverse::new(near, SolveConfig::minres().with_tolerance(1e-10)).unwrap();
    let found = EigenpairsConfig::new(2, Which::LargestMagnitude)
        .with_tolerance(1e-9)
        .run(&inverse)
        .unwrap();
    let values: Vec<f64> = found
        .values
        .iter()
        .map(|value| 10.1 + value.recip())
        .collect();
    assert!((values[0] - 10.0).abs() < 1e-8, "{values:?}");
    assert!(
        (values[1] - 8.1).abs() < 1e-6 || (values[1] - 12.1).abs() < 1e-6,
        "{values:?}"
    );
}

#[test]
fn single_precision_inverts() {
    let values: Vec<f64> = (1..=20).map(f64::from).collect();
    let a = Single::of(with_spectrum(&values, 3).operator());
    let inverse =
        Inverse::new(&a, SolveConfig::conjugate_gradients().with_tolerance(1e-6)).unwrap();
    let v: Vec<f32> = Probe::Gaussian.draw(&20, 1, 0).unwrap();
    let back = a.matvec(&inverse.matvec(&v).unwrap()).unwrap();
    let rest = back.axpy(-1.0, &v).unwrap().norm().unwrap();
    assert!(rest < 1e-5 * v.norm().unwrap());
}

#[test]
fn failures_are_reported() {
    let negative = Diagonal(vec![1.0, -1.0]);
    let inverse = Inverse::new(&negative, SolveConfig::conjugate_gradients()).unwrap();
    let error = inverse.matvec(&vec![0.0, 1.0]).unwrap_err();
    assert!(matches!(
        error,
        KrylovFault::NotPositive { value: -1.0, .. }
    ));
    let hard = Diagonal((1..=100).map(|i| f64::from(i).powi(4)).collect());
    let inverse = Inverse::new(
        &hard,
        SolveConfig::conjugate_gradients().with_max_matvecs(5),
    )
    .unwrap();
    let error = inverse.matvec(&vec![1.0; 100]).unwrap_err();
    assert!(
        matches!(error, KrylovFault::Unconverged { num_matvecs: 6, .. }),
        "{error}"
    );
    assert!(
        !inverse
            .solve(&vec![1.0; 100])
            .unwrap()
            .outcome
            .is_converged()
    );
    let singular = Diagonal(vec![1.0, 0.0]);
    let inverse = Inverse::new(&singular, SolveConfig::minres()).unwrap();
    let error = inverse.matvec(&vec![1.0, 1.0]).unwrap_err();
    assert!(matches!(error, KrylovFault::Unconverged { .. }), "{error}");
    let short = inverse.matvec(&vec![1.0]).unwrap_err();
    let mismatch = KrylovFault::DimensionMismatch {
        expected: 2,
        found: 1,
    };
    assert_eq!(short, mismatch);
}
