//! Spectra of models in f32, whose products are known to seven digits only.

use burn::tensor::{DType, Tensor, TensorData};
use burnscape::curvature::Hessian;
use burnscape::loss::Risk;
use burnscape::spectrum::{PointKind, Spectrum};
use burnscape_testkit::objectives::Point;

use super::fixture::{device, nothing};

const N: usize = 60;

/// `½ wᵀ A w` with `A = R diag(values) R` for the reflection `R = I − 2 u uᵀ / |u|²`, all in f32, at the
/// origin; its Hessian is handed to `ask`.
fn with_reflected<T>(values: &[f64], turn: f64, ask: impl FnOnce(&Hessian<'_>) -> T) -> T {
    let u: Vec<f64> = (0..N).map(|i| (turn + 0.8 * i as f64).cos()).collect();
    let square: f64 = u.iter().map(|x| x * x).sum();
    let r = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / square;
    let entry = |i: usize, j: usize| -> f64 { (0..N).map(|k| r(i, k) * values[k] * r(k, j)).sum() };
    let entries: Vec<f32> = (0..N * N).map(|at| entry(at / N, at % N) as f32).collect();
    let loss = move |point: &Point, batch: Tensor<1>| {
        let data = TensorData::new(entries.clone(), [N, N]);
        let matrix = Tensor::<2>::from_data(data, (&batch.device(), DType::F32));
        let w = point.w.val();
        let product = matrix.matmul(w.clone().reshape([N, 1])).reshape([N]);
        (w * product).sum() * 0.5
    };
    let point = Point::new(&[0.0; N], &device(), DType::F32);
    let data = nothing();
    ask(&Risk::new(&loss, &data).hessian(&point).unwrap())
}

#[test]
fn rounding_makes_no_negative_curvature_and_hides_none() {
    // Half of the eigenvalues are zero to the rounding of the entries.
    let flat: Vec<f64> = (0..N).map(|i| (i as f64 - 29.0).max(0.0)).collect();
    let mut saddle = flat.clone();
    saddle[..3].copy_from_slice(&[-0.01, -0.1, -1.0]);
    for seed in 0..10 {
        let turn = 0.37 * seed as f64;
        with_reflected(&flat, turn, |hessian| {
            let spectrum = Spectrum::of(hessian).with_seed(seed);
            let inertia = spectrum.inertia().unwrap();
            let counts = [inertia.negative, inertia.near_zero, inertia.positive];
            assert_eq!(counts.map(|count| count.exact), [0, 30, 30].map(Some));
            let found = spectrum.critical_point(1e-6).unwrap();
            assert_eq!(found.kind, PointKind::DegenerateMinimum, "{found:?}");
            assert_eq!(spectrum.condition_number().unwrap().value, None);
        });
        with_reflected(&saddle, turn, |hessian| {
            let spectrum = Spectrum::of(hessian).with_seed(seed);
            assert_eq!(spectrum.inertia().unwrap().negative.exact, Some(3));
            let found = spectrum.critical_point(1e-6).unwrap();
            assert_eq!(
                (found.kind, found.negative.exact),
                (PointKind::Saddle, Some(3))
            );
        });
    }
}

#[test]
fn pairs_density_and_trace_are_right_to_single_precision() {
    let values: Vec<f64> = (0..N).map(|i| 0.1 * (i as f64 - 9.0)).collect();
    with_reflected(&values, 0.2, |hessian| {
        // Below what f32 resolves: the run ends all the same.
        let spectrum = Spectrum::of(hessian).with_tolerance(1e-12);
        let top = spectrum.top_eigenpairs(3).unwrap();
        assert!(top.outcome.is_converged(), "{top:?}");
        for (found, expected) in top.values.iter().zip([5.0, 4.9, 4.8]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        let density = spectrum.density().unwrap();
        let mean = density.measure().integrate(|x| x);
        let layers = spectrum.trace_by_layer().unwrap();
        // The same ten vectors, by two ways.
        assert!((mean * N as f64 - layers.total.value).abs() < 1e-3);
        let exact: f64 = values.iter().sum();
        assert!((layers.total.value - exact).abs() < 2.0 * layers.total.half_width.unwrap());
    });
}
