//! Settings compared over seeds: paired differences, rank correlations and straight lines.

use burnscape_krylov::{Estimate, KrylovFault, LineFit, RankCorrelation};
use serde_json::Value;

#[test]
fn differences_of_pairs_have_students_interval() {
    let (first, second) = ([4.0, 7.0, 5.0], [3.0, 5.0, 2.0]);
    let found = Estimate::of_differences(&first, &second).unwrap();
    // Of 1, 2 and 3, which are not skew. With two degrees of freedom, `(2 p − 1) / √(2 p (1 − p))` is Student's point.
    assert_eq!(found, Estimate::of(&[1.0, 2.0, 3.0]));
    let half = 0.95 / (2.0 * 0.975 * 0.025_f64).sqrt() / 3.0_f64.sqrt();
    let (low, high) = found.interval(0.95).unwrap();
    assert!((low - 2.0 + half).abs() < 1e-9 && (high - 2.0 - half).abs() < 1e-9);
    let width = found.half_width(0.95).unwrap();
    assert_eq!((low, high), (found.value - width, found.value + width));
    // The other way round, and without an interval.
    let other = Estimate::of_differences(&second, &first).unwrap();
    assert_eq!(other.interval(0.95), Some((-high, -low)));
    assert_eq!(found.interval(1.0), None);
    let single = Estimate::of_differences(&[1.0], &[3.0]).unwrap();
    assert_eq!((single.value, single.interval(0.95)), (-2.0, None));
    let none = Estimate::of_differences(&[], &[]).unwrap();
    assert!(none.value.is_nan() && none.samples == 0 && none.interval(0.95).is_none());
}

#[test]
fn the_error_of_a_difference_is_free_of_what_seeds_do_to_both() {
    let seeds = [0.0, 100.0, -30.0, 7.0, 1000.0];
    let gains = [1.0, 2.0, 1.5, 1.0, 2.0];
    let second: Vec<f64> = seeds
        .iter()
        .zip(gains)
        .map(|(seed, gain)| seed + gain)
        .collect();
    let found = Estimate::of_differences(&second, &seeds).unwrap();
    assert_eq!(found, Estimate::of(&gains));
    let alone = Estimate::of(&second).standard_error.unwrap();
    assert!(alone > 100.0 * found.standard_error.unwrap());
}

#[test]
fn pairs_are_refused_or_left_out_as_the_name_says() {
    let count = KrylovFault::PairCount {
        first: 2,
        second: 1,
    };
    let found = Estimate::of_differences(&[1.0, 2.0], &[1.0]);
    assert_eq!(found, Err(count.clone()));
    let found = Estimate::of_complete_differences(&[1.0, 2.0], &[1.0]);
    assert_eq!(found, Err(count.clone()));
    let text = "2 numbers are paired with 1; give one of each for every pair, in the same order";
    assert_eq!(count.to_string(), text);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (first, second) = ([5.0, 1.0, bad, 4.0], [2.0, bad, bad, 3.0]);
        let error = Estimate::of_differences(&first, &second).unwrap_err();
        assert!(matches!(
            error,
            KrylovFault::NonFinitePair {
                pair: 1,
                first: 1.0,
                ..
            }
        ));
        let text = format!(
            "pair 1 (counted from 0) is (1, {bad}), which must be finite; look for the cause, or leave the pair out"
        );
        assert_eq!(error.to_string(), text);
        let found = Estimate::of_complete_differences(&first, &second).unwrap();
        assert_eq!(found, Estimate::of(&[3.0, 1.0]));
    }
    let nothing = Estimate::of_complete_differences(&[f64::NAN], &[1.0]).unwrap();
    assert!(nothing.value.is_nan() && nothing.samples == 0);
}

#[test]
fn rank_correlations_are_those_of_scipy() {
    // `scipy.stats.spearmanr` of SciPy 1.17.1.
    let ties = [1.0, 2.0, 2.0, 4.0, 5.0, 5.0, 5.0, 8.0];
    let others = [3.0, 1.0, 4.0, 4.0, 2.0, 6.0, 7.0, 7.0];
    let pairs: Vec<(f64, f64)> = ties.into_iter().zip(others).collect();
    let found = RankCorrelation::of(&pairs).unwrap();
    assert!((found.value - 0.639_862_645_418_174).abs() < 1e-14);
    assert_eq!((found.pairs, found.interval(0.95)), (8, None));
    let pairs = [(1.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 3.0)];
    let found = RankCorrelation::of(&pairs).unwrap();
    assert!((found.value - 8.0 / 9.0).abs() < 1e-14);
}

/// Row, column and values.
type Cell = (String, String, Vec<f64>);

/// The cells of the finished study `batch-size`.
fn cells() -> Vec<Cell> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/studies/batch-size.json"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let study: Value = serde_json::from_str(&text).unwrap();
    let cell = |cell: &Value| -> Cell {
        let [row, column] = ["row", "column"].map(|key| cell[key].as_str().unwrap().to_string());
        let values = cell["values"].as_array().unwrap().iter();
        let values = values.map(|value| value.as_f64().unwrap_or(f64::NAN));
        (row, column, values.collect())
    };
    study["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(cell)
        .collect()
}

fn values<'c>(cells: &'c [Cell], row: &str, column: &str) -> &'c [f64] {
    let mut cells = cells.iter();
    let cell = cells.find(|cell| cell.0 == row && cell.1 == column);
    &cell.unwrap().2
}

/// The random numbers, and the ends that are chosen, are those of the study: 2,000 draws from the seed 0.
#[test]
fn intervals_are_those_of_the_finished_study() {
    let cells = cells();
    let sharpness = "λ_max";
    for (ending, when) in [
        (": loss 0.01", "at the goal"),
        (" steps", "after some steps"),
    ] {
        let measured = cells.iter().filter(|cell| cell.1 == sharpness);
        let rows = measured.map(|cell| cell.0.as_str());
        let rows: Vec<&str> = rows.filter(|row| row.ends_with(ending)).collect();
        assert!(rows.len() > 6, "{rows:?}");
        for column in ["training loss", "Keskar's measure", "test accuracy"] {
            let of_row = |row: &&str| -> Vec<(f64, f64)> {
                let [x, y] = [sharpness, column].map(|column| values(&cells, row, column));
                x.iter().copied().zip(y.iter().copied()).collect()
            };
            let grid: Vec<Vec<(f64, f64)>> = rows.iter().map(of_row).collect();
            let found = RankCorrelation::of_grid(&grid, 2000, 0).unwrap();
            let (low, high) = found.interval(0.95).unwrap();
            for (value, end) in [(found.value, ""), (low, ", 2.5 %"), (high, ", 97.5 %")] {
                let name = format!("rank correlation with {sharpness} {when}{end}");
                let before = values(&cells, &name, column)[0];
                // The parser may round the last digit.
                assert!((value - before).abs() < 1e-15, "{name}, {column}: {value}");
            }
        }
    }
}

#[test]
fn a_grid_keeps_the_places_of_runs_without_a_result() {
    let run = |setting: f64, seed: f64| {
        let noise = (5.0 * setting + 7.0 * seed).sin();
        (setting + 0.1 * seed, setting + 2.0 * noise)
    };
    let row = |setting: f64| [0.0, 1.0, 2.0].map(|seed| run(setting, seed));
    let mut grid = [1.0, 2.0, 3.0, 4.0].map(row);
    let whole = RankCorrelation::of_grid(&grid, 50, 3).unwrap();
    assert_eq!((whole.pairs, whole.resampled.len()), (12, 50));
    assert_eq!(
        whole.value,
        RankCorrelation::of(&grid.concat()).unwrap().value
    );
    assert_eq!(whole, RankCorrelation::of_grid(&grid, 50, 3).unwrap());
    assert_ne!(whole, RankCorrelation::of_grid(&grid, 50, 4).unwrap());
    // More draws begin with the same ones: each of the first is among them.
    let more = RankCorrelation::of_grid(&grid, 80, 3).unwrap();
    let is_there = |draw: &f64| more.resampled.contains(draw);
    assert!(more.resampled.len() == 80 && whole.resampled.iter().all(is_there));
    let (narrow, wide) = (whole.interval(0.5).unwrap(), whole.interval(0.9).unwrap());
    assert!(wide.0 <= narrow.0 && narrow.0 <= narrow.1 && narrow.1 <= wide.1);
    for confidence in [0.0, 1.0, f64::NAN] {
        assert_eq!(whole.interval(confidence), None);
    }
    grid[1][2].1 = f64::INFINITY;
    let holed = RankCorrelation::of_grid(&grid, 50, 3).unwrap();
    let rest: Vec<(f64, f64)> = grid
        .concat()
        .into_iter()
        .filter(|run| run.1 < 9.0)
        .collect();
    assert_eq!((holed.pairs, rest.len()), (11, 11));
    assert_eq!(holed.value, RankCorrelation::of(&rest).unwrap().value);
    let error = RankCorrelation::of(&grid.concat()).unwrap_err();
    assert!(matches!(error, KrylovFault::NonFinitePair { pair: 5, .. }));
}

#[test]
fn grids_without_a_shape_and_bootstraps_without_draws_are_refused() {
    let pair = (1.0, 2.0);
    let ragged = RankCorrelation::of_grid(&[vec![pair; 2], vec![pair; 2], vec![pair]], 9, 0);
    let expected = KrylovFault::RaggedRows {
        row: 2,
        expected: 2,
        found: 1,
    };
    assert_eq!(ragged, Err(expected));
    let none = KrylovFault::NoProbes {
        method: "a bootstrap",
        name: "draws",
        needed: 1,
        found: 0,
    };
    assert_eq!(RankCorrelation::of_grid(&[[pair]], 0, 0), Err(none));
    let empty: [Vec<(f64, f64)>; 0] = [];
    let found = RankCorrelation::of_grid(&empty, 9, 0).unwrap();
    assert!(found.value.is_nan() && found.pairs == 0 && found.interval(0.5).is_none());
}

#[test]
fn lines_are_those_of_scipy() {
    // `scipy.stats.linregress` of SciPy 1.17.1 on the first set of Anscombe (1973), and `scipy.stats.t.ppf(0.95, 9)`
    // errors of the slope around it.
    let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
    let y = [
        8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68,
    ];
    let points: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
    let line = LineFit::of(&points).unwrap();
    let (low, high) = line.slope_interval(0.9).unwrap();
    for (found, expected) in [
        (line.slope, 0.500_090_909_090_909_1),
        (line.intercept, 3.000_090_909_090_910_3),
        (line.standard_error.unwrap(), 0.117_905_500_595_634_08),
        (low, 0.283_956_811_117_744_6),
        (high, 0.716_225_007_064_073_7),
    ] {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    assert!((line.slope - 0.500_090_909_090_909_1).abs() < 1e-14);
    assert_eq!(line.points, 11);
}

#[test]
fn points_that_make_no_line_are_refused() {
    let too_few = KrylovFault::NoProbes {
        method: "a line",
        name: "points",
        needed: 2,
        found: 1,
    };
    assert_eq!(LineFit::of(&[(1.0, 2.0)]), Err(too_few));
    let error = LineFit::of(&[(0.1, 1.0), (0.1, 2.0), (0.1, 4.0)]).unwrap_err();
    let text = "`x of all points` is 0.1; give points with at least two different ones";
    assert_eq!(error.to_string(), text);
    for bad in [f64::NAN, f64::INFINITY] {
        for point in [(bad, 1.0), (1.0, bad)] {
            let error = LineFit::of(&[(0.0, 1.0), (2.0, 5.0), point]).unwrap_err();
            assert!(matches!(error, KrylovFault::NonFinitePair { pair: 2, .. }));
        }
    }
}
