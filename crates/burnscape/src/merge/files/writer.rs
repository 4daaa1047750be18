//! Results are written beside their place, and moved there when they are complete.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Bytes;
use burn_pack::{AtomicFile, Scalar};

use super::output::Output;
use super::stored_type::StoredType;
use super::{burnpack, cannot_write, index, safetensors};
use crate::merge::MergeError;

/// A tensor that is to be written.
pub(super) struct Item {
    /// By which it is asked for.
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) kind: StoredType,
    pub(super) bytes: u64,
    pub(super) param_id: Option<u64>,
}

/// Makes the bytes of a tensor. Each is asked for once, and its bytes are dropped before the next one.
pub(super) type Produce = Arc<dyn Fn(usize) -> Result<Bytes, MergeError> + Send + Sync>;

/// What is written beside the tensors.
pub(super) struct Notes<'n> {
    pub(super) metadata: &'n BTreeMap<String, String>,
    pub(super) scalars: &'n BTreeMap<String, Scalar>,
}

/// Writes a checkpoint. After an error there is what was there before.
pub(super) fn write(
    output: Output,
    path: &Path,
    notes: &Notes<'_>,
    items: Vec<Item>,
    produce: &Produce,
) -> Result<(), MergeError> {
    let metadata = with_format(notes.metadata, output.format());
    match output {
        Output::Burnpack => burnpack::write(path, &metadata, notes.scalars, items, produce),
        Output::Safetensors => write_safetensors(path, &metadata, &items, produce),
        Output::Shards { largest } => {
            let shards = index::shards(items, largest);
            write_shards(path, &metadata, &shards, produce)
        }
    }
}

pub(super) fn write_safetensors(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    items: &[Item],
    produce: &Produce,
) -> Result<(), MergeError> {
    let (scratch, mut file) =
        AtomicFile::create(path).map_err(|error| cannot_write(path, error))?;
    safetensors::write(path, &mut file, metadata, items, produce)?;
    drop(file);
    scratch.commit().map_err(|error| cannot_write(path, error))
}

fn write_shards(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    shards: &[Vec<Item>],
    produce: &Produce,
) -> Result<(), MergeError> {
    let failed = |error: io::Error| cannot_write(path, error);
    let scratch = ScratchDirectory::beside(path).map_err(failed)?;
    for (number, items) in shards.iter().enumerate() {
        let place = scratch.path.join(index::shard_name(number, shards.len()));
        let mut file = File::create_new(place).map_err(failed)?;
        safetensors::write(path, &mut file, metadata, items, produce)?;
    }
    if shards.len() != 1 {
        let text = index::text(shards).map_err(|error| failed(error.into()))?;
        let mut file = File::create_new(scratch.path.join(index::NAME)).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
    }
    scratch.move_to(path).map_err(failed)
}

/// Metadata that name Burn's format of the file they come from name that of the file they are written to.
fn with_format(metadata: &BTreeMap<String, String>, format: &str) -> BTreeMap<String, String> {
    let mut metadata = metadata.clone();
    if let Some(known) = metadata.get_mut("format")
        && ["safetensors", "burnpack"].contains(&known.as_str())
    {
        *known = format.to_string();
    }
    metadata
}

/// A directory that is deleted unless it is moved to its place.
struct ScratchDirectory {
    path: PathBuf,
    is_moved: bool,
}

impl ScratchDirectory {
    fn beside(place: &Path) -> io::Result<Self> {
        let name = place.file_name();
        let name = name.ok_or_else(|| io::Error::other("the path does not end in a name"))?;
        let process = std::process::id();
        for number in 0..1000 {
            let mut scratch = name.to_os_string();
            scratch.push(format!(".{process}-{number}.tmp"));
            let path = place.with_file_name(scratch);
            match fs::create_dir(&path) {
                Ok(()) => {
                    let is_moved = false;
                    return Ok(Self { path, is_moved });
                }
                // Left by a process that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("there is no free name beside it"))
    }

    /// Takes the place of an empty directory, or of none.
    fn move_to(mut self, place: &Path) -> io::Result<()> {
        if place.is_dir() {
            fs::remove_dir(place)?;
        }
        fs::rename(&self.path, place)?;
        self.is_moved = true;
        // So that the new name survives a power failure. Not every system opens directories.
        let parent = place
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if let Ok(parent) = File::open(parent.unwrap_or(Path::new("."))) {
            drop(parent.sync_all());
        }
        Ok(())
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        if !self.is_moved {
            drop(fs::remove_dir_all(&self.path));
        }
    }
}
