//! Profiles of paths whose losses are known.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use burnscape::FormatError;
use burnscape::loss::{LossError, NormalizationPolicy, Work};
use burnscape::path::{
    BezierCurve, Curve, CurveProfile, CurveProfileConfig, PathError, PolygonalChain,
};
use burnscape::prelude::*;
use burnscape::space::Grid;
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use super::models::{at, nothing, point, ring};

fn line() -> PolygonalChain<Point> {
    PolygonalChain::line(&point(&[-1.0, 0.0]), &point(&[1.0, 0.0])).unwrap()
}

#[test]
fn the_line_through_the_ring_has_a_barrier_of_one_in_its_middle() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let profile = CurveProfileConfig::new().run(&risk, &line()).unwrap();
    assert_eq!(profile.times.len(), 61);
    let barriers = profile.train.barriers.unwrap();
    assert_eq!(barriers.above_line, 1.0);
    assert_eq!(barriers.above_worse_end, 1.0);
    assert_eq!(barriers.above_mean, 1.0);
    assert_eq!(barriers.midpoint, Some(1.0));
    let train = &profile.train;
    assert_eq!((train.min, train.max, train.argmax), (0.0, 1.0, 0.5));
    // ∫ ((2t − 1)² − 1)² dt = 8/15, to the error of the trapezoidal rule.
    assert!((train.mean - 8.0 / 15.0).abs() < 1e-5);
    assert!((train.length_weighted_mean - train.mean).abs() < 1e-14);
    assert!((profile.length() - 2.0).abs() < 1e-14);
}

#[test]
fn a_path_from_a_model_to_itself_has_no_barrier() {
    let model = point(&[0.3, -0.7]);
    let data = nothing();
    let path = PolygonalChain::line(&model, &model).unwrap();
    let risk = Risk::new(&ring, &data);
    let profile = CurveProfileConfig::new().run(&risk, &path).unwrap();
    let barriers = profile.train.barriers.unwrap();
    assert_eq!(barriers.above_line, 0.0);
    assert_eq!(barriers.above_worse_end, 0.0);
    assert_eq!(barriers.above_mean, 0.0);
    assert_eq!(barriers.midpoint, Some(0.0));
    assert_eq!(profile.length(), 0.0);
    let network = super::models::network(1);
    let loss = |net: &Normalized, x: Tensor<2>| net.forward(x).square().mean();
    let data = [Tensor::<2>::ones([3, 4], &burn::tensor::Device::default())];
    let path = BezierCurve::between(&network, &network, 3).unwrap();
    let risk = Risk::new(&loss, &data);
    let profile = CurveProfileConfig::new().run(&risk, &path).unwrap();
    assert_eq!(profile.train.barriers.unwrap().above_mean, 0.0);
}

#[test]
fn the_length_weighted_mean_does_not_depend_on_the_speed() {
    // A straight line with a speed that changes: t² of the way at time t.
    let (a, b) = (point(&[-1.0, 0.0]), point(&[1.0, 0.0]));
    let fast = BezierCurve::from_models(&[&a, &a, &b]).unwrap();
    assert!((at(&fast, 0.5)[0] + 0.5).abs() < 1e-15);
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let config = CurveProfileConfig::new().with_num_points(2001);
    let profile = config.run(&risk, &fast).unwrap();
    assert!((profile.train.length_weighted_mean - 8.0 / 15.0).abs() < 1e-5);
    // ∫ ((2t² − 1)² − 1)² dt = 16 ∫ t⁴ (t² − 1)² dt = 16 (1/5 − 2/7 + 1/9).
    let by_time = 16.0 * (1.0 / 5.0 - 2.0 / 7.0 + 1.0 / 9.0);
    assert!((profile.train.mean - by_time).abs() < 1e-5);
    assert!((profile.length() - 2.0).abs() < 1e-12);
}

#[test]
fn sixty_one_places_cost_sixty_one_evaluations_and_no_gradient() {
    let calls = AtomicUsize::new(0);
    let counted = |point: &Point, batch: Tensor<1>| {
        calls.fetch_add(1, Ordering::Relaxed);
        let loss = ring(point, batch);
        assert!(!loss.is_tracked(), "no graph is built");
        loss
    };
    let data = nothing();
    let risk = Risk::new(&counted, &data);
    let profile = CurveProfileConfig::new().run(&risk, &line()).unwrap();
    // And a probe, to verify that no random numbers are drawn.
    let calls = calls.load(Ordering::Relaxed);
    assert_eq!((calls, profile.num_losses), (62, 61));
}

#[test]
fn controls_are_as_long_as_the_line() {
    let (a, b) = (point(&[-1.0, 0.0]), point(&[1.0, 0.0]));
    let curve = BezierCurve::from_models(&[&a, &point(&[0.0, 4.5_f64.sqrt()]), &b]).unwrap();
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    let config = CurveProfileConfig::new().with_controls(4);
    let profile = config.run(&risk, &curve).unwrap();
    let (line, random) = (profile.line.unwrap(), profile.random.unwrap());
    assert!(profile.completed);
    assert!((line.length() - 2.0).abs() < 1e-12);
    assert!((random.length() - 2.0).abs() < 1e-12);
    assert!((profile.train.mean - 2.0 / 105.0).abs() < 1e-5);
    assert!((profile.train.max - 4.0 / 81.0).abs() < 1e-3);
    assert_eq!(line.barriers().unwrap().above_line, 1.0);
}

#[test]
fn json_and_csv_have_test_data_and_metrics() {
    let (train, test) = (nothing(), nothing());
    let norm = |p: &Point, _: Tensor<1>| p.w.val().square().sum();
    let profile = CurveProfileConfig::new()
        .with_test(&Risk::new(&ring, &test))
        .with_metric("train_norm, squared", &Risk::new(&norm, &train))
        .with_metric("test_norm, squared", &Risk::new(&norm, &test))
        .with_num_points(3)
        .run(&Risk::new(&ring, &train), &line())
        .unwrap();
    assert_eq!(profile.num_losses, 12);
    assert_eq!(profile.metrics[0].values, [1.0, 0.0, 1.0]);
    assert_eq!(profile.test.as_ref().unwrap().values, [0.0, 1.0, 0.0]);
    let json = profile.to_json().unwrap();
    assert!(json.contains("\"policy\":\"reestimate_all\""), "{json}");
    assert_eq!(CurveProfile::from_json(&json).unwrap(), profile);
    let mut csv = Vec::new();
    profile.write_csv(&mut csv).unwrap();
    let expected = "t,length,train_loss,test_loss,\"train_norm, squared\",\"test_norm, squared\"\n\
                    0,0,0,0,1,1\n0.5,1,1,1,0,0\n1,2,0,0,1,1\n";
    assert_eq!(String::from_utf8(csv).unwrap(), expected);
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = profile.write_json(Full).unwrap_err();
    assert!(matches!(error, FormatError::Write { .. }), "{error}");
}

#[test]
fn a_stopped_profile_has_what_it_reached_and_no_barrier() {
    let data = nothing();
    let risk = Risk::new(&ring, &data).with_observer(|progress| {
        match (progress.work, progress.done, progress.total) {
            (Work::Point, 7, Some(61)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let profile = CurveProfileConfig::new().run(&risk, &line()).unwrap();
    assert!(!profile.completed);
    assert_eq!(profile.times.len(), 7);
    assert_eq!(profile.train.values.len(), 7);
    assert_eq!(profile.train.barriers, None);
}

#[test]
fn a_loss_or_metric_that_is_not_finite_is_reported_with_its_place() {
    let data = nothing();
    let walled = |point: &Point, _: Tensor<1>| (point.w.val().square().sum() - 0.5).sqrt();
    let metric = Risk::new(&walled, &data);
    let error = CurveProfileConfig::new().run(&metric, &line()).unwrap_err();
    let PathError::NonFinite { t, value, .. } = error.clone() else {
        panic!("{error}")
    };
    // The first place with |2t − 1|² < ½.
    assert!((t - 9.0 / 60.0).abs() < 1e-12 && value.is_nan(), "{error}");
    assert!(error.to_string().contains("t = 0.15"), "{error}");
    let error = CurveProfileConfig::new()
        .with_metric("walled", &metric)
        .run(&Risk::new(&ring, &data), &line())
        .unwrap_err();
    assert!(error.to_string().contains("walled is NaN"), "{error}");
}

#[test]
fn grids_without_the_ends_and_empty_data_are_refused() {
    let data = nothing();
    let risk = Risk::new(&ring, &data);
    for (from, to) in [(0.0, 0.9), (0.1, 1.0), (-0.1, 1.0), (0.0, 1.1)] {
        let grid = Grid::linspace(from, to, 5).unwrap();
        let config = CurveProfileConfig::new().with_grid(grid);
        let error = config.run(&risk, &line()).unwrap_err();
        assert!(matches!(error, PathError::OutOfRange { .. }));
    }
    let config = CurveProfileConfig::new();
    let single = config.clone().with_num_points(1).run(&risk, &line());
    assert!(matches!(single.unwrap_err(), PathError::Space(_)));
    let none: [Tensor<1>; 0] = [];
    let grid = Grid::linspace(0.0, 1.0, 5).unwrap();
    let config = config.with_grid(grid);
    let error = config.run(&Risk::new(&ring, &none), &line()).unwrap_err();
    assert_eq!(error, PathError::Loss(LossError::EmptyData));
    let error = config
        .clone()
        .with_policy(NormalizationPolicy::Reestimate(0))
        .run(&risk, &line())
        .unwrap_err();
    assert!(matches!(error, PathError::OutOfRange { .. }));
    let whole = config.run(&risk, &line()).unwrap();
    assert_eq!(whole.times.len(), 5);
    assert!(line().length().unwrap() > 0.0);
}
