use std::ops::Range;

use burn::module::Module;
use nalgebra::{DMatrix, SymmetricEigen};

use super::{Centering, Trajectory, TrajectoryError};

/// Coordinates in a block of a matrix product: the block and its transpose stay in the cache.
const BLOCK: usize = 1024;

/// The least number of coordinates in a piece. Reading a piece has a cost of its own, and shorter ones save no memory
/// worth naming.
const SHORTEST_PIECE: usize = 1024;

/// The inner products `⟨θ_i − θ_T, θ_j − θ_T⟩` of all checkpoints but the last, for which they are zero.
pub(super) struct Gram(DMatrix<f64>);

/// An eigenvalue of a centered Gram matrix, and its unit eigenvector: one number for each checkpoint.
pub(super) struct Component {
    pub(super) eigenvalue: f64,
    pub(super) weights: Vec<f64>,
}

impl Gram {
    /// Of the checkpoints of a trajectory, of which there are at least two. Each is read once, in pieces.
    pub(super) fn of<M: Module>(trajectory: &Trajectory<M>) -> Result<Self, TrajectoryError> {
        Self::by_pieces(trajectory, piece_length(trajectory))
    }

    fn by_pieces<M: Module>(
        trajectory: &Trajectory<M>,
        length: usize,
    ) -> Result<Self, TrajectoryError> {
        let moving = trajectory.len() - 1;
        let mut products = DMatrix::<f64>::zeros(moving, moving);
        for range in pieces(trajectory.space().len(), length) {
            let columns = differences(trajectory, range)?;
            let rows = columns.nrows();
            for first in (0..rows).step_by(BLOCK) {
                let block = columns.rows(first, BLOCK.min(rows - first));
                products.gemm(1.0, &block.transpose(), &block, 1.0);
            }
        }
        // Both triangles hold the same numbers, whatever the order of the sums.
        let gram = DMatrix::from_fn(moving, moving, |i, j| products[(i.max(j), i.min(j))]);
        // Sums over pairs of checkpoints, under all signs of the steps, are finite up to here.
        let largest = f64::MAX / 64.0 / (trajectory.len() as f64).powi(2);
        for (index, &step) in trajectory.steps().iter().take(moving).enumerate() {
            if gram[(index, index)] > largest {
                return Err(TrajectoryError::NonFinite { step });
            }
        }
        Ok(Self(gram))
    }

    /// From the Gram matrix of the steps `θ_{t+1} − θ_t`: `θ_i − θ_T` is minus the sum of the steps from `i` on.
    pub(super) fn of_steps(mut steps: DMatrix<f64>) -> Self {
        let count = steps.nrows();
        for i in (1..count).rev() {
            for j in 0..count {
                let later = steps[(i, j)];
                steps[(i - 1, j)] += later;
            }
        }
        for j in (1..count).rev() {
            for i in 0..count {
                let later = steps[(i, j)];
                steps[(i, j - 1)] += later;
            }
        }
        Self(steps)
    }

    /// The Gram matrix of the steps.
    pub(super) fn steps(&self) -> DMatrix<f64> {
        let count = self.0.nrows();
        let step = |i: usize, j: usize| {
            let ends = self.get(i + 1, j + 1) - self.get(i + 1, j);
            ends - (self.get(i, j + 1) - self.get(i, j))
        };
        DMatrix::from_fn(count, count, |i, j| step(i.max(j), i.min(j)))
    }

    /// Whether all checkpoints are equal.
    pub(super) fn is_zero(&self) -> bool {
        !self.0.diagonal().iter().any(|square| *square > 0.0)
    }

    /// The components in descending order of their eigenvalues: one less than checkpoints.
    pub(super) fn components(&self, centering: Centering) -> Vec<Component> {
        let (matrix, shift) = shifted(self.centered(centering));
        let eigen = SymmetricEigen::new(matrix);
        let pairs = eigen
            .eigenvalues
            .iter()
            .zip(eigen.eigenvectors.column_iter());
        let mut components: Vec<Component> = pairs
            .map(|(value, vector)| Component {
                eigenvalue: (value - shift).max(0.0),
                weights: vector.iter().copied().collect(),
            })
            .collect();
        components.sort_by(|a, b| b.eigenvalue.total_cmp(&a.eigenvalue));
        // Around the mean, the last one is the vector of ones.
        components.truncate(self.0.nrows());
        if centering == Centering::End {
            for component in &mut components {
                component.weights.push(0.0);
            }
        }
        components
    }

    /// The share of the first `count` eigenvalues in the sum of all; NaN for products out of range.
    pub(super) fn leading_share(&self, centering: Centering, count: usize) -> f64 {
        let (matrix, shift) = shifted(self.centered(centering));
        // The decomposition does not end on a NaN.
        if !matrix.iter().all(|product| product.is_finite()) {
            return f64::NAN;
        }
        let values = matrix.symmetric_eigenvalues();
        let mut values: Vec<f64> = values
            .iter()
            .map(|value| (value - shift).max(0.0))
            .collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values.iter().take(count).sum::<f64>() / values.iter().sum::<f64>()
    }

    /// Inner products of the checkpoints, measured from their center. From the end, without the last one.
    fn centered(&self, centering: Centering) -> DMatrix<f64> {
        if centering == Centering::End {
            return self.0.clone();
        }
        let count = self.0.nrows() + 1;
        let mean_of_row = |i: usize| (0..count).map(|j| self.get(i, j)).sum::<f64>() / count as f64;
        let means: Vec<f64> = (0..count).map(mean_of_row).collect();
        let mean = means.iter().sum::<f64>() / count as f64;
        let entry = |i: usize, j: usize| self.get(i, j) - means[i] - means[j] + mean;
        DMatrix::from_fn(count, count, entry)
    }

    fn get(&self, i: usize, j: usize) -> f64 {
        self.0.get((i, j)).copied().unwrap_or(0.0)
    }
}

/// Adds a multiple of the identity, of the size of rounding, which is also returned: the decomposition, which stops at
/// what is small compared with the diagonal, would otherwise work on the rounding errors of a matrix of low rank.
fn shifted(mut matrix: DMatrix<f64>) -> (DMatrix<f64>, f64) {
    let count = matrix.nrows();
    let largest = matrix.diagonal().amax();
    let shift = 16.0 * count as f64 * f64::EPSILON * largest;
    for index in 0..count {
        matrix[(index, index)] += shift;
    }
    (matrix, shift)
}

/// `Σ_i w_i (θ_i − θ_T)` for several lists of weights, on the host. Each checkpoint is read once, in pieces.
pub(super) fn combinations<M: Module>(
    trajectory: &Trajectory<M>,
    weights: &[Vec<f64>],
) -> Result<Vec<Vec<f64>>, TrajectoryError> {
    combinations_by_pieces(trajectory, weights, piece_length(trajectory))
}

fn combinations_by_pieces<M: Module>(
    trajectory: &Trajectory<M>,
    weights: &[Vec<f64>],
    length: usize,
) -> Result<Vec<Vec<f64>>, TrajectoryError> {
    let num_params = trajectory.space().len();
    let mut sums: Vec<Vec<f64>> = weights.iter().map(|_| vec![0.0; num_params]).collect();
    for range in pieces(num_params, length) {
        let columns = differences(trajectory, range.clone())?;
        for (sum, weights) in sums.iter_mut().zip(weights) {
            let sum = &mut sum[range.clone()];
            for (column, weight) in columns.as_slice().chunks_exact(range.len()).zip(weights) {
                for (sum, x) in sum.iter_mut().zip(column) {
                    *sum += weight * x;
                }
            }
        }
    }
    Ok(sums)
}

/// As many coordinates as make the pieces of all checkpoints, which are in f64, together as many bytes as two models.
fn piece_length<M: Module>(trajectory: &Trajectory<M>) -> usize {
    let leaves = trajectory.space().leaves().iter();
    let model: usize = leaves.map(|leaf| leaf.len() * leaf.dtype().size()).sum();
    let coordinate = size_of::<f64>() * trajectory.len();
    (2 * model / coordinate).max(SHORTEST_PIECE)
}

fn pieces(num_params: usize, length: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..num_params).step_by(length);
    starts.map(move |start| start..num_params.min(start + length))
}

/// `θ_i − θ_T` of all checkpoints but the last, one a column, at the coordinates of `range`.
fn differences<M: Module>(
    trajectory: &Trajectory<M>,
    range: Range<usize>,
) -> Result<DMatrix<f64>, TrajectoryError> {
    let moving = trajectory.len() - 1;
    let end = finite_piece(trajectory, moving, range.clone())?;
    let mut columns = Vec::with_capacity(moving * end.len());
    for index in 0..moving {
        let piece = finite_piece(trajectory, index, range.clone())?;
        columns.extend(piece.iter().zip(&end).map(|(x, end)| x - end));
    }
    Ok(DMatrix::from_vec(end.len(), moving, columns))
}

fn finite_piece<M: Module>(
    trajectory: &Trajectory<M>,
    index: usize,
    range: Range<usize>,
) -> Result<Vec<f64>, TrajectoryError> {
    let piece = trajectory.piece(index, range)?;
    if piece.iter().all(|x| x.is_finite()) {
        Ok(piece)
    } else {
        let step = trajectory.steps()[index];
        Err(TrajectoryError::NonFinite { step })
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{DType, Device};
    use burnscape_testkit::objectives::Point;

    use super::*;
    use crate::space::{ParamSpace, ParamVector};

    #[test]
    fn the_pieces_of_all_checkpoints_are_two_models_in_bytes() {
        let length = |count: usize, dtype: DType, coordinates: usize| {
            let values = vec![0.0; coordinates];
            let model = |step| (step, Point::new(&values, &Device::default(), dtype));
            piece_length(&Trajectory::of((0..count).map(model)).unwrap())
        };
        // In f64 on the host: 8 bytes for each coordinate of each checkpoint.
        for (dtype, bytes) in [(DType::F64, 8), (DType::F32, 4), (DType::BF16, 2)] {
            assert_eq!(8 * 10 * length(10, dtype, 100_000), 2 * bytes * 100_000);
        }
        // Not shorter than this.
        assert_eq!(length(40, DType::F32, 20_000), 1024);
    }

    /// Five models of 5 × 3 weights and 3 biases.
    fn trajectory() -> Trajectory<Linear> {
        let start = LinearConfig::new(5, 3).init(&Device::default());
        let space = ParamSpace::of(&start).unwrap();
        let models = (0..5).map(|seed| {
            let model = ParamVector::gaussian(&space, seed)
                .unwrap()
                .apply_to(&start);
            (10 * seed as usize, model.unwrap())
        });
        Trajectory::of(models).unwrap()
    }

    #[test]
    fn pieces_cover_every_coordinate_once() {
        for (num_params, length) in [(1, 1), (7, 3), (6, 3), (5, 8)] {
            let all: Vec<usize> = pieces(num_params, length).flatten().collect();
            assert_eq!(all, (0..num_params).collect::<Vec<_>>());
            assert!(pieces(num_params, length).all(|piece| piece.len() <= length));
        }
    }

    #[test]
    fn the_length_of_pieces_changes_rounding_only() {
        let trajectory = trajectory();
        let vector = |index| trajectory.vector(index).unwrap().to_host().unwrap();
        let last = vector(4);
        let away = |index| -> Vec<f64> {
            vector(index)
                .iter()
                .zip(&last)
                .map(|(x, end)| x - end)
                .collect()
        };
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let weights = [
            vec![1.0, -0.5, 0.25, 2.0, 0.0],
            vec![0.0, 0.0, 1.0, 0.0, 0.0],
        ];
        // One coordinate, less than the first parameter, across both, all and more.
        for length in [1, 4, 16, 18, 100] {
            let gram = Gram::by_pieces(&trajectory, length).unwrap();
            for i in 0..4 {
                for j in 0..4 {
                    let exact = dot(&away(i), &away(j));
                    assert!((gram.get(i, j) - exact).abs() < 1e-12, "{length}");
                }
                assert_eq!(gram.get(i, 4), 0.0);
            }
            let sums = combinations_by_pieces(&trajectory, &weights, length).unwrap();
            for (index, sum) in sums[0].iter().enumerate() {
                let terms = (0..4).map(|i| weights[0][i] * away(i)[index]);
                assert!((sum - terms.sum::<f64>()).abs() < 1e-13, "{length}");
            }
            assert_eq!(sums[1], away(2), "{length}");
        }
    }

    #[test]
    fn steps_and_differences_give_each_other() {
        let gram = Gram::of(&trajectory()).unwrap();
        let vector = |index| trajectory().vector(index).unwrap().to_host().unwrap();
        let (first, second) = (vector(2), vector(3));
        let square: f64 = second
            .iter()
            .zip(&first)
            .map(|(y, x)| (y - x).powi(2))
            .sum();
        let steps = gram.steps();
        assert!((steps[(2, 2)] - square).abs() < 1e-12);
        let again = Gram::of_steps(steps);
        assert!((&again.0 - &gram.0).amax() < 1e-12);
    }

    #[test]
    fn a_gram_matrix_of_rank_one_has_one_component() {
        // Collinear points leave nothing but rounding errors to the other components.
        let count = 60;
        let at = |i: usize| 1.0 + (i as f64).sin();
        let gram = Gram(DMatrix::from_fn(count, count, |i, j| at(i) * at(j)));
        for centering in [Centering::End, Centering::Mean] {
            let components = gram.components(centering);
            assert_eq!(components.len(), count);
            assert!(
                components
                    .iter()
                    .all(|found| found.weights.len() == count + 1)
            );
            let bound = 1e-12 * components[0].eigenvalue;
            assert!(components[1].eigenvalue < bound);
            assert!((gram.leading_share(centering, 1) - 1.0).abs() < 1e-12);
        }
    }
}
