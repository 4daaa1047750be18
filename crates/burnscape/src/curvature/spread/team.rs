//! An operator on several devices: each has some of the batches.

use std::mem::{forget, take};
use std::sync::{Arc, Mutex};

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::curvature::CurvatureError;
use crate::curvature::batch_points::Totals;
use crate::curvature::batch_sum::{BatchSum, locked};
use crate::curvature::kept::{Kept, KeptShard};
use crate::curvature::memory_plan::{MemoryPlan, Spent};
use crate::curvature::site::{Site, number_of_batches};
use crate::curvature::watch::OfWorker;
use crate::curvature::weights::{WeightedSum, Weighting, Weights, added};
use crate::loss::{
    Copies, Cost, Costs, DeviceWork, Devices, Draws, LossError, Observer, Progress, Reduction,
    Reports, Risk, Work,
};
use crate::space::{ParamSpace, moved};

/// The sums of several devices.
pub(in crate::curvature) struct Team<'a> {
    pub(super) devices: Devices,
    /// The place of the device of the model in the list.
    pub(super) main: usize,
    /// The device of the model.
    pub(super) device: Device,
    costs: Arc<Costs>,
    /// Those that have batches, in the order of the list; at least one.
    pub(super) members: Vec<Member<'a>>,
    /// The batches in the order of the whole data.
    pub(super) order: Vec<Spot>,
    pub(super) observer: Observer<'a>,
    totals: Totals,
}

/// The batches of one device.
pub(super) struct Member<'a> {
    /// The place of the device in the list.
    pub(super) device: usize,
    pub(super) sum: BatchSum<'a>,
    /// The place of each batch in the order of the whole data.
    pub(super) places: Vec<usize>,
}

/// Where a batch is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) member: usize,
    pub(super) position: usize,
}

/// How the work of a device ended.
pub(super) enum Turn<T> {
    Done(T),
    /// The device has no batches.
    Idle,
    /// The work of all devices was stopped.
    Stopped,
}

/// The sum of one device, and on the device of the model its gradient, or those of its batches.
struct Made<'a> {
    sum: BatchSum<'a>,
    gradients: Vec<Option<Tensor<1>>>,
}

impl<T> Turn<T> {
    /// A pass that was stopped is no error of its device, which must not hide that of another one.
    pub(super) fn of(found: Result<T, CurvatureError>) -> Result<Self, CurvatureError> {
        match found {
            Ok(found) => Ok(Self::Done(found)),
            Err(CurvatureError::Stopped) => Ok(Self::Stopped),
            Err(error) => Err(error),
        }
    }

    /// What devices have done, in the order of the list.
    pub(super) fn all(turns: Vec<Self>) -> Result<Vec<(usize, T)>, CurvatureError> {
        let mut all = Vec::with_capacity(turns.len());
        for (device, turn) in turns.into_iter().enumerate() {
            match turn {
                Self::Done(found) => all.push((device, found)),
                Self::Idle => {}
                Self::Stopped => return Err(CurvatureError::Stopped),
            }
        }
        Ok(all)
    }
}

/// What the sums of all devices are made of.
struct Workshop<'w, 'a, M> {
    risk: &'w Risk<'a, M>,
    copies: Copies<M>,
    devices: Devices,
    main: usize,
    /// The device of the model.
    device: Device,
    costs: Arc<Costs>,
    /// Whether the batches must be those of the sums that were kept.
    is_known: bool,
}

impl<'a, M: Module> Workshop<'_, 'a, M> {
    /// The sums of all devices, in parts of at most `examples` if it is given.
    fn make<F>(
        &self,
        kept: Vec<Option<KeptShard>>,
        examples: Option<usize>,
        make: &F,
    ) -> Result<Vec<(usize, Made<'a>)>, CurvatureError>
    where
        F: Fn(&Site<'_, 'a, M>, Option<KeptShard>) -> Result<BatchSum<'a>, CurvatureError> + Sync,
    {
        let kept: Vec<_> = kept.into_iter().map(Mutex::new).collect();
        let (observer, total) = (self.risk.observer(), self.risk.num_batches());
        let report = |done: usize| {
            // What did not fit at first is counted again.
            let done = total.map_or(done, |total| done.min(total));
            observer.report(&Progress::new(Work::Linearization, done).of(total))
        };
        let reports = Reports::new(&report);
        // Devices may share a generator of random numbers.
        let in_turn = self.risk.draws() != Draws::Refused;
        let turns = self.devices.each(self.main, in_turn, |worker| {
            let index = worker.index();
            let slot = kept.get(index);
            let kept = slot.and_then(|kept| locked(kept).take());
            let known = kept.as_ref().map_or(0, KeptShard::num_batches);
            // Data that have grown may give a device its first batch.
            let is_idle = self.is_known && slot.is_some() && kept.is_none();
            let risk = self.risk.shard(&self.devices, index, &self.costs);
            let model = self.copies.on(worker)?;
            let reports = &reports;
            let watch = OfWorker { worker, reports };
            let in_order = self.devices.exact_order();
            let site = Site::new(&risk, &model)?.watched(&watch, in_order, examples);
            let made = make(&site, kept).and_then(|sum| self.finish(sum));
            match made {
                Err(CurvatureError::Loss(LossError::EmptyData)) if known == 0 => Ok(Turn::Idle),
                Err(CurvatureError::Loss(LossError::EmptyData)) => Err(number_of_batches(known, 0)),
                Ok(made) if is_idle => Err(number_of_batches(0, made.sum.batches.len())),
                made => Turn::of(made),
            }
        })?;
        Turn::all(turns)
    }

    /// Moves gradients to the device of the model.
    fn finish(&self, mut sum: BatchSum<'a>) -> Result<Made<'a>, CurvatureError> {
        let own = if self.devices.exact_order() {
            sum.take_gradients()
        } else {
            vec![sum.totals.gradient.take()]
        };
        let here = |gradient| moved(gradient, &self.device);
        let gradients = own
            .into_iter()
            .map(|gradient| gradient.map(here).transpose())
            .collect::<Result<_, _>>()?;
        Ok(Made { sum, gradients })
    }
}

impl<'a> Team<'a> {
    pub(super) fn new<M, F>(
        risk: &Risk<'a, M>,
        model: &M,
        space: &ParamSpace,
        (devices, main): (Devices, usize),
        kept: Option<Kept>,
        make: F,
    ) -> Result<Self, CurvatureError>
    where
        M: Module,
        F: Fn(&Site<'_, 'a, M>, Option<KeptShard>) -> Result<BatchSum<'a>, CurvatureError> + Sync,
    {
        let (kept, costs) = match kept {
            Some(kept) => kept.into_team(&devices),
            None => (Vec::new(), None),
        };
        let is_known = costs.is_some();
        let costs = match costs {
            Some(costs) => costs,
            None => costs_of(risk, &devices, model)?,
        };
        let workshop = Workshop {
            risk,
            copies: Copies::of(model, &devices),
            devices,
            main,
            device: space.device().clone(),
            costs,
            is_known,
        };
        let mut made = workshop.make(kept, None, &make)?;
        if let Some(examples) = uneven(&made) {
            drop(made);
            made = workshop.make(Vec::new(), Some(examples), &make)?;
        }
        let Workshop {
            devices,
            device,
            costs,
            ..
        } = workshop;
        let (mut members, mut gradients) = (Vec::new(), Vec::new());
        for (
            place,
            Made {
                sum,
                gradients: own,
            },
        ) in made
        {
            gradients.push(own);
            members.push(Member {
                device: place,
                places: vec![0; sum.batches.len()],
                sum,
            });
        }
        let order = ordered(&mut members)?;
        let weights = weighed(&mut members, &order);
        let gradient = if devices.exact_order() {
            in_order(gradients, &order, &weights)
        } else {
            by_device(gradients, &members, &weights)
        };
        let counts = members.iter().map(|member| member.sum.totals.num_examples);
        let totals = Totals {
            num_examples: counts.sum(),
            loss: weights.loss(),
            gradient,
        };
        Ok(Self {
            devices,
            main,
            device,
            costs,
            members,
            order,
            observer: risk.observer().clone(),
            totals,
        })
    }

    pub(super) fn device_work(&self) -> Vec<DeviceWork> {
        self.devices.work()
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(super) fn observer(&self) -> &Observer<'a> {
        &self.observer
    }

    fn sums(&self) -> impl Iterator<Item = &BatchSum<'a>> {
        self.members.iter().map(|member| &member.sum)
    }

    /// The most vectors of a block in one pass over all devices.
    pub(super) fn block_size(&self) -> usize {
        self.sums().map(|sum| sum.block_size).min().unwrap_or(1)
    }

    pub(super) fn memory_plan(&self) -> MemoryPlan {
        let first = self.members[0].sum.memory_plan();
        let others = self.sums().skip(1).map(BatchSum::memory_plan);
        others.fold(first, Spent::with).plan
    }

    pub(super) fn num_kept(&self) -> usize {
        self.sums().map(BatchSum::num_kept).sum()
    }

    pub(super) fn linear_program(&self) -> burnscape_linearize::Program {
        let first = self.order.first().map_or(0, |spot| spot.member);
        self.members[first].sum.linear_program()
    }

    pub(super) fn rows_and_factors(&self) -> Vec<(usize, f64)> {
        let batches = self.order.iter().map(|spot| {
            let batch = &self.members[spot.member].sum.batches[spot.position];
            (batch.num_rows, batch.factor)
        });
        batches.collect()
    }

    pub(super) fn into_kept(mut self) -> Kept {
        let mut shards = Vec::new();
        shards.resize_with(self.devices.len(), || None);
        for member in self.take_alive() {
            shards[member.device] = Some(member.sum.into_kept());
        }
        Kept::of_team(shards, &self.devices, Arc::clone(&self.costs))
    }

    /// Takes out the members whose devices answer. The others are forgotten: a server that no longer reads takes no
    /// message that a tensor is released, and sending one may wait until the connection ends.
    fn take_alive(&mut self) -> Vec<Member<'a>> {
        let (alive, dead): (Vec<_>, Vec<_>) = take(&mut self.members)
            .into_iter()
            .partition(|member| !self.devices.is_dead(member.device));
        dead.into_iter().for_each(forget);
        alive
    }
}

impl Drop for Team<'_> {
    fn drop(&mut self) {
        drop(self.take_alive());
    }
}

/// How the batches are assigned to devices.
fn costs_of<M: Module>(
    risk: &Risk<'_, M>,
    devices: &Devices,
    model: &M,
) -> Result<Arc<Costs>, CurvatureError> {
    match risk.costs(devices, Cost::Flops, model) {
        // Not every operator traces the loss, and one that does tells why it cannot be traced.
        Err(LossError::Trace(_)) => Ok(risk.costs(devices, Cost::Bytes, model)?),
        costs => Ok(costs?),
    }
}

/// The size of the smallest parts, if not all devices have parts of one size.
fn uneven(made: &[(usize, Made<'_>)]) -> Option<usize> {
    let sizes = || made.iter().map(|(_, made)| made.sum.examples_of_parts());
    let first = sizes().next()?;
    if sizes().all(|size| size == first) {
        None
    } else {
        sizes().flatten().min()
    }
}

/// The batches in the order of the whole data, which members are told. Every index must be there once: each device has
/// read the data itself.
fn ordered(members: &mut [Member<'_>]) -> Result<Vec<Spot>, CurvatureError> {
    let spots = members.iter().enumerate().flat_map(|(member, own)| {
        let batches = own.sum.batches.iter().enumerate();
        batches.map(move |(position, batch)| (batch.index, Spot { member, position }))
    });
    let mut spots: Vec<(usize, Spot)> = spots.collect();
    spots.sort_unstable_by_key(|(index, _)| *index);
    if spots.is_empty() {
        return Err(LossError::EmptyData.into());
    }
    for (place, (index, spot)) in spots.iter().enumerate() {
        if place != *index {
            let batch = place.min(*index);
            return Err(LossError::DataChanged { batch }.into());
        }
        members[spot.member].places[spot.position] = place;
    }
    Ok(spots.into_iter().map(|(_, spot)| spot).collect())
}

/// Weights the batches of all devices together, in the order of the whole data: as one device does, bit for bit.
fn weighed(members: &mut [Member<'_>], order: &[Spot]) -> Weights {
    let weighting = members.first().map(|member| member.sum.weighting);
    let mut weights = Weights::new(weighting.unwrap_or(Weighting::None));
    for spot in order {
        let batch = &members[spot.member].sum.batches[spot.position];
        weights.add(batch.weight, batch.weighed);
    }
    for (spot, factor) in order.iter().zip(weights.factors()) {
        members[spot.member].sum.batches[spot.position].factor = factor;
    }
    weights
}

/// The gradient, added batch by batch as on one device.
fn in_order(
    gradients: Vec<Vec<Option<Tensor<1>>>>,
    order: &[Spot],
    weights: &Weights,
) -> Option<Tensor<1>> {
    // The batches of a device are in order.
    let mut gradients: Vec<_> = gradients.into_iter().map(Vec::into_iter).collect();
    let mut sum = WeightedSum::default();
    for (spot, factor) in order.iter().zip(weights.undivided()) {
        if let Some(Some(gradient)) = gradients[spot.member].next() {
            sum.add(gradient, *factor);
        }
    }
    sum.divide(weights.divisor());
    sum.total()
}

/// The gradient, added device by device: each has the mean or the sum over its batches.
fn by_device(
    gradients: Vec<Vec<Option<Tensor<1>>>>,
    members: &[Member<'_>],
    weights: &Weights,
) -> Option<Tensor<1>> {
    let undivided = weights.undivided();
    let mut sum = None;
    for (gradient, member) in gradients.into_iter().flatten().zip(members) {
        let share = match member.sum.weighting {
            Weighting::Loss(Reduction::Mean) => {
                let own = member.places.iter().map(|&place| undivided[place]);
                own.sum::<f64>() / weights.divisor()
            }
            Weighting::Loss(Reduction::Sum) | Weighting::None => 1.0,
        };
        if let Some(gradient) = gradient {
            sum = Some(added(sum.take(), gradient, share));
        }
    }
    sum
}
