use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_krylov::Step;
use burnscape_linearize::{Checkpointing, Linearized, Point};

use super::CurvatureError;
use super::batch_points::{BatchPoint, BatchPoints, Program, Setup, Totals, added};
use super::displaced::Displaced;
use super::fitted::{Division, Fitted, fitted, limit_blocks};
use super::kept::{Conditions, Kept, KeptBatch};
use super::memory_plan::MemoryPlan;
use super::site::{Site, number_of_batches, stopped};
use crate::loss::{
    InParts, LossError, Observer, Progress, SharedData, Tensors, Work, each_tensors,
};
use crate::space::{Distance, ParamSpace, as_accumulator, to_host};

/// The linear maps of all batches at the parameters of the model, one or more per batch. Every operator over data
/// is a sum or a concatenation of them.
///
/// Batches without stored residuals are read again in every pass.
pub(super) struct BatchSum<'a> {
    programs: Mutex<Vec<Program>>,
    batches: Vec<BatchPoint>,
    /// The data, for batches that are read again; `None` if all are stored.
    data: Option<SharedData<'a>>,
    observer: Observer<'a>,
    block_size: usize,
    conditions: Conditions,
    /// Whether some batch must be read again.
    rereads: bool,
    memory: Memory,
    pub(super) totals: Totals,
}

/// How much memory may be used, and what it is used for.
struct Memory {
    budget: Option<usize>,
    /// The bytes of stored residuals, draws, noise and gradients of batches.
    kept: usize,
    division: Division,
}

impl<'a> BatchSum<'a> {
    pub(super) fn new<M: Module>(
        site: &Site<'_, 'a, M>,
        setup: &Setup<'_, M>,
        kept: Option<Kept>,
    ) -> Result<Self, CurvatureError> {
        // An operator that has moved moves again, if memory is not scarce.
        let keeps_points = kept.is_some() && site.operators.memory_budget.is_none();
        let Fitted { points, division } = fitted(site, setup, kept)?;
        let BatchPoints {
            mut programs,
            batches,
            totals,
            conditions,
            kept,
        } = points;
        let mut block_size = site.operators.block_size;
        for (index, program) in programs.iter_mut().enumerate() {
            let mut own = batches.iter().filter(|batch| batch.program == index);
            let rereads = own.any(|batch| !batch.is_kept());
            let most = limit_blocks(program, site.operators, kept, rereads);
            block_size = block_size.min(most);
            if !keeps_points {
                program.maps.iter_mut().for_each(Linearized::release_points);
            }
        }
        let data = site.data.clone().map(|whole| match division.examples {
            Some(examples) => Arc::new(InParts { whole, examples }),
            None => whole,
        });
        Ok(Self {
            programs: Mutex::new(programs),
            rereads: batches.iter().any(|batch| !batch.is_kept()),
            batches,
            conditions,
            data,
            observer: site.observer.clone(),
            block_size,
            memory: Memory {
                budget: site.operators.memory_budget,
                kept,
                division,
            },
            totals,
        })
    }

    /// What was chosen, and what it takes.
    pub(super) fn memory_plan(&self) -> MemoryPlan {
        let programs = locked(&self.programs);
        let kept_batches = self.num_kept();
        let (mut point, mut product, mut tracing) = (0, 0, 0);
        let (mut flops, mut fastest) = (0, 0);
        for (index, program) in programs.iter().enumerate() {
            let stored = program.needs(None);
            tracing = tracing.max(stored.tracing);
            let recomputed = program.needs(Some(program.segments));
            for batch in self.batches.iter().filter(|batch| batch.program == index) {
                let needs = if batch.is_kept() { stored } else { recomputed };
                point = point.max(needs.point);
                product = product.max(needs.product);
                flops += needs.flops;
                fastest += stored.flops;
            }
            if !self.rereads {
                let lanes = program.maps[0].num_lanes().min(kept_batches) as u64;
                product = product.max(stored.product + program.lane_bytes() * (lanes - 1));
            }
        }
        let kept = self.memory.kept as u64;
        // The maps of a single program are derived before anything is stored.
        let tracing = match programs.len() {
            1 => tracing,
            _ => kept + tracing,
        };
        let making = point.max(self.memory.division.comparison);
        MemoryPlan {
            budget_bytes: self.memory.budget.map(|bytes| bytes as u64),
            peak_bytes: tracing.max(kept + making.max(product)),
            product_bytes: kept + product,
            kept_batches,
            recomputed_batches: self.batches.len() - kept_batches,
            segments: programs.iter().map(|p| p.segments).max().unwrap_or(1),
            examples_per_batch: self.memory.division.examples,
            relative_cost: flops as f64 / (fastest as f64).max(1.0),
        }
    }

    /// What can be used at other weights. Residuals are released.
    pub(super) fn into_kept(self) -> Kept {
        let programs = self.programs.into_inner();
        let batches = self.batches.into_iter().map(|batch| KeptBatch {
            program: batch.program,
            signature: batch.signature,
            fingerprint: batch.fingerprint,
        });
        Kept::new(
            programs.unwrap_or_else(PoisonError::into_inner),
            self.conditions,
            batches.collect(),
            self.memory.division,
        )
    }

    /// The number of batches with stored residuals.
    pub(super) fn num_kept(&self) -> usize {
        self.batches.iter().filter(|batch| batch.is_kept()).count()
    }

    /// The program that the first map runs for each tangent, for the shapes of the first batch.
    pub(super) fn linear_program(&self) -> burnscape_linearize::Program {
        locked(&self.programs)[0].maps[0].map().each().clone()
    }

    /// The output length of the first map of each batch.
    pub(super) fn num_rows(&self) -> impl Iterator<Item = usize> {
        self.batches.iter().map(|batch| batch.num_rows)
    }

    /// The weight of each batch in a [`sum`](Self::sum).
    pub(super) fn factors(&self) -> impl Iterator<Item = f64> {
        self.batches.iter().map(|batch| batch.factor)
    }

    /// The gradient of the loss of each batch, if gradients were kept.
    pub(super) fn gradients(&self) -> impl Iterator<Item = Option<&Tensor<1>>> {
        self.batches.iter().map(|batch| batch.gradient.as_ref())
    }

    /// `Σ_b factor_b A_b v_b` for one of the maps; `tangent` gives the vector of each batch.
    pub(super) fn sum(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<Tensor<1>, CurvatureError> {
        let mut sum = None;
        self.each_product(map, tangent, |index, part| {
            sum = Some(added(sum.take(), part, self.batches[index].factor));
        })?;
        sum.ok_or(LossError::EmptyData.into())
    }

    /// Passes `A_b v_b` of each batch to `visit`, in order.
    pub(super) fn each_product(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
        mut visit: impl FnMut(usize, Tensor<1>),
    ) -> Result<(), CurvatureError> {
        if self.rereads {
            return self.each(map, |index, linearized, point, _| {
                let mut parts = linearized.apply(point, &[tangent(index)])?;
                visit(index, parts.remove(0));
                Ok(())
            });
        }
        self.observer.forget_break();
        let mut done = 0;
        while done < self.batches.len() {
            for part in self.some_products(map, done, &tangent)? {
                visit(done, part);
                done += 1;
                self.report_product(done)?;
            }
        }
        Ok(())
    }

    /// Products that run at the same time: those of the batch `first` and of some of the next ones.
    fn some_products(
        &self,
        map: usize,
        first: usize,
        tangent: &impl Fn(usize) -> Tensor<1>,
    ) -> Result<Vec<Tensor<1>>, CurvatureError> {
        let mut programs = locked(&self.programs);
        let program = self.batches[first].program;
        let linearized = &mut programs[program].maps[map];
        let batches = self.batches.iter().enumerate().skip(first);
        let alike = batches.take_while(|(_, batch)| batch.program == program);
        let pairs: Vec<_> = alike
            .take(linearized.num_lanes())
            .map(|(index, batch)| (&batch.points[map], tangent(index)))
            .collect();
        Ok(linearized.apply_each(&pairs)?)
    }

    /// Reports a batch of a product to the observer. A break at the last batch leaves the product complete and
    /// ends the surrounding work.
    fn report_product(&self, done: usize) -> Result<(), CurvatureError> {
        let progress = Progress::new(Work::Product, done).of(self.batches.len());
        let flow = self.observer.report(&progress);
        if done == self.batches.len() {
            Ok(())
        } else {
            stopped(flow)
        }
    }

    /// Returns an error if the observer broke at the last batch of the previous product.
    pub(super) fn check_break(&self) -> Result<(), CurvatureError> {
        if self.observer.take_break() {
            Err(CurvatureError::Stopped)
        } else {
            Ok(())
        }
    }

    /// Reports a step of a method to the observer.
    pub(super) fn report(&self, step: &Step) -> ControlFlow<()> {
        self.observer.report_step(step)
    }

    /// The concatenated outputs of the first map over all batches.
    pub(super) fn concatenated(&self, tangent: &Tensor<1>) -> Result<Tensor<1>, CurvatureError> {
        let mut parts = Vec::with_capacity(self.batches.len());
        self.each(0, |_, linearized, point, _| {
            parts.extend(linearized.apply(point, std::slice::from_ref(tangent))?);
            Ok(())
        })?;
        Ok(joined(parts, 0))
    }

    /// [`sum`](Self::sum) for the rows of blocks `[k, …]`, with one pass per `block_size` rows.
    pub(super) fn sum_block(
        &self,
        map: usize,
        k: usize,
        tangents: impl Fn(usize, Range<usize>) -> Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        self.in_blocks(k, |range| {
            let mut sum: Option<Tensor<2>> = None;
            self.each(map, |index, linearized, point, factor| {
                let part = linearized.apply_block(point, tangents(index, range.clone()))?;
                sum = Some(added(sum.take(), part, factor));
                Ok(())
            })?;
            sum.ok_or(LossError::EmptyData.into())
        })
    }

    /// [`concatenated`](Self::concatenated) for the rows of a block `[k, …]`.
    pub(super) fn concatenated_block(
        &self,
        tangents: &Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let [k, n] = tangents.dims();
        self.in_blocks(k, |range| {
            let mut parts = Vec::with_capacity(self.batches.len());
            self.each(0, |_, linearized, point, _| {
                let block = tangents.clone().slice([range.clone(), 0..n]);
                parts.push(linearized.apply_block(point, block)?);
                Ok(())
            })?;
            Ok(joined(parts, 1))
        })
    }

    /// Runs a pass for each `block_size` of `k` rows and stacks the results.
    fn in_blocks(
        &self,
        k: usize,
        pass: impl Fn(Range<usize>) -> Result<Tensor<2>, CurvatureError>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let mut blocks = Vec::new();
        for start in (0..k).step_by(self.block_size) {
            if start > 0 {
                self.check_break()?;
            }
            blocks.push(pass(start..k.min(start + self.block_size))?);
        }
        Ok(joined(blocks, 0))
    }

    /// An error that names the first batch whose product is not finite, and the operation if known.
    pub(super) fn find_non_finite(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<CurvatureError, CurvatureError> {
        let mut found = None;
        self.each(map, |index, linearized, point, _| {
            if found.is_none() {
                let parts = linearized.apply(point, &[tangent(index)])?;
                let sum = as_accumulator(parts[0].clone()).sum();
                if !to_host(sum)?.iter().all(|sum| sum.is_finite()) {
                    let operation = linearized.find_non_finite(point, &[tangent(index)])?;
                    found = Some((index, operation.unwrap_or_else(|| "in a sum".into())));
                }
            }
            Ok(())
        })?;
        let (batch, operation) = found.unwrap_or_else(|| (0, "in the sum over batches".into()));
        Ok(CurvatureError::NonFiniteProduct { batch, operation })
    }

    /// Points near the weights.
    pub(super) fn displaced(&self, space: &ParamSpace) -> Result<Displaced, CurvatureError> {
        let program = &locked(&self.programs)[0];
        Displaced::from(space, &program.model, &program.positions)
    }

    /// [`sum`](Self::sum) for the first map at displaced weights, with the same random draws.
    pub(super) fn sum_displaced(
        &self,
        displaced: &Displaced,
        distance: Distance,
        tangent: &Tensor<1>,
    ) -> Result<Tensor<1>, CurvatureError> {
        let mut sum = None;
        self.read(|index, tensors| {
            let Some(batch) = self.batches.get(index) else {
                return Err(number_of_batches(self.batches.len(), index + 1));
            };
            let mut programs = locked(&self.programs);
            let program = &mut programs[batch.program];
            let inputs = program.model.iter().cloned().chain(tensors.values);
            let inputs: Vec<DispatchTensor> = inputs.chain(batch.noise.clone()).collect();
            let inputs = displaced.inputs(&inputs, &program.positions, distance);
            let map = &mut program.maps[0];
            let residuals = if batch.is_kept() {
                Checkpointing::Store
            } else {
                Checkpointing::Recompute
            };
            let point = map.point_with_draws_of(&batch.points[0], &inputs, residuals)?;
            let mut parts = map.apply(&point, std::slice::from_ref(tangent))?;
            sum = Some(added(sum.take(), parts.remove(0), batch.factor));
            Ok(())
        })?;
        sum.ok_or(LossError::EmptyData.into())
    }

    /// Reads the data once more.
    fn read(
        &self,
        visit: impl FnMut(usize, Tensors) -> Result<(), CurvatureError>,
    ) -> Result<(), CurvatureError> {
        match &self.data {
            Some(data) => each_tensors(&**data, visit),
            None => Ok(()),
        }
    }

    /// Visits every batch in order, with its map and point.
    fn each(
        &self,
        map: usize,
        mut visit: impl FnMut(usize, &mut Linearized, &Point, f64) -> Result<(), CurvatureError>,
    ) -> Result<(), CurvatureError> {
        self.observer.forget_break();
        let mut at = |index: usize, tensors: Option<Vec<DispatchTensor>>| {
            let batch = &self.batches[index];
            // The lock is released before the observer is called.
            let mut programs = locked(&self.programs);
            let program = &mut programs[batch.program];
            let (linearized, point) = (&mut program.maps[map], &batch.points[map]);
            match tensors.filter(|_| !batch.is_kept()) {
                None => visit(index, linearized, point, batch.factor)?,
                Some(tensors) => {
                    let inputs = program.model.iter().cloned().chain(tensors);
                    let inputs = inputs.chain(batch.noise.clone()).collect();
                    visit(index, linearized, &point.with_inputs(inputs), batch.factor)?;
                }
            }
            drop(programs);
            self.report_product(index + 1)
        };
        if !self.rereads {
            return (0..self.batches.len()).try_for_each(|index| at(index, None));
        }
        let mut num_read = 0;
        self.read(|index, tensors| {
            if index >= self.batches.len() {
                return Err(number_of_batches(self.batches.len(), index + 1));
            }
            if tensors.signature != self.batches[index].signature {
                return Err(LossError::DataChanged { batch: index }.into());
            }
            num_read = index + 1;
            at(index, Some(tensors.values))
        })?;
        if num_read == self.batches.len() {
            Ok(())
        } else {
            Err(number_of_batches(self.batches.len(), num_read))
        }
    }
}

/// Concatenates tensors; a single tensor is not copied.
fn joined<const D: usize>(mut parts: Vec<Tensor<D>>, axis: usize) -> Tensor<D> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, axis),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
