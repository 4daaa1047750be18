use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{DType, TensorData};
use nalgebra::{Cholesky, DMatrix, DVector};

use super::average::check_mean_weights;
use super::means::means;
use super::stores::{Stores, unusable};
use crate::merge::{MergeError, MergeMethod, MergeTensor, TensorStore};
use crate::range::ensure;
use crate::space::epsilon;

/// What the sums over up to a million examples round to, as a share of the diagonal.
const SUM_ROUNDING: f64 = 1e-13;

/// How far a Gram matrix may be from symmetric, as a share of its largest entry.
const ASYMMETRY: f64 = 1e-5;

/// RegMean: of all linear maps the one whose outputs are nearest to those of every model's map on that model's inputs.
/// Its name is `regmean`.
///
/// With Gram matrices `G_i = X_iᵀ X_i` of the inputs that a weight `W_i` `[in, out]` meets in each model, and weights
/// `w_i`,
///
/// ```text
/// W = (Σ_i w_i G_i)⁻¹ Σ_i w_i G_i W_i,
/// ```
///
/// which minimizes `Σ w_i |X_i W − X_i W_i|²`. [`input_grams`](Self::input_grams) collects them. They are sums
/// over examples, so that a model with more of them counts more. Off-diagonals are multiplied by `off_diagonal` first,
/// which stands for inputs that are not quite those of the data, and makes singular sums regular. With a `ridge` of
/// `ρ`, `ρ m I` is added to `Σ w G` and `ρ m W̄` to `Σ w G W`, where `m` is the mean of the diagonal of `Σ w G` and
/// `W̄` the weighted mean of the models: what no input has seen goes there instead of to zero.
///
/// The correction to `W̄` is what is solved for, so that equal models give that model bit by bit. Tensors of which no
/// model has a Gram matrix (biases, embeddings, convolutions) are averaged, which the
/// [report](crate::merge::MergeReport) notes.
///
/// # Layout
///
/// Gram matrices belong to the input axis of a weight, `[in, out]` or `[out, in]`. A module knows which it is; a file
/// does not, and must be given a layout.
///
/// # Cost
///
/// In f64 on the host: `O(in³ + in² · out)`, and memory for the matrices of one tensor.
///
/// # Defaults
///
/// Off-diagonals times 0.9, as in the paper; no ridge.
///
/// # Errors
///
/// [`MergeError::NumModels`] unless there is a store for each model; [`MergeError::OutOfRange`] for an `off_diagonal`
/// outside 0 to 1, a negative `ridge`, and weights that are negative or not finite, or all zero;
/// [`MergeError::Statistics`] for a Gram matrix that one model lacks and another one has, of another size than the
/// inputs, not symmetric, with a negative diagonal or not finite, and if the sum is so ill-conditioned that the rounding
/// of its matrices would decide the result, as it usually is for matrices that are stored in bf16;
/// [`MergeError::Singular`] if the sum is singular to rounding, as it is with fewer examples than inputs, or with an
/// input that is always zero; [`MergeError::Method`] for a matrix without an axis of outputs.
///
/// # References
///
/// Jin et al. 2023, *Dataless Knowledge Fusion by Merging Weights of Language Models*, arXiv:2212.09849.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
///
/// use burn::module::Param;
/// use burn::nn::Linear;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::merge::{Recipe, RegMean};
///
/// let device = Device::default();
/// let map = |weight: [[f32; 2]; 2]| Linear {
///     weight: Param::from_tensor(Tensor::from_floats(weight, &device)),
///     bias: None,
/// };
/// let (a, b) = (map([[1.0, 0.0], [0.0, 1.0]]), map([[0.0, 1.0], [1.0, 0.0]]));
/// let outputs = |m: &Linear, x: &Tensor<2>| m.forward(x.clone());
/// let data = |inputs: [[f32; 2]; 3]| [Tensor::<2>::from_floats(inputs, &device)];
/// // Gram matrices [2, 1; 1, 1] and [1, 0; 0, 3].
/// let of_a = RegMean::input_grams(&outputs, &data([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), &a)?;
/// let of_b = RegMean::input_grams(&outputs, &data([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0_f32.sqrt()]]), &b)?;
///
/// let method = RegMean::new(vec![Arc::new(of_a), Arc::new(of_b)]).with_off_diagonal(1.0);
/// let merged = Recipe::new(method).run(None, &[&a, &b])?.model;
/// let expected = Tensor::<2>::from_floats([[4.0, 7.0], [10.0, 1.0]], &device) / 11.0;
/// let difference = merged.weight.val() - expected;
/// assert!(difference.abs().max().into_scalar::<f32>() < 1e-5);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RegMean {
    grams: Stores,
    /// Those that the stores read.
    files: Vec<PathBuf>,
    off_diagonal: f64,
    ridge: f64,
}

impl RegMean {
    /// With a store of Gram matrices for each model, in the order of the models. They have the names of the weights:
    /// for modules, the first path of each parameter.
    #[must_use]
    pub fn new(grams: Vec<Arc<dyn TensorStore>>) -> Self {
        Self {
            files: grams.iter().flat_map(|store| store.files()).collect(),
            grams: Stores::new(grams),
            off_diagonal: 0.9,
            ridge: 0.0,
        }
    }

    /// Sets the factor of the entries beside the diagonals, from 0 to 1; 0.9 by default.
    #[must_use]
    pub fn with_off_diagonal(mut self, factor: f64) -> Self {
        self.off_diagonal = factor;
        self
    }

    /// Sets what is added to the diagonal of the sum, as a share of its mean; 0 by default.
    #[must_use]
    pub fn with_ridge(mut self, ridge: f64) -> Self {
        self.ridge = ridge;
        self
    }

    /// A Gram matrix of one model, with scaled off-diagonals.
    fn gram(
        &self,
        tensor: &MergeTensor<'_>,
        model: usize,
        data: &TensorData,
        size: usize,
    ) -> Result<DMatrix<f64>, MergeError> {
        let refused = |what: String| {
            let message = format!(
                "the Gram matrix of model {model} {what}; collect it with `RegMean::input_grams` on the model that \
                 is merged"
            );
            unusable(tensor.name(), message)
        };
        let shape = data.shape().as_slice();
        if shape != [size, size] {
            return Err(refused(format!(
                "is {shape:?}, and the weight has {size} inputs"
            )));
        }
        let values: Vec<f64> = data.iter::<f64>().collect();
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(refused(format!("contains {value}")));
        }
        let gram = DMatrix::from_vec(size, size, values);
        if let Some(value) = gram.diagonal().iter().find(|value| **value < 0.0) {
            return Err(refused(format!("has {value} on its diagonal")));
        }
        let gap = (&gram - gram.transpose()).amax();
        if gap > ASYMMETRY * gram.amax() {
            return Err(refused(format!(
                "is not symmetric (entries differ by {gap})"
            )));
        }
        Ok(DMatrix::from_fn(size, size, |i, j| {
            let entry = f64::midpoint(gram[(i, j)], gram[(j, i)]);
            if i == j {
                entry
            } else {
                self.off_diagonal * entry
            }
        }))
    }

    /// The solution of `(sum + ridge) X = right`, for statistics of this type.
    fn solved(
        &self,
        name: &str,
        mut sum: DMatrix<f64>,
        mut right: DMatrix<f64>,
        dtype: DType,
    ) -> Result<DMatrix<f64>, MergeError> {
        let size = sum.nrows();
        let added = self.ridge * sum.trace() / size as f64;
        for place in 0..size {
            sum[(place, place)] += added;
        }
        if !sum.iter().chain(&right).all(|entry| entry.is_finite()) {
            let message = "the sum of the Gram matrices is not finite; scale all of them down";
            return Err(unusable(name, message.to_string()));
        }
        // With a diagonal of ones, inputs may have any units.
        let root = |square: f64| {
            if square > 0.0 {
                1.0 / square.sqrt()
            } else {
                0.0
            }
        };
        let units: DVector<f64> = sum.diagonal().map(root);
        let scaled = DMatrix::from_fn(size, size, |i, j| units[i] * sum[(i, j)] * units[j]);
        let floor = (4.0 * (size as f64).sqrt() * epsilon(dtype)).max(SUM_ROUNDING);
        let factors = Cholesky::new(scaled.clone());
        let factors = factors.filter(|factors| {
            let inverse = factors.inverse();
            let is_finite = inverse.iter().all(|entry| entry.is_finite());
            is_finite && largest_sum(&scaled) * largest_sum(&inverse) * floor < 1.0
        });
        let Some(factors) = factors else {
            return Err(refused(name, &scaled, floor, dtype));
        };
        let in_units = |matrix: &mut DMatrix<f64>| {
            for (mut row, unit) in matrix.row_iter_mut().zip(&units) {
                row.scale_mut(*unit);
            }
        };
        in_units(&mut right);
        factors.solve_mut(&mut right);
        in_units(&mut right);
        Ok(right)
    }
}

/// The error for a sum that was not solved: how many directions it has, or that its type does not tell.
fn refused(name: &str, scaled: &DMatrix<f64>, floor: f64, dtype: DType) -> MergeError {
    let size = scaled.nrows();
    let eigenvalues = scaled.symmetric_eigenvalues();
    // Half precision hides most of the directions that there are.
    let floor = match dtype {
        DType::F16 | DType::BF16 => SUM_ROUNDING,
        _ => floor,
    };
    let least = floor * eigenvalues.max();
    let rank = eigenvalues.iter().filter(|value| **value > least).count();
    if rank < size {
        return MergeError::Singular {
            tensor: name.to_string(),
            rank,
            size,
        };
    }
    let remedy = match dtype {
        DType::F16 | DType::BF16 => "store them in f32 or f64",
        DType::F64 => "collect them on more examples",
        _ => "store them in f64",
    };
    let dtype = dtype.name();
    let message = format!(
        "the Gram matrices are ill-conditioned for statistics in {dtype}; {remedy}, or add to the diagonal with \
         `with_ridge`"
    );
    unusable(name, message)
}

/// The largest sum of absolute values in a column.
fn largest_sum(matrix: &DMatrix<f64>) -> f64 {
    let columns = matrix.column_iter();
    let sums = columns.map(|column| column.iter().map(|entry| entry.abs()).sum::<f64>());
    sums.fold(0.0, f64::max)
}

impl MergeMethod for RegMean {
    fn name(&self) -> String {
        "regmean".to_string()
    }

    fn needs_filters(&self, shape: &[usize]) -> bool {
        shape.len() == 2 && !self.grams.is_empty()
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        ensure("off_diagonal", self.off_diagonal, 0.0..=1.0)?;
        ensure("ridge", self.ridge, 0.0..)?;
        self.grams.check(&self.name(), weights.len())?;
        Ok(check_mean_weights(weights)?)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }

    fn note(&self, name: &str, _shape: &[usize]) -> Option<String> {
        (!self.grams.has(name)).then(|| "averaged: no Gram matrix".to_string())
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        let name = tensor.name();
        self.grams.check(&self.name(), tensor.num_models())?;
        let mean = means(tensor);
        let Some(grams) = self.grams.of(name)? else {
            return Ok(tensor.result(mean));
        };
        let orientation = Orientation::of(tensor, &self.name())?;
        if tensor.is_empty() {
            return Ok(tensor.result(mean));
        }
        let mut merged = orientation.inputs_first(mean);
        let (size, num_outputs) = merged.shape();
        let mut sum = DMatrix::zeros(size, size);
        let mut right = DMatrix::zeros(size, num_outputs);
        let mut dtype = DType::F64;
        for (model, (data, weight)) in grams.iter().zip(tensor.weights()).enumerate() {
            let gram = self.gram(tensor, model, data, size)? * *weight;
            let difference = &merged - orientation.inputs_first(tensor.values(model));
            right.gemm(1.0, &gram, &difference, 1.0);
            sum += gram;
            if epsilon(data.dtype()) > epsilon(dtype) {
                dtype = data.dtype();
            }
        }
        merged -= self.solved(name, sum, right, dtype)?;
        Ok(tensor.result(orientation.stored(&merged)))
    }
}

/// How a weight is stored.
#[derive(Debug, Clone, Copy)]
enum Orientation {
    /// `[in, out]`.
    InOut([usize; 2]),
    /// `[out, in]`.
    OutIn([usize; 2]),
}

impl Orientation {
    fn of(tensor: &MergeTensor<'_>, method: &str) -> Result<Self, MergeError> {
        let shape = tensor.shape();
        let &[rows, columns] = shape else {
            let message = format!(
                "a Gram matrix belongs to a matrix, and the tensor is {shape:?}; leave it out of the store"
            );
            return Err(unusable(tensor.name(), message));
        };
        match tensor.filter_axis() {
            Some(1) => Ok(Self::InOut([rows, columns])),
            Some(0) => Ok(Self::OutIn([rows, columns])),
            _ => Err(MergeError::Method {
                method: method.to_string(),
                tensor: tensor.name().to_string(),
                message: "it has Gram matrices, and no axis of outputs; leave them out of the stores, or use another \
                          method for this tensor"
                    .to_string(),
            }),
        }
    }

    /// The matrix `[in, out]` of stored values.
    fn inputs_first(self, values: Vec<f64>) -> DMatrix<f64> {
        match self {
            Self::InOut([rows, columns]) => DMatrix::from_row_slice(rows, columns, &values),
            // Columns are stored one after the other.
            Self::OutIn([rows, columns]) => DMatrix::from_vec(columns, rows, values),
        }
    }

    /// The values of such a matrix as they are stored.
    fn stored(self, matrix: &DMatrix<f64>) -> Vec<f64> {
        match self {
            Self::InOut(_) => matrix.transpose().as_slice().to_vec(),
            Self::OutIn(_) => matrix.as_slice().to_vec(),
        }
    }
}
