//! Pictures that are kept to be looked at.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tree::cannot;

/// A folder for the pictures of one page, if somebody wants them.
pub(super) struct Album {
    folder: Option<PathBuf>,
    page: String,
}

impl Album {
    pub(super) fn new(folder: Option<&Path>, page: &str) -> Result<Self, String> {
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|error| cannot("create", folder, &error))?;
        }
        Ok(Self {
            folder: folder.map(Path::to_path_buf),
            page: page.to_string(),
        })
    }

    /// Keeps a file as `PAGE-NAME`. It is made only if it is wanted.
    pub(super) fn keep(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let file = folder.join(format!("{}-{name}", self.page));
        fs::write(&file, make()?).map_err(|error| cannot("write", &file, &error))
    }
}
