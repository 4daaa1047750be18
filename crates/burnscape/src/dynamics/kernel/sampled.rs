//! What is read off the products of a kernel with random vectors.

use burnscape_krylov::Estimate;

use super::matrix::{Moved, center, dot, norm};
use super::numbers::{Compared, Estimated, Numbers};
use crate::space::SpaceError;

/// Squares and products of one random vector `z`, or means of them.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// `|K₀ z|²`.
    start: f64,
    /// `|K z|²`.
    now: f64,
    /// `|(K − K₀) z|²`.
    difference: f64,
    /// `zᵀ K z`.
    trace: f64,
    /// `|C K C z|²`.
    centered: f64,
}

/// The forms of the targets, which are exact, and the products with centered random vectors.
#[derive(Debug, Clone, Default)]
pub(super) struct OfTargets {
    /// `yᵀ K y / |y|²`; none for targets of zero.
    pub(super) form: Option<f64>,
    /// The same of `C y`; none for constant targets.
    pub(super) centered_form: Option<f64>,
    /// `K C z` for each random vector, one after the other; empty without `centered_form`.
    pub(super) centered: Vec<f64>,
}

/// The numbers of a kernel of `size` outputs from its products with the vectors `probe`.
pub(super) fn of_products(
    compared: &Compared<'_>,
    size: usize,
    of_targets: &OfTargets,
    probe: impl Fn(usize) -> Result<Vec<f64>, SpaceError>,
) -> Result<Numbers, SpaceError> {
    let Compared {
        start,
        now,
        per_example,
        rounding,
        ..
    } = *compared;
    // Squares stay within the range of `f64`.
    let unit = start.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let in_units = |vector: &[f64]| -> Vec<f64> { vector.iter().map(|x| x / unit).collect() };
    let pairs = start.chunks_exact(size).zip(now.chunks_exact(size));
    let mut samples = Vec::new();
    for (index, (start, now)) in pairs.enumerate() {
        let (start, now) = (in_units(start), in_units(now));
        let moved: Vec<f64> = start.iter().zip(&now).map(|(a, b)| b - a).collect();
        let centered = of_targets.centered.chunks_exact(size).nth(index);
        let centered = centered.zip(per_example).map(|(image, outputs)| {
            let mut image = in_units(image);
            center(&mut image, outputs);
            dot(&image, &image)
        });
        samples.push(Sample {
            start: dot(&start, &start),
            now: dot(&now, &now),
            difference: dot(&moved, &moved),
            trace: dot(&probe(index)?, &now),
            centered: centered.unwrap_or(0.0),
        });
    }
    let read = |of: &dyn Fn(Sample) -> Option<f64>| estimated(&samples, of);
    let over = |form: f64, square: f64| (square > 0.0).then(|| form / unit / square.sqrt());
    let (trace, trace_error) = read(&|mean| Some(mean.trace));
    let least = rounding * rounding;
    Ok(Numbers {
        drift: read(&|mean| Some(moved(mean).drift())),
        distance: read(&|mean| moved(mean).distance()),
        effective_rank: read(&|mean| (mean.now > 0.0).then(|| mean.trace.powi(2) / mean.now)),
        trace: (
            trace.map(|trace| trace * unit),
            trace_error.map(|error| error * unit),
        ),
        alignment: read(&|mean| over(of_targets.form?, mean.now)),
        centered_alignment: read(&|mean| {
            let is_rounding = mean.centered <= least * mean.now;
            let form = of_targets.centered_form.filter(|_| !is_rounding)?;
            over(form, mean.centered)
        }),
        ..Numbers::default()
    })
}

/// `yᵀ K y / |y|²` from the product `K y`; none for a vector of zero.
pub(super) fn form(vector: &[f64], product: &[f64]) -> Option<f64> {
    let length = norm(vector);
    (length > 0.0).then(|| {
        let unit: Vec<f64> = vector.iter().map(|x| x / length).collect();
        dot(&unit, product) / length
    })
}

fn moved(mean: Sample) -> Moved {
    Moved {
        start: mean.start.sqrt(),
        now: mean.now.sqrt(),
        difference: mean.difference.sqrt(),
    }
}

/// A function of the means of samples, with the standard error of the jackknife: that of the mean of
/// `n θ − (n − 1) θᵢ`, where `θ` is the value from all samples and `θᵢ` that without sample `i`.
fn estimated(samples: &[Sample], of: &dyn Fn(Sample) -> Option<f64>) -> Estimated {
    let Some(value) = of(mean(samples.iter())) else {
        return (None, None);
    };
    if samples.len() < 2 {
        return (Some(value), None);
    }
    let n = samples.len() as f64;
    let pseudo = (0..samples.len()).map(|left_out| {
        let others = samples.iter().enumerate();
        let others = others.filter(|(index, _)| *index != left_out);
        let rest = of(mean(others.map(|(_, sample)| sample)))?;
        Some(n * value - (n - 1.0) * rest)
    });
    let pseudo: Option<Vec<f64>> = pseudo.collect();
    let error = pseudo.and_then(|pseudo| Estimate::of(&pseudo).standard_error);
    (Some(value), error)
}

fn mean<'s>(samples: impl Iterator<Item = &'s Sample>) -> Sample {
    let (mut sum, mut count) = (Sample::default(), 0.0);
    for sample in samples {
        sum.start += sample.start;
        sum.now += sample.now;
        sum.difference += sample.difference;
        sum.trace += sample.trace;
        sum.centered += sample.centered;
        count += 1.0;
    }
    Sample {
        start: sum.start / count,
        now: sum.now / count,
        difference: sum.difference / count,
        trace: sum.trace / count,
        centered: sum.centered / count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All eight vectors of three signs, whose means are exact.
    fn signs(index: usize) -> Vec<f64> {
        (0..3)
            .map(|bit| if (index >> bit) & 1 == 0 { 1.0 } else { -1.0 })
            .collect()
    }

    fn images(matrix: &[f64; 9], centered: bool) -> Vec<f64> {
        let images = (0..8).flat_map(|index| {
            let mut z = signs(index);
            if centered {
                center(&mut z, 1);
            }
            matrix
                .chunks_exact(3)
                .map(|row| dot(row, &z))
                .collect::<Vec<_>>()
        });
        images.collect()
    }

    const START: [f64; 9] = [3.0, 1.0, 0.0, 1.0, 2.0, 0.5, 0.0, 0.5, 1.0];
    const NOW: [f64; 9] = [4.0, 0.0, 1.0, 0.0, 2.0, 1.5, 1.0, 1.5, 3.0];

    #[test]
    fn over_all_signs_the_means_are_the_numbers_of_the_matrix() {
        let targets = [1.0, -2.0, 0.5];
        let of = |start, now| Compared {
            start,
            now,
            targets: Some(&targets),
            per_example: Some(1),
            rounding: 1e-14,
        };
        let exact = Numbers::of_matrix(&of(&START, &NOW), 3);
        let mut own = targets.to_vec();
        center(&mut own, 1);
        let product = |v: &[f64]| -> Vec<f64> { NOW.chunks_exact(3).map(|r| dot(r, v)).collect() };
        let of_targets = OfTargets {
            form: form(&targets, &product(&targets)),
            centered_form: form(&own, &product(&own)),
            centered: images(&NOW, true),
        };
        let [start, now] = [images(&START, false), images(&NOW, false)];
        let probe = |index| Ok(signs(index));
        let found = of_products(&of(&start, &now), 3, &of_targets, probe).unwrap();
        for (found, exact) in [
            (found.drift, exact.drift),
            (found.distance, exact.distance),
            (found.effective_rank, exact.effective_rank),
            (found.trace, exact.trace),
            (found.alignment, exact.alignment),
            (found.centered_alignment, exact.centered_alignment),
        ] {
            assert!((found.0.unwrap() - exact.0.unwrap()).abs() < 1e-13);
            assert!(found.1.is_some_and(|error| error >= 0.0) && exact.1.is_none());
        }
        assert!(found.alignment_per_output.is_empty());
    }

    #[test]
    fn the_trace_has_the_standard_error_of_its_samples() {
        let images = images(&NOW, false);
        let compared = Compared {
            start: &images,
            now: &images,
            targets: None,
            per_example: None,
            rounding: 0.0,
        };
        let probe = |index| Ok(signs(index));
        let found = of_products(&compared, 3, &OfTargets::default(), probe).unwrap();
        let samples: Vec<f64> = images
            .chunks_exact(3)
            .enumerate()
            .map(|(index, image)| dot(&signs(index), image))
            .collect();
        let expected = Estimate::of(&samples);
        assert!((found.trace.0.unwrap() - expected.value).abs() < 1e-13);
        let errors = [found.trace.1.unwrap(), expected.standard_error.unwrap()];
        assert!((errors[0] - errors[1]).abs() < 1e-12, "{errors:?}");
        // Nothing has moved, whatever the vectors.
        assert_eq!(found.drift, (Some(0.0), Some(0.0)));
        assert_eq!(found.distance, (Some(0.0), Some(0.0)));
    }
}
