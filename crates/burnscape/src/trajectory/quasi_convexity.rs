use std::io;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::pca::check_length;
use super::projection::take_points;
use super::statistics::Statistics;
use super::{Trajectory, TrajectoryError};
use crate::loss::{LossError, NormalizationPolicy, Risk};
use crate::space::{ParamSpace, ParamVector, mix};
use crate::writing::{Csv, FormatError, csv, number};

/// How the gradient along a trajectory points to where the trajectory ends.
///
/// With the last checkpoint `θ*` as reference, `Δ = θ_t − θ*` and `g = ∇L(θ_t)`, it measures at every checkpoint
///
/// | | formula | on a quadratic with eigenvalues from `μ` to `λ` |
/// |---|---|---|
/// | cosine | `⟨g, Δ⟩ / (\|g\| \|Δ\|)` | at least `2 √(μλ) / (μ + λ)` |
/// | secant, of the restricted secant inequality | `⟨g, Δ⟩ / \|Δ\|²` | at least `μ` |
/// | error bound | `\|g\| / \|Δ\|` | at least `μ` |
/// | quasar ratio | `⟨g, Δ⟩ / (L(θ_t) − L(θ*))` | 2; at least 1 if star-convex |
/// | chord gap | `L(½θ_t + ½θ*) − ½ (L(θ_t) + L(θ*))` | 0 or less if convex |
///
/// A descent step at a checkpoint brings it nearer to `θ*` if its cosine is positive and the step short. This is weaker than
/// it sounds: `θ*` is where training went. So each checkpoint has two nulls beside it, the cosine for
/// other references: a random point as far away as `θ*` (positive for half of the points, and of size `1/√P` with `P`
/// parameters), and the reflection `2θ_t − θ_0` of the first checkpoint, that is, straight on from where it came.
/// The second is high for every trajectory that goes downhill, also for one that ends nowhere in particular.
///
/// Checkpoints equal to `θ*` are skipped. If the risk is restricted to a group of parameters, `g` and `Δ` are their parts
/// in that group; losses, and the chord, are those of whole models.
///
/// # Running statistics
///
/// For a model with batch normalization, `L` is the loss with statistics that the [policy](Self::with_policy) chooses:
///
/// | | `θ_t` | `θ*` | halfway, `½θ_t + ½θ*` |
/// |---|---|---|---|
/// | `Leave`, the default | its own | its own | those of `θ_t` |
/// | `ReestimateAll`, `Reestimate` | of its weights | of its weights | of its weights |
///
/// With `Leave` the middle has statistics that do not fit its weights, and the chord gap is partly their doing. A gradient
/// is that of the weights with the statistics held fixed.
///
/// # Cost
///
/// One loss and gradient for every checkpoint but the last, one loss for the last, and one for every chord; for each of
/// these another pass to re-estimate statistics. Each checkpoint is read once, the first one twice. Memory: a model (two
/// with re-estimated statistics), and about six vectors of parameters.
///
/// # Reproducibility
///
/// The direction of the random point of a checkpoint depends on the seed and its step only.
///
/// # Defaults
///
/// Chords, seed 0, [`NormalizationPolicy::Leave`] as in a landscape.
///
/// # References
///
/// Guille-Escuret, Naganuma, Fatras, Mitliagkas 2023, *No Wrong Turns: The Simple Geometry Of Neural Networks Optimization
/// Paths*, arXiv:2306.11922; Kleinberg, Li, Yuan 2018, *An Alternative View: When Does SGD Escape Local Minima?*,
/// arXiv:1802.06175; Hinder, Sidford, Sohoni 2020, *Near-Optimal Methods for Minimizing Star-Convex Functions and
/// Beyond*, arXiv:1906.11985, for the quasar ratio.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::prelude::*;
/// use burnscape::trajectory::{QuasiConvexityConfig, Trajectory};
///
/// // The loss ½ (x² + 9 y²) from (3, 1), where the cosine is least, to the minimum.
/// let device = Device::default();
/// let end = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let space = ParamSpace::of(&end)?;
/// let at = |w: [f64; 2]| ParamVector::from_host(&space, &w)?.apply_to(&end);
/// let trajectory = Trajectory::of([(0, at([3.0, 1.0])?), (1, at([0.0, 0.0])?)])?;
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().sum() * 0.5;
/// let data = [Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 3.0]], &device)];
///
/// let found = QuasiConvexityConfig::new().run(&Risk::new(&loss, &data), &trajectory)?;
/// let point = &found.points[0];
/// assert!((point.cosine - 0.6).abs() < 1e-6 && (point.secant - 1.8).abs() < 1e-6);
/// assert!((point.quasar.unwrap_or(f64::NAN) - 2.0).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuasiConvexityConfig {
    chords: bool,
    seed: u64,
    policy: NormalizationPolicy,
}

impl Default for QuasiConvexityConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl QuasiConvexityConfig {
    /// A measurement with chords, seed 0, and the running statistics that the checkpoints have.
    pub fn new() -> Self {
        Self {
            chords: true,
            seed: 0,
            policy: NormalizationPolicy::Leave,
        }
    }

    /// Whether the loss halfway to `θ*` is evaluated, too.
    #[must_use]
    pub fn with_chords(mut self, chords: bool) -> Self {
        self.chords = chords;
        self
    }

    /// The seed of the random points.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the running statistics: left as they are, or re-estimated at every checkpoint and halfway over the data of the
    /// risk ([`Risk::reestimate`]).
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Measures the gradients along a trajectory.
    ///
    /// # Errors
    ///
    /// [`TrajectoryError::TooFewCheckpoints`] for fewer than two; [`TrajectoryError::NotMoving`] if all are equal in the
    /// parameters of the risk; [`TrajectoryError::NonFinite`] with the step of a checkpoint whose parameters, re-estimated
    /// statistics, loss or gradient are not finite (the loss halfway is kept as it is);
    /// [`TrajectoryError::NoInterpolation`] for [`NormalizationPolicy::Interpolate`], [`TrajectoryError::OutOfRange`]
    /// for statistics over no batches; [`TrajectoryError::Loss`] from the risk; [`TrajectoryError::Stopped`] before the
    /// first point; [`TrajectoryError::Space`] for parameters of several element types; those of reading a checkpoint.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        trajectory: &Trajectory<M>,
    ) -> Result<QuasiConvexity, TrajectoryError> {
        let statistics = Statistics::of(self.policy)?;
        check_length(trajectory)?;
        let ends = Ends::of(risk, trajectory, statistics)?;
        let last = trajectory.len() - 1;
        let taken = take_points(risk, last, |index| {
            let model = trajectory.model(index)?;
            let step = trajectory.steps()[index];
            match self.point(risk, &ends, &model, step)? {
                None => Ok((None, ends.loss)),
                Some(point) => Ok((Some(point), point.loss)),
            }
        })?;
        let completed = taken.len() == last;
        let points: Vec<QuasiConvexityPoint> = taken.into_iter().flatten().collect();
        if points.is_empty() {
            return Err(match completed {
                true => TrajectoryError::NotMoving,
                false => TrajectoryError::Stopped,
            });
        }
        let reflected = points.iter().filter_map(|point| point.reflected_cosine);
        let reflected: Vec<f64> = reflected.collect();
        let chords = points.iter().filter(|point| point.chord_gap.is_some());
        Ok(QuasiConvexity {
            reference_loss: ends.loss,
            share_positive: share_positive(points.iter().map(|point| point.cosine)),
            null_share_positive: share_positive(points.iter().map(|point| point.null_cosine)),
            reflected_share_positive: (!reflected.is_empty())
                .then(|| share_positive(reflected.into_iter())),
            num_losses: 1 + chords.count(),
            num_gradients: points.len(),
            seed: self.seed,
            policy: self.policy,
            completed,
            points,
        })
    }

    /// The measurement at a checkpoint; none if it is `θ*`.
    fn point<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        ends: &Ends,
        model: &M,
        step: usize,
    ) -> Result<Option<QuasiConvexityPoint>, TrajectoryError> {
        let not_finite = TrajectoryError::NonFinite { step };
        let here = ParamVector::from_module(&ends.space, model)?;
        let from_start = ends.start.clone().axpy(-1.0, &here)?;
        let delta = here.axpy(-1.0, &ends.end)?;
        let distance = delta.norm()?;
        if distance == 0.0 {
            return Ok(None);
        }
        if !distance.is_finite() {
            return Err(not_finite);
        }
        let found = match ends.statistics.gradient(risk, model) {
            Err(LossError::NonFinite { .. } | LossError::Statistics { .. }) => {
                return Err(not_finite);
            }
            found => found?,
        };
        let gradient = found.gradient;
        let norm = gradient.norm()?;
        if !norm.is_finite() {
            return Err(not_finite);
        }
        // At a stationary point the gradient points nowhere.
        let cosine = |along: f64| if norm == 0.0 { 0.0 } else { along / norm };
        let along = gradient.dot(&delta)? / distance;
        let random = ParamVector::sphere(&ends.space, mix(self.seed, step as u64))?;
        let come = from_start.norm()?;
        let reflected_cosine = if come > 0.0 {
            Some(cosine(gradient.dot(&from_start)? / come))
        } else {
            None
        };
        let rise = found.value - ends.loss;
        let chord_gap = if self.chords {
            let whole = ParamVector::from_module(ends.whole.space(), model)?;
            let toward = ends.whole.clone().axpy(-1.0, &whole)?;
            let middle = ends.statistics.loss(risk, &toward.perturb(model, 0.5)?)?;
            Some(middle - 0.5 * (found.value + ends.loss))
        } else {
            None
        };
        Ok(Some(QuasiConvexityPoint {
            step,
            loss: found.value,
            distance,
            gradient_norm: norm,
            cosine: cosine(along),
            secant: along / distance,
            error_bound: norm / distance,
            quasar: (rise > 0.0).then_some(along * distance / rise),
            chord_gap,
            null_cosine: cosine(gradient.dot(&random)?),
            reflected_cosine,
        }))
    }
}

/// The share of positive numbers among one number at least.
fn share_positive(cosines: impl ExactSizeIterator<Item = f64>) -> f64 {
    let all = cosines.len() as f64;
    cosines.filter(|cosine| *cosine > 0.0).count() as f64 / all
}

/// The references of all checkpoints.
struct Ends {
    /// The parameters of gradients.
    space: ParamSpace,
    start: ParamVector,
    end: ParamVector,
    /// All parameters of the last checkpoint.
    whole: ParamVector,
    /// Its loss.
    loss: f64,
    /// How running statistics are set, there and everywhere.
    statistics: Statistics,
}

impl Ends {
    fn of<M: Module, K>(
        risk: &Risk<'_, M, K>,
        trajectory: &Trajectory<M>,
        statistics: Statistics,
    ) -> Result<Self, TrajectoryError> {
        let last = trajectory.len() - 1;
        let model = trajectory.model(last)?;
        let space = risk.space(&model)?;
        let end = ParamVector::from_module(&space, &model)?;
        let whole = ParamVector::from_module(trajectory.space(), &model)?;
        let loss = statistics.loss(risk, &model)?;
        if !(loss.is_finite() && whole.norm()?.is_finite()) {
            let step = trajectory.steps()[last];
            return Err(TrajectoryError::NonFinite { step });
        }
        let start = ParamVector::from_module(&space, &trajectory.model(0)?)?;
        Ok(Self {
            space,
            start,
            end,
            whole,
            loss,
            statistics,
        })
    }
}

/// How gradients point to the end of a trajectory, the result of a [`QuasiConvexityConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuasiConvexity {
    /// The checkpoints in order, without the last and without those that are equal to it.
    pub points: Vec<QuasiConvexityPoint>,
    /// The loss `L(θ*)` of the last checkpoint.
    pub reference_loss: f64,
    /// The share of checkpoints with a positive cosine.
    pub share_positive: f64,
    /// The same share with a random point in place of `θ*`: about one half.
    pub null_share_positive: f64,
    /// The same share with `2θ_t − θ_0` in place of `θ*`, of the checkpoints that are not `θ_0`; none if there are no
    /// others.
    pub reflected_share_positive: Option<f64>,
    /// Passes over the data without gradient. Those that re-estimate statistics are extra.
    pub num_losses: usize,
    /// Passes over the data with gradient.
    pub num_gradients: usize,
    /// The seed of the random points.
    pub seed: u64,
    /// How running statistics were treated.
    pub policy: NormalizationPolicy,
    /// False if the observer stopped the measurement: it then ends at the last point that is complete.
    pub completed: bool,
}

/// The gradient at a checkpoint, compared with the way to the end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuasiConvexityPoint {
    /// The step of the checkpoint.
    pub step: usize,
    /// The loss `L(θ_t)`.
    pub loss: f64,
    /// The distance `|Δ|` from the last checkpoint.
    pub distance: f64,
    /// The length `|g|` of the gradient.
    pub gradient_norm: f64,
    /// `⟨g, Δ⟩ / (|g| |Δ|)`; 0 if the gradient is zero.
    pub cosine: f64,
    /// `⟨g, Δ⟩ / |Δ|²`, in units of a curvature.
    #[serde(with = "number")]
    pub secant: f64,
    /// `|g| / |Δ|`, in units of a curvature.
    #[serde(with = "number")]
    pub error_bound: f64,
    /// `⟨g, Δ⟩ / (L(θ_t) − L(θ*))`; none where the loss is not above that of `θ*`.
    #[serde(with = "number")]
    pub quasar: Option<f64>,
    /// `L(½θ_t + ½θ*) − ½ (L(θ_t) + L(θ*))`: positive where the middle is above the chord; none without chords.
    #[serde(with = "number")]
    pub chord_gap: Option<f64>,
    /// The cosine with a random point at the same distance in place of `θ*`.
    pub null_cosine: f64,
    /// The cosine with `2θ_t − θ_0` in place of `θ*`; none where the checkpoint is `θ_0`.
    pub reflected_cosine: Option<f64>,
}

impl Csv for QuasiConvexity {
    /// One line for each point: the columns `step,loss,distance,gradient_norm,cosine,secant,error_bound,quasar,chord_gap,
    /// null_cosine,reflected_cosine`. A cell without a number is empty.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = [
            "step",
            "loss",
            "distance",
            "gradient_norm",
            "cosine",
            "secant",
            "error_bound",
            "quasar",
            "chord_gap",
            "null_cosine",
            "reflected_cosine",
        ];
        let cell = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let rows = self.points.iter().map(|point| {
            [
                point.step.to_string(),
                point.loss.to_string(),
                point.distance.to_string(),
                point.gradient_norm.to_string(),
                point.cosine.to_string(),
                point.secant.to_string(),
                point.error_bound.to_string(),
                cell(point.quasar),
                cell(point.chord_gap),
                point.null_cosine.to_string(),
                cell(point.reflected_cosine),
            ]
        });
        Ok(csv(header, rows, writer)?)
    }
}
