//! Two optimizers on one network, seed by seed.

use serde::Serialize;

use super::estimate::{Estimate, clear_beyond};
use super::experiment::Run;
use super::models::ModelName;
use super::optimizer_name::OptimizerName;

/// What the seeds allow to say about a difference.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PointKind {
    ClearlyHigher,
    ClearlyLower,
    NoClearDifference,
    /// One seed.
    TooFewSeeds,
}

/// A mean difference over seeds: both optimizers start from the same weights and see the same
/// batches, so that they are compared seed by seed.
#[derive(Serialize, Debug, Clone, Copy)]
pub(crate) struct Difference {
    #[serde(flatten)]
    pub(crate) estimate: Estimate,
    pub(crate) verdict: PointKind,
}

impl Difference {
    /// Clear beyond the 95 % points of Student's t.
    fn of(differences: &[f64]) -> Self {
        let estimate = Estimate::of(differences);
        let verdict = match (estimate.standard_error, clear_beyond(differences.len())) {
            (Some(error), Some(limit)) if estimate.mean.abs() > limit * error => {
                if estimate.mean > 0.0 {
                    PointKind::ClearlyHigher
                } else {
                    PointKind::ClearlyLower
                }
            }
            (Some(_), Some(_)) => PointKind::NoClearDifference,
            _ => PointKind::TooFewSeeds,
        };
        Self { estimate, verdict }
    }
}

/// `optimizer` minus `baseline`.
#[derive(Serialize, Debug)]
pub(crate) struct Comparison {
    pub(crate) model: ModelName,
    pub(crate) optimizer: OptimizerName,
    pub(crate) baseline: OptimizerName,
    pub(crate) test_accuracy: Difference,
    pub(crate) test_loss: Difference,
    pub(crate) average_rise: Difference,
    pub(crate) worst_case_rise: Difference,
    pub(crate) lambda_max: Difference,
}

impl Comparison {
    /// Both slices hold the same seeds in the same order, and are not empty.
    pub(crate) fn of(baseline: &[&Run], runs: &[&Run]) -> Self {
        let difference = |value: fn(&Run) -> f64| {
            let pairs = runs.iter().zip(baseline);
            let differences: Vec<f64> = pairs.map(|(a, b)| value(a) - value(b)).collect();
            Difference::of(&differences)
        };
        Self {
            model: runs[0].model,
            optimizer: runs[0].optimizer,
            baseline: baseline[0].optimizer,
            test_accuracy: difference(|run| run.measured.test_accuracy),
            test_loss: difference(|run| run.measured.test_loss),
            average_rise: difference(|run| run.measured.sharpness.average_rise),
            worst_case_rise: difference(|run| run.measured.sharpness.worst_case_rise),
            lambda_max: difference(|run| run.measured.spectrum.top[0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_clear_when_the_seeds_agree() {
        let verdict = |differences: &[f64]| Difference::of(differences).verdict;
        assert_eq!(verdict(&[1.0, 1.1, 0.9]), PointKind::ClearlyHigher);
        assert_eq!(verdict(&[-1.0, -1.1, -0.9]), PointKind::ClearlyLower);
        assert_eq!(verdict(&[1.0, -1.0, 0.5]), PointKind::NoClearDifference);
        assert_eq!(verdict(&[0.0, 0.0]), PointKind::NoClearDifference);
        assert_eq!(verdict(&[1.0]), PointKind::TooFewSeeds);
    }
}
