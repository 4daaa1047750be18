//! The file that `--json` writes. Keys are added over time, never renamed.

use std::error::Error;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::data::ATTRIBUTION;
use super::findings::Findings;
use super::settings::Settings;

pub(crate) fn write(path: &Path, found: &Findings<'_>) -> Result<(), Box<dyn Error>> {
    let Findings {
        arguments,
        split,
        runs,
        summary,
        paths,
        surfaces,
        seconds,
    } = found;
    let document = json!({
        "schema_version": 1,
        "program": "survey",
        "version": env!("CARGO_PKG_VERSION"),
        "arguments": command(),
        "device": arguments.device.to_string(),
        "seconds": seconds,
        "data": {
            "attribution": ATTRIBUTION,
            "train": split.num_train,
            "test": split.num_test,
            "split": "first rows to train, last rows to test, in the order of the file",
        },
        "settings": Settings::new(arguments.epochs, arguments.rho),
        "optimizers": optimizers(arguments),
        "runs": runs,
        "summary": summary.rows,
        "comparisons": summary.comparisons,
        "paths": paths.pairs,
        "graph": paths.graph,
        "surfaces": surfaces,
    });
    let text = serde_json::to_string_pretty(&document)?;
    std::fs::write(path, text + "\n")
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// The arguments as they were given. The program's own path says where it was built, which is nobody's business.
pub(crate) fn command() -> Vec<String> {
    std::env::args().skip(1).collect()
}

/// The configurations around SGD; null for SGD itself.
fn optimizers(arguments: &Arguments) -> Map<String, Value> {
    let names = arguments.optimizers().into_iter();
    let named = names.map(|name| {
        let config = name.sharpness_aware(arguments.rho, 0);
        (name.to_string(), json!(config))
    });
    named.collect()
}
