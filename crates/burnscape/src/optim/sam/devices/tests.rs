//! Flex and NdArray, the two devices that every machine has.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Device, Tensor, TensorData};

use crate::loss::{DeviceError, LossError, SumLoss};
use crate::optim::{
    Ascent, AscentScope, DescentGradient, Metric, Need, OptimError, Sam, SamConfig, StepReport,
};
use crate::space::{RunningStatistics, unshared_copy, waited};

const SCOPES: [AscentScope; 2] = [AscentScope::Shared, AscentScope::PerDevice];
const LR: f64 = 0.1;

#[allow(
    deprecated,
    reason = "the only second device that every machine has; Burn deprecates its constructor"
)]
fn devices() -> [Device; 2] {
    [Device::flex(), Device::ndarray()]
}

fn trained_on() -> Device {
    Device::flex().autodiff()
}

/// Pseudorandom numbers that are the same on every machine.
fn wave<const D: usize>(shape: [usize; D], phase: f64) -> Tensor<D> {
    let len: usize = shape.iter().product();
    let wave = |i: usize| ((i as f64 + 1.0) * 1.7 + phase).sin();
    let numbers: Vec<f64> = (0..len).map(wave).collect();
    Tensor::from_data(TensorData::new(numbers, shape), &trained_on())
}

#[derive(Module, Debug)]
struct Net {
    hidden: Param<Tensor<2>>,
    norm: Option<BatchNorm>,
    output: Param<Tensor<2>>,
}

type Pairs = (Tensor<2>, Tensor<2>);

impl Net {
    fn new() -> Self {
        Self {
            hidden: Param::from_tensor(wave([3, 6], 0.0)),
            norm: None,
            output: Param::from_tensor(wave([6, 2], 0.5)),
        }
    }

    fn normed() -> Self {
        Self {
            norm: Some(BatchNormConfig::new(6).init(&trained_on())),
            ..Self::new()
        }
    }

    fn weights(&self) -> Vec<f64> {
        let both = [self.hidden.val(), self.output.val()];
        let read = |weights: Tensor<2>| weights.into_data().iter::<f64>().collect::<Vec<f64>>();
        both.map(read).concat()
    }

    fn statistics(&self) -> Vec<f64> {
        let statistics = RunningStatistics::of(self);
        let paths: Vec<String> = statistics.paths().map(str::to_string).collect();
        let read = |path: &String| {
            let values = statistics.get(path).unwrap().clone().into_data();
            values.iter::<f64>().collect::<Vec<f64>>()
        };
        paths.iter().flat_map(read).collect()
    }
}

fn loss(net: &Net, (x, y): Pairs) -> Tensor<1> {
    let mut hidden = x.matmul(net.hidden.val());
    if let Some(norm) = &net.norm {
        hidden = norm.forward(hidden);
    }
    (hidden.tanh().matmul(net.output.val()) - y).square().mean()
}

fn batch(examples: usize) -> Pairs {
    (wave([examples, 3], 0.2), wave([examples, 2], 0.7))
}

fn sam(config: &SamConfig) -> Sam {
    let base = SgdConfig::new().with_momentum(Some(MomentumConfig::new()));
    config.init(base.init()).unwrap()
}

fn spread(config: &SamConfig, scope: AscentScope) -> Sam {
    sam(config).on_devices(devices(), scope).unwrap()
}

/// Three steps on ten examples.
fn train(mut sam: Sam, step: fn(&mut Sam, &mut Net, Pairs) -> StepReport) -> (Net, StepReport) {
    let mut net = Net::new();
    let mut last = StepReport::default();
    for _ in 0..3 {
        last = step(&mut sam, &mut net, batch(10));
        assert_eq!(last.skipped, None);
    }
    (net, last)
}

fn alone(sam: &mut Sam, net: &mut Net, batch: Pairs) -> StepReport {
    sam.step_on(LR, net, batch, &loss).unwrap()
}

fn together(sam: &mut Sam, net: &mut Net, batch: Pairs) -> StepReport {
    sam.step_on_devices(LR, net, batch, &loss).unwrap()
}

/// Whether vectors agree up to the rounding of single precision.
#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let pairs = found.iter().zip(expected);
    let difference = norm(&mut pairs.map(|(x, y)| x - y));
    let size = norm(&mut expected.iter().copied());
    assert!(difference <= 1e-5 * size, "{what}: {difference} of {size}");
}

/// All parts of SAM that need no whole batch.
fn variants() -> Vec<SamConfig> {
    let sam = || SamConfig::new().with_rho(0.1);
    let projected = Ascent::Projected {
        steps: 3,
        restarts: 1,
        step_size: 0.5,
    };
    let look = DescentGradient::Look {
        every: 2,
        alpha: 0.7,
    };
    vec![
        sam(),
        SamConfig::asam(),
        SamConfig::gsam(),
        SamConfig::wsam(),
        SamConfig::fisher_sam(),
        SamConfig::friendly_sam().with_rho(0.1),
        sam().with_descent_gradient(look),
        sam().with_ascent(projected),
        sam().with_mask(Some(0.5)).with_seed(3),
        sam().with_active_steps(Some(1..2)),
    ]
}

#[test]
fn a_shared_ascent_is_that_of_one_device() {
    for config in variants() {
        let (net, report) = train(sam(&config), alone);
        let (found, there) = train(spread(&config, AscentScope::Shared), together);
        let name = format!("{config:?}");
        assert_near(&found.weights(), &net.weights(), &name);
        assert_near(&[there.gradient_norm], &[report.gradient_norm], &name);
        assert_near(&[there.loss.unwrap()], &[report.loss.unwrap()], &name);
        assert_eq!(there.num_gradients, report.num_gradients, "{name}");
    }
}

#[test]
fn ascents_of_devices_are_those_of_groups() {
    for config in variants() {
        let groups = config.clone().with_group_size(Some(5));
        let (net, report) = train(sam(&groups), alone);
        let (found, there) = train(spread(&config, AscentScope::PerDevice), together);
        let name = format!("{config:?}");
        assert_near(&found.weights(), &net.weights(), &name);
        assert_near(&[there.gradient_norm], &[report.gradient_norm], &name);
        assert_near(&[there.loss.unwrap()], &[report.loss.unwrap()], &name);
        assert_eq!(there.num_gradients, report.num_gradients, "{name}");
        let apart = report.perturbed_loss.map_or(0.0, |loss| {
            (loss - there.perturbed_loss.unwrap()).abs() / loss
        });
        assert!(apart < 1e-5, "{name}");
    }
}

#[test]
fn sums_and_parts_of_different_sizes_add_up() {
    let config = SamConfig::new().with_rho(0.1);
    let sum = SumLoss(|net: &Net, batch: Pairs| {
        let numbers = batch.1.shape().num_elements() as f64;
        loss(net, batch) * numbers
    });
    for examples in [7, 2] {
        let steps = |mut sam: Sam| {
            let mut net = Net::new();
            let report = sam.step_on_devices(0.01, &mut net, batch(examples), &sum);
            assert_eq!(report.unwrap().skipped, None);
            net.weights()
        };
        let found = steps(spread(&config, AscentScope::Shared));
        assert_near(&found, &steps(sam(&config)), "a sum");
    }
}

#[test]
fn one_device_is_as_good_as_none() {
    for scope in SCOPES {
        let config = SamConfig::new().with_group_size(Some(5));
        let one = sam(&config).on_devices([Device::flex()], scope).unwrap();
        let (found, there) = train(one, together);
        let (net, report) = train(sam(&config), together);
        assert_eq!((found.weights(), there), (net.weights(), report));
        let one = sam(&config).on_devices([Device::flex()], scope).unwrap();
        assert_eq!(train(one, alone).0.weights(), net.weights());
    }
}

#[test]
fn the_same_devices_have_the_same_bits_and_a_run_resumes() {
    for scope in SCOPES {
        let config = SamConfig::friendly_sam().with_rho(0.1);
        let (net, _) = train(spread(&config, scope), together);
        assert_eq!(
            train(spread(&config, scope), together).0.weights(),
            net.weights()
        );
        let mut first = spread(&config, scope);
        let mut resumed = Net::new();
        together(&mut first, &mut resumed, batch(10));
        let record = first.to_record(&resumed).unwrap();
        let mut second = spread(&config, scope)
            .load_record(record, &resumed)
            .unwrap();
        for _ in 1..3 {
            together(&mut second, &mut resumed, batch(10));
        }
        assert_eq!(resumed.weights(), net.weights());
        assert_eq!(second.num_steps(), 3);
        // The record holds no devices.
        let record = second.to_record(&resumed).unwrap();
        let mut alone = sam(&config).load_record(record, &resumed).unwrap();
        assert!(alone.step_on(LR, &mut resumed, batch(10), &loss).is_ok());
    }
}

#[test]
fn running_statistics_are_those_of_the_part_on_the_models_device() {
    for scope in SCOPES {
        let mut net = Net::normed();
        let (x, y) = batch(10);
        let expected = {
            let copy = unshared_copy(&net);
            let part = (x.clone().slice(0..5), y.clone().slice(0..5));
            drop(loss(&copy, part));
            copy.statistics()
        };
        assert_ne!(net.statistics(), expected);
        together(&mut spread(&SamConfig::new(), scope), &mut net, (x, y));
        assert_eq!(net.statistics(), expected);
    }
}

#[test]
fn devices_idle_if_there_are_fewer_examples() {
    for scope in SCOPES {
        let mut spread = spread(&SamConfig::new(), scope);
        let (mut net, mut expected) = (Net::new(), Net::new());
        together(&mut spread, &mut net, batch(1));
        alone(&mut sam(&SamConfig::new()), &mut expected, batch(1));
        assert_eq!(net.weights(), expected.weights());
        let batches = |sam: &Sam| -> Vec<usize> {
            let work = sam.device_work();
            work.iter().map(|device| device.batches).collect()
        };
        let before = batches(&spread);
        assert_eq!(before[1], 0);
        together(&mut spread, &mut net, batch(4));
        let after = batches(&spread);
        assert!(after[0] > before[0] && after[1] > 0);
    }
    assert!(sam(&SamConfig::new()).device_work().is_empty());
}

/// The error of a device.
#[track_caller]
fn fault<T: std::fmt::Debug>(result: Result<T, OptimError>) -> DeviceError {
    match result {
        Err(OptimError::Loss(LossError::Device(fault))) => *fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failure_on_a_device_names_it_and_changes_nothing() {
    let fails = |net: &Net, batch: Pairs| {
        assert!(batch.0.device() == Device::flex(), "not there");
        loss(net, batch)
    };
    for scope in SCOPES {
        let mut net = Net::normed();
        let before = (net.weights(), net.statistics());
        let mut sam = spread(&SamConfig::new(), scope);
        match fault(sam.step_on_devices(LR, &mut net, batch(10), &fails)) {
            DeviceError::Failed {
                index: 1,
                batch: Some(1),
                message,
                ..
            } => assert!(message.contains("not there"), "{message}"),
            other => panic!("{other:?}"),
        }
        assert_eq!((net.weights(), net.statistics()), before);
        assert_eq!(sam.num_steps(), 0);
        // The optimizer stays usable, on the devices that are left as well.
        together(&mut sam, &mut net, batch(10));
        let mut left = sam.on_devices([Device::flex()], scope).unwrap();
        assert!(
            left.step_on_devices(LR, &mut net, batch(10), &fails)
                .is_ok()
        );
    }
}

#[test]
fn a_wait_beyond_the_limit_changes_nothing_and_is_the_last() {
    let limit = Duration::from_secs(3);
    let config = SamConfig::new();
    let [here, there] = devices();
    for (list, silent) in [
        (vec![], 0),
        (vec![here.clone()], 0),
        (vec![here.clone(), there.clone()], 1),
    ] {
        let (sender, receiver) = mpsc::channel::<()>();
        let receiver = Arc::new(Mutex::new(receiver));
        let device = list.get(silent).cloned().unwrap_or(here.clone());
        let is_silent = |net: &Net, batch: Pairs| {
            if batch.0.device() == device {
                let receiver = Arc::clone(&receiver);
                // Whatever becomes of the error.
                drop(waited(move || receiver.lock().unwrap().recv().is_ok()));
            }
            loss(net, batch)
        };
        let mut sam = sam(&config);
        // The order does not matter.
        let limited = |sam: Sam| sam.with_wait_limit(limit);
        if list.len() == 1 {
            sam = limited(sam);
        }
        if !list.is_empty() {
            sam = sam.on_devices(list.clone(), AscentScope::Shared).unwrap();
        }
        if list.len() != 1 {
            sam = limited(sam);
        }
        let mut net = Net::normed();
        let before = (net.weights(), net.statistics());
        match fault(sam.step_on_devices(LR, &mut net, batch(10), &is_silent)) {
            DeviceError::TimedOut { index, seconds, .. } => {
                assert_eq!((index, seconds), (silent, 3.0));
            }
            other => panic!("{other:?}"),
        }
        drop(sender);
        assert_eq!((net.weights(), net.statistics()), before);
        assert_eq!(sam.num_steps(), 0);
        match fault(sam.step_on_devices(LR, &mut net, batch(10), &loss)) {
            DeviceError::Dead { index, .. } => assert_eq!(index, silent),
            other => panic!("{other:?}"),
        }
        let again = sam.with_wait_limit(Duration::from_secs(60));
        let mut again = again
            .on_devices([here.clone()], AscentScope::Shared)
            .unwrap();
        together(&mut again, &mut net, batch(10));
    }
    let zero = || sam(&config).with_wait_limit(Duration::ZERO);
    let step = zero().step_on(LR, &mut Net::new(), batch(4), &loss);
    assert_eq!(fault(step), DeviceError::NoWait);
    let listed = zero().on_devices([here], AscentScope::Shared);
    assert_eq!(fault(listed), DeviceError::NoWait);
}

#[test]
fn a_silent_pass_at_the_displaced_weights_changes_nothing() {
    let [here, _] = devices();
    for config in [SamConfig::new(), SamConfig::friendly_sam()] {
        let (sender, receiver) = mpsc::channel::<()>();
        let receiver = Arc::new(Mutex::new(receiver));
        let calls = AtomicUsize::new(0);
        let is_silent = |net: &Net, batch: Pairs| {
            if calls.fetch_add(1, Ordering::Relaxed) == 1 {
                let receiver = Arc::clone(&receiver);
                // Whatever becomes of the error.
                drop(waited(move || receiver.lock().unwrap().recv().is_ok()));
            }
            loss(net, batch)
        };
        let sam = sam(&config).with_wait_limit(Duration::from_secs(3));
        let mut sam = sam.on_devices([here.clone()], AscentScope::Shared).unwrap();
        let mut net = Net::normed();
        let before = (net.weights(), net.statistics());
        let step = sam.step_on_devices(LR, &mut net, batch(10), &is_silent);
        drop(sender);
        let fault = fault(step);
        assert!(
            matches!(fault, DeviceError::TimedOut { index: 0, .. }),
            "{fault:?}"
        );
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        assert_eq!((net.weights(), net.statistics()), before);
        assert_eq!(sam.num_steps(), 0);
        // With another list it goes on as if there had been no such step.
        let mut sam = sam.on_devices([here.clone()], AscentScope::Shared).unwrap();
        let mut new = Net::normed();
        let mut other = self::sam(&config);
        together(&mut sam, &mut net, batch(10));
        other.step_on(LR, &mut new, batch(10), &loss).unwrap();
        assert_eq!(
            (net.weights(), net.statistics()),
            (new.weights(), new.statistics())
        );
    }
}

#[test]
fn lists_and_entry_points_that_cannot_be_used_are_refused() {
    let on = |list: &[Device]| {
        let list = list.iter().cloned();
        sam(&SamConfig::new()).on_devices(list, AscentScope::Shared)
    };
    assert_eq!(fault(on(&[])), DeviceError::NoDevice);
    let twice = fault(on(&[Device::flex(), Device::flex()]));
    assert!(matches!(twice, DeviceError::Twice { .. }), "{twice:?}");
    let [_, other] = devices();
    for list in [vec![other.clone()], vec![other, Device::flex()]] {
        let mut sam = on(&list).unwrap();
        let step = sam.step_on_devices(LR, &mut Net::new(), batch(4), &loss);
        if list.len() > 1 {
            assert!(step.is_ok(), "{step:?}");
        } else {
            let fault = fault(step);
            assert!(matches!(fault, DeviceError::NotListed { .. }), "{fault:?}");
        }
    }
    let mut sam = on(&devices()).unwrap();
    let mut net = Net::new();
    let closure = sam.step(LR, &mut net, |net: &Net| loss(net, batch(4)));
    let whole = sam.step_on(LR, &mut net, batch(4), &loss);
    for refused in [closure, whole] {
        let error = refused.unwrap_err();
        let is_unmet = matches!(
            error,
            OptimError::Unmet {
                need: Need::Devices,
                ..
            }
        );
        assert!(is_unmet, "{error}");
        assert!(error.to_string().contains("`Sam::step_on_devices`"));
    }
}

#[test]
fn variants_that_look_into_the_whole_batch_are_refused_on_several_devices() {
    for config in [
        SamConfig::new().with_group_size(Some(2)),
        SamConfig::new().with_selection(Some(0.5)),
        SamConfig::new().with_metric(Metric::ExampleFisher { eta: 1.0 }),
        SamConfig::sa_gd_trust_region(),
    ] {
        for scope in SCOPES {
            let error = sam(&config).on_devices(devices(), scope).unwrap_err();
            assert!(matches!(error, OptimError::Incompatible { .. }), "{error}");
            assert!(error.to_string().contains("several devices"), "{error}");
        }
    }
}
