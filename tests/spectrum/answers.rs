//! Answers with closed forms.

use burnscape::krylov::{Axis, DiagonalConfig, LinearOperator};
use burnscape::loss::Risk;
use burnscape::spectrum::{LayerTraces, Spectrum};
use burnscape::{Csv, Json};

use super::fixture::{device, nothing, point, quadratic, with_hessian};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use std::ops::ControlFlow;
use std::sync::Mutex;

#[test]
fn eigenpairs_of_both_ends() {
    let values: Vec<f64> = (0..60).map(|i| f64::from(i) - 7.5).collect();
    with_hessian(&point(60), &values, |hessian| {
        let spectrum = Spectrum::of(hessian).with_tolerance(1e-10);
        let top = spectrum.top_eigenpairs(3).unwrap();
        let bottom = spectrum.bottom_eigenpairs(2).unwrap();
        assert!(top.outcome.is_converged() && bottom.outcome.is_converged());
        for (found, expected) in top.values.iter().zip([51.5, 50.5, 49.5]) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        for (found, expected) in bottom.values.iter().zip([-7.5, -6.5]) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        // The vectors are coordinates.
        let largest = top.vectors[0].to_host().unwrap()[59].abs();
        assert!((largest - 1.0).abs() < 1e-9);
        assert!(top.residuals.iter().all(|r| *r <= top.goal));
    });
}

#[test]
fn a_scaled_loss_scales_its_spectrum_exactly() {
    let values: Vec<f64> = (0..30).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let scaled: Vec<f64> = values.iter().map(|value| value * 1024.0).collect();
    let answers = |values: &[f64]| {
        with_hessian(&point(30), values, |hessian| {
            let spectrum = Spectrum::of(hessian).with_steps(12).with_num_probes(3);
            let top = spectrum.top_eigenpairs(2).unwrap();
            let density = spectrum.density().unwrap();
            let trace = spectrum.trace().unwrap();
            (top, density, trace)
        })
    };
    let (plain, large) = (answers(&values), answers(&scaled));
    let times = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| x * 1024.0).collect() };
    assert_eq!(times(&plain.0.values), large.0.values);
    assert_eq!(times(&plain.1.measure().nodes), large.1.measure().nodes);
    assert_eq!(plain.1.measure().weights, large.1.measure().weights);
    assert_eq!(plain.2.value * 1024.0, large.2.value);
}

#[test]
fn trace_and_diagonal_of_a_diagonal_matrix_are_exact() {
    let values: Vec<f64> = (0..40).map(|i| f64::from(i % 7) - 2.0).collect();
    let expected: f64 = values.iter().sum();
    with_hessian(&point(40), &values, |hessian| {
        let spectrum = Spectrum::of(hessian).with_num_probes(3);
        let trace = spectrum.trace().unwrap();
        assert!((trace.value - expected).abs() < 1e-10);
        // The first estimate is exact, which 24 of them show.
        assert!(trace.outcome.is_converged() && trace.num_matvecs == 24);
        let diagonal = DiagonalConfig::new()
            .with_max_matvecs(3)
            .run(hessian)
            .unwrap();
        for (found, expected) in diagonal.diagonal.to_host().unwrap().iter().zip(&values) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert!(diagonal.variance.norm().unwrap() < 1e-20);
        assert_eq!(diagonal.num_matvecs, 3);
        let mut text = Vec::new();
        diagonal.write_csv(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (41, "path,index,value,variance"));
        assert!(lines[40].starts_with("w,39,2,"), "{}", lines[40]);
    });
}

/// Two layers of which only one is in use: `L = Σ (x W)²` for two outputs.
#[derive(Module, Debug)]
struct TwoLayers {
    used: Linear,
    idle: Linear,
}

fn two_layers() -> LayerTraces {
    let device = device();
    let model = TwoLayers {
        used: LinearConfig::new(2, 2).init(&device),
        idle: LinearConfig::new(3, 1).with_bias(false).init(&device),
    };
    let loss = |m: &TwoLayers, x: Tensor<2>| m.used.forward(x).powi_scalar(2).sum();
    let data = [Tensor::<2>::from_data([[1.0, 2.0], [0.0, 3.0]], &device)];
    let hessian = Risk::new(&loss, &data).hessian(&model).unwrap();
    Spectrum::of(&hessian)
        .with_num_probes(400)
        .trace_by_layer()
        .unwrap()
}

#[test]
fn layers_share_the_trace() {
    let traces = two_layers();
    let paths: Vec<(&str, usize)> = traces
        .layers
        .iter()
        .map(|layer| (layer.path.as_str(), layer.len))
        .collect();
    assert_eq!(paths, [("used", 6), ("idle", 3)]);
    // H of one output is 2 Σ x xᵀ over (1, 2, 1) and (0, 3, 1): 2 + 26 on the weights, 4 on the bias.
    let weight = &traces.parameters[0];
    assert_eq!(weight.path, "used.weight");
    let allowed = 1.5 * weight.half_width.unwrap();
    assert!((weight.value - 2.0 * 28.0).abs() < allowed, "{weight:?}");
    assert!(allowed < 10.0);
    let used = &traces.layers[0];
    assert!((used.value - 2.0 * 32.0).abs() < 1.5 * used.half_width.unwrap());
    let idle = &traces.layers[1];
    assert_eq!((idle.value, idle.half_width), (0.0, Some(0.0)));
    let sum: f64 = traces.layers.iter().map(|layer| layer.value).sum();
    assert!((traces.total.value - sum).abs() < 1e-10);
    let mut text = Vec::new();
    traces.write_csv(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("path,len,trace,half_width\nused,6,"));
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn effective_dimension_is_that_of_the_eigenvalues() {
    // Few distinct values, so that quadrature is exact up to the weights of the probes.
    let values: Vec<f64> = (0..90).map(|i| [0.0, 1.0, 9.0][i % 3]).collect();
    with_hessian(&point(90), &values, |hessian| {
        let spectrum = Spectrum::of(hessian).with_num_probes(5);
        let found = spectrum.effective_dimension(1.0).unwrap();
        // Rademacher vectors have the same share of every coordinate.
        assert!((found.value - 30.0 * (0.5 + 0.9)).abs() < 1e-9, "{found:?}");
        assert_eq!(found.dimension, 90);
    });
}

#[test]
fn the_negative_mass_is_beside_the_effective_dimension() {
    let values: Vec<f64> = (0..90).map(|i| [-3.0, 0.0, 1.0][i % 3]).collect();
    with_hessian(&point(90), &values, |hessian| {
        let spectrum = Spectrum::of(hessian).with_num_probes(5);
        let found = spectrum.effective_dimension(1.0).unwrap();
        assert!((found.value - 30.0 * 0.5).abs() < 1e-9, "{found:?}");
        assert!(
            (found.negative.value - 30.0 * 0.75).abs() < 1e-9,
            "{found:?}"
        );
        assert!(found.negative.standard_error.unwrap() < 1e-9);
    });
}

#[test]
fn condition_numbers_are_those_of_positive_definite_operators() {
    let ask = |values: &[f64]| {
        with_hessian(&point(values.len()), values, |hessian| {
            let spectrum = Spectrum::of(hessian).with_tolerance(1e-10);
            spectrum.condition_number().unwrap()
        })
    };
    let definite: Vec<f64> = (1..=50).map(f64::from).collect();
    let found = ask(&definite);
    assert!((found.value.unwrap() - 50.0).abs() < 1e-7, "{found:?}");
    assert!(found.outcome.is_converged());
    let singular: Vec<f64> = (0..50).map(f64::from).collect();
    assert_eq!(ask(&singular).value, None);
    let indefinite: Vec<f64> = (-1..49).map(f64::from).collect();
    assert_eq!(ask(&indefinite).value, None);
}

#[test]
fn a_singular_operator_has_no_condition_number_at_any_tolerance() {
    // The smallest Ritz value is above zero by far more than rounding, and by less than its residual.
    for tolerance in [1e-2, 1e-4, 1e-7] {
        for dimension in [50, 500] {
            let values: Vec<f64> = (0..dimension).map(f64::from).collect();
            let found = with_hessian(&point(values.len()), &values, |hessian| {
                let spectrum = Spectrum::of(hessian).with_tolerance(tolerance);
                spectrum.condition_number().unwrap()
            });
            assert_eq!(found.value, None, "{found:?}");
            if tolerance == 1e-4 {
                assert!(found.smallest > 1e3 * found.zero, "{found:?}");
            }
            let mut text = Vec::new();
            found.write_json(&mut text).unwrap();
            let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert!(read["value"].is_null());
            let smallest = read["smallest"].as_f64().unwrap();
            assert!((smallest - found.smallest).abs() <= 1e-15 * smallest);
        }
    }
}

#[test]
fn the_curve_of_a_density_of_one_value_is_finite() {
    for value in [0.0, 1e-300, 3.0, 0.1] {
        with_hessian(&point(30), &[value; 30], |hessian| {
            let density = Spectrum::of(hessian).density().unwrap();
            let curve = density.curve(Axis::Linear, 401, None).unwrap();
            let step = curve.grid[1] - curve.grid[0];
            let area: f64 = curve.density.iter().map(|y| y * step).sum();
            assert!((area - 1.0).abs() < 1e-3, "{value}: {area}");
            let errors = curve.standard_error.unwrap();
            assert!(errors.iter().all(|error| *error >= 0.0));
        });
    }
}

#[test]
fn inertia_of_saddles_of_every_index() {
    for index in 0..=20 {
        let values: Vec<f64> = (0..20)
            .map(|i| {
                if i < index {
                    -1.0 - 0.1 * i as f64
                } else {
                    0.5 + 0.3 * i as f64
                }
            })
            .collect();
        with_hessian(&point(20), &values, |hessian| {
            let inertia = Spectrum::of(hessian).inertia().unwrap();
            assert_eq!(inertia.negative.exact, Some(index));
            assert_eq!(inertia.positive.exact, Some(20 - index));
            assert_eq!(inertia.near_zero.exact, Some(0));
            // The same theorem counts: none of these is near the border.
            assert_eq!(inertia.negative.at_least, index);
            assert_eq!(inertia.positive.at_least, 20 - index);
            assert_eq!(inertia.near_zero.at_least, 0);
        });
    }
}

#[test]
fn estimated_inertia_never_claims_more_than_there_is() {
    let values: Vec<f64> = (0..120)
        .map(|i| match i {
            0..5 => -3.0 - 0.2 * f64::from(i),
            5..60 => 0.0,
            _ => 2.0 + 0.05 * f64::from(i - 60),
        })
        .collect();
    for seed in 0..20 {
        with_hessian(&point(120), &values, |hessian| {
            let spectrum = Spectrum::of(hessian)
                .with_seed(seed)
                .with_num_probes(4)
                .with_steps(25);
            let inertia = spectrum.inertia().unwrap();
            assert_eq!(inertia.negative.exact, None);
            let (negative, positive) = (inertia.negative, inertia.positive);
            assert!(negative.at_least <= 5 && positive.at_least <= 60);
            // Five well apart from the rest: found by every run of that depth.
            assert_eq!(negative.at_least, 5);
            // On a diagonal matrix a Rademacher vector has the same share of every eigenvalue.
            assert!(
                (negative.estimate.unwrap() - 5.0).abs() < 0.5,
                "{inertia:?}"
            );
            assert!((inertia.near_zero.estimate.unwrap() - 55.0).abs() < 3.0);
        });
    }
}

#[test]
fn a_density_is_a_measure_and_draws_itself() {
    let values: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
    with_hessian(&point(100), &values, |hessian| {
        let spectrum = Spectrum::of(hessian).with_num_probes(3).with_steps(30);
        let density = spectrum.density().unwrap();
        // Ten distinct eigenvalues: every run is exhausted after ten steps.
        assert_eq!(density.num_matvecs(), 30);
        assert!((density.measure().weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((density.measure().integrate(|x| x * x) - 28.5).abs() < 1e-10);
        let curve = density.curve(Axis::Linear, 400, None).unwrap();
        let step = curve.grid[1] - curve.grid[0];
        let area: f64 = curve.density.iter().map(|y| y * step).sum();
        assert!((area - 1.0).abs() < 0.02, "{area}");
        let mut text = Vec::new();
        curve.write_csv(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap().lines().count(), 401);
        let mut text = Vec::new();
        density.write_json(&mut text).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(read["probes"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn observers_see_every_product_and_stop_with_what_there_is() {
    let values: Vec<f64> = (0..50).map(f64::from).collect();
    let loss = quadratic(&values);
    let data = nothing();
    let hessian = Risk::new(&loss, &data).hessian(&point(50)).unwrap();
    let seen = Mutex::new(Vec::new());
    let watched = (&hessian).observed(|step| {
        let mut seen = seen.lock().unwrap();
        seen.push(step.num_matvecs);
        match step.num_matvecs == 25 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let stopped = Spectrum::of(&watched).with_num_probes(4).with_steps(10);
    let stopped = stopped.density().unwrap();
    // Two probes were finished, the third was not.
    assert_eq!(stopped.probes().len(), 2);
    assert_eq!(*seen.lock().unwrap(), (1..=25).collect::<Vec<usize>>());
    // A probe that is stopped before any was finished still is a coarse quadrature.
    let watched = (&hessian).observed(|step| match step.num_matvecs == 3 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    let coarse = Spectrum::of(&watched).density().unwrap();
    assert_eq!(
        (
            coarse.probes().len(),
            coarse.num_matvecs(),
            coarse.measure().nodes.len()
        ),
        (1, 3, 3)
    );
    assert!(coarse.is_stopped());
    let watched = (&hessian).observed(|step| match step.num_matvecs == 9 {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    let pairs = Spectrum::of(&watched).top_eigenpairs(2).unwrap();
    assert!(!pairs.outcome.is_converged() && pairs.values.len() == 2);
    assert!(pairs.values[0] <= 49.0 + 1e-9);
}

#[test]
fn outliers_are_taken_out_exactly_and_the_rest_is_resolved() {
    // Two outliers far from a bulk between zero and one.
    let mut values: Vec<f64> = (0..98).map(|i| f64::from(i) / 97.0).collect();
    values.extend([200.0, 100.0]);
    with_hessian(&point(100), &values, |hessian| {
        let spectrum = Spectrum::of(hessian)
            .with_num_probes(4)
            .with_steps(20)
            .with_outliers(2);
        let density = spectrum.density().unwrap();
        assert_eq!(density.outliers().len(), 2);
        assert!((density.outliers()[0] - 200.0).abs() < 1e-3);
        let weight = |value: f64| {
            let measure = density.measure();
            let pairs = measure.nodes.iter().zip(&measure.weights);
            let near = pairs.filter(|(node, _)| (**node - value).abs() < 1e-2);
            near.map(|(_, weight)| weight).sum::<f64>()
        };
        assert!((weight(200.0) - 0.01).abs() < 1e-12);
        assert!((weight(100.0) - 0.01).abs() < 1e-12);
        let mean = density.measure().integrate(|x| x);
        let expected = values.iter().sum::<f64>() / 100.0;
        assert!((mean - expected).abs() < 0.05, "{mean} {expected}");
        let log = Axis::SymmetricLog { scale: 0.01 };
        let curve = density.curve(log, 512, None).unwrap();
        assert_eq!(curve.outliers, density.outliers());
        // The bulk alone is drawn.
        assert!(curve.axis.value(*curve.grid.last().unwrap()) < 20.0);
        assert!(curve.standard_error.is_some());
    });
}
