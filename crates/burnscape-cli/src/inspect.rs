//! What is in a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burnscape::merge::{CheckpointFile, StoredTensor};
use serde::Serialize;

use super::arguments::InspectArguments;
use super::error::CommandError;
use super::number::significant;
use super::output::{grouped, print, print_json, shape, table};
use super::size::Size;

#[derive(Serialize)]
struct Inspected<'c> {
    path: &'c Path,
    format: &'static str,
    num_files: usize,
    num_tensors: usize,
    num_elements: u64,
    bytes: u64,
    /// How many tensors have each element type.
    dtypes: BTreeMap<&'c str, usize>,
    metadata: &'c BTreeMap<String, String>,
    tensors: Vec<InspectedTensor<'c>>,
}

#[derive(Serialize)]
struct InspectedTensor<'c> {
    name: &'c str,
    shape: &'c [usize],
    dtype: &'c str,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    norm: Option<f64>,
}

pub(crate) fn run(arguments: &InspectArguments) -> Result<(), CommandError> {
    let checkpoint = CheckpointFile::open(&arguments.file)?;
    let inspected = inspected(&checkpoint, arguments.norms)?;
    if arguments.json {
        return print_json(&inspected);
    }
    print(&inspected.text(arguments.norms))
}

fn inspected(checkpoint: &CheckpointFile, has_norms: bool) -> Result<Inspected<'_>, CommandError> {
    let stored = checkpoint.tensors();
    let mut dtypes = BTreeMap::new();
    let mut tensors = Vec::with_capacity(stored.len());
    for tensor in stored {
        *dtypes.entry(tensor.dtype.as_str()).or_insert(0) += 1;
        let is_read = has_norms && tensor.is_float();
        tensors.push(InspectedTensor {
            name: &tensor.name,
            shape: &tensor.shape,
            dtype: &tensor.dtype,
            bytes: tensor.bytes,
            norm: is_read.then(|| norm(checkpoint, tensor)).transpose()?,
        });
    }
    let files: BTreeSet<&Path> = stored.iter().map(|tensor| tensor.file.as_path()).collect();
    let is_burnpack = files
        .iter()
        .any(|file| file.extension().is_some_and(|e| e == "bpk"));
    Ok(Inspected {
        path: checkpoint.path(),
        format: if is_burnpack {
            "burnpack"
        } else {
            "safetensors"
        },
        num_files: files.len(),
        num_tensors: stored.len(),
        num_elements: stored.iter().map(num_elements).sum(),
        bytes: stored.iter().map(|tensor| tensor.bytes).sum(),
        dtypes,
        metadata: checkpoint.metadata(),
        tensors,
    })
}

fn num_elements(tensor: &StoredTensor) -> u64 {
    tensor.shape.iter().map(|&size| size as u64).product()
}

fn norm(checkpoint: &CheckpointFile, tensor: &StoredTensor) -> Result<f64, CommandError> {
    let data = checkpoint.read(&tensor.name)?;
    let squares: f64 = data.iter::<f64>().map(|value| value * value).sum();
    Ok(squares.sqrt())
}

impl Inspected<'_> {
    fn text(&self, has_norms: bool) -> String {
        let dtypes = self.dtypes.iter();
        let dtypes = dtypes.map(|(dtype, count)| format!("{dtype} ({count})"));
        let dtypes: Vec<String> = dtypes.collect();
        let mut lines = vec![
            row("format", self.format),
            row("files", &self.num_files.to_string()),
            row("tensors", &grouped(self.num_tensors as u64)),
            row("elements", &grouped(self.num_elements)),
            row("size", &Size(self.bytes).to_string()),
            row("types", &dtypes.join(", ")),
        ];
        for (key, value) in self.metadata {
            lines.push(vec![format!("metadata {key}"), value.clone()]);
        }
        let summary = table(&lines, &[0, 1]);
        let header = ["tensor", "shape", "type", "bytes", "norm"].map(String::from);
        let mut rows = vec![header.to_vec()];
        rows.extend(self.tensors.iter().map(|tensor| {
            let norm = tensor.norm.map_or(String::new(), significant);
            vec![
                tensor.name.to_string(),
                shape(tensor.shape),
                tensor.dtype.to_string(),
                grouped(tensor.bytes),
                norm,
            ]
        }));
        if !has_norms {
            for row in &mut rows {
                row.pop();
            }
        }
        format!("{summary}\n{}", table(&rows, &[0, 1, 2]))
    }
}

fn row(title: &str, value: &str) -> Vec<String> {
    vec![title.to_string(), value.to_string()]
}
