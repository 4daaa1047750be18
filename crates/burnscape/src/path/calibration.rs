//! The best temperature of a classifier.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use super::PathError;
use crate::loss::{BatchScores, Classes, LossError, Risk};
use crate::space::to_host;

/// The largest inverse temperature tried: logits that separate the classes have no largest one.
const MAX_BETA: f64 = 1e3;
/// Halvings that reduce an interval of that size to a billionth.
const MAX_STEPS: usize = 60;

/// The best inverse temperature of a model at `t`, and the loss there. By Newton's method within a shrinking bracket,
/// since the loss is convex in `β`.
pub(super) fn calibrate<'a, M: Module>(
    risk: &Risk<'a, M, Classes<'a, M>>,
    model: &M,
    t: f64,
) -> Result<(f64, f64), PathError> {
    risk.in_time(model, || {
        let all = scores(risk, &model.valid(), t)?;
        if all.is_empty() {
            return Err(LossError::EmptyData.into());
        }
        let (mut low, mut high) = (0.0, MAX_BETA);
        let mut beta = 1.0;
        let mut best = (0.0, Moments::at(&all, 0.0)?.loss);
        for _ in 0..MAX_STEPS {
            let moments = Moments::at(&all, beta)?;
            if moments.loss < best.1 {
                best = (beta, moments.loss);
            }
            if moments.slope > 0.0 {
                high = beta;
            } else {
                low = beta;
            }
            let newton = beta - moments.slope / moments.curvature;
            // A variance out of range gives a step of zero, which is not convergence.
            let is_step = newton > low && newton < high && moments.curvature.is_finite();
            let next = if is_step { newton } else { 0.5 * (low + high) };
            if (next - beta).abs() <= 1e-7 * beta || high - low <= 1e-9 * high {
                break;
            }
            beta = next;
        }
        Ok(best)
    })
}

/// The logits and labels of every batch.
fn scores<'a, M: Module>(
    risk: &Risk<'a, M, Classes<'a, M>>,
    model: &M,
    t: f64,
) -> Result<Vec<BatchScores>, PathError> {
    let mut all = Vec::new();
    let mut result = Ok(());
    risk.kind().0.visit_scores(model, &mut |scores| {
        let scores = scores.map_err(PathError::from);
        match scores.and_then(|scores| checked(scores, all.len(), t)) {
            Ok(scores) => {
                all.push(scores);
                ControlFlow::Continue(())
            }
            Err(error) => {
                result = Err(error);
                ControlFlow::Break(())
            }
        }
    });
    result.map(|()| all)
}

fn checked(scores: BatchScores, batch: usize, t: f64) -> Result<BatchScores, PathError> {
    let BatchScores { logits, labels, .. } = &scores;
    let ([outputs, classes], [targets]) = (logits.dims(), labels.dims());
    let sum = to_host(logits.clone().abs().sum())?;
    let value = sum.first().copied().unwrap_or(f64::NAN);
    if !value.is_finite() {
        return Err(PathError::NonFinite {
            what: "the sum of the logits".to_string(),
            t,
            batch,
            value,
        });
    }
    let bounds = Tensor::cat(vec![labels.clone().min(), labels.clone().max()], 0);
    let bounds = to_host(bounds.float())?;
    let is_class = |bound: &f64| (0.0..classes as f64).contains(bound);
    if outputs != targets || !bounds.iter().all(is_class) {
        return Err(PathError::BadTargets {
            targets,
            outputs,
            classes,
        });
    }
    Ok(scores)
}

/// The mean loss at an inverse temperature, with its first two derivatives.
struct Moments {
    loss: f64,
    slope: f64,
    curvature: f64,
}

impl Moments {
    fn at(all: &[BatchScores], beta: f64) -> Result<Self, PathError> {
        let mut sums = Vec::with_capacity(3 * all.len());
        let (mut shares, mut weight) = (Vec::with_capacity(all.len()), 0.0);
        for scores in all {
            let z = scores.logits.clone();
            let log_p = log_softmax(z.clone() * beta, 1);
            let p = log_p.clone().exp();
            let [count] = scores.labels.dims();
            let labels = scores.labels.clone().reshape([count, 1]);
            let of_labels = |values: Tensor<2>| values.gather(1, labels.clone());
            // Relative to the true class, so that a confident answer is a sum of small terms, not a difference of
            // large ones.
            let gaps = z.clone() - of_labels(z);
            let mean = (p.clone() * gaps.clone()).sum_dim(1);
            let variance = (p * (gaps - mean.clone()).square()).sum();
            sums.push((-of_labels(log_p)).sum());
            sums.push(mean.sum());
            sums.push(variance);
            shares.push(scores.weight / count as f64);
            weight += scores.weight;
        }
        let sums = to_host(Tensor::cat(sums, 0))?;
        let total = |offset: usize| -> f64 {
            let own = sums.iter().skip(offset).step_by(3);
            let own = own.zip(&shares).map(|(sum, share)| sum * share);
            own.sum::<f64>() / weight
        };
        Ok(Self {
            loss: total(0),
            slope: total(1),
            curvature: total(2),
        })
    }
}
