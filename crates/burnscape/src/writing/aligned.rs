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
                let cell = &row[column];
                // A width in a format is 65,535 at most.
                let missing = widths[column].saturating_sub(cell.chars().count());
                let padding = " ".repeat(missing);
                if to_the_right[column] {
                    format!("{padding}{cell}")
                } else {
                    format!("{cell}{padding}")
                }
            })
            .collect();
        writeln!(f, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table(Vec<[String; 2]>);

    impl fmt::Display for Table {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_aligned(f, &self.0, [false, true])
        }
    }

    #[test]
    fn columns_may_be_of_any_width() {
        let row = |cells: [&str; 2]| cells.map(str::to_string);
        let table = Table(vec![row(["ä", "10"]), row(["bcd", "2"])]);
        assert_eq!(table.to_string(), "ä    10\nbcd   2\n");
        let wide = "x".repeat(70_000);
        let table = Table(vec![row([wide.as_str(), "1"]), row(["a", "2"])]);
        let lines: Vec<usize> = table.to_string().lines().map(str::len).collect();
        assert_eq!(lines, [70_003; 2]);
    }
}
