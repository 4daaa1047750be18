use std::iter::repeat_n;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{DType, Tensor, TensorData};
use burnscape_krylov::{HasAdjoint, LinearOperator, SelfAdjoint, Step};

use super::CurvatureError;
use super::empirical_fisher::check_example_losses;
use super::jacobian::{Jacobian, Rows};
use super::matrix::{rows, stacked};
use super::output_vector::OutputVector;
use super::stale::FirstValue;
use super::weights::Weighting;
use crate::loss::{DeviceWork, PerExample, Reduction, Risk};
use crate::space::{ParamSpace, ParamVector, as_accumulator};

/// The covariance `Σ = 1/(n − 1) Σᵢ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ` of the gradients `gᵢ` of single examples over a data set: the noise
/// of stochastic gradients.
///
/// `ḡ` is the mean gradient. The mean of `b` examples has the covariance `Σ/b` if they are drawn with replacement, and
/// `(1 − b/n) Σ/b` without. Where batches have [weights](crate::loss::Batch::weight), an example has the share `wᵢ` of the
/// total that its batch gives it, and `Σ = Σᵢ wᵢ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ / (1 − Σᵢ wᵢ²)` with `ḡ = Σᵢ wᵢ gᵢ`. Both are
/// unbiased for independent examples, and both belong to the mean loss, for a risk that is a sum as well. It needs a
/// risk made with [`Risk::per_example`](crate::loss::Risk::per_example). In [`Mode::Train`](crate::loss::Mode::Train),
/// `gᵢ` is the gradient of the loss of an example within its batch.
///
/// A product is centered on the side of the losses: `Σ v = Jᵀ W (I − 1 wᵀ) J v / (1 − Σᵢ wᵢ²)`, where the rows of `J` are the
/// `gᵢ` and `W = diag(w)`. So it loses the digits of `|ḡ|` over the noise, and not those of its square, as the
/// [`EmpiricalFisher`](super::EmpiricalFisher) minus `ḡ ḡᵀ` does.
///
/// Its eigenvalues, trace and density come from the methods of [`krylov`](crate::krylov).
/// [`OverlapConfig`](crate::krylov::OverlapConfig) compares it with another matrix: with the Hessian, as the alignment
/// `tr(ΣH) / (|Σ| |H|)` of noise and curvature, or with itself at another point of training, where it tells how far the
/// noise depends on the state.
///
/// # Units
///
/// Loss squared per parameter squared.
///
/// # Cost
///
/// Construction: that of the [`Jacobian`](super::Jacobian). A product is one forward derivative of the vector of losses and
/// one backward pass, as for the empirical Fisher matrix; gradients of single examples are never formed. Memory: that of the
/// Jacobian, and two numbers per example.
///
/// # Errors
///
/// Those of the [`Hessian`](super::Hessian), [`LossError::WrongExampleLosses`](crate::loss::LossError::WrongExampleLosses),
/// and [`CurvatureError::OneExample`].
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::krylov::{EigenpairsConfig, TraceConfig, Which};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let losses = |m: &Linear, x: Tensor<2>| m.forward(x).squeeze_dim::<1>(1);
/// let inputs = [[3.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [-3.0, 1.0]];
/// let data = [Tensor::<2>::from_data(inputs, &device)];
///
/// // The gradient of each example is its input: the covariance is diag(20/3, 0).
/// let covariance = Risk::per_example(losses, &data).gradient_covariance(&model)?;
/// assert_eq!(covariance.mean_gradient()?.to_host()?, [0.0, 1.0]);
/// let top = EigenpairsConfig::new(1, Which::Largest).run(&covariance)?;
/// let trace = TraceConfig::new().run(&covariance)?;
/// assert!((top.values[0] - 20.0 / 3.0).abs() < 1e-4 && (trace.value - 20.0 / 3.0).abs() < 1e-4);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
///
/// The noise at two points of training:
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::krylov::OverlapConfig;
/// use burnscape::loss::Risk;
/// use burnscape::space::{ParamSpace, ParamVector};
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let losses = |m: &Linear, x: Tensor<2>| m.forward(x).square().squeeze_dim::<1>(1);
/// let inputs = [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 2.0]];
/// let data = [Tensor::<2>::from_data(inputs, &device)];
/// let risk = Risk::per_example(losses, &data);
///
/// let space = ParamSpace::of(&model)?;
/// let early = ParamVector::from_host(&space, &[1.0, 0.0])?.apply_to(&model)?;
/// let late = ParamVector::from_host(&space, &[0.0, 1.0])?.apply_to(&model)?;
/// let (early, late) = (risk.gradient_covariance(&early)?, risk.gradient_covariance(&late)?);
/// // The gradients are 2 (w · x) x: first all noise is in one weight, later in the other.
/// let overlap = OverlapConfig::new();
/// assert_eq!(overlap.run(&early, &early)?.cosine.value, 1.0);
/// assert!(overlap.run(&early, &late)?.cosine.value.abs() < 1e-6);
/// # Ok::<(), burnscape::curvature::CurvatureError>(())
/// ```
pub struct GradientCovariance<'a> {
    /// Of the losses of the examples. Its transpose applies the weights of the batches.
    jacobian: Jacobian<'a>,
    /// The weights of the examples, `[1, n]`, which add to one.
    weights: Tensor<2>,
    /// The same, without the weights of the batches.
    shares: Tensor<2>,
    /// `1 / (1 − Σᵢ wᵢ²)`.
    correction: f64,
    reduction: Reduction,
}

impl<'a> GradientCovariance<'a> {
    /// That of the losses of examples, whose Jacobian this is.
    fn around(jacobian: Jacobian<'a>, reduction: Reduction) -> Result<Self, CurvatureError> {
        let n = jacobian.num_examples();
        if n < 2 {
            return Err(CurvatureError::OneExample);
        }
        let (mut weights, mut shares) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (examples, weight) in jacobian.rows_and_weights() {
            let share = match reduction {
                Reduction::Mean => 1.0 / examples as f64,
                Reduction::Sum => 1.0 / n as f64,
            };
            weights.extend(repeat_n(weight * share, examples));
            shares.extend(repeat_n(share, examples));
        }
        // Not one minus the sum of squares, which cancels if one example has almost all weight.
        let left: f64 = weights.iter().map(|weight| weight * (1.0 - weight)).sum();
        let outputs = jacobian.outputs();
        let dtype = match outputs.dtype() {
            DType::F16 | DType::BF16 => DType::F32,
            dtype => dtype,
        };
        let row = |numbers: Vec<f64>| {
            let data = TensorData::new(numbers, [1, n]);
            Tensor::from_data(data, (outputs.device(), dtype))
        };
        Ok(Self {
            weights: row(weights),
            shares: row(shares),
            correction: 1.0 / left,
            jacobian,
            reduction,
        })
    }

    /// The covariance without one of its [devices](Risk::with_devices), given by its place in the list.
    ///
    /// # Cost
    ///
    /// That of [`Jacobian::without_device`].
    ///
    /// # Errors
    ///
    /// Those of [`Jacobian::without_device`].
    pub fn without_device(&self, index: usize) -> Result<Self, CurvatureError> {
        Self::around(self.jacobian.without_device(index)?, self.reduction)
    }

    /// What each [device](Risk::with_devices) of the covariance has done, in the order of the list; empty without devices.
    pub fn device_work(&self) -> Vec<DeviceWork> {
        self.jacobian.device_work()
    }

    /// The space of the parameters, on which the operator acts.
    pub fn space(&self) -> &ParamSpace {
        self.jacobian.space()
    }

    /// Number of examples in the data.
    pub fn num_examples(&self) -> usize {
        self.jacobian.num_examples()
    }

    /// The mean gradient `ḡ`: that of the mean loss, for a risk that is a sum as well.
    ///
    /// # Cost
    ///
    /// One backward pass.
    ///
    /// # Errors
    ///
    /// Those of a product.
    pub fn mean_gradient(&self) -> Result<ParamVector, CurvatureError> {
        self.transposed(self.shares.clone())
    }

    /// `Jᵀ u` for a single row `u`.
    fn transposed(&self, row: Tensor<2>) -> Result<ParamVector, CurvatureError> {
        let outputs = self.jacobian.outputs();
        let values = row.reshape([outputs.len()]);
        let row = OutputVector::from_values(outputs, values)?;
        self.jacobian.matvec_adjoint(&row)
    }

    /// `W (u − 1 wᵀu)` for the rows `u` of a block, without the weights of the batches.
    fn centered(&self, block: Tensor<2>) -> Tensor<2> {
        let dtype = block.dtype();
        let mut block = as_accumulator(block);
        // Twice: the rounding error of the first mean is one of `ḡ · v`. All examples share it, so that the transpose would
        // multiply it with `ḡ`, and the error would be that of subtracting `ḡ ḡᵀ`.
        for _ in 0..2 {
            let mean = (block.clone() * self.weights.clone()).sum_dim(1);
            block = block - mean;
        }
        let block = block * self.shares.clone();
        if block.dtype() == dtype {
            block
        } else {
            block.cast(dtype)
        }
    }
}

impl LinearOperator for GradientCovariance<'_> {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.space().clone()
    }

    fn range(&self) -> ParamSpace {
        self.space().clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let slopes = self.jacobian.matvec(v)?;
        self.jacobian.check_break()?;
        let row = slopes.values().clone().unsqueeze::<2>();
        let product = self.transposed(self.centered(row))?;
        Ok(product.scale(self.correction))
    }

    fn matmat(&self, vectors: &[ParamVector]) -> Result<Vec<ParamVector>, CurvatureError> {
        if let [v] = vectors {
            return Ok(vec![self.matvec(v)?]);
        }
        let Some(block) = stacked(self.space(), vectors)? else {
            return Ok(Vec::new());
        };
        let slopes = self.jacobian.block(&block)?;
        self.jacobian.check_break()?;
        let products = self.jacobian.transposed_block(&self.centered(slopes))?;
        rows(self.space(), &(products * self.correction))
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.jacobian.report(step)
    }

    fn is_stop(&self, error: &CurvatureError) -> bool {
        error.is_stop()
    }
}

/// By construction: `W (I − 1 wᵀ) = W − w wᵀ` is symmetric, and the two maps of the Jacobian are checked to be
/// adjoint.
impl SelfAdjoint for GradientCovariance<'_> {}

impl<'a, M: Module> Risk<'a, M, PerExample> {
    /// The [`GradientCovariance`] at a model.
    ///
    /// # Errors
    ///
    /// Those of [`GradientCovariance`].
    pub fn gradient_covariance(&self, model: &M) -> Result<GradientCovariance<'a>, CurvatureError> {
        let rows = Rows {
            first: FirstValue::ExampleLosses,
            weighting: Weighting::Loss(self.reduction()),
            admit: check_example_losses,
        };
        let jacobian = Jacobian::of(self, model, rows)?;
        GradientCovariance::around(jacobian, self.reduction())
    }
}

impl std::fmt::Debug for GradientCovariance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GradientCovariance")
            .field("num_parameters", &self.space().len())
            .field("num_examples", &self.num_examples())
            .finish_non_exhaustive()
    }
}
