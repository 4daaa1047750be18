//! Arguments and losses that are refused.

use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::OutOfRange;
use burnscape::krylov::Outcome;
use burnscape::loss::{LossError, Risk, Work};
use burnscape::sharpness::{AverageSharpnessConfig, SharpnessError, WorstCaseSharpnessConfig};
use burnscape::space::{Scale, SpaceError, UnfilteredRule};

use super::models::{H, Point, matrix, net, quadratic, regression, squared_error, stop_at};

#[test]
fn a_loss_that_is_not_finite_is_refused_with_the_number_of_the_sample() {
    let loss = |model: &Point, x: Tensor<1>| (model.w.val().log() * x).sum();
    let one = TensorData::from([1.0_f64]);
    let data = [Tensor::<1>::from_data(
        one,
        (&Device::default(), DType::F64),
    )];
    let risk = Risk::new(&loss, &data);
    let model = Point::new(&[1e-3]);
    let error = AverageSharpnessConfig::new(1.0).run(&risk, &model);
    let Err(SharpnessError::NonFiniteSample { sample, .. }) = error else {
        panic!("{error:?}");
    };
    // The samples before it are fine.
    if sample > 0 {
        let config = AverageSharpnessConfig::new(1.0).with_num_samples(sample);
        assert!(config.run(&risk, &model).is_ok());
    }
    let error = WorstCaseSharpnessConfig::new(10.0)
        .with_num_starts(20)
        .run(&risk, &model);
    assert!(
        matches!(error, Err(SharpnessError::NonFiniteStep { step: 0, .. })),
        "{error:?}"
    );
    let error = AverageSharpnessConfig::new(1.0).run(&risk, &Point::new(&[-1.0]));
    assert!(matches!(
        error,
        Err(SharpnessError::Loss(LossError::NonFinite { .. }))
    ));
}

#[test]
fn a_gradient_that_is_not_finite_is_refused() {
    let loss = |model: &Point, x: Tensor<1>| (model.w.val().sqrt() * x).sum();
    let one = TensorData::from([1.0_f64]);
    let data = [Tensor::<1>::from_data(
        one,
        (&Device::default(), DType::F64),
    )];
    let error =
        WorstCaseSharpnessConfig::new(0.1).run(&Risk::new(&loss, &data), &Point::new(&[0.0]));
    assert!(
        matches!(
            error,
            Err(SharpnessError::NonFiniteGradient {
                start: 0,
                step: 0,
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn values_without_meaning_are_refused_by_name() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let refused = |result: Result<(), SharpnessError>, wanted: &str| match result {
        Err(SharpnessError::OutOfRange(OutOfRange { name, .. })) => assert_eq!(name, wanted),
        other => panic!("{wanted}: {other:?}"),
    };
    let average = |config: AverageSharpnessConfig| config.run(&risk, &model).map(|_| ());
    let worst = |config: WorstCaseSharpnessConfig| config.run(&risk, &model).map(|_| ());
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        refused(average(AverageSharpnessConfig::new(bad)), "sigma");
        refused(worst(WorstCaseSharpnessConfig::new(bad)), "rho");
        refused(
            worst(WorstCaseSharpnessConfig::new(0.1).with_tolerance(bad)),
            "tolerance",
        );
        refused(
            worst(WorstCaseSharpnessConfig::new(0.1).with_step_size(bad)),
            "step_size",
        );
    }
    refused(
        average(AverageSharpnessConfig::new(0.1).with_num_samples(0)),
        "num_samples",
    );
    refused(
        worst(WorstCaseSharpnessConfig::new(0.1).with_num_steps(0)),
        "num_steps",
    );
    refused(
        worst(WorstCaseSharpnessConfig::new(0.1).with_num_starts(0)),
        "num_starts",
    );
    refused(
        worst(WorstCaseSharpnessConfig::new(0.1).with_step_size(0.0)),
        "step_size",
    );
}

#[test]
fn a_scale_that_perturbs_nothing_is_refused() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let risk = Risk::new(&quadratic, &data);
    let scale = Scale::FilterRelative(UnfilteredRule::Zero);
    let error = AverageSharpnessConfig::new(0.1)
        .with_scale(scale)
        .run(&risk, &model);
    assert_eq!(
        error,
        Err(SharpnessError::Space(SpaceError::NothingToPerturb))
    );
    let scale = Scale::FilterRelative(UnfilteredRule::AsOneFilter);
    let rise = AverageSharpnessConfig::new(0.1)
        .with_scale(scale)
        .run(&risk, &model);
    assert!(rise.is_ok());
}

#[test]
fn any_number_of_samples_can_be_planned_and_stopped() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let risk = Risk::new(&quadratic, &data);
    let stopped = |work, done| risk.clone().with_observer(stop_at(work, done));
    let found = AverageSharpnessConfig::new(0.1)
        .with_num_samples(usize::MAX)
        .run(&stopped(Work::Sample, 3), &model)
        .unwrap();
    assert_eq!((found.rises.len(), found.completed), (3, false));
    // Two gradients a start: the seventh begins the fourth.
    let found = WorstCaseSharpnessConfig::new(0.1)
        .with_num_starts(usize::MAX)
        .with_num_steps(1)
        .run(&stopped(Work::AscentStep, 7), &model)
        .unwrap();
    assert_eq!((found.rises.len(), found.outcome), (4, Outcome::Stopped));
}
