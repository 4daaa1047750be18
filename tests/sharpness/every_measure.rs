//! Properties of every measure: it leaves the model unchanged, and stops for the observer.

use std::ops::ControlFlow;

use burn::module::ParamGroup;
use burn::tensor::{Device, Tensor};
use burnscape::krylov::Outcome;
use burnscape::loss::{Mode, Risk, Work};
use burnscape::sharpness::{AverageSharpnessConfig, WorstCaseSharpnessConfig};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::Normalized;

use super::models::{net, regression, squared_error, stop_at};

#[test]
fn a_size_of_zero_gives_a_rise_of_exactly_zero() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let average = AverageSharpnessConfig::new(0.0).with_num_samples(3);
    let average = average.run(&risk, &model).unwrap();
    assert_eq!(average.rises, [0.0; 3]);
    let worst = WorstCaseSharpnessConfig::new(0.0);
    assert_eq!(worst.run(&risk, &model).unwrap().rise, 0.0);
}

#[test]
fn only_the_group_of_the_risk_is_perturbed() {
    let (model, data) = (net(), regression());
    let group = ParamGroup::from_regex("second").unwrap();
    let risk = Risk::new(&squared_error, &data).with_group(group);
    let worst = WorstCaseSharpnessConfig::new(0.1)
        .run(&risk, &model)
        .unwrap();
    assert_eq!(worst.displacement.unwrap().space().len(), 8 * 3);
    assert!(worst.rise > 0.0);
}

fn normalized_error(model: &Normalized, x: Tensor<2>) -> Tensor<1> {
    model.forward(x).powi_scalar(2).mean()
}

#[test]
fn the_model_and_its_running_statistics_are_not_changed() {
    let device = Device::default().autodiff();
    let model = Normalized::new([2, 3, 1], &device);
    let space = ParamSpace::of(&model).unwrap();
    let state = || {
        let weights = ParamVector::from_module(&space, &model)
            .unwrap()
            .to_host()
            .unwrap();
        let [mean, var] = model.running().map(Tensor::into_data);
        (weights, mean, var)
    };
    let before = state();
    let plain = Device::default();
    let data = [Tensor::<2>::from_floats(
        [[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]],
        &plain,
    )];
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&normalized_error, &data).with_mode(mode);
        for fixed_length in [false, true] {
            let average = AverageSharpnessConfig::new(0.1)
                .with_fixed_length(fixed_length)
                .with_num_samples(3);
            average.run(&risk, &model).unwrap();
        }
        let worst = WorstCaseSharpnessConfig::new(0.1).with_num_steps(3);
        worst.run(&risk, &model).unwrap();
        assert_eq!(state(), before, "{mode:?}");
    }
}

#[test]
fn a_stopped_measurement_returns_what_it_reached() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let stopped = |work, done| risk.clone().with_observer(stop_at(work, done));
    let rise = AverageSharpnessConfig::new(0.1)
        .run(&stopped(Work::Sample, 3), &model)
        .unwrap();
    assert_eq!((rise.rises.len(), rise.completed), (3, false));
    assert_eq!(rise.num_losses, 4);
    let first = AverageSharpnessConfig::new(0.1)
        .with_fixed_length(true)
        .run(&stopped(Work::Sample, 1), &model)
        .unwrap();
    assert_eq!((first.rises.len(), first.completed), (1, false));
    assert_eq!(first.standard_error, None);
    let worst = WorstCaseSharpnessConfig::new(0.1)
        .run(&stopped(Work::AscentStep, 2), &model)
        .unwrap();
    assert_eq!((worst.num_gradients, worst.outcome), (2, Outcome::Stopped));
    assert!(worst.rise > 0.0);
}

#[test]
fn an_observer_sees_every_sample_and_its_rise() {
    let (model, data) = (net(), regression());
    let mut samples = Vec::new();
    let rise = AverageSharpnessConfig::new(0.1)
        .with_num_samples(5)
        .run(
            &Risk::new(&squared_error, &data).with_observer(|progress| {
                if progress.work == Work::Sample {
                    samples.push((progress.done, progress.total, progress.value));
                }
                ControlFlow::Continue(())
            }),
            &model,
        )
        .unwrap();
    let rises = rise.rises.iter().enumerate();
    let expected: Vec<_> = rises.map(|(i, &x)| (i + 1, Some(5), Some(x))).collect();
    assert_eq!(samples, expected);
}
