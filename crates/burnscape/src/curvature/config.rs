use super::CurvatureError;
use crate::OutOfRange;

/// How curvature operators are computed. Each operator is made by the method of its name, from a
/// [`Risk`](crate::loss::Risk) and a model; [`Risk::hessian`](crate::loss::Risk::hessian) and its
/// siblings use the defaults.
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
/// // The block of the weight; residuals are computed again in every product.
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
    /// Residuals stored up to 1 GiB, blocks of 16, checks on.
    pub fn new() -> Self {
        Self {
            residual_budget: 1 << 30,
            block_size: 16,
            checks: true,
        }
    }

    /// How many bytes of residuals (what a product reads and does not compute) may be kept on the
    /// device, the batches' own tensors among them. Dropout masks and drawn targets are kept in any
    /// case, and counted. Batches beyond it are read from the data set again for every product, and their
    /// residuals recomputed, which costs about a gradient more; 0 recomputes all of them.
    #[must_use]
    pub fn with_residual_budget(mut self, bytes: usize) -> Self {
        self.residual_budget = bytes;
        self
    }

    /// How many vectors of a block share a pass over the data, 16 by default; a pass needs the
    /// memory of that many products at once. Zero is refused when an operator is made.
    #[must_use]
    pub fn with_block_size(mut self, vectors: usize) -> Self {
        self.block_size = vectors;
        self
    }

    /// Whether a new operator is checked: that the data are the same when they are read again (which
    /// reads them to the host), that the gradient is finite, that nothing is detached from the backward
    /// pass alone, and that two products are finite and symmetric. On by default.
    ///
    /// What is detached shows where Burn's gradient is not the derivative of the loss. At a minimum both
    /// are rounding, so they are compared at displaced weights: by a hundredth of the size of each
    /// tensor, in a seeded direction, and by more before a difference is believed; by less where the
    /// loss is not finite there. The model itself is not changed.
    ///
    /// # Cost
    ///
    /// A second reading of the data, two products, and about a gradient and a third for each batch.
    #[must_use]
    pub fn with_checks(mut self, checks: bool) -> Self {
        self.checks = checks;
        self
    }

    /// Refuses settings that make no sense.
    pub(super) fn check(&self) -> Result<(), CurvatureError> {
        match self.block_size {
            0 => Err(OutOfRange::new("block_size", 0.0, "at least 1").into()),
            _ => Ok(()),
        }
    }
}
