//! Where a result goes, and in which format.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::writer::Item;
use super::{cannot_write, refused};
use crate::merge::MergeError;
use crate::range::ensure;

/// The format of a result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Output {
    Safetensors,
    Burnpack,
    /// A directory of safetensors files.
    Shards {
        /// The size of a shard in bytes.
        largest: u64,
    },
}

impl Output {
    /// By the extension of the path, or by the size of shards.
    pub(super) fn of(path: &Path, max_shard_size: Option<u64>) -> Result<Self, MergeError> {
        if let Some(size) = max_shard_size {
            ensure("max_shard_size", size as f64, 1.0..)?;
        }
        let format = match path.extension().and_then(OsStr::to_str) {
            Some("safetensors") => Some(Self::Safetensors),
            Some(burn_pack::EXTENSION) => Some(Self::Burnpack),
            _ => None,
        };
        match (format, max_shard_size) {
            (Some(format), None) => Ok(format),
            (None, Some(largest)) => Ok(Self::Shards { largest }),
            (Some(_), Some(_)) => {
                let message = "shards are written to a directory, and this is the name of a file; \
                               use a name without extension, or no maximum size of shards";
                Err(refused(path, message))
            }
            (None, None) => {
                let message = "its name does not say in which format the result is written; use \
                               the extension `.safetensors` or `.bpk`, or a directory and a \
                               maximum size of shards";
                Err(refused(path, message))
            }
        }
    }

    /// As Burn's metadata call it.
    pub(super) fn format(self) -> &'static str {
        match self {
            Self::Safetensors | Self::Shards { .. } => "safetensors",
            Self::Burnpack => "burnpack",
        }
    }

    /// Refuses a tensor of a type that the format does not have.
    pub(super) fn check_types(self, path: &Path, items: &[Item]) -> Result<(), MergeError> {
        let is_known = |item: &Item| match self {
            Self::Safetensors | Self::Shards { .. } => item.kind.in_safetensors().is_some(),
            Self::Burnpack => item.kind.in_burnpack().is_some(),
        };
        match items.iter().find(|item| !is_known(item)) {
            Some(item) => Err(unsupported(path, item)),
            None => Ok(()),
        }
    }

    /// Refuses a path at which the result cannot be written, or would replace an input.
    pub(super) fn check(self, path: &Path, inputs: &[PathBuf]) -> Result<(), MergeError> {
        if let Some(file) = inputs.iter().find(|file| is_same(file, path)) {
            let message = format!(
                "the result would replace an input, `{}`; use another path",
                file.display()
            );
            return Err(refused(path, message));
        }
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if parent.is_some_and(|parent| !parent.is_dir()) {
            let message = "the folder of the result does not exist; make it first";
            return Err(refused(path, message));
        }
        match self {
            Self::Shards { .. } => check_directory(path),
            _ if path.is_dir() => {
                let message = "is a directory; use the path of a file, or set a maximum size of \
                               shards and the path of a directory";
                Err(refused(path, message))
            }
            _ => Ok(()),
        }
    }
}

/// A tensor of a type that the format of the path does not have, but that of the inputs does.
pub(super) fn unsupported(path: &Path, item: &Item) -> MergeError {
    let message = format!(
        "`{}` is {}, and the format of the result has no such type; write the format of the inputs",
        item.name,
        item.kind.name()
    );
    refused(path, message)
}

/// Whether two paths lead to one file, through symbolic or hard links.
fn is_same(a: &Path, b: &Path) -> bool {
    let paths = fs::canonicalize(a).ok().zip(fs::canonicalize(b).ok());
    paths.is_some_and(|(a, b)| a == b) || is_hard_linked(a, b)
}

#[cfg(unix)]
fn is_hard_linked(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let files = fs::metadata(a).ok().zip(fs::metadata(b).ok());
    files.is_some_and(|(a, b)| (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

#[cfg(not(unix))]
fn is_hard_linked(_: &Path, _: &Path) -> bool {
    false
}

/// Refuses what shards would replace.
fn check_directory(path: &Path) -> Result<(), MergeError> {
    // With a slash at the end a path is what its link leads to.
    let link: PathBuf = path.components().collect();
    if fs::symlink_metadata(link).is_ok_and(|metadata| metadata.is_symlink()) {
        let message = "is a link, and shards replace a directory; use the path it leads to";
        return Err(refused(path, message));
    }
    if !path.is_dir() {
        return match fs::symlink_metadata(path) {
            Ok(_) => {
                let message = "is a file, and shards are written to a directory; use another path";
                Err(refused(path, message))
            }
            Err(_) => Ok(()),
        };
    }
    let mut entries = fs::read_dir(path).map_err(|error| cannot_write(path, error))?;
    if entries.next().is_some() {
        let message = "the directory is not empty; delete it, or use another path";
        return Err(refused(path, message));
    }
    Ok(())
}
