//! A workspace of the unpacked packages, outside of this one.

use std::fs;
use std::path::Path;

use super::archive::Package;
use crate::tree::cannot;

/// Writes the workspace: the packages in place of those of the registry, with the profiles and the lock file of this
/// workspace, so that dependencies that are built already are not built again.
pub(super) fn write(root: &Path, folder: &Path, packages: &[Package]) -> Result<(), String> {
    let manifest = root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|error| cannot("read", &manifest, &error))?;
    let members: Vec<String> = packages.iter().map(member).collect();
    let written = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n{}\n{}",
        members.join(", "),
        patch(packages),
        profiles(&text)
    );
    let path = folder.join("Cargo.toml");
    fs::write(&path, written).map_err(|error| cannot("write", &path, &error))?;
    let lock = folder.join("Cargo.lock");
    fs::copy(root.join("Cargo.lock"), &lock).map_err(|error| cannot("write", &lock, &error))?;
    Ok(())
}

/// The packages in place of those of the registry.
pub(super) fn patch(packages: &[Package]) -> String {
    let lines = packages.iter().map(|package| {
        let folder = package.folder.display().to_string();
        format!("{} = {{ path = {folder:?} }}\n", package.name)
    });
    format!("[patch.crates-io]\n{}", lines.collect::<String>())
}

fn member(package: &Package) -> String {
    format!("{:?}", package.folder.display().to_string())
}

/// The sections of profiles of a manifest.
fn profiles(manifest: &str) -> String {
    let mut is_profile = false;
    let lines = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            is_profile = line.starts_with("[profile.") && !line.contains("burnscape-testkit");
        }
        is_profile
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_taken_and_nothing_else() {
        let manifest = "[workspace]\nmembers = []\n[profile.dev]\ndebug = 1\n\n[profile.dev.package.burnscape-testkit]\nopt-level = 3\n[profile.release]\nlto = true\n[lints]\na = 1\n";
        let expected = "[profile.dev]\ndebug = 1\n\n[profile.release]\nlto = true\n";
        assert_eq!(profiles(manifest), expected);
    }
}
