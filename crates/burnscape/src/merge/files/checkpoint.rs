use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Bytes, DType, TensorData};
use burn_pack::Scalar;

use super::place::{Place, zeros};
use super::stored_type::StoredType;
use super::{burnpack, index, reason, refused, safetensors};
use crate::merge::MergeError;
use crate::merge::plan::sample_ranges;

/// A checkpoint in files: one safetensors or burnpack (`.bpk`) file, or safetensors shards with an index. Only headers
/// are read until a tensor is asked for.
///
/// Clones share what is open. Leave the files as they are as long as one of them exists.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{CheckpointFile, TensorMap};
///
/// let path = std::env::temp_dir().join(format!("checkpoint-{}.safetensors", std::process::id()));
/// let mut map = TensorMap::new();
/// map.insert("bias", TensorData::new(vec![1.0_f32, 2.0], [2]));
/// map.write(&path)?;
///
/// let checkpoint = CheckpointFile::open(&path)?;
/// let bias = &checkpoint.tensors()[0];
/// assert_eq!((bias.name.as_str(), bias.dtype.as_str(), bias.bytes), ("bias", "f32", 8));
/// assert_eq!(checkpoint.read("bias")?, TensorData::new(vec![1.0_f32, 2.0], [2]));
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Clone)]
pub struct CheckpointFile {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// The file or index that is read: of a directory the one in it.
    file: PathBuf,
    /// By name.
    tensors: Vec<StoredTensor>,
    /// Where each tensor is.
    places: Vec<Place>,
    metadata: BTreeMap<String, String>,
    scalars: BTreeMap<String, Scalar>,
    bytes_read: AtomicU64,
}

/// What is in a file or in several, before it is sorted.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) tensors: Vec<(StoredTensor, Place)>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) scalars: BTreeMap<String, Scalar>,
}

/// A tensor of a [`CheckpointFile`], as a header describes it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredTensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The type of its elements: `f32`, `bf16`, `i64`, `bool`, `f8_e4m3`, `qfloat`, …
    pub dtype: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The file that has it.
    pub file: PathBuf,
    pub(super) kind: StoredType,
    pub(super) param_id: Option<u64>,
}

impl StoredTensor {
    pub(super) fn new(
        name: String,
        shape: Vec<usize>,
        kind: StoredType,
        bytes: u64,
        file: &Path,
    ) -> Self {
        Self {
            name,
            shape,
            dtype: kind.name(),
            bytes,
            file: file.to_path_buf(),
            kind,
            param_id: None,
        }
    }

    /// Whether its elements are f16, bf16, f32 or f64. Merges copy all others.
    pub fn is_float(&self) -> bool {
        self.kind.float().is_some()
    }

    /// The number of elements.
    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

impl CheckpointFile {
    /// Opens a `.safetensors` or `.bpk` file, the `.index.json` of safetensors shards, or a directory that has one such
    /// index, or else one such file.
    ///
    /// # Cost
    ///
    /// The headers are read, and the sizes that they say are compared with the files.
    ///
    /// # Errors
    ///
    /// [`MergeError::File`] for a path without a checkpoint or with several, for another format, for a file that ends
    /// early or has a header that cannot be right, and for an index that does not agree with its shards.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, MergeError> {
        let path = path.as_ref();
        let metadata = fs::metadata(path).map_err(|error| {
            let message = format!(
                "cannot be opened ({}); pass the path of a checkpoint that exists",
                reason(error)
            );
            refused(path, message)
        })?;
        let file = if metadata.is_dir() {
            only_checkpoint(path)?
        } else {
            path.to_path_buf()
        };
        let mut contents = contents(&file)?;
        contents
            .tensors
            .sort_by(|(tensor, _), (other, _)| tensor.name.cmp(&other.name));
        let (tensors, places) = contents.tensors.into_iter().unzip();
        let inner = Inner {
            path: path.to_path_buf(),
            file,
            tensors,
            places,
            metadata: contents.metadata,
            scalars: contents.scalars,
            bytes_read: AtomicU64::new(0),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The path with which it was opened.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// All tensors, by name.
    pub fn tensors(&self) -> &[StoredTensor] {
        &self.inner.tensors
    }

    /// What its writer noted about the whole checkpoint; of shards, what the first one says.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.inner.metadata
    }

    /// How many bytes of tensors have been read so far, by all clones. Headers do not count.
    pub fn bytes_read(&self) -> u64 {
        self.inner.bytes_read.load(Ordering::Relaxed)
    }

    /// Reads a tensor of f16, bf16, f32 or f64 numbers, in that type.
    ///
    /// # Errors
    ///
    /// [`MergeError::File`] if there is no such tensor, if its elements are of another type, and if it cannot be read.
    pub fn read(&self, name: &str) -> Result<TensorData, MergeError> {
        match self.find(name) {
            Some(index) => self.read_at(index),
            None => {
                let message = format!("has no tensor `{name}`; `tensors` has all names");
                Err(refused(self.path(), message))
            }
        }
    }

    /// The index of a tensor.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let tensors = &self.inner.tensors;
        let found = tensors.binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        found.ok()
    }

    pub(super) fn scalars(&self) -> &BTreeMap<String, Scalar> {
        &self.inner.scalars
    }

    /// Its path, its index, and all files that have tensors.
    pub(super) fn paths(&self) -> BTreeSet<&Path> {
        let files = self
            .inner
            .tensors
            .iter()
            .map(|tensor| tensor.file.as_path());
        let own = [self.path(), self.inner.file.as_path()];
        files.chain(own).collect()
    }

    pub(super) fn read_at(&self, index: usize) -> Result<TensorData, MergeError> {
        let dtype = self.float(index)?;
        let bytes = self.all(index, dtype.size())?;
        let shape = self.inner.tensors[index].shape.clone();
        self.numbers(index, bytes, shape, dtype)
    }

    /// Some numbers of a tensor, flat, unless they are all; see [`sample_ranges`].
    pub(super) fn sample_at(&self, index: usize) -> Result<TensorData, MergeError> {
        let (tensor, place) = (&self.inner.tensors[index], &self.inner.places[index]);
        let (dtype, ranges) = (self.float(index)?, sample_ranges(tensor.len()));
        let count: usize = ranges.iter().map(Range::len).sum();
        if count == tensor.len() {
            return self.read_at(index);
        }
        let size = dtype.size();
        let mut bytes = zeros(count * size, size);
        let mut rest: &mut [u8] = &mut bytes;
        for range in ranges {
            let (part, others) = std::mem::take(&mut rest).split_at_mut(range.len() * size);
            let filled = place.fill(range.start * size, part);
            filled.map_err(|message| refused(&tensor.file, message))?;
            rest = others;
        }
        self.count(count * size);
        self.numbers(index, bytes, vec![count], dtype)
    }

    /// The bytes of a tensor of any type.
    pub(super) fn bytes_at(&self, index: usize) -> Result<Bytes, MergeError> {
        self.all(index, 1)
    }

    fn all(&self, index: usize, element: usize) -> Result<Bytes, MergeError> {
        let tensor = &self.inner.tensors[index];
        let len = tensor.bytes as usize;
        let bytes = self.inner.places[index].all(len, element);
        let bytes = bytes.map_err(|message| refused(&tensor.file, message))?;
        self.count(len);
        Ok(bytes)
    }

    fn float(&self, index: usize) -> Result<DType, MergeError> {
        let tensor = &self.inner.tensors[index];
        tensor.kind.float().ok_or_else(|| {
            let message = format!(
                "`{}` is {}; only f16, bf16, f32 and f64 tensors are read as numbers",
                tensor.name, tensor.dtype
            );
            refused(&tensor.file, message)
        })
    }

    fn numbers(
        &self,
        index: usize,
        bytes: Bytes,
        shape: Vec<usize>,
        dtype: DType,
    ) -> Result<TensorData, MergeError> {
        TensorData::try_from_bytes(bytes, shape, dtype).map_err(|error| {
            let tensor = &self.inner.tensors[index];
            let message = format!("`{}`: {error}; copy or write the file again", tensor.name);
            refused(&tensor.file, message)
        })
    }

    fn count(&self, bytes: usize) {
        let counter = &self.inner.bytes_read;
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl fmt::Debug for CheckpointFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointFile")
            .field("path", &self.inner.path)
            .field("num_tensors", &self.inner.tensors.len())
            .finish_non_exhaustive()
    }
}

/// What is in a file, or in the shards of an index, by the ending of its name.
fn contents(path: &Path) -> Result<Contents, MergeError> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if name.ends_with(index::ENDING) {
        return index::open(path);
    }
    match path.extension().and_then(OsStr::to_str) {
        Some("safetensors") => safetensors::open(path),
        Some(burn_pack::EXTENSION) => burnpack::open(path),
        _ if is_of_pytorch(name) => {
            let message = "is a PyTorch file by its name, which is not read here; convert it to \
                           safetensors";
            Err(refused(path, message))
        }
        _ => {
            let message = "its name does not say that it is a checkpoint that can be read; use a \
                           `.safetensors`, `.bpk` or `.index.json` file, and convert others";
            Err(refused(path, message))
        }
    }
}

/// Whether a name is one that PyTorch's own files have.
fn is_of_pytorch(name: &str) -> bool {
    let endings = [".bin", ".pt", ".pth", ".ckpt"];
    endings.iter().any(|ending| name.ends_with(ending))
}

/// The index of a directory, or its only file.
fn only_checkpoint(directory: &Path) -> Result<PathBuf, MergeError> {
    let unreadable = |error: std::io::Error| {
        let reason = reason(error);
        let message = format!("its files cannot be listed ({reason}); pass the path of a file");
        refused(directory, message)
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        names.extend(entry.map_err(unreadable)?.file_name().into_string());
    }
    names.sort();
    let indices = names
        .iter()
        .filter(|name| name.ends_with(&format!(".safetensors{}", index::ENDING)));
    let mut found: Vec<&String> = indices.collect();
    if found.is_empty() {
        let files = names.iter();
        found = files
            .filter(|name| name.ends_with(".safetensors") || name.ends_with(".bpk"))
            .collect();
    }
    match found.as_slice() {
        [name] => Ok(directory.join(name)),
        [] if names.iter().any(|name| is_of_pytorch(name)) => {
            let message = "the directory has PyTorch files and no `.safetensors` file; convert the \
                           checkpoint to safetensors";
            Err(refused(directory, message))
        }
        [] => {
            let message = "the directory has no `.safetensors` file, no `.safetensors.index.json` \
                           and no `.bpk` file; pass one that has";
            Err(refused(directory, message))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            let message = format!(
                "the directory has several checkpoints: `{}`; pass the path of one of them",
                names.join("`, `")
            );
            Err(refused(directory, message))
        }
    }
}
