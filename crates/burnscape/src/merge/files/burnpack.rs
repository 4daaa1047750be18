//! The burnpack format, by Burn's own reader and writer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn_pack::{Error, Reader, Scalar, Tensor, Writer};

use super::checkpoint::{Contents, StoredTensor};
use super::output::unsupported;
use super::place::Place;
use super::stored_type::StoredType;
use super::writer::{Item, Produce};
use super::{cannot_write, damaged, reason};
use crate::merge::MergeError;

/// Opens a file. Its sizes are checked, and its numbers are not read.
pub(super) fn open(path: &Path) -> Result<Contents, MergeError> {
    let unreadable = |error: Error| {
        let reason = reason(error);
        damaged(path, format!("is no whole burnpack file ({reason})"))
    };
    let reader = Reader::from_file_exact(path).map_err(unreadable)?;
    let (metadata, scalars) = (reader.metadata().clone(), reader.scalars().clone());
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors().map_err(unreadable)? {
        let (name, dtype, shape, param_id, bytes) = tensor.into_parts().map_err(unreadable)?;
        let (kind, len) = (StoredType::Burnpack(dtype), bytes.len() as u64);
        let shape = shape.as_slice().to_vec();
        let mut tensor = StoredTensor::new(name, shape, kind, len, path);
        tensor.param_id = param_id;
        tensors.push((tensor, Place::Window(bytes)));
    }
    Ok(Contents {
        tensors,
        metadata,
        scalars,
    })
}

/// Writes a file beside its place and moves it there at the end.
pub(super) fn write(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    scalars: &BTreeMap<String, Scalar>,
    items: Vec<Item>,
    produce: &Produce,
) -> Result<(), MergeError> {
    // Why a tensor was not made. The writer passes on a message only.
    let failure: Arc<Mutex<Option<MergeError>>> = Arc::default();
    let mut tensors = Vec::with_capacity(items.len());
    for item in items {
        let dtype = item.kind.in_burnpack();
        let dtype = dtype.ok_or_else(|| unsupported(path, &item))?;
        let (produce, failure) = (produce.clone(), failure.clone());
        let provider = move || {
            produce(item.index).map_err(|error| {
                let message = error.to_string();
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Error::ValidationError(message)
            })
        };
        let (len, id) = (item.bytes as usize, item.param_id);
        tensors.push(Tensor::deferred(
            item.name, dtype, item.shape, id, len, provider,
        ));
    }
    let mut writer = Writer::new(tensors).auto_extension(false);
    for (key, value) in metadata {
        writer = writer.with_metadata(key, value);
    }
    for (key, value) in scalars {
        writer = writer.with_scalar(key, *value);
    }
    writer.write_to_file(path).map_err(|error| {
        let failure = failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        failure.unwrap_or_else(|| cannot_write(path, error))
    })
}
