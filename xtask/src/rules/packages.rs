//! A published crate contains its own licenses and README. Copies are identical.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::finding::Finding;

const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// The published README of the project, and its copy.
const README: (&str, &str) = ("crates/burnscape/README.md", "README.md");

pub(super) fn check(root: &Path, files: &[PathBuf]) -> io::Result<Vec<Finding>> {
    let mut packages = Vec::new();
    for path in files.iter().filter(|path| is_manifest_of_a_crate(path)) {
        let manifest = fs::read_to_string(root.join(path))?;
        if manifest.lines().all(|line| line != "publish = false") {
            packages.extend(path.parent());
        }
    }
    Ok(findings(&packages, |path| fs::read(root.join(path)).ok()))
}

fn is_manifest_of_a_crate(path: &Path) -> bool {
    path.starts_with("crates") && path.ends_with("Cargo.toml") && path.iter().count() == 3
}

/// `read` returns the content of a file, or `None` if the file does not exist.
fn findings(packages: &[&Path], read: impl Fn(&Path) -> Option<Vec<u8>>) -> Vec<Finding> {
    let (readme, copy) = README;
    let mut copies = vec![(PathBuf::from(readme), PathBuf::from(copy))];
    for package in packages {
        copies.extend(LICENSES.map(|name| (PathBuf::from(name), package.join(name))));
    }
    let differing = copies
        .iter()
        .filter(|(original, copy)| read(copy).is_none() || read(original) != read(copy))
        .map(|(original, copy)| {
            let (from, to) = (original.display(), copy.display());
            Finding::new(
                copy,
                1,
                format!("differs from {from}; run `cp {from} {to}`"),
            )
        });
    let without_readme = packages
        .iter()
        .map(|package| package.join("README.md"))
        .filter(|readme| read(readme).is_none())
        .map(|readme| {
            Finding::new(
                &readme,
                1,
                "missing; a published crate needs its own README",
            )
        });
    differing.chain(without_readme).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num_findings(files: &[(&str, &str)]) -> usize {
        let package = Path::new("crates/burnscape");
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| text.as_bytes().to_vec())
        };
        findings(&[package], read).len()
    }

    const FILES: [(&str, &str); 6] = [
        ("LICENSE-APACHE", "a"),
        ("LICENSE-MIT", "m"),
        ("README.md", "r"),
        ("crates/burnscape/LICENSE-APACHE", "a"),
        ("crates/burnscape/LICENSE-MIT", "m"),
        ("crates/burnscape/README.md", "r"),
    ];

    #[test]
    fn equal_copies_pass() {
        assert_eq!(num_findings(&FILES), 0);
    }

    #[test]
    fn a_copy_that_differs_is_found() {
        for place in 0..FILES.len() {
            let mut files = FILES;
            files[place].1 = "changed";
            assert_eq!(num_findings(&files), 1, "{}", files[place].0);
        }
    }

    #[test]
    fn a_missing_copy_is_found() {
        assert_eq!(num_findings(&FILES[..4]), 3);
    }

    #[test]
    fn crates_are_found_by_their_manifests() {
        assert!(is_manifest_of_a_crate(Path::new("crates/a/Cargo.toml")));
        assert!(!is_manifest_of_a_crate(Path::new("xtask/Cargo.toml")));
        assert!(!is_manifest_of_a_crate(Path::new("crates/a/b/Cargo.toml")));
    }
}
