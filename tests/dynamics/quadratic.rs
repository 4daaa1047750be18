//! Readings of losses `½ wᵀ H w`, known in closed form.

use burn::module::ParamGroup;
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::CurvatureMonitorConfig;
use burnscape::loss::Risk;
use burnscape_testkit::objectives::Point;

/// `½ Σ dᵢ wᵢ²`, with the diagonal as the batch.
fn diagonal(point: &Point, d: Tensor<1>) -> Tensor<1> {
    (point.w.val().square() * d).sum() * 0.5
}

fn tensor(values: &[f64]) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default().autodiff(), DType::F64)
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    let error = (found - expected).abs();
    assert!(error < 1e-9 * expected.abs().max(1.0), "{found} {expected}");
}

#[test]
fn every_number_of_a_reading_is_exact_on_a_quadratic() {
    let data = [tensor(&[4.0, 1.0, -2.0])];
    let risk = Risk::new(&diagonal, &data);
    let mut monitor = CurvatureMonitorConfig::new(1)
        .with_momentum(Some(MomentumConfig::new()))
        .with_rho(Some(0.05))
        .with_num_probes(3)
        .init()
        .unwrap();
    let reading = monitor
        .measure(&risk, &point(&[1.0, 2.0, 3.0]), 7, 0.3)
        .unwrap();
    assert_eq!((reading.step, reading.lr), (7, 0.3));
    assert_near(reading.loss, -5.0);
    assert_near(reading.gradient_norm, 56.0_f64.sqrt());
    // The algebraically largest eigenvalue; another is negative.
    assert_near(reading.sharpness, 4.0);
    assert!(reading.outcome.is_converged() && reading.residual < 1e-12);
    assert_near(reading.edge_ratio, 0.6);
    assert_near(reading.gd_edge.unwrap(), 2.0 / 0.3);
    // Burn's defaults: momentum 0.9, dampening 0.1.
    assert_near(reading.momentum_edge.unwrap(), 2.0 * 1.9 / (0.3 * 0.9));
    let norm = 56.0_f64.sqrt();
    let edge = norm / 0.1 * ((1.0 + 0.4 / (0.3 * norm)).sqrt() - 1.0);
    assert_near(reading.sam_edge.unwrap(), edge);
    // Each Rademacher probe of a diagonal matrix gives the exact trace.
    assert_near(reading.trace.unwrap(), 3.0);
    assert_near(reading.trace_standard_error.unwrap(), 0.0);
    // Two for the checks, three for the whole space, three probes.
    assert_eq!(reading.num_matvecs, 8);
    assert_eq!(monitor.history().last(), Some(&reading));
}

#[test]
fn quantities_without_settings_are_absent() {
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let data = [tensor(&[4.0, 1.0])];
    let (risk, origin) = (Risk::new(&diagonal, &data), point(&[0.0, 0.0]));
    let reading = monitor.measure(&risk, &origin, 0, 0.0).unwrap();
    assert_eq!(
        reading.momentum_edge.or(reading.sam_edge).or(reading.trace),
        None
    );
    assert_eq!((reading.gd_edge, reading.edge_ratio), (None, 0.0));
    // SAM has no edge where there is no gradient.
    let config = CurvatureMonitorConfig::new(1).with_rho(Some(0.1));
    let mut monitor = config.init().unwrap();
    let reading = monitor.measure(&risk, &origin, 0, 0.1).unwrap();
    assert_eq!((reading.gradient_norm, reading.sam_edge), (0.0, None));
}

#[test]
fn batches_are_weighted_as_the_loss_is() {
    // Each batch is one diagonal; batches of equal length weigh the same.
    let data = [tensor(&[4.0, 1.0]), tensor(&[0.0, 9.0])];
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let risk = Risk::new(&diagonal, &data);
    let reading = monitor.measure(&risk, &point(&[1.0, 1.0]), 0, 0.1).unwrap();
    assert_near(reading.sharpness, 5.0);
    assert_near(reading.loss, 3.5);
}

#[test]
fn the_trace_of_a_full_matrix_is_within_its_error() {
    // L = mean (x·w)² with rows x: H = 2/n Σ x xᵀ, with trace 2/n Σ |x|².
    let device = Device::default();
    let model = LinearConfig::new(12, 1).with_bias(false).init(&device);
    let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
    let values: Vec<f64> = (0..20 * 12)
        .map(|i| f64::from(i * i % 97) / 50.0 - 1.0)
        .collect();
    let expected = values.iter().map(|x| x * x).sum::<f64>() / 10.0;
    let data = [Tensor::<2>::from_data(
        TensorData::new(values, [20, 12]),
        &device,
    )];
    let risk = Risk::new(&loss, &data);
    let config = CurvatureMonitorConfig::new(1).with_num_probes(40);
    let mut errors = Vec::new();
    for seed in 0..5 {
        let mut monitor = config.clone().with_seed(seed).init().unwrap();
        let reading = monitor.measure(&risk, &model, 0, 0.1).unwrap();
        let error = reading.trace_standard_error.unwrap();
        assert!(
            error > 0.0 && error < 0.1 * expected,
            "{error} of {expected}"
        );
        errors.push((reading.trace.unwrap() - expected) / error);
        // The same probes, the same trace.
        let again = monitor.measure(&risk, &model, 1, 0.1).unwrap();
        assert_eq!(again.trace, reading.trace);
    }
    // Student's t with 39 degrees of freedom: beyond 3.5 once in a thousand.
    assert!(errors.iter().all(|t| t.abs() < 3.5), "{errors:?}");
    assert!(errors.iter().any(|t| t.abs() > 1e-3), "{errors:?}");
}

#[test]
fn an_eigenvalue_that_overtakes_is_seen() {
    let spectrum = |top: f64| {
        let mut values: Vec<f64> = (0..300).map(|i| (f64::from(i) * 0.7).sin()).collect();
        (values[17], values[201]) = (20.0, top);
        [tensor(&values)]
    };
    let point = point(&[0.1; 300]);
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let mut late = 0;
    for (step, top) in [0.3, 5.0, 10.0, 19.0, 21.0, 25.0, 30.0]
        .into_iter()
        .enumerate()
    {
        let data = spectrum(top);
        let risk = Risk::new(&diagonal, &data);
        let reading = monitor.measure(&risk, &point, step, 0.1).unwrap();
        let expected = top.max(20.0);
        late += usize::from((reading.sharpness - expected).abs() > 0.02);
    }
    assert_eq!(late, 0);
    // An eigenvalue that becomes the largest between two measurements.
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let (before, after) = (spectrum(0.3), spectrum(30.0));
    let risk = Risk::new(&diagonal, &before);
    monitor.measure(&risk, &point, 0, 0.1).unwrap();
    let risk = Risk::new(&diagonal, &after);
    let steps = (1..4).map(|step| {
        let reading = monitor.measure(&risk, &point, step, 0.1);
        reading.unwrap().sharpness
    });
    let found: Vec<f64> = steps.collect();
    assert!(
        found[1..].iter().all(|top| (top - 30.0).abs() < 0.03),
        "{found:?}"
    );
}

#[test]
fn a_given_hessian_is_measured() {
    let device = Device::default();
    let model = LinearConfig::new(2, 1).init(&device);
    let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
    let data = [Tensor::<2>::ones([4, 2], &device)];
    let risk = Risk::new(&loss, &data).with_group(ParamGroup::from_predicate("weight"));
    let hessian = risk.hessian(&model).unwrap();
    let mut monitor = CurvatureMonitorConfig::new(1).init().unwrap();
    let reading = monitor.measure_hessian(&hessian, 0, 0.1).unwrap();
    // 2 times a matrix of ones, for two weights instead of three parameters.
    assert!((reading.sharpness - 4.0).abs() < 1e-5);
    assert_eq!(reading.num_matvecs, 2);
}
