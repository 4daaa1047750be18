//! Results as JSON and CSV.

use std::io;

use serde::Serialize;

pub(crate) fn json(result: &impl Serialize, mut writer: impl io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut writer, result)?;
    writer.write_all(b"\n")
}

pub(crate) fn json_string(result: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(result)?)
}

/// One header and one line a row. Numbers are given in the shortest form that reads back to the same
/// bits; a cell with a comma or a quote is quoted.
pub(crate) fn csv<Row: IntoIterator<Item = String>>(
    header: impl IntoIterator<Item = impl Into<String>>,
    rows: impl IntoIterator<Item = Row>,
    mut writer: impl io::Write,
) -> io::Result<()> {
    let mut text = line(header.into_iter().map(Into::into));
    for row in rows {
        text += &line(row);
    }
    writer.write_all(text.as_bytes())
}

/// As [`csv`], from columns of one length.
pub(crate) fn csv_of_columns(
    columns: &[(String, &[f64])],
    writer: impl io::Write,
) -> io::Result<()> {
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    let row = |index: usize| {
        columns
            .iter()
            .map(move |(_, values)| values[index].to_string())
    };
    csv(
        columns.iter().map(|(name, _)| name.as_str()),
        (0..rows).map(row),
        writer,
    )
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(quoted).collect();
    cells.join(",") + "\n"
}

fn quoted(cell: String) -> String {
    match cell.contains([',', '"', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}
