//! The empirical risk: a loss over data, as a function of a model.

mod chosen;
mod classes;
mod constructors;
mod deterministic;
mod evaluate;
mod example_gradients;
mod fingerprints;
mod form;
mod gradient_sum;
mod kind;
#[cfg(feature = "progress")]
mod line;
mod observer;
mod on_devices;
mod operator_settings;
mod part_gradients;
mod parts;
mod pending;
mod progress;
mod shard;
mod source;
mod spread;

use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::{Module, ParamGroup};
use burn::tensor::Device;

use super::{LossError, Mode, Reduction};
use crate::OutOfRange;
use crate::space::ParamSpace;

pub(crate) use constructors::of_one_batch;
pub use evaluate::{RiskGradient, RiskValue};
pub(crate) use fingerprints::DataReading;
pub(crate) use fingerprints::Digest;
pub use kind::{Classes, PerExample, Split, Whole};
pub(crate) use observer::Observer;
use on_devices::Placement;
pub(crate) use operator_settings::OperatorSettings;
pub(crate) use part_gradients::PartGradient;
pub(crate) use parts::{InParts, SourceInParts};
pub(crate) use pending::PendingLoss;
pub use progress::{Progress, Work};
pub(crate) use source::{
    BatchScores, RiskBatch, SharedData, SharedSource, Source, each, each_begun, each_tensors,
};

/// The empirical risk: a loss over data as a function of a model, with the settings of its evaluation.
///
/// `L(w) = Σ_b n_b L_b(w) / Σ_b n_b` for means (`n_b` the [weight](super::Batch::weight) of a batch) and
/// `Σ_b L_b(w)` for sums, so that any partition of the data into batches gives the same number.
///
/// All measurements of a loss start from a risk: curvature operators ([`hessian`](Self::hessian)), measures of
/// sharpness, landscapes, profiles of paths. The type is generic in the model only; the types of batch, loss and data set
/// are erased on construction.
///
/// | constructor | from | kind | also provides |
/// |---|---|---|---|
/// | [`Risk::new`], [`Risk::owned`] | a loss | [`Whole`] | |
/// | [`Risk::split`] | outputs and a criterion | [`Split`] | Gauss-Newton and Fisher matrices, Jacobian, tangent kernel |
/// | [`Risk::per_example`] | the losses of single examples | [`PerExample`] | their gradients, the empirical Fisher matrix, the covariance of gradients |
/// | [`Risk::classes`] | logits and labels | [`Classes`] | calibrated profiles of paths |
///
/// The model may be in training, `valid()`, or on a plain device: evaluations use a copy in the given [`Mode`] and
/// change neither the user's model nor its running statistics. Batches are moved to the autodiff context they need,
/// but not to another device, unless there are [several](Self::with_devices).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).mean();
/// let data = [Tensor::<2>::ones([3, 1], &device), Tensor::<2>::ones([1, 1], &device) * 5.0];
/// let risk = Risk::new(&loss, &data);
/// let found = risk.loss_and_gradient(&model)?;
/// assert_eq!(found.num_examples, 4);
/// // The gradient of w · mean(x) is mean(x) = (3 · 1 + 1 · 5) / 4.
/// assert!((found.gradient.to_host()?[0] - 2.0).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Risk<'a, M, K = Whole> {
    source: SharedSource<'a, M>,
    /// The source before its batches were moved to the only device of a list.
    unmoved: Option<SharedSource<'a, M>>,
    kind: K,
    reduction: Reduction,
    mode: Mode,
    group: Option<ParamGroup>,
    draws: Draws,
    observer: Observer<'a>,
    operators: OperatorSettings,
    /// The device of Krylov bases over the parameters, if it is not that of the model.
    basis_device: Option<Device>,
    /// The devices of batches, if there are several.
    placement: Placement,
    /// Whether a second evaluation has confirmed that the loss draws no random numbers.
    is_probed: AtomicBool,
    /// Whether it has confirmed that no draws change running statistics in training mode.
    are_statistics_probed: AtomicBool,
    /// A model lives as long as what a risk of it borrows: shards hold sources of `M`.
    model: PhantomData<fn() -> &'a M>,
}

/// The source of the random numbers that a loss draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draws {
    /// None: a loss that draws is an error.
    Refused,
    /// The random number generator of the device.
    Free,
    /// A seed, mixed with the index of each batch.
    Seeded(u64),
    /// A seed for a single batch, used directly.
    OneBatch(u64),
}

impl<'a, M, K> Risk<'a, M, K> {
    pub(super) fn of(source: SharedSource<'a, M>, kind: K, reduction: Reduction) -> Self {
        Self {
            source,
            unmoved: None,
            kind,
            reduction,
            mode: Mode::Eval,
            group: None,
            draws: Draws::Refused,
            observer: Observer::default(),
            operators: OperatorSettings::default(),
            basis_device: None,
            placement: Placement::default(),
            is_probed: AtomicBool::new(false),
            are_statistics_probed: AtomicBool::new(false),
            model: PhantomData,
        }
    }

    /// Sets the mode; [`Mode::Eval`] by default. In [`Mode::Train`], batch normalization uses the statistics of each
    /// batch, and dropout draws one mask per batch from a [seed](Self::with_draws_seed).
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        // Dropout draws random numbers in training mode only.
        self.is_probed = AtomicBool::new(false);
        self
    }

    /// Restricts derivatives and displacements to a group of parameters: matrices over parameters become their
    /// diagonal block, Jacobians keep the columns of the group.
    #[must_use]
    pub fn with_group(mut self, group: ParamGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// Fixes the random numbers that the loss draws (a sampled latent variable, noise, dropout in [`Mode::Train`] and
    /// while running statistics are [re-estimated](Self::reestimate)): they depend on this seed and the index of the
    /// batch, and are the same in every pass. Without a seed, a loss that draws random numbers is an error.
    ///
    /// The device's generator afterwards continues in a state that depends only on its state before: each pass draws
    /// one tensor of two numbers, uniform in [0, 1) and in f32, and finally seeds the generator with their 48 bits.
    #[must_use]
    pub fn with_draws_seed(mut self, seed: u64) -> Self {
        self.draws = Draws::Seeded(seed);
        self
    }

    /// Calls `observe` with the progress of all work on this risk: batches of a pass, products of its operators,
    /// samples, steps, points. Passes for running statistics or logits do not report their batches.
    ///
    /// Return [`ControlFlow::Break`] to stop. Passes and measures then return the result so far, or an error if there is
    /// none; a product with an operator returns
    /// [`CurvatureError::Stopped`](crate::curvature::CurvatureError::Stopped).
    ///
    /// Work is nested: a sample of a measure is a pass, which also reports its batches. Check [`Progress::work`] before
    /// you count.
    ///
    /// No lock is held during the call. Until it returns, other work on this risk is not reported, whether `observe`
    /// itself or another thread does it. With [several devices](Self::with_devices) the other ones wait meanwhile, and
    /// a panic of `observe` in a pass or product is reported as a failure of the device that called it.
    ///
    /// # Example
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(1, 1).init(&device);
    /// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).mean();
    /// let data = [(); 3].map(|()| Tensor::<2>::ones([2, 1], &device));
    /// let risk = Risk::new(&loss, &data).with_observer(|progress| {
    ///     println!("{progress}"); // loss of batch 1 of 3: 0.42
    ///     match progress.done {
    ///         2 => ControlFlow::Break(()),
    ///         _ => ControlFlow::Continue(()),
    ///     }
    /// });
    /// let found = risk.loss(&model)?;
    /// assert!(!found.completed && found.num_batches == 2);
    /// # Ok::<(), burnscape::loss::LossError>(())
    /// ```
    #[must_use]
    pub fn with_observer(
        mut self,
        observe: impl FnMut(&Progress) -> ControlFlow<()> + Send + 'a,
    ) -> Self {
        self.observer = Observer::new(observe);
        self
    }

    /// Sets how many bytes of residuals (intermediate results that products read) each operator of this risk stores on
    /// the device, including the tensors of the batches; 1 GiB by default. Dropout masks and drawn targets are
    /// always stored, and count. Batches beyond the budget are read again for every product and their residuals
    /// recomputed, which adds about the cost of a gradient. 0 recomputes all of them.
    ///
    /// What a product takes while it runs is not limited: the vectors of a block share residuals that are recomputed, unless
    /// that takes more memory than the budget and than as many products at the same time.
    #[must_use]
    pub fn with_residual_budget(mut self, bytes: usize) -> Self {
        self.operators.residual_budget = Some(bytes);
        self
    }

    /// Sets how many bytes each operator of this risk may take on the device, beyond the model and the data: to be
    /// made, and for one product with a vector, vector and product included. Without it only
    /// [residuals](Self::with_residual_budget) are limited, and a product takes what it takes.
    ///
    /// Of what fits, the first is chosen:
    ///
    /// 1. residuals are stored, of as many batches as fit;
    /// 2. the residuals of the other batches are recomputed in every product;
    /// 3. in addition, the forward pass is cut into segments, of which most are computed twice;
    /// 4. batches are split along their examples, if the loss of a batch is the mean (or sum) over its examples
    ///    in [`Mode::Eval`]. The losses of the parts are compared with those of several neighbors together: of the whole batch
    ///    if its forward pass fits, otherwise of groups of which each shares a part with the next, of two parts at
    ///    least. The parts count as batches.
    ///
    /// 1 to 3 do not change a bit of a product on devices that compute an operation the same way each time, and 4
    /// its rounding only. The vectors of a block share recomputed residuals: all of them at once if they fit, otherwise
    /// in groups, of which the products of as many vectors as fit are made at the same time. Beside the given vectors, a block
    /// takes no more than the budget. The operator tells what was chosen and the peak
    /// that it predicts: [`memory_plan`](crate::curvature::Hessian::memory_plan). Making an operator fails
    /// if nothing fits, with the least budget that does. The budget limits what is predicted from shapes, not what is
    /// allocated. A residual budget that is set as well is a second limit.
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: usize) -> Self {
        self.operators.memory_budget = Some(bytes);
        self
    }

    /// Sets how many vectors of a block share a pass over the data in operators of this risk; 16 by default. A
    /// pass needs the memory of that many products. Making an operator fails for zero.
    #[must_use]
    pub fn with_block_size(mut self, vectors: usize) -> Self {
        self.operators.block_size = vectors;
        self
    }

    /// Stores the bases of Krylov methods on another device: those of a GPU in the memory of the host, with
    /// `Device::flex()` say. Operators made afterwards have it, and every eigenvalue, solve and density of theirs;
    /// products, and the few vectors that a method works with, stay on the device of the model.
    ///
    /// The other device also computes the products with the basis: a step moves one vector there and one back, not
    /// the basis. To and from a remote device they pass through the memory of the host, also between two devices of one
    /// server. A method whose device is one and whose basis is on another gives the numbers that it would give on
    /// the device of the basis, as far as products and vector operations are the same on both, bit for bit.
    ///
    /// A device that does not exist, or that cannot store the element type, is an error of the first method that
    /// makes a basis ([`SpaceError::BasisDevice`](crate::space::SpaceError::BasisDevice)).
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::krylov::{EigenpairsConfig, Which};
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::default();
    /// let model = LinearConfig::new(2, 1).init(&device);
    /// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).square().mean();
    /// let data = [Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 2.0]], &device)];
    /// let hessian = Risk::new(&loss, &data).hessian(&model)?;
    /// let offloaded = Risk::new(&loss, &data).with_basis_device(&Device::flex()).hessian(&model)?;
    /// let top = EigenpairsConfig::new(1, Which::Largest);
    /// assert_eq!(top.run(&hessian)?.values, top.run(&offloaded)?.values);
    /// # Ok::<(), burnscape::curvature::CurvatureError>(())
    /// ```
    #[must_use]
    pub fn with_basis_device(mut self, device: &Device) -> Self {
        self.basis_device = Some(device.clone());
        self
    }

    /// Sets whether new operators of this risk are checked; on by default. The checks are: a second reading gives the
    /// same data (this downloads it), the gradient is finite, nothing is detached from the backward pass only, and two
    /// products are finite and symmetric.
    ///
    /// If a tensor is detached, Burn's gradient is not the derivative of the loss. At a minimum both are rounding
    /// errors, so they are compared at displaced weights: first by a hundredth of the size of each tensor in a seeded
    /// direction, then by more to confirm a difference, or by less if the loss is not finite there. The model itself
    /// does not change.
    ///
    /// # Cost
    ///
    /// A second reading of the data, two products, and about four thirds of a gradient per batch.
    #[must_use]
    pub fn with_checks(mut self, checks: bool) -> Self {
        self.operators.checks = checks;
        self.operators.fingerprints = checks;
        self
    }

    /// The mode in which models are evaluated.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the loss of a batch is a mean or a sum over its examples.
    pub fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// Number of batches, if the data set knows it.
    pub fn num_batches(&self) -> Option<usize> {
        self.source.num_batches()
    }

    pub(crate) fn has_group(&self) -> bool {
        self.group.is_some()
    }

    pub(crate) fn draws(&self) -> Draws {
        self.draws
    }

    /// Whether running statistics still have to be compared with those of a second evaluation.
    pub(crate) fn probes_statistics(&self) -> bool {
        self.draws == Draws::Refused && !self.are_statistics_probed.load(Ordering::Relaxed)
    }

    /// Notes that they are the same.
    pub(crate) fn note_statistics(&self) {
        self.are_statistics_probed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn source(&self) -> &SharedSource<'a, M> {
        &self.source
    }

    /// The same risk with a single loss function.
    pub(crate) fn whole(&self) -> Risk<'a, M> {
        self.with_kind(Whole::KIND)
    }

    fn with_kind<L>(&self, kind: L) -> Risk<'a, M, L> {
        Risk {
            source: Arc::clone(&self.source),
            unmoved: self.unmoved.clone(),
            kind,
            reduction: self.reduction,
            mode: self.mode,
            group: self.group.clone(),
            draws: self.draws,
            observer: self.observer.clone(),
            operators: self.operators,
            basis_device: self.basis_device.clone(),
            placement: self.placement.clone(),
            is_probed: AtomicBool::new(self.is_probed.load(Ordering::Relaxed)),
            are_statistics_probed: AtomicBool::new(
                self.are_statistics_probed.load(Ordering::Relaxed),
            ),
            model: PhantomData,
        }
    }

    /// The same risk without an observer.
    pub(crate) fn unobserved(self) -> Self {
        Self {
            observer: Observer::default(),
            ..self
        }
    }

    /// The same risk, whose new operators are not checked, but notice at another model that their data have changed.
    pub(crate) fn unchecked(mut self) -> Self {
        self.operators.checks = false;
        self
    }

    pub(crate) fn has_checks(&self) -> bool {
        self.operators.checks
    }

    /// The settings of operators, or an error if they are out of range.
    pub(crate) fn operators(&self) -> Result<OperatorSettings, OutOfRange> {
        match self.operators.block_size {
            0 => Err(OutOfRange::new("block_size", 0.0, "at least 1")),
            _ => Ok(self.operators),
        }
    }

    pub(crate) fn kind(&self) -> &K {
        &self.kind
    }

    pub(crate) fn observer(&self) -> &Observer<'a> {
        &self.observer
    }

    /// Whether the observer has broken since the last call.
    pub(crate) fn take_break(&self) -> bool {
        self.observer.take_break()
    }

    /// Reports progress to the observer, which decides whether to continue.
    pub(crate) fn report(&self, progress: Progress) -> ControlFlow<()> {
        self.observer.report(&progress)
    }

    /// The space of the parameters of gradients and curvature.
    ///
    /// # Errors
    ///
    /// Those of [`ParamSpace::of`] and [`ParamSpace::of_group`].
    pub fn space(&self, model: &M) -> Result<ParamSpace, LossError>
    where
        M: Module,
    {
        let space = match &self.group {
            Some(group) => ParamSpace::of_group(model, group)?,
            None => ParamSpace::of(model)?,
        };
        let waits = self.waits(space.device());
        let space = space.with_basis_device(self.basis_device.clone());
        Ok(space.with_waits(waits))
    }
}

/// A copy shares loss, data and observer.
impl<M, K: Clone> Clone for Risk<'_, M, K> {
    fn clone(&self) -> Self {
        self.with_kind(self.kind.clone())
    }
}

impl<M, K> fmt::Debug for Risk<'_, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Risk")
            .field("reduction", &self.reduction)
            .field("mode", &self.mode)
            .field("group", &self.group)
            .field("draws", &self.draws)
            .finish_non_exhaustive()
    }
}
