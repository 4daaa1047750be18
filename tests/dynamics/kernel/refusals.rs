//! Bad input is refused, and leaves the monitor as it was.

use std::ops::ControlFlow;

use burn::tensor::{DType, Tensor};
use burnscape::curvature::CurvatureError;
use burnscape::dynamics::{
    DynamicsError, LinearizedModel, Moment, Monitor, TangentKernelConfig, TangentKernelMonitor,
    TangentKernelMonitorState,
};
use burnscape::loss::{Risk, Split, Work};
use burnscape::space::SpaceError;
use burnscape_testkit::double::device;
use burnscape_testkit::objectives::Point;

use super::models::{Hidden, of_hidden, of_squares, one, ones, point};

fn target(values: &[f64]) -> Tensor<1> {
    Tensor::from_data(values, (&device(), DType::F64))
}

/// `√w`, an output for each coordinate.
fn of_roots(data: &[Tensor<1>; 1]) -> Risk<'_, Point, Split> {
    Risk::split(
        |point: &Point, x: &Tensor<1>| point.w.val().sqrt() * x.clone(),
        |z: Tensor<1>, _: Tensor<1>| z.mean(),
        data,
    )
}

fn state(monitor: &TangentKernelMonitor) -> TangentKernelMonitorState {
    Monitor::<Point, Split>::to_state(monitor).unwrap()
}

fn name(error: &DynamicsError) -> &'static str {
    match error {
        DynamicsError::OutOfRange(refused) => refused.name,
        other => panic!("{other}"),
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let new = TangentKernelConfig::new;
    for (config, expected) in [
        (new().with_num_probes(Some(0)), "num_probes"),
        (new().with_max_outputs(0), "max_outputs"),
        (new().with_targets(target(&[1.0, f64::NAN])), "targets"),
        (new().with_targets(target(&[f64::INFINITY])), "targets"),
    ] {
        assert_eq!(name(&config.init().unwrap_err()), expected);
    }
}

#[test]
fn targets_and_sizes_that_do_not_fit_are_refused() {
    let data = ones(3);
    let (risk, model) = (of_squares(&data), point(&[1.0, 2.0, 3.0]));
    let new = TangentKernelConfig::new;
    let empty = Tensor::<2>::zeros([0, 4], (&device(), DType::F64));
    for (config, expected) in [
        (new().with_targets(target(&[1.0, 2.0])), "targets.len()"),
        (new().with_targets(empty), "targets.len()"),
        (new().with_max_outputs(2), "max_outputs"),
    ] {
        let error = config.run(&risk, &model, &model).unwrap_err();
        assert_eq!(name(&error), expected);
    }
    let error = new().with_max_outputs(2).run(&risk, &model, &model);
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("at least 3") && text.contains("with_num_probes"),
        "{text}"
    );
    // Probes need no matrix.
    let probes = new().with_max_outputs(2).with_num_probes(Some(1));
    assert!(probes.run(&risk, &model, &model).is_ok());
}

#[test]
fn a_kernel_of_zero_at_the_start_is_refused() {
    let data = ones(2);
    let (zero, other) = (point(&[0.0, 0.0]), point(&[1.0, 0.0]));
    for probes in [None, Some(2)] {
        let config = TangentKernelConfig::new().with_num_probes(probes);
        let error = config.run(&of_squares(&data), &zero, &other).unwrap_err();
        assert_eq!(error, DynamicsError::ZeroKernel);
        assert!(error.to_string().contains("start from other weights"));
    }
}

#[test]
fn a_kernel_that_is_not_finite_is_refused() {
    let data = ones(2);
    // The derivative of a root at zero.
    let risk = of_roots(&data);
    let at = point(&[0.0, 1.0]);
    let moment = Moment::new(3, 0.1, &at);
    let mut monitor = TangentKernelConfig::new().init().unwrap();
    let error = monitor.measure(&risk, &moment).unwrap_err();
    assert!(matches!(error, DynamicsError::Curvature(_)), "{error}");
    let error = monitor.measure(&risk.with_checks(false), &moment);
    let is_kernel = matches!(
        error,
        Err(DynamicsError::NonFinite {
            what: "the tangent kernel",
            step: 3,
            ..
        })
    );
    assert!(is_kernel, "{error:?}");
    assert_eq!(state(&monitor), TangentKernelMonitorState::default());
    // A root of a negative number is not even an output.
    let nowhere = point(&[-1.0, 1.0]);
    let error = monitor.measure(&of_roots(&data), &Moment::new(0, 0.1, &nowhere));
    let expected = CurvatureError::NonFiniteOutputs { batch: 0 };
    assert_eq!(error.unwrap_err(), DynamicsError::Curvature(expected));
}

#[test]
fn an_observer_can_stop_a_measurement() {
    let data = ones(2);
    let at = point(&[1.0, 2.0]);
    let moment = Moment::new(0, 0.1, &at);
    for work in [Work::Linearization, Work::Product, Work::Matvec] {
        let risk = of_squares(&data).with_observer(move |progress| {
            if progress.work == work {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let mut monitor = TangentKernelConfig::new().init().unwrap();
        let error = monitor.measure(&risk, &moment).unwrap_err();
        let stopped = DynamicsError::Curvature(CurvatureError::Stopped);
        assert_eq!(error, stopped, "{work}");
        assert_eq!(state(&monitor), TangentKernelMonitorState::default());
    }
}

#[test]
fn a_state_of_other_settings_or_another_model_is_refused() {
    let data = ones(2);
    let at = point(&[1.0, 2.0]);
    let moment = Moment::new(0, 0.1, &at);
    let risk = of_squares(&data);
    let new = TangentKernelConfig::new;
    let mut monitor = new().init().unwrap();
    monitor.measure(&risk, &moment).unwrap();
    let probes = new().with_num_probes(Some(2));
    let others = [
        probes.clone(),
        probes.clone().with_seed(1),
        new().with_num_probes(Some(3)),
    ];
    for other in others {
        let mut other = other.init().unwrap();
        let refused = Monitor::<Point, Split>::load_state(&mut other, state(&monitor));
        assert!(matches!(refused, Err(DynamicsError::Record { .. })));
        assert_eq!(state(&other), TangentKernelMonitorState::default());
    }
    let mut same = new().init().unwrap();
    Monitor::<Point, Split>::load_state(&mut same, state(&monitor)).unwrap();
    assert_eq!(state(&same), state(&monitor));
    // Two networks of other widths, with one output each.
    let data = one();
    let [narrow, wide] = [2, 4].map(|width| {
        let a = vec![1.0; width];
        Hidden::new([a.clone(), a], &device())
    });
    let error = new().run(&of_hidden(&data), &narrow, &wide).unwrap_err();
    let is_space = matches!(error, DynamicsError::Space(SpaceError::WrongLength { .. }));
    assert!(is_space, "{error}");
    let linearized = LinearizedModel::new(&of_hidden(&data), &narrow).unwrap();
    let error = linearized.predict(&wide).unwrap_err();
    assert!(matches!(error, DynamicsError::Space(_)), "{error}");
}
