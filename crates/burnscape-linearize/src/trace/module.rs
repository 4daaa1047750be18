//! The module on the recording device, and the tensors that a trace of it binds: the only place in this crate that
//! visits or maps modules.

use std::collections::{HashMap, HashSet};
use std::fmt;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{AutodiffBackend, DispatchTensor, TensorMetadata};
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, DType, Device, Int, Tensor};

use super::inputs::{Inputs, Leaf, ParamLeaf};
use crate::LinearizeError;
use crate::record::{AC, C, Symbol};

impl Inputs<'_> {
    /// A copy of the module with trained parameters as autodiff leaves and all other tensors as plain
    /// placeholders. The original is not written to, shared running statistics included.
    pub(super) fn module<M: Module>(&mut self, module: &M, device: &Device) -> M {
        let mut state = TrainingState::default();
        module.visit(&mut state);
        self.is_training = state.flags.values().any(|is_enabled| *is_enabled);
        // `Leaves` restores the training flags.
        let module = self.evaluated(module, device);
        module.map(&mut Leaves {
            inputs: self,
            state,
        })
    }

    /// A copy of the module in evaluation mode, off autodiff and unshared, with a placeholder for every tensor.
    pub(super) fn evaluated<M: Module>(&mut self, module: &M, device: &Device) -> M {
        let module = module.valid().map(&mut Placeholders {
            inputs: self,
            path: Vec::new(),
            known: HashMap::new(),
        });
        // Mappers do not reach fields of type `Tensor`, but `to_device` does: they become constants.
        module.to_device(device)
    }
}

impl ModelInputs {
    /// The float parameters of the model that this was read from, as they are there, by input.
    pub(crate) fn parameters<M: Module>(&self, model: &M) -> Vec<Option<DispatchTensor>> {
        let mut own = Own::default();
        model.visit(&mut own);
        let ids = self.ids.iter();
        ids.map(|id| id.and_then(|id| own.0.remove(&id))).collect()
    }
}

#[derive(Default)]
struct Own(HashMap<ParamId, DispatchTensor>);

impl ModuleVisitor for Own {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, param.val().into_dispatch());
    }
}

/// The state of a module that `valid` discards.
#[derive(Default)]
struct TrainingState {
    trained: HashSet<ParamId>,
    flags: HashMap<ParamId, bool>,
    /// The flags again, in visit order.
    in_order: Vec<bool>,
}

impl ModuleVisitor for TrainingState {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.val().is_require_grad() {
            self.trained.insert(param.id);
        }
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        let is_enabled = flag.val().is_enabled();
        self.flags.insert(flag.id, is_enabled);
        self.in_order.push(is_enabled);
    }
}

/// Replaces every parameter and buffer by a placeholder.
struct Placeholders<'a, 'b> {
    inputs: &'a mut Inputs<'b>,
    path: Vec<String>,
    /// A shared parameter has a single placeholder.
    known: HashMap<ParamId, Symbol>,
}

impl ModuleMapper for Placeholders<'_, '_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let symbol = self.known.get(&id).cloned();
        let symbol = symbol.unwrap_or_else(|| {
            let symbol = self.inputs.float_symbol(self.path.join("."), value);
            self.known.insert(id, symbol.clone());
            symbol
        });
        Param::from_mapped_value(id, Tensor::from_primitive::<C>(symbol), mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, value, mapper) = param.consume();
        let symbol = self.inputs.int_symbol(self.path.join("."), value);
        Param::from_mapped_value(id, Tensor::from_primitive::<C>(symbol), mapper)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let (id, value, mapper) = param.consume();
        let symbol = self.inputs.bool_symbol(self.path.join("."), value);
        Param::from_mapped_value(id, Tensor::from_primitive::<C>(symbol), mapper)
    }
}

/// Puts trained parameters on autodiff. Buffers stay off it, because batch norm calls `to_device` on them,
/// which Burn refuses to record for tensors on autodiff.
struct Leaves<'a, 'b> {
    inputs: &'a mut Inputs<'b>,
    state: TrainingState,
}

impl Leaves<'_, '_> {
    /// The leaf of a placeholder. All occurrences of a parameter share one, so that their gradients add up.
    fn leaf(&mut self, id: ParamId, symbol: Symbol) -> Leaf {
        let mut leaves = self.inputs.leaves.iter();
        if let Some(known) = leaves.find(|known| known.id == id) {
            return known.leaf.clone();
        }
        let mut ports = self.inputs.ports.iter();
        let input = ports.position(|port| port.tensor.id == symbol.id());
        let leaf = <AC as FloatTensorOps<AC>>::float_set_require_grad(AC::from_inner(symbol), true);
        if let Some(input) = input {
            let leaf = leaf.clone();
            self.inputs.leaves.push(ParamLeaf { id, input, leaf });
        }
        leaf
    }
}

impl ModuleMapper for Leaves<'_, '_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        if !self.state.trained.contains(&id) {
            return Param::from_mapped_value(id, value, mapper);
        }
        let value = match value.clone().try_into_primitive::<C>() {
            Ok(symbol) => Tensor::from_primitive::<AC>(self.leaf(id, symbol)),
            Err(_) => value,
        };
        Param::from_mapped_value(id, value, mapper)
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let value = self.state.flags.get(&flag.id).copied();
        let value = value.unwrap_or_else(|| flag.val().is_enabled());
        flag.with_value(value)
    }
}

/// The tensors of a model in the order in which a trace binds them, with everything else of the model that a trace
/// depends on, except plain tensor fields and numbers.
///
/// A program that was traced at one model can run at another one if [`check_same`](Self::check_same) succeeds and the
/// constants of the two are equal: fields of type `Tensor`, and numbers that the closure reads.
#[derive(Debug, Clone, Default)]
pub struct ModelInputs {
    /// The tensors, bound to the first inputs of a program.
    pub bindings: Vec<DispatchTensor>,
    /// The identifiers of the float tensors among them.
    ids: Vec<Option<ParamId>>,
    /// A name and a state for each tensor of the model and each flag.
    states: Vec<(String, State)>,
}

/// What a trace depends on of a tensor or a flag.
#[derive(Debug, Clone, PartialEq)]
struct State {
    shape: Vec<usize>,
    /// The element type; `None` for a flag.
    dtype: Option<DType>,
    is_trained: bool,
    /// The index of the input, which tied tensors share, or the value of a flag.
    input: usize,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, input, .. } = self;
        let Some(dtype) = self.dtype else {
            return write!(f, "{}", *input != 0);
        };
        let trained = if self.is_trained { "trained" } else { "fixed" };
        write!(f, "{shape:?} {dtype:?}, {trained}, input {input}")
    }
}

impl ModelInputs {
    /// Reads a model. It must be as [`GradientTrace::new`](crate::GradientTrace::new) needs it, on autodiff.
    pub fn of<M: Module>(model: &M) -> Self {
        let mut state = TrainingState::default();
        model.visit(&mut state);
        let mut bound = Bound {
            inputs: Self::default(),
            trained: state.trained,
            path: Vec::new(),
            known: HashMap::new(),
        };
        // The same steps as in a trace, so that the order is the same.
        let _ = model.valid().map(&mut bound);
        let mut inputs = bound.inputs;
        let flags = state.in_order.iter().enumerate();
        let flags = flags.map(|(index, is_on)| {
            let state = State {
                shape: Vec::new(),
                dtype: None,
                is_trained: false,
                input: usize::from(*is_on),
            };
            (format!("flag {index}"), state)
        });
        inputs.states.extend(flags);
        inputs
    }

    /// What a trace depends on, without the tensors.
    #[must_use]
    pub fn without_bindings(self) -> Self {
        Self {
            bindings: Vec::new(),
            ..self
        }
    }

    /// Whether the model has trained parameters.
    pub fn is_trained(&self) -> bool {
        self.states.iter().any(|(_, state)| state.is_trained)
    }

    /// Returns an error unless a trace at one model has the inputs of a trace at the other: the same tensors by name,
    /// shape, element type and ties, the same trained parameters, and the same flags.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] with the first difference.
    pub fn check_same(&self, other: &Self) -> Result<(), LinearizeError> {
        let differ = |what: &str, expected: &dyn fmt::Display, found: &dyn fmt::Display| {
            Err(LinearizeError::Mismatch {
                what: what.into(),
                expected: expected.to_string(),
                found: found.to_string(),
            })
        };
        let mut others = other.states.iter();
        for (name, state) in &self.states {
            match others.next() {
                Some((same, found)) if same == name && found == state => {}
                Some((same, found)) if same == name => return differ(name, state, found),
                Some((found, _)) => return differ("a tensor or flag of the model", name, found),
                None => return differ("a tensor or flag of the model", name, &"none"),
            }
        }
        match others.next() {
            None => Ok(()),
            Some((found, _)) => differ("a tensor or flag of the model", &"none", found),
        }
    }
}

/// Collects the tensors that [`Placeholders`] replaces.
struct Bound {
    inputs: ModelInputs,
    trained: HashSet<ParamId>,
    path: Vec<String>,
    /// The input of each float tensor. A shared parameter has a single one.
    known: HashMap<ParamId, usize>,
}

impl Bound {
    fn state(&mut self, input: usize, tensor: &DispatchTensor, is_trained: bool) {
        let state = State {
            shape: tensor.shape().as_slice().to_vec(),
            dtype: Some(tensor.dtype()),
            is_trained,
            input,
        };
        self.inputs.states.push((self.path.join("."), state));
    }

    fn bind(&mut self, tensor: DispatchTensor) {
        self.state(self.inputs.bindings.len(), &tensor, false);
        self.inputs.bindings.push(tensor);
        self.inputs.ids.push(None);
    }
}

impl ModuleMapper for Bound {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let next = self.inputs.bindings.len();
        let input = *self.known.entry(id).or_insert(next);
        let tensor = value.clone().inner().into_dispatch();
        self.state(input, &tensor, self.trained.contains(&id));
        if input == next {
            self.inputs.bindings.push(tensor);
            self.inputs.ids.push(Some(id));
        }
        Param::from_mapped_value(id, value, mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, value, mapper) = param.consume();
        self.bind(value.clone().inner().into_dispatch());
        Param::from_mapped_value(id, value, mapper)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let (id, value, mapper) = param.consume();
        self.bind(value.clone().inner().into_dispatch());
        Param::from_mapped_value(id, value, mapper)
    }
}
