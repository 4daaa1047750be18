use burn::module::Module;

use super::gram::Gram;
use super::profile::{MetricProfile, Profile};
use super::{Curve, PathError, PathLosses, Segment};
use crate::loss::{LossError, NormalizationPolicy, Progress, Risk, Work};
use crate::space::Grid;

/// Measures paths: the loss and metrics, on training and test data, at the places of a grid.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{Profiler, Segment};
///
/// type Batch = (Tensor<2>, Tensor<2>);
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data: [Batch; 1] = [(Tensor::ones([8, 2], &device), Tensor::zeros([8, 1], &device))];
/// let loss = |m: &Linear, (x, y): Batch| (m.forward(x) - y).powi_scalar(2).mean();
///
/// let error = |m: &Linear, (x, y): Batch| (m.forward(x) - y).abs().mean();
///
/// let (risk, error) = (Risk::new(&loss, &data), Risk::new(&error, &data));
/// let profiler = Profiler::new(&risk).with_metric("error", &error).with_num_points(11)?;
/// let profile = profiler.profile(&Segment::new(&a, &b)?)?;
/// // The loss is convex along a line of linear models: no barrier by any definition.
/// let barriers = profile.train.barriers.ok_or("stopped")?;
/// assert!(barriers.above_line < 1e-6 && barriers.above_worse_end < 1e-6);
/// assert_eq!(profile.metrics[0].values.len(), 11);
/// assert_eq!(profile.num_evaluations, 22);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
///
/// At every place one forward pass over the data of each risk; no gradient. If statistics are re-estimated, another forward pass over the training data, in training
/// mode.
///
/// # Defaults
///
/// 61 places (Garipov et al. 2018), statistics re-estimated over all training data.
pub struct Profiler<'a, M, K> {
    risk: &'a Risk<'a, M, K>,
    test: Option<Value<'a, M>>,
    metrics: Vec<(String, Value<'a, M>)>,
    policy: NormalizationPolicy,
    times: Vec<f64>,
}

/// The value of a risk at a model.
type Value<'a, M> = Box<dyn Fn(&M) -> Result<f64, LossError> + 'a>;

impl<M, K> std::fmt::Debug for Profiler<'_, M, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiler")
            .field("risk", &self.risk)
            .field("policy", &self.policy)
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

impl<'a, M: Module, K> Profiler<'a, M, K> {
    /// Measures a risk: the loss on training data, from which statistics are re-estimated.
    pub fn new(risk: &'a Risk<'a, M, K>) -> Self {
        Self {
            risk,
            test: None,
            metrics: Vec::new(),
            policy: NormalizationPolicy::default(),
            times: (0..61).map(|index| f64::from(index) / 60.0).collect(),
        }
    }

    /// Measures the loss on test data as well.
    #[must_use]
    pub fn with_test<L>(mut self, test: &'a Risk<'_, M, L>) -> Self {
        self.test = Some(value(test));
        self
    }

    /// Measures something else as well, under a name: the error on training or test data, for instance.
    #[must_use]
    pub fn with_metric<L>(mut self, name: impl Into<String>, metric: &'a Risk<'_, M, L>) -> Self {
        self.metrics.push((name.into(), value(metric)));
        self
    }

    /// What becomes of running statistics.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// This many places at equal distances.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] below two.
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
    pub(super) fn train_only(&self) -> Profiler<'a, M, K> {
        Profiler {
            risk: self.risk,
            test: None,
            metrics: Vec::new(),
            policy: self.policy,
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

    /// What is measured.
    pub fn risk(&self) -> &'a Risk<'a, M, K> {
        self.risk
    }

    /// Measures a path.
    ///
    /// # Errors
    ///
    /// [`PathError::NonFinite`] with the place where loss or metric are; [`PathError::Loss`] for data
    /// that are empty or losses that are not one number; those of [`reestimate`](crate::loss::reestimate).
    pub fn profile(&self, curve: &(impl Curve<M> + ?Sized)) -> Result<Profile, PathError> {
        self.profile_at(curve, &self.times)
    }

    /// A profile of the first places.
    fn profile_at(
        &self,
        curve: &(impl Curve<M> + ?Sized),
        times: &[f64],
    ) -> Result<Profile, PathError> {
        self.policy.check()?;
        let gram = curve.control_points().gram()?;
        let is_still = gram.is_zero();
        let lengths = self.lengths(curve, &gram)?;
        let train = value(self.risk);
        let loss = "the loss".to_string();
        let mut values = vec![(&loss, &train)];
        values.extend(self.test.iter().map(|test| (&loss, test)));
        values.extend(self.metrics.iter().map(|(name, metric)| (name, metric)));
        let mut found: Vec<Vec<f64>> = vec![Vec::new(); values.len()];
        let mut num_points = 0;
        for &t in times {
            // Rounding would move a path that does not move.
            let place = if is_still && t < 1.0 { 0.0 } else { t };
            let model = self.policy.point(self.risk, curve, place)?;
            let own = values
                .iter()
                .map(|(name, value)| value(&model).map_err(PathError::at(t, name)));
            let own = match own.collect::<Result<Vec<f64>, _>>() {
                Err(PathError::Stopped) => break,
                own => own?,
            };
            let train_loss = own[0];
            for (values, value) in found.iter_mut().zip(own) {
                values.push(value);
            }
            num_points += 1;
            let progress = Progress::new(Work::Point, num_points);
            let progress = progress.of(self.times.len()).value(train_loss);
            if self.risk.report(progress).is_break() {
                break;
            }
        }
        let completed = num_points == self.times.len();
        let times = self.times[..num_points].to_vec();
        let lengths = lengths[..num_points].to_vec();
        let num_evaluations = num_points * values.len();
        let mut found = found.into_iter();
        let mut losses = || {
            let losses = found.next().unwrap_or_default();
            PathLosses::new(&times, &lengths, losses, completed)
        };
        let train = losses();
        let test = self.test.is_some().then(losses);
        let metrics = self.metrics.iter().zip(found);
        let metrics = metrics.map(|((name, _), values)| MetricProfile {
            name: name.clone(),
            values,
        });
        Ok(Profile {
            policy: self.policy,
            mode: self.risk.mode(),
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
    ) -> Result<ControlledProfile, PathError> {
        let line = Segment::between_ends_of(curve)?;
        let random = Segment::random(curve.control_points().first(), line.length()?, seed)?;
        // What comes after a break has no places.
        let mut times = self.times.as_slice();
        let _ = self.risk.take_break();
        let mut rest = |profile: &Profile| {
            if !profile.completed || self.risk.take_break() {
                times = &[];
            }
            times
        };
        let curve = self.profile(curve)?;
        let line = self.profile_at(&line, rest(&curve))?;
        let random = self.profile_at(&random, rest(&line))?;
        Ok(ControlledProfile {
            curve,
            line,
            random,
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

fn value<'a, M: Module, K>(risk: &'a Risk<'_, M, K>) -> Value<'a, M> {
    Box::new(move |model| Ok(risk.whole_loss(model)?.value))
}

/// The loss along a curve at the places of `grid`, with everything else as [`Profiler`] has it:
/// statistics re-estimated, no test data.
///
/// # Cost
///
/// One forward pass over the data at every place, two if there are statistics to re-estimate; no
/// gradient.
///
/// # Errors
///
/// As [`Profiler::with_grid`] and [`Profiler::profile`].
pub fn profile<M: Module, K>(
    risk: &Risk<'_, M, K>,
    curve: &impl Curve<M>,
    grid: &Grid,
) -> Result<Profile, PathError> {
    Profiler::new(risk).with_grid(grid)?.profile(curve)
}
