//! The files of the workspace.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All files below `root`, relative to it and sorted, except those in hidden folders and build folders (which contain
/// Cargo's `CACHEDIR.TAG`).
pub(crate) fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    visit(root, Path::new(""), &mut found)?;
    found.sort();
    Ok(found)
}

fn visit(root: &Path, below: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_file() {
            found.push(path);
        } else if kind.is_dir() && !is_left_out(root, &path) {
            visit(root, &path, found)?;
        }
    }
    Ok(())
}

fn is_left_out(root: &Path, folder: &Path) -> bool {
    let is_hidden = folder
        .file_name()
        .and_then(OsStr::to_str)
        .is_some_and(|name| name.starts_with('.'));
    is_hidden || root.join(folder).join("CACHEDIR.TAG").exists()
}

/// The message for a file or folder that cannot be read, written or the like.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// Whether the file's extension is `extension`.
pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}
