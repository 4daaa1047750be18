//! The file that `--json` writes, of which `cargo xtask studies` makes `docs/studies.md`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::frame::{Cell, Finished, Measured, Reference};
use super::numbers::with_error;
use super::provenance::{Code, machine};
use crate::Failure;
use crate::survey::date::today;

/// Writes a study that has run. Numbers that are not finite are null.
pub(crate) fn write(path: &Path, finished: &Finished<'_>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&document(finished))?;
    fs::write(path, text + "\n")
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn document(finished: &Finished<'_>) -> Value {
    let Finished {
        study,
        plan,
        found,
        verdict,
        seconds,
        peak_bytes,
    } = finished;
    let code = Code::of(study.name);
    let checks = verdict.checks.iter().map(|check| {
        json!({
            "text": check.text,
            "holds": check.holds,
            "is_essential": check.is_essential,
        })
    });
    let references = study.references.iter();
    json!({
        "schema_version": 1,
        "study": study.name,
        "claim": study.claim,
        "papers": study.papers,
        "ran": study.ran,
        "would_change": study.would_change,
        "wrong": study.wrong,
        "date": today(),
        "machine": machine(),
        "version": env!("CARGO_PKG_VERSION"),
        "seeds": plan.seeds,
        "quick": plan.quick,
        "commit": code.commit,
        "criterion_commit": code.criterion,
        "is_changed": code.is_changed,
        "seconds": seconds,
        "peak_bytes": peak_bytes,
        "cells": found.cells().iter().map(cell).collect::<Vec<_>>(),
        "notes": found.notes(),
        "verdict": verdict.outcome.to_string(),
        "checks": checks.collect::<Vec<_>>(),
        "agreement": references.map(|it| compared(it, found)).collect::<Vec<_>>(),
    })
}

fn cell(cell: &Cell) -> Value {
    json!({
        "row": cell.row,
        "column": cell.column,
        "values": cell.values,
        "mean": cell.mean(),
        "standard_error": cell.standard_error(),
        "count": cell.count(),
        "text": cell.text(),
    })
}

fn compared(reference: &Reference, found: &Measured) -> Value {
    let Reference {
        row,
        column,
        mean,
        standard_error,
    } = *reference;
    json!({
        "row": row,
        "column": column,
        "mean": found.mean(row, column),
        "standard_error": found.standard_error(row, column),
        "text": found.cell(row, column).map(Cell::text),
        "reference_mean": mean,
        "reference_standard_error": standard_error,
        "reference_text": with_error(mean, Some(standard_error)),
        "distance": reference.distance(found),
        "agrees": reference.agrees(found),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::{Check, Plan, Study, Verdict};

    const REFERENCES: &[Reference] = &[Reference::new("a", "b", 1.0, 0.5)];

    #[test]
    fn a_document_has_the_table_the_checks_and_the_verdict() {
        let study = Study {
            name: "no-such-study",
            claim: "",
            papers: &[],
            ran: "",
            would_change: "",
            wrong: "",
            references: REFERENCES,
            run: |_, _| Ok(()),
            judge: |_| Verdict::of(Vec::new()),
        };
        let mut found = Measured::default();
        found.extend("a", "b", [1.0, f64::NAN]);
        let plan = Plan::new(study.name, vec![0, 1], true);
        let finished = Finished {
            study: &study,
            plan: &plan,
            found: &found,
            verdict: &Verdict::of(vec![Check::new("text", true)]),
            seconds: 1.5,
            peak_bytes: None,
        };
        let document = document(&finished);
        assert_eq!(document["verdict"], "reproduced");
        assert_eq!(document["cells"][0]["values"], json!([1.0, null]));
        assert_eq!(document["cells"][0]["text"], "1 (1 of 2)");
        assert_eq!(document["cells"][0]["standard_error"], Value::Null);
        assert_eq!(document["agreement"][0]["agrees"], true);
        assert_eq!(document["checks"][0]["text"], "text");
        assert_eq!(document["quick"], true);
    }
}
