//! Compares Burn's exports, read from its source, with the list of tested items: a layer that Burn adds
//! cannot be missed, and one that it removes cannot linger.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::FAMILIES;

/// The origin of names: a crate, and files or folders of its source.
struct Source {
    title: &'static str,
    package: &'static str,
    paths: &'static [&'static str],
    apart: &'static [(&'static str, Is)],
}

/// How an export without a case of the same name is handled.
#[derive(Clone, Copy)]
enum Is {
    /// Tested by cases with other names.
    In(&'static [&'static str]),
    /// Refused by this crate or by Burn.
    Refused(&'static str),
    /// No gradient passes through it.
    Nothing(&'static str),
}

use Is::{In, Nothing, Refused};

const INFERENCE: Is = Nothing("a cache for inference, unused in training");
const PADDING: Is = Nothing("a padding setting");
const BACKWARD: Is = Refused("a backward operation, which Burn refuses to differentiate");

const SOURCES: &[Source] = &[
    Source {
        title: "burn::nn",
        package: "burn-nn",
        paths: &["src"],
        apart: &[
            ("CrossAttentionCache", INFERENCE),
            ("GeneratePaddingMask", Nothing("integers and a mask")),
            ("Initializer", Nothing("initial values of parameters")),
            (
                "InterpolateMode",
                In(&[
                    "Interpolate2d, nearest",
                    "Interpolate2d, linear",
                    "Interpolate2d, cubic",
                ]),
            ),
            ("LinearLayout", In(&["Linear", "Linear, columns first"])),
            ("LstmState", In(&["Lstm, coupled and clipped"])),
            ("MhaCache", INFERENCE),
            ("MhaInput", In(&["MultiHeadAttention"])),
            ("MhaOutput", In(&["MultiHeadAttention, quiet"])),
            (
                "OptionalInitialLstmState",
                In(&["Lstm", "Lstm, coupled and clipped"]),
            ),
            ("PaddingConfig1d", PADDING),
            ("PaddingConfig2d", PADDING),
            ("PaddingConfig3d", PADDING),
            (
                "PoissonNllLoss",
                Refused(
                    "`ReadValue`: Burn reads its targets to check them; write the formula in the loss",
                ),
            ),
            ("Reduction", Nothing("selects mean or sum")),
            ("RnnState", In(&["Rnn, backwards"])),
            ("SeqLengthOption", Nothing("a limit of sequence lengths")),
            ("TensorCache", INFERENCE),
            ("TransformerDecoderAutoregressiveCache", INFERENCE),
            ("TransformerDecoderInput", In(&["TransformerDecoder"])),
            ("TransformerDecoderLayer", In(&["TransformerDecoder"])),
            ("TransformerDecoderLayerAutoregressiveCache", INFERENCE),
            ("TransformerEncoderAutoregressiveCache", INFERENCE),
            ("TransformerEncoderInput", In(&["TransformerEncoder"])),
            ("TransformerEncoderLayer", In(&["TransformerEncoder"])),
            ("TransformerEncoderLayerAutoregressiveCache", INFERENCE),
            (
                "generate_autoregressive_mask",
                In(&["MultiHeadAttention, masked"]),
            ),
            ("generate_padding_mask", Nothing("integers and a mask")),
            ("generate_sinusoids", In(&["PositionalEncoding"])),
        ],
    },
    Source {
        title: "burn::tensor::activation",
        package: "burn-tensor",
        paths: &["src/tensor/activation"],
        apart: &[("DEFAULT_SOFTPLUS_THRESHOLD", Nothing("a number"))],
    },
    Source {
        title: "burn::tensor::module and burn::tensor::loss",
        package: "burn-tensor",
        paths: &["src/tensor/module.rs", "src/tensor/loss"],
        apart: &[
            ("BatchNormTrainOutput", In(&["batch_norm_train"])),
            ("avg_pool2d_backward", BACKWARD),
            ("max_pool2d_with_indices_backward", BACKWARD),
        ],
    },
];

/// A line of the published list.
pub(super) struct Line {
    pub(super) export: String,
    pub(super) tested: String,
}

/// Every export with the cases that test it, by source.
pub(super) fn lists() -> Vec<(&'static str, Vec<Line>)> {
    let cases: BTreeSet<&str> = FAMILIES
        .iter()
        .flat_map(|family| family().into_iter().map(|case| case.name))
        .collect();
    let packages = packages();
    let mut complaints = Vec::new();
    let lists = SOURCES
        .iter()
        .map(|source| {
            (
                source.title,
                lines(source, &cases, &packages, &mut complaints),
            )
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    lists
}

fn lines(
    source: &Source,
    cases: &BTreeSet<&str>,
    packages: &BTreeMap<String, PathBuf>,
    complaints: &mut Vec<String>,
) -> Vec<Line> {
    let package = packages.get(source.package).expect("a locked package");
    let mut names = BTreeSet::new();
    for path in source.paths {
        collect(&package.join(path), &mut names);
    }
    assert!(!names.is_empty(), "{} exports nothing", source.title);
    let apart: BTreeMap<&str, Is> = source.apart.iter().copied().collect();
    for name in apart.keys().filter(|name| !names.contains(**name)) {
        complaints.push(format!(
            "{}: {name} is listed and not exported",
            source.title
        ));
    }
    let mut lines = Vec::new();
    for name in &names {
        let own: Vec<&str> = cases
            .iter()
            .copied()
            .filter(|case| is_of(case, name))
            .collect();
        let tested = match (own.is_empty(), apart.get(name.as_str())) {
            (false, None) => own.join("; "),
            (true, Some(In(others))) => {
                for other in others.iter().filter(|other| !cases.contains(**other)) {
                    complaints.push(format!("{name} names the case `{other}`, which is none"));
                }
                others.join("; ")
            }
            (true, Some(Refused(why))) => format!("refused, {why}"),
            (true, Some(Nothing(why))) => format!("not a layer: {why}"),
            (false, Some(_)) => {
                complaints.push(format!("{name} has cases and is listed as if it had none"));
                continue;
            }
            (true, None) if configures(name, &names) => continue,
            (true, None) => {
                complaints.push(format!(
                    "{}: {name} has no case; add one of that name, or say here why not",
                    source.title
                ));
                continue;
            }
        };
        lines.push(Line {
            export: name.clone(),
            tested,
        });
    }
    lines
}

/// Cases are named after what they test, and a comma and a variant.
fn is_of(case: &str, name: &str) -> bool {
    let rest = case.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
}

/// A configuration goes with what it configures.
fn configures(name: &str, names: &BTreeSet<String>) -> bool {
    let configured = name.strip_suffix("Config");
    configured.is_some_and(|configured| names.contains(configured))
}

/// The folders of the locked packages, by name.
fn packages() -> BTreeMap<String, PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |arguments: &[&str]| {
        let output = Command::new(&cargo).args(arguments).output();
        let output = output.expect("cargo runs where tests do");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    };
    let version = run(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.expect("a host");
    // Other platforms' packages need not have been downloaded.
    let metadata = run(&[
        "metadata",
        "--offline",
        "--format-version=1",
        "--filter-platform",
        host,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let name = package["name"].as_str()?.to_string();
            Some((name, manifest.parent()?.to_path_buf()))
        })
        .collect()
}

/// Public items of the files at or below a path.
fn collect(path: &Path, names: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder of Burn's source") {
            collect(&entry.expect("an entry").path(), names);
        }
    } else if path.extension() == Some(OsStr::new("rs")) {
        let text = fs::read_to_string(path).expect("a file of Burn's source");
        let exported = items(&text).unwrap_or_else(|line| panic!("{}: {line}", path.display()));
        names.extend(exported);
    }
}

/// The public items of a formatted file: those that start a line. Every file counts, reachable or not:
/// one too many is seen, one too few is not. A line that cannot be judged is an error.
fn items(text: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for line in text.lines() {
        let Some(item) = line.strip_prefix("pub ") else {
            continue;
        };
        let mut words = item.split(|c: char| !c.is_alphanumeric() && c != '_');
        let mut word = || words.find(|word| !word.is_empty()).unwrap_or_default();
        let mut kind = word();
        while matches!(kind, "async" | "unsafe" | "const") && item.contains(" fn ") {
            kind = word();
        }
        match kind {
            "struct" | "enum" | "fn" | "trait" | "type" | "const" | "static" | "union" => {
                names.push(word().to_string());
            }
            "mod" if item.ends_with(';') => {}
            // A module of the crate itself, of which the items are read where they stand.
            "use" if !is_foreign(text, word()) => {}
            _ => return Err(format!("`{line}` cannot be judged")),
        }
    }
    Ok(names)
}

/// Whether a re-export is of something else than a module that this file declares.
fn is_foreign(text: &str, module: &str) -> bool {
    let declares = |line: &str| {
        let line = line.strip_suffix(';').unwrap_or_default();
        let name = line.rsplit_once("mod ").map(|(_, name)| name);
        name == Some(module)
    };
    !text.lines().any(declares)
}

#[test]
fn every_export_is_tested_or_listed_as_an_exception() {
    for (title, lines) in lists() {
        println!("{title}: {} exports", lines.len());
    }
}

#[test]
fn public_items_are_found_in_source() {
    let source = "\
pub mod inner;
mod other;
pub use other::*;
pub(crate) fn hidden() {}
pub struct Layer<const D: usize> {
    pub field: usize,
}
pub const fn pure() -> usize { 0 }
pub const LIMIT: usize = 3;
impl Layer<1> {
    pub fn method(&self) {}
}
";
    assert_eq!(
        items(source),
        Ok(vec!["Layer".into(), "pure".into(), "LIMIT".into()])
    );
}

#[test]
fn what_cannot_be_judged_in_source_is_an_error() {
    for line in [
        "pub use another_crate::Layer;",
        "pub mod inline {",
        "pub macro m {}",
    ] {
        assert!(items(line).is_err(), "{line}");
    }
}
