use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use super::MergeError;
use super::whole_models::downloaded;
use crate::space::float_tensors;

/// Named tensors that are read one at a time: a [`TensorMap`] in memory, or, with the feature `files`, a checkpoint.
pub trait TensorStore: fmt::Debug + Send + Sync {
    /// The names of all tensors.
    fn tensor_names(&self) -> Vec<String>;

    /// The tensor of this name; none if there is none.
    ///
    /// # Errors
    ///
    /// [`MergeError::File`] for files.
    fn tensor(&self, name: &str) -> Result<Option<TensorData>, MergeError>;

    /// The files that it reads, which a merge must not replace; none by default.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// Named tensors in memory: importances, Gram matrices, a model.
///
/// It has serde's traits, by which it can be stored in any format. With the feature `files` it can be written as a
/// checkpoint.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, TensorData};
/// use burnscape::merge::TensorMap;
///
/// let mut importances = TensorMap::new();
/// importances.insert("bias", TensorData::from([1.0_f32, 3.0]));
/// assert!(importances.get("weight").is_none());
///
/// let model = LinearConfig::new(3, 2).init(&Device::default());
/// let tensors = TensorMap::of_module(&model)?;
/// assert_eq!(tensors.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["bias", "weight"]);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TensorMap {
    tensors: BTreeMap<String, TensorData>,
}

impl TensorMap {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor. Returns the one that had its name.
    pub fn insert(&mut self, name: impl Into<String>, data: TensorData) -> Option<TensorData> {
        self.tensors.insert(name.into(), data)
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&TensorData> {
        self.tensors.get(name)
    }

    /// All tensors, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorData)> {
        let tensors = self.tensors.iter();
        tensors.map(|(name, data)| (name.as_str(), data))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The float tensors of a module, parameters and running statistics, by their paths; of a tied one by the first.
    ///
    /// # Cost
    ///
    /// One download for each tensor.
    ///
    /// # Errors
    ///
    /// [`MergeError::Space`] for quantized parameters, and for a device that fails.
    pub fn of_module<M: Module>(model: &M) -> Result<Self, MergeError> {
        let tensors = float_tensors(model)?.into_iter().map(|tensor| {
            let data = downloaded(&tensor, false)?;
            Ok((tensor.paths.into_iter().next().unwrap_or_default(), data))
        });
        tensors.collect()
    }
}

impl FromIterator<(String, TensorData)> for TensorMap {
    fn from_iter<I: IntoIterator<Item = (String, TensorData)>>(tensors: I) -> Self {
        Self {
            tensors: tensors.into_iter().collect(),
        }
    }
}

impl TensorStore for TensorMap {
    fn tensor_names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn tensor(&self, name: &str) -> Result<Option<TensorData>, MergeError> {
        Ok(self.get(name).cloned())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::f16;

    use super::*;

    #[test]
    fn maps_survive_text_and_bytes() {
        let mut map = TensorMap::new();
        map.insert(
            "a",
            TensorData::from([[1.0_f32, -0.1], [f32::MIN_POSITIVE, 3.0]]),
        );
        map.insert("b", TensorData::from([f16::from_f32(0.5)]));
        assert!(map.insert("b", TensorData::from([0.1_f64])).is_some());
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<TensorMap>(&text).unwrap(), map);
        let bytes = rmp_serde::to_vec(&map).unwrap();
        assert_eq!(rmp_serde::from_slice::<TensorMap>(&bytes).unwrap(), map);
        assert_eq!(map.tensor_names(), ["a", "b"]);
        assert_eq!(map.tensor("b").unwrap().as_ref(), map.get("b"));
        assert_eq!(map.tensor("c").unwrap(), None);
    }
}
