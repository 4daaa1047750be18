//! Writing slices.

use std::io;

use serde::Serialize;

use super::LandscapeError;

pub(super) fn json(
    slice: &impl Serialize,
    mut writer: impl io::Write,
) -> Result<(), LandscapeError> {
    serde_json::to_writer(&mut writer, slice).map_err(io::Error::from)?;
    Ok(writer.write_all(b"\n")?)
}

pub(super) fn json_string(slice: &impl Serialize) -> Result<String, LandscapeError> {
    Ok(serde_json::to_string(slice).map_err(io::Error::from)?)
}

/// One header and one line a row, numbers in the shortest form that reads back to the same bits.
pub(super) fn csv<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [f64; N]>,
    mut writer: impl io::Write,
) -> Result<(), LandscapeError> {
    let mut text = header.join(",");
    text.push('\n');
    for row in rows {
        text.push_str(&row.map(|value| value.to_string()).join(","));
        text.push('\n');
    }
    Ok(writer.write_all(text.as_bytes())?)
}
