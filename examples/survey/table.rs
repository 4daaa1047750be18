//! Tables of rows, one for each network with each optimizer.

use super::estimate::Estimate;
use super::summary::Row;

/// A heading and a cell for every row.
pub(crate) struct Column {
    title: String,
    cells: Vec<String>,
}

impl Column {
    pub(crate) fn new(title: &str, rows: &[Row], cell: impl Fn(&Row) -> String) -> Self {
        Self {
            title: title.to_string(),
            cells: rows.iter().map(cell).collect(),
        }
    }

    /// Means with errors, times `scale`. All cells have as many decimals as the smallest error
    /// needs for two digits; `decimals` without errors.
    pub(crate) fn estimates(
        title: &str,
        rows: &[Row],
        scale: f64,
        decimals: usize,
        value: impl Fn(&Row) -> Estimate,
    ) -> Self {
        let errors = rows.iter().filter_map(|row| value(row).standard_error);
        let errors = errors.map(|error| error * scale);
        let smallest = errors
            .filter(|error| *error > 0.0)
            .fold(f64::INFINITY, f64::min);
        let decimals = match smallest.is_finite() {
            true => (1.0 - smallest.log10().floor()).clamp(2.0, 5.0) as usize,
            false => decimals,
        };
        Self::new(title, rows, |row| {
            let Estimate {
                mean,
                standard_error,
            } = value(row);
            let mean = format!("{:.decimals$}", mean * scale);
            match standard_error {
                Some(error) => format!("{mean} ± {:.decimals$}", error * scale),
                None => mean,
            }
        })
    }

    /// A column to be read from the left, without a heading.
    pub(crate) fn bare(rows: &[Row], cell: impl Fn(&Row) -> String) -> Self {
        Self::new("", rows, cell).left_aligned()
    }

    /// A column of cells that belong to no row.
    pub(crate) fn of_cells(title: &str, cells: Vec<String>) -> Self {
        Self {
            title: title.to_string(),
            cells,
        }
    }

    /// The names of the rows, network and optimizer.
    pub(crate) fn names(rows: &[Row]) -> Self {
        Self::new("network", rows, |row| row.name())
    }

    /// The column, to be read from the left.
    pub(crate) fn left_aligned(mut self) -> Self {
        let width = self.width();
        for cell in &mut self.cells {
            *cell = format!("{cell:<width$}");
        }
        // No heading stays none.
        if !self.title.is_empty() {
            self.title = format!("{:<width$}", self.title);
        }
        self
    }

    fn width(&self) -> usize {
        let texts = std::iter::once(&self.title).chain(&self.cells);
        texts.map(|text| text.chars().count()).max().unwrap_or(0)
    }
}

/// The columns beside the names of the rows.
pub(crate) fn table(rows: &[Row], columns: Vec<Column>) -> String {
    let is_first = |index: usize| index == 0 || rows[index - 1].model != rows[index].model;
    let models = rows.iter().enumerate().map(|(index, row)| {
        // Once for each group is easier on the eye.
        let shown = is_first(index).then(|| row.model.to_string());
        format!("{:<3}", shown.unwrap_or_default())
    });
    let models = Column {
        title: String::new(),
        cells: models.collect(),
    };
    let optimizers = Column::bare(rows, |row| row.optimizer.to_string());
    let columns: Vec<Column> = [models, optimizers].into_iter().chain(columns).collect();

    aligned(&columns)
}

/// The columns side by side, a rule below their headings if there are any.
pub(crate) fn aligned(columns: &[Column]) -> String {
    let line = |text: &dyn Fn(&Column) -> String| {
        let cells = columns.iter().map(|column| {
            let width = column.width();
            format!("{:>width$}", text(column))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("  {}\n", line.trim_end())
    };
    let mut text = String::new();
    if columns.iter().any(|column| !column.title.is_empty()) {
        let width: usize = columns.iter().map(|column| column.width() + 2).sum();
        text += &line(&|column| column.title.clone());
        text += &format!("  {}\n", "─".repeat(width - 2));
    }
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for index in 0..rows {
        text += &line(&|column| column.cells[index].clone());
    }
    text
}

/// The cells of columns, row by row, without spaces around them and with real minus signs.
pub(crate) fn cells(columns: &[Column]) -> Vec<Vec<String>> {
    let count = columns.first().map_or(0, |column| column.cells.len());
    let row = |index: usize| -> Vec<String> {
        let cells = columns.iter().map(|column| column.cells[index].trim());
        cells.map(with_minus_sign).collect()
    };
    (0..count).map(row).collect()
}

/// The text, with a minus sign if it starts with the hyphen of a number.
pub(crate) fn with_minus_sign(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => format!("−{rest}"),
        _ => text.to_string(),
    }
}

/// `12,345`.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_rows() {
        let column = |cells: [&str; 2]| {
            let cells = cells.map(str::to_string);
            Column::of_cells("", cells.to_vec()).left_aligned()
        };
        let rows = cells(&[column(["a", "bcd"]), column(["12", "3"])]);
        assert_eq!(rows, [["a", "12"], ["bcd", "3"]]);
        let rows = cells(&[Column::of_cells("", vec!["-0.5 ± 0.1".into(), "-".into()])]);
        assert_eq!(rows, [["−0.5 ± 0.1"], ["-"]]);
        assert!(cells(&[]).is_empty());
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(600.0), "600");
        assert_eq!(thousands(1200.0), "1,200");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
    }
}
