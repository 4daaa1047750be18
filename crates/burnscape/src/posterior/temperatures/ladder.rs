use std::io;

use serde::{Deserialize, Serialize};

use super::regression::Regression;
use super::{TemperatureLadderConfig, TemperatureLaw, TemperatureRung};
use crate::OutOfRange;
use crate::dynamics::Cost;
use crate::posterior::PosteriorError;
use crate::range::{POSITIVE, ensure};
use crate::writing::{Csv, FormatError, csv, number};

/// A learning coefficient from the mean losses at several temperatures. It prints as a few lines, and is a table of its
/// rungs: see [`Csv`].
///
/// Two rungs give `λ = (E^{β₁}[nL] − E^{β₂}[nL]) / (1/β₁ − 1/β₂)`. More are fitted by least squares over `1/β`,
/// weighted by their standard errors, with each [`TemperatureLaw`] that has enough rungs, and the corrected criterion
/// of Akaike chooses. With `p` numbers and `N` rungs it is
///
/// `AICc = Σ (residual / standard error)² + 2p + 2p (p + 1) / (N − p − 1)`,
///
/// which four rungs allow for the first law, five for the second and six for the third. Without standard errors the sum
/// is `N ln(RSS/N)`, and each law needs one rung more. No multiplicity is assumed: where laws cannot be compared, the
/// first is fitted and [`multiplicity`](Self::multiplicity) is none.
///
/// # Example
///
/// ```
/// use burnscape::posterior::{TemperatureLadder, TemperatureRung};
///
/// let rung = |inverse_temperature: f64| TemperatureRung {
///     inverse_temperature,
///     mean_loss: 30.0 + 1.5 / inverse_temperature,
///     standard_error: 0.1,
///     ess: 1e3,
/// };
/// let ladder = TemperatureLadder::fit(1_000, vec![rung(0.25), rung(1.0)])?;
/// assert!((ladder.learning_coefficient - 1.5).abs() < 1e-12);
/// // √2 · 0.1 / (4 − 1).
/// assert!((ladder.standard_error - 0.0471).abs() < 1e-4);
/// assert!((ladder.loss_at_minimum - 0.03).abs() < 1e-12 && ladder.multiplicity.is_none());
/// # Ok::<(), burnscape::posterior::PosteriorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TemperatureLadder {
    /// `λ`.
    pub learning_coefficient: f64,
    /// Its standard error, from those of the rungs, or without them from the residuals. It assumes that the law holds.
    #[serde(with = "number")]
    pub standard_error: f64,
    /// `L₀`, the loss that the law has at `1/β = 0`. It was not measured: compare it with the loss of the model.
    pub loss_at_minimum: f64,
    /// The multiplicity `m` of the law that was chosen; none if there were too few rungs to choose.
    #[serde(with = "number")]
    pub multiplicity: Option<f64>,
    /// The law.
    pub law: TemperatureLaw,
    /// The constant `c` beside `ln nβ`; none for [`TemperatureLaw::Regular`].
    #[serde(with = "number")]
    pub offset: Option<f64>,
    /// The laws that were compared, with their AICc. The smallest was chosen.
    pub aicc: Vec<(TemperatureLaw, f64)>,
    /// The rungs, in the order of their inverse temperatures.
    pub rungs: Vec<TemperatureRung>,
    /// The inverse temperatures whose chains are too short by the default [`Thresholds`](crate::posterior::Thresholds):
    /// the coefficient rests on means that have not settled. None for rungs from elsewhere.
    pub too_short: Vec<f64>,
    /// The number of examples, `n`.
    pub num_examples: usize,
    /// False if the observer stopped the run: the later temperatures are missing.
    pub completed: bool,
    /// The work of the samplers; none for rungs from elsewhere.
    pub cost: Cost,
    /// The configuration of the run; none for rungs from elsewhere.
    pub config: Option<TemperatureLadderConfig>,
}

impl TemperatureLadder {
    /// The fit to rungs in any order: two or more temperatures, with standard errors that are all positive, or all zero
    /// if they are not known.
    ///
    /// # Errors
    ///
    /// [`PosteriorError::TooFewTemperatures`], [`PosteriorError::NotFinite`], and [`PosteriorError::OutOfRange`] for
    /// temperatures that are not positive or come twice, standard errors of both kinds, and without examples.
    pub fn fit(
        num_examples: usize,
        mut rungs: Vec<TemperatureRung>,
    ) -> Result<Self, PosteriorError> {
        ensure("num_examples", num_examples as f64, 1.0..)?;
        check(&rungs)?;
        rungs.sort_by(|one, other| {
            one.inverse_temperature
                .total_cmp(&other.inverse_temperature)
        });
        distinct(rungs.iter().map(|rung| rung.inverse_temperature))?;
        let regression = Regression::new(num_examples, &rungs);
        let fits: Vec<_> = TemperatureLaw::ALL
            .into_iter()
            .filter_map(|law| regression.fit(law))
            .collect();
        let aicc: Vec<(TemperatureLaw, f64)> = fits
            .iter()
            .filter_map(|fit| Some((fit.law, fit.aicc?)))
            .collect();
        let is_choice = aicc.len() > 1;
        let least = aicc
            .iter()
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        let law = least.map_or(TemperatureLaw::Regular, |(law, _)| *law);
        let Some(fit) = fits.into_iter().find(|fit| fit.law == law) else {
            let expected = "temperatures that differ by more than rounding";
            let value = rungs
                .first()
                .map_or(f64::NAN, |rung| rung.inverse_temperature);
            return Err(OutOfRange::new("inverse_temperature", value, expected).into());
        };
        Ok(Self {
            learning_coefficient: fit.learning_coefficient,
            standard_error: fit.standard_error,
            loss_at_minimum: fit.intercept / num_examples as f64,
            multiplicity: is_choice.then_some(fit.multiplicity),
            law,
            offset: fit.offset,
            aicc,
            rungs,
            too_short: Vec::new(),
            num_examples,
            completed: true,
            cost: Cost::default(),
            config: None,
        })
    }

    /// The learning coefficient from every two neighboring rungs, with its standard error. If these drift, one law with
    /// a constant coefficient does not hold.
    pub fn pairwise(&self) -> Vec<(f64, f64)> {
        let pairs = self.rungs.windows(2);
        pairs
            .map(|pair| {
                let (hot, cold) = (&pair[0], &pair[1]);
                let between = hot.inverse_temperature.recip() - cold.inverse_temperature.recip();
                let error = hot.standard_error.hypot(cold.standard_error);
                ((hot.mean_loss - cold.mean_loss) / between, error / between)
            })
            .collect()
    }
}

/// Refuses fewer than two temperatures, and two that are equal. They ascend.
pub(super) fn distinct(temperatures: impl Iterator<Item = f64>) -> Result<(), PosteriorError> {
    let (mut found, mut last) = (0, None);
    for temperature in temperatures {
        if last == Some(temperature) {
            let expected = "every temperature once; draw more at one temperature instead";
            return Err(OutOfRange::new("inverse_temperature", temperature, expected).into());
        }
        (found, last) = (found + 1, Some(temperature));
    }
    let needed = 2;
    if found < needed {
        return Err(PosteriorError::TooFewTemperatures { found, needed });
    }
    Ok(())
}

fn check(rungs: &[TemperatureRung]) -> Result<(), PosteriorError> {
    for (index, rung) in rungs.iter().enumerate() {
        ensure("inverse_temperature", rung.inverse_temperature, POSITIVE)?;
        if !rung.mean_loss.is_finite() {
            return Err(PosteriorError::NotFinite {
                what: "mean loss",
                index,
                value: rung.mean_loss,
            });
        }
        ensure("standard_error", rung.standard_error, 0.0..)?;
    }
    let num_exact = rungs
        .iter()
        .filter(|rung| rung.standard_error == 0.0)
        .count();
    if num_exact > 0 && num_exact < rungs.len() {
        let expected = "positive numbers, or zero for all rungs if none is known";
        return Err(OutOfRange::new("standard_error", 0.0, expected).into());
    }
    Ok(())
}

impl Csv for TemperatureLadder {
    /// The columns `inverse_temperature,mean_loss,standard_error,ess`, one line for each rung.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = ["inverse_temperature", "mean_loss", "standard_error", "ess"];
        let rows = self.rungs.iter().map(|rung| {
            [
                rung.inverse_temperature,
                rung.mean_loss,
                rung.standard_error,
                rung.ess,
            ]
            .map(|number| number.to_string())
        });
        Ok(csv(header, rows, writer)?)
    }
}
