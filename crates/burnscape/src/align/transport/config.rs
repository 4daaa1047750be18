use burn::config::Config;
use burn::module::Module;

use super::Transported;
use super::model::transported;
use crate::align::AlignError;
use crate::loss::Batch;
use crate::range::{POSITIVE, ensure};

/// Alignment by optimal transport: a model moved onto another one of the same architecture, whose hidden layers may
/// have other widths.
///
/// Each group of [`Symmetries`](crate::symmetry::Symmetries) gets a plan `T`, `[n, m]` for `n` units of the source and
/// `m` units of the target, with row sums `α = 1/n` and column sums `β = 1/m`, of least cost
///
/// `Σ_ij T_ij C_ij`,
///
/// or, with a regularization `ε`, of least cost minus `ε c̄` times the entropy `−Σ_ij T_ij ln T_ij`, where `c̄` is the
/// mean of `C`. `C_ij` is the squared distance of what makes unit `i` of the source and unit `j` of the target: their
/// rows in the parameters that make the group, after the plans of earlier groups on the other axes. Then
///
/// - members that *make* the units (output axes of weights, biases, gains) become `diag(1/β) Tᵀ W`: each unit of
///   the target is a mean of units of the source;
/// - members that *read* them (axes that a product of the parameter with the batch sums over) become `W diag(1/α) T`:
///   each unit of the source is divided among units of the target.
///
/// With as many units in both models and no regularization, the plans are permutations divided by `n`, and the model is
/// a permuted source. Units that are only duplicated, with their outgoing weights divided, are brought together, or
/// divided, without a change of the function. In all other cases the function changes.
///
/// - The order of groups is that of the program. Parameters with another axis of a group that has no plan yet, or with
///   two axes of the group itself, as recurrent weights, are not in its cost, and running statistics are not either. If
///   nothing is left, the cost is zero: an exact plan then keeps the order, as far as numbers of units allow.
/// - Running means and variances are moved like biases. For variances that is an approximation, unless the units that
///   are brought together are equal.
/// - Groups within others, as the channels of attention heads, and the groups that they are within, need as many units
///   in both models, and keep their order: [`Transported::kept`].
/// - So do tensors that make *and* read the same units (tied weights), and units that no parameter reads (those of
///   queries and keys): with other widths they are refused.
/// - A hidden layer of one unit has no group, and has to have one unit in both models.
///
/// The paper has `T diag(1/β)` for members that read, which divides the function by two where a width is halved; for
/// equal widths there is no difference.
///
/// # Cost
///
/// Both models are recorded, and their symmetries verified. For each group, `n m` distances of rows. An exact plan
/// takes O(n m) steps for each path along which units are moved, of which there are a few for each unit in practice,
/// and O(n³) at most for equal numbers of units; an iteration of an entropic plan takes `2 n m` exponentials. Memory is
/// that of both models in f64, and of the costs and plans of the largest group. Everything after the recording is done
/// in f64 on the host.
///
/// # Reproducibility
///
/// Nothing is random. Between plans of equal cost, the first units come first.
///
/// # Defaults
///
/// Exact plans, as Singh and Jaggi have them. 10,000 iterations and a relative deviation of 10⁻⁹ are for entropic ones:
/// with regularizations below about 0.01, and equal widths, iterations may not suffice.
///
/// # References
///
/// Singh, Jaggi 2020, *Model Fusion via Optimal Transport*, arXiv:1910.05653, with plans by weights; Cuturi 2013,
/// *Sinkhorn Distances*, arXiv:1306.0895, for entropic plans; Crouse 2016, *On implementing 2D rectangular assignment
/// algorithms*, for the search of exact ones.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::align::TransportConfig;
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let mlp = |units: usize| Mlp {
///     first: LinearConfig::new(4, units).init(&device),
///     second: LinearConfig::new(units, 2).init(&device),
/// };
/// let (wide, narrow) = (mlp(8), mlp(5));
/// let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
/// let x = Tensor::<2>::ones([3, 4], &device);
///
/// let found = TransportConfig::new().run(&outputs, x, &wide, &narrow)?;
/// assert_eq!(found.model.first.weight.val().dims(), [4, 5]);
/// let plan = &found.plans[0];
/// assert_eq!((plan.sizes, plan.member.as_str()), ([8, 5], "first.weight axis 1"));
/// assert!((plan.plan.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct TransportConfig {
    /// None for exact plans; else the weight of the entropy, in units of the mean cost of each group.
    pub regularization: Option<f64>,
    /// Iterations of an entropic plan, at most.
    #[config(default = 10_000)]
    pub max_iterations: usize,
    /// The largest deviation of a row's or column's sum of an entropic plan, relative to what it has to be.
    #[config(default = 1e-9)]
    pub tolerance: f64,
    /// If not empty, only groups get a plan whose members are all below these paths, and all others keep their order:
    /// see [`CoordinateDescentConfig::only`](crate::align::CoordinateDescentConfig::only). Indices of groups are those
    /// of the target.
    #[config(default = "Vec::new()")]
    pub only: Vec<String>,
    /// No group gets a plan that has a member below one of these paths, or that is named by its index.
    #[config(default = "Vec::new()")]
    pub except: Vec<String>,
}

impl TransportConfig {
    /// `source` moved onto `target`: a copy of `target`, with its shapes, its devices and its place in training, and
    /// with what the plans make of the values of `source`. Neither is changed.
    ///
    /// `outputs` and `batch` are those of [`SymmetriesConfig::run`](crate::symmetry::SymmetriesConfig::run): the
    /// closure has to work for both models, and the batch may be a small one.
    ///
    /// # Errors
    ///
    /// [`AlignError::OutOfRange`] for a regularization or tolerance that is not positive, and for no iterations;
    /// [`AlignError::DifferentStructure`] for models that differ in more than widths, and for widths that may not
    /// differ; [`AlignError::DependentGroup`] for other numbers or sizes of heads; [`AlignError::NotConverged`];
    /// [`AlignError::NonFinite`] for a parameter of `source` or `target`; [`AlignError::Similarity`] if a distance
    /// overflows; [`AlignError::NoSuchMember`] and [`AlignError::NoWholeGroup`] for `only` and `except`;
    /// [`AlignError::Symmetry`] and [`AlignError::Space`].
    pub fn run<M, B, T, F>(
        &self,
        outputs: &F,
        batch: B,
        source: &M,
        target: &M,
    ) -> Result<Transported<M>, AlignError>
    where
        M: Module,
        B: Batch,
        T: Batch,
        F: Fn(&M, &B) -> T,
    {
        if let Some(regularization) = self.regularization {
            ensure("regularization", regularization, POSITIVE)?;
        }
        ensure("max_iterations", self.max_iterations as f64, 1.0..)?;
        ensure("tolerance", self.tolerance, POSITIVE)?;
        transported(self, outputs, &batch, [source, target])
    }
}
