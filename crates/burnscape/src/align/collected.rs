//! The activations of two models on the batches of a data set, summed up as they come.

use burn::backend::DispatchTensor;
use burn::module::Module;
use burn::tensor::Device;
use burnscape_linearize::{Activation, Port, PreparedForward};

use super::AlignError;
use super::channels::{Channels, channels, names};
use super::filter::first_member;
use super::moments::Moments;
use super::weights::{Name, check_model};
use crate::loss::{Batch, LossError, MOST_PROGRAMS, Signature, Tensors};
use crate::space::{epsilon, float_tensors, to_host};
use crate::symmetry::{Symmetries, SymmetryError, Traced, flat, host_device, moved};

/// The arguments that the two models are.
const NAMES: [Name; 2] = ["a", "b"];

/// The sums of all batches so far.
pub(super) struct Collected<'s> {
    symmetries: &'s Symmetries,
    host: Device,
    pub(super) pools: Vec<Pool>,
    /// What programs read, with the places of their readings.
    known: Vec<Reading>,
    /// The programs of batches of the same shapes.
    programs: Vec<(Signature, Pair)>,
    /// The largest machine epsilon of a model.
    pub(super) epsilon: f64,
}

/// The sums of all channels of the same groups.
pub(super) struct Pool {
    /// The group of each factor of a channel, parents first.
    pub(super) groups: Vec<usize>,
    pub(super) moments: Moments,
}

/// For each block of channels that a program reads, the pool, and the place in it.
struct Reading {
    pools: Vec<usize>,
    places: Vec<usize>,
}

/// The programs of both models for batches of some shapes.
struct Pair {
    models: [Prepared; 2],
    /// What is read of each activation, with the index of its first block among all blocks.
    channels: Vec<(usize, Vec<Channels>)>,
    /// The index in `known`.
    reading: usize,
}

/// The activations of a model, ready to run.
struct Prepared {
    /// `None` if there are no activations.
    program: Option<PreparedForward>,
    /// The tensors of the model.
    bindings: Vec<DispatchTensor>,
    device: Device,
    /// The output that each activation is.
    outputs: Vec<usize>,
}

impl<'s> Collected<'s> {
    pub(super) fn new(symmetries: &'s Symmetries) -> Result<Self, AlignError> {
        Ok(Self {
            symmetries,
            host: host_device()?,
            pools: Vec::new(),
            known: Vec::new(),
            programs: Vec::new(),
            epsilon: 0.0,
        })
    }

    /// For each group whether it has activations.
    pub(super) fn has_activations(&self) -> Vec<bool> {
        let mut has = vec![false; self.symmetries.groups().len()];
        for &group in self.pools.iter().flat_map(|pool| &pool.groups) {
            has[group] = true;
        }
        has
    }

    /// Adds the activations of a batch.
    pub(super) fn add<M, B, T, F>(
        &mut self,
        index: usize,
        outputs: &F,
        models: [&M; 2],
        batch: B,
    ) -> Result<(), AlignError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        if let Ok(Some(0)) = batch.num_examples() {
            return Err(LossError::EmptyBatch { batch: index }.into());
        }
        let signature = Tensors::of(batch.clone()).signature;
        let mut known = self.programs.iter();
        let known = known.position(|(known, _)| *known == signature);
        let program = match known.filter(|_| B::IS_ONLY_TENSORS) {
            Some(known) => known,
            None => {
                // A closure may see more of the batch than its tensors.
                if !B::IS_ONLY_TENSORS {
                    self.programs.clear();
                }
                let pair = self.recorded(outputs, models, &batch)?;
                if self.programs.len() == MOST_PROGRAMS {
                    self.programs.remove(0);
                }
                self.programs.push((signature, pair));
                self.programs.len() - 1
            }
        };
        let Self {
            symmetries,
            host,
            pools,
            known,
            programs,
            ..
        } = self;
        let Pair {
            models,
            channels,
            reading,
        } = &mut programs[program].1;
        let [a, b] = models;
        let (a, b) = (a.run(batch.clone())?, b.run(batch)?);
        let Reading { pools: of, places } = &known[*reading];
        for (place, (first, blocks)) in channels.iter().enumerate() {
            let values = [a.values(place)?, b.values(place)?];
            for (block, own) in (*first..).zip(blocks) {
                let samples = [0, 1].map(|side| own.samples(&values[side]));
                for (side, samples) in samples.iter().enumerate() {
                    if let Some(value) = samples.iter().find(|value| !value.is_finite()) {
                        let group = own.groups.last().copied().unwrap_or(0);
                        return Err(AlignError::NonFiniteActivation {
                            model: NAMES[side],
                            group,
                            member: first_member(symmetries, group),
                            batch: index,
                            value: *value,
                        });
                    }
                }
                let moments = &mut pools[of[block]].moments;
                moments.add(places[block], samples, host)?;
            }
        }
        Ok(())
    }

    /// Records both models on a batch.
    fn recorded<M, B, T, F>(
        &mut self,
        outputs: &F,
        models: [&M; 2],
        batch: &B,
    ) -> Result<Pair, AlignError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        let [a, b] = [0, 1].map(|side| -> Result<_, AlignError> {
            let device = device_of(models[side])?;
            let batch = moved(batch.clone(), &device);
            let traced = Traced::of(outputs, models[side], batch)?;
            check_model(self.symmetries, NAMES[side], &traced.tensors)?;
            let axes = traced.forward.axes();
            let names = names(self.symmetries, &traced, &axes);
            Ok((traced, axes.activations, names, device))
        });
        let ((a, activations, names, on_a), (b, others, _, on_b)) = (a?, b?);
        let is_same = |(a, b): (&Activation, &Activation)| {
            (a.axis, &a.axes, a.tensor.shape()) == (b.axis, &b.axes, b.tensor.shape())
        };
        let pairs = activations.iter().zip(&others);
        if activations.len() != others.len() || !pairs.clone().all(is_same) {
            return Err(AlignError::Similarity {
                group: None,
                message: "models `a` and `b` compute other activations; pass a closure that does the same for every \
                          model of the type"
                    .to_string(),
            });
        }
        let mut read = [Vec::new(), Vec::new()];
        let mut blocks: Vec<(usize, Vec<Channels>)> = Vec::new();
        let mut pools = Vec::new();
        for (own, other) in pairs {
            let found = channels(self.symmetries, &names, own);
            if found.is_empty() {
                continue;
            }
            read[0].push(own.tensor.clone());
            read[1].push(other.tensor.clone());
            let first = pools.len();
            pools.extend(found.iter().map(|block| self.pool(block)));
            blocks.push((first, found));
        }
        let [of_a, of_b] = read;
        Ok(Pair {
            reading: self.reading(pools),
            channels: blocks,
            models: [
                self.prepared(&a, of_a, on_a)?,
                self.prepared(&b, of_b, on_b)?,
            ],
        })
    }

    fn prepared(
        &mut self,
        traced: &Traced,
        activations: Vec<Port>,
        device: Device,
    ) -> Result<Prepared, AlignError> {
        for tensor in &traced.tensors {
            self.epsilon = self.epsilon.max(epsilon(tensor.values.dtype()));
        }
        // One tensor may be read along two axes.
        let mut ports: Vec<Port> = Vec::new();
        let mut outputs = Vec::with_capacity(activations.len());
        for port in activations {
            let known = ports.iter().position(|known| *known == port);
            outputs.push(known.unwrap_or(ports.len()));
            if known.is_none() {
                ports.push(port);
            }
        }
        let forward = &traced.forward;
        let program = if ports.is_empty() {
            None
        } else {
            let forward = forward.with_outputs(ports).map_err(SymmetryError::from)?;
            Some(forward.prepare(&device).map_err(SymmetryError::from)?)
        };
        Ok(Prepared {
            program,
            bindings: forward.bindings[..forward.num_model_inputs()].to_vec(),
            device,
            outputs,
        })
    }

    /// The pool of the groups of a block.
    fn pool(&mut self, block: &Channels) -> usize {
        let mut known = self.pools.iter();
        let known = known.position(|pool| pool.groups == block.groups);
        known.unwrap_or_else(|| {
            self.pools.push(Pool {
                groups: block.groups.clone(),
                moments: Moments::new(block.width()),
            });
            self.pools.len() - 1
        })
    }

    /// The reading of a program that reads from these pools: programs that read the same have the same places.
    fn reading(&mut self, pools: Vec<usize>) -> usize {
        let mut known = self.known.iter();
        let known = known.position(|known| known.pools == pools);
        known.unwrap_or_else(|| {
            let places = pools
                .iter()
                .map(|&pool| self.pools[pool].moments.place())
                .collect();
            self.known.push(Reading { pools, places });
            self.known.len() - 1
        })
    }
}

impl Prepared {
    fn run<B: Batch>(&mut self, batch: B) -> Result<Ran<'_>, AlignError> {
        let Some(program) = &mut self.program else {
            return Ok(Ran {
                tensors: Vec::new(),
                outputs: &self.outputs,
            });
        };
        let mut inputs = self.bindings.clone();
        inputs.extend(Tensors::of(moved(batch, &self.device)).values);
        Ok(Ran {
            tensors: program.run(&inputs).map_err(SymmetryError::from)?,
            outputs: &self.outputs,
        })
    }
}

/// The activations of a batch, on the device.
struct Ran<'p> {
    tensors: Vec<DispatchTensor>,
    outputs: &'p [usize],
}

impl Ran<'_> {
    /// The flat values of an activation.
    fn values(&self, activation: usize) -> Result<Vec<f64>, AlignError> {
        let tensor = self.tensors[self.outputs[activation]].clone();
        Ok(to_host(flat(tensor))?)
    }
}

/// The device of a model's tensors.
fn device_of<M: Module>(model: &M) -> Result<Device, AlignError> {
    let tensors = float_tensors(model)?;
    let first = tensors.first();
    Ok(first.map_or_else(Device::default, |tensor| tensor.values.device()))
}
