use burn::config::Config;
use burn::tensor::Tensor;
use burnscape_krylov::{Dense, KrylovFault, SelfAdjoint, Step};

use super::LayerCoupling;
use super::layer_coupling::Samples;
use crate::curvature::CurvatureError;
use crate::range::ensure;
use crate::space::{ParamLeaf, ParamSpace, ParamVector, mix};

/// How strongly the parameter tensors of a model are coupled by a matrix, usually the Hessian: `‖A_ij‖²_F` for all
/// pairs.
///
/// `A_ij` is the block of the matrix with the rows of tensor `i` and the columns of tensor `j`. A random vector `v` of
/// signs on tensor `j`, zero elsewhere, gives a whole column of blocks with one product, since
/// `E|(A v)_i|² = ‖A_ij‖²_F`. Blocks that are zero off the diagonal mean that tensors can be optimized, pruned or
/// quantized one by one; [`normalized`](LayerCoupling::normalized) has no units.
///
/// # Exact or estimated
///
/// If there are no more parameters than products, `tensors · num_probes`, the numbers are exact, from a product with
/// each unit vector. Otherwise they are estimates with standard errors: with one probe at most `√2` of the square,
/// nearly that for a block of rank one. [`LayerCoupling::exact`] states which.
///
/// # Units
///
/// Squares of the entries of the matrix: for a Hessian, squared loss over the fourth power of a parameter.
///
/// # Cost
///
/// `num_probes` products for every tensor, those of a round in blocks of eight; or a product for each parameter and the
/// matrix in memory. A few vectors of parameters for each product of a block.
///
/// # Reproducibility
///
/// The probes of round `i` depend on `seed` and `i` only.
///
/// # Defaults
///
/// 10 probes a tensor, seed 0: ours.
///
/// # References
///
/// Hutchinson 1990, *A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines*, for
/// `tr A_ijᵀ A_ij` with vectors of signs.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::LayerCouplingConfig;
/// use burnscape::loss::Risk;
///
/// // L = (w₁ + 2 w₂ + b)²: the Hessian is 2 a aᵀ with a = (1, 2, 1).
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_initializer(Initializer::Zeros).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().sum();
/// let data = [Tensor::<2>::from_data([[1.0, 2.0]], &device)];
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// let coupling = LayerCouplingConfig::new().run(&hessian)?;
/// assert_eq!(coupling.paths, ["weight", "bias"]);
/// assert!(coupling.exact && coupling.squares == [[100.0, 20.0], [20.0, 4.0]]);
/// // A matrix of rank one couples everything with everything.
/// assert!((coupling.normalized(0, 1).unwrap_or(0.0) - 1.0).abs() < 1e-12);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct LayerCouplingConfig {
    /// Products for every tensor.
    #[config(default = 10)]
    pub num_probes: usize,
    /// Seed of the probes.
    #[config(default = 0)]
    pub seed: u64,
}

/// Products that are made at once.
const BLOCK: usize = 8;

impl LayerCouplingConfig {
    /// Measures the blocks of `operator`.
    ///
    /// An observer of the operator sees the products of every block of eight; a run that it ends returns the estimates
    /// of the rounds completed.
    ///
    /// # Errors
    ///
    /// [`CurvatureError::OutOfRange`] for no probes; [`CurvatureError::Stopped`] before the first round is complete;
    /// [`CurvatureError::Krylov`] for a product, or the square of its norm, that is not finite; those of products.
    pub fn run<A>(&self, operator: &A) -> Result<LayerCoupling, CurvatureError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        ensure("num_probes", self.num_probes as f64, 1.0..)?;
        let space = operator.domain();
        let leaves = space.leaves();
        let mut coupling = LayerCoupling {
            paths: leaves.iter().map(|leaf| leaf.path().to_owned()).collect(),
            lens: leaves.iter().map(ParamLeaf::len).collect(),
            squares: Vec::new(),
            standard_errors: None,
            exact: space.len() <= leaves.len().saturating_mul(self.num_probes),
            num_matvecs: 0,
            config: self.clone(),
            completed: true,
        };
        if coupling.exact {
            exactly(operator, &space, &mut coupling)?;
        } else {
            self.estimated(operator, &space, &mut coupling)?;
        }
        Ok(coupling)
    }

    fn estimated<A>(
        &self,
        operator: &A,
        space: &ParamSpace,
        coupling: &mut LayerCoupling,
    ) -> Result<(), CurvatureError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let mut samples = Samples::new(space.leaves().len());
        for round in 0..self.num_probes {
            match self.round(operator, space, round, &mut coupling.num_matvecs) {
                Ok(squares) => samples.add(squares),
                Err(error) if round > 0 && is_stop(operator, &error) => {
                    coupling.completed = false;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        (coupling.squares, coupling.standard_errors) = samples.tables();
        Ok(())
    }

    /// For a probe of each tensor the squares of all tensors.
    fn round<A>(
        &self,
        operator: &A,
        space: &ParamSpace,
        round: usize,
        num_matvecs: &mut usize,
    ) -> Result<Vec<Vec<f64>>, CurvatureError>
    where
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        let leaves = space.leaves();
        let limit = leaves.len() * self.num_probes;
        let signs = ParamVector::rademacher(space, mix(mix(self.seed, 0), round as u64))?;
        let mut squares = Vec::with_capacity(leaves.len());
        for block in leaves.chunks(BLOCK) {
            let probes = block.iter().map(|leaf| only(&signs, leaf));
            let probes = probes.collect::<Result<Vec<_>, _>>()?;
            let products = operator.matmat(&probes)?;
            let (expected, found) = (probes.len(), products.len());
            if found != expected {
                return Err(KrylovFault::ProductCount { expected, found }.into());
            }
            for product in products {
                squares.push(squares_of(&product, *num_matvecs)?);
                *num_matvecs += 1;
            }
            let step = Step::new("layer coupling", *num_matvecs).with_limit(limit);
            if operator.report(&step).is_break() && *num_matvecs < limit {
                return Err(CurvatureError::Stopped);
            }
        }
        Ok(squares)
    }
}

/// Whether an observer ended the work.
fn is_stop<A>(operator: &A, error: &CurvatureError) -> bool
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    *error == CurvatureError::Stopped || operator.is_stop(error)
}

/// The vector on one tensor, and zero elsewhere.
fn only(vector: &ParamVector, leaf: &ParamLeaf) -> Result<ParamVector, CurvatureError> {
    let space = vector.space();
    let place = (space.device(), vector.values().dtype());
    let [before, after] = [leaf.offset(), space.len() - leaf.offset() - leaf.len()];
    let mut parts = Vec::with_capacity(3);
    if before > 0 {
        parts.push(Tensor::<1>::zeros([before], place));
    }
    parts.push(vector.leaf(leaf));
    if after > 0 {
        parts.push(Tensor::zeros([after], place));
    }
    Ok(ParamVector::from_values(space, Tensor::cat(parts, 0))?)
}

/// The squared norm of each tensor's part of a product.
fn squares_of(product: &ParamVector, index: usize) -> Result<Vec<f64>, CurvatureError> {
    let norms = product.leaf_norms()?;
    let square = |norm: f64| match norm * norm {
        square if square.is_finite() => Ok(square),
        _ if norm.is_finite() => Err(KrylovFault::OutOfRange {
            name: "square",
            exponent: f64::MAX_EXP,
        }),
        _ => Err(KrylovFault::NonFinite { product: index }),
    };
    let squares = norms.into_iter().map(square);
    Ok(squares.collect::<Result<Vec<_>, _>>()?)
}

/// The squares of the blocks of the whole matrix.
fn exactly<A>(
    operator: &A,
    space: &ParamSpace,
    coupling: &mut LayerCoupling,
) -> Result<(), CurvatureError>
where
    A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
{
    let matrix = match Dense::of(operator) {
        Err(CurvatureError::Krylov(KrylovFault::Stopped)) => return Err(CurvatureError::Stopped),
        matrix => matrix?,
    };
    let leaves = space.leaves();
    // The leaf of each coordinate.
    let owners: Vec<usize> = leaves
        .iter()
        .enumerate()
        .flat_map(|(index, leaf)| std::iter::repeat_n(index, leaf.len()))
        .collect();
    let mut squares = vec![vec![0.0; leaves.len()]; leaves.len()];
    for (row, i) in matrix.rows().zip(&owners) {
        for (entry, j) in row.iter().zip(&owners) {
            // A matrix that is symmetric to rounding gives a table that is symmetric.
            squares[*i][*j] += 0.5 * entry * entry;
            squares[*j][*i] += 0.5 * entry * entry;
        }
    }
    if squares.iter().flatten().any(|square| !square.is_finite()) {
        return Err(KrylovFault::OutOfRange {
            name: "square",
            exponent: f64::MAX_EXP,
        }
        .into());
    }
    coupling.squares = squares;
    coupling.standard_errors = Some(vec![vec![0.0; leaves.len()]; leaves.len()]);
    coupling.num_matvecs = space.len();
    Ok(())
}
