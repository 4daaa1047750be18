//! The printed report of aligned networks.

use burnscape::path::PathValues;

use super::alignment::{AlignedLine, By, Line, Losses};
use super::paths_run::Connected;
use super::table::{Column, aligned};

/// The barriers on the lines, and that of the Bézier curve.
pub(crate) fn section(connected: &Connected) -> String {
    table(&columns(connected))
}

/// One row for each way to align, and one for the curve; empty without lines.
pub(crate) fn columns(connected: &Connected) -> Vec<Column> {
    let bezier = &connected.connection.bezier;
    let barrier = |losses: &PathValues| losses.barriers.map(|barriers| barriers.above_line);
    let curve = [
        barrier(&bezier.train),
        bezier.test.as_ref().and_then(barrier),
    ];
    columns_of(&connected.alignment, bezier.length(), curve)
}

/// The barriers of the curve are those on training and test images.
fn columns_of(lines: &[AlignedLine], length: f64, curve: [Option<f64>; 2]) -> Vec<Column> {
    let plain: Vec<&AlignedLine> = lines.iter().filter(|line| !line.repaired).collect();
    if plain.is_empty() {
        return Vec::new();
    }
    let shown = |barrier: Option<f64>| match barrier {
        Some(barrier) => format!("{barrier:.4}"),
        None => "-".to_string(),
    };
    let column = |title: &str, repaired: bool, side: fn(&Line) -> &Losses, curve: Option<f64>| {
        let of = |by: By| {
            let mut found = lines.iter();
            let found = found.find(|line| line.by == by && line.repaired == repaired)?;
            Some(side(&found.line).barriers.above_line)
        };
        let cells = plain.iter().map(|line| shown(of(line.by)));
        Column::of_cells(title, cells.chain([shown(curve)]).collect())
    };
    let names = plain.iter().map(|line| line.by.title().to_string());
    let lengths = plain.iter().map(|line| format!("{:.1}", line.line.length));
    vec![
        Column::of_cells(
            "",
            names.chain(["Bézier, not aligned".to_string()]).collect(),
        )
        .left_aligned(),
        Column::of_cells("length", lengths.chain([format!("{length:.1}")]).collect()),
        column("train", false, |line| &line.train, curve[0]),
        column("repaired", true, |line| &line.train, None),
        column("test", false, |line| &line.test, curve[1]),
        column("repaired", true, |line| &line.test, None),
    ]
}

fn table(columns: &[Column]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    format!(
        "  Barrier on the line to the second network, permuted onto the first: as it is, and after REPAIR\n{}",
        aligned(columns)
    )
}

#[cfg(test)]
mod tests {
    use burnscape::path::Barriers;

    use super::*;

    #[test]
    fn every_way_has_a_row_with_both_barriers_and_the_curve_has_one() {
        let losses = |middle: f64| {
            let values = vec![0.0, middle, 0.0];
            let barriers = Barriers::of(&[0.0, 0.5, 1.0], &values).unwrap();
            Losses { values, barriers }
        };
        let line = |by: By, repaired: bool, train: f64| AlignedLine {
            by,
            repaired,
            line: Line {
                length: 2.0,
                times: vec![0.0, 0.5, 1.0],
                train: losses(train),
                test: losses(0.5),
            },
        };
        let lines = [
            line(By::Nothing, false, 1.25),
            line(By::Nothing, true, 0.25),
            line(By::Weights, false, 0.125),
        ];
        let text = table(&columns_of(&lines, 3.0, [Some(0.0625), None]));
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(3)
            .map(|row| row.split_whitespace().collect())
            .collect();
        assert_eq!(
            rows[0][2..],
            ["2.0", "1.2500", "0.2500", "0.5000", "0.5000"]
        );
        assert_eq!(rows[1][2..], ["2.0", "0.1250", "-", "0.5000", "-"]);
        assert_eq!(rows[2][3..], ["3.0", "0.0625", "-", "-", "-"]);
        assert_eq!(table(&columns_of(&[], 3.0, [None; 2])), "");
    }
}
