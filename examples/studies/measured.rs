//! What a study measured: the cells of its table, notes and charts.

use burnscape::krylov::Estimate;

use super::numbers::with_error;

/// One number of the table, once for every seed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) row: String,
    pub(crate) column: String,
    /// One for each seed or repetition; NaN where it was not reached.
    pub(crate) values: Vec<f64>,
}

impl Cell {
    /// Of the finite values. Not a number if there is none.
    pub(crate) fn mean(&self) -> f64 {
        self.estimate().value
    }

    /// That of the mean. Not a number for fewer than two finite values.
    pub(crate) fn standard_error(&self) -> f64 {
        self.estimate().standard_error.unwrap_or(f64::NAN)
    }

    /// The number of finite values.
    pub(crate) fn count(&self) -> usize {
        self.estimate().samples
    }

    /// The mean with its standard error, and how many values it is of if some are missing.
    pub(crate) fn text(&self) -> String {
        let Estimate {
            value,
            standard_error,
            samples,
            ..
        } = self.estimate();
        let total = self.values.len();
        match samples {
            0 => "not reached".to_string(),
            _ if samples < total => {
                let text = with_error(value, standard_error);
                format!("{text} ({samples} of {total})")
            }
            _ => with_error(value, standard_error),
        }
    }

    fn estimate(&self) -> Estimate {
        let values = self.values.iter().copied();
        let finite: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        Estimate::of(&finite)
    }
}

/// Lines over one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub(crate) name: String,
    pub(crate) x: String,
    pub(crate) y: String,
    /// Names and points.
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// What a study measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    cells: Vec<Cell>,
    notes: Vec<String>,
    charts: Vec<Chart>,
}

impl Measured {
    /// Appends a value to the cell of this row and column. NaN stands for what was not reached.
    pub(crate) fn push(&mut self, row: impl Into<String>, column: impl Into<String>, value: f64) {
        let (row, column) = (row.into(), column.into());
        let mut cells = self.cells.iter_mut();
        match cells.find(|cell| cell.row == row && cell.column == column) {
            Some(cell) => cell.values.push(value),
            None => self.cells.push(Cell {
                row,
                column,
                values: vec![value],
            }),
        }
    }

    /// Appends several values.
    pub(crate) fn extend(
        &mut self,
        row: &str,
        column: &str,
        values: impl IntoIterator<Item = f64>,
    ) {
        for value in values {
            self.push(row, column, value);
        }
    }

    pub(crate) fn cell(&self, row: &str, column: &str) -> Option<&Cell> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.row == row && cell.column == column)
    }

    /// In the order of their first values.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Empty for a cell that is not there.
    pub(crate) fn values(&self, row: &str, column: &str) -> &[f64] {
        self.cell(row, column).map_or(&[], |cell| &cell.values)
    }

    /// Of the finite values. Not a number if there is none.
    pub(crate) fn mean(&self, row: &str, column: &str) -> f64 {
        self.cell(row, column).map_or(f64::NAN, Cell::mean)
    }

    /// Of all values. Not a number if one is not finite: a mean over the other seeds would hide it.
    pub(crate) fn mean_of_all(&self, row: &str, column: &str) -> f64 {
        let is_whole = self
            .values(row, column)
            .iter()
            .all(|value| value.is_finite());
        if is_whole {
            self.mean(row, column)
        } else {
            f64::NAN
        }
    }

    /// That of the mean. Not a number for fewer than two finite values.
    pub(crate) fn standard_error(&self, row: &str, column: &str) -> f64 {
        self.cell(row, column)
            .map_or(f64::NAN, Cell::standard_error)
    }

    /// The number of finite values.
    pub(crate) fn count(&self, row: &str, column: &str) -> usize {
        self.cell(row, column).map_or(0, Cell::count)
    }

    /// The mean of the first cell minus that of the second, in standard errors of both together. Infinite for numbers
    /// that differ and have none, not a number if one is missing.
    pub(crate) fn gap(&self, first: (&str, &str), second: (&str, &str)) -> f64 {
        let [one, two] = [first, second].map(|(row, column)| self.mean(row, column));
        let [own, other] = [first, second].map(|(row, column)| self.standard_error(row, column));
        if one == two {
            return 0.0;
        }
        (one - two) / own.hypot(other)
    }

    /// Each once, in the order of their first values.
    pub(crate) fn rows(&self) -> Vec<&str> {
        once_each(self.cells.iter().map(|cell| cell.row.as_str()))
    }

    /// Each once, in the order of their first values.
    pub(crate) fn columns(&self) -> Vec<&str> {
        once_each(self.cells.iter().map(|cell| cell.column.as_str()))
    }

    /// Adds a sentence below the table.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds a line to a chart, which is made at its first line.
    pub(crate) fn line(
        &mut self,
        chart: &str,
        x_name: &str,
        y_name: &str,
        series: &str,
        points: Vec<(f64, f64)>,
    ) {
        let line = (series.to_string(), points);
        match self.charts.iter_mut().find(|known| known.name == chart) {
            Some(known) => known.lines.push(line),
            None => self.charts.push(Chart {
                name: chart.to_string(),
                x: x_name.to_string(),
                y: y_name.to_string(),
                lines: vec![line],
            }),
        }
    }

    pub(crate) fn charts(&self) -> &[Chart] {
        &self.charts
    }
}

fn once_each<'n>(names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut each = Vec::new();
    for name in names {
        if !each.contains(&name) {
            each.push(name);
        }
    }
    each
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_cell_have_a_mean_with_its_error() {
        let mut found = Measured::default();
        found.extend("a", "x", [1.0, 3.0]);
        found.push("b", "x", 7.0);
        found.push("a", "y", f64::NAN);
        assert_eq!(found.mean("a", "x"), 2.0);
        assert_eq!(found.standard_error("a", "x"), 1.0);
        assert_eq!(found.values("b", "x"), [7.0]);
        assert!(found.standard_error("b", "x").is_nan() && found.mean("b", "y").is_nan());
        assert_eq!(found.rows(), ["a", "b"]);
        assert_eq!(found.columns(), ["x", "y"]);
        assert_eq!(found.count("a", "y"), 0);
        assert_eq!(found.mean_of_all("a", "x"), 2.0);
        found.push("a", "x", f64::NAN);
        assert!(found.mean_of_all("a", "x").is_nan() && found.mean("a", "x") == 2.0);
    }

    #[test]
    fn what_was_not_reached_is_counted_and_not_averaged() {
        let cell = Cell {
            row: String::new(),
            column: String::new(),
            values: vec![1.0, f64::NAN, 2.0, f64::INFINITY],
        };
        assert_eq!((cell.mean(), cell.count()), (1.5, 2));
        assert_eq!(cell.text(), "1.50 ± 0.50 (2 of 4)");
        let none = Cell {
            values: vec![f64::NAN],
            ..cell
        };
        assert!(none.mean().is_nan());
        assert_eq!(none.text(), "not reached");
    }

    #[test]
    fn gaps_are_in_errors_of_both() {
        let mut found = Measured::default();
        found.extend("a", "x", [1.7, 2.3]);
        found.extend("b", "x", [-0.4, 0.4]);
        assert!((found.gap(("a", "x"), ("b", "x")) - 4.0).abs() < 1e-12);
        assert!(found.gap(("a", "x"), ("c", "x")).is_nan());
        found.extend("c", "x", [5.0, 5.0]);
        found.extend("d", "x", [6.0, 6.0]);
        assert_eq!(found.gap(("d", "x"), ("c", "x")), f64::INFINITY);
        assert_eq!(found.gap(("c", "x"), ("c", "x")), 0.0);
    }

    #[test]
    fn lines_of_one_chart_stand_together() {
        let mut found = Measured::default();
        found.line("loss", "step", "loss", "a", vec![(0.0, 1.0)]);
        found.line("sharpness", "step", "λ_max", "a", Vec::new());
        found.line("loss", "step", "loss", "b", vec![(0.0, 2.0)]);
        assert_eq!(found.charts().len(), 2);
        assert_eq!(found.charts()[0].lines.len(), 2);
    }
}
