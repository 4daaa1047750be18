use std::collections::{HashMap, HashSet};

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::backend::{Autodiff, AutodiffBackend, BackendTypes, DispatchTensor};
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Device, Int, Tensor};
use burn_capture::CaptureBackend;

use super::program::Port;
use super::recording::{Recorder, Symbol};

pub(crate) type C = CaptureBackend;
pub(crate) type AC = Autodiff<CaptureBackend>;
type Leaf = <AC as BackendTypes>::FloatTensorPrimitive;

/// Replaces tensors by placeholders on the recording device and remembers what they stand for.
///
/// No number is copied: a placeholder is a shape and a type, and is bound to the tensor itself when
/// the program runs.
pub struct Lifter<'a> {
    recorder: &'a Recorder,
    pub(crate) ports: Vec<Port>,
    pub(crate) bindings: Vec<DispatchTensor>,
    /// The leaves of the parameters, in visit order, with the index of their port.
    pub(crate) leaves: Vec<(usize, ParamId, Leaf)>,
    part: usize,
    /// Whether the batch comes in on autodiff. Layers that act in training only ask their input for
    /// it. Elsewhere the batch stays plain, since Burn refuses to record a transfer of what is on
    /// autodiff, and closures move their batch to the model's device.
    is_training: bool,
}

impl<'a> Lifter<'a> {
    pub(crate) fn new(recorder: &'a Recorder) -> Self {
        Self {
            recorder,
            ports: Vec::new(),
            bindings: Vec::new(),
            leaves: Vec::new(),
            part: 0,
            is_training: false,
        }
    }

    fn port(&mut self, name: String, tensor: DispatchTensor, symbol: &Symbol) {
        self.ports.push(Port {
            name,
            tensor: symbol.clone().into_ir(),
        });
        self.bindings.push(tensor);
    }

    fn part_name(&mut self) -> String {
        self.part += 1;
        format!("batch.{}", self.part - 1)
    }

    fn float_symbol<const D: usize>(&mut self, name: String, tensor: Tensor<D>) -> Symbol {
        let tensor = tensor.inner();
        let symbol = self.recorder.placeholder(tensor.shape(), tensor.dtype());
        // An input must be read by something to be known to the scope; the reading itself is dead.
        drop(C::float_neg(symbol.clone()));
        self.port(name, tensor.into_dispatch(), &symbol);
        symbol
    }

    /// A float tensor of the batch.
    pub fn float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        let name = self.part_name();
        let symbol = self.float_symbol(name, tensor);
        match self.is_training {
            true => Tensor::from_primitive::<AC>(AC::from_inner(symbol)),
            false => Tensor::from_primitive::<C>(symbol),
        }
    }

    /// An integer tensor of the batch.
    pub fn int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        let name = self.part_name();
        Tensor::from_primitive::<C>(self.int_symbol(name, tensor))
    }

    /// A Boolean tensor of the batch.
    pub fn bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        let name = self.part_name();
        Tensor::from_primitive::<C>(self.bool_symbol(name, tensor))
    }

    fn int_symbol<const D: usize>(&mut self, name: String, tensor: Tensor<D, Int>) -> Symbol {
        let tensor = tensor.inner();
        let symbol = self.recorder.placeholder(tensor.shape(), tensor.dtype());
        drop(C::int_neg(symbol.clone()));
        self.port(name, tensor.into_dispatch(), &symbol);
        symbol
    }

    fn bool_symbol<const D: usize>(&mut self, name: String, tensor: Tensor<D, Bool>) -> Symbol {
        let tensor = tensor.inner();
        let symbol = self.recorder.placeholder(tensor.shape(), tensor.dtype());
        drop(C::bool_not(symbol.clone()));
        self.port(name, tensor.into_dispatch(), &symbol);
        symbol
    }

    /// A copy of the module with parameters as autodiff leaves and everything else as plain
    /// placeholders. Nothing of the model itself is written to, shared running statistics included.
    pub(crate) fn module<M: Module>(&mut self, module: &M, device: &Device) -> M {
        let mut states = States::default();
        module.visit(&mut states);
        self.is_training = states.flags.values().any(|is_enabled| *is_enabled);
        // Off autodiff and unshared; training flags come back below.
        let module = module.valid().map(&mut Placeholders {
            lifter: self,
            path: Vec::new(),
            known: HashMap::new(),
        });
        // Fields of type `Tensor` are out of a mapper's reach, but they move: they become constants.
        let module = module.to_device(device);
        module.map(&mut Leaves {
            lifter: self,
            states,
        })
    }
}

/// What `valid` takes from a module.
#[derive(Default)]
struct States {
    trained: HashSet<ParamId>,
    flags: HashMap<ParamId, bool>,
}

impl ModuleVisitor for States {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.val().is_require_grad() {
            self.trained.insert(param.id);
        }
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.insert(flag.id, flag.val().is_enabled());
    }
}

/// Replaces every tensor that a mapper reaches.
struct Placeholders<'a, 'b> {
    lifter: &'a mut Lifter<'b>,
    path: Vec<String>,
    /// A parameter that occurs twice is one.
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
            let symbol = self.lifter.float_symbol(self.path.join("."), value);
            self.known.insert(id, symbol.clone());
            symbol
        });
        Param::from_mapped_value(id, Tensor::from_primitive::<C>(symbol), mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, value, mapper) = param.consume();
        let symbol = self.lifter.int_symbol(self.path.join("."), value);
        Param::from_mapped_value(id, Tensor::from_primitive::<C>(symbol), mapper)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let (id, value, mapper) = param.consume();
        let symbol = self.lifter.bool_symbol(self.path.join("."), value);
        Param::from_mapped_value(id, Tensor::from_primitive::<C>(symbol), mapper)
    }
}

/// Lifts what is trained. Buffers stay plain: a lifted one refuses `to_device`, which batch norm calls.
struct Leaves<'a, 'b> {
    lifter: &'a mut Lifter<'b>,
    states: States,
}

impl Leaves<'_, '_> {
    /// The leaf of a placeholder; one for all occurrences, of which the gradients add up.
    fn leaf(&mut self, id: ParamId, symbol: Symbol) -> Leaf {
        let mut leaves = self.lifter.leaves.iter();
        if let Some((_, _, leaf)) = leaves.find(|(_, known, _)| *known == id) {
            return leaf.clone();
        }
        let mut ports = self.lifter.ports.iter();
        let port = ports.position(|port| port.tensor.id == symbol.id());
        let leaf = <AC as FloatTensorOps<AC>>::float_set_require_grad(AC::from_inner(symbol), true);
        if let Some(port) = port {
            self.lifter.leaves.push((port, id, leaf.clone()));
        }
        leaf
    }
}

impl ModuleMapper for Leaves<'_, '_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        if !self.states.trained.contains(&id) {
            return Param::from_mapped_value(id, value, mapper);
        }
        let value = match value.clone().try_into_primitive::<C>() {
            Ok(symbol) => Tensor::from_primitive::<AC>(self.leaf(id, symbol)),
            Err(_) => value,
        };
        Param::from_mapped_value(id, value, mapper)
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let value = self.states.flags.get(&flag.id).copied();
        let value = value.unwrap_or_else(|| flag.val().is_enabled());
        flag.with_value(value)
    }
}
