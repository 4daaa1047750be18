//! Landscapes on two devices.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use burn::tensor::{DType, Device, Int, Tensor};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

use crate::landscape::{Direction, DirectionKind, Landscape, LandscapeConfig, LandscapeError};
use crate::loss::{DeviceError, LossError, NormalizationPolicy, Progress, Risk, Work};
use crate::space::{Grid, ParamSpace, ParamVector, RunningStatistics, unshared_copy};

#[allow(deprecated, reason = "deprecated by Burn, supported while Burn has it")]
fn ndarray() -> Device {
    Device::ndarray()
}

/// Lets Flex wait at its first point until NdArray has one, so that both take part.
#[derive(Default)]
struct Meeting {
    /// Both batches of the model are evaluated.
    is_past_center: AtomicBool,
    has_met: AtomicBool,
}

impl Meeting {
    fn watch(&self, progress: &Progress) -> ControlFlow<()> {
        if (progress.work, progress.done) == (Work::Loss, 2) {
            self.is_past_center.store(true, Ordering::SeqCst);
        }
        ControlFlow::Continue(())
    }

    /// Whether this is a point on NdArray.
    fn join(&self, device: &Device) -> bool {
        if !self.is_past_center.load(Ordering::SeqCst) {
            return false;
        }
        if device.clone().inner() == ndarray() {
            self.has_met.store(true, Ordering::SeqCst);
            return true;
        }
        for _ in 0..20_000 {
            if self.has_met.load(Ordering::SeqCst) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    }
}

/// Everything is computed without rounding.
fn point() -> Point {
    Point::new(&[1.0, -2.0, 0.5], &Device::flex(), DType::F32)
}

fn quadratic(model: &Point, h: Tensor<1>) -> Tensor<1> {
    (model.w.val().square() * h).sum() * 0.5
}

fn diagonals() -> [Tensor<1>; 2] {
    [[4.0, 0.5, 1.0], [2.0, 1.0, 8.0]].map(|h| Tensor::from_floats(h, &Device::flex()))
}

fn directions(model: &Point) -> Vec<Direction> {
    let space = ParamSpace::of(model).unwrap();
    let vectors = [[1.0, 2.0, 0.0], [0.0, -1.0, 4.0]];
    let direction = |vector: &[f64; 3]| {
        let vector = ParamVector::from_host(&space, vector).unwrap();
        Direction::new(DirectionKind::Other("given".to_string()), vector)
    };
    vectors.iter().map(direction).collect()
}

fn axes() -> [Grid; 2] {
    [
        Grid::symmetric(1.0, 5).unwrap(),
        Grid::linspace(-0.5, 1.5, 5).unwrap(),
    ]
}

#[test]
fn two_devices_give_the_landscape_of_one() {
    let (model, data) = (point(), diagonals());
    let directions = directions(&model);
    let one = Risk::new(&quadratic, &data);
    let meeting = Meeting::default();
    let met = |model: &Point, h: Tensor<1>| {
        meeting.join(&model.w.val().device());
        quadratic(model, h)
    };
    let two = Risk::new(&met, &data)
        .with_observer(|progress| meeting.watch(progress))
        .with_devices([Device::flex(), ndarray()]);
    let config = LandscapeConfig::new(axes()).with_metric("again", &one);
    let found = config.run(&two, &model, &directions).unwrap();
    assert!(found.completed);
    assert_eq!(found, config.run(&one, &model, &directions).unwrap());
    // Two batches at the model, and those of the loss and of the metric at each of the other points.
    let batches = two.device_work().into_iter().map(|work| work.batches);
    let batches: Vec<usize> = batches.collect();
    assert_eq!(batches.iter().sum::<usize>(), 2 + 24 * 4);
    assert!(batches.iter().all(|&own| own > 1), "{batches:?}");
}

#[test]
fn observers_see_the_points_of_one_device_and_stop_at_the_same_one() {
    let (model, data) = (point(), diagonals());
    let directions = directions(&model);
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
        let found = LandscapeConfig::new(axes()).run(&risk, &model, &directions);
        drop(risk);
        let found = found.unwrap();
        let losses: Vec<u64> = found.losses.iter().map(|loss| loss.to_bits()).collect();
        let seen = seen.into_inner().unwrap();
        (seen, found.evaluated, losses, found.num_losses)
    };
    for stop in [1, 2, 9, 25, 99] {
        let one = run(vec![Device::flex()], stop);
        assert_eq!(one.0.len(), stop.min(25));
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
    let directions = [Direction::between(&model, &other).unwrap()];
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
        let config = LandscapeConfig::new([Grid::linspace(0.0, 1.0, 9).unwrap()]);
        let config = config.with_policy(policy);
        let one = Risk::new(&squares, &data);
        let one = config.run(&one, &model, &directions).unwrap();
        let meeting = Meeting::default();
        let met = |net: &Normalized, x: Tensor<2>| {
            meeting.join(&x.device());
            squares(net, x)
        };
        let two = Risk::new(&met, &data)
            .with_observer(|progress| meeting.watch(progress))
            .with_devices([device.clone(), ndarray()]);
        let two = config.run(&two, &model, &directions).unwrap();
        for (a, b) in one.losses.iter().zip(&two.losses) {
            assert!((a - b).abs() < 1e-4 * a.abs(), "{policy:?}: {a} {b}");
        }
    }
}

#[test]
fn a_device_that_fails_is_named() {
    let (model, data) = (point(), diagonals());
    let meeting = Meeting::default();
    let loss = |model: &Point, h: Tensor<1>| {
        let is_doomed = meeting.join(&model.w.val().device());
        assert!(!is_doomed, "out of memory");
        quadratic(model, h)
    };
    let risk = Risk::new(&loss, &data)
        .with_observer(|progress| meeting.watch(progress))
        .with_devices([Device::flex(), ndarray()]);
    let found = LandscapeConfig::new(axes()).run(&risk, &model, &directions(&model));
    let Err(LandscapeError::Loss(LossError::Device(error))) = found else {
        panic!("{found:?}");
    };
    let DeviceError::Failed {
        device,
        index: 1,
        batch: None,
        message,
    } = &*error
    else {
        panic!("{error:?}");
    };
    assert!(device.contains("NdArray"), "{device}");
    assert!(message.contains("out of memory"), "{message}");
}

#[test]
fn threads_and_draws_are_refused() {
    let (model, data) = (point(), diagonals());
    let directions = directions(&model);
    let one = Risk::new(&quadratic, &data).with_devices([Device::flex()]);
    let two = one.clone().with_devices([Device::flex(), ndarray()]);
    let run = |config: LandscapeConfig<'_, Point>, risk: &Risk<'_, Point>| {
        let found = config.run(risk, &model, &directions);
        found.map(|found: Landscape| found.completed)
    };
    let config = LandscapeConfig::new(axes());
    let threads = config.clone().with_threads(3);
    let error = LandscapeError::ThreadsOnDevices {
        threads: 3,
        devices: 2,
    };
    assert!(error.to_string().contains("with_threads"), "{error}");
    assert_eq!(run(threads.clone(), &two), Err(error.clone()));
    assert_eq!(
        run(threads.clone().with_metric("two", &two), &one),
        Err(error)
    );
    // A list of one device is none.
    assert_eq!(run(threads, &one), Ok(true));
    let drawn = two.clone().with_draws_seed(1);
    assert_eq!(
        run(config.clone(), &drawn),
        Err(LandscapeError::DrawsOnThreads)
    );
    let metric = config.clone().with_metric("drawn", &drawn);
    assert_eq!(run(metric, &two), Err(LandscapeError::DrawsOnThreads));
    // The loss decides, and a metric spreads its batches.
    assert_eq!(run(config.with_metric("two", &two), &one), Ok(true));
}
