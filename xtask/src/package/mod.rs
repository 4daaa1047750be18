//! The packages as the registry would have them: packed, unpacked outside this workspace, and checked there.

mod archive;
mod new_project;
mod workspace;

use std::path::Path;

use crate::check::FEATURES;
use crate::invocation::{Invocation, target_folder};

/// Packs the published crates, unpacks them and checks them there: they compile with all that they include. With
/// `is_new_project`, a new project that depends on them runs the first program of the README instead.
pub(crate) fn run(root: &Path, is_new_project: bool) -> Result<(), String> {
    let target = target_folder(root);
    let folder = target.join("packaged");
    let packages = archive::pack(root, &folder)?;
    if is_new_project {
        return new_project::run(root, &target.join("new-projects"), &packages);
    }
    workspace::write(root, &folder, &packages)?;
    // Their doctests are those of this workspace. The features, the folder and the development dependencies are those of
    // its lints, so that Burn is not checked again.
    Invocation::new(&format!("cargo check --workspace {FEATURES}"))
        .with_argument("--target-dir")
        .with_argument(&target)
        .run(&folder)
}
