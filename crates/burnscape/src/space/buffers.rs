use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::module_path::{ModulePath, follow_path};
use super::read::Contexts;

/// A snapshot of the float values of a model that are not trained, mostly running statistics.
///
/// A forward pass in training mode writes to them, and every clone of the model shares them. To undo such a
/// pass, for instance after a batch with a NaN, take a snapshot before it and restore it afterwards.
///
/// # Cost
///
/// Two visits of the module; the tensors are shared, not copied.
#[derive(Debug, Clone)]
pub struct BufferSnapshot {
    /// One clone of each tensor, by path.
    values: HashMap<String, Box<dyn AnyTensor>>,
}

impl BufferSnapshot {
    /// Records the current values.
    pub fn of<M: Module>(model: &M) -> Self {
        if Contexts::of(model).has_no_buffers() {
            return Self {
                values: HashMap::new(),
            };
        }
        // `valid` applies pending updates. Whatever requires gradients after `train` is a trained
        // parameter, everything else a buffer.
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

    /// Writes the values back to `model` and to every clone that shares them.
    pub fn restore<M: Module>(&self, model: M) -> M {
        // Applies pending updates, which would otherwise overwrite the restored values.
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
    follow_path!();

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
    follow_path!();

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
