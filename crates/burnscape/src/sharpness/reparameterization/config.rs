use burn::config::Config;
use burn::module::Module;

use super::{Reparameterization, rescale_relu_pair};
use crate::loss::{Agreement, Likelihood, LossError, Risk, Sides, Split, Tolerance, compare};
use crate::sharpness::argument::check_size;
use crate::sharpness::{SharpnessError, SharpnessReport, SharpnessReportConfig};
use crate::space::{Distance, Nearby, ParamSpace, ParamVector, epsilon};

/// Which measures see a change of the weights that the function does not: Dinh's rescaling of two
/// layers, and every measure before and after.
///
/// [`rescale_relu_pair`] with α, a check that the loss is the same to rounding, and a
/// [`SharpnessReport`] of both models, with the same seeds.
/// Measures relative to the weights' elements, to filters, the Fisher-Rao norm and relative flatness
/// should stay; absolute ones move by any factor one likes, which is Dinh's objection to them.
///
/// # Cost
///
/// Twice that of [`SharpnessReportConfig`], and two losses.
///
/// # Reproducibility
///
/// As [`SharpnessReportConfig`]. For an α that is a power of two the rescaling itself is free of
/// rounding.
///
/// # Defaults
///
/// α = 8; a measure has moved when it changed by more than 1 %: ours.
///
/// # References
///
/// Dinh, Pascanu, Bengio, Bengio 2017, *Sharp Minima Can Generalize For Deep Nets*, arXiv:1703.04933.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::activation::relu;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::{Measure, ReparameterizationConfig, SharpnessReportConfig};
/// use burnscape::space::Scale;
///
/// #[derive(Module, Debug)]
/// struct Net { first: Linear, second: Linear }
///
/// let device = Device::default();
/// let layer = |from, to| {
///     let initializer = Initializer::Constant { value: 0.3 };
///     LinearConfig::new(from, to).with_initializer(initializer).init(&device)
/// };
/// let net = Net { first: layer(2, 4), second: layer(4, 1) };
/// let loss = |net: &Net, x: Tensor<2>| {
///     (net.second.forward(relu(net.first.forward(x))) - 1.0).powi_scalar(2).mean()
/// };
/// let data = [Tensor::<2>::from_floats([[1.0, 2.0], [-1.0, 0.5], [0.5, -2.0]], &device)];
///
/// let adaptive = Scale::ElementRelative;
/// let report = SharpnessReportConfig::new().with_scales(vec![adaptive]).with_num_samples(2);
/// let check = ReparameterizationConfig::new("first".into(), "second".into()).with_report(report);
/// let check = check.run(&Risk::new(&loss, &data), &net)?;
/// println!("{check}");
/// let moved = |measure, scale| check.change(measure, scale).is_none_or(|change| change.moved);
/// assert!(!moved(Measure::LambdaMax, Some(adaptive)));
/// assert!(moved(Measure::Keskar, None));
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct ReparameterizationConfig {
    /// Path of the layer that is multiplied.
    pub first: String,
    /// Path of the layer that is divided.
    pub second: String,
    /// The factor.
    #[config(default = 8.0)]
    pub alpha: f64,
    /// The relative change from which a measure counts as moved.
    #[config(default = 0.01)]
    pub tolerance: f64,
    /// The settings of the measures.
    #[config(default = "SharpnessReportConfig::new()")]
    pub report: SharpnessReportConfig,
}

impl ReparameterizationConfig {
    /// Compares the measures that need nothing but a loss.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::NoLayer`], [`SharpnessError::FunctionChanged`], and those of
    /// [`SharpnessReportConfig::run`].
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<Reparameterization, SharpnessError> {
        let (rescaled, losses) = self.rescaled(risk, model)?;
        self.both(losses, [model, &rescaled], |model| {
            self.report.run(risk, model)
        })
    }

    /// As [`run`](Self::run), with the measures of the exact Fisher matrix of `likelihood`.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_split<M: Module>(
        &self,
        risk: &Risk<'_, M, Split>,
        model: &M,
        likelihood: Likelihood,
    ) -> Result<Reparameterization, SharpnessError> {
        let (rescaled, losses) = self.rescaled(risk, model)?;
        self.both(losses, [model, &rescaled], |model| {
            self.report.run_split(risk, model, None, likelihood)
        })
    }

    /// The rescaled model, if it has the same loss, and the losses of both.
    fn rescaled<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<(M, [f64; 2]), SharpnessError> {
        check_size("tolerance", self.tolerance)?;
        let rescale = |model: &M| rescale_relu_pair(model, &self.first, &self.second, self.alpha);
        let rescaled = rescale(model)?;
        let before = risk.whole_loss(model)?.value;
        let after = risk.whole_loss(&rescaled)?.value;
        let sides = |before: f64, after: f64| Sides {
            difference: (after - before).abs(),
            size: before.abs().max(after.abs()),
        };
        let weights = ParamVector::from_module(&ParamSpace::of(model)?, model)?;
        let dtype = weights.values().dtype();
        let nearby = Nearby::around(&weights)?;
        let loss = |model: &M| match risk.whole_loss(model) {
            Err(LossError::NonFinite { .. }) => Ok(None),
            other => other.map(|loss| Some(loss.value)),
        };
        // Half of the digits are left to rounding. A loss of zero is all rounding: how much that may be
        // shows at other weights.
        let points = [Distance::NONE].into_iter();
        let points = points.chain(Distance::growing(dtype));
        let found = compare(Tolerance::of(epsilon(dtype).sqrt()), points, |distance| {
            if distance == Distance::NONE {
                return Ok(Some(sides(before, after)));
            }
            let moved = nearby.displacement(distance)?.perturb(model, 1.0)?;
            let losses = (loss(&moved)?, loss(&rescale(&moved)?)?);
            let (Some(before), Some(after)) = losses else {
                return Ok(None);
            };
            Ok::<_, SharpnessError>(Some(sides(before, after)))
        })?;
        if found != Agreement::Equal {
            return Err(SharpnessError::FunctionChanged {
                first: self.first.clone(),
                second: self.second.clone(),
                before,
                after,
            });
        }
        Ok((rescaled, [before, after]))
    }

    /// The reports of both models; of the first alone if that was stopped.
    fn both<M>(
        &self,
        losses: [f64; 2],
        [model, rescaled]: [&M; 2],
        report: impl Fn(&M) -> Result<SharpnessReport, SharpnessError>,
    ) -> Result<Reparameterization, SharpnessError> {
        let before = report(model)?;
        let after = match before.completed {
            true => Some(report(rescaled)?),
            false => None,
        };
        Ok(Reparameterization::compare(self, losses, before, after))
    }
}
