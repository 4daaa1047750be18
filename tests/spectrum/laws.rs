//! Changes of an operator, and the effect on its spectrum.

use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burnscape::krylov::{Dense, Shifted};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::spectrum::Spectrum;

use super::fixture::{Matrix, device, point};

const N: usize = 24;

fn eigenvalues() -> Vec<f64> {
    (0..N).map(|i| (1.3 * i as f64).sin() * 4.0 + 0.1).collect()
}

fn matrix(entries: Vec<f64>) -> Matrix {
    Matrix {
        space: ParamSpace::of(&point(N)).unwrap(),
        entries: Dense::from_row_major(N, N, entries).unwrap(),
    }
}

/// `R diag(values) R` for the reflection `R = I − 2 u uᵀ / |u|²`.
fn reflected(values: &[f64]) -> Vec<f64> {
    let u: Vec<f64> = (0..N).map(|i| (0.4 + i as f64).cos()).collect();
    let square: f64 = u.iter().map(|x| x * x).sum();
    let r = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / square;
    let entry = |i: usize, j: usize| (0..N).map(|k| r(i, k) * values[k] * r(k, j)).sum();
    (0..N * N).map(|at| entry(at / N, at % N)).collect()
}

#[test]
fn a_change_of_coordinates_changes_no_eigenvalue() {
    let values = eigenvalues();
    let mut plain = vec![0.0; N * N];
    for (i, value) in values.iter().enumerate() {
        plain[i * N + i] = *value;
    }
    let ask = |entries: Vec<f64>| {
        let matrix = matrix(entries);
        let spectrum = Spectrum::of(&matrix).with_tolerance(1e-11);
        let top = spectrum.top_eigenpairs(4).unwrap();
        let bottom = spectrum.bottom_eigenpairs(4).unwrap();
        let inertia = spectrum.inertia().unwrap();
        assert!(top.outcome.is_converged() && bottom.outcome.is_converged());
        let counts = [inertia.positive, inertia.negative, inertia.near_zero];
        (
            [top.values, bottom.values].concat(),
            counts.map(|count| count.exact.unwrap()),
        )
    };
    let (plain, turned) = (ask(plain), ask(reflected(&values)));
    assert_eq!(plain.1, turned.1);
    for (a, b) in plain.0.iter().zip(&turned.0) {
        assert!((a - b).abs() < 1e-11, "{a} {b}");
    }
}

#[test]
fn a_shift_moves_eigenvalues_trace_and_nodes_by_itself() {
    let operator = matrix(reflected(&eigenvalues()));
    let shifted = Shifted::new(&operator, 2.5).unwrap();
    let (plain, moved) = (
        Spectrum::of(&operator).with_steps(8).with_tolerance(1e-11),
        Spectrum::of(&shifted).with_steps(8).with_tolerance(1e-11),
    );
    let close = |a: f64, b: f64, by: f64| assert!((b - a - by).abs() < 1e-10, "{a} {b}");
    let (a, b) = (
        plain.top_eigenpairs(3).unwrap(),
        moved.top_eigenpairs(3).unwrap(),
    );
    for (a, b) in a.values.iter().zip(&b.values) {
        close(*a, *b, 2.5);
    }
    let (a, b) = (plain.density().unwrap(), moved.density().unwrap());
    for (a, b) in a.measure().nodes.iter().zip(&b.measure().nodes) {
        close(*a, *b, 2.5);
    }
    for (a, b) in a.measure().weights.iter().zip(&b.measure().weights) {
        close(*a, *b, 0.0);
    }
    // A Rademacher vector sees the identity exactly, so that the estimates differ by the exact trace.
    let (a, b) = (
        plain.trace_by_layer().unwrap(),
        moved.trace_by_layer().unwrap(),
    );
    close(a.total.value, b.total.value, 2.5 * N as f64);
}

#[test]
fn how_data_are_cut_into_batches_changes_nothing() {
    let device = device();
    let model = LinearConfig::new(3, 2).init(&device);
    let space = ParamSpace::of(&model).unwrap();
    let numbers: Vec<f64> = (0..space.len()).map(|i| (i as f64).sin()).collect();
    let model = ParamVector::from_host(&space, &numbers)
        .unwrap()
        .apply_to(&model)
        .unwrap();
    let x: Vec<f64> = (0..60).map(|i| (0.3 + 1.9 * f64::from(i)).cos()).collect();
    let x = Tensor::<1>::from_data(x.as_slice(), &device).reshape([20, 3]);
    let loss = |m: &Linear, x: Tensor<2>| m.forward(x).tanh().powi_scalar(2).mean();
    let ask = |data: Vec<Tensor<2>>| {
        let hessian = Risk::new(&loss, &data).hessian(&model).unwrap();
        let spectrum = Spectrum::of(&hessian).with_tolerance(1e-11);
        let point = spectrum.critical_point(1e-3).unwrap();
        let mut numbers = spectrum.top_eigenpairs(3).unwrap().values;
        numbers.extend(spectrum.density().unwrap().measure().nodes);
        numbers.push(spectrum.trace_by_layer().unwrap().total.value);
        numbers.extend([point.loss, point.gradient_norm, point.lambda_min]);
        numbers
    };
    let whole = ask(vec![x.clone()]);
    // Uneven on purpose: an unweighted mean over batches would be far off.
    let cut = [0..1, 1..14, 14..20].map(|rows| x.clone().slice([rows, 0..3]));
    for (a, b) in whole.iter().zip(ask(cut.to_vec())) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
}
