//! Passes over the data on several devices.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::Tensor;

use super::gradient_sum::{GradientSum, OrderedSum};
use super::{Draws, Progress, Risk, RiskBatch, Work, each_begun};
use crate::loss::pass::Pass;
use crate::loss::tally::{Tally, check_finite, read_loss};
use crate::loss::{Copies, Costs, Devices, LossError, Worker};
use crate::space::{LeafVector, ParamSpace, on_device};

/// A batch that a device has evaluated.
pub(super) struct BatchLoss {
    /// The index in the whole data.
    pub(super) index: usize,
    pub(super) examples: usize,
    pub(super) weight: f64,
    pub(super) value: f64,
}

/// What all devices have evaluated.
pub(super) struct Found<T> {
    /// In the order of the data.
    pub(super) losses: Vec<BatchLoss>,
    /// False if the observer broke.
    pub(super) is_complete: bool,
    /// What each device has found besides, in the order of the list.
    pub(super) others: Vec<T>,
}

/// What one device has evaluated.
struct Share<T> {
    losses: Vec<BatchLoss>,
    is_complete: bool,
    other: T,
}

/// The evaluation of batches on one device.
struct Site<'a, M> {
    /// The risk over the batches of the device.
    risk: Risk<'a, M>,
    /// The model there.
    model: M,
    pass: Pass<M>,
}

impl<M: Module> Site<'_, M> {
    /// Only the first batch of the data is evaluated twice, to notice draws.
    fn begin(&self, index: usize) {
        if index > 0 {
            self.risk.is_probed.store(true, Ordering::Relaxed);
        }
    }

    fn loss(&mut self, index: usize, batch: &dyn RiskBatch<M>) -> Result<Tensor<1>, LossError> {
        self.risk
            .batch_loss(&mut self.pass, &self.model, index, batch)
    }

    /// The loss of a batch and its gradient.
    fn gradient(
        &self,
        space: &ParamSpace,
        index: usize,
        batch: &dyn RiskBatch<M>,
    ) -> Result<(Tensor<1>, LeafVector), LossError> {
        self.risk.batch_gradient(&self.pass, space, index, batch)
    }
}

/// What is reported of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Its loss.
    Loss,
    /// Nothing.
    Nothing,
}

/// A pass on several devices.
pub(super) struct Spread<'s, M> {
    risk: Risk<'s, M>,
    devices: &'s Devices,
    main: usize,
    work: Work,
    told: Told,
}

impl<'s, M: Module> Spread<'s, M> {
    pub(super) fn new<K>(
        risk: &Risk<'s, M, K>,
        (devices, main): (&'s Devices, usize),
        (work, told): (Work, Told),
    ) -> Self {
        Self {
            risk: risk.whole(),
            devices,
            main,
            work,
            told,
        }
    }

    /// The losses of all batches. Those that are not finite are an error if they are told.
    pub(super) fn losses(&self, model: &M) -> Result<Found<()>, LossError> {
        self.run(
            model,
            |_| Ok(()),
            |site, _, at| {
                let value = read_loss(site.loss(at.index, at.batch)?)?;
                if self.told == Told::Loss {
                    check_finite(at.index, value)?;
                }
                Ok(value)
            },
            Ok,
        )
    }

    /// The losses of all batches, and the sum of their gradients in the space of the model.
    pub(super) fn gradients(
        &self,
        model: &M,
        space: &ParamSpace,
    ) -> Result<(Found<()>, GradientSum), LossError> {
        if self.devices.exact_order() {
            self.in_batch_order(model, space)
        } else {
            self.in_list_order(model, space)
        }
    }

    fn in_list_order(
        &self,
        model: &M,
        space: &ParamSpace,
    ) -> Result<(Found<()>, GradientSum), LossError> {
        let reduction = self.risk.reduction;
        let Found {
            losses,
            is_complete,
            others,
        } = self.run(
            model,
            |site| {
                let own = site.risk.space(&site.model)?;
                Ok((GradientSum::new(reduction, &own), own))
            },
            |site, (sum, own), at| {
                let (loss, gradient) = site.gradient(own, at.index, at.batch)?;
                let value = read_loss(loss)?;
                check_finite(at.index, value)?;
                sum.add(&gradient, at.weight)?;
                Ok(value)
            },
            |(sum, _)| Ok(sum.on(space)?),
        )?;
        let mut sum = GradientSum::new(reduction, space);
        for other in &others {
            sum.join(other)?;
        }
        let found = Found {
            losses,
            is_complete,
            others: Vec::new(),
        };
        Ok((found, sum))
    }

    fn in_batch_order(
        &self,
        model: &M,
        space: &ParamSpace,
    ) -> Result<(Found<()>, GradientSum), LossError> {
        let sum = OrderedSum::new(GradientSum::new(self.risk.reduction, space));
        let sum = Mutex::new(sum);
        let found = self.run(
            model,
            |site| site.risk.space(&site.model),
            |site, own, at| {
                let (loss, gradient) = site.gradient(own, at.index, at.batch)?;
                let value = read_loss(loss)?;
                check_finite(at.index, value)?;
                let gradient = gradient.on(space)?;
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                on_device(space.device(), || sum.add(at.index, gradient, at.weight))?;
                Ok(value)
            },
            |_| Ok(()),
        )?;
        let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((found, sum.finish()?))
    }

    /// Evaluates every batch on its device. A worker adds to what `start` makes, and `end` makes its result of it.
    fn run<S, T: Send>(
        &self,
        model: &M,
        start: impl Fn(&Site<'_, M>) -> Result<S, LossError> + Sync,
        evaluate: impl Fn(&mut Site<'_, M>, &mut S, At<'_, M>) -> Result<f64, LossError> + Sync,
        end: impl Fn(S) -> Result<T, LossError> + Sync,
    ) -> Result<Found<T>, LossError> {
        let costs = Costs::bytes(self.devices);
        let copies = Copies::of(model, self.devices);
        let reports = Reported {
            spread: self,
            total: self.risk.num_batches(),
            count: Mutex::default(),
        };
        // Devices may share a generator of random numbers.
        let in_turn = self.risk.draws != Draws::Refused;
        let shares = self.devices.each(self.main, in_turn, |worker| {
            let mut site = self.site(worker, &costs, &copies)?;
            let mut state = start(&site)?;
            let source = Arc::clone(site.risk.source());
            let mut losses = Vec::new();
            let begin = |index| Ok(worker.begin(index));
            let is_complete = each_begun(&*source, begin, |index, batch| {
                let (examples, weight) = batch.examples_and_weight(index)?;
                site.begin(index);
                let at = At {
                    index,
                    weight,
                    batch,
                };
                let value = evaluate(&mut site, &mut state, at)?;
                losses.push(BatchLoss {
                    index,
                    examples,
                    weight,
                    value,
                });
                let flow = reports.done(value);
                if flow.is_break() {
                    worker.stop();
                }
                Ok::<_, LossError>(flow)
            })?;
            Ok::<_, LossError>(Share {
                losses,
                is_complete,
                other: end(state)?,
            })
        })?;
        Found::of(shares)
    }

    fn site(
        &self,
        worker: &Worker<'_>,
        costs: &Arc<Costs>,
        copies: &Copies<M>,
    ) -> Result<Site<'s, M>, LossError> {
        let risk = self.risk.shard(self.devices, worker.index(), costs);
        let model = copies.on(worker)?;
        let pass = Pass::of(&risk, &model, self.work == Work::Gradient)?;
        Ok(Site { risk, model, pass })
    }
}

/// A batch, with its index in the whole data.
struct At<'b, M> {
    index: usize,
    weight: f64,
    batch: &'b dyn RiskBatch<M>,
}

impl<T> Found<T> {
    fn of(shares: Vec<Share<T>>) -> Result<Self, LossError> {
        let mut found = Self {
            losses: Vec::new(),
            is_complete: true,
            others: Vec::new(),
        };
        for share in shares {
            found.losses.extend(share.losses);
            found.is_complete &= share.is_complete;
            found.others.push(share.other);
        }
        if found.losses.is_empty() {
            return Err(LossError::EmptyData);
        }
        found.losses.sort_by_key(|loss| loss.index);
        let mut places = found.losses.iter().enumerate();
        let missing = places.position(|(place, loss)| loss.index != place);
        match missing.filter(|_| found.is_complete) {
            // The devices have not read the same data.
            Some(batch) => Err(LossError::DataChanged { batch }),
            None => Ok(found),
        }
    }

    /// The sums of the losses, in the order of the data.
    pub(super) fn tally<M, K>(&self, risk: &Risk<'_, M, K>) -> Tally {
        self.note_probe(risk);
        let mut tally = Tally::new(risk.reduction);
        for loss in &self.losses {
            tally.add(loss.examples, loss.weight, loss.value);
        }
        tally
    }

    /// Notes that the first batch of the data has been evaluated twice.
    pub(super) fn note_probe<M, K>(&self, risk: &Risk<'_, M, K>) {
        let has_first = self.losses.first().is_some_and(|loss| loss.index == 0);
        if has_first && risk.draws == Draws::Refused {
            risk.is_probed.store(true, Ordering::Relaxed);
        }
    }
}

/// The reports of batches, one at a time. None follows a break.
struct Reported<'r, 's, M> {
    spread: &'r Spread<'s, M>,
    total: Option<usize>,
    count: Mutex<(usize, bool)>,
}

impl<M: Module> Reported<'_, '_, M> {
    fn done(&self, value: f64) -> ControlFlow<()> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, has_broken) = &mut *count;
        if *has_broken {
            return ControlFlow::Break(());
        }
        *done += 1;
        let value = (self.spread.told == Told::Loss).then_some(value);
        let progress = Progress::new(self.spread.work, *done).of(self.total);
        let flow = self.spread.risk.report(progress.value(value));
        *has_broken = flow.is_break();
        flow
    }
}
