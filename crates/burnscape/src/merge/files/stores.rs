//! Checkpoints as named tensors, and named tensors as files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Bytes, TensorData};

use super::CheckpointFile;
use super::stored_type::StoredType;
use super::writer::{Item, Produce, write_safetensors};
use crate::merge::{MergeError, TensorMap, TensorStore};

impl TensorStore for CheckpointFile {
    fn tensor_names(&self) -> Vec<String> {
        let floats = self.tensors().iter().filter(|tensor| tensor.is_float());
        floats.map(|tensor| tensor.name.clone()).collect()
    }

    fn tensor(&self, name: &str) -> Result<Option<TensorData>, MergeError> {
        match self.find(name) {
            Some(index) => self.read_at(index).map(Some),
            None => Ok(None),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        self.paths().into_iter().map(Path::to_path_buf).collect()
    }
}

impl TensorMap {
    /// Writes a safetensors file (feature `files`), which [`CheckpointFile::open`] reads. It is written beside its
    /// place and moved there at the end.
    ///
    /// # Cost
    ///
    /// A copy of the tensors.
    ///
    /// # Errors
    ///
    /// [`MergeError::File`] if the file cannot be written, and for quantized tensors, which the format does not have.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::tensor::Device;
    /// use burnscape::merge::{CheckpointFile, TensorMap};
    ///
    /// let path = std::env::temp_dir().join(format!("map-{}.safetensors", std::process::id()));
    /// let map = TensorMap::of_module(&LinearConfig::new(3, 2).init(&Device::default()))?;
    /// map.write(&path)?;
    /// let read = CheckpointFile::open(&path)?;
    /// assert_eq!(Some(&read.read("weight")?), map.get("weight"));
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), burnscape::merge::MergeError>(())
    /// ```
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), MergeError> {
        let (mut items, mut all) = (Vec::new(), Vec::new());
        for (index, (name, data)) in self.iter().enumerate() {
            items.push(Item {
                index,
                name: name.to_string(),
                shape: data.shape().as_slice().to_vec(),
                kind: StoredType::Burnpack(data.dtype()),
                bytes: data.bytes().len() as u64,
                param_id: None,
            });
            all.push(data.bytes().clone());
        }
        let produce: Produce = Arc::new(move |index: usize| -> Result<Bytes, MergeError> {
            let bytes: &Bytes = &all[index];
            Ok(bytes.clone())
        });
        write_safetensors(path.as_ref(), &BTreeMap::new(), &items, &produce)
    }
}
