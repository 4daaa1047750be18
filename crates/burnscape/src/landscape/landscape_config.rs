use std::fmt;
#[cfg(feature = "files")]
use std::path::PathBuf;

use burn::module::Module;

#[cfg(feature = "files")]
use super::cache::{Fingerprinted, Fingerprinting};
use super::direction_record::checked;
use super::evaluator::{Evaluator, space_of};
use super::gathered::Gathered;
use super::order::order;
use super::statistics::Statistics;
use super::workers::each_chunk;
use super::{Direction, DirectionRecord, Landscape, LandscapeError, LandscapeMetric};
use crate::OutOfRange;
use crate::loss::{Draws, LossError, NormalizationPolicy, Risk};
use crate::space::{Grid, ParamSpace, ParamVector, SpaceError, epsilon};

/// Batch losses that are read together.
const READ_TOGETHER: usize = 64;

/// An evaluation of the loss over a grid: `L(w + Σ_a x_a d_a)` for the coordinates `x_a` of each axis and its direction
/// `d_a`.
///
/// Displacements are sums in the order of the axes, added to the weights once. So the point where all coordinates are 0
/// is the model itself, to the last bit, the points on an axis are those of its own one-dimensional landscape, and every
/// value is that of [`Risk::loss`] at the moved model. Losses that are not finite are kept: far from a minimum a loss
/// may overflow. The model, including its running statistics, does not change.
///
/// # Order
///
/// Points are evaluated from a coarse grid to the fine one: the corners first, then the points that halve every axis, and
/// so on. A run that the observer of the risk stops is a complete coarser grid and a part of the next one; see
/// [`Landscape::coarser`]. The observer sees [`Work::Loss`](crate::loss::Work::Loss) after each batch, without its value,
/// which is not read yet, and [`Work::Point`](crate::loss::Work::Point) after each point.
///
/// # Cost
///
/// One pass over the data of the loss and of each metric for every point, and for the model; no gradients. One host
/// synchronization for the batches of several points, 64 of them or one point; with seeded draws one more for each pass.
/// Memory: one vector of parameters for each direction, and for each thread a copy of the model and three vectors.
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
    ///   the values are NaN;
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

    /// Evaluates points on this many threads, each with a copy of the model. The result has the same bits for any number.
    ///
    /// Observers see points in the same order, but no batches. Losses that draw random numbers are refused: the threads
    /// would share one generator. For the same reason, do not re-estimate the statistics of a model with dropout on
    /// several threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Keeps the values of all points in a file (feature `files`). A run with the same settings, weights, directions and
    /// data goes on from it; any other run is refused.
    ///
    /// # Cost
    ///
    /// One reading of the data of each risk, which downloads it, and one download of weights and directions.
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
    /// - [`LandscapeError::Axes`], [`LandscapeError::OnePoint`], [`LandscapeError::TooManyPoints`] for the grid;
    /// - [`LandscapeError::NoDirection`] for a direction of norm zero, [`LandscapeError::Parallel`] for one in the span
    ///   of those before it;
    /// - [`LandscapeError::OutOfRange`] for zero threads or batches, [`LandscapeError::DrawsOnThreads`],
    ///   [`LandscapeError::NoStatistics`];
    /// - [`LandscapeError::Stopped`] if an observer breaks before the values at the model are known;
    /// - [`LandscapeError::Loss`] and [`LandscapeError::Space`] from the risks, at the model also for a loss that is not
    ///   finite;
    /// - [`LandscapeError::Cache`] and [`LandscapeError::OtherCache`] with a cache file.
    pub fn run<K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        directions: &[Direction],
    ) -> Result<Landscape, LandscapeError> {
        self.check(directions.len(), risk.draws())?;
        let (norms, gram) = checked(directions)?;
        let space = space_of(model, directions)?;
        let statistics = Statistics::of(self.policy, model, directions)?;
        let reestimated = statistics.at_center(risk, model)?;
        let (mut landscape, num_batches) =
            self.at_center(risk, reestimated.as_ref().unwrap_or(model))?;
        let epsilon = epsilon(space.dtype()?);
        landscape.rounding = epsilon * landscape.base_loss.abs();
        landscape.directions = records(&space, model, directions, &norms)?;
        landscape.gram = gram;

        let (axes, shape) = (landscape.axes.clone(), landscape.shape());
        let center = landscape.center();
        let mut risks = vec![risk.whole()];
        risks.extend(self.metrics.iter().map(|(_, metric)| metric.whole()));
        let mut gathered = Gathered::new(landscape);
        #[cfg(feature = "files")]
        if let Some(path) = &self.cache {
            gathered.keep_in(
                path,
                &Fingerprinted {
                    model,
                    directions,
                    axes: &axes,
                    policy: self.policy,
                    risks: &self.columns(&risks),
                    base: &center,
                    epsilon,
                },
            )?;
        }

        let order = order(&shape).into_iter();
        let waiting: Vec<usize> = order.filter(|&index| gathered.is_waiting(index)).collect();
        let chunks: Vec<&[usize]> = waiting
            .chunks(self.chunk_size(waiting.len(), num_batches))
            .collect();
        let grid = (axes.as_slice(), shape.as_slice());
        let evaluator = Evaluator::new(risks, center, model, &space, directions, grid, statistics)?;
        each_chunk(evaluator, self.threads, &chunks, |chunk| {
            gathered.keep(&chunk, |progress| risk.report(progress))
        })?;
        Ok(gathered.into_landscape())
    }

    fn check(&self, directions: usize, draws: Draws) -> Result<(), LandscapeError> {
        let axes = self.grids.len();
        if axes == 0 || axes != directions {
            return Err(LandscapeError::Axes { axes, directions });
        }
        if let Some(axis) = self.grids.iter().position(|grid| grid.len() < 2) {
            return Err(LandscapeError::OnePoint { axis });
        }
        let mut lengths = self.grids.iter().map(Grid::len);
        let points = lengths.try_fold(1, usize::checked_mul);
        let (points, max) = (points.unwrap_or(usize::MAX), self.max_points);
        if points > max {
            return Err(LandscapeError::TooManyPoints { points, max });
        }
        if self.threads == 0 {
            return Err(OutOfRange::new("threads", 0.0, "1 or more").into());
        }
        let metrics = self.metrics.iter().map(|(_, metric)| metric.draws());
        let is_drawn = metrics.chain([draws]).any(|draws| draws != Draws::Refused);
        if self.threads > 1 && is_drawn {
            return Err(LandscapeError::DrawsOnThreads);
        }
        Ok(())
    }

    /// The landscape with its values at the model only, and the number of batches of a point.
    fn at_center<K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<(Landscape, usize), LandscapeError> {
        let axes = self.grids.iter().map(|grid| grid.coordinates().to_vec());
        let num_points: usize = self.grids.iter().map(Grid::len).product();
        let found = risk.whole_loss(model)?;
        let mut num_batches = found.num_batches;
        let mut metrics = Vec::with_capacity(self.metrics.len());
        for (name, metric) in &self.metrics {
            let (base, own) = match metric.whole_loss(model) {
                Ok(found) => (found.value, found.num_batches),
                Err(LossError::NonFinite { batch, value }) => {
                    (value, metric.num_batches().unwrap_or(batch + 1))
                }
                Err(error) => return Err(error.into()),
            };
            num_batches += own;
            metrics.push(LandscapeMetric {
                name: name.clone(),
                values: vec![f64::NAN; num_points],
                base,
            });
        }
        let landscape = Landscape {
            axes: axes.collect(),
            losses: vec![f64::NAN; num_points],
            num_losses: 1 + metrics.len(),
            metrics,
            evaluated: vec![false; num_points],
            base_loss: found.value,
            directions: Vec::new(),
            gram: Vec::new(),
            policy: self.policy,
            mode: risk.mode(),
            num_examples: found.num_examples,
            num_batches: found.num_batches,
            rounding: 0.0,
            num_cached: 0,
            completed: false,
        };
        Ok((landscape, num_batches))
    }

    /// How many points are read together.
    fn chunk_size(&self, num_points: usize, num_batches: usize) -> usize {
        let together = READ_TOGETHER / num_batches.max(1);
        // Every thread gets several chunks, so that all end at about the same time.
        let share = match self.threads {
            1 => together,
            threads => num_points.div_ceil(4 * threads),
        };
        together.min(share).max(1)
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

/// What the landscape keeps of its directions.
fn records<M: Module>(
    space: &ParamSpace,
    model: &M,
    directions: &[Direction],
    norms: &[f64],
) -> Result<Vec<DirectionRecord>, SpaceError> {
    let size = ParamVector::from_module(space, model)?.norm()?;
    let record = |(direction, &norm): (&Direction, &f64)| DirectionRecord {
        kind: direction.kind().clone(),
        norm,
        relative_norm: norm / size,
    };
    Ok(directions.iter().zip(norms).map(record).collect())
}
