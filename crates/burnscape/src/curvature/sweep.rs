use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::backend::{DispatchTensor, TensorMetadata};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use burnscape_linearize::{Checkpointing, LinearMap, Linearized, Noise, Point};

use super::CurvatureError;
use super::displaced::Displaced;
use super::noise::drawn;
use super::reverse::{Place, Reverse, ReverseCheck};
use super::site::{Site, number_of_batches, stopped};
use super::usable::{check_gradient, check_outputs, check_repeatable, finite_sum};
use crate::loss::draws::OwnDraws;
use crate::loss::{
    Draws, Fingerprint, LossError, Observer, Progress, Reduction, RiskBatch, SharedData, Signature,
    Tensors, Work, each, each_tensors,
};
use crate::space::{Distance, ParamSpace, mix, power_of_two, to_host};

/// One linear map a batch, or several of one trace, at the model's parameters: what every operator
/// over data is made of.
///
/// Programs are traced once for all batches of the same shapes. Residuals are stored up to a budget;
/// the batches beyond it are read again in every pass.
pub(super) struct Sweep<'a> {
    programs: Mutex<Vec<Program>>,
    batches: Vec<BatchPoint>,
    /// The data, for the batches that are read again; none where all are kept.
    data: Option<SharedData<'a>>,
    observer: Observer<'a>,
    block_size: usize,
    /// Whether some batch has to be read again.
    rereads: bool,
    pub(super) totals: Totals,
}

/// What a pass over the data found.
#[derive(Debug, Clone)]
pub(super) struct Totals {
    pub(super) num_examples: usize,
    /// What the values of the maps sum up to, with the weights of the batches: the loss, and the
    /// gradient where the maps tell it.
    pub(super) loss: f64,
    pub(super) gradient: Option<Tensor<1>>,
}

/// What tracing a batch gives.
pub(super) struct Traced {
    pub(super) maps: Vec<LinearMap>,
    /// What the maps' inputs were bound to: the model's tensors, and then those of the batch.
    pub(super) bindings: Vec<DispatchTensor>,
    /// The noise that the maps need besides, and its element type.
    pub(super) noise: Option<(Noise, DType)>,
    /// Where the parameters of the space are among the bindings.
    pub(super) positions: Vec<usize>,
    /// How to find out whether Burn's way back is that of the way forwards.
    pub(super) reverse: Option<Reverse>,
}

struct Program {
    maps: Vec<Linearized>,
    model: Vec<DispatchTensor>,
    positions: Vec<usize>,
    noise: Option<(Noise, DType)>,
}

struct BatchPoint {
    program: usize,
    /// One for each map.
    points: Vec<Point>,
    noise: Option<DispatchTensor>,
    /// What the batch counts in the sum over the data.
    factor: f64,
    num_rows: usize,
    signature: Signature,
    fingerprint: Option<Fingerprint>,
}

/// How the maps of the batches are put together.
#[derive(Debug, Clone, Copy)]
pub(super) enum Weighting {
    /// As the loss over a data set is, by the reduction of a batch's.
    Loss(Reduction),
    /// Not at all: rows of a Jacobian.
    None,
}

/// What a sweep is made from, besides its site.
pub(super) struct Setup<'t, M> {
    pub(super) weighting: Weighting,
    /// Whether the first value of the maps is the outputs, and not losses.
    pub(super) tells_outputs: bool,
    pub(super) noise_seed: u64,
    pub(super) trace: &'t TraceBatch<'t, M>,
}

/// Traces a batch of `n` examples.
type TraceBatch<'t, M> = dyn Fn(&dyn RiskBatch<M>, usize) -> Result<Traced, CurvatureError> + 't;

impl<'a> Sweep<'a> {
    pub(super) fn new<M: Module>(
        site: &Site<'_, 'a, M>,
        setup: &Setup<'_, M>,
    ) -> Result<Self, CurvatureError> {
        let config = site.config;
        let shares_traces = site.source.shares_traces();
        let device = site.space.device();
        let draws = match site.draws {
            Draws::Seeded(_) | Draws::OneBatch(_) => Some(OwnDraws::begin(device)?),
            Draws::Refused | Draws::Free => None,
        };
        let mut programs: Vec<Program> = Vec::new();
        let mut checks: Vec<Option<ReverseCheck>> = Vec::new();
        let mut displaced = None;
        let mut known: HashMap<Signature, usize> = HashMap::new();
        let mut batches: Vec<BatchPoint> = Vec::new();
        let (mut kept, mut weight, mut num_examples) = (0_usize, 0.0, 0);
        let (mut loss, mut gradient, mut unit) = (0.0, None, None);
        each(site.source, |index, batch| {
            let (examples, own_weight) = batch.examples_and_weight(index)?;
            let tensors = batch.tensors();
            let batch_bytes = tensors.bytes();
            let Tensors { values, signature } = tensors;
            let found = known.get(&signature).copied();
            let program = match found.filter(|_| shares_traces) {
                Some(program) => program,
                None => {
                    let traced = (setup.trace)(batch, examples)?;
                    let check = traced.reverse.as_ref();
                    let check = check.map(|reverse| ReverseCheck::new(reverse, device));
                    checks.push(check.transpose()?);
                    programs.push(Program::new(traced, values.len(), device)?);
                    known.insert(signature.clone(), programs.len() - 1);
                    programs.len() - 1
                }
            };
            let (check, mut own_check) = (&mut checks[program], None);
            let Program {
                maps,
                model,
                positions,
                noise,
            } = &mut programs[program];
            let noise = noise.as_ref();
            let noise = noise.map(|noise| drawn(noise, setup.noise_seed, index, device));
            let noise_bytes = noise.as_ref().map_or(0, |noise| {
                noise.shape().num_elements() * noise.dtype().size()
            });
            // Draws and noise stay in any case. Residuals may be the batch's own tensors.
            kept += noise_bytes + maps.iter().map(Linearized::draw_bytes).sum::<usize>();
            let bytes = batch_bytes + maps.iter().map(Linearized::residual_bytes).sum::<usize>();
            let checkpointing = if bytes <= config.residual_budget.saturating_sub(kept) {
                kept += bytes;
                Checkpointing::Store
            } else {
                Checkpointing::Recompute
            };
            let inputs: Vec<DispatchTensor> = model.iter().cloned().chain(values).collect();
            let inputs: Vec<DispatchTensor> = inputs.into_iter().chain(noise.clone()).collect();
            if site.draws == Draws::Refused && maps.iter().any(|map| map.draw_bytes() > 0) {
                return Err(LossError::Draws.into());
            }
            if let Some(draws) = &draws {
                match site.draws {
                    Draws::Seeded(seed) => draws.seed(mix(seed, index as u64)),
                    Draws::OneBatch(seed) => draws.seed(seed),
                    Draws::Refused | Draws::Free => (),
                }
            }
            let points = points(maps, &inputs, checkpointing)?;
            let point = &points[0];
            let own_loss = match setup.tells_outputs {
                true => check_outputs(point, index).map(|()| 0.0)?,
                false => finite_sum(point, index)?,
            };
            // A program that is not shared is checked once.
            let check = match shares_traces {
                true => check.as_mut(),
                false => own_check.insert(check.take()).as_mut(),
            };
            if let Some(check) = check {
                check_gradient(point, index)?;
                let displaced = match &mut displaced {
                    Some(displaced) => displaced,
                    displaced => {
                        displaced.insert(Displaced::from(&site.space, &inputs, positions)?)
                    }
                };
                let place = Place {
                    batch: index,
                    drawn: point,
                    inputs: &inputs,
                    positions,
                };
                check.check(displaced, place)?;
            }
            // Weights are taken in units of the first, so that a large gradient times many examples stays
            // within the range; a power of two, so that no digit changes.
            let own_weight = own_weight / *unit.get_or_insert(power_of_two(own_weight));
            let factor = match setup.weighting {
                Weighting::Loss(Reduction::Mean) => own_weight,
                Weighting::Loss(Reduction::Sum) | Weighting::None => 1.0,
            };
            loss += factor * own_loss;
            if let Some(part) = point.values().get(1) {
                gradient = Some(added(gradient.take(), part.clone(), factor));
            }
            let fingerprint = match config.checks {
                true => Some(batch.fingerprint()?),
                false => None,
            };
            batches.push(BatchPoint {
                program,
                points: points.into_iter().map(Point::stripped).collect(),
                noise,
                factor,
                num_rows: maps[0].map().num_rows(),
                signature,
                fingerprint,
            });
            weight += own_weight;
            num_examples += examples;
            site.report(batches.len())?;
            Ok::<_, CurvatureError>(ControlFlow::Continue(()))
        })?;
        if batches.is_empty() {
            return Err(LossError::EmptyData.into());
        }
        if let Weighting::Loss(Reduction::Mean) = setup.weighting {
            batches.iter_mut().for_each(|batch| batch.factor /= weight);
            loss /= weight;
            gradient = gradient.map(|gradient| gradient / weight);
        }
        if config.checks {
            let known = batches.iter().map(|batch| batch.fingerprint.as_ref());
            check_repeatable(known, site.source)?;
        }
        let rereads = batches.iter().any(|batch| !batch.is_kept());
        Ok(Self {
            programs: Mutex::new(programs),
            batches,
            data: site.data.clone(),
            observer: site.observer.clone(),
            block_size: config.block_size,
            rereads,
            totals: Totals {
                num_examples,
                loss,
                gradient,
            },
        })
    }

    /// How many batches are not read again for a product.
    pub(super) fn num_kept(&self) -> usize {
        self.batches.iter().filter(|batch| batch.is_kept()).count()
    }

    /// What the first map runs for each tangent, at batches of the shapes that came first.
    pub(super) fn linear_program(&self) -> burnscape_linearize::Program {
        locked(&self.programs)[0].maps[0].map().each().clone()
    }

    /// Length of the results of each batch's first map.
    pub(super) fn num_rows(&self) -> impl Iterator<Item = usize> {
        self.batches.iter().map(|batch| batch.num_rows)
    }

    /// `Σ_b factor_b A_b v_b` by a map, with what each batch multiplies.
    pub(super) fn sum(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<Tensor<1>, CurvatureError> {
        let mut sum = None;
        if !self.rereads {
            let mut done = 0;
            while done < self.batches.len() {
                let parts = self.some_products(map, done, &tangent)?;
                for part in parts {
                    sum = Some(added(sum.take(), part, self.batches[done].factor));
                    done += 1;
                    self.report_product(done)?;
                }
            }
            return sum.ok_or(LossError::EmptyData.into());
        }
        self.each(map, |index, linearized, point, factor| {
            let mut parts = linearized.apply(point, &[tangent(index)])?;
            sum = Some(added(sum.take(), parts.remove(0), factor));
            Ok(())
        })?;
        sum.ok_or(LossError::EmptyData.into())
    }

    /// The products at the batches from `first` on that are made at the same time; at least one.
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

    fn report_product(&self, done: usize) -> Result<(), CurvatureError> {
        let progress = Progress::new(Work::Product, done).of(self.batches.len());
        stopped(self.observer.report(&progress), done)
    }

    /// The results of the first map over the batches, one after the other.
    pub(super) fn concatenated(&self, tangent: &Tensor<1>) -> Result<Tensor<1>, CurvatureError> {
        let mut parts = Vec::with_capacity(self.batches.len());
        self.each(0, |_, linearized, point, _| {
            parts.extend(linearized.apply(point, std::slice::from_ref(tangent))?);
            Ok(())
        })?;
        Ok(joined(parts, 0))
    }

    /// [`sum`](Self::sum) for the rows `[k, …]` of blocks, a pass for each `block_size` of them.
    pub(super) fn sum_block(
        &self,
        map: usize,
        k: usize,
        tangents: impl Fn(usize, std::ops::Range<usize>) -> Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let mut blocks = Vec::new();
        for start in (0..k).step_by(self.block_size) {
            let range = start..k.min(start + self.block_size);
            let mut sum: Option<Tensor<2>> = None;
            self.each(map, |index, linearized, point, factor| {
                let part = linearized.apply_block(point, tangents(index, range.clone()))?;
                sum = Some(added(sum.take(), part, factor));
                Ok(())
            })?;
            blocks.extend(sum);
        }
        Ok(joined(blocks, 0))
    }

    /// [`concatenated`](Self::concatenated) for the rows `[k, …]` of a block.
    pub(super) fn concatenated_block(
        &self,
        tangents: &Tensor<2>,
    ) -> Result<Tensor<2>, CurvatureError> {
        let [k, n] = tangents.dims();
        let mut blocks = Vec::new();
        for start in (0..k).step_by(self.block_size) {
            let range = start..k.min(start + self.block_size);
            let mut parts = Vec::with_capacity(self.batches.len());
            self.each(0, |_, linearized, point, _| {
                let block = tangents.clone().slice([range.clone(), 0..n]);
                parts.push(linearized.apply_block(point, block)?);
                Ok(())
            })?;
            blocks.push(joined(parts, 1));
        }
        Ok(joined(blocks, 0))
    }

    /// The first batch whose product by a map is not finite, and the operation where it is known.
    pub(super) fn find_non_finite(
        &self,
        map: usize,
        tangent: impl Fn(usize) -> Tensor<1>,
    ) -> Result<CurvatureError, CurvatureError> {
        let mut found = None;
        self.each(map, |index, linearized, point, _| {
            if found.is_none() {
                let parts = linearized.apply(point, &[tangent(index)])?;
                let sum = crate::space::as_accumulator(parts[0].clone()).sum();
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

    /// Where points near the weights are.
    pub(super) fn displaced(&self, space: &ParamSpace) -> Result<Displaced, CurvatureError> {
        let program = &locked(&self.programs)[0];
        Displaced::from(space, &program.model, &program.positions)
    }

    /// [`sum`](Self::sum) by the first map at displaced weights, with the draws of the own ones.
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
            let inputs = displaced.inputs(&inputs, &program.positions, distance)?;
            let map = &mut program.maps[0];
            let point = map.point_with_draws_of(&batch.points[0], &inputs, Checkpointing::Store)?;
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

    /// Visits every batch in order, with its point.
    fn each(
        &self,
        map: usize,
        mut visit: impl FnMut(usize, &mut Linearized, &Point, f64) -> Result<(), CurvatureError>,
    ) -> Result<(), CurvatureError> {
        let mut at = |index: usize, tensors: Option<Vec<DispatchTensor>>| {
            let batch = &self.batches[index];
            // No lock is held while somebody is asked whether to go on.
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
        match num_read == self.batches.len() {
            true => Ok(()),
            false => Err(number_of_batches(self.batches.len(), num_read)),
        }
    }
}

impl Program {
    fn new(
        traced: Traced,
        num_batch_tensors: usize,
        device: &Device,
    ) -> Result<Self, CurvatureError> {
        let Traced {
            maps,
            mut bindings,
            positions,
            noise,
            ..
        } = traced;
        bindings.truncate(bindings.len() - num_batch_tensors);
        let maps = maps.iter().map(|map| Linearized::new(map, device));
        Ok(Self {
            maps: maps.collect::<Result<_, _>>()?,
            model: bindings,
            positions,
            noise,
        })
    }
}

impl BatchPoint {
    fn is_kept(&self) -> bool {
        self.points.iter().all(Point::is_stored)
    }
}

/// One point for each map; random draws are made once.
fn points(
    maps: &mut [Linearized],
    inputs: &[DispatchTensor],
    checkpointing: Checkpointing,
) -> Result<Vec<Point>, CurvatureError> {
    let Some((first, others)) = maps.split_first_mut() else {
        return Ok(Vec::new());
    };
    let mut points = vec![first.point(inputs, checkpointing)?];
    for other in others {
        points.push(other.point_with_draws_of(&points[0], inputs, checkpointing)?);
    }
    Ok(points)
}

/// Tensors side by side. A lone one is not copied.
fn joined<const D: usize>(mut parts: Vec<Tensor<D>>, axis: usize) -> Tensor<D> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, axis),
    }
}

/// `sum + factor · part`, half precision in f32.
fn added<const D: usize>(sum: Option<Tensor<D>>, part: Tensor<D>, factor: f64) -> Tensor<D> {
    let part = crate::space::as_accumulator(part);
    let part = if factor == 1.0 { part } else { part * factor };
    match sum {
        Some(sum) => sum + part,
        None => part,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
