//! Products on several devices.

use std::ops::{ControlFlow, Range};

use burn::tensor::{Device, Tensor};

use super::tangents::{Share, Tangents, columns, part, starts_of};
use super::team::{Member, Spot, Team, Turn};
use crate::curvature::CurvatureError;
use crate::curvature::batch_sum::joined;
use crate::curvature::watch::{OfWorker, Watch};
use crate::curvature::weights::added;
use crate::loss::{LossError, Progress, Reports, Work, Worker};
use crate::space::{SpaceError, moved};

/// A member at work.
struct Turned<'w, 'v, 'a> {
    /// The place among the members.
    index: usize,
    member: &'w Member<'a>,
    worker: &'w Worker<'v>,
    watch: &'w dyn Watch,
}

/// The products of one device: their sum, or all of them for an exact order.
struct Found<const D: usize> {
    is_exact: bool,
    sum: Option<Tensor<D>>,
    products: Vec<Tensor<D>>,
}

impl<const D: usize> Found<D> {
    fn add(&mut self, part: Tensor<D>, factor: f64, here: &Device) -> Result<(), SpaceError> {
        if self.is_exact {
            self.products.push(moved(part, here)?);
        } else {
            self.sum = Some(added(self.sum.take(), part, factor));
        }
        Ok(())
    }

    /// What is added on the device of the model.
    fn finish(mut self, here: &Device) -> Result<Vec<Tensor<D>>, SpaceError> {
        if let Some(sum) = self.sum {
            self.products.push(moved(sum, here)?);
        }
        Ok(self.products)
    }
}

impl<'a> Team<'a> {
    /// Runs `work` for all members at once, and returns the results in their order.
    fn each<T: Send>(
        &self,
        work: impl Fn(usize, &Member<'a>, &Worker<'_>) -> Result<T, CurvatureError> + Sync,
    ) -> Result<Vec<T>, CurvatureError> {
        let turns = self.devices.each(self.main, false, |worker| {
            let mut members = self.members.iter().enumerate();
            match members.find(|(_, member)| member.device == worker.index()) {
                Some((index, member)) => Turn::of(work(index, member, worker)),
                None => Ok(Turn::Idle),
            }
        })?;
        let found = Turn::all(turns)?.into_iter();
        Ok(found.map(|(_, found)| found).collect())
    }

    /// The same for a pass over the batches, whose reports count those of all devices.
    fn pass<T: Send>(
        &self,
        pass: impl Fn(&Turned<'_, '_, 'a>) -> Result<T, CurvatureError> + Sync,
    ) -> Result<Vec<T>, CurvatureError> {
        self.observer.forget_break();
        let total = self.order.len();
        let report = |done: usize| {
            let progress = Progress::new(Work::Product, done).of(total);
            let flow = self.observer.report(&progress);
            // A break at the last batch leaves the product complete and ends the surrounding work.
            if done >= total {
                ControlFlow::Continue(())
            } else {
                flow
            }
        };
        let reports = Reports::new(&report);
        self.each(|index, member, worker| {
            let reports = &reports;
            let watch = OfWorker { worker, reports };
            pass(&Turned {
                index,
                member,
                worker,
                watch: &watch,
            })
        })
    }

    /// The tangents of each member.
    fn shares<const D: usize>(&self, tangents: &Tangents<'_, D>) -> Vec<Share<D>> {
        let members = self.members.iter();
        members
            .map(|member| tangents.share(&member.places))
            .collect()
    }

    /// For each member its own vectors.
    fn own_shares(&self, tangent: impl Fn(usize) -> Tensor<1>) -> Vec<Share<1>> {
        let members = self.members.iter();
        let own = members.map(|member| member.places.iter().map(|&place| tangent(place)));
        own.map(|own| Share::Own(own.collect())).collect()
    }

    fn found<const D: usize>(&self) -> Found<D> {
        Found {
            is_exact: self.devices.exact_order(),
            sum: None,
            products: Vec::new(),
        }
    }

    fn factor(&self, spot: Spot) -> f64 {
        self.members[spot.member].sum.batches[spot.position].factor
    }

    /// Adds what the members found: device by device, or batch by batch as on one device.
    fn total<const D: usize>(
        &self,
        parts: Vec<Vec<Tensor<D>>>,
    ) -> Result<Tensor<D>, CurvatureError> {
        let mut sum = None;
        if self.devices.exact_order() {
            for (spot, part) in self.order.iter().zip(self.ordered(parts)) {
                sum = Some(added(sum.take(), part, self.factor(*spot)));
            }
        } else {
            for part in parts.into_iter().flatten() {
                sum = Some(added(sum.take(), part, 1.0));
            }
        }
        sum.ok_or(LossError::EmptyData.into())
    }

    /// What members have for each of their batches, in the order of the whole data.
    fn ordered<T>(&self, parts: Vec<Vec<T>>) -> Vec<T> {
        let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
        // The batches of a member are in order.
        let next = |spot: &Spot| parts[spot.member].next();
        self.order.iter().filter_map(next).collect()
    }

    /// `Σ_b factor_b A_b v_b` for one of the maps.
    pub(super) fn sum(
        &self,
        map: usize,
        tangents: &Tangents<'_, 1>,
    ) -> Result<Tensor<1>, CurvatureError> {
        let shares = self.shares(tangents);
        let parts = self.pass(|turned| {
            let share = shares[turned.index].on(turned.worker.device())?;
            let (sum, mut found) = (&turned.member.sum, self.found());
            let tangent = |position| share.of(position);
            sum.each_product(turned.watch, map, tangent, |position, part| {
                let factor = sum.batches[position].factor;
                Ok(found.add(part, factor, &self.device)?)
            })?;
            Ok(found.finish(&self.device)?)
        })?;
        self.total(parts)
    }

    /// [`sum`](Self::sum) for some rows of blocks, in one pass. A block is moved as one tensor.
    pub(super) fn sum_block(
        &self,
        map: usize,
        tangents: &Tangents<'_, 2>,
        rows: Range<usize>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let block = tangents.rows(rows);
        let shares = self.shares(&tangents.with(&block));
        let parts = self.pass(|turned| {
            let share = shares[turned.index].on(turned.worker.device())?;
            let (sum, mut found) = (&turned.member.sum, self.found());
            let block = |position| share.of(position);
            sum.each_block(turned.watch, map, block, |position, part| {
                let factor = sum.batches[position].factor;
                Ok(found.add(part, factor, &self.device)?)
            })?;
            Ok(found.finish(&self.device)?)
        })?;
        self.total(parts)
    }

    /// The products of all batches, each with its own vector, in the order of the whole data.
    pub(super) fn products(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<Vec<Tensor<1>>, CurvatureError> {
        let shares = self.own_shares(tangent);
        let parts = self.pass(|turned| {
            let share = shares[turned.index].on(turned.worker.device())?;
            let mut products = Vec::new();
            let tangent = |position| share.of(position);
            let sum = &turned.member.sum;
            sum.each_product(turned.watch, map, tangent, |_, part| {
                products.push(moved(part, &self.device)?);
                Ok(())
            })?;
            Ok(products)
        })?;
        Ok(self.ordered(parts))
    }

    /// The concatenated outputs of the first map over all batches.
    pub(super) fn concatenated(&self, tangent: &Tensor<1>) -> Result<Tensor<1>, CurvatureError> {
        let parts = self.pass(|turned| {
            let tangent = moved(tangent.clone(), turned.worker.device())?;
            let outputs = turned.member.sum.concatenated(turned.watch, &tangent)?;
            Ok(moved(outputs, &self.device)?)
        })?;
        Ok(self.interleaved(parts))
    }

    /// [`concatenated`](Self::concatenated) for the rows of a block, in one pass.
    pub(super) fn concatenated_block(
        &self,
        block: &Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let parts = self.pass(|turned| {
            let block = moved(block.clone(), turned.worker.device())?;
            let sum = &turned.member.sum;
            let outputs = sum.concatenated_block(turned.watch, || block.clone())?;
            Ok(moved(outputs, &self.device)?)
        })?;
        Ok(self.interleaved(parts))
    }

    /// The outputs of members, along the last axis, in the order of the whole data.
    fn interleaved<const D: usize>(&self, mut parts: Vec<Tensor<D>>) -> Tensor<D> {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let lens = |member: &Member<'_>| {
            let batches = member.sum.batches.iter();
            starts_of(batches.map(|batch| batch.num_rows))
        };
        let starts: Vec<Vec<usize>> = self.members.iter().map(lens).collect();
        let mut pieces: Vec<(usize, Range<usize>)> = Vec::new();
        for Spot { member, position } in &self.order {
            let rows = part(&starts[*member], *position);
            match pieces.last_mut() {
                // Neighbors on one device are one piece.
                Some((last, before)) if *last == *member => before.end = rows.end,
                _ => pieces.push((*member, rows)),
            }
        }
        let pieces = pieces.into_iter();
        let pieces = pieces.map(|(member, rows)| columns(&parts[member], rows));
        joined(pieces.collect(), D - 1)
    }

    /// The index of the first batch whose product is not finite, and the operation if known.
    pub(super) fn find_non_finite(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<Option<(usize, String)>, CurvatureError> {
        let shares = self.own_shares(tangent);
        let found = self.pass(|turned| {
            let share = shares[turned.index].on(turned.worker.device())?;
            let tangent = |position| share.of(position);
            let sum = &turned.member.sum;
            sum.find_non_finite(turned.watch, map, tangent)
        })?;
        let found = found.into_iter().flatten();
        Ok(found.min_by_key(|(batch, _)| *batch))
    }

    /// The gradient of the loss of each batch, if gradients were kept, in the order of the whole data.
    pub(super) fn gradients(&self) -> Result<Vec<Option<Tensor<1>>>, CurvatureError> {
        let parts = self.each(|_, member, _| {
            let batches = member.sum.batches.iter();
            let gradients = batches.map(|batch| match batch.gradient.clone() {
                Some(gradient) => Ok(Some(moved(gradient, &self.device)?)),
                None => Ok(None),
            });
            gradients.collect::<Result<Vec<_>, CurvatureError>>()
        })?;
        Ok(self.ordered(parts))
    }
}
