//! What is read off a kernel.

use super::matrix::{Moved, alignments, block, norm, of_output, trace};

/// A number and its standard error, none where it is exact.
pub(super) type Estimated = (Option<f64>, Option<f64>);

/// A kernel, and what it is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared<'k> {
    /// That of the start.
    pub(super) start: &'k [f64],
    pub(super) now: &'k [f64],
    pub(super) targets: Option<&'k [f64]>,
    /// Outputs of an example; none if examples differ.
    pub(super) per_example: Option<usize>,
    /// The rounding of the kernel, relative to its norm.
    pub(super) rounding: f64,
}

/// The numbers of a reading that come from the kernel.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) drift: Estimated,
    pub(super) distance: Estimated,
    pub(super) alignment: Estimated,
    pub(super) centered_alignment: Estimated,
    pub(super) effective_rank: Estimated,
    pub(super) trace: Estimated,
    pub(super) alignment_per_output: Vec<f64>,
    pub(super) centered_alignment_per_output: Vec<f64>,
}

impl Numbers {
    /// Those of a matrix of `size` rows.
    pub(super) fn of_matrix(compared: &Compared<'_>, size: usize) -> Self {
        let Compared {
            start,
            now,
            targets,
            per_example,
            rounding,
        } = *compared;
        let (moved, trace) = (Moved::between(start, now), trace(now, size));
        let relative_trace = trace / moved.now;
        let mut numbers = Self {
            drift: (Some(moved.drift()), None),
            distance: (moved.distance(), None),
            effective_rank: ((moved.now > 0.0).then(|| relative_trace.powi(2)), None),
            trace: (Some(trace), None),
            ..Self::default()
        };
        let Some(targets) = targets else {
            return numbers;
        };
        let [plain, centered] = alignments(now, targets, per_example, rounding);
        numbers.alignment = (plain, None);
        numbers.centered_alignment = (centered, None);
        let outputs = per_example.unwrap_or(0);
        for output in 0..outputs {
            let own = block(now, size, outputs, output);
            let targets = of_output(targets, outputs, output);
            let [plain, centered] = alignments(&own, &targets, Some(1), rounding);
            let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
            numbers.alignment_per_output.push(or_nan(plain));
            numbers.centered_alignment_per_output.push(or_nan(centered));
        }
        numbers
    }
}

/// Whether there is nothing to compare a kernel with.
pub(super) fn is_zero(kernel: &[f64]) -> bool {
    norm(kernel) == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_has_the_numbers_of_its_definitions() {
        // Two examples with one output.
        let (start, now) = ([1.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0]);
        let read = |targets: &[f64]| {
            let compared = Compared {
                start: &start,
                now: &now,
                targets: Some(targets),
                per_example: Some(1),
                rounding: 1e-14,
            };
            Numbers::of_matrix(&compared, 2)
        };
        let found = read(&[1.0, 1.0]);
        assert_eq!(found.drift, (Some(1.0), None));
        assert_eq!(found.trace, (Some(2.0), None));
        assert_eq!(found.effective_rank, (Some(1.0), None));
        // yᵀ K y = 2, |K| = 2, |y|² = 2; and y is constant.
        assert!((found.alignment.0.unwrap() - 0.5).abs() < 1e-15);
        assert_eq!(found.centered_alignment, (None, None));
        assert!(found.centered_alignment_per_output[0].is_nan());
        // A centered matrix of rank one is aligned with every centered target.
        let found = read(&[1.0, 0.0]);
        assert!((found.centered_alignment.0.unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(found.alignment_per_output.len(), 1);
        assert_eq!(found.alignment.0, Some(found.alignment_per_output[0]));
    }

    #[test]
    fn without_targets_there_are_no_alignments() {
        let kernel = [2.0, 1.0, 1.0, 2.0];
        let compared = Compared {
            start: &kernel,
            now: &kernel,
            targets: None,
            per_example: Some(1),
            rounding: 0.0,
        };
        let found = Numbers::of_matrix(&compared, 2);
        assert_eq!(found.alignment, (None, None));
        assert!(found.alignment_per_output.is_empty());
        // 4² / 10.
        assert!((found.effective_rank.0.unwrap() - 1.6).abs() < 1e-15);
        assert!(is_zero(&[0.0, -0.0]) && !is_zero(&kernel));
    }
}
