use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::{EigenpairsConfig, End, Outcome, SelfAdjoint};
use serde::Serialize;

use super::SharpnessError;
use super::argument::{check_positive, check_products};
use crate::curvature::{CurvatureError, DiagonallyScaled};
use crate::space::{ParamVector, Scale};

/// The largest eigenvalue `λ_max(C A C)` of a curvature matrix, by Lanczos.
///
/// `C = diag(c)` is given by the [`Scale`]; for [`Scale::Absolute`] it is
/// the largest eigenvalue of `A` itself, of the Hessian as a rule. The reduction (mean or sum over
/// examples) is that of the objective that the operator was made of.
///
/// # Units
///
/// Loss per squared unit of the scale. For the Hessian and plain gradient descent, 2 over the
/// learning rate is where training becomes unstable.
///
/// # Cost
///
/// At most `max_products` products, one of them for the residual; 40 vectors of parameters, and as
/// many again if the run restarts.
///
/// # Reproducibility
///
/// The start is a function of `seed`.
///
/// # Defaults
///
/// A tolerance of 1e-4 (the error of the value is about its square, where the eigenvalue stands
/// alone), 200 products, absolute: ours.
///
/// # References
///
/// Lanczos 1950; Wu and Simon 2000, *Thick-restart Lanczos method*, SIAM J. Matrix Anal. Appl. 22.
/// Kwon et al. 2021, *ASAM*, arXiv:2102.11600 (the scale `|w|`).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::LambdaMaxConfig;
///
/// // L = (3 w₁ + 4 w₂)² has the Hessian 2 x xᵀ, whose eigenvalue is 2 · 25.
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::from_floats([[3.0, 4.0]], &device)];
/// let hessian = Risk::new(&loss, &data).hessian(&model)?;
/// let top = LambdaMaxConfig::new().measure(&model, &hessian)?;
/// assert!(top.converged && (top.value - 50.0).abs() < 1e-3);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct LambdaMaxConfig {
    /// The residual at which the run ends, relative to the norm of the operator.
    #[config(default = 1e-4)]
    pub tolerance: f64,
    /// Products, at most.
    #[config(default = 200)]
    pub max_products: usize,
    /// Unit of displacements.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Seed of the start.
    #[config(default = 0)]
    pub seed: u64,
}

/// What [`LambdaMaxConfig::measure`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LambdaMax {
    /// The eigenvalue, never above the true one but for rounding.
    pub value: f64,
    /// `|C A C v − λ v|` for the unit vector `v` found. Some eigenvalue is within this of `value`.
    pub residual: f64,
    /// Whether the residual is within the tolerance.
    pub converged: bool,
    /// Products used, that for the residual included.
    pub num_products: usize,
    /// The configuration, seed included.
    pub config: LambdaMaxConfig,
    /// False if the observer stopped the run before it had converged: the value is the best so far.
    pub completed: bool,
}

impl LambdaMaxConfig {
    /// Measures the eigenvalue of `operator`, with the weights of `model` for the scale.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::BadArgument`], [`SharpnessError::Krylov`] for a product that is not finite,
    /// [`SharpnessError::Curvature`], [`SharpnessError::Space`], also for a scale that is zero
    /// everywhere.
    pub fn measure<M, A>(&self, model: &M, operator: &A) -> Result<LambdaMax, SharpnessError>
    where
        M: Module,
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        check_positive("tolerance", self.tolerance)?;
        check_products("max_products", self.max_products)?;
        let operator = DiagonallyScaled::new(model, operator, self.scale)?;
        let found = EigenpairsConfig::new(1, End::Top)
            .with_tolerance(self.tolerance)
            .with_max_products(self.max_products)
            .with_seed(self.seed)
            .run(&operator)?;
        // Asked for one pair, the run returns one pair or an error.
        let pair = found.pairs.first().ok_or(SharpnessError::Stopped)?;
        Ok(LambdaMax {
            value: pair.value,
            residual: pair.residual,
            converged: found.outcome.is_converged(),
            num_products: found.products,
            config: self.clone(),
            completed: found.outcome != Outcome::Stopped,
        })
    }
}
