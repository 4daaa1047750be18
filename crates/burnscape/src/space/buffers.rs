use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::module_path::ModulePath;
use super::read::Contexts;

/// The float values of a model that are not trained, running statistics above all, at one moment.
///
/// A forward pass in training writes to them, and through every clone. To undo such a pass (the
/// batch held a NaN, say), take a snapshot before it and restore it after.
///
/// # Cost
///
/// Two visits of the module; the tensors are shared, not copied.
#[derive(Debug, Clone)]
pub struct BufferSnapshot {
    /// One clone of each unrestricted tensor, by path and rank.
    values: HashMap<String, Box<dyn AnyTensor>>,
}

impl BufferSnapshot {
    /// Takes note of the present values.
    pub fn of<M: Module>(model: &M) -> Self {
        if Contexts::of(model).has_no_buffers() {
            return Self {
                values: HashMap::new(),
            };
        }
        // `valid` folds in the updates that wait for synchronization, and trained parameters are
        // told from buffers by what `train` makes require gradients.
        let trained = model.valid().train();
        let mut reader = Reader {
            place: ModulePath::default(),
            values: HashMap::new(),
        };
        trained.visit(&mut reader);
        Self {
            values: reader.values,
        }
    }

    /// Writes the values back, into `model` and everything it shares them with.
    pub fn restore<M: Module>(&self, model: M) -> M {
        // Updates that wait for synchronization would otherwise overwrite what is restored.
        drop(model.valid());
        let mut writer = Writer {
            place: ModulePath::default(),
            values: &self.values,
        };
        model.map(&mut writer)
    }
}

trait AnyTensor: std::fmt::Debug + Send {
    fn as_any(&self) -> &dyn std::any::Any;
    fn boxed(&self) -> Box<dyn AnyTensor>;
}

impl<const D: usize> AnyTensor for Tensor<D> {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn boxed(&self) -> Box<dyn AnyTensor> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn AnyTensor> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

struct Reader {
    place: ModulePath,
    values: HashMap<String, Box<dyn AnyTensor>>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.float_path();
        let value = param.base();
        if !value.is_require_grad() {
            self.values.insert(path, Box::new(value.inner()));
        }
    }
}

struct Writer<'a> {
    place: ModulePath,
    values: &'a HashMap<String, Box<dyn AnyTensor>>,
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.place.float_path();
        let value = self
            .values
            .get(&path)
            .and_then(|v| v.as_any().downcast_ref::<Tensor<D>>());
        let Some(value) = value else { return param };
        let (id, present, mapper) = param.consume();
        let context = super::context::ParamContext::of(&present);
        Param::from_mapped_value(id, context.restore(value.clone(), id), mapper)
    }
}
