use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use super::{ParamSpace, SpaceError};

/// A cache for code that needs the space of a model in every step.
///
/// Reading a space copies the structure of the module; comparing it with the cached one takes one visit.
/// Clones share the cache.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpaceCache(Arc<Mutex<Option<(Signature, ParamSpace)>>>);

impl SpaceCache {
    /// Same as [`ParamSpace::of`].
    pub(crate) fn of<M: Module>(&self, model: &M) -> Result<ParamSpace, SpaceError> {
        let signature = Signature::of(model);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((known, space)) if *known == signature => Ok(space.clone()),
            _ => {
                let space = ParamSpace::of(model)?;
                // Reading the space may have initialized lazy parameters.
                *kept = Some((Signature::of(model), space.clone()));
                Ok(space)
            }
        }
    }
}

/// Everything in a model that its space depends on.
#[derive(Debug, Clone, PartialEq)]
struct Signature {
    structure: u64,
    devices: Vec<Device>,
}

impl Signature {
    fn of<M: Module>(model: &M) -> Self {
        let mut reader = Reader {
            hasher: DefaultHasher::new(),
            devices: Vec::new(),
        };
        model.visit(&mut reader);
        Self {
            structure: reader.hasher.finish(),
            devices: reader.devices,
        }
    }
}

struct Reader {
    hasher: DefaultHasher,
    devices: Vec<Device>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        name.hash(&mut self.hasher);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        // Closes the name, so that a/b and ab differ.
        0_u8.hash(&mut self.hasher);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.base();
        param.id.hash(&mut self.hasher);
        value.is_require_grad().hash(&mut self.hasher);
        value.dtype().hash(&mut self.hasher);
        value.shape().as_slice().hash(&mut self.hasher);
        let device = value.device();
        if self.devices.last() != Some(&device) {
            self.devices.push(device);
        }
    }
}
