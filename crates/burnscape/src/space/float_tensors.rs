//! All float tensors of a module by path: parameters, trainable or frozen, and running statistics.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor};

use super::SpaceError;
use super::module_path::{ModulePath, follow_path};
use super::read::Contexts;
use super::write::{Edit, Purpose, edited_copy};

/// A float tensor of a module.
#[derive(Debug, Clone)]
pub(crate) struct FloatTensor {
    /// The path of its first occurrence, and the other paths of the same tensor (weight tying).
    pub(crate) paths: Vec<String>,
    pub(crate) shape: Vec<usize>,
    /// Whether it cannot require gradients.
    pub(crate) is_running_statistic: bool,
    /// Flat, without autodiff.
    pub(crate) values: Tensor<1>,
    id: ParamId,
}

/// The float tensors of a module in visit order, each once.
///
/// # Cost
///
/// A few visits of the module. Tensors are shared, not copied; lazy parameters are initialized.
///
/// # Errors
///
/// [`SpaceError::Quantized`].
pub(crate) fn float_tensors<M: Module>(model: &M) -> Result<Vec<FloatTensor>, SpaceError> {
    // Applies pending updates of running statistics.
    let plain = model.valid();
    let mut reader = Reader {
        // Everything that requires gradients after unfreezing is a parameter.
        unfrozen: Contexts::of(&plain.clone().unfreeze().train()),
        ..Reader::default()
    };
    plain.visit(&mut reader);
    match reader.failure {
        Some(failure) => Err(failure),
        None => Ok(reader.found),
    }
}

/// A copy of `model` with new flat values of some of its float tensors, which must be those of `model`. It shares no
/// state with `model`, and everything else is preserved: autodiff, what requires gradients, checkpointing strategy,
/// flags and ties.
pub(crate) fn with_values<'t, M: Module>(
    model: &M,
    values: impl IntoIterator<Item = (&'t FloatTensor, Tensor<1>)>,
) -> M {
    let values = values.into_iter();
    let edits: HashMap<ParamId, Edit> = values
        .map(|(tensor, values)| (tensor.id, Edit::Set(values)))
        .collect();
    edited_copy(model, Purpose::Same, edits)
}

#[derive(Default)]
struct Reader {
    /// The contexts of all float tensors after unfreezing.
    unfrozen: Contexts,
    place: ModulePath,
    position: usize,
    index: HashMap<ParamId, usize>,
    found: Vec<FloatTensor>,
    failure: Option<SpaceError>,
}

impl ModuleVisitor for Reader {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.float_path();
        let context = self.unfrozen.floats.get(self.position);
        let is_running_statistic = context.is_some_and(|(_, context)| !context.is_require_grad());
        self.position += 1;
        if let Some(&known) = self.index.get(&param.id) {
            self.found[known].paths.push(path);
            return;
        }
        let values = param.base().inner();
        if let DType::QFloat(_) = values.dtype() {
            let dtype = format!("{:?}", values.dtype());
            self.failure
                .get_or_insert(SpaceError::Quantized { path, dtype });
            return;
        }
        let shape = values.shape().as_slice().to_vec();
        let len: usize = shape.iter().product();
        self.index.insert(param.id, self.found.len());
        self.found.push(FloatTensor {
            paths: vec![path],
            shape,
            is_running_statistic,
            // A length of zero in a reshape would mean that the axis stays.
            values: if len == 0 {
                Tensor::empty([0], (&values.device(), values.dtype()))
            } else {
                values.reshape([len])
            },
            id: param.id,
        });
    }
}
