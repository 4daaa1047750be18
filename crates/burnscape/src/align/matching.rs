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
    /// If not empty, only groups are permuted whose members are all below these paths: see
    /// [`CoordinateDescentConfig::only`].
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
    symmetries: Symmetries,
    model: &'a M,
    config: CoordinateDescentConfig,
    is_active: Vec<bool>,
    given: Vec<Element>,
    observer: Observer<'a>,
    make: Make<'a>,
}

/// What a search maximizes.
pub(super) struct Parts<'a> {
    pub(super) similarity: Box<dyn Similarity + 'a>,
    pub(super) rest: Option<Rest<'a>>,
}

/// Groups on which the similarity does not depend, and the one that permutes them once the others are in place.
pub(super) struct Rest<'a> {
    pub(super) groups: Vec<usize>,
    pub(super) similarity: Box<dyn Similarity + 'a>,
}

/// Makes what is maximized when the search runs, from whether each group is active; data is read then, and reported.
pub(super) type Make<'a> =
    Box<dyn FnOnce(&[bool], Observe<'_>) -> Result<Parts<'a>, AlignError> + 'a>;

pub(super) type Observe<'o> = &'o mut dyn FnMut(&Progress) -> ControlFlow<()>;

pub(super) type Observer<'a> = Box<dyn FnMut(&Progress) -> ControlFlow<()> + 'a>;

impl<'a, M: Module> Matching<'a, M> {
    pub(super) fn new(
        config: &CoordinateDescentConfig,
        similarity: Box<dyn Similarity + 'a>,
        model: &'a M,
    ) -> Result<Self, AlignError> {
        let symmetries = similarity.symmetries().clone();
        let make: Make<'a> = Box::new(move |_, _| {
            Ok(Parts {
                similarity,
                rest: None,
            })
        });
        Self::made(config, &symmetries, make, model)
    }

    /// A search whose similarity is made when it runs.
    pub(super) fn made(
        config: &CoordinateDescentConfig,
        symmetries: &Symmetries,
        make: Make<'a>,
        model: &'a M,
    ) -> Result<Self, AlignError> {
        ensure("max_sweeps", config.max_sweeps as f64, 1.0..)?;
        Ok(Self {
            is_active: active(symmetries, &config.only, &config.except)?,
            symmetries: symmetries.clone(),
            model,
            config: config.clone(),
            given: Vec::new(),
            observer: Box::new(|_| ControlFlow::Continue(())),
            make,
        })
    }

    /// Adds a start, before the identity and the random ones: an element from another similarity, for instance. Groups
    /// that are not active keep the permutations that it has.
    #[must_use]
    pub fn with_start(mut self, element: Element) -> Self {
        self.given.push(element);
        self
    }

    /// Sets an observer, which is called after every step with the number of steps and the objective, as
    /// [`Work::Step`]. A break ends the search with the best element so far.
    ///
    /// A search by activations reads its data first, and reports every batch as [`Work::Product`]: the products of
    /// activations that are summed. There is no element yet, so that a break is an error then.
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
    /// [`AlignError::Space`]; errors of the similarity. A search by activations has those of
    /// [`ActivationSimilarity::new`](super::ActivationSimilarity::new), [`AlignError::NoActivations`] after the first
    /// batch, and [`AlignError::Loss`] with [`LossError::Stopped`](crate::loss::LossError::Stopped) if the observer breaks
    /// while data is read.
    pub fn run(self) -> Result<Alignment<M>, AlignError> {
        let model = self.model;
        let (best, record) = self.search()?;
        Ok(Alignment {
            model: best.element.apply(model)?,
            element: best.element,
            objective: best.objective,
            record,
        })
    }

    /// The best point of all starts, and how it was found.
    pub(super) fn search(self) -> Result<(Point, AlignmentRecord), AlignError> {
        let Self {
            symmetries,
            model: _,
            config,
            mut is_active,
            given,
            mut observer,
            make,
        } = self;
        let num_starts = given.len().saturating_add(config.starts);
        ensure("starts", num_starts as f64, 1.0..)?;
        if given.iter().any(|element| element.symmetries != symmetries) {
            return Err(SymmetryError::DifferentSymmetries.into());
        }
        let observe: Observe<'_> = &mut *observer;
        let Parts { similarity, rest } = make(is_active.as_slice(), observe)?;
        let mut record = AlignmentRecord {
            groups: (0..is_active.len())
                .filter(|&group| is_active[group])
                .collect(),
            completed: true,
            ..AlignmentRecord::default()
        };
        let mut is_rest = vec![false; is_active.len()];
        for &group in rest.iter().flat_map(|rest| &rest.groups) {
            is_rest[group] = std::mem::replace(&mut is_active[group], false);
        }
        let mut search = Search {
            descent: Descent::new(&*similarity),
            units: units(&symmetries, &is_active),
            max_sweeps: config.max_sweeps,
            observer,
            num_steps: 0,
        };
        let starts = Starts {
            similarity: &*similarity,
            given,
            seed: config.seed,
            is_active,
        };
        let mut best = search.descent.at(starts.element(0)?)?;
        for index in 0..num_starts {
            let start = if index == 0 {
                best.clone()
            } else {
                search.descent.at(starts.element(index)?)?
            };
            let (found, run) = search.run(start, mix(config.seed, index as u64))?;
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
        if let Some(rest) = rest.as_ref().filter(|_| record.completed) {
            let mut search = Search {
                descent: Descent::new(&*rest.similarity),
                units: units(&symmetries, &is_rest),
                max_sweeps: config.max_sweeps,
                observer: search.observer,
                num_steps: search.num_steps,
            };
            let start = search.descent.at(best.element)?;
            let (found, run) = search.run(start, mix(config.seed, u64::MAX))?;
            best.element = found.element;
            record.completed = run.outcome != Outcome::Stopped;
            record.rest = Some(run);
            record.num_assignments += search.descent.num_assignments();
        }
        Ok((best, record))
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
            return Ok(self.given[index].clone());
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
