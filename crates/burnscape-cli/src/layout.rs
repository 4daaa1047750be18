//! Which axis of a matrix has the outputs.

use std::path::Path;

use burnscape::merge::{ByPath, CheckpointFile, WeightLayout};

use super::error::CommandError;
use super::job::{Job, Layout};
use super::scoped::by_path;

/// The layout of a merge, if it is known.
pub(crate) struct Known {
    pub(crate) layouts: ByPath<WeightLayout>,
    /// Whether the inputs say it, not the user.
    pub(crate) is_found: bool,
}

/// The layout that was given, or, if a method needs one, that of PyTorch if all inputs are its safetensors files.
pub(crate) fn layout(job: &Job) -> Result<Option<Known>, CommandError> {
    if !job.layout.is_empty() {
        let (layouts, is_found) = (given(job)?, false);
        return Ok(Some(Known { layouts, is_found }));
    }
    let mut parts = job.all();
    let is_needed = parts.any(|part| part.settings.has_rows(part.method));
    let is_found = is_needed && job.inputs().all(|input| is_of_pytorch(input));
    let layouts = ByPath::new(WeightLayout::OutIn);
    Ok(is_found.then_some(Known { layouts, is_found }))
}

/// The layout of every tensor. There is no default: one has to be given without a pattern.
fn given(job: &Job) -> Result<ByPath<WeightLayout>, CommandError> {
    let place = &job.own.place;
    let all = job.layout.iter().find(|scoped| scoped.pattern.is_none());
    let Some(all) = all else {
        let key = place.key("layout");
        let message =
            format!("`{key}` is given for parts of the model only; give one for the rest, too");
        return Err(place.wrong("layout", message));
    };
    let paths = by_path::<Layout>("layout", all.value, &job.layout, place)?;
    let mut layouts = ByPath::new(WeightLayout::from(paths.default));
    for (pattern, layout) in paths.rules {
        layouts = layouts.with(pattern, layout.into());
    }
    Ok(layouts)
}

/// Whether a checkpoint is of safetensors files whose metadata say that PyTorch has written them.
fn is_of_pytorch(path: &Path) -> bool {
    let Ok(checkpoint) = CheckpointFile::open(path) else {
        // The merge says why.
        return false;
    };
    let format = checkpoint.metadata().get("format");
    let mut tensors = checkpoint.tensors().iter();
    format.is_some_and(|format| format == "pt")
        && tensors.all(|tensor| tensor.file.extension().is_some_and(|e| e == "safetensors"))
}
