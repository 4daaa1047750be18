use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;

use super::gram::Gram;
use super::profile::{MetricProfile, Profile, ProfileStep};
use super::{Curve, NormalizationPolicy, PathError, PathLosses, Segment};
use crate::landscape::Grid;
use crate::loss::{Batch, DataSet, Evaluator, Mode, Objective};

/// Measures paths: the loss and metrics, on training and test data, at the places of a grid.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::path::{Profiler, Segment};
///
/// type Batch = (Tensor<2>, Tensor<2>);
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data: [Batch; 1] = [(Tensor::ones([8, 2], &device), Tensor::zeros([8, 1], &device))];
/// let loss = |m: &Linear, (x, y): Batch| (m.forward(x) - y).powi_scalar(2).mean();
///
/// let profiler = Profiler::new(&loss, &data)
///     .with_metric("error", |m: &Linear, (x, y): Batch| (m.forward(x) - y).abs().mean())
///     .with_num_points(11)?;
/// let profile = profiler.profile(&Segment::new(&a, &b)?, |_| ControlFlow::Continue(()))?;
/// // The loss is convex along a line of linear models: no barrier by any definition.
/// let barriers = profile.train.barriers.ok_or("stopped")?;
/// assert!(barriers.above_line < 1e-6 && barriers.above_worse_end < 1e-6);
/// assert_eq!(profile.metrics[0].train.len(), 11);
/// assert_eq!(profile.num_evaluations, 22);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
///
/// At every place one forward pass over each data set for the objective, and one for every metric; no
/// gradient. If statistics are re-estimated, another forward pass over the training data, in training
/// mode.
///
/// # Defaults
///
/// 61 places (Garipov et al. 2018), statistics re-estimated over all training data,
/// [`Mode::Eval`].
pub struct Profiler<'a, M, B, O> {
    objective: &'a O,
    train: &'a dyn DataSet<B>,
    test: Option<&'a dyn DataSet<B>>,
    metrics: Vec<(String, Metric<'a, M, B>)>,
    policy: NormalizationPolicy,
    mode: Mode,
    draws_seed: Option<u64>,
    times: Vec<f64>,
}

type Metric<'a, M, B> = Box<dyn Fn(&M, B) -> Tensor<1> + 'a>;

impl<M, B, O> std::fmt::Debug for Profiler<'_, M, B, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiler")
            .field("policy", &self.policy)
            .field("mode", &self.mode)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// A path with the controls beside which its claims are to be read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ControlledProfile {
    /// The path itself.
    pub curve: Profile,
    /// The straight line between its ends.
    pub line: Profile,
    /// A straight line from the first end, as long as that to the last, in a random direction.
    pub random: Profile,
}

impl<'a, M, B, O> Profiler<'a, M, B, O>
where
    M: Module,
    B: Batch,
    O: Objective<M, B>,
{
    /// Measures `objective` on the training data.
    pub fn new(objective: &'a O, train: &'a dyn DataSet<B>) -> Self {
        Self {
            objective,
            train,
            test: None,
            metrics: Vec::new(),
            policy: NormalizationPolicy::default(),
            mode: Mode::Eval,
            draws_seed: None,
            times: (0..61).map(|index| f64::from(index) / 60.0).collect(),
        }
    }

    fn evaluator<'o, P>(&self, objective: &'o P) -> Evaluator<'o, P> {
        let evaluator = Evaluator::new(objective).with_mode(self.mode);
        match self.draws_seed {
            Some(seed) => evaluator.with_draws_seed(seed),
            None => evaluator,
        }
    }

    /// Measures on test data as well.
    #[must_use]
    pub fn with_test(mut self, test: &'a dyn DataSet<B>) -> Self {
        self.test = Some(test);
        self
    }

    /// Measures the mean over the examples of something else as well: accuracy, for instance.
    /// `metric` returns the mean over a batch.
    #[must_use]
    pub fn with_metric(
        mut self,
        name: impl Into<String>,
        metric: impl Fn(&M, B) -> Tensor<1> + 'a,
    ) -> Self {
        self.metrics.push((name.into(), Box::new(metric)));
        self
    }

    /// What becomes of running statistics.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The mode in which the models are evaluated.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Freezes what objective and metrics draw, as [`Evaluator::with_draws_seed`] says: the same at every
    /// place. Without a seed a loss that draws is refused.
    #[must_use]
    pub fn with_draws_seed(mut self, seed: u64) -> Self {
        self.draws_seed = Some(seed);
        self
    }

    /// This many places at equal distances.
    ///
    /// # Errors
    ///
    /// [`PathError::Landscape`] below two.
    pub fn with_num_points(self, num_points: usize) -> Result<Self, PathError> {
        self.with_grid(&Grid::linspace(0.0, 1.0, num_points)?)
    }

    /// These places.
    ///
    /// # Errors
    ///
    /// [`PathError::TimeOutOfRange`] if they do not start at 0 and end at 1: every definition of a
    /// barrier needs the ends.
    pub fn with_grid(mut self, grid: &Grid) -> Result<Self, PathError> {
        let times = grid.coordinates();
        for (place, end) in [(times.first(), 0.0), (times.last(), 1.0)] {
            match place {
                Some(&t) if t == end => {}
                other => {
                    let t = other.copied().unwrap_or(f64::NAN);
                    return Err(PathError::TimeOutOfRange { t });
                }
            }
        }
        self.times = times.to_vec();
        Ok(self)
    }

    /// The same measurement of the loss on the training data alone.
    pub(super) fn train_only(&self) -> Profiler<'a, M, B, O> {
        Profiler {
            objective: self.objective,
            train: self.train,
            test: None,
            metrics: Vec::new(),
            policy: self.policy,
            mode: self.mode,
            draws_seed: self.draws_seed,
            times: self.times.clone(),
        }
    }

    /// The places.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// What becomes of running statistics.
    pub fn policy(&self) -> NormalizationPolicy {
        self.policy
    }

    /// The objective.
    pub fn objective(&self) -> &'a O {
        self.objective
    }

    /// Measures a path. `observe` sees every place and can stop after it.
    ///
    /// # Errors
    ///
    /// [`PathError::NonFinite`] with the place where loss or metric are; [`PathError::Loss`] for data
    /// that are empty or losses that are not one number; those of [`reestimate`](super::reestimate).
    pub fn profile(
        &self,
        curve: &(impl Curve<M> + ?Sized),
        mut observe: impl FnMut(&ProfileStep) -> ControlFlow<()>,
    ) -> Result<Profile, PathError> {
        self.policy.check()?;
        let gram = curve.control_points().gram()?;
        let is_still = gram.is_zero();
        let lengths = self.lengths(curve, &gram)?;
        let mut sets: Vec<(&dyn DataSet<B>, Vec<f64>)> = vec![(self.train, Vec::new())];
        sets.extend(self.test.map(|test| (test, Vec::new())));
        let mut metrics: Vec<Vec<Vec<f64>>> =
            vec![vec![Vec::new(); sets.len()]; self.metrics.len()];
        let objective = self.evaluator(self.objective);
        let own = self.metrics.iter();
        let evaluators: Vec<_> = own
            .map(|(name, metric)| (name, self.evaluator(metric)))
            .collect();
        let mut num_evaluations = 0;
        let mut num_points = 0;
        for &t in &self.times {
            // Rounding would move a path that does not move.
            let place = if is_still && t < 1.0 { 0.0 } else { t };
            let model = self
                .policy
                .point(curve, place, self.objective, self.train)?;
            for (index, (data, losses)) in sets.iter_mut().enumerate() {
                let loss = objective.loss(&model, *data);
                losses.push(loss.map_err(PathError::at(t, "the loss"))?.value);
                num_evaluations += 1;
                for ((name, metric), values) in evaluators.iter().zip(&mut metrics) {
                    let value = metric.loss(&model, *data);
                    values[index].push(value.map_err(PathError::at(t, name))?.value);
                    num_evaluations += 1;
                }
            }
            num_points += 1;
            let last = |set: usize| sets.get(set)?.1.last().copied();
            let step = ProfileStep {
                points: num_points,
                total: self.times.len(),
                t,
                train_loss: last(0).unwrap_or(f64::NAN),
                test_loss: last(1),
            };
            if observe(&step).is_break() {
                break;
            }
        }
        let completed = num_points == self.times.len();
        let times = self.times[..num_points].to_vec();
        let lengths = lengths[..num_points].to_vec();
        let mut losses = sets
            .into_iter()
            .map(|(_, losses)| PathLosses::new(&times, &lengths, losses, completed));
        let train = losses
            .next()
            .unwrap_or_else(|| PathLosses::new(&times, &lengths, Vec::new(), false));
        let test = losses.next();
        let metrics = self.metrics.iter().zip(metrics).map(|((name, _), values)| {
            let mut values = values.into_iter();
            MetricProfile {
                name: name.clone(),
                train: values.next().unwrap_or_default(),
                test: values.next(),
            }
        });
        Ok(Profile {
            policy: self.policy,
            mode: self.mode,
            metrics: metrics.collect(),
            train,
            test,
            num_evaluations,
            completed,
            times,
            lengths,
        })
    }

    /// Measures a path beside the straight line between its ends, and beside a line of the same
    /// length from the first end in a random direction: what a path of low loss is worth shows in the
    /// difference.
    ///
    /// # Cost
    ///
    /// Three profiles.
    ///
    /// # Reproducibility
    ///
    /// `seed` decides the random direction.
    ///
    /// # Errors
    ///
    /// As [`profile`](Self::profile).
    pub fn profile_with_controls(
        &self,
        curve: &(impl Curve<M> + ?Sized),
        seed: u64,
        mut observe: impl FnMut(&ProfileStep) -> ControlFlow<()>,
    ) -> Result<ControlledProfile, PathError> {
        let line = Segment::between_ends_of(curve)?;
        let random = Segment::random(curve.control_points().first(), line.length()?, seed)?;
        Ok(ControlledProfile {
            curve: self.profile(curve, &mut observe)?,
            line: self.profile(&line, &mut observe)?,
            random: self.profile(&random, &mut observe)?,
        })
    }

    /// The length of the chords up to each place.
    fn lengths(
        &self,
        curve: &(impl Curve<M> + ?Sized),
        gram: &Gram,
    ) -> Result<Vec<f64>, PathError> {
        let mut before: Option<Vec<f64>> = None;
        let mut length = 0.0;
        let mut lengths = Vec::with_capacity(self.times.len());
        for &t in &self.times {
            let weights = curve.weights(t)?;
            if let Some(before) = &before {
                let step = weights.iter().zip(before).map(|(x, y)| x - y);
                length += gram.norm(&step.collect::<Vec<_>>());
            }
            before = Some(weights);
            lengths.push(length);
        }
        Ok(lengths)
    }
}

/// The loss along a curve at the places of `grid`, with everything else as [`Profiler`] has it:
/// statistics re-estimated, inference mode, no test data.
///
/// # Cost
///
/// One forward pass over the data at every place, two if there are statistics to re-estimate; no
/// gradient.
///
/// # Errors
///
/// As [`Profiler::with_grid`] and [`Profiler::profile`].
pub fn profile<M, B, O, D>(
    curve: &impl Curve<M>,
    objective: &O,
    data: &D,
    grid: &Grid,
) -> Result<Profile, PathError>
where
    M: Module,
    B: Batch,
    O: Objective<M, B>,
    D: DataSet<B>,
{
    Profiler::new(objective, data)
        .with_grid(grid)?
        .profile(curve, |_| ControlFlow::Continue(()))
}
