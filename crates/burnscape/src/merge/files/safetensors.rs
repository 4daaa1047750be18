//! The safetensors format: eight bytes with the length of a header, the header in JSON, and the numbers.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use ::safetensors::tensor::TensorInfo;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::checkpoint::{Contents, StoredTensor};
use super::output::unsupported;
use super::place::Place;
use super::stored_type::StoredType;
use super::writer::{Item, Produce};
use super::{cannot_write, damaged, reason, refused};
use crate::merge::MergeError;

const METADATA: &str = "__metadata__";

/// The bytes that say how long the header is.
const LENGTH: u64 = 8;

/// The longest header that readers of the format accept.
const LONGEST_HEADER: u64 = 100_000_000;

/// Opens a file. Its sizes are checked, and its numbers are not read.
pub(super) fn open(path: &Path) -> Result<Contents, MergeError> {
    let unreadable =
        |error: io::Error| damaged(path, format!("cannot be read ({})", reason(error)));
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let (header, start) = read_header(path, &mut file, size)?;
    check_offsets(path, &header.tensors, size - start)?;

    let file = Arc::new(Mutex::new(file));
    let tensors = header.tensors.into_iter().map(|(name, info)| {
        let (begin, end) = info.data_offsets;
        let kind = StoredType::Safetensors(info.dtype);
        let bytes = (end - begin) as u64;
        let place = Place::Offset {
            file: file.clone(),
            start: start + begin as u64,
        };
        let tensor = StoredTensor::new(name, info.shape, kind, bytes, path);
        (tensor, place)
    });
    Ok(Contents {
        tensors: tensors.collect(),
        metadata: header.metadata,
        scalars: BTreeMap::new(),
    })
}

/// The header, and where the numbers start.
fn read_header(path: &Path, file: &mut File, size: u64) -> Result<(Header, u64), MergeError> {
    let unreadable = |error: io::Error| {
        let reason = reason(error);
        damaged(path, format!("its header cannot be read ({reason})"))
    };
    if size < LENGTH {
        let what = format!("ends early: it has {size} bytes, and {LENGTH} are the least");
        return Err(damaged(path, what));
    }
    let mut length = [0; LENGTH as usize];
    file.read_exact(&mut length).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        let what = format!("{length} bytes, and {LONGEST_HEADER} is the most");
        return Err(another_format(path, &what));
    }
    if LENGTH + length > size {
        // Archives and pickled objects begin with what reads as some length, and go on with no header.
        if size > LENGTH {
            let mut first = [0];
            file.read_exact(&mut first).map_err(unreadable)?;
            if first != *b"{" {
                let what = format!("{length} bytes, and the file has {size}");
                return Err(another_format(path, &what));
            }
        }
        let what = format!("ends early: it has {size} bytes, and its header alone {length}");
        return Err(damaged(path, what));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text).map_err(unreadable)?;
    let header = serde_json::from_slice(&text).map_err(|error| {
        let what = format!("its header is not the JSON of a safetensors file ({error})");
        damaged(path, what)
    })?;
    Ok((header, LENGTH + length))
}

/// A file whose first bytes are no length of a header.
fn another_format(path: &Path, what: &str) -> MergeError {
    let message = format!(
        "is not a safetensors file: its header would have {what}; convert it to safetensors, or \
         download it again"
    );
    refused(path, message)
}

/// Refuses tensors that overlap, leave gaps, have other sizes than their shapes, or are not all there.
fn check_offsets(
    path: &Path,
    tensors: &[(String, TensorInfo)],
    available: u64,
) -> Result<(), MergeError> {
    let mut ordered: Vec<&(String, TensorInfo)> = tensors.iter().collect();
    ordered.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in ordered {
        let (begin, own_end) = info.data_offsets;
        if begin != end || own_end < begin {
            let what = format!(
                "`{name}` is at bytes {begin} to {own_end} of the numbers, and those before it end \
                 at {end}"
            );
            return Err(damaged(path, what));
        }
        let count = info
            .shape
            .iter()
            .try_fold(1_usize, |count, &size| count.checked_mul(size));
        let bits = count.and_then(|count| count.checked_mul(info.dtype.bitsize()));
        if bits.filter(|bits| bits % 8 == 0).map(|bits| bits / 8) != Some(own_end - begin) {
            let what = format!(
                "`{name}` has {} bytes, which is not the size of {:?} {}",
                own_end - begin,
                info.shape,
                info.dtype
            );
            return Err(damaged(path, what));
        }
        end = own_end;
    }
    let needed = end as u64;
    if needed > available {
        let what = format!(
            "ends early: its tensors have {needed} bytes, and {available} follow the header"
        );
        return Err(damaged(path, what));
    }
    if needed < available {
        let what = format!("{} bytes follow its last tensor", available - needed);
        return Err(damaged(path, what));
    }
    Ok(())
}

/// Writes a file from the beginning. Tensors are sorted as every writer of the format sorts them: by the alignment of
/// their elements, then by name.
pub(super) fn write(
    path: &Path,
    file: &mut File,
    metadata: &BTreeMap<String, String>,
    items: &[Item],
    produce: &Produce,
) -> Result<(), MergeError> {
    let failed = |error: io::Error| cannot_write(path, error);
    let mut typed = Vec::with_capacity(items.len());
    for item in items {
        let dtype = item.kind.in_safetensors();
        typed.push((dtype.ok_or_else(|| unsupported(path, item))?, item));
    }
    typed.sort_by(|(dtype, item), (other_dtype, other)| {
        other_dtype
            .cmp(dtype)
            .then_with(|| item.name.cmp(&other.name))
    });

    let mut end = 0;
    let tensors = typed.iter().map(|(dtype, item)| {
        let begin = end;
        end += item.bytes as usize;
        let info = TensorInfo {
            dtype: *dtype,
            shape: item.shape.clone(),
            data_offsets: (begin, end),
        };
        (item.name.clone(), info)
    });
    let header = Header {
        tensors: tensors.collect(),
        metadata: metadata.clone(),
    };
    let mut text = serde_json::to_vec(&header).map_err(|error| failed(error.into()))?;
    text.resize(text.len().next_multiple_of(LENGTH as usize), b' ');

    let mut writer = BufWriter::new(&mut *file);
    writer
        .write_all(&(text.len() as u64).to_le_bytes())
        .map_err(failed)?;
    writer.write_all(&text).map_err(failed)?;
    for (_, item) in typed {
        let bytes = produce(item.index)?;
        writer.write_all(&bytes).map_err(failed)?;
    }
    writer.flush().map_err(failed)?;
    drop(writer);
    file.sync_all().map_err(failed)
}

/// The header of a file. Unlike the one of the crate `safetensors`, it refuses names that occur twice, and it writes
/// metadata in one order.
struct Header {
    tensors: Vec<(String, TensorInfo)>,
    metadata: BTreeMap<String, String>,
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, &self.metadata)?;
        }
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from names to tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header {
            tensors: Vec::new(),
            metadata: BTreeMap::new(),
        };
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("`{name}` occurs twice")));
            }
            if name == METADATA {
                let metadata: Option<BTreeMap<String, String>> = map.next_value()?;
                header.metadata = metadata.unwrap_or_default();
            } else {
                header.tensors.push((name, map.next_value()?));
            }
        }
        Ok(header)
    }
}
