use std::fmt::Display;
use std::ops::Range;

use burn::module::Module;

use super::initial::InitialModels;
use super::{TicketLevel, TicketScores, TicketSearch, TicketSearchConfig, WeightMask};
use crate::loss::{LossError, Progress, Risk, Work};
use crate::optim::OptimError;
use crate::space::mix;

impl TicketSearchConfig {
    /// Searches, and scores every network by the value of `risk`.
    ///
    /// - `initial` makes a model from a seed; models of different seeds must differ. The controls from another
    ///   initialization get seeds that are derived from those of the configuration.
    /// - `train` takes a model, the mask that it has to keep, the steps to run and a seed for the order of the data. It
    ///   starts with a new optimizer, for instance a [`MaskedOptimizer`](super::MaskedOptimizer) with the mask, runs
    ///   these steps of the schedule and of the data, and returns the model. All networks of a search get the same
    ///   seed: with the same seed and step, `train` must see the same batch.
    ///
    /// The observer of the risk sees [`Work::Training`](crate::loss::Work::Training) after every network that was
    /// trained and scored. If it breaks, the result has the levels that were finished.
    ///
    /// # Errors
    ///
    /// [`OptimError::OutOfRange`], also for more levels than there are weights to prune;
    /// [`OptimError::NothingToPrune`]; [`OptimError::SameInitialization`]; [`OptimError::Training`] with the error of
    /// `train`; [`OptimError::Revived`] if it returned pruned weights that are not zero;
    /// [`OptimError::NonFiniteWeight`] if those of a ticket are NaN or infinite; [`OptimError::OtherMask`] for models
    /// of another architecture; [`OptimError::Loss`] and [`OptimError::Space`].
    pub fn run<M: Module, K, E: Display>(
        &self,
        risk: &Risk<'_, M, K>,
        initial: impl FnMut(u64) -> M,
        train: impl FnMut(M, &WeightMask, Range<usize>, u64) -> Result<M, E>,
    ) -> Result<TicketSearch<M>, OptimError> {
        self.check()?;
        let _ = risk.take_break();
        let mut runs = Runs {
            config: self,
            risk,
            train,
            num_runs: 0,
            num_scores: 0,
            is_stopped: false,
        };
        let mut found = TicketSearch {
            levels: Vec::new(),
            rewound: Vec::new(),
            num_runs: 0,
            config: self.clone(),
            completed: false,
        };
        let mut initial = InitialModels::new(risk, initial);
        let mut searches = Vec::new();
        let mut schedule = Vec::new();
        for &seed in &self.seeds {
            let (model, mask) = initial.of(seed)?;
            if schedule.is_empty() {
                schedule = self.schedule(mask.num_weights())?;
            }
            let mut reinitialized = None;
            if self.reinitialized {
                let (other, _) = initial.of(mix(seed, 0))?;
                reinitialized = Some(runs.rewound(&other, &mask, seed)?);
            }
            let rewound = runs.rewound(&model, &mask, seed)?;
            searches.push(Search {
                seed,
                mask,
                initial: model,
                rewound,
                reinitialized,
            });
        }
        for level in 0..schedule.len() {
            match runs.level(level, &schedule, &mut searches) {
                Ok(finished) => found.levels.push(finished),
                Err(End::Stopped) => break,
                Err(End::Failed(error)) => return Err(error),
            }
        }
        found.completed = found.levels.len() == schedule.len();
        found.num_runs = runs.num_runs;
        found.rewound = searches.into_iter().map(|search| search.rewound).collect();
        Ok(found)
    }
}

/// The search of one seed.
struct Search<M> {
    seed: u64,
    /// The mask of the level.
    mask: WeightMask,
    initial: M,
    rewound: M,
    /// Another initialization at the same step.
    reinitialized: Option<M>,
}

/// Why a level has no result.
enum End {
    Stopped,
    Failed(OptimError),
}

impl From<OptimError> for End {
    fn from(error: OptimError) -> Self {
        Self::Failed(error)
    }
}

/// The training runs.
struct Runs<'r, 'a, M, K, F> {
    config: &'r TicketSearchConfig,
    risk: &'r Risk<'a, M, K>,
    train: F,
    num_runs: usize,
    num_scores: usize,
    is_stopped: bool,
}

impl<M, K, F, E> Runs<'_, '_, M, K, F>
where
    M: Module,
    F: FnMut(M, &WeightMask, Range<usize>, u64) -> Result<M, E>,
    E: Display,
{
    /// The model at the step to which weights are rewound.
    fn rewound(&mut self, start: &M, mask: &WeightMask, seed: u64) -> Result<M, OptimError> {
        if self.config.rewind == 0 {
            return mask.apply_to(start);
        }
        let (model, _) = self.trained(start, mask, 0..self.config.rewind, seed)?;
        Ok(model)
    }

    /// All networks of one level. Masks move on to the next.
    fn level(
        &mut self,
        level: usize,
        schedule: &[usize],
        searches: &mut [Search<M>],
    ) -> Result<TicketLevel, End> {
        let TicketSearchConfig {
            num_steps, rewind, ..
        } = *self.config;
        let is_pruned = level > 0;
        let mut masks = Vec::new();
        let [
            mut ticket,
            mut reinitialized,
            mut random_mask,
            mut from_initialization,
        ] = <[Vec<f64>; 4]>::default();
        for search in searches {
            let (seed, mask) = (search.seed, search.mask.clone());
            let steps = || rewind..num_steps;
            let (score, weights) = self.scored(&search.rewound, &mask, steps(), seed)?;
            ticket.push(score);
            if let Some(start) = search.reinitialized.as_ref().filter(|_| is_pruned) {
                reinitialized.push(self.scored(start, &mask, steps(), seed)?.0);
            }
            if self.config.random_mask && is_pruned {
                let random = mask.shuffled(mix(seed, level as u64));
                random_mask.push(self.scored(&search.rewound, &random, steps(), seed)?.0);
            }
            if self.config.from_initialization && is_pruned && rewind > 0 {
                let scored = self.scored(&search.initial, &mask, 0..num_steps, seed)?;
                from_initialization.push(scored.0);
            }
            if let Some(&next) = schedule.get(level + 1) {
                search.mask = mask.without(&weights, schedule[level] - next)?;
            }
            masks.push(mask);
        }
        let (num_kept, num_weights) = (schedule[level], schedule[0]);
        Ok(TicketLevel {
            num_kept,
            kept_share: num_kept as f64 / num_weights as f64,
            masks,
            ticket: TicketScores::of(ticket).ok_or(End::Stopped)?,
            reinitialized: TicketScores::of(reinitialized),
            random_mask: TicketScores::of(random_mask),
            from_initialization: TicketScores::of(from_initialization),
        })
    }

    /// The score and the weights after training.
    fn scored(
        &mut self,
        start: &M,
        mask: &WeightMask,
        steps: Range<usize>,
        seed: u64,
    ) -> Result<(f64, Vec<Vec<f64>>), End> {
        if self.is_stopped {
            return Err(End::Stopped);
        }
        let (model, weights) = self.trained(start, mask, steps, seed)?;
        let score = match self.risk.whole_loss(&model) {
            Ok(found) => found.value,
            // A network that diverged has no score; the others do.
            Err(LossError::NonFinite { value, .. }) => value,
            Err(LossError::Stopped { .. }) => return Err(End::Stopped),
            Err(error) => return Err(OptimError::from(error).into()),
        };
        self.num_scores += 1;
        let config = self.config;
        let networks = 1 + config.levels * (1 + config.num_controls());
        let progress = Progress::new(Work::Training, self.num_scores);
        let progress = progress.of(config.seeds.len() * networks).value(score);
        self.is_stopped = self.risk.take_break() || self.risk.report(progress).is_break();
        Ok((score, weights))
    }

    /// The model and its weights after training.
    fn trained(
        &mut self,
        start: &M,
        mask: &WeightMask,
        steps: Range<usize>,
        seed: u64,
    ) -> Result<(M, Vec<Vec<f64>>), OptimError> {
        let step = steps.start;
        let model = (self.train)(mask.apply_to(start)?, mask, steps, seed);
        let model = model.map_err(|error| OptimError::Training {
            step,
            num_kept: mask.num_kept(),
            seed,
            message: error.to_string(),
        })?;
        self.num_runs += 1;
        let weights = mask.weights(&model)?;
        mask.check_held(&weights)?;
        Ok((model, weights))
    }
}
