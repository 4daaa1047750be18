//! `cargo xtask burn-next`: a copy of the workspace, built and tested with the next version of Burn.
//!
//! The copy lies in the target folder. `burn-next.patch` holds what the sources need for that version, so that a
//! release of Burn is a matter of applying it.

use std::fs;
use std::path::Path;

use crate::check::FEATURES;
use crate::invocation::{Invocation, target_folder};
use crate::runner;
use crate::step::{Selection, Step, Work};
use crate::tree::{cannot, files};

/// The newest release or pre-release of Burn that this requirement allows is used.
const NEXT: &str = "0.23.0-0";
pub(crate) const PATCH: &str = "xtask/burn-next.patch";

pub(crate) fn run(root: &Path, selection: &Selection) -> Result<(), String> {
    let steps = steps();
    if selection.list {
        return runner::run(root, &steps, selection);
    }
    let folder = target_folder(root).join("burn-next");
    copy(root, &folder)?;
    if root.join(PATCH).exists() {
        // Without a repository above it, git takes the paths of the patch as they are.
        Invocation::new("git apply --whitespace=nowarn")
            .with_argument(root.join(PATCH))
            .with_env("GIT_DIR", "none")
            .run(&folder)?;
    }
    runner::run(&folder, &steps, selection)
}

/// The rooms that know Burn's operations first.
fn steps() -> Vec<Step> {
    let features = features();
    let step = |name, about, line: String| Step {
        name,
        about,
        work: Work::Run(vec![Invocation::new(&line)]),
    };
    vec![
        step(
            "linearize",
            "the operations of Burn that a program may contain",
            "cargo check --package burnscape-linearize --all-targets --features flex".into(),
        ),
        step(
            "check",
            "all targets compile",
            format!("cargo check --workspace --all-targets {features}"),
        ),
        step(
            "tests",
            "unit and integration tests",
            format!("cargo test --workspace --lib --bins --tests {features}"),
        ),
    ]
}

/// Those of the checks, without NdArray, which Burn 0.23 no longer has.
fn features() -> String {
    let of_checks = FEATURES.split(',');
    let kept: Vec<&str> = of_checks
        .filter(|feature| !feature.ends_with("/ndarray"))
        .collect();
    kept.join(",")
}

/// Copies the workspace. Files that are equal are left alone, so that Cargo does not build them again.
fn copy(root: &Path, folder: &Path) -> Result<(), String> {
    let current = requirement(root)?;
    let mut sources = files(root).map_err(|error| cannot("read", root, &error))?;
    // A file of this name makes git take the copy for the repository.
    sources.retain(|path| path != Path::new(".git"));
    if folder.exists() {
        let copies = files(folder).map_err(|error| cannot("read", folder, &error))?;
        for old in copies.iter().filter(|path| !sources.contains(path)) {
            let path = folder.join(old);
            fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error))?;
        }
    }
    for source in &sources {
        let from = root.join(source);
        let mut bytes = fs::read(&from).map_err(|error| cannot("read", &from, &error))?;
        if source.ends_with("Cargo.toml") {
            let text = String::from_utf8_lossy(&bytes);
            bytes = moved(&text, &current).into_bytes();
        }
        let to = folder.join(source);
        if fs::read(&to).is_ok_and(|present| present == bytes) {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|error| cannot("create", parent, &error))?;
        }
        fs::write(&to, bytes).map_err(|error| cannot("write", &to, &error))?;
    }
    Ok(())
}

/// The version of Burn that the workspace requires.
fn requirement(root: &Path) -> Result<String, String> {
    let manifest = root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|error| cannot("read", &manifest, &error))?;
    let version = text.lines().find_map(|line| {
        let rest = line.strip_prefix("burn = { version = \"")?;
        rest.split('"').next()
    });
    version
        .map(str::to_string)
        .ok_or_else(|| format!("{} does not require `burn`", manifest.display()))
}

/// A manifest with the next version of Burn's crates.
fn moved(manifest: &str, current: &str) -> String {
    let lines = manifest.lines().map(|line| {
        let is_burn = line.starts_with("burn = ") || line.starts_with("burn-");
        let line = match is_burn {
            true => line
                .replace(&format!("\"={current}\""), &format!("\"{NEXT}\""))
                .replace(&format!("\"{current}\""), &format!("\"{NEXT}\"")),
            false => line.to_string(),
        };
        line + "\n"
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_crates_of_burn_move() {
        let manifest = "burn = { version = \"0.22.1\", default-features = false }\n\
                        burn-ir = { version = \"=0.22.1\" }\n\
                        base64 = \"0.22.1\"\n\
                        burnscape = { version = \"0.22.1\" }\n";
        let expected = "burn = { version = \"0.23.0-0\", default-features = false }\n\
                        burn-ir = { version = \"0.23.0-0\" }\n\
                        base64 = \"0.22.1\"\n\
                        burnscape = { version = \"0.22.1\" }\n";
        assert_eq!(moved(manifest, "0.22.1"), expected);
    }

    #[test]
    fn the_features_are_those_of_the_checks_without_ndarray() {
        assert_eq!(
            features(),
            "--features burnscape/train,burnscape/progress,burnscape/files,burnscape/report,burnscape/remote"
        );
    }

    #[test]
    fn a_copy_follows_its_source() {
        let name = format!("burn-next-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let (root, copied) = (folder.join("root"), folder.join("copy"));
        let write = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
        fs::create_dir_all(root.join("src")).unwrap();
        write("Cargo.toml", "burn = { version = \"1.0.0\" }\n");
        write("src/a.rs", "a");
        write("src/b.rs", "b");
        copy(&root, &copied).unwrap();
        let read = |path: &str| fs::read_to_string(copied.join(path)).ok();
        let manifest = format!("burn = {{ version = \"{NEXT}\" }}\n");
        assert_eq!(read("Cargo.toml"), Some(manifest));
        assert_eq!(read("src/b.rs").as_deref(), Some("b"));
        let time = || fs::metadata(copied.join("src/a.rs")).unwrap().modified();
        let before = time().unwrap();
        fs::remove_file(root.join("src/b.rs")).unwrap();
        write("src/c.rs", "c");
        copy(&root, &copied).unwrap();
        assert_eq!(
            (read("src/b.rs"), read("src/c.rs").as_deref()),
            (None, Some("c"))
        );
        assert_eq!(time().unwrap(), before);
        write("Cargo.toml", "[package]\n");
        assert!(
            copy(&root, &copied)
                .unwrap_err()
                .contains("does not require")
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
