use std::io;

use super::FormatError;

/// Results as a table. Only tabular results implement it.
///
/// Numbers are written in the shortest form that reads back to the same bits; a cell with a comma or a quote is quoted.
pub trait Csv {
    /// Writes a header, and one line a row.
    ///
    /// # Errors
    ///
    /// [`FormatError::Write`].
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError>;
}

/// One header and one line a row.
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
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}
