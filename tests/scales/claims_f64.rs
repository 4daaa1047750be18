//! Gradients in double precision whose squares underflow.

use burn::optim::SgdConfig;
use burn::tensor::{DType, Tensor};
use burnscape::loss::Risk;
use burnscape::optim::{Metric, OptimRecord, SaddleFreeNewtonConfig, Sam, SamConfig};
use burnscape::sharpness::{SharpnessError, SharpnessReportConfig};
use burnscape::space::Scale;
use burnscape_testkit::objectives::{Point, quadratic};

use crate::element::device;

fn no_data() -> Tensor<1> {
    Tensor::zeros([1], &device())
}

#[test]
fn ritz_values_lie_within_the_spectrum_however_small_the_gradient() {
    for size in [1e-100, 1e-160, 2e-200, 1e-300, 1e-307, 1.0, 1e150] {
        let mut model = Point::new(&[size, -0.5 * size], &device().autodiff(), DType::F64);
        // The loss itself may underflow; its gradient does not.
        let loss = |m: &Point, _: Tensor<1>| quadratic(m, &[1.0, 2.0]);
        let mut newton = SaddleFreeNewtonConfig::new()
            .with_damping(1e-3)
            .init()
            .expect("an optimizer");
        let report = newton
            .step_on(1.0, &mut model, no_data(), &loss)
            .expect("a step");
        let lowest = report.lowest_ritz.expect("a Ritz value");
        assert!(
            (1.0 - 1e-12..=2.0).contains(&lowest),
            "|g| ~ {size:e}: {lowest}"
        );
        assert_eq!(report.skipped, None);
        let moved = model.coordinates();
        for (found, (w, d)) in moved.iter().zip([(size, 1.0), (-0.5 * size, 2.0)]) {
            let expected = w - d * w / (d + 1e-3);
            assert!(
                (found - expected).abs() <= 1e-12 * size,
                "{size:e}: {moved:?}"
            );
        }
    }
}

#[test]
fn at_a_zero_gradient_newton_stays() {
    let mut model = Point::new(&[0.0, 0.0], &device().autodiff(), DType::F64);
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &[1.0, 2.0]);
    let mut newton = SaddleFreeNewtonConfig::new().init().expect("an optimizer");
    let report = newton.step_on(1.0, &mut model, no_data(), &loss);
    let report = report.expect("a step");
    assert_eq!(
        (report.lowest_ritz, report.step_norm, report.skipped),
        (None, 0.0, None)
    );
    assert_eq!(model.coordinates(), [0.0, 0.0]);
}

#[test]
fn a_step_looks_a_radius_away_whatever_the_size_of_the_gradient() {
    for size in [5e-324, 1e-310, 1e-200, 1.0, 1e200, 1e307] {
        for config in [
            SamConfig::new(),
            SamConfig::new().with_metric(Metric::Adaptive { eta: 1.0 }),
        ] {
            let model = Point::new(&[0.0], &device().autodiff(), DType::F64);
            let mut seen = Vec::new();
            let closure = |m: &Point| {
                seen.push(m.coordinates()[0]);
                (m.w.val() * size).sum()
            };
            let found = Sam::gradients(&config.with_rho(0.5), &model, closure);
            let (_, report) = found.expect("gradients");
            assert_eq!((report.gradient_norm, report.skipped), (size, None));
            assert!((seen[1] - 0.5).abs() < 1e-15, "{size:e}: {seen:?}");
        }
    }
}

#[test]
fn a_result_beyond_the_range_is_an_error_that_names_it() {
    let model = Point::new(&[1e-160, 0.0], &device().autodiff(), DType::F64);
    let loss = |m: &Point, _: Tensor<1>| quadratic(m, &[1.5e308, 1.5e308]);
    let data = [no_data()];
    let config = SharpnessReportConfig::new()
        .with_scales(vec![Scale::Absolute])
        .with_num_samples(1);
    let report = config.run(&Risk::new(&loss, &data).with_checks(false), &model);
    let error = report.expect_err("an overflow");
    assert_eq!(error, SharpnessError::Overflow { what: "the trace" });
    assert!(error.to_string().contains("range of f64"), "{error}");
}

#[test]
fn a_run_resumes_between_ascents_where_squares_are_no_numbers() {
    for size in [1e-200, 1e200] {
        let loss = |m: &Point| quadratic(m, &[1.0, 3.0]) * size + m.w.val().sum() * size;
        let start = || Point::new(&[1.0, -2.0], &device().autodiff(), DType::F64);
        let build = || {
            let sam = SamConfig::look_sam().with_rho(0.3);
            sam.init(SgdConfig::new().init()).expect("an optimizer")
        };
        let steps = |sam: &mut Sam, model: &mut Point, count: usize| {
            for _ in 0..count {
                let report = sam.step(0.1 / size, model, loss).expect("a step");
                assert_eq!(report.skipped, None);
            }
        };
        let (mut sam, mut model) = (build(), start());
        steps(&mut sam, &mut model, 2);
        let record = sam.to_record(&model).expect("a record");
        let record = record.into_bytes().and_then(OptimRecord::from_bytes);
        let mut resumed = build()
            .load_record(record.expect("a record"), &model)
            .expect("its optimizer");
        let mut other = model.clone();
        steps(&mut sam, &mut model, 5);
        steps(&mut resumed, &mut other, 5);
        assert_eq!(model.coordinates(), other.coordinates());
        // And is the run of the loss itself.
        let mut one = start();
        let mut sam = build();
        let plain = |m: &Point| quadratic(m, &[1.0, 3.0]) + m.w.val().sum();
        for _ in 0..7 {
            sam.step(0.1, &mut one, plain).expect("a step");
        }
        for (x, y) in model.coordinates().iter().zip(one.coordinates()) {
            assert!((x - y).abs() < 1e-13, "{size:e}: {x} {y}");
        }
    }
}
