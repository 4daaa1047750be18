//! The table of a study and its verdict, as text.

use std::iter::once;

use super::frame::{Cell, Finished, Measured, Reference};
use super::numbers::{number, with_error};

/// The longest line of text.
const WIDTH: usize = 108;

/// All that is printed of a study.
pub(crate) fn text(finished: &Finished<'_>) -> String {
    let Finished {
        study,
        plan,
        found,
        verdict,
        ..
    } = finished;
    let (header, rows) = grid(found);
    let mut text = format!("{}\n", study.name);
    text += &paragraph(&format!("{} ({})", study.claim, study.papers.join("; ")));
    text += &paragraph(study.ran);
    text += &paragraph(&seeds_in_words(&plan.seeds));
    text.push('\n');
    text += &aligned(&header, &rows);
    for note in found.notes() {
        text += &paragraph(note);
    }
    text += &format!("\n  Verdict: {}\n", verdict.outcome);
    for check in &verdict.checks {
        let sign = if check.holds { "✓" } else { "✗" };
        text += &wrapped(&check.text, &format!("  {sign} "), "    ");
    }
    let more = [
        ("What would change it: ", study.would_change),
        ("What one would conclude wrongly: ", study.wrong),
    ];
    for (title, sentence) in more {
        text += &paragraph(&format!("{title}{sentence}"));
    }
    text += &agreement(study.references, found);
    if plan.quick {
        text += "  A quick look: these numbers mean nothing.\n";
    }
    text
}

/// What the numbers of a table are over.
pub(crate) fn seeds_in_words(seeds: &[u64]) -> String {
    match seeds {
        [] => "No seeds.".to_string(),
        [only] => format!("Seed {only}."),
        seeds => {
            let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
            let seeds = seeds.join(", ");
            format!("Means ± standard errors over the seeds {seeds}, where they have one.")
        }
    }
}

/// The header and the rows of the table, which begin with their names.
pub(crate) fn grid(found: &Measured) -> (Vec<String>, Vec<Vec<String>>) {
    let columns = found.columns();
    let header = once("").chain(columns.iter().copied());
    let rows = found.rows().into_iter().map(|row| {
        let cells = columns.iter().map(|column| found.cell(row, column));
        let cells = cells.map(|cell| cell.map(Cell::text).unwrap_or_default());
        once(row.to_string()).chain(cells).collect()
    });
    (header.map(str::to_string).collect(), rows.collect())
}

/// Rows below their header, in several blocks if they are too wide for a line.
fn aligned(header: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let lines = once(header).chain(rows.iter().map(Vec::as_slice));
        let cells = lines.filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let (mut text, mut from) = (String::new(), 1);
    while from < widths.len() {
        let (mut to, mut total) = (from, widths[0]);
        // At least one column, however wide.
        while to < widths.len() && (to == from || total + 2 + widths[to] <= WIDTH) {
            total += 2 + widths[to];
            to += 1;
        }
        let line = |cells: &[String]| {
            let mut line = format!("  {:<1$}", cells[0], widths[0]);
            for (cell, &width) in cells[from..to].iter().zip(&widths[from..to]) {
                line += &format!("  {cell:>width$}");
            }
            format!("{}\n", line.trim_end())
        };
        text += &line(header);
        text += &format!("  {}\n", "─".repeat(total));
        // What has no cell in these columns is in another block.
        for row in rows.iter().filter(|row| !row[from..to].concat().is_empty()) {
            text += &line(row);
        }
        text.push('\n');
        from = to;
    }
    text
}

/// Every reference beside its cell.
fn agreement(references: &[Reference], found: &Measured) -> String {
    if references.is_empty() {
        return String::new();
    }
    let agreeing = references.iter().filter(|it| it.agrees(found)).count();
    let mut text = format!(
        "\n  Agreement with other implementations: {agreeing} of {} cells within 3 standard errors\n",
        references.len()
    );
    for reference in references {
        let Reference { row, column, .. } = reference;
        let own = found.cell(row, column).map(Cell::text);
        let own = own.unwrap_or_else(|| "not measured".to_string());
        let other = with_error(reference.mean, Some(reference.standard_error));
        let distance = reference.distance(found);
        let mut line = format!("{row}, {column}: {own}, there {other}");
        if !distance.is_nan() {
            line += &format!(", {} standard errors apart", number(distance));
        }
        let sign = if reference.agrees(found) {
            "✓"
        } else {
            "✗"
        };
        text += &wrapped(&line, &format!("  {sign} "), "    ");
    }
    text
}

fn paragraph(text: &str) -> String {
    wrapped(text, "  ", "  ")
}

/// Lines of words behind an indent, which is another one for the first.
fn wrapped(text: &str, first: &str, others: &str) -> String {
    let (mut lines, mut line) = (String::new(), first.to_string());
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += &format!("{line}\n");
            line = others.to_string();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines + &format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let mut found = Measured::default();
        found.extend("gradient descent", "λ_max", [1.7, 2.3]);
        found.push("flow", "steps", 145.0);
        found
    }

    #[test]
    fn a_grid_has_a_cell_for_every_row_and_column() {
        let (header, rows) = grid(&measured());
        assert_eq!(header, ["", "λ_max", "steps"]);
        assert_eq!(rows[0], ["gradient descent", "2.00 ± 0.30", ""]);
        assert_eq!(rows[1], ["flow", "", "145"]);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let (header, rows) = grid(&measured());
        let text = aligned(&header, &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "  gradient descent  2.00 ± 0.30");
        assert_eq!(lines[3], "  flow                             145");
    }

    #[test]
    fn wide_tables_are_cut() {
        let mut found = Measured::default();
        for column in 0..12 {
            found.push("row", format!("a rather long column {column}"), 1.0);
        }
        let (header, rows) = grid(&found);
        let text = aligned(&header, &rows);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 2));
        assert_eq!(text.matches("row").count(), 3);
    }

    #[test]
    fn words_are_wrapped_behind_an_indent() {
        let text = wrapped(&"word ".repeat(50), "  - ", "    ");
        assert!(text.starts_with("  - word word") && text.contains("\n    word"));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(wrapped("", "  ", "  "), "  \n");
    }

    #[test]
    fn references_stand_beside_what_was_found() {
        let references = [
            Reference::new("flow", "steps", 145.0, 0.5),
            Reference::new("flow", "time", 1.0, 0.5),
        ];
        let text = agreement(&references, &measured());
        assert!(text.contains("1 of 2 cells"), "{text}");
        assert!(text.contains("✓ flow, steps: 145, there 145.00 ± 0.50, 0 standard errors apart"));
        assert!(text.contains("✗ flow, time: not measured, there 1.00 ± 0.50\n"));
        assert_eq!(agreement(&[], &measured()), "");
    }
}
