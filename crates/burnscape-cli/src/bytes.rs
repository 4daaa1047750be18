//! Tensors that are not floats, byte by byte.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burnscape::merge::StoredTensor;
use burnscape::prelude::Json;
use serde::{Deserialize, Serialize};

/// Bytes that are compared at a time.
const CHUNK: usize = 1 << 16;

/// What a header says about a tensor.
#[derive(Serialize, Deserialize)]
struct Described {
    /// Where it starts and ends after the header. What is noted about the whole file has none.
    #[serde(default)]
    data_offsets: Option<(u64, u64)>,
}

/// Where the tensors of some safetensors files start.
#[derive(Default)]
pub(crate) struct Starts(BTreeMap<PathBuf, BTreeMap<String, u64>>);

impl Starts {
    /// Whether two tensors have the same bytes; none if a file is not safetensors, or cannot be read.
    pub(crate) fn are_equal(&mut self, a: &StoredTensor, b: &StoredTensor) -> Option<bool> {
        if a.bytes != b.bytes {
            return Some(false);
        }
        let (mut of_a, mut of_b) = (self.at(a)?, self.at(b)?);
        let (mut chunk_a, mut chunk_b) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut rest = a.bytes;
        while rest > 0 {
            let len = rest.min(CHUNK as u64) as usize;
            of_a.read_exact(&mut chunk_a[..len]).ok()?;
            of_b.read_exact(&mut chunk_b[..len]).ok()?;
            if chunk_a[..len] != chunk_b[..len] {
                return Some(false);
            }
            rest -= len as u64;
        }
        Some(true)
    }

    /// A file, at the start of a tensor.
    fn at(&mut self, tensor: &StoredTensor) -> Option<File> {
        if tensor.file.extension()? != "safetensors" {
            return None;
        }
        let starts = match self.0.entry(tensor.file.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(read(&tensor.file).ok()?),
        };
        let start = *starts.get(&tensor.name)?;
        let mut file = File::open(&tensor.file).ok()?;
        file.seek(SeekFrom::Start(start)).ok()?;
        Some(file)
    }
}

/// Where each tensor of a file starts. The library has checked the header.
fn read(path: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut file = File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut text = String::new();
    Read::by_ref(&mut file)
        .take(length)
        .read_to_string(&mut text)?;
    let entries = BTreeMap::<String, Described>::from_json(&text);
    let entries = entries.map_err(|error| io::Error::other(error.to_string()))?;
    let starts = entries.into_iter().filter_map(|(name, entry)| {
        let (start, _) = entry.data_offsets?;
        Some((name, 8 + length + start))
    });
    Ok(starts.collect())
}
