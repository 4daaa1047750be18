use std::ops::ControlFlow;

use burn::config::Config;
use burn::module::Module;

use super::many_search::MultiSearch;
use super::{AlignError, MultiAlignment};
use crate::loss::Progress;
use crate::symmetry::Symmetries;

/// Many models aligned to each other at once, by weights.
///
/// It maximizes
///
/// `Σ_{p<q} ⟨g_p θ_p, g_q θ_q⟩`
///
/// over one element `g_p` for each model, which moves it to a common universe; parameters count as in
/// [`WeightSimilarity`](super::WeightSimilarity). Since `½ |Σ_p g_p θ_p|²` differs from it by a constant only, this
/// makes the mean of the moved models as long as possible, and the distances of all pairs as small as possible in sum.
/// Models `p` and `q` are aligned by `g_q⁻¹ g_p`, so that every cycle of such maps composes to the identity: pairwise
/// alignments do not.
///
/// # Search
///
/// From each start, one model after the other is aligned to the sum of all others by coordinate descent, from its last
/// element on, until nothing moves; the objective never falls. The best of these starts is the result, the first of
/// equal ones:
///
/// - **The barycenter**: all groups of all models at once by Frank-Wolfe, on matrices whose rows and columns sum to
///   one, from uniform ones. A step goes towards the permutations with the largest linear gain, to the maximum of the
///   objective on the line, which is a polynomial and is interpolated exactly. Last, matrices are rounded by linear
///   assignment. The first model stays in place: were all models uniform, all units would be equal, and no direction
///   better than another one. Only groups without parents and without groups within them have matrices; heads of
///   attention and their channels start at the identity.
/// - **Each reference**: all other models are aligned to this one as by
///   [`WeightMatchingConfig`](super::WeightMatchingConfig) with the same seed.
///
/// All elements are multiplied by the same one at the end, so that the first model stays as it is. That changes no
/// product.
///
/// # Cost
///
/// For `N` models: an alignment to a sum costs as much as one of two models, and each start takes a few rounds of `N`
/// of them. There are at most 100 steps of Frank-Wolfe. Each moves all models by matrices up to `2 d + 2` times, which
/// takes a product for each axis that is permuted; `d` is the largest number of groups that act on an element of a
/// tensor, usually 2. Memory is that of all models if they are on another device, and of one tensor of all models in
/// f64.
///
/// # Reproducibility
///
/// The seed draws the order of models and of sweeps. A start does not depend on which others there are.
///
/// # Defaults
///
/// The barycenter and all references. `cargo xtask sweep multi_matching` counts how often each is the best: in all of its
/// instances, whose groups all have matrices, the barycenter is. References also start groups that stay at the identity
/// there. At most 100 rounds, and 100 sweeps in each alignment.
///
/// # References
///
/// Crisostomi, Fumero, Baieri, Bernard, Rodolà 2024, *C²M³: Cycle-Consistent Multi-Model Merging*, arXiv:2405.17897,
/// for the universe and Frank-Wolfe; Ainsworth, Hayase, Srinivasa 2023, *Git Re-Basin: Merging Models modulo
/// Permutation Symmetries*, arXiv:2209.04836, for alignment to the mean of the others (MergeMany). That the first model
/// stays in place during Frank-Wolfe is ours.
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::align::MultiMatchingConfig;
/// use burnscape::symmetry::SymmetriesConfig;
///
/// #[derive(Module, Debug)]
/// struct Mlp {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let a = Mlp {
///     first: LinearConfig::new(4, 8).init(&device),
///     second: LinearConfig::new(8, 2).init(&device),
/// };
/// let outputs = |m: &Mlp, x: &Tensor<2>| m.second.forward(relu(m.first.forward(x.clone())));
/// let x = Tensor::<2>::ones([3, 4], &device);
/// let symmetries = SymmetriesConfig::new().run(&outputs, &a, x)?;
/// let (b, c) = (symmetries.random(1).apply(&a)?, symmetries.random(2).apply(&a)?);
///
/// let found = MultiMatchingConfig::new().run(&symmetries, &[&a, &b, &c], |progress| {
///     println!("{progress}"); // step 3: 4.21
///     ControlFlow::Continue(())
/// })?;
/// let weight = |m: &Mlp| m.first.weight.val().into_data();
/// assert!(found.models.iter().all(|model| weight(model) == weight(&a)));
///
/// // From a to b, to c, and back.
/// let around = found.between(2, 0)?.compose(&found.between(1, 2)?.compose(&found.between(0, 1)?)?)?;
/// assert_eq!(around, symmetries.identity());
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct MultiMatchingConfig {
    /// Seed of orders.
    #[config(default = 0)]
    pub seed: u64,
    /// Whether the barycenter is a start.
    #[config(default = true)]
    pub barycenter: bool,
    /// How many models are references, the first ones; all if none is given.
    pub references: Option<usize>,
    /// Rounds over all models of a start, and sweeps of an alignment, at most.
    #[config(default = 100)]
    pub max_sweeps: usize,
    /// If not empty, only groups are permuted whose members are all below these paths: see
    /// [`CoordinateDescentConfig::only`](super::CoordinateDescentConfig::only).
    #[config(default = "Vec::new()")]
    pub only: Vec<String>,
    /// No group is permuted that has a member below one of these paths.
    #[config(default = "Vec::new()")]
    pub except: Vec<String>,
}

impl MultiMatchingConfig {
    /// Aligns the models, which are not changed.
    ///
    /// `observe` is called after every step of any search, as [`Work::Step`](crate::loss::Work::Step), with the
    /// objective of the start if it is known. A break ends the search with the best of the starts so far, the last one
    /// as far as it came.
    ///
    /// # Errors
    ///
    /// [`AlignError::FewModels`] for fewer than two; [`AlignError::DifferentModel`] and [`AlignError::NonFinite`],
    /// which name models as `models[2]`; [`AlignError::OutOfRange`] for no sweeps and for no start;
    /// [`AlignError::NoSuchMember`] and [`AlignError::NoWholeGroup`]; [`AlignError::Symmetry`] with
    /// [`SymmetryError::NoHostBackend`](crate::symmetry::SymmetryError::NoHostBackend); [`AlignError::Space`].
    pub fn run<M: Module>(
        &self,
        symmetries: &Symmetries,
        models: &[&M],
        mut observe: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<MultiAlignment<M>, AlignError> {
        MultiSearch::new(self, symmetries, models, &mut observe)?.run()
    }
}
