//! The pages to look at.

use std::fs;
use std::path::{Path, PathBuf};

use super::checks::{Check, EVERY, HOSTILE, HOVER, LAKES, NOT_FINITE};
use crate::check::FEATURES;
use crate::invocation::{Invocation, target_folder};
use crate::tree::cannot;

/// With the features of the tests, so that nothing is compiled twice.
const BUILD: &str = "cargo build --quiet --workspace --example page";

/// Names of the pages that the example writes, and what is checked on them beside what is checked on every page.
const EXAMPLES: &[(&str, &[Check])] = &[
    ("full", &[LAKES, HOVER]),
    ("one_panel", &[]),
    ("not_finite", &[NOT_FINITE]),
    ("long_run", &[HOVER]),
    ("hostile", &[HOSTILE]),
];

/// A page in a file.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) checks: Vec<Check>,
    /// Whether the page has all that is checked. A report of somebody else may have no surface.
    pub(super) is_ours: bool,
}

/// The pages of the example of `burnscape-plot`, written now.
pub(super) fn examples(root: &Path) -> Result<Vec<Subject>, String> {
    let target = target_folder(root);
    let folder = target.join("page");
    fs::create_dir_all(&folder).map_err(|error| cannot("create", &folder, &error))?;
    let folder = absolute(&folder)?;
    Invocation::new(&format!("{BUILD} {FEATURES}")).run(root)?;
    let example = format!("page{}", std::env::consts::EXE_SUFFIX);
    let example = absolute(&target.join("debug").join("examples").join(example))?;
    Invocation::program(&example)
        .with_argument(&folder)
        .output(root)?;
    EXAMPLES
        .iter()
        .map(|(name, checks)| {
            Ok(Subject {
                name: (*name).to_string(),
                file: absolute(&folder.join(format!("{name}.html")))?,
                checks: [checks, EVERY].concat(),
                is_ours: true,
            })
        })
        .collect()
}

/// A report that somebody wrote.
pub(super) fn report(file: &Path) -> Result<Subject, String> {
    let name = file.file_stem().unwrap_or_default();
    Ok(Subject {
        name: name.to_string_lossy().into_owned(),
        file: absolute(file)?,
        checks: EVERY.to_vec(),
        is_ours: false,
    })
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    fs::canonicalize(path).map_err(|error| cannot("find", path, &error))
}
