use super::CurvatureError;
use crate::OutOfRange;

/// Settings of curvature operators. The method named after an operator makes it from a
/// [`Risk`](crate::loss::Risk) and a model; [`Risk::hessian`](crate::loss::Risk::hessian) and similar methods use
/// the defaults.
///
/// # Example
///
/// ```
/// use burn::module::ParamGroup;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::CurvatureConfig;
/// use burnscape::loss::Risk;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::LinearOperator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::ones([4, 2], &device)];
///
/// // The block of the weight; residuals are recomputed in every product.
/// let risk = Risk::new(&loss, &data).with_group(ParamGroup::from_predicate("weight"));
/// let hessian = CurvatureConfig::new().with_residual_budget(0).hessian(&risk, &model)?;
/// let v = ParamVector::from_host(hessian.space(), &[1.0, 0.0])?;
/// assert_eq!(hessian.matvec(&v)?.to_host()?, [2.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurvatureConfig {
    pub(super) residual_budget: usize,
    pub(super) block_size: usize,
    pub(super) checks: bool,
}

impl Default for CurvatureConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl CurvatureConfig {
    /// The defaults: residuals stored up to 1 GiB, blocks of 16 vectors, checks on.
    pub fn new() -> Self {
        Self {
            residual_budget: 1 << 30,
            block_size: 16,
            checks: true,
        }
    }

    /// Sets how many bytes of residuals (intermediate results that products read) are stored on the device,
    /// including the tensors of the batches. Dropout masks and drawn targets are always stored, and count. Batches
    /// beyond the budget are read again for every product and their residuals recomputed, which adds about the cost
    /// of a gradient. 0 recomputes all of them.
    #[must_use]
    pub fn with_residual_budget(mut self, bytes: usize) -> Self {
        self.residual_budget = bytes;
        self
    }

    /// Sets how many vectors of a block share a pass over the data; 16 by default. A pass needs the memory of that
    /// many products. Making an operator fails for zero.
    #[must_use]
    pub fn with_block_size(mut self, vectors: usize) -> Self {
        self.block_size = vectors;
        self
    }

    /// Sets whether new operators are checked; on by default. The checks are: a second reading gives the same data
    /// (this downloads it), the gradient is finite, nothing is detached from the backward pass only, and two
    /// products are finite and symmetric.
    ///
    /// If a tensor is detached, Burn's gradient is not the derivative of the loss. At a minimum both are rounding
    /// errors, so they are compared at displaced weights: first by a hundredth of the size of each tensor in a
    /// seeded direction, then by more to confirm a difference, or by less if the loss is not finite there. The
    /// model itself does not change.
    ///
    /// # Cost
    ///
    /// A second reading of the data, two products, and about four thirds of a gradient per batch.
    #[must_use]
    pub fn with_checks(mut self, checks: bool) -> Self {
        self.checks = checks;
        self
    }

    /// Returns an error for settings out of range.
    pub(super) fn check(&self) -> Result<(), CurvatureError> {
        match self.block_size {
            0 => Err(OutOfRange::new("block_size", 0.0, "at least 1").into()),
            _ => Ok(()),
        }
    }
}
