//! Properties of every measure: it stops for the observer, leaves the model unchanged, and gives the same numbers again.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Tensor;
use burnscape::curvature::CurvatureError;
use burnscape::krylov::{
    DensityConfig, EigenpairsConfig, LinearOperator, Outcome, Step, TraceConfig, Which,
};
use burnscape::loss::{Mode, Progress, Risk, Work};
use burnscape::sharpness::{
    FisherRao, McAllesterConfig, PacBayesSigmaConfig, RelativeFlatnessConfig, SharpnessError,
    SharpnessReportConfig, WorstCaseSharpnessConfig,
};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::Normalized;

use super::networks::{device, net, net_loss, net_split, regression, waves};

/// An observer that stops when `done` pieces of `work` are done.
fn stop_at(work: Work, done: usize) -> impl FnMut(&Progress) -> ControlFlow<()> + Send {
    move |progress| match (progress.work, progress.done) == (work, done) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Breaks at the `n`th call.
fn at(n: usize) -> impl FnMut(&Step) -> ControlFlow<()> + Send {
    let mut calls = 0;
    move |_| {
        calls += 1;
        match calls == n {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

#[test]
fn a_stopped_measurement_returns_what_it_reached() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let stopped = |work, done| risk.clone().with_observer(stop_at(work, done));
    let keskar = WorstCaseSharpnessConfig::keskar(0.01)
        .run(&stopped(Work::AscentStep, 2), &model)
        .unwrap();
    assert_eq!(
        (keskar.num_gradients, keskar.outcome),
        (2, Outcome::Stopped)
    );
    assert!(keskar.rise > 0.0 && keskar.rises.len() == 1);

    let sigma = PacBayesSigmaConfig::new(0.1)
        .run(&stopped(Work::Step, 3), &model)
        .unwrap();
    assert_eq!((sigma.sigmas.len(), sigma.outcome), (3, Outcome::Stopped));

    let bound = McAllesterConfig::new(0.1)
        .run(&stopped(Work::Sample, 4), &model, &model)
        .unwrap();
    assert_eq!((bound.num_losses, bound.completed), (6, false));

    let hessian = risk.hessian(&model).unwrap();
    let top = EigenpairsConfig::new(1, Which::Largest)
        .run(&(&hessian).observed(at(3)))
        .unwrap();
    assert_eq!((top.num_matvecs, top.outcome), (3, Outcome::Stopped));

    let trace = TraceConfig::new().run(&(&hessian).observed(at(5))).unwrap();
    assert_eq!((trace.num_matvecs, trace.outcome), (5, Outcome::Stopped));
    let whole = TraceConfig::new().with_max_matvecs(5);
    let whole = whole.run(&hessian).unwrap();
    assert_eq!(trace.value, whole.value);
    assert_ne!(whole.outcome, Outcome::Stopped);

    // 16 products for the first layer, 18 for the second.
    let flatness = RelativeFlatnessConfig::new()
        .run(&(&hessian).observed(at(20)), &model)
        .unwrap();
    assert_eq!((flatness.layers.len(), flatness.num_matvecs), (1, 20));
    assert!(!flatness.completed);
    let estimated = RelativeFlatnessConfig::new().with_max_matvecs(30);
    let estimated = estimated.run(&(&hessian).observed(at(4)), &model).unwrap();
    assert_eq!((estimated.layers.len(), estimated.num_matvecs), (2, 4));
    assert!(!estimated.completed);

    let matrix = net_split(&data).gauss_newton(&model).unwrap();
    let config = DensityConfig::new().with_steps(4);
    let found = config.run(&(&matrix).observed(at(6))).unwrap();
    assert!(found.is_stopped());
    let found = found.effective_dimension(0.1);
    assert_eq!(found.standard_error(), None);
    let one = config.with_num_probes(1).run(&matrix).unwrap();
    assert_eq!(found.value, one.effective_dimension(0.1).value);

    let mut report = SharpnessReportConfig::new()
        .run(&stopped(Work::Sample, 2), &model)
        .unwrap();
    assert!(!report.completed && report.rows.is_empty());
    // A stopped report does not change.
    let before = report.clone();
    report.add_fisher(&matrix, &model).unwrap();
    report.add_mcallester_bound(&risk, &model, &model).unwrap();
    assert_eq!(report, before);
    let mut report = SharpnessReportConfig::new()
        .with_num_samples(1)
        .run(&risk, &model)
        .unwrap();
    let rows = report.rows.len();
    let short = (&matrix).observed(at(6));
    report.add_fisher(&short, &model).unwrap();
    // The norm is one product; the first probe of the density is not finished.
    assert!(!report.completed && report.rows.len() == rows + 1);
}

#[test]
fn a_stop_at_the_last_step_is_none() {
    let (model, data) = (net(), regression());
    let hessian = Risk::new(&net_loss, &data).hessian(&model).unwrap();
    let trace = TraceConfig::new().with_max_matvecs(5);
    let trace = trace.run(&(&hessian).observed(at(5))).unwrap();
    assert_ne!(trace.outcome, Outcome::Stopped);
    let flatness = RelativeFlatnessConfig::new();
    let flatness = flatness.run(&(&hessian).observed(at(34)), &model).unwrap();
    assert!(flatness.completed && flatness.layers.len() == 2);
}

#[test]
fn a_stop_before_the_first_estimate_is_an_error() {
    let (model, data) = (net(), regression());
    // The observer of the risk stops a product of its Hessian.
    let is_made = AtomicBool::new(false);
    let risk = Risk::new(&net_loss, &data).with_observer(|progress| {
        match progress.work == Work::Product && is_made.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let hessian = risk.hessian(&model).unwrap();
    is_made.store(true, Ordering::Relaxed);
    let error = TraceConfig::new().run(&hessian);
    assert_eq!(error.map(drop), Err(CurvatureError::Stopped));
    let error = FisherRao::of(&hessian, &model);
    assert_eq!(error.map(drop), Err(SharpnessError::Stopped));
}

#[test]
fn a_report_leaves_the_model_and_its_running_statistics_alone() {
    let device = device().autodiff();
    let model = Normalized::new([4, 3, 1], &device);
    let loss = |m: &Normalized, x: Tensor<2>| m.forward(x).square().mean();
    let data = [waves([6, 4], 2.0)];
    let space = ParamSpace::of(&model).unwrap();
    let state = || {
        let weights = ParamVector::from_module(&space, &model).unwrap();
        let [mean, var] = model.running().map(Tensor::into_data);
        (weights.to_host().unwrap(), mean, var)
    };
    let before = state();
    for mode in [Mode::Eval, Mode::Train] {
        let risk = Risk::new(&loss, &data).with_mode(mode);
        let config = SharpnessReportConfig::new()
            .with_num_samples(1)
            .with_num_steps(2)
            .with_trace_matvecs(2);
        let report = config.run(&risk, &model).unwrap();
        assert!(report.completed);
        assert_eq!(state(), before, "{mode:?}");
        let again = config.run(&risk, &model).unwrap();
        assert_eq!(report, again, "{mode:?}");
    }
}
