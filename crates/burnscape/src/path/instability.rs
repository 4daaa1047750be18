use std::fmt::Display;
use std::io;
use std::ops::Range;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::{Barriers, Curve, CurveProfile, CurveProfileConfig, PathError, PolygonalChain};
use crate::loss::{Progress, Risk, Work};
use crate::range::OutOfRange;
use crate::space::unshared_copy;
use crate::writing::{Csv, FormatError, csv, number};

/// An instability analysis: from which step on do two data orders lead to linearly connected models?
///
/// It trains once to each branching step, continues to the end with two data orders, and measures the straight line
/// between both results.
///
/// # Cost
///
/// `total + 2 Σ (total − k)` steps of training at most, and a profile for each branching step.
///
/// # Defaults
///
/// Data order 0 before a branch, 1 and 2 after it; the profile of [`CurveProfileConfig::new`].
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
/// use burnscape::path::{CurveProfileConfig, InstabilityConfig};
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
/// let risk = Risk::new(&loss, &data);
/// let found = InstabilityConfig::new(vec![0, 10], 20)
///     .with_profile(CurveProfileConfig::new().with_num_points(5))
///     .run(&risk, &model, SgdConfig::new().init(), train)?;
/// assert_eq!(found.profiles.len(), 2);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InstabilityConfig<'a, M> {
    branch_steps: Vec<usize>,
    total_steps: usize,
    orders: [u64; 3],
    profile: CurveProfileConfig<'a, M>,
}

/// The lines between two branches of a run, the result of an [`InstabilityConfig`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Instability {
    /// The branching steps.
    pub steps: Vec<usize>,
    /// The distance between both ends for each step, in parameter norm.
    #[serde(with = "number")]
    pub distances: Vec<f64>,
    /// The straight line between both ends for each step, with its barriers.
    pub profiles: Vec<CurveProfile>,
    /// False if the observer stopped the analysis.
    pub completed: bool,
}

impl<'a, M: Module> InstabilityConfig<'a, M> {
    /// A run of `total_steps` steps that branches at `branch_steps`, which ascend. 0 branches at initialization.
    pub fn new(branch_steps: Vec<usize>, total_steps: usize) -> Self {
        Self {
            branch_steps,
            total_steps,
            orders: [0, 1, 2],
            profile: CurveProfileConfig::new(),
        }
    }

    /// The data orders: before a branch, and after it in the first and the second branch. `[0, 1, 2]` by default.
    ///
    /// Two branches with one order are a control: their barrier is that of the training's own random numbers, and zero
    /// without any. A branch with the order of the trunk continues it.
    #[must_use]
    pub fn with_orders(mut self, orders: [u64; 3]) -> Self {
        self.orders = orders;
        self
    }

    /// The measurement of the line between two branches: its places, policy, test data and metrics.
    #[must_use]
    pub fn with_profile(mut self, profile: CurveProfileConfig<'a, M>) -> Self {
        self.profile = profile;
        self
    }

    /// Trains with `train`, and measures `risk` between the branches.
    ///
    /// `train` takes a model, the state of the training (an optimizer, a scheduler), the steps to run and the data
    /// order, and returns model and state. The model shares no running statistics with any other.
    ///
    /// # Errors
    ///
    /// [`PathError::Training`] with the error of `train`; [`PathError::OutOfRange`] for steps that do not
    /// ascend or are beyond the end; those of [`CurveProfileConfig::run`].
    pub fn run<S, K, E>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        state: S,
        mut train: impl FnMut(M, S, Range<usize>, u64) -> Result<(M, S), E>,
    ) -> Result<Instability, PathError>
    where
        S: Clone,
        E: Display,
    {
        let mut previous = None;
        for &step in &self.branch_steps {
            if previous.is_some_and(|previous| step <= previous) || step > self.total_steps {
                let expected = format!("ascending steps, {} at most", self.total_steps);
                return Err(OutOfRange::new("branch_steps", step as f64, expected).into());
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
        let mut found = Instability::default();
        let _ = risk.take_break();
        let [before, first, second] = self.orders;
        let mut trunk = (unshared_copy(model), state);
        let mut done = 0;
        for &step in &self.branch_steps {
            if step > done {
                trunk = run(&trunk.0, &trunk.1, done..step, before)?;
                done = step;
            }
            let mut branch = |order| run(&trunk.0, &trunk.1, step..self.total_steps, order);
            let (first, _) = branch(first)?;
            let (second, _) = branch(second)?;
            let line = PolygonalChain::line(&first, &second)?;
            let profile = self.profile.run(risk, &line)?;
            let is_whole = profile.completed;
            let barrier = profile.barriers().map(|barriers| barriers.above_line);
            if !profile.times.is_empty() {
                found.steps.push(step);
                found.distances.push(line.length()?);
                found.profiles.push(profile);
            }
            if !is_whole {
                return Ok(found);
            }
            let progress = Progress::new(Work::Branch, found.steps.len());
            let progress = progress.of(self.branch_steps.len()).value(barrier);
            if risk.take_break() || risk.report(progress).is_break() {
                found.completed = found.steps.len() == self.branch_steps.len();
                return Ok(found);
            }
        }
        found.completed = true;
        Ok(found)
    }
}

impl Csv for Instability {
    /// The columns `step,distance,above_line,above_worse_end,above_mean`: the barriers on the training data.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = [
            "step",
            "distance",
            "above_line",
            "above_worse_end",
            "above_mean",
        ];
        let branches = self.steps.iter().zip(&self.distances).zip(&self.profiles);
        let rows = branches.map(|((step, distance), profile)| {
            let barriers = profile.barriers();
            let barrier = |value: fn(Barriers) -> f64| barriers.map_or(f64::NAN, value).to_string();
            [
                step.to_string(),
                distance.to_string(),
                barrier(|barriers| barriers.above_line),
                barrier(|barriers| barriers.above_worse_end),
                barrier(|barriers| barriers.above_mean),
            ]
        });
        Ok(csv(header, rows, writer)?)
    }
}
