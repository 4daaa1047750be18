//! A record of this library's own runs, to hold changes of its code to the bit: value, residual and
//! products of every method on spectra that methods fail on, for 20 seeds.
//!
//! `golden/krylov/runs.json` was written by this test. It says what runs gave, not what is right: that is
//! what the other tests are for. To write it anew, where a change means to change numbers:
//!
//! ```sh
//! BURNSCAPE_WRITE_RUNS=$(date +%F) cargo test -p burnscape-krylov --test krylov runs
//! ```

mod case;
mod eigen;
mod estimates;
mod solves;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;

use crate::counted::Counted;
use crate::spectra::{all, with_spectrum};
use case::{Case, Run};
use serde::Serialize;

/// Set to the day to write the file; without it the runs are compared with what is there.
const WRITE: &str = "BURNSCAPE_WRITE_RUNS";
const SEEDS: u64 = 20;
const DIMENSION: usize = 80;

/// For every run and spectrum a line a seed.
type Lines = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn path() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../golden/krylov/runs.json"
    ))
}

fn runs() -> Vec<Run> {
    [eigen::runs(), estimates::runs(), solves::runs()]
        .into_iter()
        .flatten()
        .collect()
}

fn lines() -> Lines {
    let mut lines = Lines::new();
    let spectra = all(DIMENSION);
    for (index, (spectrum, values)) in spectra.iter().enumerate() {
        let a = with_spectrum(values, index as u64);
        for run in runs() {
            let line = |seed: u64| {
                let a = Counted::new(&a);
                let case = Case { a, values, seed };
                let said = (run.of)(&case);
                let said = said.unwrap_or_else(|e| panic!("{}, {spectrum}: {e}", run.name));
                said.line(case.a.num_matvecs())
            };
            let lines = lines.entry(run.name.clone()).or_default();
            let old = lines.insert((*spectrum).to_owned(), (0..SEEDS).map(line).collect());
            assert!(old.is_none(), "two runs are named {}", run.name);
        }
    }
    lines
}

/// The file as JSON, one line a run.
fn write(lines: &Lines, date: &str) {
    let file = serde_json::json!({
        "header": {
            "about": "runs of this library at the time of writing, for equality to the bit: no \
                      reference for what is right",
            "script": "crates/burnscape-krylov/tests/runs/mod.rs",
            "packages": { "burnscape-krylov": env!("CARGO_PKG_VERSION") },
            "target": "x86_64-unknown-linux-gnu",
            "seed": 0,
            "dtype": "float64",
            "date": date,
            "dimension": DIMENSION,
            "line": "seeds 0 to 19: numbers (of pairs: value and residual), then products, with a ? where \
                     the run had not converged",
        },
        "runs": lines,
    });
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, indent);
    file.serialize(&mut writer).unwrap();
    text.push(b'\n');
    fs::write(path(), text).unwrap();
}

#[test]
#[cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux")),
    ignore = "exponentials and logarithms differ in the last bit between platforms"
)]
fn every_run_is_what_it_was_to_the_bit() {
    let lines = lines();
    if let Ok(date) = env::var(WRITE) {
        return write(&lines, &date);
    }
    let file: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    let old: Lines = serde_json::from_value(file["runs"].clone()).unwrap();
    let names = |lines: &Lines| lines.keys().cloned().collect::<Vec<String>>();
    assert_eq!(names(&lines), names(&old), "{WRITE} writes what is missing");
    let mut changed = Vec::new();
    for (run, spectra) in &lines {
        for (spectrum, lines) in spectra {
            let before = old[run].get(spectrum);
            for (seed, line) in lines.iter().enumerate() {
                let before = before.and_then(|lines| lines.get(seed));
                if before != Some(line) {
                    let before = before.map_or("nothing", String::as_str);
                    changed.push(format!(
                        "{run}, {spectrum}, {seed}: {before}\n  is now {line}"
                    ));
                }
            }
        }
    }
    let shown = changed
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        changed.is_empty(),
        "{} runs changed:\n{shown}",
        changed.len()
    );
}
