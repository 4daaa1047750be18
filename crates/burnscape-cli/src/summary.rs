//! What a merge has done, in a few lines.

use std::collections::BTreeMap;
use std::path::Path;

use burnscape::merge::{MergeReport, MergedTensor};
use serde::Serialize;

use super::columns::tensors_text;
use super::error::CommandError;
use super::job::{Job, Part};
use super::method::Method;
use super::output::{grouped, table};
use super::size::Size;

/// The result of a merge, or what it would be.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'j> {
    pub(crate) out: &'j Path,
    pub(crate) dry_run: bool,
    /// Whether a real run would refuse to replace the output; of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) would_refuse: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// What else there is to say.
    pub(crate) notes: Vec<String>,
    #[serde(flatten)]
    pub(crate) report: MergeReport,
}

impl Summary<'_> {
    /// What was done; if `is_long`, with each tensor.
    pub(crate) fn text(&self, job: &Job, is_long: bool) -> Result<String, CommandError> {
        let mut text = String::new();
        if is_long || self.dry_run {
            text.push_str(&tensors_text(job, &self.report)?);
            text.push('\n');
        }
        text.push_str(&counts(&self.report));
        text.push_str(&tensor_notes(&self.report));
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text.push_str(&self.ending());
        Ok(text)
    }

    fn ending(&self) -> String {
        let out = self.out.display();
        match (self.bytes, self.seconds, self.would_refuse) {
            (Some(bytes), Some(seconds), _) => {
                format!("wrote {out} ({}, {seconds:.1} s)", Size(bytes))
            }
            (_, _, Some(true)) => format!(
                "{out}: not written, because this is a dry run; a real run would refuse: it exists, and is replaced \
                 only with --force"
            ),
            _ => format!("{out}: not written, because this is a dry run"),
        }
    }

    /// With what to compare the result.
    pub(crate) fn advice(&self) -> &'static str {
        let plain = ["average", "copied"];
        let mut methods = self.report.tensors.iter().map(|tensor| &tensor.method);
        if methods.all(|method| plain.contains(&method.as_str())) {
            "Compare the result with each model by itself."
        } else {
            "Compare the result with the plain average (`--method average`) and with each model by itself."
        }
    }
}

/// The report with the names of methods that its user has given.
pub(crate) fn renamed(mut report: MergeReport, job: &Job) -> MergeReport {
    let parts: Vec<&Part> = job.all().collect();
    let places = job.parts_by_path();
    for tensor in &mut report.tensors {
        let given = parts[*places.at(&tensor.name)].method;
        if tensor.method == "take" {
            tensor.method = given.to_string();
            // The name says as much.
            if matches!(given, Method::Base | Method::Model(_)) {
                tensor.note = None;
            }
        }
    }
    report
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

/// Equal notes, each with the number of its tensors. Those of copied tensors are counted only; what differs among them
/// is a warning.
fn tensor_notes(report: &MergeReport) -> String {
    let mut notes: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let tensors = report.tensors.iter();
    for tensor in tensors.filter(|tensor| tensor.method != "copied") {
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
