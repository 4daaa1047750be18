//! What is known of the tensors of each model beside their values.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::tensor::TensorData;

use crate::merge::{MergeError, TensorStore};

/// A store of statistics for each model, in the order of the models.
#[derive(Debug, Clone)]
pub(super) struct Stores {
    stores: Vec<Arc<dyn TensorStore>>,
    /// The tensors that some store has.
    names: Arc<BTreeSet<String>>,
}

impl Stores {
    pub(super) fn new(stores: Vec<Arc<dyn TensorStore>>) -> Self {
        let names = stores.iter().flat_map(|store| store.tensor_names());
        Self {
            names: Arc::new(names.collect()),
            stores,
        }
    }

    /// Whether some store has the statistics of a tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether no store has any.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns an error unless there is a store for each model.
    pub(super) fn check(&self, method: &str, num_models: usize) -> Result<(), MergeError> {
        if self.stores.len() == num_models {
            return Ok(());
        }
        Err(MergeError::NumModels {
            method: method.to_string(),
            found: num_models,
            expected: format!("{}, one for each store of statistics", self.stores.len()),
        })
    }

    /// The statistics of a tensor, a model after the other; `None` if no store has them.
    pub(super) fn of(&self, name: &str) -> Result<Option<Vec<TensorData>>, MergeError> {
        if !self.has(name) {
            return Ok(None);
        }
        let all = self.stores.iter().enumerate().map(|(model, store)| {
            store.tensor(name)?.ok_or_else(|| {
                let message =
                    format!("those of model {model} are missing; collect them for every model");
                unusable(name, message)
            })
        });
        all.collect::<Result<Vec<TensorData>, MergeError>>()
            .map(Some)
    }
}

/// The error for statistics that cannot be used.
pub(super) fn unusable(tensor: &str, message: String) -> MergeError {
    MergeError::Statistics {
        tensor: tensor.to_string(),
        message,
    }
}
