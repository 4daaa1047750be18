//! What the command prints. A reader that closes the pipe early, such as `head`, is no error.

use std::io::{self, ErrorKind, Write};

use burnscape::prelude::Json;
use serde::Serialize;

use super::error::CommandError;

/// Writes a text to standard output, with a line break at its end.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CommandError::Output),
    }
}

/// Writes a result to standard output as one line of JSON.
pub(crate) fn print_json(result: &impl Serialize) -> Result<(), CommandError> {
    let text = result.to_json();
    print(&text.map_err(|error| CommandError::Output(io::Error::other(error.to_string())))?)
}

/// Writes a line to standard error, if it is open.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Rows as a table: the first column to the left, the others to the right, or as `lefts` says.
pub(crate) fn table(rows: &[Vec<String>], lefts: &[usize]) -> String {
    let num_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..num_columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| {
            // Not `{cell:<width$}`, whose widths end at 65,535.
            let blank = " ".repeat(width - cell.chars().count());
            if lefts.contains(&column) {
                format!("{cell}{blank}")
            } else {
                format!("{blank}{cell}")
            }
        });
        let line = cells.collect::<Vec<String>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number with separators between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A shape as `[2, 3]`.
pub(crate) fn shape(shape: &[usize]) -> String {
    format!("{shape:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn columns_have_the_width_of_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        let rows = [row(["tensor", "bytes"]), row(["a", "12"])];
        assert_eq!(table(&rows, &[0]), "tensor  bytes\na          12\n");
    }

    #[test]
    fn names_may_be_long() {
        let (long, short) = ("a".repeat(70_000), "b".to_string());
        let number = || "1".to_string();
        let rows = [vec![long, number()], vec![short, number()]];
        let text = table(&rows, &[0]);
        assert!(text.lines().all(|line| line.len() == 70_003));
    }
}
