//! Tables for reading.

use std::fmt;

/// Writes columns as wide as their widest cell, numbers to the right.
pub(crate) fn write_aligned<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    cells: &[[String; N]],
    to_the_right: [bool; N],
) -> fmt::Result {
    let width = |column: usize| {
        let lengths = cells.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    for row in cells {
        let line: Vec<String> = (0..N)
            .map(|column| {
                let (cell, width) = (&row[column], widths[column]);
                if to_the_right[column] {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        writeln!(f, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}
