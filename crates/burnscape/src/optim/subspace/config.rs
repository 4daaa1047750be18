use burn::config::Config;
use burn::module::Module;

use super::SubspaceOptimizer;
use crate::OutOfRange;
use crate::optim::{ClosureStep, OptimError};
use crate::range::ensure;
use crate::space::{ParamSpace, ParamVector};

/// Training in a random subspace: `w = w₀ + P z`, where only `z` moves.
///
/// `w₀` are the weights that [`init`](Self::init) is given, and the columns of `P` are random directions of norm one.
/// They are nearly orthogonal as long as they are far fewer than the parameters. The gradient of `z` is `Pᵀ g`.
///
/// The base is any optimizer that [steps on a closure](ClosureStep): one of Burn's, or a sharpness-aware one. It sees
/// the coordinates `z`, a single parameter of rank one, and not the weights: its weight decay pulls towards `w₀`, a
/// radius of SAM is a length of `z`, and groups of parameters have no meaning.
///
/// # Reproducibility
///
/// Column `i` depends on `seed` and `i` only: a larger subspace contains the smaller ones.
///
/// # Defaults
///
/// Seed 0. In few dimensions, larger rates than in the whole space are stable: for `d` of `D` parameters the sharpness
/// in the subspace is about the mean of the Hessian's eigenvalues, plus a share `d/D` of the largest one. With many
/// columns, which are no longer orthogonal, it can be larger than in the whole space.
///
/// # References
///
/// Li, Farkhoor, Liu, Yosinski 2018, *Measuring the Intrinsic Dimension of Objective Landscapes*, arXiv:1804.08838,
/// section 2 (dense projections with normalized columns).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::{ClosureStep, RandomSubspaceConfig};
///
/// // The loss asks for the sum of ten weights. Almost every plane contains a solution.
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(10, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::ones([1, 10], &device);
/// let loss = |m: &Linear| m.forward(x.clone()).sub_scalar(3.0).square().mean();
/// let mut optimizer = RandomSubspaceConfig::new(2).init(&model, SgdConfig::new().init())?;
/// for _ in 0..40 {
///     optimizer.closure_step(0.3, &mut model, loss)?;
/// }
/// let sum: f32 = model.weight.val().sum().into_scalar();
/// assert!((sum - 3.0).abs() < 1e-3);
/// assert_eq!(optimizer.coordinates()?.len(), 2);
/// # Ok::<(), burnscape::optim::OptimError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct RandomSubspaceConfig {
    /// Number of coordinates that move.
    pub dimension: usize,
    /// Seed of the directions.
    #[config(default = 0)]
    pub seed: u64,
}

impl RandomSubspaceConfig {
    /// Builds the optimizer of a subspace through the weights of `model`, around a base.
    ///
    /// # Errors
    ///
    /// [`OptimError::OutOfRange`] for a dimension of zero, or above the number of parameters; [`OptimError::Space`],
    /// also for parameters of several element types.
    pub fn init<M: Module, O: ClosureStep>(
        &self,
        model: &M,
        base: O,
    ) -> Result<SubspaceOptimizer<O>, OptimError> {
        ensure("dimension", self.dimension as f64, 1.0..)?;
        let space = ParamSpace::of(model)?;
        if self.dimension > space.len() {
            let expected = format!("at most {}, the number of parameters", space.len());
            return Err(OutOfRange::new("dimension", self.dimension as f64, expected).into());
        }
        let origin = ParamVector::from_module(&space, model)?;
        SubspaceOptimizer::new(self.clone(), origin, base)
    }
}
