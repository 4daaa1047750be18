//! The empirical risk: a loss over data, as a function of a model.

mod classes;
mod constructors;
mod deterministic;
mod evaluate;
mod form;
mod kind;
#[cfg(feature = "progress")]
mod line;
mod observer;
mod progress;
mod source;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::{Module, ParamGroup};

use super::{LossError, Mode, Reduction};
use crate::space::ParamSpace;

pub(crate) use constructors::of_one_batch;
pub use evaluate::{RiskGradient, RiskValue};
pub use kind::{Classes, PerExample, Split, Whole};
pub(crate) use observer::Observer;
pub use progress::{Progress, Work};
pub(crate) use source::{
    BatchScores, RiskBatch, SharedData, SharedSource, Source, each, each_tensors,
};

/// The empirical risk: a loss over data, as a function of a model, with the settings in which it is
/// evaluated.
///
/// `L(w) = Σ_b n_b L_b(w) / Σ_b n_b` for means (`n_b` the [weight](super::Batch::weight) of a batch) and
/// `Σ_b L_b(w)` for sums, so that any partition of the data into batches gives the same number.
///
/// Everything in the library that looks at a loss looks at a risk: curvature operators
/// ([`hessian`](Self::hessian)), measures of sharpness, slices, profiles of paths. Its type is generic
/// in the model alone; batch, loss and data set are forgotten when it is made.
///
/// | made by | of | kind | gives besides |
/// |---|---|---|---|
/// | [`Risk::new`], [`Risk::owned`] | a loss | [`Whole`] | |
/// | [`Risk::split`] | outputs, and a criterion of them | [`Split`] | Gauss-Newton and Fisher matrices, Jacobian, tangent kernel |
/// | [`Risk::per_example`] | the losses of single examples | [`PerExample`] | the empirical Fisher matrix |
/// | [`Risk::classes`] | logits and labels | [`Classes`] | calibrated profiles of paths |
///
/// The model may be in training, `valid()`, or on a plain device: a copy is put into the stated
/// [`Mode`], and the user's model, its running statistics included, is not touched. Batches are
/// brought into the autodiff context they need, not to another device.
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
    kind: K,
    reduction: Reduction,
    mode: Mode,
    group: Option<ParamGroup>,
    draws: Draws,
    observer: Observer<'a>,
    /// Whether the loss was found to be the same when it is evaluated again.
    is_probed: AtomicBool,
}

/// Where the random numbers of a loss come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draws {
    /// A loss that draws is refused.
    Refused,
    /// From the device's own stream.
    Free,
    /// From a stream of their own, a part of it for each batch.
    Seeded(u64),
    /// The same for a single batch, which gets the seed as it is.
    OneBatch(u64),
}

impl<'a, M, K> Risk<'a, M, K> {
    pub(super) fn of(source: SharedSource<'a, M>, kind: K, reduction: Reduction) -> Self {
        Self {
            source,
            kind,
            reduction,
            mode: Mode::Eval,
            group: None,
            draws: Draws::Refused,
            observer: Observer::default(),
            is_probed: AtomicBool::new(false),
        }
    }

    /// Sets the mode; [`Mode::Eval`] by default. In [`Mode::Train`] batch normalization uses the statistics
    /// of each batch, and dropout draws one mask a batch, by a [seed](Self::with_draws_seed).
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        // Dropout draws in one mode and not in the other.
        self.is_probed = AtomicBool::new(false);
        self
    }

    /// Restricts derivatives and displacements to a group of parameters: the diagonal block of a matrix
    /// over parameters, the columns of a Jacobian.
    #[must_use]
    pub fn with_group(mut self, group: ParamGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// Freezes the random numbers that the loss draws (a sampled latent variable, noise, dropout in
    /// [`Mode::Train`]): those of a batch are a function of this seed and of its index, the same in every
    /// pass. Without a seed a loss that draws is refused.
    ///
    /// Afterwards the device's generator continues as a function of its own stream: each pass takes one
    /// tensor of two numbers from it, uniform in [0, 1) and in f32, and seeds it with their 48 bits.
    #[must_use]
    pub fn with_draws_seed(mut self, seed: u64) -> Self {
        self.draws = Draws::Seeded(seed);
        self
    }

    /// Shows the work that is done on this risk to `observe`: batches of a pass, products of an operator
    /// made of it, samples, steps, places. Passes for running statistics or logits do not show their batches.
    ///
    /// A break ends the work under way. Passes and measures return what they found so far, or an error that
    /// says so where that is nothing; a product with an operator is
    /// [`CurvatureError::Stopped`](crate::curvature::CurvatureError::Stopped).
    ///
    /// Work is nested: a sample of a measure is a pass, which reports its batches as well. Look at
    /// [`Progress::work`] before counting.
    ///
    /// No lock is held while `observe` is called. Until it returns, other work on this risk is not observed:
    /// neither what `observe` does itself, nor that of other threads.
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

    /// The mode that models are evaluated in.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a batch's loss is a mean or a sum over its examples.
    pub fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// Number of batches, where the data set knows it.
    pub fn num_batches(&self) -> Option<usize> {
        self.source.num_batches()
    }

    pub(crate) fn has_group(&self) -> bool {
        self.group.is_some()
    }

    pub(crate) fn draws(&self) -> Draws {
        self.draws
    }

    pub(crate) fn source(&self) -> &SharedSource<'a, M> {
        &self.source
    }

    /// The same risk, of which only the loss as a whole is known.
    pub(crate) fn whole(&self) -> Risk<'a, M> {
        self.with_kind(Whole::KIND)
    }

    fn with_kind<L>(&self, kind: L) -> Risk<'a, M, L> {
        Risk {
            source: Arc::clone(&self.source),
            kind,
            reduction: self.reduction,
            mode: self.mode,
            group: self.group.clone(),
            draws: self.draws,
            observer: self.observer.clone(),
            is_probed: AtomicBool::new(self.is_probed.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn kind(&self) -> &K {
        &self.kind
    }

    pub(crate) fn observer(&self) -> &Observer<'a> {
        &self.observer
    }

    /// Whether the observer has broken since it was last asked.
    pub(crate) fn take_break(&self) -> bool {
        self.observer.take_break()
    }

    /// Shows the observer what was done, and asks whether to go on.
    pub(crate) fn report(&self, progress: Progress) -> ControlFlow<()> {
        self.observer.report(&progress)
    }

    /// The space of the parameters that gradients and curvature are taken over.
    ///
    /// # Errors
    ///
    /// As [`ParamSpace::of`] and [`ParamSpace::of_group`].
    pub fn space(&self, model: &M) -> Result<ParamSpace, LossError>
    where
        M: Module,
    {
        Ok(match &self.group {
            Some(group) => ParamSpace::of_group(model, group)?,
            None => ParamSpace::of(model)?,
        })
    }
}

/// A copy looks at the same loss and data, and has the same observer.
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
