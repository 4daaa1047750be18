use std::fmt::Display;
use std::io;
use std::ops::Range;

use burn::config::Config;
use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::{Barriers, Curve, PathError, Profile, Profiler, Segment};
use crate::loss::{Progress, Work};
use crate::space::unshared_copy;
use crate::writing;

/// When a training run branches, and with which data orders its branches go on.
#[derive(Config, Debug)]
pub struct InstabilityConfig {
    /// Steps at which the run branches, ascending. 0 branches at initialization.
    pub branch_steps: Vec<usize>,
    /// Steps of the whole run.
    pub total_steps: usize,
    /// Data order of the trunk.
    #[config(default = 0)]
    pub trunk_order: u64,
    /// Data order of the first branch.
    #[config(default = 1)]
    pub first_order: u64,
    /// Data order of the second.
    #[config(default = 2)]
    pub second_order: u64,
}

/// The barrier between two branches of a run, against the step at which they part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Instability {
    /// One entry for each branching step.
    pub points: Vec<InstabilityPoint>,
    /// False if the observer stopped the analysis.
    pub completed: bool,
}

/// Two branches from one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstabilityPoint {
    /// The step at which they part.
    pub step: usize,
    /// The distance of the two ends, in parameter norm.
    pub distance: f64,
    /// The barrier on the training data by each definition.
    pub train: Option<Barriers>,
    /// The barrier on the test data.
    pub test: Option<Barriers>,
    /// The straight line between the ends.
    pub profile: Profile,
}

impl Instability {
    /// The analysis as one JSON object.
    ///
    /// # Errors
    ///
    /// [`PathError::Write`].
    pub fn to_json(&self) -> Result<String, PathError> {
        Ok(writing::json_string(self)?)
    }

    /// Writes the columns `step,distance,above_line,above_worse_end,above_mean`, the barriers on the
    /// training data.
    ///
    /// # Errors
    ///
    /// [`PathError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), PathError> {
        let column = |name: &str, value: fn(&InstabilityPoint) -> f64| {
            let values: Vec<f64> = self.points.iter().map(value).collect();
            (name.to_string(), values)
        };
        let barrier = |name: &str, value: fn(&Barriers) -> f64| {
            let points = self.points.iter();
            let values = points.map(|point| point.train.as_ref().map_or(f64::NAN, value));
            (name.to_string(), values.collect())
        };
        let columns: [(String, Vec<f64>); 5] = [
            column("step", |point| point.step as f64),
            column("distance", |point| point.distance),
            barrier("above_line", |barriers| barriers.above_line),
            barrier("above_worse_end", |barriers| barriers.above_worse_end),
            barrier("above_mean", |barriers| barriers.above_mean),
        ];
        let views = columns
            .iter()
            .map(|(name, values)| (name.clone(), values.as_slice()));
        Ok(writing::csv_of_columns(&views.collect::<Vec<_>>(), writer)?)
    }
}

/// Trains once to each branching step, from there twice with two data orders to the end, and measures
/// the straight line between the two ends: from which step on training is stable to its noise.
///
/// `train` takes a model, whatever else training needs (the optimizer, a scheduler), the steps to run
/// and the data order, and gives both back. The model that it gets shares no running statistics with
/// any other.
///
/// # Cost
///
/// `total + 2 Σ (total − k)` steps of training at most, and a profile for each branching step.
///
/// # Errors
///
/// [`PathError::Training`] with what `train` says; [`PathError::OutOfRange`] for steps that are not
/// ascending, or beyond the end; those of [`Profiler::profile`].
///
/// # References
///
/// Frankle, Dziugaite, Roy, Carbin 2020, *Linear Mode Connectivity and the Lottery Ticket Hypothesis*,
/// arXiv:1912.05671, section 3. Their barrier is `above_mean`.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{ModuleOptimizer, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::optim::{ClosureStep, OptimError};
/// use burnscape::path::{InstabilityConfig, Profiler, instability_analysis};
///
/// let device = Device::default().autodiff();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let data = [1.0, 2.0, 3.0].map(|x| Tensor::<2>::full([4, 2], x, &device));
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let train = |mut model: Linear, mut sgd: ModuleOptimizer, steps: std::ops::Range<usize>, order: u64| {
///     for step in steps {
///         let batch = data[(step + order as usize) % 3].clone();
///         sgd.closure_step(0.01, &mut model, |m: &Linear| loss(m, batch.clone()))?;
///     }
///     Ok::<_, OptimError>((model, sgd))
/// };
/// let config = InstabilityConfig::new(vec![0, 10], 20);
/// let risk = Risk::new(&loss, &data);
/// let profiler = Profiler::new(&risk).with_num_points(5)?;
/// let sgd = SgdConfig::new().init();
/// let found = instability_analysis(&profiler, &model, sgd, &config, train)?;
/// assert_eq!(found.points.len(), 2);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
pub fn instability_analysis<M, S, K, E>(
    profiler: &Profiler<'_, M, K>,
    model: &M,
    state: S,
    config: &InstabilityConfig,
    mut train: impl FnMut(M, S, Range<usize>, u64) -> Result<(M, S), E>,
) -> Result<Instability, PathError>
where
    M: Module,
    S: Clone,
    E: Display,
{
    let mut previous = None;
    for &step in &config.branch_steps {
        let is_next = previous.is_none_or(|previous| step > previous);
        if !is_next || step > config.total_steps {
            return Err(PathError::OutOfRange {
                name: "a branching step",
                value: step as f64,
                expected: "ascending steps, none beyond the end of the run",
            });
        }
        previous = Some(step);
    }
    let mut run = |model: &M, state: &S, steps: Range<usize>, order: u64| {
        let step = steps.start;
        let trained = train(unshared_copy(model), state.clone(), steps, order);
        trained.map_err(|error| PathError::Training {
            step,
            message: error.to_string(),
        })
    };
    let mut found = Instability {
        points: Vec::new(),
        completed: false,
    };
    let _ = profiler.risk().take_break();
    let mut trunk = (unshared_copy(model), state);
    let mut done = 0;
    for &step in &config.branch_steps {
        if step > done {
            trunk = run(&trunk.0, &trunk.1, done..step, config.trunk_order)?;
            done = step;
        }
        let mut branch = |order| run(&trunk.0, &trunk.1, step..config.total_steps, order);
        let (first, _) = branch(config.first_order)?;
        let (second, _) = branch(config.second_order)?;
        let line = Segment::new(&first, &second)?;
        let profile = profiler.profile(&line)?;
        let point = InstabilityPoint {
            step,
            distance: line.length()?,
            train: profile.train.barriers,
            test: profile.test.as_ref().and_then(|test| test.barriers),
            profile,
        };
        // A profile that was stopped has no barriers.
        let is_whole = point.profile.completed;
        let barrier = point.train.as_ref().map(|barriers| barriers.above_line);
        if !point.profile.times.is_empty() {
            found.points.push(point);
        }
        if !is_whole {
            return Ok(found);
        }
        let progress = Progress::new(Work::Branch, found.points.len());
        let progress = progress.of(config.branch_steps.len()).value(barrier);
        if profiler.risk().take_break() || profiler.risk().report(progress).is_break() {
            found.completed = found.points.len() == config.branch_steps.len();
            return Ok(found);
        }
    }
    found.completed = true;
    Ok(found)
}
