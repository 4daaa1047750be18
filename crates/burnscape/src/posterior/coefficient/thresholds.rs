use burn::config::Config;

use crate::OutOfRange;
use crate::range::{POSITIVE, ensure};

/// The numbers that decide which [`Finding`](super::Finding)s a
/// [`LearningCoefficient`](super::LearningCoefficient) has. A finding prints those that decided.
///
/// # Errors
///
/// A measurement refuses thresholds that are not finite, zero steps of descent, shares below 0, a share of draws above 1,
/// standard errors of 0 or less, an effective sample size below 0, and an R-hat below 1.
///
/// # Defaults
///
/// The R-hat is that of Vehtari et al. 2021, arXiv:1903.08008. All others are ours: with an effective sample size of 1,000 the
/// standard error of a quadratic well of `d` directions is about `0.045/√d` of the estimate.
///
/// # Example
///
/// ```
/// use burnscape::posterior::Thresholds;
///
/// // A first look, with short chains.
/// let thresholds = Thresholds::new().with_min_ess(200.0).with_max_rhat(1.05);
/// assert_eq!(thresholds.descent_steps, 100);
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct Thresholds {
    /// Steps of gradient descent on `U` from the model, each `1/(nβ λ_max + γ)` long.
    #[config(default = 100)]
    pub descent_steps: usize,
    /// The most that descent may lower `nβ L`, as a share of the estimate.
    #[config(default = 0.10)]
    pub descent_share: f64,
    /// The largest share of draws whose loss is below that of the model.
    #[config(default = 0.01)]
    pub share_below: f64,
    /// The most that the estimate may change when `γ` is halved, as a share of it. A change within `standard_errors` counts as
    /// none.
    #[config(default = 0.10)]
    pub localizer_share: f64,
    /// How many standard errors a change is, at least: of the estimate with half of `γ` or half of the step, and between the
    /// first and the last third of the draws.
    #[config(default = 2.0)]
    pub standard_errors: f64,
    /// The least effective sample size of the loss, over all chains.
    #[config(default = 1000.0)]
    pub min_ess: f64,
    /// The largest rank-normalized R-hat.
    #[config(default = 1.01)]
    pub max_rhat: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::new()
    }
}

impl Thresholds {
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        ensure("descent_steps", self.descent_steps as f64, 1.0..)?;
        ensure("descent_share", self.descent_share, 0.0..)?;
        ensure("share_below", self.share_below, 0.0..=1.0)?;
        ensure("localizer_share", self.localizer_share, 0.0..)?;
        ensure("standard_errors", self.standard_errors, POSITIVE)?;
        ensure("min_ess", self.min_ess, 0.0..)?;
        ensure("max_rhat", self.max_rhat, 1.0..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_has_a_range() {
        assert_eq!(Thresholds::default().check(), Ok(()));
        let refused = |thresholds: Thresholds, name: &str| {
            let error = thresholds.check().unwrap_err();
            assert_eq!(error.name, name);
        };
        let new = Thresholds::new;
        refused(new().with_descent_steps(0), "descent_steps");
        refused(new().with_descent_share(-0.1), "descent_share");
        refused(new().with_share_below(1.5), "share_below");
        refused(new().with_localizer_share(f64::NAN), "localizer_share");
        refused(new().with_standard_errors(0.0), "standard_errors");
        refused(new().with_min_ess(f64::INFINITY), "min_ess");
        refused(new().with_max_rhat(0.9), "max_rhat");
    }
}
