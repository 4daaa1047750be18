//! A point as a line of text: its index and its values, separated by commas.

use std::fmt::Write;

/// The line of a point, with its line break. The decimals are the shortest that read back to the same number.
pub(super) fn written(index: usize, values: &[f64]) -> String {
    let mut line = index.to_string();
    for value in values {
        // Writing to a string does not fail.
        let _ = write!(line, ",{value:?}");
    }
    line.push('\n');
    line
}

/// The point of a line without its line break, or what is wrong with it.
pub(super) fn read(
    line: &str,
    num_points: usize,
    columns: usize,
) -> Result<(usize, Vec<f64>), String> {
    let mut cells = line.split(',');
    let cell = cells.next().unwrap_or_default();
    let Ok(index) = cell.parse::<usize>() else {
        return Err(format!("`{cell}` is not the index of a point"));
    };
    if index >= num_points {
        let why = format!("there is no point {index}: the grid has {num_points}");
        return Err(why);
    }
    let mut values = Vec::with_capacity(columns);
    for cell in cells {
        match cell.parse::<f64>() {
            Ok(value) => values.push(value),
            Err(_) => return Err(format!("`{cell}` is not a number")),
        }
    }
    if values.len() == columns {
        Ok((index, values))
    } else {
        let found = values.len();
        Err(format!("it has {found} values instead of {columns}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn every_bit_of_a_number_survives() {
        let values = [
            0.1 + 0.2,
            -0.0,
            f64::MIN_POSITIVE / 8.0,
            f64::MAX,
            1e22,
            -1.0 / 3.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        let line = written(41, &values);
        let (index, found) = read(line.trim_end_matches('\n'), 42, values.len()).unwrap();
        assert_eq!(index, 41);
        assert_eq!(bits(&found), bits(&values));
        let (_, found) = read("0,NaN", 1, 1).unwrap();
        assert!(found[0].is_nan());
        assert_eq!(written(0, &[f64::NAN, 1.0]), "0,NaN,1.0\n");
    }

    #[test]
    fn a_line_that_is_no_point_says_why() {
        let why = |line| read(line, 9, 2).unwrap_err();
        assert_eq!(why("9,1,2"), "there is no point 9: the grid has 9");
        assert_eq!(why("-1,1,2"), "`-1` is not the index of a point");
        assert_eq!(why(""), "`` is not the index of a point");
        assert_eq!(why("3"), "it has 0 values instead of 2");
        assert_eq!(why("3,1"), "it has 1 values instead of 2");
        assert_eq!(why("3,1,2,3"), "it has 3 values instead of 2");
        assert_eq!(why("3,1,"), "`` is not a number");
        assert_eq!(why("3,1,2\r"), "`2\r` is not a number");
        assert_eq!(why("3,1,two"), "`two` is not a number");
    }
}
