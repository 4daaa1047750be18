use burn::backend::ops::{BoolTensorOps, IntTensorOps};
use burn::backend::{AutodiffBackend, BackendTypes, DispatchTensor};
use burn::module::ParamId;
use burn::tensor::{Bool, Int, Tensor};

use super::parameter::TracedParam;
use crate::program::Port;
use crate::record::{AC, C, Recorder, Symbol};

pub(super) type Leaf = <AC as BackendTypes>::FloatTensorPrimitive;

/// Declares the inputs of a program: replaces tensors by placeholders on the recording device and
/// remembers which tensor each placeholder stands for.
///
/// No data is copied. A placeholder has a shape and a type, and is bound to the tensor itself when the
/// program runs.
pub struct Inputs<'a> {
    recorder: &'a Recorder,
    pub(super) ports: Vec<Port>,
    pub(super) bindings: Vec<DispatchTensor>,
    pub(super) leaves: Vec<ParamLeaf>,
    num_batch_tensors: usize,
    /// Whether batch tensors are on autodiff. Layers that are active only in training look for it on
    /// their input. Otherwise the batch stays off autodiff: closures move it to the model's device, and Burn
    /// refuses to record such a transfer for tensors on autodiff.
    pub(super) is_training: bool,
}

/// The autodiff leaf of a trained parameter.
pub(super) struct ParamLeaf {
    pub(super) id: ParamId,
    /// The index of its port.
    pub(super) input: usize,
    pub(super) leaf: Leaf,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(recorder: &'a Recorder) -> Self {
        Self {
            recorder,
            ports: Vec::new(),
            bindings: Vec::new(),
            leaves: Vec::new(),
            num_batch_tensors: 0,
            is_training: false,
        }
    }

    /// A float tensor of the batch.
    pub fn float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        let name = self.batch_name();
        let symbol = self.float_symbol(name, tensor);
        if self.is_training {
            Tensor::from_primitive::<AC>(AC::from_inner(symbol))
        } else {
            Tensor::from_primitive::<C>(symbol)
        }
    }

    /// An integer tensor of the batch.
    pub fn int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        let name = self.batch_name();
        Tensor::from_primitive::<C>(self.int_symbol(name, tensor))
    }

    /// A Boolean tensor of the batch.
    pub fn bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        let name = self.batch_name();
        Tensor::from_primitive::<C>(self.bool_symbol(name, tensor))
    }

    fn batch_name(&mut self) -> String {
        self.num_batch_tensors += 1;
        format!("batch.{}", self.num_batch_tensors - 1)
    }

    pub(super) fn float_symbol<const D: usize>(
        &mut self,
        name: String,
        tensor: Tensor<D>,
    ) -> Symbol {
        let tensor = tensor.inner();
        let symbol = self.recorder.input(tensor.shape(), tensor.dtype());
        self.bind(name, tensor.into_dispatch(), &symbol);
        symbol
    }

    pub(super) fn int_symbol<const D: usize>(
        &mut self,
        name: String,
        tensor: Tensor<D, Int>,
    ) -> Symbol {
        let tensor = tensor.inner();
        let symbol = self.recorder.placeholder(tensor.shape(), tensor.dtype());
        // As in `Recorder::input`: a dead read makes the placeholder known to the scope.
        drop(C::int_neg(symbol.clone()));
        self.bind(name, tensor.into_dispatch(), &symbol);
        symbol
    }

    pub(super) fn bool_symbol<const D: usize>(
        &mut self,
        name: String,
        tensor: Tensor<D, Bool>,
    ) -> Symbol {
        let tensor = tensor.inner();
        let symbol = self.recorder.placeholder(tensor.shape(), tensor.dtype());
        drop(C::bool_not(symbol.clone()));
        self.bind(name, tensor.into_dispatch(), &symbol);
        symbol
    }

    fn bind(&mut self, name: String, tensor: DispatchTensor, symbol: &Symbol) {
        self.ports.push(Port {
            name,
            tensor: symbol.clone().into_ir(),
        });
        self.bindings.push(tensor);
    }

    /// The trained parameters, with their gradients appended to `outputs`.
    pub(super) fn parameters(
        &self,
        gradients: &<AC as AutodiffBackend>::Gradients,
        label: &str,
        outputs: &mut Vec<Port>,
    ) -> Vec<TracedParam> {
        let parameters = self.leaves.iter().map(|ParamLeaf { id, input, leaf }| {
            let gradient = AC::grad(leaf, gradients).map(|gradient| {
                let name = format!("{label} {}", self.ports[*input].name);
                outputs.push(self.recorder.port(&name, &gradient));
                outputs.len() - 1
            });
            TracedParam {
                id: *id,
                input: *input,
                gradient,
            }
        });
        parameters.collect()
    }
}
