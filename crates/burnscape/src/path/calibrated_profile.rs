use std::io;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use super::{Curve, PathError, PathLosses};
use crate::loss::{BatchScores, Classes, LossError, NormalizationPolicy, Progress, Risk, Work};
use crate::space::{Grid, to_host};
use crate::writing;

/// The largest inverse temperature tried: beyond it, logits that separate the classes would be
/// sharpened for ever.
const SHARPEST: f64 = 1e3;
/// Halvings that bring an interval of that size to a part in a billion.
const MAX_STEPS: usize = 60;

/// The cross-entropy of a classifier along a path, as it is and at the best temperature of each
/// place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CalibratedProfile {
    /// What became of running statistics.
    pub policy: NormalizationPolicy,
    /// The places.
    pub times: Vec<f64>,
    /// The mean cross-entropy `−log softmax(z)_y`.
    pub losses: PathLosses,
    /// `min_β` of the mean of `−log softmax(β z)_y`.
    pub calibrated: PathLosses,
    /// The `β = 1/T` at which the minimum is, between 0 and 1000.
    pub inverse_temperatures: Vec<f64>,
    /// False if the observer stopped the profile: it then ends at the last place measured.
    pub completed: bool,
}

impl CalibratedProfile {
    /// The profile as one JSON object.
    ///
    /// # Errors
    ///
    /// [`PathError::Write`].
    pub fn to_json(&self) -> Result<String, PathError> {
        Ok(writing::json_string(self)?)
    }

    /// Writes the columns `t,loss,calibrated_loss,inverse_temperature`.
    ///
    /// # Errors
    ///
    /// [`PathError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), PathError> {
        let columns: [(String, &[f64]); 4] = [
            ("t".into(), &self.times),
            ("loss".into(), &self.losses.losses),
            ("calibrated_loss".into(), &self.calibrated.losses),
            ("inverse_temperature".into(), &self.inverse_temperatures),
        ];
        Ok(writing::csv_of_columns(&columns, writer)?)
    }
}

/// Measures a classifier's cross-entropy along a path at the best temperature of each place.
///
/// Averaging weights shrinks logits, and a loss can rise for that reason alone; the barrier that is
/// left after calibration is one of the decisions themselves. The temperature is fitted on the same
/// data. Models are evaluated as they are deployed, whatever the mode of the risk.
///
/// # Cost
///
/// One forward pass over the data at every place (two if statistics are re-estimated), the logits of
/// all examples in memory, and about 30 passes over the logits with a host synchronization each.
///
/// # Errors
///
/// [`PathError::BadTargets`], [`PathError::NonFinite`], [`PathError::TimeOutOfRange`] for a grid that
/// leaves the path, and those of the data.
///
/// # References
///
/// Guo, Pleiss, Sun, Weinberger 2017, *On Calibration of Modern Neural Networks*, arXiv:1706.04599.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Int, Tensor};
/// use burnscape::loss::{NormalizationPolicy, Risk};
/// use burnscape::path::{Segment, calibrated_profile};
/// use burnscape::space::Grid;
///
/// type Batch = (Tensor<2>, Tensor<1, Int>);
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 3).init(&device));
/// let labels = Tensor::from_ints([0, 1, 2, 0], &device);
/// let data: [Batch; 1] = [(Tensor::ones([4, 2], &device), labels)];
/// let risk = Risk::classes(
///     |model: &Linear, (x, _): &Batch| model.forward(x.clone()),
///     |(_, labels): &Batch| labels.clone(),
///     &data,
/// );
/// let (line, grid) = (Segment::new(&a, &b)?, Grid::linspace(0.0, 1.0, 5)?);
/// let profile = calibrated_profile(&risk, &line, &grid, NormalizationPolicy::Leave)?;
/// assert!(profile.calibrated.max <= profile.losses.max + 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn calibrated_profile<'a, M: Module>(
    risk: &Risk<'a, M, Classes<'a, M>>,
    curve: &(impl Curve<M> + ?Sized),
    grid: &Grid,
    policy: NormalizationPolicy,
) -> Result<CalibratedProfile, PathError> {
    let gram = curve.control_points().gram()?;
    let mut times = grid.coordinates().to_vec();
    let (mut lengths, mut losses, mut calibrated, mut betas) = (vec![], vec![], vec![], vec![]);
    let mut before: Option<Vec<f64>> = None;
    for &t in grid.coordinates() {
        let weights = curve.weights(t)?;
        let step = before.as_ref().map_or(0.0, |before| {
            let step = weights.iter().zip(before).map(|(x, y)| x - y);
            gram.norm(&step.collect::<Vec<_>>())
        });
        lengths.push(lengths.last().unwrap_or(&0.0) + step);
        before = Some(weights);
        let model = policy.point(risk, curve, t)?.valid();
        let all = scores(risk, &model, t)?;
        if all.is_empty() {
            return Err(LossError::EmptyData.into());
        }
        let loss = Moments::at(&all, 1.0)?.loss;
        losses.push(loss);
        let (beta, best) = calibrate(&all)?;
        calibrated.push(best);
        betas.push(beta);
        let progress = Progress::new(Work::Point, betas.len()).of(grid.len());
        if risk.report(progress.value(loss)).is_break() {
            break;
        }
    }
    let completed = betas.len() == grid.len();
    times.truncate(betas.len());
    Ok(CalibratedProfile {
        policy,
        losses: PathLosses::new(&times, &lengths, losses, completed),
        calibrated: PathLosses::new(&times, &lengths, calibrated, completed),
        inverse_temperatures: betas,
        completed,
        times,
    })
}

/// What a model says about every batch.
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

/// What a model said about a batch, and what is true.
struct Scores {
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    /// What the batch counts.
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

    /// Of each example, at inverse temperature `beta`.
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
            // Above the true class, so that a confident answer is a sum of small terms, and not what is
            // left of large ones.
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

/// The best inverse temperature and its loss, by Newton's method within a shrinking bracket: the loss
/// is convex in `β`.
fn calibrate(all: &[Scores]) -> Result<(f64, f64), PathError> {
    let (mut low, mut high) = (0.0, SHARPEST);
    let mut beta = 1.0;
    let mut best = (0.0, Moments::at(all, 0.0)?.loss);
    for _ in 0..MAX_STEPS {
        let moments = Moments::at(all, beta)?;
        if moments.loss < best.1 {
            best = (beta, moments.loss);
        }
        if moments.slope > 0.0 {
            high = beta;
        } else {
            low = beta;
        }
        let newton = beta - moments.slope / moments.curvature;
        // A variance out of range makes a step of zero, which is no convergence.
        let is_step = newton > low && newton < high && moments.curvature.is_finite();
        let next = match is_step {
            true => newton,
            false => 0.5 * (low + high),
        };
        if (next - beta).abs() <= 1e-7 * beta || high - low <= 1e-9 * high {
            break;
        }
        beta = next;
    }
    Ok(best)
}
