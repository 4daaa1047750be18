//! Tables with a heading, and the sentence that says what they mean.

use burnscape::krylov::Estimate;

/// The longest line of text.
const WIDTH: usize = 108;

/// Prints the heading of a part, and what was done.
pub(crate) fn heading(title: &str, setting: &str) {
    println!("{title}");
    meaning(setting);
}

/// Prints rows below their headings: the first column from the left, the others from the right.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let longest = cells.map(|cell| cell.chars().count()).max();
            longest.unwrap_or(0).max(heading.chars().count())
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).enumerate();
        let padded = padded.map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("  {}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(headings.to_vec());
    let gaps = 2 * widths.len().saturating_sub(1);
    println!("  {}", "─".repeat(widths.iter().sum::<usize>() + gaps));
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
    println!();
}

/// Prints what a table means, in lines.
pub(crate) fn meaning(text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
            println!("  {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    println!("  {line}\n");
}

/// The mean of numbers with its standard error.
pub(crate) fn with_error(values: &[f64], decimals: usize) -> String {
    let mean = Estimate::of(values);
    match mean.standard_error {
        Some(error) => format!("{:.decimals$} ± {error:.decimals$}", mean.value),
        None => format!("{:.decimals$}", mean.value),
    }
}

/// A number that may be missing.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    match value {
        Some(value) => format!("{value:.decimals$}"),
        None => "–".to_string(),
    }
}

/// The lines of a text, indented.
pub(crate) fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("  {line}\n"));
    lines.collect()
}
