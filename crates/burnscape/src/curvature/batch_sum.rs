use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::Tensor;
use burnscape_linearize::{Checkpointing, Linearized, Point};

use super::CurvatureError;
use super::batch_points::{BatchPoint, BatchPoints, Program, Setup, Totals};
use super::displaced::Displaced;
use super::fitted::{Division, Fitted, fitted, limit_blocks};
use super::kept::{Conditions, KeptBatch, KeptShard};
use super::memory_plan::{MemoryPlan, Spent};
use super::site::{Site, number_of_batches};
use super::watch::{Alone, Watch};
use super::weights::{Weighting, added};
use crate::loss::{InParts, LossError, Observer, SharedData, Tensors, each_tensors};
use crate::space::{Distance, FlatSpace, ParamSpace, Waits, as_accumulator, limited_by, to_host};

/// The linear maps of all batches of a device at the parameters of the model, one or more per batch. Every operator
/// over data is a sum or a concatenation of them.
///
/// Batches are named by their position, which differs from their index in the whole data where there are several
/// devices. Those without stored residuals are read again in every pass.
pub(super) struct BatchSum<'a> {
    programs: Mutex<Vec<Program>>,
    pub(super) batches: Vec<BatchPoint>,
    /// The data, for batches that are read again; `None` if all are stored.
    data: Option<SharedData<'a>>,
    observer: Observer<'a>,
    /// Those of the device, if they have a limit and no worker runs the products.
    waits: Option<Waits>,
    /// The most vectors of a block in one pass.
    pub(super) block_size: usize,
    conditions: Conditions,
    /// Whether some batch must be read again.
    rereads: bool,
    memory: Memory,
    pub(super) weighting: Weighting,
    /// Whether the gradient of each batch is kept.
    keeps_gradients: bool,
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
        kept: Option<KeptShard>,
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
            waits: site.space.waits().cloned(),
            block_size,
            memory: Memory {
                budget: site.operators.memory_budget,
                kept,
                division,
            },
            weighting: setup.weighting,
            keeps_gradients: setup.keeps_gradients,
            totals,
        })
    }

    /// The watch of a pass where there is one device.
    pub(super) fn watch(&self) -> Alone<'_, 'a> {
        Alone::new(&self.observer, self.batches.len())
    }

    pub(super) fn observer(&self) -> &Observer<'a> {
        &self.observer
    }

    /// Runs a product on the calling thread, with the limit on waits.
    pub(super) fn in_time<T>(&self, product: impl FnOnce(&Self) -> T) -> T {
        limited_by(self.waits.as_ref(), || product(self))
    }

    /// The most examples of a part, if batches are split.
    pub(super) fn examples_of_parts(&self) -> Option<usize> {
        self.memory.division.examples
    }

    /// What was chosen, and what it takes.
    pub(super) fn memory_plan(&self) -> Spent {
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
        let plan = MemoryPlan {
            budget_bytes: self.memory.budget.map(|bytes| bytes as u64),
            peak_bytes: tracing.max(kept + making.max(product)),
            product_bytes: kept + product,
            kept_batches,
            recomputed_batches: self.batches.len() - kept_batches,
            segments: programs.iter().map(|p| p.segments).max().unwrap_or(1),
            examples_per_batch: self.memory.division.examples,
            relative_cost: flops as f64 / (fastest as f64).max(1.0),
        };
        Spent {
            plan,
            flops,
            fastest,
        }
    }

    /// What can be used at other weights. Residuals are released.
    pub(super) fn into_kept(self) -> KeptShard {
        let programs = self.programs.into_inner();
        let batches = self.batches.into_iter().map(|batch| KeptBatch {
            index: batch.index,
            program: batch.program,
            signature: batch.signature,
            fingerprint: batch.fingerprint,
        });
        KeptShard::new(
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

    /// Takes the gradient of the loss of each batch, for their sum; copies those that are kept.
    pub(super) fn take_gradients(&mut self) -> Vec<Option<Tensor<1>>> {
        let gradients = self.batches.iter_mut().map(|batch| {
            if self.keeps_gradients {
                batch.gradient.clone()
            } else {
                batch.gradient.take()
            }
        });
        gradients.collect()
    }

    /// `Σ_b factor_b A_b v_b` for one of the maps; `tangent` gives the vector of each batch.
    pub(super) fn sum(
        &self,
        watch: &dyn Watch,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<Tensor<1>, CurvatureError> {
        let mut sum = None;
        self.each_product(watch, map, tangent, |position, part| {
            sum = Some(added(sum.take(), part, self.batches[position].factor));
            Ok(())
        })?;
        sum.ok_or(LossError::EmptyData.into())
    }

    /// Passes `A_b v_b` of each batch to `visit`, in order.
    pub(super) fn each_product(
        &self,
        watch: &dyn Watch,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
        mut visit: impl FnMut(usize, Tensor<1>) -> Result<(), CurvatureError>,
    ) -> Result<(), CurvatureError> {
        if self.rereads {
            return self.each(watch, map, |position, linearized, point| {
                let mut parts = linearized.apply(point, &[tangent(position)])?;
                visit(position, parts.remove(0))
            });
        }
        let mut done = 0;
        while done < self.batches.len() {
            let mut parts = Vec::new();
            let found = self.some_products(watch, map, done, &tangent, &mut parts);
            for part in parts {
                // Later batches have begun.
                watch.at(self.batches[done].index);
                visit(done, part)?;
                done += 1;
                watch.done(done)?;
            }
            if let Err(error) = found {
                // That of the first batch without a product.
                if let Some(batch) = self.batches.get(done) {
                    watch.at(batch.index);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Products that run at the same time: those of the batch `first` and of some of the next ones. After an error,
    /// `products` has those of the batches before the first one that failed.
    fn some_products(
        &self,
        watch: &dyn Watch,
        map: usize,
        first: usize,
        tangent: &impl Fn(usize) -> Tensor<1>,
        products: &mut Vec<Tensor<1>>,
    ) -> Result<(), CurvatureError> {
        let mut programs = locked(&self.programs);
        let program = self.batches[first].program;
        let linearized = &mut programs[program].maps[map];
        let batches = self.batches.iter().enumerate().skip(first);
        let alike = batches.take_while(|(_, batch)| batch.program == program);
        let mut pairs = Vec::new();
        for (position, batch) in alike.take(linearized.num_lanes()) {
            match watch.begin(batch.index) {
                Ok(()) => pairs.push((&batch.points[map], tangent(position))),
                Err(error) if pairs.is_empty() => return Err(error),
                // Those before it count.
                Err(_) => break,
            }
        }
        Ok(linearized.apply_each_into(products, &pairs)?)
    }

    /// Passes the product of each batch with its block to `visit`, in order.
    pub(super) fn each_block(
        &self,
        watch: &dyn Watch,
        map: usize,
        tangents: impl Fn(usize) -> Tensor<2>,
        mut visit: impl FnMut(usize, Tensor<2>) -> Result<(), CurvatureError>,
    ) -> Result<(), CurvatureError> {
        self.each(watch, map, |position, linearized, point| {
            visit(position, linearized.apply_block(point, tangents(position))?)
        })
    }

    /// [`sum`](Self::sum) for the rows of blocks `[k, …]`, in one pass.
    pub(super) fn sum_block(
        &self,
        watch: &dyn Watch,
        map: usize,
        tangents: impl Fn(usize) -> Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let mut sum = None;
        self.each_block(watch, map, tangents, |position, part| {
            sum = Some(added(sum.take(), part, self.batches[position].factor));
            Ok(())
        })?;
        sum.ok_or(LossError::EmptyData.into())
    }

    /// The concatenated outputs of the first map over all batches.
    pub(super) fn concatenated(
        &self,
        watch: &dyn Watch,
        tangent: &Tensor<1>,
    ) -> Result<Tensor<1>, CurvatureError> {
        let mut parts = Vec::with_capacity(self.batches.len());
        self.each(watch, 0, |_, linearized, point| {
            parts.extend(linearized.apply(point, std::slice::from_ref(tangent))?);
            Ok(())
        })?;
        Ok(joined(parts, 0))
    }

    /// [`concatenated`](Self::concatenated) for the rows of a block `[k, …]`, in one pass.
    pub(super) fn concatenated_block(
        &self,
        watch: &dyn Watch,
        tangents: impl Fn() -> Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let mut parts = Vec::with_capacity(self.batches.len());
        let keep = |_, part| {
            parts.push(part);
            Ok(())
        };
        self.each_block(watch, 0, |_| tangents(), keep)?;
        Ok(joined(parts, 1))
    }

    /// Returns an error if the observer broke at the last batch of the previous product.
    pub(super) fn check_break(&self) -> Result<(), CurvatureError> {
        if self.observer.take_break() {
            Err(CurvatureError::Stopped)
        } else {
            Ok(())
        }
    }

    /// The index in the whole data of the first batch whose product is not finite, and the operation if known.
    pub(super) fn find_non_finite(
        &self,
        watch: &dyn Watch,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<Option<(usize, String)>, CurvatureError> {
        let mut found = None;
        self.each(watch, map, |position, linearized, point| {
            if found.is_none() {
                let parts = linearized.apply(point, &[tangent(position)])?;
                let sum = as_accumulator(parts[0].clone()).sum();
                if !to_host(sum)?.iter().all(|sum| sum.is_finite()) {
                    let operation = linearized.find_non_finite(point, &[tangent(position)])?;
                    let operation = operation.unwrap_or_else(|| "in a sum".into());
                    found = Some((self.batches[position].index, operation));
                }
            }
            Ok(())
        })?;
        Ok(found)
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
        let mut batches = self.batches.iter();
        let begin = |_| Ok(());
        self.read(begin, |_, tensors| {
            let Some(batch) = batches.next() else {
                let known = self.batches.len();
                return Err(number_of_batches(known, known + 1));
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

    /// Reads the data once more. `begin` is told of every batch first.
    fn read(
        &self,
        begin: impl FnMut(usize) -> Result<(), CurvatureError>,
        visit: impl FnMut(usize, Tensors) -> Result<(), CurvatureError>,
    ) -> Result<(), CurvatureError> {
        match &self.data {
            Some(data) => each_tensors(&**data, begin, visit),
            None => Ok(()),
        }
    }

    /// Visits every batch in order, with its map and point.
    fn each(
        &self,
        watch: &dyn Watch,
        map: usize,
        mut visit: impl FnMut(usize, &mut Linearized, &Point) -> Result<(), CurvatureError>,
    ) -> Result<(), CurvatureError> {
        let mut at = |position: usize, tensors: Option<Vec<DispatchTensor>>| {
            let batch = &self.batches[position];
            // The lock is released before the observer is called.
            let mut programs = locked(&self.programs);
            let program = &mut programs[batch.program];
            let (linearized, point) = (&mut program.maps[map], &batch.points[map]);
            match tensors.filter(|_| !batch.is_kept()) {
                None => visit(position, linearized, point)?,
                Some(tensors) => {
                    let inputs = program.model.iter().cloned().chain(tensors);
                    let inputs = inputs.chain(batch.noise.clone()).collect();
                    visit(position, linearized, &point.with_inputs(inputs))?;
                }
            }
            drop(programs);
            watch.done(position + 1)
        };
        let count = self.batches.len();
        if !self.rereads {
            return (0..count).try_for_each(|position| {
                watch.begin(self.batches[position].index)?;
                at(position, None)
            });
        }
        let mut num_read = 0;
        let begin = |index| watch.begin(index);
        self.read(begin, |index, tensors| {
            let Some(batch) = self.batches.get(num_read) else {
                return Err(number_of_batches(count, num_read + 1));
            };
            if index != batch.index || tensors.signature != batch.signature {
                return Err(LossError::DataChanged { batch: index }.into());
            }
            num_read += 1;
            at(num_read - 1, Some(tensors.values))
        })?;
        if num_read == count {
            Ok(())
        } else {
            Err(number_of_batches(count, num_read))
        }
    }
}

/// Concatenates tensors; a single tensor is not copied.
pub(super) fn joined<const D: usize>(mut parts: Vec<Tensor<D>>, axis: usize) -> Tensor<D> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, axis),
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
