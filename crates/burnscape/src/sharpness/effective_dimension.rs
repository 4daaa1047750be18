use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::{DensityConfig, LinearOperator, SelfAdjoint};
use serde::Serialize;

use super::SharpnessError;
use super::argument::{check_count, check_positive, check_probability};
use crate::curvature::{CurvatureError, DiagonallyScaled};
use crate::space::{ParamVector, Scale, epsilon};

/// How many directions the data determine: the effective dimension `Σ λ_i / (λ_i + γ)` of a positive
/// semi-definite curvature matrix, by stochastic Lanczos quadrature.
///
/// An eigenvalue far above γ counts as one, one far below as nothing. The matrix is `C A C` with
/// `C = diag(c)` given by the [`Scale`].
///
/// Give [`GaussNewton`](crate::curvature::GaussNewton) or [`Fisher`](crate::curvature::Fisher). The
/// formula is that of a Laplace approximation, whose precision these matrices are. A Hessian away
/// from a minimum has negative eigenvalues, where the formula has poles and no meaning, and counting
/// `|λ|` would call a direction determined that is unstable; so it is refused.
///
/// # Units
///
/// `gamma` is a curvature: the precision of the prior, `N λ` of a weight decay `λ/2 |w|²` for a loss
/// summed over `N` examples, `λ` for the mean.
///
/// # Cost
///
/// At most `num_probes · num_steps` products and a basis of `num_steps` vectors of parameters.
///
/// # Reproducibility
///
/// Probe `i` is a function of `seed` and `i` only.
///
/// # Defaults
///
/// 10 probes of 80 steps as Ghorbani et al. 2019, confidence 0.95, absolute. `gamma` has no default.
///
/// # References
///
/// MacKay 1992, *Bayesian interpolation*, Neural Computation 4 (γ of well-determined parameters);
/// Maddox, Benton, Wilson 2020, *Rethinking Parameter Counting in Deep Models*, arXiv:2003.02139;
/// Ubaru, Chen, Saad 2017 (quadrature).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::EffectiveDimensionConfig;
///
/// // The matrix is 2 x xᵀ with the eigenvalues 10 and 0: 10 / (10 + 10) of a dimension.
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let data = [Tensor::<2>::from_floats([[1.0, 2.0]], &device)];
/// let risk = Risk::split(
///     |m: &Linear, x: &Tensor<2>| m.forward(x.clone()),
///     |z: Tensor<2>, _: Tensor<2>| z.powi_scalar(2).mean(),
///     &data,
/// );
/// let matrix = risk.gauss_newton(&model)?;
/// let dimension = EffectiveDimensionConfig::new(10.0).with_num_probes(200).measure(&model, &matrix)?;
/// let error = dimension.standard_error.unwrap_or(0.0);
/// assert!((dimension.dimension - 0.5).abs() < 4.0 * error);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct EffectiveDimensionConfig {
    /// The curvature above which a direction counts.
    pub gamma: f64,
    /// Number of random vectors.
    #[config(default = 10)]
    pub num_probes: usize,
    /// Lanczos steps from each, at most.
    #[config(default = 80)]
    pub num_steps: usize,
    /// The probability with which the interval covers, at least.
    #[config(default = 0.95)]
    pub confidence: f64,
    /// Unit of displacements.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Seed of the vectors.
    #[config(default = 0)]
    pub seed: u64,
}

/// What [`EffectiveDimensionConfig::measure`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EffectiveDimension {
    /// The effective dimension, between 0 and the number of parameters.
    pub dimension: f64,
    /// The interval that covers it with the confidence asked for, at least: it has room for the draw of the probes
    /// and for what so many steps cannot resolve (the rules of Gauss and of Gauss and Radau, between which it is).
    /// Conservative. None with a single probe.
    pub interval: Option<(f64, f64)>,
    /// The part of the interval that the draw makes: the standard error over the probes. None with a single one.
    pub standard_error: Option<f64>,
    /// Number of parameters.
    pub num_parameters: usize,
    /// Products used.
    pub num_products: usize,
    /// The configuration, seed included.
    pub config: EffectiveDimensionConfig,
    /// False if the observer stopped the run: the numbers are those of the probes finished.
    pub completed: bool,
}

impl EffectiveDimensionConfig {
    /// Measures `operator`, with the weights of `model` for the scale.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::BadArgument`], [`SharpnessError::Indefinite`], [`SharpnessError::Krylov`] for a
    /// product that is not finite, [`SharpnessError::Curvature`], [`SharpnessError::Space`], also for a
    /// scale that is zero everywhere.
    pub fn measure<M, A>(
        &self,
        model: &M,
        operator: &A,
    ) -> Result<EffectiveDimension, SharpnessError>
    where
        M: Module,
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        check_positive("gamma", self.gamma)?;
        check_count("num_probes", self.num_probes)?;
        check_count("num_steps", self.num_steps)?;
        check_probability("confidence", self.confidence)?;
        let operator = DiagonallyScaled::new(model, operator, self.scale)?;
        let density = DensityConfig::new()
            .with_probes(self.num_probes)
            .with_steps(self.num_steps)
            .with_seed(self.seed)
            .run(&operator)?;
        let nodes = density.probes().iter().flat_map(|probe| &probe.nodes);
        let (low, high) = nodes.fold((0.0_f64, 0.0_f64), |(low, high), &node| {
            (low.min(node), high.max(node))
        });
        // Rounding leaves eigenvalues of zero a little below it.
        if -low > epsilon(operator.domain().dtype()?).sqrt() * high {
            return Err(SharpnessError::Indefinite { value: low });
        }
        let dimension = density.effective_dimension(self.gamma);
        Ok(EffectiveDimension {
            dimension: dimension.value,
            interval: dimension.interval(self.confidence),
            standard_error: dimension.standard_error(),
            num_parameters: density.dimension(),
            num_products: density.products(),
            config: self.clone(),
            completed: density.probes().len() == self.num_probes,
        })
    }
}
