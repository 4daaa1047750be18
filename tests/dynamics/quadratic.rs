//! Readings of losses `½ wᵀ H w`, known in closed form.

use burn::module::ParamGroup;
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::{
    Cost, CurvatureMonitor, CurvatureMonitorConfig, CurvatureReading, DynamicsError, EdgeRule,
    Moment, Monitor, Reading,
};
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
    let point = point(&[1.0, 2.0, 3.0]);
    let measure = |optimizer: EdgeRule| {
        let config = CurvatureMonitorConfig::new().with_optimizer(optimizer);
        let mut monitor = config.with_num_probes(3).init().unwrap();
        monitor
            .measure(&risk, &Moment::new(7, 0.3, &point))
            .unwrap()
    };
    let edges = |reading: &CurvatureReading| (reading.edge.unwrap(), reading.edge_ratio.unwrap());
    let reading = measure(EdgeRule::gradient_descent());
    assert_near(reading.loss, -5.0);
    assert_near(reading.gradient_norm, 56.0_f64.sqrt());
    // The algebraically largest eigenvalue; another is negative.
    assert_near(reading.sharpness, 4.0);
    assert!(reading.outcome.is_converged() && reading.residual < 1e-12);
    let (edge, ratio) = edges(&reading);
    assert_near(edge, 2.0 / 0.3);
    assert_near(ratio, 0.6);
    assert_eq!(
        reading
            .preconditioned_sharpness
            .or(reading.preconditioned_residual),
        None
    );
    // Each Rademacher probe of a diagonal matrix gives the exact trace.
    assert_near(reading.trace.unwrap(), 3.0);
    assert_near(reading.trace_standard_error.unwrap(), 0.0);
    // Two for the checks, three for the whole space, three probes.
    assert_eq!((reading.num_matvecs, reading.num_gradients), (8, 2));
    let cost = Cost {
        num_losses: 0,
        num_gradients: 2,
        num_matvecs: 8,
    };
    assert_eq!(reading.cost(), cost);

    // Burn's defaults: momentum 0.9, dampening 0.1.
    let momentum = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
    let (edge, ratio) = edges(&measure(EdgeRule::of(&momentum).unwrap()));
    assert_near(edge, 2.0 * 1.9 / (0.3 * 0.9));
    assert_near(ratio, 4.0 / edge);
    let (edge, ratio) = edges(&measure(EdgeRule::sam(0.05).unwrap()));
    let norm = 56.0_f64.sqrt();
    assert_near(edge, norm / 0.1 * ((1.0 + 0.4 / (0.3 * norm)).sqrt() - 1.0));
    assert_near(ratio, 4.0 / edge);
    // Nothing else depends on the optimizer.
    let mut with_sam = measure(EdgeRule::sam(0.05).unwrap());
    (with_sam.edge, with_sam.edge_ratio) = (reading.edge, reading.edge_ratio);
    assert_eq!(with_sam, reading);
}

#[test]
fn the_preconditioned_sharpness_of_adam_is_exact_on_a_quadratic() {
    let diagonal_of = [4.0, 1.0, -2.0];
    let data = [tensor(&diagonal_of)];
    let risk = Risk::new(&diagonal, &data);
    let config = AdamConfig::new();
    let rule = EdgeRule::of(&config).unwrap();
    let config_of_monitor = CurvatureMonitorConfig::new()
        .with_optimizer(rule)
        .with_tolerance(1e-10);
    let mut monitor = config_of_monitor.init().unwrap();
    let mut adam = config.init();
    let start = point(&[1.0, 2.0, 3.0]);

    // Without the optimizer there is nothing to read, and before its first step it has no state.
    let refused = monitor.measure(&risk, &Moment::new(0, 0.1, &start));
    assert_eq!(refused.unwrap_err(), DynamicsError::MissingOptimizer);
    let moment = Moment::new(0, 0.1, &start).with_optimizer(&adam);
    let reading = monitor.measure(&risk, &moment).unwrap();
    assert_eq!(reading.edge.or(reading.edge_ratio), None);
    assert_eq!(reading.preconditioned_sharpness, None);
    assert_near(reading.sharpness, 4.0);

    let loss = diagonal(&start, data[0].clone().autodiff());
    let gradients = GradientsParams::from_grads(loss.backward(), &start);
    let moved = adam.step(0.1, start, gradients);
    let moment = Moment::new(1, 0.1, &moved).with_optimizer(&adam);
    let reading = monitor.measure(&risk, &moment).unwrap();
    // After one step, v/(1 − β₂) is g², and P = (1 − β₁)(|g| + ε).
    let weights = [1.0, 2.0, 3.0];
    let of_coordinate = |(d, w): (&f64, &f64)| d / (0.1 * ((d * w).abs() + 1e-5));
    let values = diagonal_of.iter().zip(&weights).map(of_coordinate);
    let top = values.fold(f64::NEG_INFINITY, f64::max);
    let relative = |found: f64, expected: f64| (found / expected - 1.0).abs();
    // Burn computes the factors 1 − β in f32.
    assert!(relative(reading.preconditioned_sharpness.unwrap(), top) < 1e-4);
    assert!(reading.preconditioned_residual.unwrap() < 1e-6 * top);
    // (1 + β₁) 2/lr / (1 − β₁)
    assert!(relative(reading.edge.unwrap(), 38.0 / 0.1) < 1e-6);
    assert!(relative(reading.edge_ratio.unwrap(), top / 380.0) < 1e-4);
    assert_near(reading.sharpness, 4.0);
    assert_eq!(reading.num_gradients, 1);

    // The vectors of both searches are in the state.
    let state = <CurvatureMonitor as Monitor<Point>>::to_state(&monitor).unwrap();
    let mut resumed = config_of_monitor.init().unwrap();
    <CurvatureMonitor as Monitor<Point>>::load_state(&mut resumed, state).unwrap();
    let again = resumed.measure(&risk, &moment).unwrap();
    assert_eq!(again, monitor.measure(&risk, &moment).unwrap());
}

#[test]
fn quantities_without_settings_are_absent() {
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let data = [tensor(&[4.0, 1.0])];
    let (risk, origin) = (Risk::new(&diagonal, &data), point(&[0.0, 0.0]));
    // A rate of zero has no edge.
    let moment = Moment::new(0, 0.0, &origin);
    let reading = monitor.measure(&risk, &moment).unwrap();
    assert_eq!(reading.trace.or(reading.trace_standard_error), None);
    assert_eq!((reading.edge, reading.edge_ratio), (None, None));
    // SAM has no edge where there is no gradient.
    let config = CurvatureMonitorConfig::new().with_optimizer(EdgeRule::sam(0.1).unwrap());
    let mut monitor = config.init().unwrap();
    let moment = Moment::new(0, 0.1, &origin);
    let reading = monitor.measure(&risk, &moment).unwrap();
    assert_eq!((reading.gradient_norm, reading.edge), (0.0, None));
}

#[test]
fn batches_are_weighted_as_the_loss_is() {
    // Each batch is one diagonal; batches of equal length weigh the same.
    let data = [tensor(&[4.0, 1.0]), tensor(&[0.0, 9.0])];
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let (risk, point) = (Risk::new(&diagonal, &data), point(&[1.0, 1.0]));
    let moment = Moment::new(0, 0.1, &point);
    let reading = monitor.measure(&risk, &moment).unwrap();
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
    let config = CurvatureMonitorConfig::new().with_num_probes(40);
    let mut errors = Vec::new();
    for seed in 0..5 {
        let mut monitor = config.clone().with_seed(seed).init().unwrap();
        let moment = Moment::new(0, 0.1, &model);
        let reading = monitor.measure(&risk, &moment).unwrap();
        let error = reading.trace_standard_error.unwrap();
        assert!(
            error > 0.0 && error < 0.1 * expected,
            "{error} of {expected}"
        );
        errors.push((reading.trace.unwrap() - expected) / error);
        // The same probes, the same trace.
        let again = monitor.measure(&risk, &moment).unwrap();
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
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let mut late = 0;
    for (step, top) in [0.3, 5.0, 10.0, 19.0, 21.0, 25.0, 30.0]
        .into_iter()
        .enumerate()
    {
        let data = spectrum(top);
        let risk = Risk::new(&diagonal, &data);
        let moment = Moment::new(step, 0.1, &point);
        let reading = monitor.measure(&risk, &moment).unwrap();
        let expected = top.max(20.0);
        late += usize::from((reading.sharpness - expected).abs() > 0.02);
    }
    assert_eq!(late, 0);
    // An eigenvalue that becomes the largest between two measurements.
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let (before, after) = (spectrum(0.3), spectrum(30.0));
    let risk = Risk::new(&diagonal, &before);
    let moment = Moment::new(0, 0.1, &point);
    monitor.measure(&risk, &moment).unwrap();
    let risk = Risk::new(&diagonal, &after);
    let steps = (1..4).map(|_| {
        let reading = monitor.measure(&risk, &moment);
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
    let mut monitor = CurvatureMonitorConfig::new().init().unwrap();
    let moment = Moment::new(0, 0.1, &model);
    let reading = monitor.measure_hessian(&hessian, &moment).unwrap();
    // 2 times a matrix of ones, for two weights instead of three parameters.
    assert!((reading.sharpness - 4.0).abs() < 1e-5);
    assert_eq!((reading.num_matvecs, reading.num_gradients), (2, 0));
}
