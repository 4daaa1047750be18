//! Packages as files: packed by cargo, and unpacked.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::Archive;

use crate::invocation::{Invocation, target_folder};
use crate::tree::cannot;

const PACK: &str = "cargo package --workspace --exclude xtask --exclude burnscape-testkit --exclude \
                    burnscape-browser --no-verify --allow-dirty --quiet";

/// A package that was packed and unpacked.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) folder: PathBuf,
}

/// Packs all published crates and unpacks them below `folder`.
pub(super) fn pack(root: &Path, folder: &Path) -> Result<Vec<Package>, String> {
    let packed = target_folder(root).join("package");
    for old in [&packed, folder] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(|error| cannot("remove", old, &error))?;
        }
    }
    Invocation::new(PACK).run(root)?;
    let entries = fs::read_dir(&packed).map_err(|error| cannot("read", &packed, &error))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut archives: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "crate")
        })
        .collect();
    archives.sort();
    archives
        .iter()
        .map(|archive| unpack(archive, folder))
        .collect()
}

/// Unpacks `name-version.crate`, which contains one folder of that name.
fn unpack(archive: &Path, folder: &Path) -> Result<Package, String> {
    let file = File::open(archive).map_err(|error| cannot("open", archive, &error))?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut files = Archive::new(GzDecoder::new(file));
    // All packages have the same old times: cargo would not build a changed one again.
    files.set_preserve_mtime(false);
    files
        .unpack(folder)
        .map_err(|error| cannot("unpack", archive, &error))?;
    let stem = archive.file_stem().unwrap_or_default().to_string_lossy();
    let name = name_of(&stem);
    println!("{stem}: {:.0} kB packed", size as f64 / 1e3);
    Ok(Package {
        name: name.to_string(),
        folder: folder.join(stem.as_ref()),
    })
}

/// The name in `name-version`.
fn name_of(stem: &str) -> &str {
    stem.rsplit_once('-').map_or(stem, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_contain_a_hyphen() {
        assert_eq!(name_of("burnscape-0.1.0"), "burnscape");
        assert_eq!(name_of("burnscape-krylov-0.1.0"), "burnscape-krylov");
    }
}
