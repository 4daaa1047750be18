use std::fmt;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::{AlignError, CoordinateDescentConfig, StraightThrough};
use crate::symmetry::Symmetries;

/// Straight-through matching: the element `g` with the smallest loss at the midpoint of `a` and `g b`.
///
/// A model `θ̃` is learned, from `a` on. In each step it is projected onto the orbit of `b` by weight matching,
/// `g = argmax ⟨θ̃, g b⟩`, and gets half of the gradient at the midpoint,
///
/// `½ ∇L(½ a + ½ g b)`,
///
/// as if the projection were the identity (a straight-through estimator). Any optimizer steps with it. The loss at the
/// midpoint is taken over all data before the first step and after each pass over the data, and the best element is the
/// result, so that it is never worse than that of weight matching.
///
/// Models with batch normalization need a risk in [`Mode::Train`](crate::loss::Mode::Train): no mean of running statistics fits
/// a model between them.
///
/// # Cost
///
/// A step takes a gradient, a search of weight matching from the last element on, and a step of the optimizer; a pass over the
/// data takes one evaluation of the loss more. Memory: four models, and the state of the optimizer.
///
/// # Reproducibility
///
/// The seed of the projection, and that of the risk's [draws](crate::loss::Risk::with_draws_seed).
///
/// # Defaults
///
/// The projection is that of [`CoordinateDescentConfig`]; its starts are those of the first step. Ainsworth et al. use
/// Adam.
///
/// # References
///
/// Ainsworth, Hayase, Srinivasa 2023, *Git Re-Basin: Merging Models modulo Permutation Symmetries*, arXiv:2209.04836,
/// section 3.3.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::AdamConfig;
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burnscape::align::StraightThroughConfig;
/// use burnscape::loss::Risk;
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Two {
///     first: Linear,
///     second: Linear,
/// }
///
/// impl Two {
///     fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
///         self.second.forward(self.first.forward(x.clone()).tanh())
///     }
/// }
///
/// let device = Device::default();
/// let model = || Two {
///     first: LinearConfig::new(2, 6).init(&device),
///     second: LinearConfig::new(6, 1).init(&device),
/// };
/// let (a, b) = (model(), model());
/// let x = Tensor::<2>::random([16, 2], Distribution::Default, &device);
/// let outputs = |m: &Two, x: &Tensor<2>| m.outputs(x);
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, x.clone())?;
///
/// let loss = |m: &Two, x: Tensor<2>| (m.outputs(&x) - x.sum_dim(1)).square().mean();
/// let data = [x];
/// let risk = Risk::new(&loss, &data).with_observer(|progress| {
///     println!("{progress}"); // step 1: 0.42
///     ControlFlow::Continue(())
/// });
/// let mut matching =
///     StraightThroughConfig::new(0.01).init(&symmetries, &a, &b, AdamConfig::new().init())?;
/// let found = matching.run(&risk, 10)?;
/// let objectives = &found.record.starts[0].objectives;
/// assert!(objectives.is_sorted() && objectives.last() == Some(&found.objective));
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Clone)]
pub struct StraightThroughConfig {
    pub(super) rate: ModuleLrScheduler,
    pub(super) projection: CoordinateDescentConfig,
}

impl fmt::Debug for StraightThroughConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StraightThroughConfig")
            .field("projection", &self.projection)
            .finish_non_exhaustive()
    }
}

impl StraightThroughConfig {
    /// A search with a learning rate: a number, or any Burn scheduler.
    pub fn new(learning_rate: impl Into<ModuleLrScheduler>) -> Self {
        Self {
            rate: learning_rate.into(),
            projection: CoordinateDescentConfig::new(),
        }
    }

    /// Sets the weight matching of the projection: its seed, its limit of sweeps, which groups are permuted (`only` and
    /// `except` are its own), and the starts of the first step. Later steps start from the last element.
    #[must_use]
    pub fn with_projection(mut self, projection: CoordinateDescentConfig) -> Self {
        self.projection = projection;
        self
    }

    /// Starts a search for an element that moves `b`. `optimizer` is any Burn optimizer or a [`Sam`](crate::optim::Sam); it
    /// moves a copy of `a`.
    ///
    /// # Errors
    ///
    /// [`AlignError::DifferentModel`], with the first tensor that differs; [`AlignError::NoSuchMember`]
    /// and [`AlignError::NoWholeGroup`]; [`AlignError::OutOfRange`] for no starts or sweeps; [`AlignError::Space`].
    pub fn init<M: Module, O>(
        &self,
        symmetries: &Symmetries,
        a: &M,
        b: &M,
        optimizer: O,
    ) -> Result<StraightThrough<M, O>, AlignError> {
        StraightThrough::new(self, symmetries, a, b, optimizer)
    }
}
