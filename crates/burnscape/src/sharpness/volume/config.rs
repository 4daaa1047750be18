use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::SelfAdjoint;

use super::BasinVolume;
use super::basin_volume::{Mean, log_ball};
use super::crossing::crossing;
use super::shape::Shape;
use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::{Progress, Risk, Work};
use crate::range::{POSITIVE, ensure};
use crate::sharpness::SharpnessError;
use crate::sharpness::sample::{displaced_loss, sample_seed, take_samples};
use crate::space::{ParamVector, epsilon};

/// The volume of a basin: of the weights around a point at which the loss is at most `rise` above the loss there.
///
/// A ray in the direction `M u`, with `u` uniform on the sphere, leaves the basin at a radius `r(u)`, and
///
/// `V = |det M| · V_d(1) · E[r(u)^d]`,
///
/// where `V_d(1) = π^(d/2) / Γ(d/2 + 1)` is the volume of the unit ball. The result is `ln V`, from the mean over rays.
/// The loss is a mean or a sum over examples, as the objective.
///
/// | method | `M` | needs |
/// |---|---|---|
/// | [`run`](Self::run) | the identity | losses |
/// | [`run_with_diagonal`](Self::run_with_diagonal) | `1/√h_i` along each coordinate | a diagonal, as of [`DiagonalConfig`](crate::krylov::DiagonalConfig) |
/// | [`run_with_curvature`](Self::run_with_curvature) | `1/√λ` along eigenvectors | an operator, as the Hessian |
///
/// The volume is the same for any `M`, but not how well it is known. In `d` dimensions a ray counts with the `d`-th
/// power of its length: with curvatures that differ, the few rays along flat directions have all of the volume, and
/// hardly any of them is drawn. The number of [effective rays](BasinVolume::effective_rays) shows it, and
/// [`is_reliable`](BasinVolume::is_reliable) judges it. Always look at it. With the eigenvectors of a quadratic loss
/// all rays are equally long, and one of them gives the volume exactly.
///
/// # What counts
///
/// Of every ray the part up to a radius at which the loss passes the rise. If it falls below again further out, that
/// part does not count. The first ray is looked at from the radius of a quadratic loss on, the others from that of the
/// first, each time at twice the radius: where the loss is above the rise only before the first of these radii, or only
/// between two of them, that is passed over. A ray ends at `max_length`: the volume is that of the basin within this
/// distance. A loss that is not finite is above every rise.
///
/// # Units
///
/// `rise` in units of the loss, `max_length` in units of the parameters, the volume in the `d`-th power of these.
/// Rescaling the weights of a network that computes the same function changes its volume; compare volumes of models of
/// one architecture and similar norms.
///
/// # Cost
///
/// One pass over the data for the base loss, and two to six for each ray; no gradients. A few vectors of parameters.
/// With an operator of up to `num_eigenpairs` parameters two products for each of them; otherwise those of the
/// eigenpairs and 64 for a trace. The eigenvectors stay in memory.
///
/// # Reproducibility
///
/// Ray `i` depends on `seed` and `i` only.
///
/// # Defaults
///
/// 100 rays, at most 1,000 long, 64 eigenpairs, radii such that their errors change `ln V` by 0.01 or less, seed 0:
/// ours. Curvatures, with their absolute values, count as at least 10⁻⁶ of the largest one.
///
/// # References
///
/// Huang, Emam, Goldblum, Fowl, Terry, Huang, Goldstein 2020, *Understanding Generalization through Visualizations*,
/// arXiv:1906.03291 (radii along random directions).
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::BasinVolumeConfig;
///
/// // L = w₁² + 9 w₂² is at most 0.09 in an ellipse with the half axes 0.3 and 0.1.
/// let device = Device::default();
/// let config = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().sum();
/// let data = [Tensor::<2>::from_data([[1.0, 0.0], [0.0, 3.0]], &device)];
/// let risk = Risk::new(&loss, &data);
/// let exact = (std::f64::consts::PI * 0.3 * 0.1).ln();
///
/// let volume = BasinVolumeConfig::new(0.09).run(&risk, &model)?;
/// assert!(volume.is_reliable());
/// assert!((volume.log_volume - exact).abs() < 4.0 * volume.standard_error.unwrap_or(0.0));
///
/// let config = BasinVolumeConfig::new(0.09).with_num_rays(10);
/// let volume = config.run_with_curvature(&risk, &model, &risk.hessian(&model)?)?;
/// assert!((volume.log_volume - exact).abs() < 1e-3 && volume.effective_rays > 9.9);
/// assert!((volume.log_volume_quadratic.unwrap_or(0.0) - exact).abs() < 1e-3);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct BasinVolumeConfig {
    /// How much higher the loss may be within the basin.
    pub rise: f64,
    /// Number of rays.
    #[config(default = 100)]
    pub num_rays: usize,
    /// The length at which a ray ends.
    #[config(default = 1000.0)]
    pub max_length: f64,
    /// The error of `ln V` that the errors of radii may cause, for a quadratic loss. The rounding of the element type
    /// may cause more.
    #[config(default = 0.01)]
    pub tolerance: f64,
    /// Eigenpairs of the curvature, those of largest absolute value. The other directions share the mean of the other
    /// eigenvalues.
    #[config(default = 64)]
    pub num_eigenpairs: usize,
    /// Seed of the rays, and of the vectors for eigenpairs and trace.
    #[config(default = 0)]
    pub seed: u64,
}

impl BasinVolumeConfig {
    /// Measures the basin around `model` along directions that are uniform on the sphere, over the parameters and in
    /// the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], also for a rise that rounding can make; [`SharpnessError::Stopped`] before the
    /// first ray is complete; [`SharpnessError::Loss`] and [`SharpnessError::Space`] as the risk returns them.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<BasinVolume, SharpnessError> {
        self.validate()?;
        self.measured(risk, model, &Shape::round())
    }

    /// As [`run`](Self::run), with directions in units of `1/√|h_i|`, for given curvatures `h` along the coordinates:
    /// the diagonal of the Hessian, or an average of squared gradients.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`SharpnessError::NoCurvature`] for curvatures that are all zero,
    /// [`SharpnessError::OutOfRange`] for one that is not finite, [`SharpnessError::Space`] for those of another model.
    pub fn run_with_diagonal<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        curvatures: &ParamVector,
    ) -> Result<BasinVolume, SharpnessError> {
        self.validate()?;
        risk.space(model)?.check_same(curvatures.space())?;
        self.measured(risk, model, &Shape::diagonal(curvatures)?)
    }

    /// As [`run`](Self::run), with directions in units of `1/√|λ|` along the eigenvectors of `operator`, usually the
    /// Hessian or a Gauss-Newton matrix at `model`.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`SharpnessError::NoCurvature`] for the zero operator, [`SharpnessError::Krylov`] for
    /// a product that is not finite, [`SharpnessError::Curvature`], [`SharpnessError::Space`] for an operator over
    /// other parameters.
    pub fn run_with_curvature<M, K, A>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        operator: &A,
    ) -> Result<BasinVolume, SharpnessError>
    where
        M: Module,
        A: SelfAdjoint<Vector = ParamVector, Error = CurvatureError> + ?Sized,
    {
        self.validate()?;
        risk.space(model)?.check_same(&operator.domain())?;
        let shape = Shape::spectral(operator, self.num_eigenpairs, self.seed)?;
        self.measured(risk, model, &shape)
    }

    fn validate(&self) -> Result<(), OutOfRange> {
        ensure("rise", self.rise, POSITIVE)?;
        ensure("num_rays", self.num_rays as f64, 1.0..)?;
        ensure("max_length", self.max_length, POSITIVE)?;
        ensure("tolerance", self.tolerance, POSITIVE)?;
        ensure("num_eigenpairs", self.num_eigenpairs as f64, 1.0..)
    }

    fn measured<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        shape: &Shape,
    ) -> Result<BasinVolume, SharpnessError> {
        let base_loss = risk.whole_loss(model)?.value;
        let space = risk.space(model)?;
        let epsilon = epsilon(space.dtype()?);
        let rounding = 8.0 * epsilon * base_loss.abs();
        if self.rise <= rounding {
            let expected = format!("more than {rounding:e}, the rounding of the loss");
            return Err(OutOfRange::new("rise", self.rise, expected).into());
        }
        let dimension = space.len() as f64;
        let tolerance = (self.tolerance / dimension).max(2.0 * epsilon);
        let unit = log_ball(dimension) + shape.log_determinant;
        // The radius along every direction, if `M` is that of a quadratic loss.
        let mut guess = (2.0 * self.rise).sqrt();
        let mut log_volumes = Vec::new();
        let (mut num_losses, mut num_unbounded) = (1, 0);
        let completed = take_samples(self.num_rays, |ray| {
            let direction = ParamVector::sphere(&space, sample_seed(self.seed, ray))?;
            let direction = shape.apply(direction)?;
            let limit = self.max_length / direction.norm()?;
            // A root, so that a quadratic loss is a line.
            let excess = |radius| {
                num_losses += 1;
                match displaced_loss(risk, model, &direction, radius, ray) {
                    Err(SharpnessError::NonFiniteSample { .. }) => Ok(f64::INFINITY),
                    Err(error) => Err(error),
                    Ok(loss) => Ok(((loss - base_loss).max(0.0) / self.rise).sqrt() - 1.0),
                }
            };
            let found = crossing(guess, limit, tolerance, excess)?;
            num_unbounded += usize::from(found.is_none());
            let radius = found.unwrap_or(limit);
            // From the end of a ray without a crossing, others would pass over theirs.
            if ray == 0 && found.is_some() {
                guess = radius;
            }
            log_volumes.push(unit + dimension * radius.ln());
            let progress = Progress::new(Work::Sample, ray + 1);
            Ok(risk.report(progress.of(self.num_rays)))
        })?;
        let mean = Mean::of(&log_volumes);
        let log_volume_quadratic = shape
            .log_curvatures
            .map(|sum| log_ball(dimension) + 0.5 * dimension * (2.0 * self.rise).ln() - 0.5 * sum);
        Ok(BasinVolume {
            log_volume: mean.log_volume,
            standard_error: mean.standard_error,
            effective_rays: mean.effective_rays,
            mean_log_volume: mean.typical.value,
            mean_log_volume_error: mean.typical.standard_error,
            log_volume_quadratic,
            log_volumes,
            num_unbounded,
            dimension: space.len(),
            base_loss,
            num_losses,
            num_matvecs: shape.num_matvecs,
            config: self.clone(),
            completed,
        })
    }
}
