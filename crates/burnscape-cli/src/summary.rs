//! What a merge has done, in a few lines.

use std::collections::BTreeMap;
use std::path::Path;

use burnscape::merge::{MergeReport, MergedTensor};
use serde::Serialize;

use super::output::{grouped, table};
use super::size::Size;

/// The result of a merge.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'j> {
    pub(crate) out: &'j Path,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    #[serde(flatten)]
    pub(crate) report: MergeReport,
}

impl Summary<'_> {
    pub(crate) fn text(&self) -> String {
        let (counts, notes) = (counts(&self.report), notes(&self.report));
        let (out, size, seconds) = (self.out.display(), Size(self.bytes), self.seconds);
        let plain = ["average", "copied"];
        let mut methods = self.report.tensors.iter().map(|tensor| &tensor.method);
        let others = if methods.all(|method| plain.contains(&method.as_str())) {
            "each model by itself."
        } else {
            "the plain average (`--method average`) and with each model by itself."
        };
        format!("{counts}{notes}{out}: {size} in {seconds:.1} s\nCompare the result with {others}")
    }
}

/// What a merge would do with each tensor, and in all.
pub(crate) fn plan_text(plan: &MergeReport, out: &Path) -> String {
    let (counts, out) = (counts(plan), out.display());
    format!("{plan}\n{counts}{out}: not written, because this is a dry run")
}

/// Tensors and elements by method.
fn counts(report: &MergeReport) -> String {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for tensor in &report.tensors {
        let count = counts.entry(tensor.method.as_str()).or_default();
        count.0 += 1;
        count.1 += num_elements(tensor);
    }
    let mut rows = vec![["method", "tensors", "elements"].map(String::from).to_vec()];
    rows.extend(counts.iter().map(|(method, (tensors, elements))| {
        vec![method.to_string(), grouped(*tensors), grouped(*elements)]
    }));
    table(&rows, &[0])
}

fn num_elements(tensor: &MergedTensor) -> u64 {
    tensor.shape.iter().map(|&size| size as u64).product()
}

/// Equal notes, each with the number of its tensors.
fn notes(report: &MergeReport) -> String {
    let mut notes: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for tensor in &report.tensors {
        if let Some(note) = &tensor.note {
            let names = notes
                .entry((tensor.method.as_str(), note.as_str()))
                .or_default();
            names.push(&tensor.name);
        }
    }
    let lines = notes
        .iter()
        .map(|((method, note), names)| match names.as_slice() {
            [name] => format!("note: `{name}`, {method}: {note}\n"),
            names => format!("note: {} tensors, {method}: {note}\n", names.len()),
        });
    lines.collect()
}
