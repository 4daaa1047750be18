//! The state of a Burn optimizer, moved to parameters with other identifiers.

use std::collections::HashMap;

use burn::tensor::Bytes;
use burn_pack::{Reader, Tensor, Writer};

use super::OptimError;
use super::record::failed;

/// Burn stores the states of an optimizer under the identifiers of parameters, which are random. They differ in a
/// rebuilt model, and in one that was read from a file with tensors only.
///
/// A record is a burnpack whose tensors and scalars are named `IDENTIFIER.FIELD`, and whose metadata give
/// the path of each identifier.
pub(super) fn renamed(
    record: Vec<u8>,
    identifiers: &HashMap<u64, u64>,
) -> Result<Vec<u8>, OptimError> {
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(record)).map_err(failed)?;
    let of = |name: &str| -> Option<String> {
        let (id, field) = name.split_once('.').unwrap_or((name, ""));
        let id = identifiers.get(&id.parse().ok()?)?;
        Some(if name.contains('.') {
            format!("{id}.{field}")
        } else {
            id.to_string()
        })
    };
    let new = |name: &String| of(name).unwrap_or_else(|| name.clone());
    let metadata = reader.metadata().clone();
    let scalars = reader.scalars().clone();
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors().map_err(failed)? {
        let (name, dtype, shape, id, bytes) = tensor.into_parts().map_err(failed)?;
        let id = id.map(|id| identifiers.get(&id).copied().unwrap_or(id));
        tensors.push(Tensor::new(new(&name), dtype, shape, id, bytes));
    }
    let mut writer = Writer::new(tensors);
    for (name, value) in &scalars {
        writer = writer.with_scalar(&new(name), *value);
    }
    for (name, value) in &metadata {
        writer = writer.with_metadata(&new(name), value);
    }
    Ok(writer.into_bytes().map_err(failed)?.to_vec())
}
