use burn::module::Module;
use rand_distr::{Distribution, Exp1};

use super::gram::Gram;
use super::{ControlPoints, PathError};
use crate::range::{OutOfRange, ensure};
use crate::space::{LeafVector, ParamSpace, Wide, epsilon, stream, unshared_copy};

/// The simplex spanned by models: all their convex combinations.
///
/// Two models span a segment, three a triangle. A [`SimplexFitter`](super::SimplexFitter) finds vertices such that
/// the loss is low throughout; every point is then a good model.
///
/// # References
///
/// Benton, Maddox, Lotfi, Wilson 2021, *Loss Surface Simplexes for Mode Connecting Volumes and Fast
/// Ensembling*, arXiv:2102.13042. Their volume, from the Cayley-Menger determinant, is the square of this one.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::path::Simplex;
///
/// let device = Device::default();
/// let [a, b, c] = [(); 3].map(|()| LinearConfig::new(3, 2).init(&device));
/// let simplex = Simplex::new(&[&a, &b, &c])?;
/// assert_eq!(simplex.dimension(), 2);
/// assert!(simplex.volume()? > 0.0);
/// let weights = simplex.sample(7, 0); // uniform in the triangle
/// assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// let model = simplex.point(&weights)?; // an ordinary `Linear`
/// # assert_eq!(model.weight.dims(), [3, 2]);
/// # Ok::<(), burnscape::path::PathError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Simplex<M> {
    vertices: ControlPoints<M>,
}

impl<M: Module> Simplex<M> {
    /// The simplex with these vertices, two or more.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`], [`PathError::Space`] if the models differ in a parameter.
    pub fn new(vertices: &[&M]) -> Result<Self, PathError> {
        Ok(Self {
            vertices: ControlPoints::from_models(vertices)?,
        })
    }

    pub(super) fn first(&self) -> &M {
        self.vertices.first()
    }

    /// The same simplex with another last vertex.
    pub(super) fn with_last(&self, last: &M) -> Result<Self, PathError> {
        Ok(Self {
            vertices: self.vertices.with_last(last)?,
        })
    }

    /// The parameters of the vertices.
    pub fn vertices(&self) -> &[LeafVector] {
        self.vertices.vectors()
    }

    /// The space of the parameters.
    pub fn space(&self) -> &ParamSpace {
        self.vertices.space()
    }

    /// One less than the number of vertices.
    pub fn dimension(&self) -> usize {
        self.vertices().len() - 1
    }

    /// The model at these barycentric weights, with frozen parameters and running statistics of the first vertex.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRange`] unless there is one non-negative weight for each vertex, and their sum is one.
    pub fn point(&self, weights: &[f64]) -> Result<M, PathError> {
        let count = self.vertices().len();
        if weights.len() != count {
            let expected = format!("{count}, one for each vertex");
            return Err(OutOfRange::new("weights.len()", weights.len() as f64, expected).into());
        }
        for &weight in weights {
            ensure("weights", weight, 0.0..)?;
        }
        let sum = weights.iter().sum::<f64>();
        if (sum - 1.0).abs() >= 1e-9 {
            let expected = "weights that sum to 1";
            return Err(OutOfRange::new("sum(weights)", sum, expected).into());
        }
        if weights[0] == 1.0 {
            return Ok(unshared_copy(self.first()));
        }
        Ok(self.vertices.combine(weights)?.apply_to(self.first())?)
    }

    /// Weights of a point that is uniform in the simplex, Dirichlet(1, …, 1): each has mean `1/(k + 1)` and
    /// variance `k/((k + 1)² (k + 2))` in dimension `k`.
    ///
    /// # Reproducibility
    ///
    /// A function of the seed and the index of the draw.
    pub fn sample(&self, seed: u64, index: u64) -> Vec<f64> {
        let rng = stream(seed, index);
        let count = self.vertices().len();
        let draws: Vec<f64> = Exp1.sample_iter(rng).take(count).collect();
        let sum: f64 = draws.iter().sum();
        draws.into_iter().map(|draw| draw / sum).collect()
    }

    /// The volume `sqrt(det G)/k!`, where `G` is the Gram matrix of the edges from the first vertex: a
    /// length for two vertices, an area for three. Zero if the vertices are not in general position.
    ///
    /// # Units
    ///
    /// Parameter norm to the power of the dimension.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    pub fn volume(&self) -> Result<f64, PathError> {
        Ok(self.log_volume()?.exp())
    }

    /// The logarithm of the volume, which cannot overflow; minus infinity for a volume of zero.
    ///
    /// # Errors
    ///
    /// [`PathError::Space`].
    pub fn log_volume(&self) -> Result<f64, PathError> {
        let factorial: f64 = (1..=self.dimension()).map(|k| (k as f64).ln()).sum();
        let gram = self.edges_gram()?;
        // Each dimension has lengths in units of 2^unit.
        let units = (self.dimension() as f64) * f64::from(gram.unit) * std::f64::consts::LN_2;
        Ok(match cholesky(&gram.entries, self.rounding()) {
            None => f64::NEG_INFINITY,
            Some(root) => {
                let diagonal = root.iter().enumerate().map(|(i, row)| row[i].ln());
                diagonal.sum::<f64>() - factorial + units
            }
        })
    }

    /// The gradient of the logarithm of the volume with respect to the last vertex, `n`: `Σ_j (G⁻¹)_{nj} (v_j − v_0)`.
    pub(super) fn log_volume_gradient(&self) -> Result<LeafVector, PathError> {
        let gram = self.edges_gram()?;
        let root = cholesky(&gram.entries, self.rounding()).ok_or(PathError::Degenerate {
            what: "the vertices of the simplex span no volume",
        })?;
        let column = last_column_of_inverse(&root);
        let mut weights = vec![-column.iter().sum::<f64>()];
        weights.extend(column);
        // The unit is applied twice, to the vectors and to the gradient, neither of which leaves the range.
        let unit = Wide::new(1.0, -gram.unit);
        let weights = weights
            .iter()
            .map(|&weight| (Wide::from(weight) * unit).value());
        let combined = self.vertices.combine(&weights.collect::<Vec<_>>())?;
        Ok(combined.scale_wide(unit))
    }

    /// The Gram matrix of the edges from the first vertex.
    fn edges_gram(&self) -> Result<Gram, PathError> {
        Ok(self.vertices.gram()?.without_first())
    }

    /// The rounding of inner products, which are summed in the element type of the parameters, or in f32.
    fn rounding(&self) -> f64 {
        let types = self.space().leaves().iter().map(|leaf| leaf.dtype());
        let widest = |dtype| epsilon(dtype).min(f64::from(f32::EPSILON));
        16.0 * types.map(widest).fold(0.0, f64::max)
    }
}

/// The lower triangular root; `None` if the matrix is not positive definite to rounding.
fn cholesky(matrix: &[Vec<f64>], rounding: f64) -> Option<Vec<Vec<f64>>> {
    let size = matrix.len();
    let mut root = vec![vec![0.0; size]; size];
    for i in 0..size {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| root[i][k] * root[j][k]).sum();
            let rest = matrix[i][j] - dot;
            if i == j {
                let is_positive = rest > rounding * matrix[i][i];
                if !is_positive {
                    return None;
                }
                root[i][i] = rest.sqrt();
            } else {
                root[i][j] = rest / root[j][j];
            }
        }
    }
    Some(root)
}

/// The last column of `(L Lᵀ)⁻¹`.
fn last_column_of_inverse(root: &[Vec<f64>]) -> Vec<f64> {
    let size = root.len();
    // `L y = e` with the last unit vector has a single entry.
    let mut x = vec![0.0; size];
    x[size - 1] = 1.0 / root[size - 1][size - 1];
    for i in (0..size).rev() {
        let dot: f64 = (i + 1..size).map(|k| root[k][i] * x[k]).sum();
        x[i] = (x[i] - dot) / root[i][i];
    }
    x
}
