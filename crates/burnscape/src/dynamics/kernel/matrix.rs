//! Numbers of symmetric matrices on the host, which are stored row by row.

/// What centering leaves of a target that is the same for all examples, relative to it: rounding of its mean.
const CONSTANT: f64 = 1e-12;

/// The Euclidean norm, or the Frobenius norm of a matrix. Only a result outside the range of `f64` leaves it.
pub(super) fn norm(values: &[f64]) -> f64 {
    let most = values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    if most == 0.0 {
        // NaN, which `max` passes over, stays.
        return values.iter().sum();
    }
    let squares = values.iter().map(|x| (x / most).powi(2));
    most * squares.sum::<f64>().sqrt()
}

/// A matrix beside another one, by Frobenius norms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub(super) start: f64,
    pub(super) now: f64,
    pub(super) difference: f64,
}

impl Moved {
    pub(super) fn between(start: &[f64], now: &[f64]) -> Self {
        let pairs = start.iter().zip(now);
        let difference: Vec<f64> = pairs.map(|(start, now)| now - start).collect();
        Self {
            start: norm(start),
            now: norm(now),
            difference: norm(&difference),
        }
    }

    /// `|K − K₀| / |K₀|`.
    pub(super) fn drift(self) -> f64 {
        self.difference / self.start
    }

    /// `1 − ⟨K, K₀⟩ / (|K| |K₀|)`; none if one of them is zero.
    ///
    /// With `δ` the drift and `r = |K|/|K₀|` it is `(δ² − (r − 1)²) / 2r`: zero to the bit for equal matrices, and
    /// without the rounding of 1 for neighbors.
    pub(super) fn distance(self) -> Option<f64> {
        let (drift, ratio) = (self.drift(), self.now / self.start);
        let excess = ratio - 1.0;
        let distance = (drift - excess) * (drift + excess) / (2.0 * ratio);
        // By the inequality of Cauchy and Schwarz it is not negative.
        (ratio > 0.0 && ratio.is_finite()).then_some(distance.max(0.0))
    }
}

/// The means `½ (K_ij + K_ji)` in the place of both, which differ by rounding.
pub(super) fn symmetrize(matrix: &mut [f64], size: usize) {
    for row in 0..size {
        for column in 0..row {
            let (one, other) = (row * size + column, column * size + row);
            let mean = 0.5 * (matrix[one] + matrix[other]);
            (matrix[one], matrix[other]) = (mean, mean);
        }
    }
}

pub(super) fn trace(matrix: &[f64], size: usize) -> f64 {
    matrix.iter().step_by(size + 1).sum()
}

/// `yᵀ K y / (|K| |y|²)` plain and centered, for outputs of which each example has so many. The centered one is none
/// for examples with different numbers of outputs. `rounding` is that of the matrix, relative to its norm.
pub(super) fn alignments(
    matrix: &[f64],
    targets: &[f64],
    per_example: Option<usize>,
    rounding: f64,
) -> [Option<f64>; 2] {
    let plain = alignment(matrix, targets, [0.0; 2]);
    let centered = per_example.and_then(|outputs| {
        let own = centered_vector(targets, outputs)?;
        let least = [rounding * norm(matrix), 0.0];
        alignment(&centered(matrix, targets.len(), outputs), &own, least)
    });
    [plain, centered]
}

/// `yᵀ K y / (|K| |y|²)`; none unless the norms of both are above the least ones.
fn alignment(matrix: &[f64], targets: &[f64], least: [f64; 2]) -> Option<f64> {
    let norms = [norm(matrix), norm(targets)];
    if !norms.iter().zip(least).all(|(norm, least)| *norm > least) {
        return None;
    }
    let unit: Vec<f64> = targets.iter().map(|target| target / norms[1]).collect();
    Some(form(matrix, &unit) / norms[0])
}

/// `vᵀ K v`.
fn form(matrix: &[f64], vector: &[f64]) -> f64 {
    let rows = matrix.chunks_exact(vector.len().max(1));
    let products = rows.map(|row| dot(row, vector));
    products.zip(vector).map(|(product, x)| product * x).sum()
}

pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// Subtracts from each of the `outputs` of an example its mean over the examples.
pub(super) fn center(vector: &mut [f64], outputs: usize) {
    let examples = vector.len() / outputs.max(1);
    for output in 0..outputs {
        let own = vector.iter().skip(output).step_by(outputs);
        let mean = own.sum::<f64>() / examples as f64;
        let own = vector.iter_mut().skip(output).step_by(outputs);
        own.for_each(|x| *x -= mean);
    }
}

/// A centered vector; none if it is constant up to rounding.
pub(super) fn centered_vector(vector: &[f64], outputs: usize) -> Option<Vec<f64>> {
    let mut own = vector.to_vec();
    center(&mut own, outputs);
    (norm(&own) > CONSTANT * norm(vector)).then_some(own)
}

/// `C K C`, where `C` subtracts the mean over the examples from each output.
fn centered(matrix: &[f64], size: usize, outputs: usize) -> Vec<f64> {
    let mut matrix = matrix.to_vec();
    let outputs = outputs.max(1);
    let examples = (size / outputs) as f64;
    let mut means = vec![0.0; outputs * size];
    for (row, line) in matrix.chunks_exact(size.max(1)).enumerate() {
        let means = means.chunks_exact_mut(size).nth(row % outputs);
        for (mean, x) in means.into_iter().flatten().zip(line) {
            *mean += x / examples;
        }
    }
    for (row, line) in matrix.chunks_exact_mut(size.max(1)).enumerate() {
        let means = means.chunks_exact(size).nth(row % outputs);
        for (mean, x) in means.into_iter().flatten().zip(line.iter_mut()) {
            *x -= mean;
        }
        center(line, outputs);
    }
    matrix
}

/// The block of a matrix, or the part of a vector, that belongs to one of the `outputs`.
pub(super) fn of_output(vector: &[f64], outputs: usize, output: usize) -> Vec<f64> {
    let own = vector.iter().skip(output).step_by(outputs.max(1));
    own.copied().collect()
}

/// The block of one of the `outputs`.
pub(super) fn block(matrix: &[f64], size: usize, outputs: usize, output: usize) -> Vec<f64> {
    let rows = matrix.chunks_exact(size.max(1));
    let rows = rows.skip(output).step_by(outputs.max(1));
    rows.flat_map(|row| of_output(row, outputs, output))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-14, "{found} {expected}");
    }

    #[test]
    fn the_identity_and_a_matrix_of_rank_one_have_drift_one() {
        let (identity, single) = ([1.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0]);
        let moved = Moved::between(&identity, &single);
        assert_eq!(moved.drift(), 1.0);
        assert_near(moved.distance().unwrap(), 1.0 - 0.5_f64.sqrt());
        assert!((moved.distance().unwrap() - 0.292_893_2).abs() < 1e-7);
    }

    #[test]
    fn equal_matrices_have_no_distance_to_the_bit_and_multiples_only_a_drift() {
        let matrix = [0.1, 0.3, 0.3, 7.7];
        let same = Moved::between(&matrix, &matrix);
        assert_eq!((same.drift(), same.distance()), (0.0, Some(0.0)));
        let triple = Moved::between(&matrix, &matrix.map(|x| 3.0 * x));
        assert_near(triple.drift(), 2.0);
        assert_near(triple.distance().unwrap(), 0.0);
        // Nothing is left.
        let gone = Moved::between(&matrix, &[0.0; 4]);
        assert_eq!((gone.drift(), gone.distance()), (1.0, None));
    }

    #[test]
    fn small_distances_keep_their_digits() {
        // A turn by t: the cosine of the kernels u uᵀ and v vᵀ is cos² t, and their distance sin² t.
        let t: f64 = 1e-7;
        let [u, v] = [[1.0, 0.0], [t.cos(), t.sin()]];
        let outer = |u: [f64; 2]| [u[0] * u[0], u[0] * u[1], u[1] * u[0], u[1] * u[1]];
        let distance = Moved::between(&outer(u), &outer(v)).distance().unwrap();
        assert!(
            (distance / t.sin().powi(2) - 1.0).abs() < 1e-6,
            "{distance}"
        );
    }

    #[test]
    fn norms_survive_the_edges_of_the_range() {
        for unit in [1e-200, 1.0, 1e200] {
            assert!((norm(&[3.0 * unit, -4.0 * unit]) / unit - 5.0).abs() < 1e-14);
        }
        assert_eq!(norm(&[0.0, 0.0]), 0.0);
        assert!(norm(&[0.0, f64::NAN]).is_nan() && norm(&[1.0, f64::NAN]).is_nan());
    }

    #[test]
    fn a_kernel_of_the_targets_is_aligned_with_them() {
        let y = [1.0, -2.0, 0.5];
        let outer: Vec<f64> = y.iter().flat_map(|a| y.map(|b| a * b)).collect();
        let [plain, _] = alignments(&outer, &y, Some(1), 0.0);
        assert_near(plain.unwrap(), 1.0);
        // yᵀ I y / (√3 |y|²).
        let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let [plain, centered] = alignments(&identity, &y, Some(1), 0.0);
        assert_near(plain.unwrap(), 1.0 / 3.0_f64.sqrt());
        // C I C = C has the norm √2.
        assert_near(centered.unwrap(), 0.5_f64.sqrt());
        // Nothing to align with.
        assert_eq!(alignments(&identity, &[0.0; 3], Some(1), 0.0), [None; 2]);
        assert_eq!(alignments(&[0.0; 9], &y, Some(1), 0.0), [None; 2]);
        let [plain, centered] = alignments(&identity, &[0.1; 3], Some(1), 0.0);
        assert!(plain.is_some() && centered.is_none());
        let [plain, centered] = alignments(&[1.0; 9], &y, Some(1), 1e-14);
        assert!(plain.is_some() && centered.is_none());
    }

    #[test]
    fn centering_removes_the_mean_of_each_output() {
        // Three examples with two outputs.
        let mut vector = [1.0, 10.0, 2.0, 20.0, 3.0, 60.0];
        center(&mut vector, 2);
        assert_eq!(vector, [-1.0, -20.0, 0.0, -10.0, 1.0, 30.0]);
        let matrix: Vec<f64> = (0..36).map(|i| f64::from(i * i % 11)).collect();
        let found = centered(&matrix, 6, 2);
        // C as a matrix.
        let c = |i: usize, j: usize| match (i == j, i % 2 == j % 2) {
            (true, _) => 2.0 / 3.0,
            (false, true) => -1.0 / 3.0,
            (false, false) => 0.0,
        };
        for row in 0..6 {
            for column in 0..6 {
                let mut sum = 0.0;
                for i in 0..6 {
                    for j in 0..6 {
                        sum += c(row, i) * matrix[i * 6 + j] * c(j, column);
                    }
                }
                assert!((found[row * 6 + column] - sum).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn blocks_are_those_of_single_outputs() {
        let matrix: Vec<f64> = (0..16).map(f64::from).collect();
        assert_eq!(block(&matrix, 4, 2, 0), [0.0, 2.0, 8.0, 10.0]);
        assert_eq!(block(&matrix, 4, 2, 1), [5.0, 7.0, 13.0, 15.0]);
        assert_eq!(of_output(&[0.0, 1.0, 2.0, 3.0], 2, 1), [1.0, 3.0]);
        assert_eq!(trace(&matrix, 4), 30.0);
        let mut uneven = [1.0, 2.0, 4.0, 5.0];
        symmetrize(&mut uneven, 2);
        assert_eq!(uneven, [1.0, 3.0, 3.0, 5.0]);
    }
}
