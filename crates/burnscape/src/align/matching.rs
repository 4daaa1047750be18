use std::ops::ControlFlow;

use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::Outcome;
use rand::seq::SliceRandom;

use super::descent::{Descent, Point, tables};
use super::filter::active;
use super::units::{Unit, units};
use super::{
    AlignError, Alignment, AlignmentRecord, CoordinateDescentConfig, Similarity, StartRecord,
    WeightSimilarity,
};
use crate::loss::{Progress, Work};
use crate::range::ensure;
use crate::space::{mix, stream};
use crate::symmetry::{Element, Symmetries, SymmetryError};

/// Alignment by weights: the element that brings one model as near to another as coordinate descent can.
///
/// It maximizes `Σ ⟨a, g b⟩` over the parameters, which minimizes `|a − g b|`: [`CoordinateDescentConfig`] with
/// [`WeightSimilarity`], where formulas, cost and references are.
///
/// # Reproducibility
///
/// `seed` draws the random starts and the order of sweeps.
///
/// # Defaults
///
/// Those of [`CoordinateDescentConfig`].
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::align::WeightMatchingConfig;
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     first: Linear,
///     second: Linear,
///     third: Linear,
/// }
///
/// let device = Device::default();
/// let model = || Mlp {
///     first: LinearConfig::new(4, 8).init(&device),
///     second: LinearConfig::new(8, 6).init(&device),
///     third: LinearConfig::new(6, 2).init(&device),
/// };
/// let (a, b) = (model(), model());
/// let outputs = |m: &Mlp, x: &Tensor<2>| {
///     let hidden = relu(m.first.forward(x.clone()));
///     m.third.forward(relu(m.second.forward(hidden)))
/// };
/// let x = Tensor::<2>::ones([3, 4], &device);
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, x)?;
///
/// let found = WeightMatchingConfig::new()
///     .with_starts(3)
///     .init(&symmetries, &a, &b)?
///     .with_observer(|progress| {
///         println!("{progress}"); // step 1: 3.14
///         ControlFlow::Continue(())
///     })
///     .run()?;
/// let objectives = &found.record.starts[found.record.best].objectives;
/// assert!(objectives.is_sorted() && objectives.last() == Some(&found.objective));
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct WeightMatchingConfig {
    /// Seed of random starts and orders.
    #[config(default = 0)]
    pub seed: u64,
    /// Starts: the identity, and random elements.
    #[config(default = 1)]
    pub starts: usize,
    /// Sweeps of a start, at most.
    #[config(default = 100)]
    pub max_sweeps: usize,
    /// If not empty, only groups are permuted that have a member below one of these paths. A path is the beginning of a
    /// parameter's path, as in `encoder.layers.0`; `*` stands for any one name.
    #[config(default = "Vec::new()")]
    pub only: Vec<String>,
    /// No group is permuted that has a member below one of these paths.
    #[config(default = "Vec::new()")]
    pub except: Vec<String>,
}

impl WeightMatchingConfig {
    /// The search for an element that moves `b` onto `a`, which can be given starts and an observer.
    ///
    /// # Errors
    ///
    /// Those of [`WeightSimilarity::new`] and [`CoordinateDescentConfig::init`].
    pub fn init<'a, M: Module>(
        &self,
        symmetries: &Symmetries,
        a: &M,
        b: &'a M,
    ) -> Result<Matching<'a, M>, AlignError> {
        let similarity = WeightSimilarity::new(symmetries, a, b)?;
        Matching::new(&self.descent(), Box::new(similarity), b)
    }

    /// The best element that is found, and `b` moved by it. Neither model is changed.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init) and of [`Matching::run`].
    pub fn run<M: Module>(
        &self,
        symmetries: &Symmetries,
        a: &M,
        b: &M,
    ) -> Result<Alignment<M>, AlignError> {
        self.init(symmetries, a, b)?.run()
    }

    fn descent(&self) -> CoordinateDescentConfig {
        CoordinateDescentConfig {
            seed: self.seed,
            starts: self.starts,
            max_sweeps: self.max_sweeps,
            only: self.only.clone(),
            except: self.except.clone(),
        }
    }
}

/// A search for the element that moves a model onto another one, before it runs.
pub struct Matching<'a, M> {
    similarity: Box<dyn Similarity + 'a>,
    model: &'a M,
    config: CoordinateDescentConfig,
    is_active: Vec<bool>,
    rest: Option<Rest<'a>>,
    given: Vec<Element>,
    observer: Observer<'a>,
}

/// Groups that are permuted afterwards, with the others in place.
struct Rest<'a> {
    similarity: Box<dyn Similarity + 'a>,
    is_active: Vec<bool>,
}

type Observer<'a> = Box<dyn FnMut(&Progress) -> ControlFlow<()> + 'a>;

impl<'a, M: Module> Matching<'a, M> {
    pub(super) fn new(
        config: &CoordinateDescentConfig,
        similarity: Box<dyn Similarity + 'a>,
        model: &'a M,
    ) -> Result<Self, AlignError> {
        ensure("max_sweeps", config.max_sweeps as f64, 1.0..)?;
        let is_active = active(similarity.symmetries(), &config.only, &config.except)?;
        Ok(Self {
            similarity,
            model,
            config: config.clone(),
            is_active,
            rest: None,
            given: Vec::new(),
            observer: Box::new(|_| ControlFlow::Continue(())),
        })
    }

    /// Leaves some groups, on which the similarity does not depend, to another similarity, which permutes them once the
    /// others are in place.
    #[must_use]
    pub(super) fn with_rest(
        mut self,
        groups: &[usize],
        similarity: Box<dyn Similarity + 'a>,
    ) -> Self {
        let mut is_active = vec![false; self.is_active.len()];
        for &group in groups {
            is_active[group] = std::mem::replace(&mut self.is_active[group], false);
        }
        self.rest = Some(Rest {
            similarity,
            is_active,
        });
        self
    }

    /// Adds a start, before the identity and the random ones: an element from another similarity, for instance. Groups
    /// that are not active keep the permutations that it has.
    #[must_use]
    pub fn with_start(mut self, element: Element) -> Self {
        self.given.push(element);
        self
    }

    /// Sets an observer, which is called after every step with the number of steps and the objective. A break ends the
    /// search with the best element so far.
    #[must_use]
    pub fn with_observer(mut self, observe: impl FnMut(&Progress) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Box::new(observe);
        self
    }

    /// Runs the search.
    ///
    /// # Errors
    ///
    /// [`AlignError::OutOfRange`] without any start; [`AlignError::Similarity`] for matrices and objectives that
    /// cannot be used; [`AlignError::Symmetry`] for a start of other symmetries, and for a model that has others;
    /// [`AlignError::Space`]; errors of the similarity.
    pub fn run(self) -> Result<Alignment<M>, AlignError> {
        let num_starts = self.given.len().saturating_add(self.config.starts);
        ensure("starts", num_starts as f64, 1.0..)?;
        let similarity = &*self.similarity;
        let mut search = Search {
            descent: Descent::new(similarity),
            units: units(similarity.symmetries(), &self.is_active),
            max_sweeps: self.config.max_sweeps,
            observer: self.observer,
            num_steps: 0,
        };
        let starts = Starts {
            similarity,
            given: self.given,
            seed: self.config.seed,
            is_active: self.is_active,
        };
        let mut best = search.descent.at(starts.element(0)?)?;
        let mut record = AlignmentRecord {
            completed: true,
            ..AlignmentRecord::default()
        };
        for index in 0..num_starts {
            let start = if index == 0 {
                best.clone()
            } else {
                search.descent.at(starts.element(index)?)?
            };
            let (found, run) = search.run(start, mix(self.config.seed, index as u64))?;
            if index == 0 || found.objective > best.objective {
                (best, record.best) = (found, index);
            }
            record.completed = run.outcome != Outcome::Stopped;
            record.starts.push(run);
            let bound = similarity.upper_bound();
            if !record.completed || bound.is_some_and(|bound| best.attains(bound)) {
                break;
            }
        }
        record.num_assignments = search.descent.num_assignments();
        if let Some(Rest {
            similarity,
            is_active,
        }) = self.rest.as_ref().filter(|_| record.completed)
        {
            let mut search = Search {
                descent: Descent::new(&**similarity),
                units: units(similarity.symmetries(), is_active),
                max_sweeps: self.config.max_sweeps,
                observer: search.observer,
                num_steps: search.num_steps,
            };
            let start = search.descent.at(best.element)?;
            let (found, run) = search.run(start, mix(self.config.seed, u64::MAX))?;
            best.element = found.element;
            record.completed = run.outcome != Outcome::Stopped;
            record.rest = Some(run);
            record.num_assignments += search.descent.num_assignments();
        }
        Ok(Alignment {
            model: best.element.apply(self.model)?,
            element: best.element,
            objective: best.objective,
            record,
        })
    }
}

/// Where the search starts.
struct Starts<'s> {
    similarity: &'s dyn Similarity,
    given: Vec<Element>,
    seed: u64,
    is_active: Vec<bool>,
}

impl Starts<'_> {
    /// The elements given, the identity, and random permutations of the active groups.
    fn element(&self, index: usize) -> Result<Element, AlignError> {
        let symmetries = self.similarity.symmetries();
        let Some(index) = index.checked_sub(self.given.len()) else {
            let given = &self.given[index];
            return if given.symmetries == *symmetries {
                Ok(given.clone())
            } else {
                Err(SymmetryError::DifferentSymmetries.into())
            };
        };
        if index == 0 {
            return Ok(symmetries.identity());
        }
        let random = symmetries.random(mix(self.seed, index as u64));
        let mut permutations = tables(self.similarity, &symmetries.identity());
        let active = permutations
            .iter_mut()
            .zip(tables(self.similarity, &random));
        for ((own, random), is_active) in active.zip(&self.is_active) {
            if *is_active {
                *own = random;
            }
        }
        Ok(symmetries.element(permutations)?)
    }
}

/// The stream of random orders: random elements have those of the indices of groups.
const ORDERS: u64 = u64::MAX;

/// Coordinate descent from any number of starts.
struct Search<'s> {
    descent: Descent<'s>,
    units: Vec<Unit>,
    max_sweeps: usize,
    observer: Observer<'s>,
    num_steps: usize,
}

impl Search<'_> {
    /// Sweeps from a start until one brings nothing.
    fn run(&mut self, start: Point, seed: u64) -> Result<(Point, StartRecord), AlignError> {
        let mut record = StartRecord {
            objectives: vec![start.objective],
            num_sweeps: 0,
            outcome: Outcome::LimitReached,
        };
        let mut at = start;
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        let mut rng = stream(seed, ORDERS);
        while record.num_sweeps < self.max_sweeps {
            if record.num_sweeps > 0 {
                order.shuffle(&mut rng);
            }
            let before = at.objective;
            for &unit in &order {
                if let Some(better) = self.descent.step(&self.units[unit], &at)? {
                    record.objectives.push(better.objective);
                    at = better;
                }
                self.num_steps += 1;
                let progress = Progress::new(Work::Step, self.num_steps).value(at.objective);
                if (self.observer)(&progress).is_break() {
                    record.outcome = Outcome::Stopped;
                    return Ok((at, record));
                }
            }
            record.num_sweeps += 1;
            if !at.is_above(before) {
                record.outcome = Outcome::Converged;
                break;
            }
        }
        Ok((at, record))
    }
}
