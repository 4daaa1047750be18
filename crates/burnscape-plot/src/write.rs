//! Files that are there as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::PlotError;

/// Numbers the temporary files of this process.
static COUNTER: AtomicUsize = AtomicUsize::new(0);

/// Writes a file beside `path` and renames it, so that readers see the old content or the new one, and a failure leaves
/// nothing.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), PlotError> {
    let failed = |error: std::io::Error| PlotError::File {
        path: path.display().to_string(),
        message: error.to_string(),
    };
    let (temporary, mut file) = create_beside(path).map_err(failed)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}

fn create_beside(path: &Path) -> std::io::Result<(PathBuf, File)> {
    let name = path
        .file_name()
        .ok_or(std::io::ErrorKind::InvalidFilename)?;
    loop {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        hidden.push(format!(".{}-{number}", std::process::id()));
        let temporary = path.with_file_name(hidden);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((temporary, file)),
            // Left by another process that had this number.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
