//! The best temperature of a classifier.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

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
}

/// The logits of a model for every batch.
fn scores<'a, M: Module>(
    risk: &Risk<'a, M, Classes<'a, M>>,
    model: &M,
    t: f64,
) -> Result<Vec<Scores>, PathError> {
    let mut all = Vec::new();
    let mut failed = None;
    risk.kind().0.visit_scores(model, &mut |scores| {
        let index = all.len();
        let scores = scores.map_err(PathError::from);
        match scores.and_then(|scores| Scores::new(scores, index, t)) {
            Ok(scores) => all.push(scores),
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(all),
    }
}

/// The logits of a model for a batch, and the labels.
struct Scores {
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    /// The weight of the batch.
    weight: f64,
}

impl Scores {
    fn new(scores: BatchScores, batch: usize, t: f64) -> Result<Self, PathError> {
        let BatchScores {
            logits,
            labels: targets,
            weight,
        } = scores;
        let ([outputs, classes], [count]) = (logits.dims(), targets.dims());
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
        let bounds = Tensor::cat(vec![targets.clone().min(), targets.clone().max()], 0);
        let bounds = to_host(bounds.float())?;
        let is_class = |bound: &f64| (0.0..classes as f64).contains(bound);
        if outputs != count || !bounds.iter().all(is_class) {
            return Err(PathError::BadTargets {
                targets: count,
                outputs,
                classes,
            });
        }
        Ok(Self {
            logits,
            targets,
            weight,
        })
    }

    fn chosen(&self, values: Tensor<2>) -> Tensor<1> {
        let [count] = self.targets.dims();
        let index = self.targets.clone().reshape([count, 1]);
        values.gather(1, index).reshape([count])
    }

    /// The loss of each example at inverse temperature `beta`.
    fn cross_entropy(&self, beta: f64) -> Tensor<1> {
        -self.chosen(log_softmax(self.logits.clone() * beta, 1))
    }
}

/// The mean loss at an inverse temperature, with its first two derivatives.
struct Moments {
    loss: f64,
    slope: f64,
    curvature: f64,
}

impl Moments {
    fn at(all: &[Scores], beta: f64) -> Result<Self, PathError> {
        let mut sums = Vec::with_capacity(3 * all.len());
        let (mut shares, mut weight) = (Vec::with_capacity(all.len()), 0.0);
        for scores in all {
            let z = scores.logits.clone();
            let p = log_softmax(z.clone() * beta, 1).exp();
            let count_here = scores.targets.dims()[0];
            // Relative to the true class, so that a confident answer is a sum of small terms, not a difference of
            // large ones.
            let gaps = z.clone() - scores.chosen(z).reshape([count_here, 1]);
            let mean = (p.clone() * gaps.clone()).sum_dim(1);
            let variance = (p * (gaps - mean.clone()).square()).sum();
            sums.push(scores.cross_entropy(beta).sum());
            sums.push(mean.sum());
            sums.push(variance);
            shares.push(scores.weight / count_here as f64);
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
