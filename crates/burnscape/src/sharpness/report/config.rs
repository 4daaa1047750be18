use burn::config::Config;
use burn::module::Module;

use super::SharpnessReport;
use super::run::Run;
use crate::curvature::CurvatureError;
use crate::loss::{Likelihood, Risk, Split};
use crate::sharpness::SharpnessError;
use crate::sharpness::argument::{check_count, check_products};
use crate::space::{Scale, UnfilteredRule};

/// All measures of the room in one call and one table, with settings that suit most models.
///
/// In every scale: average rise, worst-case rise, PAC-Bayes σ, λ_max, trace and Frobenius norm of the
/// Hessian. Without a scale: Keskar's sharpness and the relative flatness of every weight. With the
/// weights of a prior: McAllester's bound, at the absolute PAC-Bayes σ (at `sigma` if there is none),
/// with a union over all σ that its search can end at. With outputs and criterion apart
/// ([`run_split`](Self::run_split)): Fisher-Rao norm and effective dimension of the exact
/// Fisher matrix.
///
/// A number that cannot be had at this model (a loss that is not finite under the noise, say) leaves a
/// row that says why; the other rows stand.
///
/// # Units
///
/// Those of the measures. `sigma` is in units of each scale, `rho` of the absolute and `relative_rho`
/// of the relative ones.
///
/// # Cost
///
/// With the defaults, in each of three scales about 260 losses (20 for the average rise, the rest for
/// PAC-Bayes σ), at most 42 gradients, and at most 132 products, 32 of them for the trace and often
/// 20 for λ_max. Besides, at most 42 gradients for Keskar's measure, at most 64 products for relative
/// flatness, and at most 121 for Fisher-Rao norm and effective dimension. The report says what it was.
/// Memory is that of λ_max: 40 vectors of parameters, and what the Hessian keeps.
///
/// # Reproducibility
///
/// All seeds are `seed`. Two models of the same coordinates are measured with the same noise.
///
/// # Defaults
///
/// `rho` 0.05 as SAM has it, `relative_rho` 0.5 as ASAM; ε of Keskar et al. 2017, 1e-3; a threshold
/// of 0.1 as Jiang et al. 2020; γ 5e-4, a common weight decay; confidence δ 0.05. Numbers of samples,
/// steps and products: ours, small.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::{Measure, SharpnessReportConfig};
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
/// let lambda = report.value(Measure::LambdaMax, absolute).unwrap_or(f64::NAN);
/// let trace = report.value(Measure::Trace, absolute).unwrap_or(f64::NAN);
/// assert!((lambda - 2.0).abs() < 1e-4 && (trace - 8.0).abs() < 1e-4);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct SharpnessReportConfig {
    /// The scales that measures are taken in.
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
    /// Products for the trace, and half as many as for relative flatness.
    #[config(default = 32)]
    pub num_matvecs: usize,
    /// Seed of everything that is random, but for what the loss draws.
    #[config(default = 0)]
    pub seed: u64,
    /// Whether the matrices are [checked](Risk::with_checks) when they are made.
    #[config(default = true)]
    pub checks: bool,
}

fn default_scales() -> Vec<Scale> {
    vec![
        Scale::Absolute,
        Scale::FilterRelative(UnfilteredRule::AsOneFilter),
        Scale::ElementRelative,
    ]
}

/// What checks a new operator: products, and gradients.
const CHECK_PRODUCTS: usize = 2;
const CHECK_GRADIENTS: usize = 1;
/// Measures in each scale, and those without one.
const PER_SCALE: usize = 5;
const WITHOUT_SCALE: usize = 2;
/// Measures of the Fisher matrix.
const OF_FISHER: usize = 2;

impl SharpnessReportConfig {
    /// Takes the measures that need nothing but a loss, over the parameters and in the mode of `risk`.
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
        self.all(risk, model, None, (0, |_: &mut _, _: &mut _| Ok(())))
    }

    /// As [`run`](Self::run), with McAllester's bound around the weights of `prior`: the model as it
    /// was before training, or trained on other data.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_with_prior<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        prior: &M,
    ) -> Result<SharpnessReport, SharpnessError> {
        self.all(risk, model, Some(prior), (0, |_: &mut _, _: &mut _| Ok(())))
    }

    /// As [`run`](Self::run), or [`run_with_prior`](Self::run_with_prior) if there is one, with the measures
    /// of the exact Fisher matrix of `likelihood`.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_split<M: Module>(
        &self,
        risk: &Risk<'_, M, Split>,
        model: &M,
        prior: Option<&M>,
        likelihood: Likelihood,
    ) -> Result<SharpnessReport, SharpnessError> {
        let of_fisher = |report: &mut SharpnessReport, run: &mut Run| {
            let fisher = risk
                .clone()
                .with_checks(self.checks)
                .fisher(model, likelihood)?;
            self.count_operator(report);
            self.of_fisher(risk, model, &fisher, run)
        };
        self.all(risk, model, prior, (OF_FISHER, of_fisher))
    }

    /// What a new operator has cost.
    fn count_operator(&self, report: &mut SharpnessReport) {
        report.num_gradients += 1;
        if self.checks {
            report.num_gradients += CHECK_GRADIENTS;
            report.num_matvecs += CHECK_PRODUCTS;
        }
    }

    /// The measures of the loss, and then others.
    fn all<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        prior: Option<&M>,
        (num_others, others): (
            usize,
            impl FnOnce(&mut SharpnessReport, &mut Run) -> Result<(), SharpnessError>,
        ),
    ) -> Result<SharpnessReport, SharpnessError> {
        check_count("scales", self.scales.len())?;
        check_products("num_matvecs", self.num_matvecs)?;
        let mut run = Run {
            rows: Vec::new(),
            done: 0,
            total: PER_SCALE * self.scales.len()
                + WITHOUT_SCALE
                + usize::from(prior.is_some())
                + num_others,
            stopped: false,
        };
        let base = risk.whole_loss(model)?;
        let mut report = SharpnessReport {
            rows: Vec::new(),
            base_loss: base.value,
            num_parameters: risk.space(model)?.len(),
            num_examples: base.num_examples,
            num_losses: 1,
            num_gradients: 0,
            num_matvecs: 0,
            config: self.clone(),
            completed: false,
        };
        for &scale in &self.scales {
            self.rises(risk, model, scale, &mut run)?;
        }
        self.keskar(risk, model, &mut run)?;
        if let Some(prior) = prior {
            self.bound(risk, model, prior, &mut run)?;
        }
        if !run.stopped {
            match risk.whole().with_checks(self.checks).hessian(model) {
                Err(CurvatureError::Stopped) => run.stopped = true,
                hessian => {
                    self.count_operator(&mut report);
                    self.of_hessian(risk, model, &hessian?, &mut run)?;
                }
            }
        }
        if !run.stopped {
            match others(&mut report, &mut run) {
                Err(SharpnessError::Stopped) => run.stopped = true,
                other => other?,
            }
        }
        report.completed = run.done == run.total;
        report.num_losses += run.rows.iter().map(|row| row.losses).sum::<usize>();
        report.num_gradients += run.rows.iter().map(|row| row.gradients).sum::<usize>();
        report.num_matvecs += run.rows.iter().map(|row| row.products).sum::<usize>();
        report.rows = run.rows;
        Ok(report)
    }
}
