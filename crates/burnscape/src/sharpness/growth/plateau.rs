use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::sharpness::statistics;

/// A range of radii over which the loss grows with one power.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrowthPlateau {
    /// The smallest radius.
    pub from: f64,
    /// The largest radius.
    pub to: f64,
    /// The mean of the exponents.
    pub exponent: f64,
}

/// The runs of two or more neighbors that are defined and within the tolerance of their mean, and these means.
pub(super) fn runs(exponents: &[Option<f64>], tolerance: f64) -> Vec<(Range<usize>, f64)> {
    let mut found = Vec::new();
    find(exponents, 0..exponents.len(), tolerance, &mut found);
    found
}

/// Adds the runs within a part, in order: the longest one, and what is on both sides of it.
fn find(
    exponents: &[Option<f64>],
    part: Range<usize>,
    tolerance: f64,
    found: &mut Vec<(Range<usize>, f64)>,
) {
    let Some((run, mean)) = longest(exponents, &part, tolerance) else {
        return;
    };
    let rest = run.end..part.end;
    find(exponents, part.start..run.start, tolerance, found);
    found.push((run, mean));
    find(exponents, rest, tolerance, found);
}

/// The longest run within a part; the first one of several.
fn longest(
    exponents: &[Option<f64>],
    part: &Range<usize>,
    tolerance: f64,
) -> Option<(Range<usize>, f64)> {
    (2..=part.len()).rev().find_map(|length| {
        let mut starts = part.start..=part.end - length;
        starts.find_map(|start| {
            let run = start..start + length;
            let mean = mean_if_flat(&exponents[run.clone()], tolerance)?;
            Some((run, mean))
        })
    })
}

fn mean_if_flat(exponents: &[Option<f64>], tolerance: f64) -> Option<f64> {
    let values = exponents.iter().copied().collect::<Option<Vec<f64>>>()?;
    let mean = statistics::mean(&values);
    let is_flat = values.iter().all(|value| (value - mean).abs() <= tolerance);
    is_flat.then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(exponents: &[Option<f64>], tolerance: f64) -> Vec<(usize, usize, f64)> {
        let found = runs(exponents, tolerance).into_iter();
        found
            .map(|(run, mean)| (run.start, run.end, mean))
            .collect()
    }

    #[test]
    fn the_longest_run_comes_first_and_the_rest_is_on_its_sides() {
        let exponents = [2.0, 2.0, 2.0, 1.5, 1.0, 1.0].map(Some);
        assert_eq!(spans(&exponents, 0.2), [(0, 3, 2.0), (4, 6, 1.0)]);
        assert_eq!(spans(&exponents, 0.375), [(0, 4, 1.875), (4, 6, 1.0)]);
        assert_eq!(spans(&exponents, 2.0), [(0, 6, 9.5 / 6.0)]);
    }

    #[test]
    fn what_is_not_defined_ends_a_run_and_one_exponent_is_none() {
        let exponents = [Some(2.0), Some(2.0), None, Some(2.0), None];
        assert_eq!(spans(&exponents, 0.5), [(0, 2, 2.0)]);
        assert!(spans(&[Some(2.0)], 0.5).is_empty());
        assert!(spans(&[], 0.5).is_empty());
    }
}
