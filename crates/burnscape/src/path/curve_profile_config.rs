use burn::module::Module;

use super::places::{Places, chord_lengths};
use super::{Curve, CurveProfile, MetricProfile, PathError, PathLosses, Segment};
use crate::loss::{LossError, NormalizationPolicy, Progress, Risk, Work};
use crate::space::Grid;

/// A measurement of a path: the loss and metrics, on training and test data, at the places of a grid.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{CurveProfileConfig, Segment};
///
/// type Batch = (Tensor<2>, Tensor<2>);
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 1).init(&device));
/// let data: [Batch; 1] = [(Tensor::ones([8, 2], &device), Tensor::zeros([8, 1], &device))];
/// let loss = |m: &Linear, (x, y): Batch| (m.forward(x) - y).powi_scalar(2).mean();
/// let error = |m: &Linear, (x, y): Batch| (m.forward(x) - y).abs().mean();
///
/// let (risk, error) = (Risk::new(&loss, &data), Risk::new(&error, &data));
/// let profile = CurveProfileConfig::new()
///     .with_metric("error", &error)
///     .with_num_points(11)
///     .run(&risk, &Segment::new(&a, &b)?)?;
/// // The loss is convex along a line of linear models: no barrier by any definition.
/// let barriers = profile.barriers().ok_or("stopped")?;
/// assert!(barriers.above_line < 1e-6 && barriers.above_worse_end < 1e-6);
/// assert_eq!(profile.metrics[0].values.len(), 11);
/// assert_eq!(profile.num_losses, 22);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
///
/// At every place one forward pass over the data of each risk, no gradient. Re-estimating statistics takes
/// another forward pass over the training data, in training mode. Controls are two more profiles.
///
/// # Defaults
///
/// 61 places (Garipov et al. 2018), statistics re-estimated over all training data, no controls.
#[derive(Clone)]
pub struct CurveProfileConfig<'a, M> {
    test: Option<&'a dyn Valued<M>>,
    metrics: Vec<(String, &'a dyn Valued<M>)>,
    policy: NormalizationPolicy,
    places: Places,
    controls_seed: Option<u64>,
}

/// A risk of any kind.
trait Valued<M> {
    fn value(&self, model: &M) -> Result<f64, LossError>;
}

impl<M: Module, K> Valued<M> for Risk<'_, M, K> {
    fn value(&self, model: &M) -> Result<f64, LossError> {
        Ok(self.whole_loss(model)?.value)
    }
}

impl<M> std::fmt::Debug for CurveProfileConfig<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CurveProfileConfig")
            .field("policy", &self.policy)
            .field("places", &self.places)
            .field("controls_seed", &self.controls_seed)
            .finish_non_exhaustive()
    }
}

impl<M: Module> Default for CurveProfileConfig<'_, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, M: Module> CurveProfileConfig<'a, M> {
    /// The loss alone, at 61 places.
    pub fn new() -> Self {
        Self {
            test: None,
            metrics: Vec::new(),
            policy: NormalizationPolicy::default(),
            places: Places::default(),
            controls_seed: None,
        }
    }

    /// The places and the policy of another measurement.
    pub(super) fn at(places: Places, policy: NormalizationPolicy) -> Self {
        Self {
            places,
            policy,
            ..Self::new()
        }
    }

    /// Measures the loss on test data as well.
    #[must_use]
    pub fn with_test<L>(mut self, test: &'a Risk<'_, M, L>) -> Self {
        self.test = Some(test);
        self
    }

    /// Measures something else as well, under a name: the error on training or test data, for instance.
    #[must_use]
    pub fn with_metric<L>(mut self, name: impl Into<String>, metric: &'a Risk<'_, M, L>) -> Self {
        self.metrics.push((name.into(), metric));
        self
    }

    /// How running statistics are treated.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// This many places at equal distances, 2 or more.
    #[must_use]
    pub fn with_num_points(mut self, num_points: usize) -> Self {
        self.places = Places::Equidistant(num_points);
        self
    }

    /// These places, from 0 to 1.
    #[must_use]
    pub fn with_grid(mut self, grid: Grid) -> Self {
        self.places = Places::Given(grid);
        self
    }

    /// Measures two controls as well: the straight line between the ends, and a line of the same length from the
    /// first end in a random direction. How good a path is shows in the difference.
    ///
    /// # Reproducibility
    ///
    /// `seed` decides the random direction.
    #[must_use]
    pub fn with_controls(mut self, seed: u64) -> Self {
        self.controls_seed = Some(seed);
        self
    }

    /// Measures the loss along `curve`. `risk` is the loss on training data, from which statistics are
    /// re-estimated.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] for fewer than two places, [`PathError::TimeOutOfRange`] if they do not start at 0 and
    /// end at 1; [`PathError::NonFinite`] with the place where loss or metric are; [`PathError::Loss`] for data
    /// that are empty or losses that are not one number; those of [`Risk::reestimate`](crate::loss::Risk::reestimate).
    pub fn run<K>(
        &self,
        risk: &Risk<'_, M, K>,
        curve: &(impl Curve<M> + ?Sized),
    ) -> Result<CurveProfile, PathError> {
        let times = self.places.times_with_ends()?;
        let Some(seed) = self.controls_seed else {
            return self.measure(risk, curve, &times);
        };
        let line = Segment::between_ends_of(curve)?;
        let random = Segment::random(curve.control_points().first(), line.length()?, seed)?;
        let _ = risk.take_break();
        // A break at the last place leaves a profile complete, and ends the work all the same.
        let is_last = |profile: &CurveProfile| !profile.completed || risk.take_break();
        let mut profile = self.measure(risk, curve, &times)?;
        if is_last(&profile) {
            profile.completed = false;
            return Ok(profile);
        }
        let line = self.measure(risk, &line, &times)?;
        profile.completed = !is_last(&line);
        profile.line = Some(Box::new(line));
        if profile.completed {
            let random = self.measure(risk, &random, &times)?;
            profile.completed = random.completed;
            profile.random = Some(Box::new(random));
        }
        Ok(profile)
    }

    fn measure<K>(
        &self,
        risk: &Risk<'_, M, K>,
        curve: &(impl Curve<M> + ?Sized),
        times: &[f64],
    ) -> Result<CurveProfile, PathError> {
        self.policy.check()?;
        let gram = curve.control_points().gram()?;
        let is_still = gram.is_zero();
        let lengths = chord_lengths(curve, &gram, times)?;
        let train: &dyn Valued<M> = risk;
        let loss = "the loss".to_string();
        let mut values = vec![(&loss, train)];
        values.extend(self.test.iter().map(|test| (&loss, *test)));
        values.extend(self.metrics.iter().map(|(name, metric)| (name, *metric)));
        let mut found: Vec<Vec<f64>> = vec![Vec::new(); values.len()];
        let mut num_points = 0;
        for &t in times {
            // Rounding would move a path that does not move.
            let place = if is_still && t < 1.0 { 0.0 } else { t };
            let model = self.policy.point(risk, curve, place)?;
            let own = values
                .iter()
                .map(|(name, risk)| risk.value(&model).map_err(PathError::at(t, name)));
            let own = match own.collect::<Result<Vec<f64>, _>>() {
                Err(PathError::Stopped) => break,
                own => own?,
            };
            let train_loss = own[0];
            for (values, value) in found.iter_mut().zip(own) {
                values.push(value);
            }
            num_points += 1;
            let progress = Progress::new(Work::Point, num_points).of(times.len());
            if risk.report(progress.value(train_loss)).is_break() {
                break;
            }
        }
        let completed = num_points == times.len();
        let times = times[..num_points].to_vec();
        let lengths = lengths[..num_points].to_vec();
        let num_losses = num_points * values.len();
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
        Ok(CurveProfile {
            policy: self.policy,
            mode: risk.mode(),
            metrics: metrics.collect(),
            train,
            test,
            num_losses,
            completed,
            times,
            lengths,
            line: None,
            random: None,
        })
    }
}
