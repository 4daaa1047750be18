//! The outputs of a model's layers, batch by batch.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnscape_linearize::{Forward, PreparedForward};

use super::layers::{Layer, LayerTensor, Layers};
use crate::loss::{Batch, DataSet, LossError, MOST_PROGRAMS, Signature, Tensors};
use crate::merge::MergeError;
use crate::space::{SpaceError, float_tensors, to_host};
use crate::symmetry::{Traced, moved};

/// The models `a` and `b` and the merged one, for errors.
pub(super) const NAMES: [&str; 3] = ["model `a`", "model `b`", "the merged model"];

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
    /// That of the model, where batches are moved to.
    device: Device,
    /// The only layer that is observed; `None` for all.
    only: Option<usize>,
    /// New values of float tensors.
    replaced: BTreeMap<usize, DispatchTensor>,
    recorded: Vec<Recorded>,
}

impl<'p, M: Module, F> Probe<'p, M, F> {
    pub(super) fn new(
        name: &'static str,
        outputs: &'p F,
        model: &'p M,
    ) -> Result<Self, SpaceError> {
        let tensors = float_tensors(model)?;
        let first = tensors.first();
        Ok(Self {
            name,
            outputs,
            model,
            device: first.map_or_else(Device::default, |tensor| tensor.values.device()),
            only: None,
            replaced: BTreeMap::new(),
            recorded: Vec::new(),
        })
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

    /// The layers of the last batch that was recorded, and the parameters that are left as they are, with the reasons.
    pub(super) fn layers(&self) -> (Vec<Layer>, BTreeMap<String, String>) {
        let last = self.recorded.last();
        last.map_or_else(Default::default, |last| {
            (last.layers.all.clone(), last.layers.left.clone())
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
        let batch = moved(batch, &self.device);
        let tensors = Tensors::of(batch.clone());
        let signature = &tensors.signature;
        let mut known = self.recorded.iter();
        let place = match known.position(|known| known.signature == *signature) {
            Some(place) => place,
            None => {
                let signature = signature.clone();
                let recorded = Recorded::new(self.outputs, self.model, batch, signature)?;
                if expected.is_some_and(|expected| expected != recorded.layers.all.as_slice()) {
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
        recorded.run(&self.device, self.only, &self.replaced, tensors.values)
    }

    /// The error for a batch with other layers.
    pub(super) fn different(&self, batch: usize) -> MergeError {
        MergeError::DifferentLayers {
            model: self.name.to_string(),
            batch,
        }
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
    layers: Layers,
    prepared: Option<PreparedForward>,
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
        let num_inputs = forward.num_model_inputs();
        let mut inputs = std::mem::take(&mut forward.bindings);
        // Those of the batch come with each batch.
        inputs.truncate(num_inputs);
        let layers = Layers::of(&forward.axes(), &floats, &places);
        Ok(Self {
            signature,
            forward,
            inputs,
            places,
            layers,
            prepared: None,
        })
    }

    fn run(
        &mut self,
        device: &Device,
        only: Option<usize>,
        replaced: &BTreeMap<usize, DispatchTensor>,
        batch: Vec<DispatchTensor>,
    ) -> Result<Vec<Output>, MergeError> {
        let wanted = self.layers.tensors.iter();
        let wanted = wanted.filter(|tensor| only.is_none_or(|only| tensor.layer == only));
        let wanted: Vec<&LayerTensor> = wanted.collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        if self.prepared.is_none() {
            let ports = wanted.iter().map(|tensor| tensor.port.clone()).collect();
            let program = self.forward.with_outputs(ports)?;
            self.prepared = Some(program.prepare(device)?);
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
pub(in crate::merge) fn each_batch<B, D: DataSet<B> + ?Sized>(
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
