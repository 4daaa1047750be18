//! The outputs of a model's layers, batch by batch.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnscape_linearize::{Forward, Port, PreparedForward, Producer};

use crate::loss::{Batch, DataSet, LossError, MOST_PROGRAMS, Signature, Tensors};
use crate::merge::MergeError;
use crate::space::{FloatTensor, SpaceError, to_host};
use crate::symmetry::Traced;

/// What one set of weights makes, once or several times.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    /// The float tensors that scale its output, with the axis of its channels.
    pub(super) scale: Vec<(usize, usize)>,
    /// The float tensor that is added.
    pub(super) shift: Option<usize>,
    pub(super) num_channels: usize,
}

impl Layer {
    /// The layer of a producer, if a group permutes its channels, and parameters of the model scale them all.
    fn of(producer: &Producer, tensors: &[FloatTensor], places: &[usize]) -> Option<Self> {
        let num_channels = *producer.tensor.shape().get(producer.axis)?;
        let blocks = producer.axes.get(producer.axis)?.iter();
        let mut factors = blocks.flat_map(|block| &block.factors);
        if num_channels == 0 || !factors.any(|factor| factor.group.is_ok()) {
            return None;
        }
        let parameter = |input: usize| {
            let index = places.iter().position(|&place| place == input)?;
            let tensor = tensors.get(index)?;
            (!tensor.is_running_statistic).then_some((index, tensor))
        };
        let mut scale = Vec::with_capacity(producer.scale.len());
        for &(input, axis) in &producer.scale {
            let (index, tensor) = parameter(input)?;
            if tensor.shape.get(axis) != Some(&num_channels) {
                return None;
            }
            scale.push((index, axis));
        }
        let shift = producer.shift.and_then(parameter);
        let shift = shift.filter(|(_, tensor)| tensor.values.dims() == [num_channels]);
        let shift = shift.map(|(index, _)| index);
        (!scale.is_empty() || shift.is_some()).then_some(Self {
            scale,
            shift,
            num_channels,
        })
    }
}

/// An output of a layer.
pub(super) struct Output {
    pub(super) layer: usize,
    /// The axes before the channels, the channels, and the axes behind them.
    pub(super) layout: [usize; 3],
    values: DispatchTensor,
}

impl Output {
    /// The values in row-major order.
    pub(super) fn download(self) -> Result<Vec<f64>, SpaceError> {
        let len = self.values.shape().num_elements();
        let values = Dispatch::float_reshape(self.values, [len].into());
        to_host(Tensor::from_dispatch(values))
    }
}

/// A model whose layers are observed.
pub(super) struct Probe<'p, M, F> {
    name: &'static str,
    outputs: &'p F,
    model: &'p M,
    /// The only layer that is observed; `None` for all.
    only: Option<usize>,
    /// New values of float tensors.
    replaced: BTreeMap<usize, DispatchTensor>,
    recorded: Vec<Recorded>,
}

impl<'p, M: Module, F> Probe<'p, M, F> {
    pub(super) fn new(name: &'static str, outputs: &'p F, model: &'p M) -> Self {
        Self {
            name,
            outputs,
            model,
            only: None,
            replaced: BTreeMap::new(),
            recorded: Vec::new(),
        }
    }

    /// Observes one layer only, so that what comes behind it is not computed.
    pub(super) fn select(&mut self, layer: usize) {
        self.only = Some(layer);
        for recorded in &mut self.recorded {
            recorded.prepared = None;
        }
    }

    /// Gives a float tensor other values from now on.
    pub(super) fn replace(&mut self, tensor: usize, values: Tensor<1>) {
        self.replaced.insert(tensor, values.into_dispatch());
    }

    /// The layers of the last batch that was recorded, and the parameters of those that are left as they are.
    pub(super) fn layers(&self) -> (Vec<Layer>, Vec<String>) {
        let last = self.recorded.last();
        last.map_or_else(Default::default, |last| {
            (last.layers.clone(), last.left.clone())
        })
    }

    /// The outputs of the layers on a batch. `expected` are the layers that there must be.
    pub(super) fn outputs<B, T>(
        &mut self,
        batch: B,
        index: usize,
        expected: Option<&[Layer]>,
    ) -> Result<Vec<Output>, MergeError>
    where
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        if !B::IS_ONLY_TENSORS {
            // The closure may do something else for every batch.
            self.recorded.clear();
        }
        let tensors = Tensors::of(batch.clone());
        let signature = &tensors.signature;
        let mut known = self.recorded.iter();
        let place = match known.position(|known| known.signature == *signature) {
            Some(place) => place,
            None => {
                let signature = signature.clone();
                let recorded = Recorded::new(self.outputs, self.model, batch, signature)?;
                if expected.is_some_and(|expected| expected != recorded.layers.as_slice()) {
                    return Err(self.different(index));
                }
                if self.recorded.len() == MOST_PROGRAMS {
                    self.recorded.remove(0);
                }
                self.recorded.push(recorded);
                self.recorded.len() - 1
            }
        };
        let recorded = &mut self.recorded[place];
        recorded.run(self.only, &self.replaced, tensors.values)
    }

    /// The error for a batch with other layers.
    pub(super) fn different(&self, batch: usize) -> MergeError {
        MergeError::DifferentLayers {
            model: self.name.to_string(),
            batch,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

/// The program of a model for batches of certain shapes.
struct Recorded {
    signature: Signature,
    forward: Forward,
    /// The tensors of the model, which are the first inputs.
    inputs: Vec<DispatchTensor>,
    /// The input of each float tensor.
    places: Vec<usize>,
    device: Device,
    layers: Vec<Layer>,
    left: Vec<String>,
    tensors: Vec<LayerTensor>,
    prepared: Option<PreparedForward>,
}

/// What a layer makes.
struct LayerTensor {
    layer: usize,
    layout: [usize; 3],
    port: Port,
}

impl Recorded {
    fn new<M, B, T, F>(
        outputs: &F,
        model: &M,
        batch: B,
        signature: Signature,
    ) -> Result<Self, MergeError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        let Traced {
            mut forward,
            tensors: floats,
            places,
        } = Traced::of(outputs, model, batch)?;
        let first = floats.first();
        let device = first.map_or_else(Device::default, |tensor| tensor.values.device());
        let num_inputs = forward.num_model_inputs();
        let mut inputs = std::mem::take(&mut forward.bindings);
        // Those of the batch come with each batch.
        inputs.truncate(num_inputs);
        let mut layers: Vec<Layer> = Vec::new();
        let mut left: Vec<String> = Vec::new();
        let mut tensors = Vec::new();
        for producer in forward.axes().producers {
            let Some(layer) = Layer::of(&producer, &floats, &places) else {
                let mut by = producer.scale.iter().map(|&(input, _)| input);
                let by = by.next().or(producer.shift);
                let port = by.and_then(|input| forward.inputs().get(input));
                let name = port.map_or("", Port::name).to_string();
                if !left.contains(&name) {
                    left.push(name);
                }
                continue;
            };
            let shape = producer.tensor.shape();
            let outer = shape[..producer.axis].iter().product();
            let inner = shape[producer.axis + 1..].iter().product();
            let layout = [outer, layer.num_channels, inner];
            let known = layers.iter().position(|known| *known == layer);
            let layer = known.unwrap_or_else(|| {
                layers.push(layer);
                layers.len() - 1
            });
            tensors.push(LayerTensor {
                layer,
                layout,
                port: producer.tensor,
            });
        }
        Ok(Self {
            signature,
            forward,
            inputs,
            places,
            device,
            layers,
            left,
            tensors,
            prepared: None,
        })
    }

    fn run(
        &mut self,
        only: Option<usize>,
        replaced: &BTreeMap<usize, DispatchTensor>,
        batch: Vec<DispatchTensor>,
    ) -> Result<Vec<Output>, MergeError> {
        let wanted = self.tensors.iter();
        let wanted = wanted.filter(|tensor| only.is_none_or(|only| tensor.layer == only));
        let wanted: Vec<&LayerTensor> = wanted.collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        if self.prepared.is_none() {
            let ports = wanted.iter().map(|tensor| tensor.port.clone()).collect();
            let program = self.forward.with_outputs(ports)?;
            self.prepared = Some(program.prepare(&self.device)?);
        }
        let Some(prepared) = &mut self.prepared else {
            return Ok(Vec::new());
        };
        let mut inputs = self.inputs.clone();
        for (&tensor, values) in replaced {
            let place = self.places.get(tensor).copied();
            if let Some(input) = place.and_then(|place| inputs.get_mut(place)) {
                *input = values.clone();
            }
        }
        inputs.extend(batch);
        let outputs = wanted.into_iter().zip(prepared.run(&inputs)?);
        let outputs = outputs.map(|(tensor, values)| Output {
            layer: tensor.layer,
            layout: tensor.layout,
            values,
        });
        Ok(outputs.collect())
    }
}

/// Passes every batch with its index to `visit`, until an error.
pub(super) fn each_batch<B, D: DataSet<B> + ?Sized>(
    data: &D,
    mut visit: impl FnMut(usize, B) -> Result<(), MergeError>,
) -> Result<usize, MergeError> {
    let mut count = 0;
    let mut outcome = Ok(());
    data.visit(&mut |batch| {
        let visited = batch
            .map_err(MergeError::from)
            .and_then(|batch| visit(count, batch));
        count += 1;
        match visited {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        }
    });
    outcome?;
    if count == 0 {
        return Err(LossError::EmptyData.into());
    }
    Ok(count)
}
