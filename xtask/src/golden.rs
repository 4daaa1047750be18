//! Checks the headers of the golden files, which state the origin of every reference number.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use crate::finding::Finding;
use crate::step::{Step, Work};
use crate::tree::{files, has_extension};

const DTYPES: [&str; 4] = ["float64", "float32", "bfloat16", "float16"];

pub(crate) fn step() -> Step {
    Step {
        name: "golden",
        about: "every golden file states its origin",
        work: Work::Inspect(check),
    }
}

fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut count = 0;
    for path in files(root)? {
        // The index of a checkpoint's shards is as another tool writes it.
        let is_index = path.to_string_lossy().ends_with(".index.json");
        if path.starts_with("golden") && has_extension(&path, "json") && !is_index {
            count += 1;
            let text = fs::read_to_string(root.join(&path))?;
            let exists = |script: &str| root.join(script).is_file();
            findings.extend(check_file(&path, &text, exists));
        }
    }
    println!("golden files: {count}");
    Ok(findings)
}

fn check_file(path: &Path, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let file: Value = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            let line = error.line().max(1);
            return vec![Finding::new(
                path,
                line,
                format!("is not valid JSON: {error}"),
            )];
        }
    };
    let Some(header) = file.get("header").and_then(Value::as_object) else {
        return vec![Finding::new(path, 1, "has no `header` object; add one")];
    };
    let line = line_of(text, "\"header\"");
    complaints(header, exists)
        .into_iter()
        .map(|message| Finding::new(path, line, message))
        .collect()
}

fn complaints(header: &Map<String, Value>, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let text = |key: &str| header.get(key).and_then(Value::as_str);
    let mut complaints = Vec::new();
    match text("script") {
        None => complaints.push("`script` must be the path of a script".into()),
        Some(script) if !exists(script) => complaints.push(format!("`{script}` does not exist")),
        Some(_) => {}
    }
    let versions = header.get("packages").and_then(Value::as_object);
    let is_version = |version: &Value| version.as_str().is_some_and(|text| !text.is_empty());
    if !versions.is_some_and(|all| !all.is_empty() && all.values().all(is_version)) {
        complaints.push("`packages` must map packages to versions".into());
    }
    if !header.get("seed").is_some_and(Value::is_u64) {
        complaints.push("`seed` must be a non-negative integer".into());
    }
    if !text("dtype").is_some_and(|dtype| DTYPES.contains(&dtype)) {
        complaints.push(format!("`dtype` must be one of {}", DTYPES.join(", ")));
    }
    if !text("date").is_some_and(is_date) {
        complaints.push("`date` must have the form YYYY-MM-DD".into());
    }
    complaints
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let number = |part: &str, digits: usize| {
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<u32>().ok()).flatten()
    };
    number(year, 4).is_some()
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

fn line_of(text: &str, word: &str) -> usize {
    let found = text.lines().position(|line| line.contains(word));
    found.map_or(1, |position| position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{
  "header": {
    "script": "golden/scripts/optim.py",
    "packages": {"torch": "2.15.0"},
    "seed": 0,
    "dtype": "float64",
    "date": "2026-11-20"
  },
  "cases": []
}"#;

    fn messages(text: &str) -> Vec<String> {
        check_file(Path::new("golden/optim/sam.json"), text, |script| {
            script == "golden/scripts/optim.py"
        })
        .iter()
        .map(Finding::to_string)
        .collect()
    }

    #[test]
    fn a_full_header_passes() {
        assert_eq!(messages(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_entry_is_needed() {
        for (entry, wrong) in [
            ("golden/scripts/optim.py", "golden/scripts/gone.py"),
            (r#"{"torch": "2.15.0"}"#, "{}"),
            (r#"{"torch": "2.15.0"}"#, r#"{"torch": 2}"#),
            (r#""seed": 0"#, r#""seed": "0""#),
            ("float64", "double"),
            ("2026-11-20", "2026-13-20"),
            ("2026-11-20", "20.11.2026"),
        ] {
            let found = messages(&GOOD.replace(entry, wrong));
            assert_eq!(found.len(), 1, "{wrong}: {found:?}");
            assert!(found[0].starts_with("golden/optim/sam.json:2: "));
        }
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(messages("{}").len(), 1);
        assert_eq!(messages(r#"{"header": 1}"#).len(), 1);
    }

    #[test]
    fn numbers_that_are_not_json_are_found() {
        assert!(messages("{\n\"x\": NaN\n}")[0].contains("sam.json:2: is not valid JSON"));
    }
}
