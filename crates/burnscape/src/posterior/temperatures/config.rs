use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::ladder::distinct;
use super::{TemperatureLadder, TemperatureRung};
use crate::dynamics::Cost;
use crate::loss::Risk;
use crate::posterior::coefficient::are_long;
use crate::posterior::{Posterior, PosteriorConfig, PosteriorError, Potential, Thresholds};
use crate::range::{POSITIVE, ensure};
use crate::space::mix;

/// The learning coefficient of a model from posteriors at several temperatures, without the loss `L(w₀)`.
///
/// `n E[L]` over the posterior at the inverse temperature `β` is about `n L₀ + λ/β`. Its slope over `1/β` is the
/// learning coefficient, and its value at `1/β = 0` a loss `L₀` that need not be that of the model: also a model that
/// is not at its minimum has a slope. [`TemperatureLadder`] states how the slope is fitted, and how a multiplicity
/// above 1 would show.
///
/// The slope is that between the temperatures, not its limit. For `L = (w₁ w₂)²` on the unit square, where `λ = ½` has
/// the multiplicity 2, the slope between `nβ` and `1.5 nβ` is 0.3301 at `nβ = 100` and 0.4334 at 10⁶. The second
/// [law](super::TemperatureLaw) finds ½ from six exact losses above either, and to 0.011 from six losses between 100
/// and 3200 with errors of 1 %. Above 10⁶ such errors hide the multiplicity, and the slope is all that is found.
///
/// The localizer `γ` is the same at all temperatures. For `L = ½ w²` and `γ = 1` the slope between `nβ = 100` and 150
/// is 0.4918, for `λ = ½`.
///
/// # Units
///
/// Losses of rungs are `n` times the unit of the loss. `λ` has none.
///
/// # Cost
///
/// A posterior for each temperature, as [`PosteriorConfig`] states it; the sharpness once.
///
/// # Errors
///
/// [`PosteriorError::TooFewTemperatures`] for fewer than two, [`PosteriorError::OutOfRange`] for temperatures that are
/// not positive or come twice, [`PosteriorError::Stopped`] before two of them are complete, and those of
/// [`PosteriorConfig`].
///
/// # Reproducibility
///
/// The posterior's seed, mixed with the place in the list, is the seed of a temperature.
///
/// # References
///
/// Watanabe 2013, *A Widely Applicable Bayesian Information Criterion*, arXiv:1208.6338 (two temperatures).
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::posterior::{PosteriorConfig, TemperatureLadderConfig};
///
/// let device = Device::default();
/// let config = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// // 3 and the mean of w₁² and w₂²: λ = 1, and 0.995 between these temperatures.
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean() + 3.0;
/// let data = [Tensor::<2>::eye(2, &device)];
///
/// let short = PosteriorConfig::new(1_000).with_num_chains(2).with_burn_in(100).with_num_draws(150);
/// let config = TemperatureLadderConfig::new(short, vec![0.25, 1.0]);
/// let ladder = config.run(&Risk::new(&loss, &data), &model)?;
/// assert!((ladder.learning_coefficient - 0.995).abs() < 5.0 * ladder.standard_error);
/// assert!((ladder.loss_at_minimum - 3.0).abs() < 0.01);
/// println!("{ladder}");
/// # Ok::<(), burnscape::posterior::PosteriorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemperatureLadderConfig {
    posterior: PosteriorConfig,
    inverse_temperatures: Vec<f64>,
}

impl TemperatureLadderConfig {
    /// The posterior, whose own temperature is not used, at these inverse temperatures: two or more, all different. Six
    /// with a constant ratio allow every law.
    #[must_use]
    pub fn new(posterior: PosteriorConfig, inverse_temperatures: Vec<f64>) -> Self {
        Self {
            posterior,
            inverse_temperatures,
        }
    }

    /// Measures the coefficient around `model`, over the parameters and in the mode of `risk`.
    ///
    /// If the observer stops the run, the result is that of the temperatures that are complete.
    ///
    /// # Errors
    ///
    /// As [`TemperatureLadderConfig`] states.
    pub fn run<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<TemperatureLadder, PosteriorError> {
        self.run_on(&risk.potential(model)?)
    }

    /// As [`run`](Self::run), for any loss that can be sampled.
    ///
    /// # Errors
    ///
    /// As [`TemperatureLadderConfig`] states.
    pub fn run_on<P: Potential>(&self, potential: &P) -> Result<TemperatureLadder, PosteriorError> {
        self.check()?;
        let (mut rungs, mut too_short, mut cost) = (Vec::new(), Vec::new(), Cost::default());
        let mut sharpness = self.posterior.sharpness();
        for (index, &inverse_temperature) in self.inverse_temperatures.iter().enumerate() {
            let config = self.posterior.clone();
            let config = config
                .with_inverse_temperature(inverse_temperature)
                .with_sharpness(sharpness)
                .with_seed(mix(self.posterior.seed(), index as u64));
            let posterior = match config.run_on(potential) {
                Err(PosteriorError::Stopped) => break,
                posterior => posterior?,
            };
            cost += posterior.cost;
            if !posterior.completed {
                break;
            }
            sharpness = sharpness.or(posterior.sharpness);
            let (rung, is_long) = rung(&posterior)?;
            if !is_long {
                too_short.push(inverse_temperature);
            }
            rungs.push(rung);
        }
        let completed = rungs.len() == self.inverse_temperatures.len();
        if rungs.len() < 2 {
            return Err(PosteriorError::Stopped);
        }
        Ok(TemperatureLadder {
            completed,
            too_short,
            cost,
            config: Some(self.clone()),
            ..TemperatureLadder::fit(self.posterior.num_examples(), rungs)?
        })
    }

    pub(super) fn localizer(&self) -> f64 {
        self.posterior.localizer()
    }

    fn check(&self) -> Result<(), PosteriorError> {
        for temperature in &self.inverse_temperatures {
            ensure("inverse_temperature", *temperature, POSITIVE)?;
        }
        let mut ascending = self.inverse_temperatures.clone();
        ascending.sort_by(f64::total_cmp);
        distinct(ascending.into_iter())
    }
}

/// What the chains have found, and whether they are long enough.
fn rung(posterior: &Posterior) -> Result<(TemperatureRung, bool), PosteriorError> {
    let count = posterior.config.num_examples() as f64;
    let diagnostics = posterior.diagnostics()?;
    let rung = TemperatureRung {
        inverse_temperature: posterior.config.inverse_temperature(),
        mean_loss: count * posterior.mean_loss(),
        standard_error: count * diagnostics.standard_error,
        ess: diagnostics.ess,
    };
    let seen = [diagnostics.ess, diagnostics.drift, diagnostics.rank_rhat];
    Ok((rung, are_long(seen, &Thresholds::default())))
}
