//! Runs, averaged over seeds.

use burnscape::krylov::{SpectralDensity, TraceEstimate};
use burnscape::sharpness::SharpnessReport;
use burnscape::spectrum::CriticalPoint;
use serde::Serialize;

use super::comparison::Comparison;
use super::estimate::Estimate;
use super::experiment::Run;
use super::models::ModelName;
use super::optimizer_name::OptimizerName;

/// One network with one optimizer, over all seeds.
#[derive(Serialize, Debug)]
pub(crate) struct Row {
    pub(crate) model: ModelName,
    pub(crate) optimizer: OptimizerName,
    pub(crate) seeds: usize,
    pub(crate) parameters: usize,
    pub(crate) train_loss: Estimate,
    pub(crate) test_loss: Estimate,
    pub(crate) train_accuracy: Estimate,
    pub(crate) test_accuracy: Estimate,
    pub(crate) average_rise: Estimate,
    pub(crate) worst_case_rise: Estimate,
    pub(crate) curvature_along_ascent: Estimate,
    pub(crate) curvature_along_random: Estimate,
    pub(crate) product_over_gradient: Estimate,
    pub(crate) lambda_max: Estimate,
    pub(crate) lambda_min: Estimate,
    pub(crate) trace: Estimate,
    pub(crate) gradient_norm: Estimate,
    /// Of the first seed.
    pub(crate) top: Vec<f64>,
    pub(crate) first_trace: TraceEstimate,
    pub(crate) point: CriticalPoint,
    #[serde(skip)]
    pub(crate) density: Option<SpectralDensity>,
    #[serde(skip)]
    pub(crate) sharpness_report: Option<SharpnessReport>,
    pub(crate) gradients: Estimate,
    pub(crate) seconds_per_step: Estimate,
    pub(crate) skipped_steps: usize,
    /// Mean training loss of each epoch.
    pub(crate) loss_history: Vec<f64>,
}

pub(crate) struct Summary {
    pub(crate) rows: Vec<Row>,
    pub(crate) comparisons: Vec<Comparison>,
}

impl Summary {
    pub(crate) fn of(runs: &[Run]) -> Self {
        let mut groups: Vec<Vec<&Run>> = Vec::new();
        for run in runs {
            let is_same = |group: &&mut Vec<&Run>| {
                let other = group[0];
                (other.model, other.optimizer) == (run.model, run.optimizer)
            };
            match groups.iter_mut().find(is_same) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        let comparisons = groups.iter().filter_map(|group| {
            let model = group[0].model;
            let first = groups.iter().find(|other| other[0].model == model)?;
            (first[0].optimizer != group[0].optimizer).then(|| Comparison::of(first, group))
        });
        Self {
            comparisons: comparisons.collect(),
            rows: groups.iter().map(|group| Row::of(group)).collect(),
        }
    }
}

impl Row {
    /// Network and optimizer.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.model, self.optimizer)
    }

    /// `runs` is not empty.
    fn of(runs: &[&Run]) -> Self {
        let over = |value: &dyn Fn(&Run) -> f64| {
            let values: Vec<f64> = runs.iter().map(|run| value(run)).collect();
            Estimate::of(&values)
        };
        let first = &runs[0].measured.spectrum;
        let epochs = 0..runs[0].loss_history.len();
        let at = |epoch: usize| over(&|run| run.loss_history[epoch]).mean;
        Self {
            model: runs[0].model,
            optimizer: runs[0].optimizer,
            seeds: runs.len(),
            parameters: runs[0].parameters,
            train_loss: over(&|run| run.measured.train_loss),
            test_loss: over(&|run| run.measured.test_loss),
            train_accuracy: over(&|run| run.measured.train_accuracy),
            test_accuracy: over(&|run| run.measured.test_accuracy),
            average_rise: over(&|run| run.measured.sharpness.average_rise),
            worst_case_rise: over(&|run| run.measured.sharpness.worst_case_rise),
            curvature_along_ascent: over(&|run| run.measured.curvature.along_ascent),
            curvature_along_random: over(&|run| run.measured.curvature.along_random),
            product_over_gradient: over(&|run| run.measured.curvature.product_over_gradient),
            lambda_max: over(&|run| run.measured.spectrum.top[0]),
            lambda_min: over(&|run| run.measured.spectrum.point.lambda_min),
            trace: over(&|run| run.measured.spectrum.trace.value),
            gradient_norm: over(&|run| run.measured.spectrum.point.gradient_norm),
            top: first.top.clone(),
            first_trace: first.trace,
            point: first.point.clone(),
            density: first.density.clone(),
            sharpness_report: runs[0].measured.sharpness_report.clone(),
            gradients: over(&|run| run.gradients as f64),
            seconds_per_step: over(&|run| run.seconds_per_step),
            skipped_steps: runs.iter().map(|run| run.skipped_steps).sum(),
            loss_history: epochs.map(at).collect(),
        }
    }
}
