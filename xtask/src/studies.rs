//! The page of the studies, which is made from the files that runs of `examples/study.rs` write with `--json`.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::finding::Finding;
use crate::step::{Step, Work};
use crate::tree::{cannot, has_extension};

const PAGE: &str = "docs/studies.md";
const FOLDER: &str = "docs/studies";

/// The seeds of verdicts.
const SEEDS: [u64; 5] = [100, 101, 102, 103, 104];

const ABOUT: &str = "\
# Studies

Findings of the literature, each reproduced or not by one command:
`cargo run --release -p burnscape --features files,report --example study -- NAME`. `cargo xtask studies` writes this page from
the files in `docs/studies`, which the same command writes with `--json docs/studies/NAME.json`.

- Numbers are means ± standard errors over the seeds 100 to 104, or over what the table says; a number without an error is exact
  or was measured once. *Not reached* is what no seed reached, and `(3 of 5)` what three did.
- Each criterion was fixed beforehand, from another implementation or from pilots with the seeds 0 to 9, in a commit that precedes
  the first run on the final seeds. A study is *reproduced* if all checks hold, *not reproduced* if no essential one does, and
  *partly reproduced* otherwise. Checks that are not essential are in parentheses.
";

const ABOUT_AGREEMENT: &str = "\
## Agreement with other implementations

Numbers of another implementation with the same settings and other random numbers, or exact ones. The distance is in standard
errors of both numbers together; they agree up to 3.

";

/// Writes the page; with `only_check`, fails if the file differs.
pub(crate) fn run(root: &Path, only_check: bool) -> Result<(), String> {
    let studies = read(root)?;
    if studies.is_empty() {
        return Err(format!(
            "no studies in {FOLDER}; write them with `--json {FOLDER}/NAME.json`"
        ));
    }
    let page = page(&studies)?;
    let path = root.join(PAGE);
    if only_check {
        let known = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
        return match known == page {
            true => Ok(()),
            false => Err(format!("{PAGE} differs; run `cargo xtask studies`")),
        };
    }
    fs::write(&path, page).map_err(|error| cannot("write", &path, &error))?;
    println!("{PAGE}: {} studies", studies.len());
    Ok(())
}

pub(crate) fn step() -> Step {
    Step {
        name: "studies",
        about: "docs/studies.md is what its files say",
        work: Work::Inspect(inspect),
    }
}

fn inspect(root: &Path) -> io::Result<Vec<Finding>> {
    let is_there = root.join(PAGE).exists();
    let studies = read(root).map_err(io::Error::other)?;
    if studies.is_empty() && !is_there {
        return Ok(Vec::new());
    }
    let message = run(root, true).err();
    let findings = message.map(|message| Finding::new(Path::new(PAGE), 1, message));
    Ok(findings.into_iter().collect())
}

/// The runs by name.
fn read(root: &Path) -> Result<Vec<Value>, String> {
    let folder = root.join(FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).map_err(|error| cannot("read", &folder, &error))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: io::Result<Vec<PathBuf>> = paths.collect();
    let mut paths = paths.map_err(|error| cannot("read", &folder, &error))?;
    paths.retain(|path| has_extension(path, "json"));
    paths.sort();
    paths.iter().map(|path| parsed(path)).collect()
}

fn parsed(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
    let failed = |message: &str| format!("{}: {message}", path.display());
    let study: Value = serde_json::from_str(&text).map_err(|error| failed(&error.to_string()))?;
    if study["quick"] != false {
        return Err(failed("a quick look, whose numbers mean nothing"));
    }
    let seeds = list(&study, "seeds").iter().map(Value::as_u64);
    if seeds.collect::<Option<Vec<u64>>>().as_deref() != Some(SEEDS.as_slice()) {
        return Err(failed("other seeds than 100 to 104"));
    }
    Ok(study)
}

fn page(studies: &[Value]) -> Result<String, String> {
    let mut page = ABOUT.to_string();
    let written = parts(&mut page, studies);
    written.map_err(|error| format!("cannot write the page: {error}"))?;
    Ok(page)
}

fn parts(page: &mut String, studies: &[Value]) -> std::fmt::Result {
    overview(page, studies)?;
    for study in studies {
        one(page, study)?;
    }
    costs(page, studies)?;
    agreement(page, studies)
}

fn overview(page: &mut String, studies: &[Value]) -> std::fmt::Result {
    writeln!(page, "\n| study | claim | verdict |\n|---|---|---|")?;
    for study in studies {
        let name = text(study, "study");
        let claim = escaped(text(study, "claim"));
        writeln!(
            page,
            "| [{name}](#{name}) | {claim} | {} |",
            text(study, "verdict")
        )?;
    }
    Ok(())
}

fn one(page: &mut String, study: &Value) -> std::fmt::Result {
    let papers: Vec<&str> = list(study, "papers")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    writeln!(page, "\n## {}\n", text(study, "study"))?;
    writeln!(
        page,
        "**{}** ({})\n",
        text(study, "claim"),
        papers.join("; ")
    )?;
    writeln!(page, "*What was run.* {}\n", text(study, "ran"))?;
    let changed = match study["is_changed"] == true {
        true => ", with changes that were not committed",
        false => "",
    };
    writeln!(
        page,
        "{}, {}; commit of the criterion {}, of the run {}{changed}.\n",
        text(study, "date"),
        text(study, "machine"),
        commit(study, "criterion_commit"),
        commit(study, "commit"),
    )?;
    table(page, list(study, "cells"))?;
    for note in list(study, "notes").iter().filter_map(Value::as_str) {
        writeln!(page, "{note}\n")?;
    }
    writeln!(page, "**Verdict: {}.**\n", text(study, "verdict"))?;
    for check in list(study, "checks") {
        let sign = if check["holds"] == true { "✓" } else { "✗" };
        let text = text(check, "text");
        match check["is_essential"] == true {
            true => writeln!(page, "- {sign} {text}")?,
            false => writeln!(page, "- ({sign} {text})")?,
        }
    }
    writeln!(
        page,
        "\n*What would change it.* {}\n",
        text(study, "would_change")
    )?;
    writeln!(
        page,
        "*What one would conclude wrongly.* {}",
        text(study, "wrong")
    )
}

/// Rows and columns in the order of their first cells.
fn table(page: &mut String, cells: &[Value]) -> std::fmt::Result {
    let (mut rows, mut columns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for cell in cells {
        for (key, names) in [("row", &mut rows), ("column", &mut columns)] {
            let name = text(cell, key);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let titles: Vec<String> = columns.iter().map(|column| escaped(column)).collect();
    writeln!(page, "| | {} |", titles.join(" | "))?;
    writeln!(page, "|---|{}", "--:|".repeat(columns.len()))?;
    for row in rows {
        let cell = |column: &&str| {
            let is_here = |cell: &&Value| cell["row"] == row && cell["column"] == *column;
            let found = cells.iter().find(is_here);
            escaped(found.map_or("", |cell| text(cell, "text")))
        };
        let texts: Vec<String> = columns.iter().map(cell).collect();
        writeln!(page, "| {} | {} |", escaped(row), texts.join(" | "))?;
    }
    writeln!(page)
}

/// Time and memory of every study.
fn costs(page: &mut String, studies: &[Value]) -> std::fmt::Result {
    let seconds = |study: &Value| study["seconds"].as_f64().unwrap_or(f64::NAN);
    writeln!(page, "\n## Time and memory\n")?;
    writeln!(page, "| study | time | memory |\n|---|--:|--:|")?;
    for study in studies {
        let memory = study["peak_bytes"].as_f64();
        let memory = memory.map_or("–".to_string(), |bytes| format!("{:.0} MB", bytes / 1e6));
        let name = text(study, "study");
        writeln!(
            page,
            "| {name} | {:.0} s | {memory} |",
            seconds(study).ceil()
        )?;
    }
    let total: f64 = studies.iter().map(seconds).sum();
    writeln!(page, "| **all** | {:.1} min | |", total / 60.0)
}

/// Every number beside that of another implementation.
fn agreement(page: &mut String, studies: &[Value]) -> std::fmt::Result {
    write!(page, "\n{ABOUT_AGREEMENT}")?;
    writeln!(
        page,
        "| study | number | here | there | distance | agrees |"
    )?;
    writeln!(page, "|---|---|--:|--:|--:|---|")?;
    let (mut agreeing, mut total) = (0_usize, 0_usize);
    for study in studies {
        for pair in list(study, "agreement") {
            let agrees = pair["agrees"] == true;
            agreeing += usize::from(agrees);
            total += 1;
            let distance = pair["distance"].as_f64();
            let distance = distance.map_or("–".to_string(), |distance| format!("{distance:.1}"));
            writeln!(
                page,
                "| {} | {}, {} | {} | {} | {distance} | {} |",
                text(study, "study"),
                escaped(text(pair, "row")),
                escaped(text(pair, "column")),
                pair["text"].as_str().unwrap_or("–"),
                text(pair, "reference_text"),
                if agrees { "yes" } else { "no" },
            )?;
        }
    }
    let share = 100.0 * agreeing as f64 / total.max(1) as f64;
    writeln!(
        page,
        "\n{agreeing} of {total} numbers agree ({share:.0} %)."
    )
}

/// A text, empty if it is not there.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// A list, empty if it is not there.
fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The start of a commit's name.
fn commit(study: &Value, key: &str) -> String {
    match study[key].as_str() {
        Some(name) => format!("`{}`", name.get(..10).unwrap_or(name)),
        None => "unknown".to_string(),
    }
}

/// For a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn study() -> Value {
        json!({
            "study": "saddle-escape",
            "claim": "Noise helps.",
            "papers": ["A 2017", "B 2019"],
            "seeds": SEEDS,
            "quick": false,
            "criterion_commit": "0123456789abcdef",
            "is_changed": true,
            "seconds": 90.0,
            "peak_bytes": 2_500_000,
            "cells": [
                { "row": "noise", "column": "|w|", "text": "1.0 ± 0.1" },
                { "row": "none", "column": "steps", "text": "145" },
            ],
            "verdict": "partly reproduced",
            "checks": [
                { "text": "one", "holds": true, "is_essential": true },
                { "text": "two", "holds": false, "is_essential": false },
            ],
            "agreement": [
                {
                    "row": "none", "column": "steps", "text": "145", "reference_text": "145",
                    "distance": 0.0, "agrees": true,
                },
                { "row": "none", "column": "time", "reference_text": "1", "agrees": false },
            ],
        })
    }

    #[test]
    fn a_page_has_the_table_the_verdict_and_the_agreement() {
        let page = page(&[study()]).unwrap();
        for line in [
            "**Noise helps.** (A 2017; B 2019)",
            "| | \\|w\\| | steps |",
            "| noise | 1.0 ± 0.1 |  |",
            "| none |  | 145 |",
            "**Verdict: partly reproduced.**",
            "- ✓ one",
            "- (✗ two)",
            "| saddle-escape | 90 s | 2 MB |",
            "| **all** | 1.5 min | |",
            "| saddle-escape | none, steps | 145 | 145 | 0.0 | yes |",
            "| saddle-escape | none, time | – | 1 | – | no |",
            "1 of 2 numbers agree (50 %).",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        let commits = "commit of the criterion `0123456789`, of the run unknown, with changes";
        assert!(page.contains(commits));
    }

    #[test]
    fn quick_looks_and_pilots_are_refused() {
        let folder = std::env::temp_dir().join(format!("xtask-studies-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.json");
        let check = |study: &Value| {
            fs::write(&path, study.to_string()).unwrap();
            parsed(&path)
        };
        assert!(check(&study()).is_ok());
        let (mut quick, mut pilot) = (study(), study());
        quick["quick"] = true.into();
        assert!(check(&quick).unwrap_err().contains("quick"));
        pilot["seeds"] = json!([0, 1]);
        assert!(check(&pilot).unwrap_err().contains("seeds"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
