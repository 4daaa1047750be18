//! The effective dimension.

use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::Risk;
use burnscape::sharpness::EffectiveDimensionConfig;
use burnscape::space::Scale;

use super::networks::{Point, close, diagonal, net, net_split, quadratic, regression};

#[test]
fn the_effective_dimension_of_a_diagonal_matrix_is_the_sum_over_its_eigenvalues() {
    // Probes of signs see every eigenvalue alike, and five steps exhaust the space.
    let (model, data) = (
        Point::new(&[1.0, -2.0, 0.5, 3.0, 1.5]),
        diagonal([9.0, 1.0, 0.25, 0.0, 4.0]),
    );
    let hessian = Risk::new(&quadratic, &data).hessian(&model).unwrap();
    let config = EffectiveDimensionConfig::new(1.0).with_num_probes(3);
    let found = config.measure(&model, &hessian).unwrap();
    close(found.dimension, 0.9 + 0.5 + 0.2 + 0.0 + 0.8, 1e-10);
    assert!(found.standard_error.unwrap() < 1e-10);
    assert_eq!(found.num_parameters, 5);
    assert!(found.num_matvecs <= 15 && found.completed);
    // In units of |w|: 9, 4, 0.0625, 0, 9.
    let relative = config.with_scale(Scale::ElementRelative);
    let found = relative.measure(&model, &hessian).unwrap();
    close(found.dimension, 0.9 + 0.8 + 0.0625 / 1.0625 + 0.9, 1e-10);
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
    let values = all.pairs.iter().map(|pair| pair.value.max(0.0));
    let exact: f64 = values.map(|value| value / (value + gamma)).sum();
    let found = EffectiveDimensionConfig::new(gamma)
        .with_num_probes(60)
        .measure(&model, &matrix)
        .unwrap();
    let error = found.standard_error.unwrap();
    assert!(error < 0.1 * exact, "{error} of {exact}");
    assert!(
        (found.dimension - exact).abs() < 4.0 * error,
        "{} {exact}",
        found.dimension
    );
}
