//! Krylov methods on operators of a model agree with the same methods on its dense matrix.

use burnscape::krylov::{
    DensityConfig, EigenpairsConfig, LanczosFactorization, LinearOperator, Shifted, SolveConfig,
    Symmetric, TraceConfig, Which,
};
use burnscape::loss::Reduction;
use burnscape::space::ParamVector;

use super::fixture::{batches, cross_entropy, dense, net};

#[test]
fn the_spectrum_of_a_hessian_is_that_of_its_matrix() {
    let net = net();
    let data = batches(&[4, 3]);
    let hessian = cross_entropy(Reduction::Mean, &data).hessian(&net).unwrap();
    let n = hessian.space().len();
    let matrix = Symmetric::verified(dense(&hessian), 1e-12, 0).unwrap();
    let whole = LanczosFactorization::from_random(&hessian, n, 0).unwrap();
    let reference = LanczosFactorization::from_random(&matrix, n, 0)
        .unwrap()
        .ritz_values();
    let scale = reference[n - 1].abs().max(reference[0].abs());
    assert!(reference[0] < -1e-3 * scale, "a Hessian with both signs");
    for (found, expected) in whole.ritz_values().iter().zip(&reference) {
        assert!(
            (found - expected).abs() < 1e-12 * scale,
            "{found} {expected}"
        );
    }
    for (end, expected) in [
        (Which::Largest, reference[n - 1]),
        (Which::Smallest, reference[0]),
    ] {
        let found = EigenpairsConfig::new(1, end)
            .with_tolerance(1e-10)
            .with_max_basis(12)
            .run(&hessian)
            .unwrap();
        assert!(found.outcome.is_converged());
        let (value, vector) = (found.values[0], &found.vectors[0]);
        assert!((value - expected).abs() < 1e-10 * scale);
        let product = hessian.matvec(vector).unwrap();
        let rest = product.axpy(-value, vector).unwrap();
        assert!(rest.norm().unwrap() < 1e-9 * scale);
    }
    let trace: f64 = reference.iter().sum();
    let estimate = TraceConfig::new()
        .with_max_matvecs(400)
        .run(&hessian)
        .unwrap();
    assert!((estimate.value - trace).abs() < 2.0 * estimate.half_width.unwrap());
    let density = DensityConfig::new()
        .with_num_probes(30)
        .with_steps(12)
        .run(&hessian)
        .unwrap();
    let square: f64 = reference.iter().map(|x| x * x).sum();
    let found = density.trace_of(|x| x * x);
    assert!((found.value - square).abs() < 4.0 * found.standard_error.unwrap());
}

#[test]
fn damped_newton_systems_are_solved() {
    let net = net();
    let data = batches(&[4, 3]);
    let newton = cross_entropy(Reduction::Mean, &data)
        .gauss_newton(&net)
        .unwrap();
    let damped = Shifted::new(newton, 1e-3).unwrap();
    let b = ParamVector::gaussian(&damped.domain(), 8).unwrap();
    let found = SolveConfig::conjugate_gradients()
        .with_tolerance(1e-10)
        .run(&damped, &b)
        .unwrap();
    assert!(found.outcome.is_converged(), "{found:?}");
    let rest = damped.matvec(&found.x).unwrap().axpy(-1.0, &b).unwrap();
    assert!(rest.norm().unwrap() < 1e-9 * b.norm().unwrap());
}
