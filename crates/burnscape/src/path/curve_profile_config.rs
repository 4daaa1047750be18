use burn::module::Module;

use super::gram::Gram;
use super::profile_points::{Place, ProfilePoints, Row, Valued};
use super::{Curve, CurveProfile, PathError, PathValues, PolygonalChain};
use crate::loss::{Classes, NormalizationPolicy, Progress, Risk, Work};
use crate::range::OutOfRange;
use crate::space::Grid;

/// A measurement of a path: the loss and metrics, on training and test data, at the places of a grid.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::path::{CurveProfileConfig, PolygonalChain};
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
///     .run(&risk, &PolygonalChain::line(&a, &b)?)?;
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
/// At every place, one forward pass over the data of each risk; no gradient. Re-estimating statistics takes
/// another forward pass over the training data, in training mode. Calibration also stores the logits of all examples
/// of its risk, and takes about 30 passes over the logits with a host synchronization each. Controls are two more
/// profiles.
///
/// # Several devices
///
/// A risk with [several devices](Risk::with_devices) measures several points at a time: the devices take turns,
/// with the data of all risks moved there for each pass. The values are those of one device as far as
/// the devices compute the same, bit for bit, and the observer of the risk sees the same points in the same order, but no
/// batches. Devices of the test risk and of metrics, and their observers, are not used. Points are made, and
/// calibrated, on the device of the ends. If a risk [draws](Risk::with_draws_seed) random numbers, points are measured one
/// after another, each with the devices of its risk. Memory: one model for each device.
///
/// # Defaults
///
/// 61 points (Garipov et al. 2018), statistics re-estimated over all training data, no calibration, no controls.
///
/// # References
///
/// Garipov et al. 2018, arXiv:1802.10026; for calibration Guo, Pleiss, Sun, Weinberger 2017, *On Calibration of
/// Modern Neural Networks*, arXiv:1706.04599.
#[derive(Clone)]
pub struct CurveProfileConfig<'a, M> {
    test: Option<&'a dyn Valued<M>>,
    metrics: Vec<(String, &'a dyn Valued<M>)>,
    calibration: Option<&'a Risk<'a, M, Classes<'a, M>>>,
    policy: NormalizationPolicy,
    num_points: usize,
    grid: Option<Grid>,
    controls_seed: Option<u64>,
}

impl<M> std::fmt::Debug for CurveProfileConfig<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CurveProfileConfig")
            .field("policy", &self.policy)
            .field("num_points", &self.num_points)
            .field("grid", &self.grid)
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
    /// The loss alone, at 61 points.
    pub fn new() -> Self {
        Self {
            test: None,
            metrics: Vec::new(),
            calibration: None,
            policy: NormalizationPolicy::default(),
            num_points: 61,
            grid: None,
            controls_seed: None,
        }
    }

    /// Also measures the loss on test data.
    #[must_use]
    pub fn with_test<L>(mut self, test: &'a Risk<'_, M, L>) -> Self {
        self.test = Some(test);
        self
    }

    /// Also measures a metric under a name, for instance the error on training or test data.
    #[must_use]
    pub fn with_metric<L>(mut self, name: impl Into<String>, metric: &'a Risk<'_, M, L>) -> Self {
        self.metrics.push((name.into(), metric));
        self
    }

    /// Also measures the cross-entropy of a classifier at the best temperature of each place, `min_β` of the mean of
    /// `−log softmax(β z)_y`. `risk` may be the one whose loss is measured.
    ///
    /// Averaging weights shrinks logits, which alone can raise the loss; a barrier that remains after calibration is
    /// one of the decisions themselves. The temperature is fitted on the data of the risk. Models are evaluated as
    /// they are deployed, whatever the mode of the risk.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Int, Tensor};
    /// use burnscape::loss::Risk;
    /// use burnscape::path::{CurveProfileConfig, PolygonalChain};
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
    /// let config = CurveProfileConfig::new().with_calibration(&risk).with_num_points(5);
    /// let profile = config.run(&risk, &PolygonalChain::line(&a, &b)?)?;
    /// let calibrated = profile.calibrated.ok_or("not calibrated")?;
    /// assert!(calibrated.max <= profile.train.max + 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_calibration(mut self, risk: &'a Risk<'a, M, Classes<'a, M>>) -> Self {
        self.calibration = Some(risk);
        self
    }

    /// How running statistics are treated.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// This many equally spaced points, 2 or more.
    #[must_use]
    pub fn with_num_points(mut self, num_points: usize) -> Self {
        (self.num_points, self.grid) = (num_points, None);
        self
    }

    /// These places, from 0 to 1.
    #[must_use]
    pub fn with_grid(mut self, grid: Grid) -> Self {
        self.grid = Some(grid);
        self
    }

    /// Also measures two controls, to compare the path with: the straight line between the ends, and a line of the
    /// same length from the first end in a random direction.
    ///
    /// # Reproducibility
    ///
    /// The random direction is a function of `seed`.
    #[must_use]
    pub fn with_controls(mut self, seed: u64) -> Self {
        self.controls_seed = Some(seed);
        self
    }

    /// Measures the loss along `curve`. `risk` is the loss on training data, which also re-estimates the statistics.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`] for fewer than two places, [`PathError::OutOfRange`] if they do not start at 0 and
    /// end at 1; [`PathError::NonFinite`] with the place of a loss or metric that is not finite;
    /// [`PathError::BadTargets`] if labels do not fit the logits; [`PathError::Loss`] for data
    /// that are empty or losses that are not one number, and for a device that fails; those of
    /// [`Risk::reestimate`](crate::loss::Risk::reestimate).
    pub fn run<K>(
        &self,
        risk: &Risk<'_, M, K>,
        curve: &(impl Curve<M> + ?Sized),
    ) -> Result<CurveProfile, PathError> {
        let times = self.times()?;
        let Some(seed) = self.controls_seed else {
            return self.measure(risk, curve, &times);
        };
        let line = curve.chord()?;
        let random =
            PolygonalChain::random_line(curve.control_points().first(), line.length()?, seed)?;
        let _ = risk.take_break();
        // A break at the last place leaves a profile complete, but ends the work.
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

    /// The places. Every definition of a barrier needs the ends.
    fn times(&self) -> Result<Vec<f64>, PathError> {
        let grid = match &self.grid {
            Some(grid) => grid,
            None => &Grid::linspace(0.0, 1.0, self.num_points)?,
        };
        let times = grid.coordinates();
        let (first, last) = (times[0], times[times.len() - 1]);
        for (name, t, end) in [("grid[0]", first, 0.0), ("grid[last]", last, 1.0)] {
            if t != end {
                return Err(OutOfRange::new(name, t, end.to_string()).into());
            }
        }
        Ok(times.to_vec())
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
        let train: &dyn Valued<M> = risk;
        let mut risks = vec![("train_loss", train)];
        risks.extend(self.test.iter().map(|test| ("test_loss", *test)));
        let metrics = self.metrics.iter();
        risks.extend(metrics.map(|(name, metric)| (name.as_str(), *metric)));
        let points = ProfilePoints {
            risks,
            calibration: self.calibration,
            policy: self.policy,
        };
        let places = times.iter().map(|&t| Place {
            t,
            // Rounding would move a path that does not move.
            taken_at: if is_still && t < 1.0 { 0.0 } else { t },
        });
        let places: Vec<Place> = places.collect();
        let mut rows: Vec<Vec<f64>> = Vec::new();
        let (mut betas, mut calibrated) = (Vec::new(), Vec::new());
        points.each(risk, curve, &places, |row| {
            let Row {
                values,
                calibration,
            } = row;
            let train_loss = values.first().copied();
            rows.push(values);
            if let Some((beta, loss)) = calibration {
                betas.push(beta);
                calibrated.push(loss);
            }
            let progress = Progress::new(Work::Point, rows.len()).of(times.len());
            risk.report(progress.value(train_loss))
        })?;
        let measured = points.risks;
        let completed = rows.len() == times.len();
        let times = times[..rows.len()].to_vec();
        let lengths = chord_lengths(curve, &gram, &times)?;
        let path = |name, values| PathValues::new(name, values, &times, &lengths, completed);
        let num_losses = rows.len() * measured.len() + calibrated.len();
        let calibrated = self
            .calibration
            .map(|_| path("calibrated_loss", calibrated));
        let paths = measured.iter().enumerate().map(|(index, (name, _))| {
            let column = rows.iter().map(|row| row[index]);
            path(name, column.collect())
        });
        let mut paths: Vec<PathValues> = paths.collect();
        Ok(CurveProfile {
            policy: self.policy,
            mode: risk.mode(),
            train: paths.remove(0),
            test: self.test.map(|_| paths.remove(0)),
            metrics: paths,
            calibrated,
            inverse_temperatures: betas,
            num_losses,
            completed,
            line: None,
            random: None,
            times,
            lengths,
        })
    }
}

/// The length of the chords up to each place.
fn chord_lengths<M: Module>(
    curve: &(impl Curve<M> + ?Sized),
    gram: &Gram,
    times: &[f64],
) -> Result<Vec<f64>, PathError> {
    let weights = times.iter().map(|&t| curve.weights(t));
    let weights = weights.collect::<Result<Vec<_>, _>>()?;
    let mut length = 0.0;
    let chords = weights.windows(2).map(|pair| {
        let step = pair[1].iter().zip(&pair[0]).map(|(x, y)| x - y);
        length += gram.norm(&step.collect::<Vec<_>>());
        length
    });
    let first = times.iter().take(1).map(|_| 0.0);
    Ok(first.chain(chords).collect())
}
