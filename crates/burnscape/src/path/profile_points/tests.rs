//! Profiles on two devices.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Int, Tensor};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use crate::loss::{NormalizationPolicy, Progress, Risk, Work};
use crate::path::{CurveProfileConfig, PathError, PolygonalChain};
use crate::space::{ParamSpace, ParamVector, RunningStatistics, unshared_copy};

#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn ndarray() -> Device {
    Device::ndarray()
}

/// Lets Flex wait at its first point until NdArray has one, so that both take part.
#[derive(Default)]
struct Meeting(AtomicBool);

impl Meeting {
    fn join(&self, device: &Device) {
        if device.clone().inner() == ndarray() {
            self.0.store(true, Ordering::SeqCst);
        }
        for _ in 0..20_000 {
            if self.0.load(Ordering::SeqCst) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Points between which everything is computed without rounding.
fn line() -> PolygonalChain<Point> {
    let ends = [[1.0, -2.0, 0.5], [-3.0, 2.0, 0.0]];
    let [a, b] = ends.map(|w| Point::new(&w, &Device::flex(), DType::F32));
    PolygonalChain::line(&a, &b).unwrap()
}

fn quadratic(model: &Point, h: Tensor<1>) -> Tensor<1> {
    (model.w.val().square() * h).sum() * 0.5
}

fn diagonals() -> [Tensor<1>; 2] {
    [[4.0, 0.5, 1.0], [2.0, 1.0, 8.0]].map(|h| Tensor::from_floats(h, &Device::flex()))
}

#[test]
fn two_devices_give_the_profile_of_one() {
    let data = diagonals();
    let one = Risk::new(&quadratic, &data);
    let meeting = Meeting::default();
    let met = |model: &Point, h: Tensor<1>| {
        meeting.join(&h.device());
        quadratic(model, h)
    };
    let two = Risk::new(&met, &data).with_devices([Device::flex(), ndarray()]);
    let config = CurveProfileConfig::new()
        .with_test(&one)
        .with_metric("again", &one)
        .with_num_points(9);
    let found = config.run(&two, &line()).unwrap();
    assert!(found.completed);
    assert_eq!(found, config.run(&one, &line()).unwrap());
    let batches = two.device_work().into_iter().map(|work| work.batches);
    let batches: Vec<usize> = batches.collect();
    assert_eq!(batches.iter().sum::<usize>(), 9 * 3 * 2);
    assert!(batches.iter().all(|&own| own > 0), "{batches:?}");
}

#[test]
fn observers_see_the_points_of_one_device_and_stop_at_the_same_one() {
    let data = diagonals();
    let run = |devices: Vec<Device>, stop: usize| {
        let seen: Mutex<Vec<Progress>> = Mutex::default();
        let risk = Risk::new(&quadratic, &data)
            .with_observer(|progress| {
                if progress.work != Work::Point {
                    return ControlFlow::Continue(());
                }
                seen.lock().unwrap().push(progress.clone());
                if progress.done == stop {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .with_devices(devices);
        let config = CurveProfileConfig::new().with_num_points(9);
        let found = config.run(&risk, &line()).unwrap();
        drop(risk);
        (seen.into_inner().unwrap(), found)
    };
    for stop in [1, 2, 5, 9, 99] {
        let one = run(vec![Device::flex()], stop);
        assert_eq!(one.1.times.len(), stop.min(9));
        assert_eq!(run(vec![Device::flex(), ndarray()], stop), one, "{stop}");
    }
}

#[test]
fn statistics_are_set_on_the_device_of_a_point() {
    let device = Device::flex();
    let model = Normalized::new([4, 3, 1], &device);
    let step = ParamVector::gaussian(&ParamSpace::of(&model).unwrap(), 1).unwrap();
    let other = unshared_copy(&step.perturb(&model, 0.3).unwrap());
    let other = RunningStatistics::of(&other).filled(2.0).write_to(other);
    let line = PolygonalChain::line(&model, &other).unwrap();
    let data = [6, 3].map(|rows: i64| {
        let numbers = Tensor::<1, Int>::arange(0..rows * 4, &device).float();
        (numbers.reshape([rows as usize, 4]) * 1.7).sin() * 3.0
    });
    let squares = |net: &Normalized, x: Tensor<2>| (net.forward(x) - 1.0).square().mean();
    for policy in [
        NormalizationPolicy::Leave,
        NormalizationPolicy::ReestimateAll,
        NormalizationPolicy::Reestimate(1),
        NormalizationPolicy::Interpolate,
    ] {
        let config = CurveProfileConfig::new()
            .with_policy(policy)
            .with_num_points(7);
        let one = config.run(&Risk::new(&squares, &data), &line).unwrap();
        let meeting = Meeting::default();
        let met = |net: &Normalized, x: Tensor<2>| {
            meeting.join(&x.device());
            squares(net, x)
        };
        let two = Risk::new(&met, &data).with_devices([device.clone(), ndarray()]);
        let two = config.run(&two, &line).unwrap();
        for (a, b) in one.train.values.iter().zip(&two.train.values) {
            assert!((a - b).abs() < 1e-4 * a.abs(), "{policy:?}: {a} {b}");
        }
    }
}

#[test]
fn the_error_is_that_of_the_first_place() {
    let data = diagonals();
    let wall = |model: &Point, h: Tensor<1>| {
        let is_far = model.coordinates()[0] < -0.9;
        let loss = quadratic(model, h);
        if is_far { loss + f32::INFINITY } else { loss }
    };
    let config = CurveProfileConfig::new().with_num_points(9);
    let run = |devices: Vec<Device>| {
        let risk = Risk::new(&wall, &data).with_devices(devices);
        config.run(&risk, &line()).unwrap_err()
    };
    let error = PathError::NonFinite {
        what: "train_loss".to_string(),
        t: 0.5,
        batch: 0,
        value: f64::INFINITY,
    };
    assert_eq!(run(vec![Device::flex()]), error);
    assert_eq!(run(vec![Device::flex(), ndarray()]), error);
}

#[test]
fn points_are_calibrated_where_the_curve_is() {
    type Batch = (Tensor<2>, Tensor<1, Int>);
    let device = Device::flex();
    let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 3).init(&device));
    let line = PolygonalChain::line(&a, &b).unwrap();
    let inputs = [[1.0, 0.5], [-0.3, 2.0], [0.7, -1.0], [0.1, 0.2]];
    let labels = Tensor::from_ints([0, 1, 2, 0], &device);
    let data: [Batch; 2] = [
        (Tensor::from_floats(inputs, &device), labels.clone()),
        (Tensor::from_floats(inputs, &device) * 2.0, labels),
    ];
    let risk = || {
        Risk::classes(
            |model: &Linear, (x, _): &Batch| model.forward(x.clone()),
            |(_, labels): &Batch| labels.clone(),
            &data,
        )
    };
    let (one, two) = (risk(), risk().with_devices([device.clone(), ndarray()]));
    let run = |risk| {
        let config = CurveProfileConfig::new().with_num_points(5);
        config.with_calibration(risk).run(risk, &line).unwrap()
    };
    let (one, two) = (run(&one), run(&two));
    let near = |a: &[f64], b: &[f64]| {
        let mut pairs = a.iter().zip(b);
        a.len() == b.len() && pairs.all(|(a, b)| (a - b).abs() <= 1e-4 * (1.0 + a.abs()))
    };
    assert!(near(&one.train.values, &two.train.values));
    let [one_loss, two_loss] = [&one, &two].map(|found| &found.calibrated.as_ref().unwrap().values);
    assert!(near(one_loss, two_loss));
    assert_eq!(two.inverse_temperatures.len(), 5);
}
