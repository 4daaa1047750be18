//! Calibrated barriers of classifiers whose best temperature is known.

use std::ops::ControlFlow;

use burn::tensor::{DType, Device, Int, Tensor};
use burnscape::loss::NormalizationPolicy;
use burnscape::path::{CurveProfileConfig, PathError, PolygonalChain};
use burnscape::prelude::*;
use burnscape_testkit::objectives::Point;

use super::models::point;

type Batch = (Tensor<2>, Tensor<1, Int>);

/// The logits are `(0, w₀)` for every example.
fn logits(model: &Point, (x, _): &Batch) -> Tensor<2> {
    let w = model.w.val().unsqueeze::<2>();
    let rows = x.clone() * 0.0 + w;
    Tensor::cat(vec![rows.clone() * 0.0, rows], 1)
}

fn labels((_, labels): &Batch) -> Tensor<1, Int> {
    labels.clone()
}

/// Three examples of class 1 and one of class 0, in two batches.
fn data() -> [Batch; 2] {
    let device = Device::default();
    let batch = |labels: &[i32]| {
        let x = Tensor::zeros([labels.len(), 1], (&device, DType::F64));
        (x, Tensor::from_ints(labels, &device))
    };
    [batch(&[1, 0, 1]), batch(&[1])]
}

#[test]
fn models_that_differ_by_their_temperature_have_no_calibrated_barrier() {
    let line = PolygonalChain::line(&point(&[0.5]), &point(&[8.0])).unwrap();
    let config = CurveProfileConfig::new().with_num_points(11);
    let data = data();
    let risk = Risk::classes(logits, labels, &data);
    let profile = config.with_calibration(&risk).run(&risk, &line).unwrap();
    // The best logit is log 3, at which the loss is the entropy of ¼.
    let calibrated = profile.calibrated.as_ref().unwrap();
    let entropy = -(0.25_f64 * 0.25_f64.ln() + 0.75 * 0.75_f64.ln());
    for (index, t) in profile.times.iter().enumerate() {
        let w = 0.5 + 7.5 * t;
        let raw = (1.0 + w.exp()).ln() - 0.75 * w;
        assert!((profile.train.values[index] - raw).abs() < 1e-12);
        assert!((calibrated.values[index] - entropy).abs() < 1e-12);
        assert!((profile.inverse_temperatures[index] * w - 3.0_f64.ln()).abs() < 1e-5);
    }
    assert!(calibrated.barriers.unwrap().above_worse_end < 1e-12);
    let mut csv = Vec::new();
    profile.write_csv(&mut csv).unwrap();
    assert!(csv.starts_with(b"t,length,train_loss,calibrated_loss,inverse_temperature\n0,"));
    assert!(profile.to_json().unwrap().contains("\"calibrated\""));
}

#[test]
fn large_logits_are_calibrated_in_single_precision() {
    // One label in 1000 is wrong by a margin of 15, on logits of 1000: σ(15 β) = 0.999.
    let device = Device::default();
    let row = |model: &Point, (x, _): &Batch| {
        let w = model.w.val().unsqueeze::<2>();
        x.clone() * 0.0 + w
    };
    let labels: Vec<i32> = (0..1000).map(|i| i32::from(i > 0)).collect();
    let data = [(
        Tensor::zeros([1000, 1], (&device, DType::F32)),
        Tensor::<1, Int>::from_ints(labels.as_slice(), &device),
    )];
    let ends = [(); 2].map(|()| Point::new(&[1000.0, 1015.0], &device, DType::F32));
    let line = PolygonalChain::line(&ends[0], &ends[1]).unwrap();
    let config = CurveProfileConfig::new().with_num_points(2);
    let targets = |(_, labels): &Batch| labels.clone();
    let risk = Risk::classes(row, targets, &data);
    let profile = config.with_calibration(&risk).run(&risk, &line).unwrap();
    let exact = 999.0_f64.ln() / 15.0;
    for beta in profile.inverse_temperatures {
        assert!((beta / exact - 1.0).abs() < 1e-4, "{beta} {exact}");
    }
}

#[test]
fn a_calibrated_profile_can_be_stopped() {
    let line = PolygonalChain::line(&point(&[0.5]), &point(&[8.0])).unwrap();
    let config = CurveProfileConfig::new().with_num_points(11);
    let config = config.with_policy(NormalizationPolicy::Leave);
    let data = data();
    let risk = Risk::classes(logits, labels, &data);
    let stopped = risk
        .clone()
        .with_observer(|progress| match (progress.done, progress.total) {
            (4, Some(11)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    let profile = config.with_calibration(&risk).run(&stopped, &line).unwrap();
    assert_eq!((profile.times.len(), profile.completed), (4, false));
    assert_eq!(profile.inverse_temperatures.len(), 4);
    assert_eq!(profile.calibrated.unwrap().barriers, None);
}

#[test]
fn wrong_answers_are_best_at_infinite_temperature() {
    let line = PolygonalChain::line(&point(&[-1.0]), &point(&[-2.0])).unwrap();
    let config = CurveProfileConfig::new().with_num_points(3);
    let config = config.with_policy(NormalizationPolicy::Leave);
    let data = data();
    let risk = Risk::classes(logits, labels, &data);
    let profile = config.with_calibration(&risk).run(&risk, &line).unwrap();
    for index in 0..3 {
        let calibrated = profile.calibrated.as_ref().unwrap();
        assert!((calibrated.values[index] - 2.0_f64.ln()).abs() < 1e-6);
        assert!(profile.inverse_temperatures[index] < 1e-6);
    }
}

#[test]
fn labels_out_of_range_and_empty_data_are_refused() {
    let line = PolygonalChain::line(&point(&[1.0]), &point(&[2.0])).unwrap();
    let config = CurveProfileConfig::new().with_num_points(3);
    let config = config.with_policy(NormalizationPolicy::Leave);
    let measure = |labels: fn(&Batch) -> Tensor<1, Int>, data: &[Batch]| {
        let risk = Risk::classes(logits, labels, data);
        let config = config.clone().with_calibration(&risk);
        config.run(&risk, &line).unwrap_err()
    };
    let error = measure(|(_, y)| y.clone() + 1, &data());
    assert!(matches!(error, PathError::BadTargets { classes: 2, .. }));
    let error = measure(|(_, y)| y.clone().slice(0..1), &data());
    assert!(matches!(
        error,
        PathError::BadTargets {
            targets: 1,
            outputs: 3,
            ..
        }
    ));
    let error = measure(labels, &[]);
    assert!(error.to_string().contains("empty"), "{error}");
    let nan = PolygonalChain::line(&point(&[f64::NAN]), &point(&[2.0])).unwrap();
    let data = data();
    let risk = Risk::classes(logits, labels, &data);
    let error = config.with_calibration(&risk).run(&risk, &nan).unwrap_err();
    assert!(matches!(error, PathError::NonFinite { t: 0.0, .. }));
}
