//! The table of all measures.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::ParamGroup;
use burn::tensor::Tensor;
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Likelihood, LossError, Progress, Risk, Work};
use burnscape::sharpness::{
    AverageSharpnessConfig, McAllesterConfig, PacBayesSigmaConfig, Region, SharpnessError,
    SharpnessMeasure, SharpnessReportConfig, SharpnessRow, WorstCaseSharpnessConfig,
};
use burnscape::space::{Scale, SpaceError};
use burnscape::spectrum::Spectrum;
use burnscape::{Csv, Json, OutOfRange};
use burnscape_testkit::models::TwoLayers;

use super::networks::{
    Pair, Point, close, device, filled, matrix, net, net_loss, net_split, quadratic, regression,
};

const ABSOLUTE: Option<Scale> = Some(Scale::Absolute);
const ELEMENT: Option<Scale> = Some(Scale::ElementRelative);

#[test]
fn its_numbers_are_those_of_the_single_measures() {
    let (model, data) = (net(), regression());
    let prior = filled(&model, 0.1, 30.0);
    let config = SharpnessReportConfig::new()
        .with_num_samples(3)
        .with_seed(5);
    let split = net_split(&data);
    let risk = Risk::new(&net_loss, &data);
    let mut report = config.run(&risk, &model).unwrap();
    report.add_mcallester_bound(&risk, &model, &prior).unwrap();
    let fisher = split.fisher(&model, Likelihood::Gaussian).unwrap();
    report.add_fisher(&fisher, &model).unwrap();
    assert!(report.completed);
    // Six in each scale, Keskar, the bound, two weights and two of the Fisher matrix.
    assert_eq!(report.rows.len(), 3 * 6 + 6);
    assert!(report.rows.iter().all(|row| row.value.is_some()));
    assert_eq!((report.num_parameters, report.num_examples), (51, 11));

    let average = AverageSharpnessConfig::new(0.05)
        .with_num_samples(3)
        .with_antithetic(true)
        .with_seed(5)
        .run(&risk, &model)
        .unwrap();
    let row = report
        .row(SharpnessMeasure::AverageSharpness, ABSOLUTE)
        .unwrap();
    assert_eq!(
        (row.value, row.standard_error),
        (Some(average.rise), average.standard_error)
    );
    assert_eq!((row.num_losses, row.setting.as_str()), (7, "sigma 0.05"));
    let worst = WorstCaseSharpnessConfig::new(0.5)
        .with_num_starts(2)
        .with_region(Region::Ball(Scale::ElementRelative))
        .with_seed(5)
        .run(&risk, &model)
        .unwrap();
    assert_eq!(
        report.value(SharpnessMeasure::WorstCaseSharpness, ELEMENT),
        Some(worst.rise)
    );
    let keskar = WorstCaseSharpnessConfig::keskar(1e-3)
        .with_num_starts(2)
        .with_seed(5)
        .run(&risk, &model)
        .unwrap();
    assert_eq!(
        report.value(SharpnessMeasure::Keskar, None),
        keskar.keskar().ok()
    );
    let sigma = PacBayesSigmaConfig::new(0.1)
        .with_num_samples(3)
        .with_seed(5)
        .run(&risk, &model)
        .unwrap();
    assert_eq!(
        report.value(SharpnessMeasure::PacBayesSigma, ABSOLUTE),
        Some(sigma.sigma)
    );
    let bound = McAllesterConfig::new(sigma.sigma)
        .with_num_samples(3)
        .with_num_priors(120 * 128)
        .with_seed(5)
        .run(&risk, &model, &prior)
        .unwrap();
    assert_eq!(
        report.value(SharpnessMeasure::McAllesterBound, None),
        Some(bound.bound)
    );
    let hessian = risk.hessian(&model).unwrap();
    let top = EigenpairsConfig::new(1, Which::Largest)
        .with_tolerance(1e-4)
        .with_seed(5)
        .run(&hessian)
        .unwrap();
    close(
        report.value(SharpnessMeasure::LambdaMax, ABSOLUTE).unwrap(),
        top.values[0],
        1e-12,
    );
    let flatness = report
        .row(SharpnessMeasure::RelativeFlatness, None)
        .unwrap();
    assert_eq!(flatness.part.as_deref(), Some("first.weight"));
}

#[test]
fn it_counts_what_it_costs() {
    let (model, calls) = (net(), AtomicUsize::new(0));
    let [batch, _] = regression();
    let data = [batch];
    let loss = |m: &TwoLayers, batch: Pair<2>| {
        calls.fetch_add(1, Ordering::Relaxed);
        net_loss(m, batch)
    };
    let config = SharpnessReportConfig::new().with_num_samples(2);
    let report = config.run(&Risk::new(&loss, &data), &model).unwrap();
    // One batch: a call is a loss, a loss with its gradient, or the recording of the operator. The
    // gradient of its check runs what was recorded. The first loss is evaluated twice, to see that nothing is
    // drawn.
    const PROBE: usize = 1;
    let expected = report.num_losses + report.num_gradients - 1 + PROBE;
    assert_eq!(calls.load(Ordering::Relaxed), expected);
    let sum = |cost: fn(&SharpnessRow) -> usize| -> usize { report.rows.iter().map(cost).sum() };
    assert_eq!(report.num_losses, 1 + sum(|row| row.num_losses));
    assert_eq!(report.num_gradients, 2 + sum(|row| row.num_gradients));
    assert_eq!(report.num_matvecs, 2 + sum(|row| row.num_matvecs));
    // The bounds that the documentation states.
    for scale in config.scales {
        let of = |measure| report.row(measure, Some(scale)).unwrap();
        assert!(of(SharpnessMeasure::WorstCaseSharpness).num_gradients <= 42);
        assert_eq!(of(SharpnessMeasure::Trace).num_matvecs, 32);
    }
}

#[test]
fn it_is_written_as_a_table_as_json_and_as_csv() {
    let (model, data) = (Point::new(&[1.0, 2.0]), matrix([[2.0, 1.0], [1.0, 2.0]]));
    let config = SharpnessReportConfig::new()
        .with_scales(vec![Scale::Absolute])
        .with_num_samples(2);
    let report = config.run(&Risk::new(&quadratic, &data), &model).unwrap();
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    // A line of totals, a header, and the rows.
    assert_eq!(lines.len(), 2 + report.rows.len());
    let header = lines[1];
    let end = header.find("value").unwrap() + "value".len();
    let top = lines
        .iter()
        .find(|line| line.starts_with("lambda max"))
        .unwrap();
    assert!(top[..end].ends_with(" 3.00000"), "{text}");

    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), report.rows.len());
    assert_eq!(json["rows"][0]["measure"], "AverageSharpness");
    let read: SharpnessReportConfig = serde_json::from_value(json["config"].clone()).unwrap();
    assert_eq!(read, config);

    let mut csv = Vec::new();
    report.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + report.rows.len());
    assert!(lines[0].starts_with("measure,part,scale,setting,value,standard_error,"));
    let top = lines
        .iter()
        .find(|line| line.starts_with("lambda max"))
        .unwrap();
    let value: f64 = top.split(',').nth(4).unwrap().parse().unwrap();
    assert_eq!(
        Some(value),
        report.value(SharpnessMeasure::LambdaMax, ABSOLUTE)
    );
    // Settings and notes with a comma stay one cell.
    let keskar = lines
        .iter()
        .find(|line| line.starts_with("Keskar"))
        .unwrap();
    assert!(keskar.contains("\"epsilon 0.001, percent\""), "{keskar}");
}

#[test]
fn a_number_that_cannot_be_measured_leaves_a_note_and_the_others() {
    // A point has no weight with filters, and −ln w is not finite under the noise.
    let loss = |m: &Point, x: Tensor<1>| (m.w.val().log() * x).sum().neg();
    let (model, data) = (Point::new(&[0.01]), [Tensor::<1>::ones([1], &device())]);
    let config = SharpnessReportConfig::new().with_scales(vec![Scale::Absolute]);
    let report = config.run(&Risk::new(&loss, &data), &model).unwrap();
    assert!(report.completed);
    let average = report
        .row(SharpnessMeasure::AverageSharpness, ABSOLUTE)
        .unwrap();
    assert_eq!(average.value, None);
    assert!(
        average
            .note
            .as_ref()
            .unwrap()
            .contains("smaller perturbation")
    );
    let flatness = report
        .row(SharpnessMeasure::RelativeFlatness, None)
        .unwrap();
    assert!(
        flatness
            .note
            .as_ref()
            .unwrap()
            .contains("no weight with filters")
    );
    close(
        report.value(SharpnessMeasure::LambdaMax, ABSOLUTE).unwrap(),
        1e4,
        1e-8,
    );
}

#[test]
fn a_stopped_report_has_the_measures_that_were_finished() {
    let (model, data) = (net(), regression());
    let config = SharpnessReportConfig::new().with_num_samples(2);
    let mut seen: Vec<Progress> = Vec::new();
    let observe = |progress: &Progress| {
        seen.push(progress.clone());
        // Only the search for PAC-Bayes σ has steps of this kind.
        match (progress.work, progress.done) {
            (Work::Step, 2) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let report = config
        .run(&Risk::new(&net_loss, &data).with_observer(observe), &model)
        .unwrap();
    assert!(!report.completed);
    let measures: Vec<SharpnessMeasure> = report.rows.iter().map(|row| row.measure).collect();
    assert_eq!(
        measures,
        [
            SharpnessMeasure::AverageSharpness,
            SharpnessMeasure::WorstCaseSharpness
        ]
    );
    assert!(report.to_string().contains("stopped"));
    // Five in each of three scales, Keskar and relative flatness; the third was under way.
    let finished = seen.iter().filter(|seen| seen.work == Work::Measure);
    let finished: Vec<_> = finished.map(|seen| (seen.done, seen.total)).collect();
    assert_eq!(finished, [(1, Some(17)), (2, Some(17))]);
    // The observer is not called after a stop.
    let last = seen.last().unwrap();
    assert_eq!((last.work, last.done), (Work::Step, 2));
}

#[test]
fn it_can_be_of_some_parameters_only() {
    let (model, data) = (net(), regression());
    let of = |paths: &[&str]| {
        let group = ParamGroup::from_any_predicates(paths.to_vec());
        let risk = net_split(&data).with_group(group);
        SharpnessReportConfig::new()
            .with_num_samples(1)
            .run(&risk, &model)
    };
    let second = of(&["second.weight"]).unwrap();
    assert_eq!(second.num_parameters, 18);
    let group = ParamGroup::from_path("second.weight");
    let risk = Risk::new(&net_loss, &data).with_group(group);
    let block = risk.hessian(&model).unwrap();
    let top = EigenpairsConfig::new(1, Which::Largest)
        .with_tolerance(1e-4)
        .run(&block)
        .unwrap();
    let found = second.value(SharpnessMeasure::LambdaMax, ABSOLUTE).unwrap();
    close(found, top.values[0], 1e-10);
    assert_eq!(of(&["weight"]).unwrap().num_parameters, 24 + 18);
    let bias = of(&["bias"]).unwrap();
    assert_eq!(bias.num_parameters, 9);
    let flatness = bias.row(SharpnessMeasure::RelativeFlatness, None).unwrap();
    assert!(flatness.value.is_none());
    assert!(matches!(
        of(&["third"]),
        Err(SharpnessError::Loss(LossError::Space(
            SpaceError::EmptyGroup { .. }
        ))) | Err(SharpnessError::Space(SpaceError::EmptyGroup { .. }))
    ));
}

#[test]
fn settings_without_meaning_are_refused() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let refused = |config: SharpnessReportConfig, wanted: &str| match config.run(&risk, &model) {
        Err(SharpnessError::OutOfRange(OutOfRange { name, .. })) => assert_eq!(name, wanted),
        other => panic!("{wanted}: {other:?}"),
    };
    let config = || {
        SharpnessReportConfig::new()
            .with_num_samples(1)
            .with_num_steps(1)
    };
    refused(config().with_scales(Vec::new()), "scales");
    refused(config().with_sigma(-1.0), "sigma");
    refused(config().with_rho(f64::NAN), "rho");
    refused(config().with_epsilon(-1.0), "rho");
    refused(config().with_threshold(0.0), "threshold");
    refused(config().with_num_samples(0), "num_samples");
    refused(config().with_trace_matvecs(1), "trace_matvecs");
}

#[test]
fn the_largest_eigenvalue_has_a_limit_of_products() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&net_loss, &data);
    let config = SharpnessReportConfig::new()
        .with_num_samples(1)
        .with_scales(vec![Scale::Absolute]);
    let report = config.run(&risk, &model).unwrap();
    // The tolerance and the limit of `Spectrum`.
    let hessian = risk.hessian(&model).unwrap();
    let top = Spectrum::of(&hessian).top_eigenpairs(1).unwrap();
    let row = report.row(SharpnessMeasure::LambdaMax, ABSOLUTE).unwrap();
    assert_eq!(
        (row.value, row.num_matvecs),
        (top.values.first().copied(), top.num_matvecs)
    );
    let short = config
        .with_lambda_max_matvecs(3)
        .run(&risk, &model)
        .unwrap();
    let row = short.row(SharpnessMeasure::LambdaMax, ABSOLUTE).unwrap();
    assert!(row.num_matvecs <= 4 && row.note.as_deref() == Some("not converged"));
}
