use burn::config::Config;
use burn::module::Module;

use super::SharpnessReport;
use super::run::Run;
use crate::curvature::{CurvatureError, Hessian};
use crate::loss::Risk;
use crate::range::ensure;
use crate::sharpness::SharpnessError;
use crate::space::{Scale, UnfilteredRule};

/// All measures of a loss in one call and one table, with settings that suit most models.
///
/// In every scale: average rise, worst-case rise, PAC-Bayes σ, λ_max, trace and Frobenius norm of the
/// Hessian. Without a scale: Keskar's sharpness and the relative flatness of every weight.
/// [`add_fisher`](SharpnessReport::add_fisher) adds the Fisher-Rao norm and the effective dimension of a Fisher matrix,
/// [`add_mcallester_bound`](SharpnessReport::add_mcallester_bound) McAllester's bound around a prior.
///
/// A number that cannot be measured at this model, for instance because the loss is not finite under the noise, leaves a
/// row with the reason; the other measures are not affected.
///
/// # Units
///
/// Those of the measures. `sigma` is in units of each scale, `rho` of the absolute and `relative_rho`
/// of the relative ones.
///
/// # Cost
///
/// With the defaults, in each of three scales about 260 losses (20 for the average rise, the rest for
/// PAC-Bayes σ), at most 42 gradients, 32 products for the trace and often 20 for λ_max, at most 1,000.
/// Besides, at most 42 gradients for Keskar's measure, and at most 64 products for relative
/// flatness. The report states its cost.
/// Memory is that of λ_max: 40 vectors of parameters, and that of the Hessian.
///
/// # Reproducibility
///
/// All seeds are `seed`. Two models with the same coordinates are measured with the same noise.
///
/// # Defaults
///
/// `rho` 0.05 as SAM has it, `relative_rho` 0.5 as ASAM; ε of Keskar et al. 2017, 1e-3; a threshold
/// of 0.1 as Jiang et al. 2020; γ 5e-4, a common weight decay; δ 0.05; λ_max to 1e-4 with at most 1,000 products, as
/// [`Spectrum`](crate::spectrum::Spectrum). Numbers of samples, steps and products: ours, small.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::{SharpnessMeasure, SharpnessReportConfig};
/// use burnscape::space::Scale;
///
/// // L = Σ w² over four weights: the Hessian is 2 I.
/// let device = Device::default();
/// let model = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let report = SharpnessReportConfig::new().run(&Risk::new(&loss, &data), &model)?;
/// println!("{report}");
/// let absolute = Some(Scale::Absolute);
/// let lambda = report.value(SharpnessMeasure::LambdaMax, absolute).unwrap_or(f64::NAN);
/// let trace = report.value(SharpnessMeasure::Trace, absolute).unwrap_or(f64::NAN);
/// assert!((lambda - 2.0).abs() < 1e-4 && (trace - 8.0).abs() < 1e-4);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct SharpnessReportConfig {
    /// The scales of the measures.
    #[config(default = "default_scales()")]
    pub scales: Vec<Scale>,
    /// Standard deviation of the noise of the average rise.
    #[config(default = 0.05)]
    pub sigma: f64,
    /// Radius of the worst-case rise, absolute.
    #[config(default = 0.05)]
    pub rho: f64,
    /// Radius of the worst-case rise in relative scales.
    #[config(default = 0.5)]
    pub relative_rho: f64,
    /// Half-width of Keskar's box.
    #[config(default = 1e-3)]
    pub epsilon: f64,
    /// The rise that defines PAC-Bayes σ.
    #[config(default = 0.1)]
    pub threshold: f64,
    /// The probability with which McAllester's bound may fail.
    #[config(default = 0.05)]
    pub delta: f64,
    /// The curvature above which a direction counts in the effective dimension.
    #[config(default = 5e-4)]
    pub gamma: f64,
    /// Antithetic pairs of noise, for the average rise and for every σ tried.
    #[config(default = 10)]
    pub num_samples: usize,
    /// Steps of an ascent, at most; there are two ascents.
    #[config(default = 20)]
    pub num_steps: usize,
    /// Products for the trace; relative flatness takes twice as many at most.
    #[config(default = 32)]
    pub trace_matvecs: usize,
    /// Products for λ_max, at most.
    #[config(default = 1000)]
    pub lambda_max_matvecs: usize,
    /// Seed of all random numbers except those that the loss draws.
    #[config(default = 0)]
    pub seed: u64,
}

fn default_scales() -> Vec<Scale> {
    vec![
        Scale::Absolute,
        Scale::FilterRelative(UnfilteredRule::AsOneFilter),
        Scale::ElementRelative,
    ]
}

/// The cost of the checks of the Hessian.
const CHECK_MATVECS: usize = 2;
const CHECK_GRADIENTS: usize = 1;
/// Measures in each scale, and those without one.
const PER_SCALE: usize = 5;
const WITHOUT_SCALE: usize = 2;

impl SharpnessReportConfig {
    /// Measures `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::Curvature`] for a loss that cannot be
    /// traced, [`SharpnessError::Loss`], [`SharpnessError::Space`].
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<SharpnessReport, SharpnessError> {
        ensure("scales", self.scales.len() as f64, 1.0..)?;
        // Two products are the fewest that have a spread.
        ensure("trace_matvecs", self.trace_matvecs as f64, 2.0..)?;
        let base = risk.whole_loss(model)?;
        let mut run = Run {
            config: self,
            risk,
            model,
            report: SharpnessReport {
                rows: Vec::new(),
                base_loss: base.value,
                num_parameters: risk.space(model)?.len(),
                num_examples: base.num_examples,
                num_losses: 1,
                num_gradients: 0,
                num_matvecs: 0,
                config: self.clone(),
                completed: false,
            },
            done: 0,
            total: PER_SCALE * self.scales.len() + WITHOUT_SCALE,
            is_stopped: false,
        };
        for &scale in &self.scales {
            run.average_sharpness(scale)?;
            run.worst_case_sharpness(scale)?;
            run.pac_bayes_sigma(scale)?;
        }
        run.keskar()?;
        if !run.is_stopped {
            match Hessian::with_kept(risk, model, None) {
                Err(CurvatureError::Stopped) => run.is_stopped = true,
                hessian => {
                    let hessian = hessian?;
                    run.report.num_gradients += 1;
                    if risk.has_checks() {
                        run.report.num_gradients += CHECK_GRADIENTS;
                        run.report.num_matvecs += CHECK_MATVECS;
                    }
                    for &scale in &self.scales {
                        run.lambda_max(scale, &hessian)?;
                        run.moments(scale, &hessian)?;
                    }
                    run.relative_flatness(&hessian)?;
                }
            }
        }
        run.report.completed = run.done == run.total;
        Ok(run.report)
    }
}
