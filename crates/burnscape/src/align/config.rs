use burn::config::Config;
use burn::module::Module;

use super::{AlignError, Alignment, Matching, Similarity};

/// Alignment by coordinate descent, with any [`Similarity`].
///
/// A step gives one group the permutation that maximizes the objective while all other groups stay in place, by linear
/// assignment. The first sweep takes the groups in the order of the program, later ones in random order. A start
/// ends with a sweep that raises the objective by no more than 10⁻¹² of it. The best of several starts is the result: a
/// local optimum in general, which need not be the largest one if the model has two hidden layers or more.
///
/// - **Groups within others**, as the channels of attention heads: the best permutations of the children are found for
///   each pair of values of the parent, `H²` assignments of `d` channels, and then the best permutation of the parent
///   for what they give, one of `H` heads. Groups with several parents are permuted within these.
/// - **Groups that meet a tensor twice**, as the units of a recurrent layer, are quadratic assignments. Beside the
///   linearized step, Frank-Wolfe is tried from the barycenter of all permutations, with exact line search, and the
///   better of both is taken.
///
/// A step is taken only if the objective itself rises, so that the recorded objectives never fall. Ties are broken
/// towards the order as it is.
///
/// # Cost
///
/// For each step a matrix of the similarity, an assignment in O(n³), and an objective; for a quadratic one up to 30
/// matrices and assignments more. Memory is that of the similarity, and a few matrices of the largest group; the matrix
/// of a group with parents has a row for each unit and each combination of their values.
///
/// # Reproducibility
///
/// `seed` draws the random starts and the order of sweeps. A start does not depend on the number of starts.
///
/// # Defaults
///
/// One start, the identity, and at most 100 sweeps, as Ainsworth et al. For networks of a few units, 20
/// starts find the optimum nearly always; for large ones, starts end near each other.
///
/// # References
///
/// Ainsworth, Hayase, Srinivasa 2023, *Git Re-Basin: Merging Models modulo Permutation Symmetries*, arXiv:2209.04836,
/// algorithm 1; Vogelstein et al. 2015, *Fast Approximate Quadratic Programming for Graph Matching*, for Frank-Wolfe;
/// Crouse 2016, *On implementing 2D rectangular assignment algorithms*, for the assignment. Descent over trees of
/// groups is ours.
///
/// # Example
///
/// See [`Similarity`].
#[derive(Config, Debug, PartialEq)]
pub struct CoordinateDescentConfig {
    /// Seed of random starts and orders.
    #[config(default = 0)]
    pub seed: u64,
    /// Starts: the identity, and random elements.
    #[config(default = 1)]
    pub starts: usize,
    /// Sweeps of a start, at most.
    #[config(default = 100)]
    pub max_sweeps: usize,
    /// If not empty, only groups are permuted whose members are all below these paths, so that whatever stands elsewhere
    /// stays. A path is the beginning of a parameter's path, as in `encoder.layers.0`; `*` stands for any one name.
    /// `group 3` is the group of that index in [`Symmetries::groups`](crate::symmetry::Symmetries::groups). A tied tensor
    /// is below these paths if each of its paths is.
    #[config(default = "Vec::new()")]
    pub only: Vec<String>,
    /// No group is permuted that has a member below one of these paths, or that is named by its index. Of a tied tensor,
    /// every path counts.
    #[config(default = "Vec::new()")]
    pub except: Vec<String>,
}

impl CoordinateDescentConfig {
    /// The search for an element that moves `b`, which can be given starts and an observer.
    ///
    /// # Errors
    ///
    /// [`AlignError::OutOfRange`] for no sweeps, [`AlignError::NoSuchMember`] for a path without a member below it,
    /// [`AlignError::NoWholeGroup`] if every group with a member below `only` has others elsewhere.
    pub fn init<'a, M: Module, S: Similarity + ?Sized>(
        &self,
        similarity: &'a S,
        b: &'a M,
    ) -> Result<Matching<'a, M>, AlignError> {
        Matching::new(self, Box::new(similarity), b)
    }

    /// The best element that is found, and `b` moved by it. `b` is not changed.
    ///
    /// Symmetries without a group, or without an active one, give the identity.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init) and of [`Matching::run`].
    pub fn run<M: Module, S: Similarity + ?Sized>(
        &self,
        similarity: &S,
        b: &M,
    ) -> Result<Alignment<M>, AlignError> {
        self.init(similarity, b)?.run()
    }
}
