//! The file that `--json` writes. Keys are added over time, never renamed.

use std::error::Error;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::data::{ATTRIBUTION, Split};
use super::experiment::Run;
use super::paths_run::Paths;
use super::settings::Settings;
use super::summary::Summary;

/// Refuses a path that cannot be written.
pub(crate) fn check_path(path: &Path) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        return Err(format!("{} is a directory; name a file in it", path.display()).into());
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => Err(format!(
            "there is no directory {}; create it first",
            parent.display()
        )
        .into()),
        _ => Ok(()),
    }
}

pub(crate) fn write(
    path: &Path,
    arguments: &Arguments,
    split: &Split,
    runs: &[Run],
    summary: &Summary,
    paths: &Paths,
    seconds: f64,
) -> Result<(), Box<dyn Error>> {
    // The program's own path says where it was built, which is nobody's business.
    let command: Vec<String> = std::env::args().skip(1).collect();
    // The configuration around SGD; null for SGD itself.
    let optimizers: Map<String, Value> = arguments
        .optimizers()
        .into_iter()
        .map(|name| {
            (
                name.to_string(),
                json!(name.sharpness_aware(arguments.rho, 0)),
            )
        })
        .collect();
    let document = json!({
        "schema_version": 1,
        "program": "survey",
        "version": env!("CARGO_PKG_VERSION"),
        "arguments": command,
        "device": arguments.device.to_string(),
        "seconds": seconds,
        "data": {
            "attribution": ATTRIBUTION,
            "train": split.num_train,
            "test": split.num_test,
            "split": "first rows to train, last rows to test, in the order of the file",
        },
        "settings": Settings::new(arguments.epochs, arguments.rho),
        "optimizers": optimizers,
        "runs": runs,
        "summary": summary.rows,
        "comparisons": summary.comparisons,
        "paths": paths.pairs,
        "graph": paths.graph,
    });
    let text = serde_json::to_string_pretty(&document)?;
    std::fs::write(path, text + "\n")
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
