//! Quadratic assignment by the algorithm of Frank and Wolfe.

use super::AlignError;

/// Steps at most: the default of SciPy's `quadratic_assignment`.
const MAX_STEPS: usize = 30;
/// A step that gains less than this, relative to the largest sum of entries, is the last one.
const LEAST_GAIN: f64 = 1e-10;

/// The derivative at a vertex, given by the permutation of each block.
pub(super) type GradientAt<'f> = dyn Fn(&[usize]) -> Result<Vec<f64>, AlignError> + 'f;
/// Linear assignment of one block.
pub(super) type Assign<'f> = dyn Fn(&[f64], usize) -> Result<Vec<usize>, AlignError> + 'f;

/// Permutations of `size` indices that make a quadratic function large; one after the other if there are several
/// blocks.
///
/// The function is extended to matrices `P` with nonnegative entries whose rows and columns sum to one. From the
/// barycenter of all permutations, each step goes towards the permutation with the largest linear gain, as far as the
/// function rises on the line: it is quadratic there, so that its slopes at both ends give the best point exactly. The
/// permutation nearest to the last point is the result. It need not be the optimum, nor better than any other
/// permutation.
///
/// Gradients are lists of blocks, in row-major order. That of a quadratic function is affine, so that each step takes
/// one, at a vertex; `barycenter` is that at the start.
///
/// # References
///
/// Vogelstein et al. 2015, *Fast Approximate Quadratic Programming for Graph Matching*, PLoS ONE 10(4).
pub(super) fn frank_wolfe(
    size: usize,
    barycenter: Vec<f64>,
    gradient_at: &GradientAt<'_>,
    assign: &Assign<'_>,
) -> Result<Vec<usize>, AlignError> {
    let mut plan = vec![1.0 / size as f64; barycenter.len()];
    let mut gradient = barycenter;
    for _ in 0..MAX_STEPS {
        let vertex = assigned(&gradient, size, assign)?;
        let first_slope = slope(&gradient, &plan, &vertex);
        let largest = gradient
            .iter()
            .fold(0.0_f64, |all, entry| all.max(entry.abs()));
        if first_slope <= LEAST_GAIN * largest * vertex.len() as f64 {
            break;
        }
        let at_vertex = gradient_at(&vertex)?;
        let last_slope = slope(&at_vertex, &plan, &vertex);
        let length = if last_slope >= 0.0 {
            1.0
        } else {
            first_slope / (first_slope - last_slope)
        };
        for entry in &mut plan {
            *entry *= 1.0 - length;
        }
        for (row, column) in vertex.iter().enumerate() {
            plan[row * size + column] += length;
        }
        for (entry, other) in gradient.iter_mut().zip(&at_vertex) {
            *entry += length * (other - *entry);
        }
    }
    assigned(&plan, size, assign)
}

/// The best permutation of each block.
fn assigned(blocks: &[f64], size: usize, assign: &Assign<'_>) -> Result<Vec<usize>, AlignError> {
    let mut permutations = Vec::with_capacity(blocks.len() / size.max(1));
    for block in blocks.chunks((size * size).max(1)) {
        permutations.extend(assign(block, size)?);
    }
    Ok(permutations)
}

/// The derivative along the line from a plan to a vertex.
fn slope(gradient: &[f64], plan: &[f64], vertex: &[usize]) -> f64 {
    let from: f64 = gradient
        .iter()
        .zip(plan)
        .map(|(entry, weight)| entry * weight)
        .sum();
    let rows = vertex.len();
    let size = gradient.len() / rows.max(1);
    let to = vertex
        .iter()
        .enumerate()
        .map(|(row, column)| gradient[row * size + column]);
    to.sum::<f64>() - from
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;
    use rand_distr::{Distribution, StandardNormal};

    use super::super::assignment::assignment;
    use super::*;
    use crate::space::stream;

    /// `⟨A, P B Pᵀ⟩`.
    fn value(a: &[f64], b: &[f64], p: &[usize]) -> f64 {
        let n = p.len();
        let places = (0..n * n).map(|place| (place / n, place % n));
        places.map(|(i, j)| a[i * n + j] * b[p[i] * n + p[j]]).sum()
    }

    /// `A P Bᵀ + Aᵀ P B`, for any plan.
    fn gradient(a: &[f64], b: &[f64], plan: &[f64]) -> Vec<f64> {
        let n = a.len().isqrt();
        let mut gradient = vec![0.0; n * n];
        for (i, k) in (0..n * n).map(|place| (place / n, place % n)) {
            for (j, l) in (0..n * n).map(|place| (place / n, place % n)) {
                let both = a[i * n + j] * b[k * n + l] + a[j * n + i] * b[l * n + k];
                gradient[i * n + k] += both * plan[j * n + l];
            }
        }
        gradient
    }

    fn found(a: &[f64], b: &[f64]) -> Vec<usize> {
        let n = a.len().isqrt();
        let start = gradient(a, b, &vec![1.0 / n as f64; n * n]);
        let at = |p: &[usize]| -> Result<Vec<f64>, AlignError> {
            let mut vertex = vec![0.0; n * n];
            for (row, column) in p.iter().enumerate() {
                vertex[row * n + column] = 1.0;
            }
            Ok(gradient(a, b, &vertex))
        };
        frank_wolfe(n, start, &at, &assignment).unwrap()
    }

    #[test]
    fn planted_permutations_are_found() {
        let n = 5;
        for seed in 0..30 {
            let mut rng = stream(seed, 1);
            let a: Vec<f64> = StandardNormal.sample_iter(&mut rng).take(n * n).collect();
            let mut p: Vec<usize> = (0..n).collect();
            p.shuffle(&mut rng);
            let places = (0..n * n).map(|place| (place / n, place % n));
            let b: Vec<f64> = places.map(|(i, j)| a[p[i] * n + p[j]]).collect();
            let found = found(&a, &b);
            let (best, value) = (value(&a, &a, &[0, 1, 2, 3, 4]), value(&a, &b, &found));
            assert!(
                (best - value).abs() < 1e-9 * best,
                "{seed}: {value} of {best}"
            );
        }
    }

    #[test]
    fn the_linear_choice_loses_where_this_one_does_not() {
        let a = [2.0, -1.0, -2.0, -1.0, 0.0, 2.0, 0.0, -2.0, -1.0];
        let b = [1.0, 2.0, 1.0, 2.0, -2.0, 2.0, -2.0, 0.0, -1.0];
        let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let linear = assignment(&gradient(&a, &b, &identity), 3).unwrap();
        assert_eq!(
            (linear.as_slice(), value(&a, &b, &linear)),
            (&[1, 0, 2][..], -5.0)
        );
        assert_eq!(value(&a, &b, &found(&a, &b)), 1.0);
    }
}
