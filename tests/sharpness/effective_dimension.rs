//! The effective dimension.

use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::Risk;
use burnscape::space::Scale;
use burnscape::spectrum::Spectrum;

use super::networks::{
    Deep, Point, close, deep_split, diagonal, net, net_split, quadratic, regression,
};

#[test]
fn the_effective_dimension_of_a_diagonal_matrix_is_the_sum_over_its_eigenvalues() {
    // Probes of signs see every eigenvalue alike, and five steps exhaust the space.
    let (model, data) = (
        Point::new(&[1.0, -2.0, 0.5, 3.0, 1.5]),
        diagonal([9.0, 1.0, 0.25, 0.0, 4.0]),
    );
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let spectrum = Spectrum::of(&hessian).with_num_probes(3);
    let found = spectrum.effective_dimension(1.0).unwrap();
    close(found.value, 0.9 + 0.5 + 0.2 + 0.0 + 0.8, 1e-10);
    assert!(found.standard_error.unwrap() < 1e-10);
    assert_eq!(found.dimension, 5);
    assert!(found.num_matvecs <= 15);
    // In units of |w|: 9, 4, 0.0625, 0, 9.
    let relative = hessian.scaled(&model, Scale::ElementRelative).unwrap();
    let spectrum = Spectrum::of(&relative).with_num_probes(3);
    let found = spectrum.effective_dimension(1.0).unwrap();
    close(found.value, 0.9 + 0.8 + 0.0625 / 1.0625 + 0.9, 1e-10);
}

#[test]
fn the_effective_dimension_of_a_network_is_within_its_error() {
    let (model, data) = (net(), regression());
    let matrix = net_split(&data).gauss_newton(&model).unwrap();
    let n = matrix.space().len();
    let all = EigenpairsConfig::new(n, Which::Largest)
        .with_max_basis(n + 2)
        .run(&matrix)
        .unwrap();
    let gamma = 0.05;
    let values = all.values.iter().map(|value| value.max(0.0));
    let exact: f64 = values.map(|value| value / (value + gamma)).sum();
    let spectrum = Spectrum::of(&matrix).with_num_probes(60);
    let found = spectrum.effective_dimension(gamma).unwrap();
    let error = found.standard_error.unwrap();
    assert!(error < 0.1 * exact, "{error} of {exact}");
    assert!(
        (found.value - exact).abs() < 4.0 * error,
        "{} {exact}",
        found.value
    );
}

#[test]
fn the_effective_dimension_is_at_most_the_rank() {
    // A Gauss-Newton matrix of rank 3 · 11 at most in 69 dimensions.
    let (model, data) = (Deep::new(), regression());
    let matrix = deep_split(&data).gauss_newton(&model).unwrap();
    let found = Spectrum::of(&matrix).effective_dimension(1e-3).unwrap();
    let error = found.standard_error.unwrap();
    assert!(
        found.value > 0.0 && found.value - 3.0 * error < 33.0,
        "{found:?}"
    );
}
