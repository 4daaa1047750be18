//! Sharpness-aware steps on batches in parts on two devices.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::loss::{DeviceError, LossError};
use burnscape::optim::{AscentScope, Metric, Need, OptimError, Sam, SamConfig, StepReport};
use burnscape::space::{ParamSpace, ParamVector, unshared_copy};
use burnscape_testkit::models::{Normalized, TwoLayers};

use super::fixture::{Labeled, batches_on, both, distance, filled, mean, second, wave};
use crate::element::{DTYPE, device};

const STEPS: usize = 20;

fn tracked() -> Device {
    device().autodiff()
}

fn net() -> TwoLayers {
    filled(&TwoLayers::new([3, 8, 3], &tracked()), 9.1)
}

fn weights(net: &TwoLayers) -> Vec<f64> {
    let space = ParamSpace::of(net).unwrap();
    let weights = ParamVector::from_module(&space, net).unwrap();
    weights.to_host().unwrap()
}

fn sgd() -> ModuleOptimizer {
    SgdConfig::new().init()
}

fn build(config: &SamConfig, base: ModuleOptimizer) -> Sam {
    config.init(base).unwrap()
}

/// An optimizer on two devices.
fn spread(config: &SamConfig, base: ModuleOptimizer, scope: AscentScope) -> Sam {
    build(config, base).on_devices(both(), scope).unwrap()
}

/// Steps on four batches in turn: the weights after them, and the reports.
fn trained(mut sam: Sam, sizes: &[usize]) -> (Vec<f64>, Vec<StepReport>) {
    let (mut net, data) = (net(), batches_on(sizes, &tracked()));
    let step = |step: usize| {
        let batch = data[step % data.len()].clone();
        sam.step_on_devices(0.1, &mut net, batch, &mean).unwrap()
    };
    let reports = (0..STEPS).map(step).collect();
    (weights(&net), reports)
}

fn losses(reports: &[StepReport]) -> Vec<f64> {
    let both = |report: &StepReport| [report.loss, report.perturbed_loss];
    reports.iter().flat_map(both).flatten().collect()
}

#[test]
fn one_ascent_along_the_gradient_of_all_devices_is_that_of_one_device() {
    for config in [
        SamConfig::new().with_rho(0.2),
        SamConfig::asam().with_rho(0.2),
        SamConfig::gsam().with_rho(0.2),
        SamConfig::wsam().with_rho(0.2),
        SamConfig::look_sam().with_rho(0.2),
        SamConfig::friendly_sam().with_rho(0.2),
    ] {
        // Even and odd numbers of examples.
        let sizes = [8, 7, 6, 3];
        let (expected, alone) = trained(build(&config, sgd()), &sizes);
        let (found, reports) = trained(spread(&config, sgd(), AscentScope::Shared), &sizes);
        let difference = distance(&found, &expected);
        assert!(difference < 1e-4, "{config:?}: {difference:e}");
        assert!(distance(&losses(&reports), &losses(&alone)) < 1e-4);
        // A gradient of the whole batch counts once.
        for (found, alone) in reports.iter().zip(&alone) {
            assert_eq!(found.num_gradients, alone.num_gradients);
            assert!(found.skipped.is_none());
        }
        // It is no plain descent.
        let (plain, _) = trained(build(&SamConfig::new().with_rho(0.0), sgd()), &sizes);
        assert!(distance(&found, &plain) > 5e-4, "{config:?}");
    }
}

#[test]
fn an_ascent_a_device_is_m_sharpness_with_its_parts() {
    let sizes = [8, 8, 8, 8];
    for config in [
        SamConfig::new().with_rho(0.2),
        SamConfig::asam().with_rho(0.2),
        SamConfig::gsam().with_rho(0.2),
    ] {
        let groups = config.clone().with_group_size(Some(4));
        let (expected, alone) = trained(build(&groups, sgd()), &sizes);
        let (found, reports) = trained(spread(&config, sgd(), AscentScope::PerDevice), &sizes);
        let difference = distance(&found, &expected);
        assert!(difference < 1e-4, "{config:?}: {difference:e}");
        assert!(distance(&losses(&reports), &losses(&alone)) < 1e-4);
        for (found, alone) in reports.iter().zip(&alone) {
            assert_eq!(found.num_gradients, alone.num_gradients);
            assert_eq!(found.num_gradients, 4);
        }
        // It is not the ascent of the whole batch.
        let (shared, _) = trained(spread(&config, sgd(), AscentScope::Shared), &sizes);
        assert!(distance(&found, &shared) > 5e-4, "{config:?}");
    }
}

#[test]
fn two_runs_have_the_same_bits() {
    let adam = || AdamConfig::new().init();
    let config = SamConfig::friendly_sam().with_rho(0.2);
    for scope in [AscentScope::Shared, AscentScope::PerDevice] {
        let run = || trained(spread(&config, adam(), scope), &[8, 7, 6, 3]);
        let (first, second) = (run(), run());
        assert_eq!(first.0, second.0);
        assert_eq!(first.1, second.1);
    }
}

#[test]
fn a_list_of_one_device_is_no_list() {
    let sizes = [8, 7, 6, 3];
    for config in [SamConfig::new(), SamConfig::new().with_group_size(Some(3))] {
        let expected = trained(build(&config, sgd()), &sizes);
        for scope in [AscentScope::Shared, AscentScope::PerDevice] {
            let sam = build(&config, sgd()).on_devices([device()], scope);
            let found = trained(sam.unwrap(), &sizes);
            assert_eq!(found.0, expected.0);
            assert_eq!(found.1, expected.1);
        }
    }
}

#[test]
fn the_account_lists_the_parts_of_each_device() {
    let (mut net, data) = (net(), batches_on(&[8, 1], &tracked()));
    let config = SamConfig::new();
    let mut sam = spread(&config, sgd(), AscentScope::Shared);
    sam.step_on_devices(0.1, &mut net, data[0].clone(), &mean)
        .unwrap();
    let batches = |sam: &Sam| -> Vec<usize> {
        let work = sam.device_work();
        work.iter().map(|work| work.batches).collect()
    };
    // Two passes.
    assert_eq!(batches(&sam), [2, 2]);
    // One example has one part.
    sam.step_on_devices(0.1, &mut net, data[1].clone(), &mean)
        .unwrap();
    assert_eq!(batches(&sam), [4, 2]);
    let work = sam.device_work();
    assert!(work[0].device.contains("Flex"), "{work:?}");
    assert!(work[1].device.contains("NdArray"), "{work:?}");
    assert!(build(&config, sgd()).device_work().is_empty());
}

#[test]
fn fewer_examples_than_devices_leave_the_last_ones_idle() {
    let config = SamConfig::new().with_rho(0.2);
    let expected = trained(build(&config, sgd()), &[1, 1, 1]);
    for scope in [AscentScope::Shared, AscentScope::PerDevice] {
        // All is computed on the first device.
        let found = trained(spread(&config, sgd(), scope), &[1, 1, 1]);
        assert!(distance(&found.0, &expected.0) < 1e-4);
        assert_eq!(losses(&found.1).len(), losses(&expected.1).len());
    }
}

#[test]
fn the_model_stays_on_its_device() {
    let (mut net, data) = (net(), batches_on(&[8], &tracked()));
    for scope in [AscentScope::Shared, AscentScope::PerDevice] {
        let mut sam = spread(&SamConfig::new(), sgd(), scope);
        sam.step_on_devices(0.1, &mut net, data[0].clone(), &mean)
            .unwrap();
        let weight = net.first.weight.val();
        assert_eq!(weight.device(), device());
        assert!(weight.device().is_autodiff() && weight.is_require_grad());
    }
}

fn squares(net: &Normalized, x: Tensor<2>) -> Tensor<1> {
    (net.forward(x) - 1.0).square().mean()
}

#[test]
fn running_statistics_are_those_of_the_part_on_the_models_device() {
    let numbers: Vec<f64> = (0..24).map(|i| 2.0 + 3.0 * wave(i, 1.1)).collect();
    let data = TensorData::new(numbers, [8, 3]);
    let x = Tensor::<2>::from_data(data, (&tracked(), DTYPE));
    for (list, rows) in [(both(), 0..4), ([second(), device()], 4..8)] {
        for scope in [AscentScope::Shared, AscentScope::PerDevice] {
            let mut net = filled(&Normalized::new([3, 5, 2], &tracked()), 9.1);
            let alone = unshared_copy(&net);
            drop(alone.forward(x.clone().slice([rows.clone(), 0..3])));
            let sam = build(&SamConfig::new(), sgd()).on_devices(list.clone(), scope);
            sam.unwrap()
                .step_on_devices(0.1, &mut net, x.clone(), &squares)
                .unwrap();
            let [found, expected] = [&net, &alone].map(|net| {
                net.running()
                    .map(|tensor| tensor.into_data().iter::<f64>().collect::<Vec<_>>())
            });
            assert_eq!(found, expected, "{scope:?}");
        }
    }
}

#[test]
fn a_part_that_fails_leaves_the_model() {
    let (mut net, data) = (net(), batches_on(&[8], &tracked()));
    let before = weights(&net);
    let is_broken = AtomicBool::new(true);
    let loss = |net: &TwoLayers, batch: Labeled| {
        let is_there = batch.x.device() == second();
        assert!(
            !(is_there && is_broken.load(Ordering::Relaxed)),
            "only here"
        );
        mean(net, batch)
    };
    for scope in [AscentScope::Shared, AscentScope::PerDevice] {
        let mut sam = spread(&SamConfig::new(), sgd(), scope);
        is_broken.store(true, Ordering::Relaxed);
        let error = sam.step_on_devices(0.1, &mut net, data[0].clone(), &loss);
        let error = device_error(error);
        let DeviceError::Failed {
            index,
            batch,
            message,
            ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((*index, *batch), (1, Some(1)));
        assert!(message.contains("only here"), "{message}");
        assert_eq!(weights(&net), before);
        // The optimizer works on when the loss does.
        is_broken.store(false, Ordering::Relaxed);
        let mut other = unshared_copy(&net);
        let found = sam.step_on_devices(0.1, &mut other, data[0].clone(), &loss);
        assert!(found.unwrap().skipped.is_none());
        assert_ne!(weights(&other), before);
    }
}

fn device_error<T>(result: Result<T, OptimError>) -> DeviceError {
    match result.map(drop) {
        Err(OptimError::Loss(LossError::Device(error))) => *error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lists_that_cannot_be_used_are_refused() {
    let sam = || build(&SamConfig::new(), sgd());
    let scope = AscentScope::Shared;
    let none = sam().on_devices(Vec::<Device>::new(), scope);
    assert_eq!(device_error(none), DeviceError::NoDevice);
    let twice = device_error(sam().on_devices([device(), tracked()], scope));
    assert!(
        matches!(
            twice,
            DeviceError::Twice {
                first: 0,
                second: 1,
                ..
            }
        ),
        "{twice:?}"
    );
    let (mut net, data) = (net(), batches_on(&[8], &tracked()));
    let mut elsewhere = sam().on_devices([second()], scope).unwrap();
    let error = elsewhere.step_on_devices(0.1, &mut net, data[0].clone(), &mean);
    let error = device_error(error);
    assert!(matches!(error, DeviceError::NotListed { .. }), "{error:?}");
}

#[test]
fn variants_that_look_into_the_whole_batch_are_refused() {
    for config in [
        SamConfig::new().with_group_size(Some(2)),
        SamConfig::new().with_selection(Some(0.5)),
        SamConfig::new().with_metric(Metric::ExampleFisher { eta: 1.0 }),
        SamConfig::sa_gd_trust_region(),
    ] {
        for scope in [AscentScope::Shared, AscentScope::PerDevice] {
            let error = build(&config, sgd()).on_devices(both(), scope);
            let error = error.map(drop).unwrap_err();
            assert!(
                matches!(error, OptimError::Incompatible { .. }),
                "{config:?}: {error:?}"
            );
            assert!(error.to_string().contains("several devices"), "{error}");
            let alone = build(&config, sgd()).on_devices([device()], scope);
            assert!(alone.is_ok(), "{config:?}");
        }
    }
}

#[test]
fn entry_points_without_parts_of_a_batch_are_refused() {
    let (mut net, data) = (net(), batches_on(&[8], &tracked()));
    let mut sam = spread(&SamConfig::new(), sgd(), AscentScope::Shared);
    let errors = [
        sam.step(0.1, &mut net, |net: &TwoLayers| mean(net, data[0].clone())),
        sam.step_on(0.1, &mut net, data[0].clone(), &mean),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(
            matches!(
                error,
                OptimError::Unmet {
                    need: Need::Devices,
                    ..
                }
            ),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(text.contains("step_on_devices"), "{text}");
    }
    assert_eq!(sam.num_steps(), 0);
}
