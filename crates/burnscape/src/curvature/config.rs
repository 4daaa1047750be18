use std::fmt;
use std::ops::ControlFlow;

use burn::module::{Module, ParamGroup};

use super::CurvatureError;
use crate::loss::Mode;
use crate::space::ParamSpace;

/// What a curvature operator looks at, and how. Each operator is made by the method of its name.
///
/// # Example
///
/// ```
/// use burn::module::ParamGroup;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::curvature::CurvatureConfig;
/// use burnscape::space::ParamVector;
/// use burnscape::krylov::LinearOperator;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).mean();
/// let data = [Tensor::<2>::ones([4, 2], &device)];
///
/// // The block of the weight; residuals are computed again in every product.
/// let hessian = CurvatureConfig::new()
///     .with_group(ParamGroup::from_predicate("weight"))
///     .with_residual_budget(0)
///     .hessian(&model, &loss, &data)?;
/// let v = ParamVector::from_host(hessian.space(), &[1.0, 0.0])?;
/// assert_eq!(hessian.matvec(&v)?.to_host()?, [2.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a configuration does nothing before an operator is made from it"]
pub struct CurvatureConfig<'a> {
    pub(super) mode: Mode,
    pub(super) group: Option<ParamGroup>,
    pub(super) residual_budget: usize,
    pub(super) block_size: usize,
    pub(super) draws: Draws,
    pub(super) checks: bool,
    pub(super) observer: Option<Observer<'a>>,
}

/// Where the random numbers of a loss come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draws {
    /// A loss that draws is refused.
    Refused,
    /// From the device's own stream.
    Free,
    /// From a stream of their own, a part of it for each batch.
    Seeded(u64),
    /// The same for a single batch, which gets the seed as it is.
    OneBatch(u64),
}

pub(super) type Observer<'a> = Box<dyn FnMut(&CurvatureStep) -> ControlFlow<()> + Send + 'a>;

/// One batch of a pass, as an observer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurvatureStep {
    /// What the pass is for.
    pub pass: Pass,
    /// Batches done.
    pub batches: usize,
    /// Batches in the pass, where known.
    pub total: Option<usize>,
}

/// What a pass over the data is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pass {
    /// The operator is linearized at the model's parameters.
    Linearize,
    /// A vector, or a block of vectors, is multiplied.
    Product,
}

impl Default for CurvatureConfig<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> CurvatureConfig<'a> {
    /// [`Mode::Eval`], all parameters, residuals kept up to 1 GiB, blocks of 16, checks on.
    pub fn new() -> Self {
        Self {
            mode: Mode::Eval,
            group: None,
            residual_budget: 1 << 30,
            block_size: 16,
            draws: Draws::Refused,
            checks: true,
            observer: None,
        }
    }

    /// Sets the mode. In [`Mode::Train`] batch normalization uses the statistics of each batch, and
    /// dropout draws one mask a batch, by a [seed](Self::with_draws_seed).
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Restricts the operator to a group of parameters: the diagonal block of a matrix over
    /// parameters, the columns of a Jacobian.
    pub fn with_group(mut self, group: ParamGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// How many bytes of residuals (what a product reads and does not compute) may be kept on the
    /// device, the batches' own tensors among them. Dropout masks and drawn targets are kept in any
    /// case, and counted. Batches beyond it are read from the data set again for every product, and their
    /// residuals recomputed, which costs about a gradient more; 0 recomputes all of them.
    pub fn with_residual_budget(mut self, bytes: usize) -> Self {
        self.residual_budget = bytes;
        self
    }

    /// How many vectors of a block share a pass over the data, 16 by default; a pass needs the
    /// memory of that many products at once. Zero is refused when an operator is made.
    pub fn with_block_size(mut self, vectors: usize) -> Self {
        self.block_size = vectors;
        self
    }

    /// Freezes the random numbers that the loss draws (dropout in [`Mode::Train`], a sampled latent
    /// variable, noise): those of a batch are a function of this seed and of its index, drawn once and part
    /// of the operator. They are those of an [`Evaluator`](crate::loss::Evaluator) with the same seed.
    /// Without a seed a loss that draws is refused.
    ///
    /// Afterwards the device's generator continues as a function of its own stream, as
    /// [`Evaluator::with_draws_seed`](crate::loss::Evaluator::with_draws_seed) says.
    pub fn with_draws_seed(mut self, seed: u64) -> Self {
        self.draws = Draws::Seeded(seed);
        self
    }

    /// Freezes the draws of a single batch: those after the device was seeded so.
    pub(crate) fn with_draws_of_one_batch(mut self, seed: u64) -> Self {
        self.draws = Draws::OneBatch(seed);
        self
    }

    /// Lets the loss draw from the device's own stream, once for the operator: what a step of training
    /// does.
    pub(crate) fn with_free_draws(mut self) -> Self {
        self.draws = Draws::Free;
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
    pub fn with_checks(mut self, checks: bool) -> Self {
        self.checks = checks;
        self
    }

    /// Lets `observe` see every batch of every pass, construction included, and stop it: the call
    /// under way then fails with [`CurvatureError::Stopped`].
    pub fn with_observer(
        mut self,
        observe: impl FnMut(&CurvatureStep) -> ControlFlow<()> + Send + 'a,
    ) -> Self {
        self.observer = Some(Box::new(observe));
        self
    }

    /// The space of the parameters that the operator acts on.
    pub(super) fn space<M: Module>(&self, model: &M) -> Result<ParamSpace, CurvatureError> {
        if self.block_size == 0 {
            return Err(CurvatureError::OutOfRange {
                name: "block_size",
                value: 0.0,
                expected: "at least 1",
            });
        }
        let space = match &self.group {
            Some(group) => ParamSpace::of_group(model, group)?,
            None => ParamSpace::of(model)?,
        };
        space.dtype()?;
        Ok(space)
    }
}

impl fmt::Debug for CurvatureConfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurvatureConfig")
            .field("mode", &self.mode)
            .field("group", &self.group)
            .field("residual_budget", &self.residual_budget)
            .field("block_size", &self.block_size)
            .field("draws", &self.draws)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}
