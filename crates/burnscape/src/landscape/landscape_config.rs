use std::fmt;
#[cfg(feature = "files")]
use std::path::PathBuf;

use burn::module::Module;

#[cfg(feature = "files")]
use super::cache::{Fingerprint, Fingerprinted, Fingerprinting};
use super::center::{evaluate_center, unevaluated};
use super::direction_record::{checked, records};
use super::evaluator::{Evaluator, space_of};
use super::gathered::Gathered;
use super::order::order;
use super::statistics::Statistics;
use super::surface::columns;
use super::workers::{Workers, each_chunk};
use super::{Direction, Landscape, LandscapeError};
use crate::loss::scalar::called;
use crate::loss::{Devices, Draws, NormalizationPolicy, Risk};
use crate::range::ensure;
use crate::space::{Grid, epsilon};

/// Batch losses that are read together.
const READ_TOGETHER: usize = 64;

/// An evaluation of the loss over a grid: `L(w + Σ_a x_a d_a)` for the coordinates `x_a` of each axis and its direction
/// `d_a`.
///
/// A point is `w + x_1 d_1 + x_2 d_2 + …`, added from left to right, without the terms whose coordinate
/// is 0. So the point where all coordinates are 0 is the model itself, to the last bit, the points on an axis are those
/// of its own one-dimensional landscape, those of two axes the [points](crate::space::ParameterPlane::point) of a plane,
/// and every value is that of [`Risk::loss`] at the moved model. Losses that are not finite are kept: far from a minimum
/// a loss may overflow. The model, including its running statistics, does not change.
///
/// # Order
///
/// Points are evaluated from a coarse grid to the fine one: the corners first, then the points that halve every axis, and
/// so on. A run that the observer of the risk stops is a complete coarser grid and a part of the next one; see
/// [`Landscape::coarser`]. The observer sees [`Work::Loss`](crate::loss::Work::Loss) after each batch, without its value,
/// which is not read yet, and [`Work::Point`](crate::loss::Work::Point) after each point.
///
/// Points are read together, up to 64 batches at a time: with one batch of data and no metrics, 64 points are evaluated
/// before the first of them is reported and kept in a cache file. A break at a batch keeps the points before it; a
/// process that is killed loses those that are not read.
///
/// # Several devices
///
/// A risk with [several devices](Risk::with_devices) evaluates points on all of them in turn, each
/// with a copy of the model, the directions, and the data of all risks, which are moved there for each pass. The
/// landscape has the bits of one device as far as the devices compute the same. The observer of the loss sees points in
/// the same order, but no batches except those at the model, and losses that draw random numbers are refused, as on
/// several [threads](Self::with_threads). The model itself is evaluated as by [`Risk::loss`], by batches. Metrics are
/// evaluated on the device of the point: devices and observers of their own are used at the model only. A policy that
/// re-estimates statistics does so on the device of the point, and a cache file serves any list of devices.
///
/// If a device fails, the error names it, after all others have returned; the points before it are in the cache file.
///
/// # Cost
///
/// One pass over the data of the loss and of each metric for every point, and for the model; no gradients. One host
/// synchronization for the batches of several points, 64 of them or one point; with seeded draws one more for each pass.
/// A policy that re-estimates statistics adds a [`Risk::reestimate`] for every point, and for the model: a pass in
/// training mode over the data of the loss, a second forward pass of its first batch, and one host synchronization for
/// each statistic. Memory: one vector of parameters for each direction, and for each thread a copy of the model and
/// three vectors; for each device the directions as well.
///
/// # Defaults
///
/// No metrics, running statistics as they are ([`NormalizationPolicy::Leave`], as Li et al. 2018), one thread, at most
/// 100 000 points.
///
/// # References
///
/// Goodfellow, Vinyals, Saxe 2015, *Qualitatively Characterizing Neural Network Optimization Problems*,
/// arXiv:1412.6544; Li et al. 2018, *Visualizing the Loss Landscape of Neural Nets*, arXiv:1712.09913.
///
/// # Example
///
/// A line:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::{Direction, LandscapeConfig};
/// use burnscape::loss::Risk;
/// use burnscape::space::{DirectionNorm, Grid};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let risk = Risk::new(&loss, &data);
/// let direction = Direction::random(&risk.space(&model)?, &model, DirectionNorm::Sphere, 1)?;
/// let line = LandscapeConfig::new([Grid::symmetric(1.0, 3)?]).run(&risk, &model, &[direction])?;
/// // Along a unit vector the second difference of |w|² is 2.
/// let second = line.losses[0] - 2.0 * line.losses[1] + line.losses[2];
/// assert!((second - 2.0).abs() < 1e-5);
/// assert_eq!(line.losses[1], line.base_loss);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A plane of filter-normalized directions, with another loss beside the first:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::landscape::{Direction, LandscapeConfig};
/// use burnscape::loss::Risk;
/// use burnscape::space::{DirectionNorm, Grid, UnfilteredRule};
///
/// let device = Device::default();
/// let model = LinearConfig::new(3, 2).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().mean();
/// let [train, test] = [1.0, 2.0].map(|x| [Tensor::<2>::full([4, 3], x, &device)]);
/// let (risk, test) = (Risk::new(&loss, &train), Risk::new(&loss, &test));
///
/// let (space, norm) = (risk.space(&model)?, DirectionNorm::Filter(UnfilteredRule::Zero));
/// let directions = [
///     Direction::random(&space, &model, norm, 1)?,
///     Direction::random(&space, &model, norm, 2)?,
/// ];
/// let grid = Grid::symmetric(1.0, 5)?;
/// let plane = LandscapeConfig::new([grid.clone(), grid])
///     .with_metric("test_loss", &test)
///     .run(&risk, &model, &directions)?;
/// assert_eq!(plane.loss(&[2, 2]), Some(plane.base_loss));
/// assert_eq!(plane.metrics[0].values.len(), 25);
/// println!("{plane}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LandscapeConfig<'a, M> {
    grids: Vec<Grid>,
    metrics: Vec<(String, Risk<'a, M>)>,
    policy: NormalizationPolicy,
    max_points: usize,
    threads: usize,
    #[cfg(feature = "files")]
    cache: Option<PathBuf>,
}

impl<M> fmt::Debug for LandscapeConfig<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.metrics.iter().map(|(name, _)| name).collect();
        f.debug_struct("LandscapeConfig")
            .field("axes", &self.grids)
            .field("metrics", &names)
            .field("policy", &self.policy)
            .field("max_points", &self.max_points)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl<'a, M: Module> LandscapeConfig<'a, M> {
    /// The loss over the grid of these axes, one for each direction, of two points or more.
    pub fn new(axes: impl IntoIterator<Item = Grid>) -> Self {
        Self {
            grids: axes.into_iter().collect(),
            metrics: Vec::new(),
            policy: NormalizationPolicy::Leave,
            max_points: 100_000,
            threads: 1,
            #[cfg(feature = "files")]
            cache: None,
        }
    }

    /// Also evaluates a metric under a name, for instance the loss on test data, or the error on training or test data.
    /// Each has its own name, and none that of a coordinate (`x`; `x` and `y`; `x1`, `x2`, …) or `loss`.
    ///
    /// An observer of the metric sees its batches, and stops the landscape, on one thread. On
    /// [several](Self::with_threads), or on several devices, it sees nothing but those at the model.
    #[must_use]
    pub fn with_metric<L>(mut self, name: impl Into<String>, metric: &'a Risk<'_, M, L>) -> Self {
        self.metrics.push((name.into(), metric.whole()));
        self
    }

    /// Sets the running statistics at each point:
    ///
    /// - [`Leave`](NormalizationPolicy::Leave): those of the model;
    /// - [`ReestimateAll`](NormalizationPolicy::ReestimateAll), [`Reestimate`](NormalizationPolicy::Reestimate): from
    ///   another pass over the data of the loss, in training mode, also for the model itself; where they are not finite,
    ///   the values are NaN. Dropout before a normalization layer needs [`Risk::with_draws_seed`];
    /// - [`Interpolate`](NormalizationPolicy::Interpolate): as far along as the coordinates, with directions made by
    ///   [`Direction::between`] or [`Direction::update`]. Beyond the models, a variance may become negative, and the
    ///   loss NaN.
    #[must_use]
    pub fn with_policy(mut self, policy: NormalizationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Allows grids of up to this many points. Without it, a grid such as 41 × 41 × 41 × 41 is refused: each of its
    /// 2 825 761 points is a pass over the data.
    #[must_use]
    pub fn with_max_points(mut self, points: usize) -> Self {
        self.max_points = points;
        self
    }

    /// Evaluates points on this many threads, 1024 at most, each with a copy of the model. The result has the same bits
    /// for any number.
    ///
    /// The observer of the loss sees points in the same order, but no batches except those at the model; observers of
    /// metrics see nothing else. Losses that draw random numbers are refused: the threads would share one generator. So
    /// are risks with several devices, each of which has a thread of its own.
    /// Losses that run as programs ([`Recorded`](crate::loss::Recorded), and those with fields) are evaluated one after
    /// another, and gain nothing.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Keeps the values of all points in a file (feature `files`). A run with the same settings, weights, directions,
    /// data and functions goes on from it; another run is refused.
    ///
    /// Settings are compared as they are; coordinates, the model, directions and data by hashes of every bit. The loss
    /// and the metrics are closures and have no hash. Their values are compared instead, at the model and at one point of
    /// the file, which is evaluated again: the first that is not the model, of those with the most finite values. They
    /// may differ by a thousand roundings, `10³ ε` of their size (1.2e-4 in f32), since another machine may add in another
    /// order. A function that differs from the first one by less at both places, for instance by a small weight decay,
    /// is not noticed: delete the file when you change the loss.
    ///
    /// # Cost
    ///
    /// One reading of the data of each risk, which downloads it, and one download of weights and directions; for a file
    /// with points, one evaluation of a point. The file waits for the disk after each group of points that are read
    /// together.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn with_cache(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// Evaluates the loss around `model`, with axis `a` along `directions[a]`.
    ///
    /// # Errors
    ///
    /// - [`LandscapeError::Axes`], [`LandscapeError::OnePoint`], [`LandscapeError::TooManyPoints`],
    ///   [`LandscapeError::OutOfMemory`] for the grid;
    /// - [`LandscapeError::NoDirection`] for a direction of norm zero, [`LandscapeError::Parallel`] for one in the span
    ///   of those before it;
    /// - [`LandscapeError::DuplicateMetric`], [`LandscapeError::ReservedMetric`] for the names of metrics;
    /// - [`LandscapeError::OutOfRange`] for zero batches, zero threads or more than 1024, [`LandscapeError::NoThreads`]
    ///   for more than the system has, [`LandscapeError::DrawsOnThreads`], [`LandscapeError::ThreadsOnDevices`],
    ///   [`LandscapeError::NoStatistics`];
    /// - [`LandscapeError::Stopped`] if an observer breaks before the values at the model are known, or those at the
    ///   point of a cache file that is compared;
    /// - [`LandscapeError::Loss`] and [`LandscapeError::Space`] from the risks, at the model also for a loss that is not
    ///   finite; a panic of a loss, of a data set or of an observer is
    ///   [`LossError::Panicked`](crate::loss::LossError::Panicked), and of a loss or data set on one of several devices,
    ///   as any failure of a device, [`LossError::Device`](crate::loss::LossError::Device);
    /// - [`LandscapeError::Cache`] and [`LandscapeError::OtherCache`] with a cache file.
    pub fn run<K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        directions: &[Direction],
    ) -> Result<Landscape, LandscapeError> {
        // On several threads a panic is an error, and so it is on one.
        match called(|| risk.in_time(model, || self.evaluate(risk, model, directions))) {
            Ok(found) => found,
            Err(panic) => Err(panic.into()),
        }
    }

    fn evaluate<K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        directions: &[Direction],
    ) -> Result<Landscape, LandscapeError> {
        self.check(directions.len())?;
        let spread = risk.spread(model)?;
        let workers = self.workers(spread.as_ref(), risk.draws(), model)?;
        let (norms, gram) = checked(directions)?;
        let space = space_of(model, directions)?;
        let statistics = Statistics::of(self.policy, model, directions)?;
        let mut landscape = unevaluated(&self.grids, &self.metrics, self.policy, risk.mode())?;
        landscape.directions = records(&space, model, directions, &norms)?;
        landscape.gram = gram;
        let reestimated = statistics.at_center(risk, model)?;
        let at_center = reestimated.as_ref().unwrap_or(model);
        let num_batches = evaluate_center(&mut landscape, risk, &self.metrics, at_center)?;
        let epsilon = epsilon(space.dtype()?);
        landscape.rounding = epsilon * landscape.base_loss.abs();

        let (axes, shape) = (landscape.axes.clone(), landscape.shape());
        let center = landscape.center();
        let mut risks = vec![risk.whole()];
        risks.extend(self.metrics.iter().map(|(_, metric)| metric.whole()));
        #[cfg(feature = "files")]
        let cache = match &self.cache {
            Some(path) => {
                let run = Fingerprinted {
                    model,
                    directions,
                    axes: &axes,
                    policy: self.policy,
                    risks: &self.columns(&risks),
                    base: &center,
                    epsilon,
                };
                Some((path, Fingerprint::of(&run)?))
            }
            None => None,
        };
        let grid = (axes.as_slice(), shape.as_slice());
        let evaluator = Evaluator::new(risks, center, model, &space, directions, grid, statistics)?;
        let mut gathered = Gathered::new(landscape);
        #[cfg(feature = "files")]
        let mut evaluator = evaluator;
        #[cfg(feature = "files")]
        if let Some((path, fingerprint)) = &cache {
            gathered.keep_in(path, fingerprint, &mut evaluator)?;
        }

        let order = order(&shape).into_iter();
        let waiting: Vec<usize> = order.filter(|&index| gathered.is_waiting(index)).collect();
        let chunks: Vec<&[usize]> = waiting
            .chunks(chunk_size(workers.count(), waiting.len(), num_batches))
            .collect();
        each_chunk(evaluator, workers, &chunks, |chunk| {
            gathered.keep(&chunk, |progress| risk.report(progress))
        })?;
        Ok(gathered.into_landscape())
    }

    fn check(&self, directions: usize) -> Result<(), LandscapeError> {
        let axes = self.grids.len();
        if axes == 0 || axes != directions {
            return Err(LandscapeError::Axes { axes, directions });
        }
        if let Some(axis) = self.grids.iter().position(|grid| grid.len() < 2) {
            return Err(LandscapeError::OnePoint { axis });
        }
        let mut lengths = self.grids.iter().map(Grid::len);
        let points = lengths.try_fold(1, usize::checked_mul);
        let max = self.max_points;
        // More than numbers can count is too many for any budget.
        if points.is_none_or(|points| points > max) {
            let points = points.unwrap_or(usize::MAX);
            return Err(LandscapeError::TooManyPoints { points, max });
        }
        self.check_names()?;
        ensure("threads", self.threads as f64, 1.0..=1024.0)?;
        Ok(())
    }

    /// What evaluates the points, given the devices of the loss and its draws.
    fn workers<'w>(
        &self,
        spread: Option<&'w (Devices, usize)>,
        draws: Draws,
        model: &M,
    ) -> Result<Workers<'w>, LandscapeError> {
        let workers = match spread {
            Some((devices, main)) => Workers::Devices(devices, *main),
            None => Workers::Threads(self.threads),
        };
        if self.threads > 1 {
            let mut devices = spread.map(|(devices, _)| devices.len());
            for (_, metric) in &self.metrics {
                let own = metric.spread(model)?;
                devices = devices.or(own.map(|(devices, _)| devices.len()));
            }
            if let Some(devices) = devices {
                let threads = self.threads;
                return Err(LandscapeError::ThreadsOnDevices { threads, devices });
            }
        }
        let metrics = self.metrics.iter().map(|(_, metric)| metric.draws());
        let is_drawn = metrics.chain([draws]).any(|draws| draws != Draws::Refused);
        if workers.count() > 1 && is_drawn {
            return Err(LandscapeError::DrawsOnThreads);
        }
        Ok(workers)
    }

    /// Every column of the table needs a name of its own.
    fn check_names(&self) -> Result<(), LandscapeError> {
        let reserved = columns(self.grids.len());
        for (index, (name, _)) in self.metrics.iter().enumerate() {
            let name = name.clone();
            if reserved.contains(&name) {
                return Err(LandscapeError::ReservedMetric { name });
            }
            if self.metrics[..index]
                .iter()
                .any(|(other, _)| *other == name)
            {
                return Err(LandscapeError::DuplicateMetric { name });
            }
        }
        Ok(())
    }

    /// The names of all values, and what they are values of.
    #[cfg(feature = "files")]
    fn columns<'r>(
        &'r self,
        risks: &'r [Risk<'_, M>],
    ) -> Vec<(&'r str, &'r dyn Fingerprinting<M>)> {
        let mut columns: Vec<(&'r str, &'r dyn Fingerprinting<M>)> = Vec::new();
        let names = self.metrics.iter().map(|(name, _)| name.as_str());
        for (name, risk) in std::iter::once("loss").chain(names).zip(risks) {
            columns.push((name, risk));
        }
        columns
    }
}

/// How many points are read together.
fn chunk_size(workers: usize, num_points: usize, num_batches: usize) -> usize {
    let together = READ_TOGETHER / num_batches.max(1);
    // Every worker gets several chunks, so that all end at about the same time.
    let share = match workers {
        1 => together,
        workers => num_points.div_ceil(workers.saturating_mul(4)),
    };
    together.min(share).max(1)
}
