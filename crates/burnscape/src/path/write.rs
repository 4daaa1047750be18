//! Writing results.

use std::io;

use serde::Serialize;

use super::PathError;

pub(super) fn json(result: &impl Serialize, mut writer: impl io::Write) -> Result<(), PathError> {
    serde_json::to_writer(&mut writer, result).map_err(io::Error::from)?;
    Ok(writer.write_all(b"\n")?)
}

pub(super) fn json_string(result: &impl Serialize) -> Result<String, PathError> {
    Ok(serde_json::to_string(result).map_err(io::Error::from)?)
}

/// One header and one line a row, numbers in the shortest form that reads back to the same bits. A
/// name with a comma or a quote is quoted.
pub(super) fn csv(
    columns: &[(String, &[f64])],
    mut writer: impl io::Write,
) -> Result<(), PathError> {
    let quoted = |name: &String| match name.contains([',', '"', '\n']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.clone(),
    };
    let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    let mut text = names.join(",");
    text.push('\n');
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    for row in 0..rows {
        let cells = columns.iter().map(|(_, values)| values[row].to_string());
        text.push_str(&cells.collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    Ok(writer.write_all(text.as_bytes())?)
}
