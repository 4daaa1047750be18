use std::ops::ControlFlow;

use burn::backend::{DispatchTensor, TensorMetadata};
use burn::module::Module;
use burn::tensor::{DType, Tensor};
use burnscape_linearize::{Batching, Checkpointing, LinearMap, Linearized, Noise, Point};

use super::CurvatureError;
use super::displaced::Displaced;
use super::kept::{Conditions, KeptShard, Programs};
use super::memory::{Frame, Needs, Room};
use super::noise::drawn;
use super::reverse::{Place, Reverse, ReverseCheck};
use super::site::Site;
use super::stale::{Evaluated, FirstValue, check_trace};
use super::usable::{check_gradient, check_outputs, check_repeatable, finite_sum};
use super::weights::{WeightedSum, Weighting, Weights};
use crate::loss::draws::BatchDraws;
use crate::loss::{
    Draws, Fingerprint, LossError, Reduction, RiskBatch, Signature, Tensors, each_begun,
};

/// The sums of a pass over the data.
#[derive(Debug, Clone)]
pub(super) struct Totals {
    pub(super) num_examples: usize,
    /// The weighted sum of the losses, and of the gradients if the maps compute them.
    pub(super) loss: f64,
    pub(super) gradient: Option<Tensor<1>>,
}

/// The trace of a batch.
pub(super) struct Traced {
    pub(super) maps: Vec<LinearMap>,
    /// The tensors bound to the inputs of the maps: those of the model, followed by those of the batch.
    pub(super) bindings: Vec<DispatchTensor>,
    /// The noise that the maps also read, and its element type.
    pub(super) noise: Option<(Noise, DType)>,
    /// The positions of the parameters among the bindings.
    pub(super) positions: Vec<usize>,
    /// The maps that check whether Burn's backward pass matches the forward pass.
    pub(super) reverse: Option<Reverse>,
}

/// The maps shared by all batches of one signature.
pub(super) struct Program {
    pub(super) maps: Vec<Linearized>,
    /// The tensors of the model that the maps read.
    pub(super) model: Vec<DispatchTensor>,
    pub(super) positions: Vec<usize>,
    pub(super) reverse: Option<Reverse>,
    pub(super) frame: Frame,
    /// Into how many segments the forward passes of recomputed batches are cut.
    pub(super) segments: usize,
    noise: Option<(Noise, DType)>,
    /// The shapes of the batches.
    pub(super) signature: Signature,
}

/// One batch.
pub(super) struct BatchPoint {
    /// The index in the whole data, of which a device may have a part.
    pub(super) index: usize,
    pub(super) program: usize,
    /// One point per map.
    pub(super) points: Vec<Point>,
    pub(super) noise: Option<DispatchTensor>,
    /// The weight that the data give.
    pub(super) weight: f64,
    /// The weight of the batch in the sum over the data.
    pub(super) factor: f64,
    /// What the total loss adds: the loss, or the sum of the losses of its examples if these were computed.
    pub(super) weighed: f64,
    /// The mean or sum of the losses of its examples, as the reduction says; zero if it was not computed.
    pub(super) loss: f64,
    /// The gradient of that loss, if gradients are kept.
    pub(super) gradient: Option<Tensor<1>>,
    /// The output length of the first map.
    pub(super) num_rows: usize,
    pub(super) signature: Signature,
    pub(super) fingerprint: Option<Fingerprint>,
}

/// How an operator is built at its site.
pub(super) struct Setup<'t, M> {
    pub(super) weighting: Weighting,
    pub(super) first: FirstValue,
    /// Whether the gradient of each batch is kept.
    pub(super) keeps_gradients: bool,
    pub(super) noise_seed: u64,
    /// A vector of parameters that the maps read as their last input.
    pub(super) direction: Option<&'t Tensor<1>>,
    pub(super) trace: &'t TraceBatch<'t, M>,
}

/// Traces a batch of `n` examples.
pub(super) type TraceBatch<'t, M> =
    dyn Fn(&dyn RiskBatch<M>, usize) -> Result<Traced, CurvatureError> + 't;

/// The maps of all batches at the parameters of the model.
///
/// A program is traced once for all batches of the same shapes. Residuals are stored up to a budget.
pub(super) struct BatchPoints {
    pub(super) programs: Vec<Program>,
    pub(super) batches: Vec<BatchPoint>,
    pub(super) totals: Totals,
    /// The bytes of stored residuals, draws, noise and gradients of batches.
    pub(super) kept: usize,
    pub(super) conditions: Conditions,
}

impl BatchPoints {
    /// `room` decides which residuals are stored.
    pub(super) fn new<M: Module>(
        site: &Site<'_, '_, M>,
        setup: &Setup<'_, M>,
        room: &mut Room,
        kept: Option<KeptShard>,
    ) -> Result<Self, CurvatureError> {
        let config = site.operators;
        // What was kept has been checked.
        let checks = config.checks && kept.is_none();
        let conditions = Conditions::of(site);
        let shares_traces = site.source.shares_traces();
        let device = site.space.device();
        let draws = BatchDraws::new(site.draws, device)?;
        let mut must_compare = kept.is_some();
        let mut programs = Programs::new(kept, &conditions);
        let mut reverse: Vec<Option<ReverseCheck>> = Vec::new();
        reverse.resize_with(programs.list.len(), || None);
        let mut displaced = None;
        let mut batches: Vec<BatchPoint> = Vec::new();
        let (mut kept, mut num_examples) = (0_usize, 0);
        let mut weights = Weights::new(setup.weighting);
        let mut gradient = WeightedSum::default();
        let begin = |index| site.begin(index).map(|()| true);
        each_begun(site.source, begin, |index, batch| {
            let position = batches.len();
            let (examples, weight) = batch.examples_and_weight(index)?;
            let tensors = batch.tensors();
            let batch_bytes = tensors.bytes();
            let Tensors { values, signature } = tensors;
            let program = match programs.find(position, index, &signature, shares_traces)? {
                Some(program) => program,
                None => {
                    let traced = (setup.trace)(batch, examples)?;
                    let signature = signature.clone();
                    let mut program =
                        Program::new(traced, signature, values.len(), batch_bytes, site)?;
                    room.admit(&mut program, kept, examples)?;
                    let check = program.reverse.as_ref();
                    let segments = program.segments;
                    let check = check.map(|reverse| ReverseCheck::new(reverse, segments, device));
                    reverse.push(check.transpose()?);
                    programs.add(program)
                }
            };
            let is_kept = programs.is_kept(program);
            if programs.is_first_use(program) {
                let program = &mut programs.list[program];
                program.frame = program.frame.among(site.source.num_batches());
                room.admit(program, kept, examples)?;
            }
            let (check, mut own_check) = (&mut reverse[program], None);
            let Program {
                maps,
                model,
                positions,
                noise,
                ..
            } = &mut programs.list[program];
            let noise = noise.as_ref().map(|(noise, dtype)| {
                let numbers = drawn(noise, setup.noise_seed, index);
                Tensor::<1>::from_data(numbers, (device, *dtype)).into_dispatch()
            });
            let noise_bytes = noise.as_ref().map_or(0, |noise| {
                noise.shape().num_elements() * noise.dtype().size()
            });
            // One vector for all batches, which its caller holds.
            let noise = noise.or_else(|| setup.direction.cloned().map(Tensor::into_dispatch));
            // Draws and noise are always stored. Residuals may be the tensors of the batch.
            kept += noise_bytes + maps.iter().map(Linearized::draw_bytes).sum::<usize>();
            let bytes = batch_bytes + maps.iter().map(Linearized::residual_bytes).sum::<usize>();
            let checkpointing = if room.has(kept + bytes) {
                kept += bytes;
                Checkpointing::Store
            } else {
                room.check_recomputed(kept)?;
                Checkpointing::Recompute
            };
            let inputs = model.iter().cloned().chain(values).chain(noise.clone());
            let inputs: Vec<DispatchTensor> = inputs.collect();
            if site.draws == Draws::Refused && maps.iter().any(|map| map.draw_bytes() > 0) {
                return Err(LossError::Draws.into());
            }
            draws.begin(index);
            let mut points = points(maps, &inputs, checkpointing)?;
            let num_rows = maps[0].map().num_rows();
            let own_loss = match setup.first {
                FirstValue::Outputs => check_outputs(&points[0], index).map(|()| 0.0)?,
                FirstValue::Loss | FirstValue::ExampleLosses => finite_sum(&points[0], index)?,
            };
            if must_compare && is_kept {
                must_compare = false;
                let at = Evaluated {
                    index,
                    batch,
                    examples,
                    signature: &signature,
                    point: &points[0],
                    noise: noise.as_ref(),
                };
                check_trace(site, setup, &draws, &at)?;
            }
            let factor = weights.add(weight, own_loss);
            let loss = match (setup.first, site.reduction) {
                (FirstValue::ExampleLosses, Reduction::Mean) => own_loss / examples as f64,
                _ => own_loss,
            };
            // A program for a single batch is checked once.
            let check = if shares_traces {
                check.as_mut()
            } else {
                own_check.insert(check.take()).as_mut()
            };
            if check.is_some() {
                check_gradient(&points[0], index)?;
            }
            // Values are dropped before the check, which has a gradient of its own.
            let mut own_gradient = None;
            if let Some(part) = points[0].take_values().into_iter().nth(1) {
                if setup.keeps_gradients {
                    kept += site.space.len() * part.dtype().size();
                }
                if setup.keeps_gradients || site.in_order {
                    own_gradient = Some(part.clone());
                }
                if !site.in_order {
                    gradient.add(part, factor);
                }
            }
            points = points.into_iter().map(Point::stripped).collect();
            if let Some(check) = check {
                let displaced = match &displaced {
                    Some(displaced) => displaced,
                    None => displaced.insert(Displaced::from(&site.space, &inputs, positions)?),
                };
                let place = Place {
                    batch: index,
                    drawn: &points[0],
                    inputs: &inputs,
                    positions,
                    residuals: checkpointing,
                };
                check.check(displaced, place)?;
            }
            let fingerprint = config
                .fingerprints
                .then(|| batch.fingerprint())
                .transpose()?;
            programs.check_data(position, index, fingerprint.as_ref())?;
            batches.push(BatchPoint {
                index,
                program,
                points,
                noise,
                weight,
                factor,
                weighed: own_loss,
                loss,
                gradient: own_gradient,
                num_rows,
                signature,
                fingerprint,
            });
            num_examples += examples;
            site.report(batches.len())?;
            Ok::<_, CurvatureError>(ControlFlow::Continue(()))
        })?;
        if batches.is_empty() {
            return Err(LossError::EmptyData.into());
        }
        for (batch, factor) in batches.iter_mut().zip(weights.factors()) {
            batch.factor = factor;
        }
        gradient.divide(weights.divisor());
        programs.check_end(batches.len())?;
        if checks {
            let known = batches.iter().map(|batch| batch.fingerprint.as_ref());
            check_repeatable(known, site.source)?;
        }
        Ok(Self {
            programs: programs.list,
            batches,
            conditions,
            totals: Totals {
                num_examples,
                loss: weights.loss(),
                gradient: gradient.total(),
            },
            kept,
        })
    }
}

impl Program {
    pub(super) fn new<M: Module>(
        traced: Traced,
        signature: Signature,
        num_batch_tensors: usize,
        batch_bytes: usize,
        site: &Site<'_, '_, M>,
    ) -> Result<Self, CurvatureError> {
        let Traced {
            maps,
            mut bindings,
            positions,
            noise,
            reverse,
        } = traced;
        bindings.truncate(bindings.len() - num_batch_tensors);
        let has_gradient = maps.iter().any(LinearMap::has_gradient);
        let maps = maps
            .iter()
            .map(|map| Linearized::new(map, site.space.device()));
        let maps = maps.collect::<Result<Vec<_>, _>>()?;
        let is_on_host = maps.iter().all(|map| map.batching() == Batching::InTurn);
        Ok(Self {
            maps,
            model: bindings,
            positions,
            reverse,
            frame: Frame::new(&site.space, has_gradient, is_on_host, batch_bytes)?
                .among(site.source.num_batches())
                .joining(site.joined),
            segments: 1,
            noise,
            signature,
        })
    }

    /// What the maps need with residuals stored, or recomputed in a number of segments.
    pub(super) fn needs(&self, segments: Option<usize>) -> Needs {
        Needs::of(&self.maps, self.reverse.as_ref(), segments, self.frame)
    }

    pub(super) fn cut(&mut self, segments: usize) {
        // What is prepared stays.
        if segments == self.segments {
            return;
        }
        self.segments = segments;
        let maps = std::mem::take(&mut self.maps).into_iter();
        self.maps = maps.map(|map| map.with_segments(segments)).collect();
    }
}

impl BatchPoint {
    /// Whether products need not read the batch again.
    pub(super) fn is_kept(&self) -> bool {
        self.points.iter().all(Point::is_stored)
    }
}

/// One point per map; all points share the random draws of the first.
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
