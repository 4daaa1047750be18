//! Starts of a search for many elements at once, and the descent from each.

use std::ops::ControlFlow;

use burn::module::Module;
use rand::seq::SliceRandom;

use super::descent::Point;
use super::filter::active;
use super::many_models::HostModels;
use super::soft::plain_groups;
use super::universe::Universe;
use super::{
    AlignError, CoordinateDescentConfig, Matching, MultiAlignment, MultiMatchingConfig, Similarity,
    WeightSimilarity,
};
use crate::OutOfRange;
use crate::loss::{Progress, Work};
use crate::range::ensure;
use crate::space::{mix, stream};
use crate::symmetry::{Element, Symmetries};

/// The rise of the objective in a round, relative to the objective, up to which it counts as rounding.
const ROUNDING: f64 = 1e-12;
/// The stream of the orders of models.
const ORDERS: u64 = u64::MAX;

type Observe<'o> = dyn FnMut(&Progress) -> ControlFlow<()> + 'o;

#[derive(Debug, Clone, Copy)]
enum Start {
    Barycenter,
    Reference(usize),
}

impl Start {
    fn name(self) -> String {
        match self {
            Self::Barycenter => "barycenter".to_string(),
            Self::Reference(model) => format!("reference {model}"),
        }
    }

    /// What distinguishes its random numbers from those of others.
    fn key(self) -> u64 {
        match self {
            Self::Barycenter => u64::MAX,
            Self::Reference(model) => model as u64,
        }
    }
}

/// Where an alignment of one model begins.
enum Origin {
    Identity,
    /// An element, and the part of the objective in which the model does not occur.
    Element(Element, f64),
}

/// A search over all models.
pub(super) struct MultiSearch<'s, M> {
    config: &'s MultiMatchingConfig,
    models: &'s [&'s M],
    host: HostModels,
    is_active: Vec<bool>,
    observe: &'s mut Observe<'s>,
    num_steps: usize,
    num_assignments: usize,
    is_stopped: bool,
}

impl<'s, M: Module> MultiSearch<'s, M> {
    pub(super) fn new(
        config: &'s MultiMatchingConfig,
        symmetries: &Symmetries,
        models: &'s [&'s M],
        observe: &'s mut Observe<'s>,
    ) -> Result<Self, AlignError> {
        if models.len() < 2 {
            return Err(AlignError::FewModels {
                found: models.len(),
            });
        }
        ensure("max_sweeps", config.max_sweeps as f64, 1.0..)?;
        if !config.barycenter && config.references == Some(0) {
            let expected = "1 or more, or the barycenter as a start";
            return Err(OutOfRange::new("references", 0.0, expected).into());
        }
        Ok(Self {
            is_active: active(symmetries, &config.only, &config.except)?,
            host: HostModels::new(symmetries, models)?,
            config,
            models,
            observe,
            num_steps: 0,
            num_assignments: 0,
            is_stopped: false,
        })
    }

    pub(super) fn run(mut self) -> Result<MultiAlignment<M>, AlignError> {
        let num_models = self.models.len();
        let references = self.config.references.unwrap_or(num_models);
        let references = (0..references.min(num_models)).map(Start::Reference);
        let barycenter = self.config.barycenter.then_some(Start::Barycenter);
        let mut starts = Vec::new();
        let mut best: Option<(usize, Vec<Element>, f64)> = None;
        for start in barycenter.into_iter().chain(references) {
            let elements = match start {
                Start::Barycenter => self.barycenter()?,
                Start::Reference(model) => self.reference(model)?,
            };
            let (elements, objective) = self.polished(elements, start)?;
            let is_best = best
                .as_ref()
                .is_none_or(|(_, _, highest)| objective > *highest);
            if is_best {
                best = Some((starts.len(), elements, objective));
            }
            starts.push((start.name(), objective));
            if self.is_stopped {
                break;
            }
        }
        // There is a start, which `new` has checked.
        let (best, elements, objective) = best.unwrap_or_default();
        let first = elements.first().map(Element::inverse);
        let elements = elements.iter().map(|element| match &first {
            Some(first) => first.compose(element),
            None => Ok(element.clone()),
        });
        let elements = elements.collect::<Result<Vec<Element>, _>>()?;
        let models = elements.iter().zip(self.models);
        let models = models.map(|(element, model)| element.apply(*model));
        Ok(MultiAlignment {
            models: models.collect::<Result<_, _>>()?,
            elements,
            objective,
            starts,
            best,
            groups: (0..self.is_active.len())
                .filter(|&group| self.is_active[group])
                .collect(),
            num_assignments: self.num_assignments,
            completed: !self.is_stopped,
        })
    }

    /// The rounded universe of Frank-Wolfe.
    fn barycenter(&mut self) -> Result<Vec<Element>, AlignError> {
        let is_plain = plain_groups(self.host.symmetries());
        let groups = 0..is_plain.len();
        let groups = groups.filter(|&group| is_plain[group] && self.is_active[group]);
        let universe = Universe::new(&self.host, groups.collect());
        let (num_steps, is_stopped) = (&mut self.num_steps, &mut self.is_stopped);
        let observe = &mut *self.observe;
        let found = universe.search(&mut |objective| {
            *num_steps += 1;
            let flow = observe(&Progress::new(Work::Step, *num_steps).value(objective));
            *is_stopped = flow.is_break();
            flow
        })?;
        self.num_assignments += found.num_assignments;
        Ok(found.elements)
    }

    /// All models aligned to one of them.
    fn reference(&mut self, reference: usize) -> Result<Vec<Element>, AlignError> {
        let identity = self.host.symmetries().identity();
        let mut elements = vec![identity; self.models.len()];
        for model in (0..self.models.len()).filter(|&model| model != reference) {
            if self.is_stopped {
                break;
            }
            let similarity = self.host.pair(reference, model);
            let found = self.aligned(similarity, model, Origin::Identity, self.config.seed)?;
            elements[model] = found.element;
        }
        Ok(elements)
    }

    /// Aligns one model after the other to the sum of the others, until a round brings nothing.
    fn polished(
        &mut self,
        mut elements: Vec<Element>,
        start: Start,
    ) -> Result<(Vec<Element>, f64), AlignError> {
        let num_models = self.models.len();
        let seed = mix(self.config.seed, start.key());
        let mut rng = stream(seed, ORDERS);
        let mut order: Vec<usize> = (0..num_models).collect();
        let mut objective = self.host.objective(&elements)?;
        for round in 0..self.config.max_sweeps {
            if self.is_stopped {
                break;
            }
            order.shuffle(&mut rng);
            let before = objective;
            for &model in &order {
                if self.is_stopped {
                    break;
                }
                let similarity = self.host.similarity(&elements, model)?;
                let own = similarity.objective(&elements[model])?;
                let from = Origin::Element(elements[model].clone(), objective - own);
                let seed = mix(seed, (round * num_models + model) as u64);
                let found = self.aligned(similarity, model, from, seed)?;
                objective += found.objective - own;
                elements[model] = found.element;
            }
            if objective - before <= ROUNDING * before.abs() {
                break;
            }
        }
        let objective = self.host.objective(&elements)?;
        Ok((elements, objective))
    }

    /// The best element of one model that coordinate descent finds.
    fn aligned(
        &mut self,
        similarity: WeightSimilarity,
        model: usize,
        from: Origin,
        seed: u64,
    ) -> Result<Point, AlignError> {
        let config = CoordinateDescentConfig {
            seed,
            starts: usize::from(matches!(from, Origin::Identity)),
            max_sweeps: self.config.max_sweeps,
            only: self.config.only.clone(),
            except: self.config.except.clone(),
        };
        let mut matching = Matching::new(&config, Box::new(similarity), self.models[model])?;
        let mut rest = None;
        if let Origin::Element(element, others) = from {
            matching = matching.with_start(element);
            rest = Some(others);
        }
        let observe = &mut *self.observe;
        let before = self.num_steps;
        let num_steps = &mut self.num_steps;
        let matching = matching.with_observer(|progress| {
            *num_steps = before + progress.done;
            let value = rest.and_then(|rest| Some(rest + progress.value?));
            observe(&Progress::new(Work::Step, *num_steps).value(value))
        });
        let (best, record) = matching.search()?;
        self.num_assignments += record.num_assignments;
        self.is_stopped = !record.completed;
        Ok(best)
    }
}
