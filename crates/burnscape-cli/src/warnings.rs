//! What a merge does, and its user may not expect.

use std::collections::BTreeSet;
use std::path::Path;

use burnscape::merge::{ByPath, MergeReport};

use super::job::{Job, is_same};

/// The same file as two models.
pub(crate) fn repeated_models(job: &Job) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, model) in job.models.iter().enumerate() {
        let before = &job.models[..index];
        if let Some(first) = before.iter().position(|other| is_same(other, model)) {
            warnings.push(format!(
                "`{}` is model {first} and model {index}: it counts twice",
                model.display()
            ));
        }
    }
    warnings
}

/// Rules that no tensor is left for, because an earlier one matches all of theirs.
pub(crate) fn unused_rules(job: &Job, plan: &MergeReport) -> Vec<String> {
    let rules = job.parts.iter().enumerate();
    let names =
        rules.flat_map(|(index, part)| part.names.iter().map(move |name| (index + 1, name)));
    let names: Vec<(usize, &String)> = names.collect();
    let mut choice = ByPath::new(None);
    for (index, (_, name)) in names.iter().enumerate() {
        choice = choice.with(*name, Some(index));
    }
    let tensors = || plan.tensors.iter().map(|tensor| tensor.name.as_str());
    let used: BTreeSet<usize> = tensors().filter_map(|tensor| *choice.at(tensor)).collect();
    let mut warnings = Vec::new();
    for (index, (rule, name)) in names.iter().enumerate() {
        let own = ByPath::new(false).with(*name, true);
        let mut below = tensors().filter(|tensor| *own.at(tensor));
        let first = below.find_map(|tensor| *choice.at(tensor));
        let Some((earlier, other)) = first.map(|first| names[first]) else {
            continue;
        };
        if !used.contains(&index) && earlier != *rule {
            warnings.push(format!(
                "rule {rule} (`{name}`) is never used: rule {earlier} (`{other}`) matches first"
            ));
        }
    }
    warnings
}

/// Tensors that were copied from one checkpoint, and are others in another one.
pub(crate) fn differing_copies(report: &MergeReport) -> Vec<String> {
    let tensors = report.tensors.iter();
    let copied = tensors.filter(|tensor| tensor.method == "copied");
    let warnings = copied.filter_map(|tensor| {
        let note = tensor.note.as_deref()?;
        let differs = note.contains("differ");
        differs.then(|| format!("`{}` is not merged: copied, {note}", tensor.name))
    });
    warnings.collect()
}

/// What a folder of Hugging Face has beside the tensors, and the result has not.
pub(crate) fn missing_files(job: &Job) -> Option<String> {
    let first: &Path = job.inputs().next()?;
    let has_config = first.is_dir() && first.join("config.json").is_file();
    if !has_config || job.copy_from.is_some() {
        return None;
    }
    let place = &job.own.place;
    let flags = if job.max_shard_size.is_some() {
        place.key("copy-from")
    } else {
        format!(
            "{} and {}",
            place.key("max-shard-size"),
            place.key("copy-from")
        )
    };
    let folder = first.display();
    Some(format!(
        "config.json and tokenizer files are not copied; pass {flags} {folder}"
    ))
}
