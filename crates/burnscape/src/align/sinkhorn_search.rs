//! Learns soft permutations by the loss at a midpoint.

use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape_krylov::Outcome;
use rand_distr::{Distribution, StandardNormal};

use super::assignment::assignment;
use super::filter::active;
use super::midpoints::Midpoints;
use super::soft::{Matrices, SoftAction, plain_groups};
use super::weights::host_values;
use super::{AlignError, Alignment, AlignmentRecord, SinkhornConfig, StartRecord, sinkhorn};
use crate::loss::scalar::{called, gradients};
use crate::loss::{Lift, LossError, Mode, Progress, Risk, Work, each};
use crate::space::{
    FloatTensor, LeafVector, ParamSpace, as_dtype, copy_for_gradients, stream, to_host,
};
use crate::symmetry::{Element, Symmetries, SymmetryError, host_device};

/// The standard deviation of the noise of scores, as a part of the temperature.
const NOISE: f64 = 0.1;
/// Adam's ε: gradients of scores are small where permutations are nearly hard.
const EPSILON: f32 = 1e-8;

/// The scores of the groups that are learned, in f64 on the host, as the module that the optimizer moves.
#[derive(Module, Debug)]
struct Scores {
    groups: Vec<Param<Tensor<2>>>,
}

/// The element with the smallest loss at the midpoint, and that loss.
struct Best {
    element: Element,
    loss: f64,
}

/// A search with what it has learned.
pub(super) struct SinkhornSearch<'s, M> {
    config: &'s SinkhornConfig,
    symmetries: &'s Symmetries,
    b: &'s M,
    midpoints: Midpoints<M>,
    space: ParamSpace,
    lift: Lift,
    action: SoftAction,
    /// The type in which tensors are multiplied by matrices.
    dtype: DType,
    /// The flat tensors of the second model under the start, but for the groups that are learned; those on which these
    /// act are of the type above.
    others: Vec<Tensor<1>>,
    /// The leaf of each float tensor, if it has one.
    leaves: Vec<Option<usize>>,
    /// The groups that are learned.
    groups: Vec<usize>,
    start: Element,
    scores: Scores,
    optimizer: ModuleOptimizer,
    rate: ModuleLrScheduler,
    num_steps: usize,
    num_assignments: usize,
    best: Option<Best>,
    /// Minus the loss of each element that was the best one.
    objectives: Vec<f64>,
}

impl<'s, M: Module> SinkhornSearch<'s, M> {
    pub(super) fn new(
        config: &'s SinkhornConfig,
        symmetries: &'s Symmetries,
        a: &M,
        b: &'s M,
    ) -> Result<Self, AlignError> {
        let groups = learned(symmetries, config)?;
        let model = copy_for_gradients(a, false);
        let midpoints = Midpoints::new(symmetries, &model, b)?;
        let mut num_assignments = 0;
        let start = match &config.start {
            Some(start) if start.symmetries != *symmetries => {
                return Err(SymmetryError::DifferentSymmetries.into());
            }
            Some(start) => start.clone(),
            None => {
                let found = config.weight_matching().run(symmetries, a, b)?;
                num_assignments = found.record.num_assignments;
                found.element
            }
        };
        let mut is_learned = vec![false; symmetries.groups().len()];
        let mut tables = tables(symmetries, &start);
        for &group in &groups {
            is_learned[group] = true;
            tables[group] = (0..symmetries.groups()[group].size()).collect();
        }
        let rest = symmetries.element(tables)?;
        let action = SoftAction::new(symmetries, &is_learned);
        let is_double = |(index, other): (usize, &Tensor<1>)| {
            action.acts_on(index) && other.dtype() == DType::F64
        };
        let dtype = match midpoints.others().iter().enumerate().any(is_double) {
            true => DType::F64,
            false => DType::F32,
        };
        let others = midpoints.others().iter().cloned().enumerate();
        let others = others.map(|(index, other)| match action.acts_on(index) {
            true => rest.moved(index, as_dtype(other, dtype)),
            false => rest.moved(index, other),
        });
        let space = ParamSpace::of(&model)?;
        Ok(Self {
            others: others.collect(),
            leaves: leaves(&space, midpoints.tensors()),
            scores: Scores::new(symmetries, config, &groups, &start)?,
            lift: Lift::for_gradients(&model),
            optimizer: AdamConfig::new().with_epsilon(EPSILON).init(),
            rate: config.rate.clone(),
            num_steps: 0,
            best: None,
            objectives: Vec::new(),
            config,
            symmetries,
            b,
            midpoints,
            space,
            action,
            dtype,
            groups,
            start,
            num_assignments,
        })
    }

    pub(super) fn run<K>(mut self, risk: &Risk<'_, M, K>) -> Result<Alignment<M>, AlignError> {
        self.midpoints.check_risk(risk)?;
        risk.observer().forget_break();
        let mut completed = self.judge(self.start.clone(), risk)?;
        let is_training = risk.mode() == Mode::Train;
        let mut epoch = 0;
        while completed && epoch < self.config.epochs {
            let before = self.num_steps;
            completed = each(&**risk.source(), |_, batch| {
                let draws = risk.draws();
                let _draws = draws.of_step(self.space.device(), self.num_steps)?;
                let lift = self.lift;
                let loss = self.step(is_training, &|model| {
                    batch.loss(model, lift, risk.reduction())
                })?;
                let progress = Progress::new(Work::Step, self.num_steps).value(loss);
                Ok::<ControlFlow<()>, AlignError>(risk.report(progress))
            })?;
            if completed {
                if self.num_steps == before {
                    return Err(LossError::EmptyData.into());
                }
                epoch += 1;
                let element = self.hardened()?;
                completed = self.judge(element, risk)?;
            }
        }
        let Some(Best { element, loss }) = self.best else {
            return Err(LossError::EmptyData.into());
        };
        let outcome = if completed {
            Outcome::LimitReached
        } else {
            Outcome::Stopped
        };
        Ok(Alignment {
            model: element.apply(self.b)?,
            element,
            objective: -loss,
            record: AlignmentRecord {
                groups: self.groups,
                starts: vec![StartRecord {
                    objectives: self.objectives,
                    num_sweeps: epoch,
                    outcome,
                }],
                num_assignments: self.num_assignments,
                completed,
                ..AlignmentRecord::default()
            },
        })
    }

    /// One step of the scores on a batch: the loss at the midpoint.
    fn step(
        &mut self,
        is_training: bool,
        loss: &dyn Fn(&M) -> Tensor<1>,
    ) -> Result<f64, AlignError> {
        let rate = self.rate.step();
        self.num_steps += 1;
        let plans = self.plans()?;
        let matrices = self.matrices(&plans)?;
        let model = self.midpoints.of(|index| {
            let other = self.others[index].clone();
            if self.action.acts_on(index) {
                let own = self.midpoints.tensors()[index].values.dtype();
                as_dtype(self.action.moved(index, other, &matrices), own)
            } else {
                other
            }
        });
        let model = copy_for_gradients(&model, is_training);
        let value = called(|| loss(&model))?;
        let gradient = LeafVector::from_gradients(&self.space, &gradients(&value, &model)?)?;
        let value = to_host(value.inner())?;
        let value = value.first().copied().unwrap_or(f64::NAN);
        let pulled = self.pulled_back(&gradient, &matrices)?;
        if !value.is_finite() || !pulled.iter().flatten().all(|entry| entry.is_finite()) {
            return Err(AlignError::Diverged {
                what: "the loss at the midpoint, or its gradient,".to_string(),
                step: self.num_steps,
                value,
            });
        }
        let device = host_device()?;
        let terms = plans.into_iter().zip(pulled).map(|(plan, pulled)| {
            let data = TensorData::new(pulled, plan.dims());
            let pulled = Tensor::<2>::from_data(data, (&device, DType::F64));
            (plan * pulled.autodiff()).sum()
        });
        let Some(product) = terms.reduce(|sum, term| sum + term) else {
            return Ok(value);
        };
        let found = gradients(&product, &self.scores)?;
        self.scores = self.optimizer.step(rate, self.scores.clone(), found);
        Ok(value)
    }

    /// The soft permutations of the groups that are learned, on autodiff.
    fn plans(&self) -> Result<Vec<Tensor<2>>, AlignError> {
        let SinkhornConfig {
            temperature,
            iterations,
            ..
        } = *self.config;
        let scores = self.scores.groups.iter();
        scores
            .map(|scores| sinkhorn(scores.val(), temperature, iterations))
            .collect()
    }

    /// The entries of a soft permutation.
    fn entries(&self, plan: &Tensor<2>) -> Result<Vec<f64>, AlignError> {
        let [rows, columns] = plan.dims();
        let entries = host_values(plan.clone().inner().reshape([rows * columns]))?;
        match entries.iter().find(|entry| !entry.is_finite()) {
            Some(&value) => Err(AlignError::Diverged {
                what: "a soft permutation".to_string(),
                step: self.num_steps,
                value,
            }),
            None => Ok(entries),
        }
    }

    /// The same for all groups, where the tensors are.
    fn matrices(&self, plans: &[Tensor<2>]) -> Result<Vec<Option<Tensor<2>>>, AlignError> {
        let mut matrices = vec![None; self.symmetries.groups().len()];
        for (&group, plan) in self.groups.iter().zip(plans) {
            let data = TensorData::new(self.entries(plan)?, plan.dims());
            matrices[group] = Some(Tensor::from_data(data, (self.space.device(), self.dtype)));
        }
        Ok(matrices)
    }

    /// The derivatives of the loss by the entries of the matrices that are learned.
    fn pulled_back(
        &self,
        gradient: &LeafVector,
        matrices: &Matrices,
    ) -> Result<Vec<Vec<f64>>, AlignError> {
        let groups = self.symmetries.groups();
        let mut sums: Vec<Vec<f64>> = groups.iter().map(|_| Vec::new()).collect();
        for &group in &self.groups {
            sums[group] = vec![0.0; groups[group].size() * groups[group].size()];
        }
        for (index, leaf) in self.leaves.iter().enumerate() {
            let Some(outer) = leaf.and_then(|leaf| gradient.leaves()[leaf].clone()) else {
                continue;
            };
            if !self.action.acts_on(index) {
                continue;
            }
            let outer = as_dtype(outer, self.dtype);
            let parts = self
                .action
                .derivatives(index, &self.others[index], matrices, &outer);
            for (group, part) in parts {
                let part = host_values(part.reshape([sums[group].len()]))?;
                for (sum, part) in sums[group].iter_mut().zip(part) {
                    // Half of the second model is in the midpoint.
                    *sum += 0.5 * part;
                }
            }
        }
        let learned = self.groups.iter();
        Ok(learned
            .map(|&group| std::mem::take(&mut sums[group]))
            .collect())
    }

    /// The element whose permutations are nearest to the soft ones.
    fn hardened(&mut self) -> Result<Element, AlignError> {
        let mut tables = tables(self.symmetries, &self.start);
        for (&group, plan) in self.groups.iter().zip(self.plans()?) {
            let size = self.symmetries.groups()[group].size();
            tables[group] = assignment(&self.entries(&plan)?, size)?;
        }
        self.num_assignments += self.groups.len();
        Ok(self.symmetries.element(tables)?)
    }

    /// Evaluates the midpoint of an element, unless that is the best one already. False if the observer stopped it.
    fn judge<K>(&mut self, element: Element, risk: &Risk<'_, M, K>) -> Result<bool, AlignError> {
        let known = self.best.as_ref();
        if known.is_some_and(|best| best.element == element) {
            return Ok(true);
        }
        let found = risk.loss(&self.midpoints.at(&element))?;
        // The loss of a part of the data can be compared with nothing, but is better than no result.
        let is_better = match known {
            Some(best) => found.completed && found.value < best.loss,
            None => true,
        };
        if is_better {
            self.objectives.push(-found.value);
            self.best = Some(Best {
                element,
                loss: found.value,
            });
        }
        Ok(found.completed && !risk.take_break())
    }
}

impl Scores {
    /// Those whose soft permutations are near the mean of the start and the barycenter.
    fn new(
        symmetries: &Symmetries,
        config: &SinkhornConfig,
        groups: &[usize],
        start: &Element,
    ) -> Result<Self, AlignError> {
        let device: Device = host_device()?.autodiff();
        let scores = groups.iter().map(|&group| {
            let size = symmetries.groups()[group].size();
            let rng = stream(config.seed, group as u64);
            let noise = StandardNormal.sample_iter(rng).take(size * size);
            let mut scores: Vec<f64> = noise
                .map(|noise: f64| NOISE * config.temperature * noise)
                .collect();
            let share = config.start_share;
            let own = config.temperature * (share * size as f64 / (1.0 - share)).ln_1p();
            let table = start.permutation(group).unwrap_or_default();
            for (row, column) in table.iter().enumerate() {
                scores[row * size + column] += own;
            }
            let data = TensorData::new(scores, [size, size]);
            Param::from_tensor(Tensor::<2>::from_data(data, (&device, DType::F64)))
        });
        Ok(Self {
            groups: scores.collect(),
        })
    }
}

/// The active groups that are neither within others nor have others within them.
fn learned(symmetries: &Symmetries, config: &SinkhornConfig) -> Result<Vec<usize>, AlignError> {
    let is_active = active(symmetries, &config.only, &config.except)?;
    let is_plain = plain_groups(symmetries);
    let groups = 0..is_active.len();
    let learned: Vec<usize> = groups
        .filter(|&group| is_active[group] && is_plain[group])
        .collect();
    if !learned.is_empty() {
        return Ok(learned);
    }
    let num_active = is_active.iter().filter(|is_active| **is_active).count();
    let reason = if is_active.is_empty() {
        "the symmetries have none, and `Symmetries::fixed` tells why; align other models"
            .to_string()
    } else if num_active == 0 {
        format!(
            "`except` leaves none of {} groups; leave fewer out",
            is_active.len()
        )
    } else {
        format!(
            "each of the {num_active} groups to be permuted lies within another one or has one within it, as heads and their \
             channels do; use `StraightThroughConfig`, which permutes all groups"
        )
    };
    Err(AlignError::NothingToLearn { reason })
}

/// The permutations of all groups.
fn tables(symmetries: &Symmetries, element: &Element) -> Vec<Vec<usize>> {
    let groups = 0..symmetries.groups().len();
    groups
        .map(|group| element.permutation(group).unwrap_or_default().to_vec())
        .collect()
}

/// The leaf of each float tensor among the parameters that have gradients.
fn leaves(space: &ParamSpace, tensors: &[FloatTensor]) -> Vec<Option<usize>> {
    let leaf_of = |tensor: &FloatTensor| {
        let mut leaves = space.leaves().iter();
        leaves.position(|leaf| tensor.paths.iter().any(|path| path == leaf.path()))
    };
    tensors.iter().map(leaf_of).collect()
}
