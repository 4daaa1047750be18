//! Hessians and reports at random minima, and refusals of what is detached there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use burnscape::curvature::CurvatureError;
use burnscape::krylov::Dense;
use burnscape::loss::Risk;
use burnscape::sharpness::{SharpnessMeasure, SharpnessReportConfig};
use burnscape::space::Scale;
use burnscape_testkit::eigenvalues;

use super::host::norm;
use super::problem::{Detach, KINDS, Kind, Problem};
use crate::element::{EPSILON, NAME};

/// What was found for one kind.
#[derive(Debug, Default, Clone)]
struct Tally {
    minima: usize,
    hessians: usize,
    reports: usize,
    refused: usize,
    /// Largest errors, relative to the dense matrix.
    hessian: f64,
    lambda_max: f64,
    trace: f64,
    /// The largest gradient at a minimum, in f64: that of weights rounded to the element type.
    gradient: f64,
    failures: Vec<String>,
}

/// Every kind at the seeds given, with one batch and with three.
fn sweep(seeds: Range<u64>) {
    let mut table = BTreeMap::new();
    for batches in [1, 3] {
        let tallies: Vec<(Kind, Tally)> = std::thread::scope(|scope| {
            let seeds = &seeds;
            let tasks = KINDS.map(|kind| scope.spawn(move || tally(kind, batches, seeds.clone())));
            let found = tasks.map(|task| task.join().unwrap());
            KINDS.into_iter().zip(found).collect()
        });
        for (kind, tally) in tallies {
            table.insert((format!("{kind:?}"), batches), tally);
        }
    }
    println!(
        "{NAME}: minima, Hessians made, reports made, detached refused; largest relative errors"
    );
    println!(
        "{:<14} {:>7} {:>7} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9}",
        "kind",
        "batches",
        "minima",
        "Hessians",
        "reports",
        "refused",
        "H",
        "lambda",
        "trace",
        "|g| host"
    );
    for ((kind, batches), t) in &table {
        println!(
            "{kind:<14} {batches:>7} {:>7} {:>8} {:>8} {:>8} {:>9.1e} {:>9.1e} {:>9.1e} {:>9.1e}",
            t.minima,
            t.hessians,
            t.reports,
            t.refused,
            t.hessian,
            t.lambda_max,
            t.trace,
            t.gradient
        );
    }
    let failures: Vec<&String> = table.values().flat_map(|tally| &tally.failures).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

fn tally(kind: Kind, batches: usize, seeds: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    let failures = RefCell::new(Vec::new());
    let fail = |message: String| failures.borrow_mut().push(message);
    for seed in seeds {
        let problem = Problem::new(kind, seed);
        let place = format!("{kind:?}, seed {seed}, {batches} batches");
        let check = |what: &str, found: f64, bound: f64| {
            if found.is_nan() || found > bound {
                fail(format!("{place}: {what} {found:e} > {bound:e}"));
            }
        };
        let jet = problem.loss.at(&problem.weights);
        // Rounding of the weights moves the gradient by as much.
        let size = norm(&jet.hessian) * norm(&problem.weights);
        check(
            "gradient",
            norm(&jet.gradient),
            4.0 * EPSILON * (size + 1.0),
        );
        let (model, data) = (problem.model(), problem.data(batches));
        let objective = problem.objective(Detach::Nothing);
        let risk = Risk::new(&objective, &data);
        let n = problem.weights.len();
        tally.minima += 1;
        tally.gradient = tally.gradient.max(norm(&jet.gradient));

        match risk.hessian(&model) {
            Err(error) => fail(format!("{place}: Hessian: {error}")),
            Ok(hessian) => {
                tally.hessians += 1;
                let found = Dense::of(&hessian).unwrap();
                let difference: Vec<f64> = found
                    .as_slice()
                    .iter()
                    .zip(&jet.hessian)
                    .map(|(a, b)| a - b)
                    .collect();
                let error = norm(&difference) / norm(&jet.hessian);
                tally.hessian = tally.hessian.max(error);
                check("Hessian", error, 64.0 * EPSILON);
                check(
                    "loss",
                    (hessian.loss() - jet.value).abs(),
                    64.0 * EPSILON * (jet.value + 1.0),
                );
            }
        }

        let report = SharpnessReportConfig::new()
            .with_scales(vec![Scale::Absolute])
            .with_num_samples(2)
            .with_num_steps(3)
            .with_trace_matvecs(64);
        match report.run(&risk, &model) {
            Err(error) => fail(format!("{place}: report: {error}")),
            Ok(report) => {
                tally.reports += 1;
                let absolute = Some(Scale::Absolute);
                let top = eigenvalues(&jet.hessian)
                    .into_iter()
                    .fold(f64::MIN, f64::max);
                let trace: f64 = (0..n).map(|i| jet.hessian[i * n + i]).sum();
                let value = |measure| report.value(measure, absolute).unwrap_or(f64::NAN);
                let lambda_error = (value(SharpnessMeasure::LambdaMax) - top).abs() / top;
                let row = report
                    .rows
                    .iter()
                    .find(|row| row.measure == SharpnessMeasure::Trace);
                let spread = row.and_then(|row| row.standard_error).unwrap_or(f64::NAN);
                let trace_error = (value(SharpnessMeasure::Trace) - trace).abs();
                tally.lambda_max = tally.lambda_max.max(lambda_error);
                tally.trace = tally.trace.max(trace_error / trace);
                // The tolerance of λ_max is 1e-4 of the norm.
                check("lambda max", lambda_error, 1e-4);
                check("trace", trace_error, 5.0 * spread + 64.0 * EPSILON * trace);
                for row in &report.rows {
                    if row.value.is_none() {
                        tally
                            .failures
                            .push(format!("{place}: {:?}: {:?}", row.measure, row.note));
                    }
                }
            }
        }

        let detach = problem.detached(seed);
        match Risk::new(&problem.objective(detach), &data)
            .hessian(&model)
            .map(|_| ())
        {
            Err(CurvatureError::Detached { .. }) => tally.refused += 1,
            other => tally
                .failures
                .push(format!("{place}: detached {detach:?}: {other:?}")),
        }
    }
    tally.failures = failures.into_inner();
    tally
}

#[test]
fn twenty_minima_of_each_kind_have_hessians_and_reports_and_detached_tensors_are_refused() {
    sweep(0..20);
}

#[test]
#[ignore = "cargo xtask sweep minima"]
fn sweep_minima() {
    sweep(0..200);
}
