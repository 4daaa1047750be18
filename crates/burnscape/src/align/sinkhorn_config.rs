use std::fmt;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::sinkhorn_search::SinkhornSearch;
use super::{AlignError, Alignment, WeightMatchingConfig};
use crate::loss::Risk;
use crate::range::{POSITIVE, ensure};
use crate::symmetry::{Element, Symmetries};

/// Sinkhorn matching: permutations are learned by gradients of the loss at the midpoint of `a` and `b`, which is moved
/// by soft permutations.
///
/// Every group `g` has scores `X_g`, and acts on `b` by the matrix `P_g = sinkhorn(X_g, τ)`
/// ([`sinkhorn`](super::sinkhorn())) on each axis where its units are. A step lowers
///
/// `L(½ a + ½ P b)`
///
/// by Adam on the scores: the gradient of the loss by the weights at the midpoint is pulled back to the matrices, and
/// by autodiff through all Sinkhorn iterations to the scores. After each pass over the data, linear assignment of the
/// matrices gives permutations, and the loss at their midpoint is taken over all data. The best element is the result.
/// The start is among them, so that the result is never worse than the start.
///
/// Unlike [`StraightThroughConfig`](super::StraightThroughConfig), it does not need weights that resemble each other,
/// and it may start from any element, at the price of a matrix for each group and of products with it.
///
/// # Which groups are learned
///
/// Those without parents and without groups within them, so not the heads of attention and their channels. All others
/// keep the permutations of the start. [`AlignmentRecord::groups`](super::AlignmentRecord::groups) lists the groups
/// that are learned.
///
/// # Modes
///
/// Models with batch normalization need a risk in [`Mode::Train`](crate::loss::Mode::Train): no mean of running
/// statistics fits a model between them. Frozen parameters are moved along, and have no part in the gradient.
///
/// # Cost
///
/// A step takes a gradient, the Sinkhorn iterations of each group in f64 on the CPU, forward and backward, and two
/// products with a matrix `[n, n]` of each tensor for each of its axes that a group of size `n` permutes. A pass over
/// the data takes an assignment for each group in O(n³) and one evaluation of the loss more. Memory: four models; for
/// each group, three matrices `n²` in f64, and about ten for each iteration during the backward pass.
///
/// # Reproducibility
///
/// The seed draws the noise of the scores and the order of weight matching; the risk has the seed of its
/// [draws](crate::loss::Risk::with_draws_seed).
///
/// # Defaults
///
/// Temperature 1 and 20 iterations, as Peña et al.; 20 passes over the data; Adam with Burn's rates of decay and
/// ε = 10⁻⁸. The start is that of [`WeightMatchingConfig`] with the same seed, groups and one start. A fifth of the first
/// matrices is the permutation of the start, and four fifths are uniform, times noise of `exp(0.1 N(0, 1))` against ties.
/// A first guess of the learning rate is a tenth of the temperature.
///
/// # References
///
/// Peña, Medeiros, Dubail, Aminbeidokhti, Granger, Pedersoli 2023, *Re-basin via implicit Sinkhorn differentiation*,
/// arXiv:2212.12042, whose midpoint loss this is, with an unrolled gradient; Mena, Belanger, Linderman, Snoek 2018,
/// *Learning Latent Permutations with Gumbel-Sinkhorn Networks*, arXiv:1802.08665.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use burnscape::align::SinkhornConfig;
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
/// let found = SinkhornConfig::new(0.1).with_epochs(10).run(&symmetries, &a, &b, &risk)?;
/// let objectives = &found.record.starts[0].objectives; // minus the loss, first at the start
/// assert!(objectives.is_sorted() && objectives.last() == Some(&found.objective));
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Clone)]
pub struct SinkhornConfig {
    pub(super) rate: ModuleLrScheduler,
    pub(super) temperature: f64,
    pub(super) iterations: usize,
    pub(super) epochs: usize,
    pub(super) start_share: f64,
    pub(super) start: Option<Element>,
    pub(super) seed: u64,
    pub(super) only: Vec<String>,
    pub(super) except: Vec<String>,
}

impl fmt::Debug for SinkhornConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkhornConfig")
            .field("temperature", &self.temperature)
            .field("iterations", &self.iterations)
            .field("epochs", &self.epochs)
            .field("start_share", &self.start_share)
            .field("has_start", &self.start.is_some())
            .field("seed", &self.seed)
            .field("only", &self.only)
            .field("except", &self.except)
            .finish_non_exhaustive()
    }
}

impl SinkhornConfig {
    /// A search with a learning rate of the scores: a number, or any Burn scheduler.
    pub fn new(learning_rate: impl Into<ModuleLrScheduler>) -> Self {
        Self {
            rate: learning_rate.into(),
            temperature: 1.0,
            iterations: 20,
            epochs: 20,
            start_share: 0.2,
            start: None,
            seed: 0,
            only: Vec::new(),
            except: Vec::new(),
        }
    }

    /// Sets the temperature `τ`: scores count as `X / τ`. The lower it is, the harder the permutations, and the smaller
    /// the gradients once they are.
    #[must_use]
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the Sinkhorn iterations of a step, each of which normalizes rows and columns.
    #[must_use]
    pub fn with_iterations(mut self, iterations: usize) -> Self {
        self.iterations = iterations;
        self
    }

    /// Sets the passes over the data. With zero the start is the result.
    #[must_use]
    pub fn with_epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Sets the share `c` of the start in the first matrices, from 0 to below 1: before noise they are
    /// `c · start + (1 − c) / n`.
    #[must_use]
    pub fn with_start_share(mut self, start_share: f64) -> Self {
        self.start_share = start_share;
        self
    }

    /// Sets the start, for instance [`Symmetries::identity`]. Without one it is the result of weight matching.
    #[must_use]
    pub fn with_start(mut self, start: Element) -> Self {
        self.start = Some(start);
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Learns only groups whose members are all below these paths:
    /// [`CoordinateDescentConfig::only`](super::CoordinateDescentConfig::only).
    #[must_use]
    pub fn with_only(mut self, only: Vec<String>) -> Self {
        self.only = only;
        self
    }

    /// Learns no group that has a member below one of these paths.
    #[must_use]
    pub fn with_except(mut self, except: Vec<String>) -> Self {
        self.except = except;
        self
    }

    /// Learns an element that moves `b` onto `a`. Neither model is changed.
    ///
    /// The objective is minus the loss at the midpoint. The record has one start, whose sweeps are passes over the
    /// data. Models are evaluated in the [mode](Risk::with_mode) of the risk. Its observer sees every step, with the
    /// loss at the midpoint of its batch, and the batches of evaluations. A break ends the search after the step, with
    /// the best element so far.
    ///
    /// # Errors
    ///
    /// [`AlignError::OutOfRange`] for a temperature that is not positive, no iterations, and a share outside its range;
    /// [`AlignError::NothingToLearn`] if every group is within another one, has others within it, or is left out;
    /// [`AlignError::Diverged`] if a loss, a gradient or a score is not finite; [`AlignError::NonFinite`] for a
    /// parameter, if weight matching gives the start; [`AlignError::DifferentModel`], with the first tensor that
    /// differs; [`AlignError::NoSuchMember`] and [`AlignError::NoWholeGroup`]; [`AlignError::ParameterGroup`] for a
    /// risk with a group; [`AlignError::RunningStatistics`] for models with running statistics and a risk in evaluation
    /// mode; [`AlignError::Symmetry`] for a start of other symmetries; [`AlignError::Loss`], [`AlignError::Space`].
    pub fn run<M: Module, K>(
        &self,
        symmetries: &Symmetries,
        a: &M,
        b: &M,
        risk: &Risk<'_, M, K>,
    ) -> Result<Alignment<M>, AlignError> {
        ensure("temperature", self.temperature, POSITIVE)?;
        ensure("iterations", self.iterations as f64, 1.0..)?;
        ensure("start_share", self.start_share, 0.0..1.0)?;
        SinkhornSearch::new(self, symmetries, a, b)?.run(risk)
    }

    /// The weight matching that gives the start.
    pub(super) fn weight_matching(&self) -> WeightMatchingConfig {
        WeightMatchingConfig::new()
            .with_seed(self.seed)
            .with_only(self.only.clone())
            .with_except(self.except.clone())
    }
}
