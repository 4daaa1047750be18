use std::fmt;

use serde::{Deserialize, Serialize};

use crate::posterior::digits::{percent, short, with_error};
use crate::writing::number;

/// Something that a [`LearningCoefficient`](super::LearningCoefficient) must not be read without, with the numbers and the
/// [`Thresholds`](super::Thresholds) that decided. It prints as a sentence that ends with what to do.
///
/// Numbers are in units of the coefficient, which has none, if nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Finding {
    /// The model is no minimum of the loss: the only finding by which there is no coefficient.
    ///
    /// The coefficient is the exponent of the volume of `{L ≤ L(w₀) + ε}` around a minimum. At another point a sampler finds
    /// lower losses, and the estimate is small or negative for that reason.
    NoMinimum {
        /// `nβ (E[L] − L(w₀))`.
        estimate: f64,
        /// By how much descent on `U` lowered `nβ L`.
        descent_drop: f64,
        /// The steps of that descent.
        descent_steps: usize,
        /// The most that it may be, as a share of the estimate.
        descent_share: f64,
        /// Whether it is more than that, and more than rounding.
        is_descent: bool,
        /// The share of draws whose loss is below that of the model, if it is known.
        #[serde(with = "number")]
        share_below: Option<f64>,
        /// The largest share allowed.
        max_share_below: f64,
    },
    /// The estimate depends on `γ`: it is a number of the localizer as much as of the loss.
    LocalizerDominated {
        /// The estimate.
        estimate: f64,
        /// With half of `γ`.
        at_half: f64,
        /// The standard error of their difference.
        #[serde(with = "number")]
        difference_error: f64,
        /// `γ`.
        localizer: f64,
        /// The change allowed, as a share of the estimate.
        localizer_share: f64,
        /// The change that counts, in standard errors.
        standard_errors: f64,
    },
    /// The chains are too short for the estimate and its standard error.
    ChainsTooShort {
        /// The effective sample size of the loss.
        #[serde(with = "number")]
        ess: f64,
        /// The least allowed.
        min_ess: f64,
        /// The difference between the last and the first third of the draws, in standard errors.
        #[serde(with = "number")]
        drift: f64,
        /// The most allowed.
        standard_errors: f64,
        /// The rank-normalized R-hat.
        #[serde(with = "number")]
        rhat: f64,
        /// The largest allowed.
        max_rhat: f64,
    },
    /// The step of an inexact sampler biases the estimate.
    BiasedStep {
        /// The step.
        step: f64,
        /// The estimate.
        estimate: f64,
        /// With half of the step.
        at_half: f64,
        /// Without the part of the bias that is linear in the step.
        extrapolated: f64,
        /// The standard error of that.
        #[serde(with = "number")]
        extrapolated_error: f64,
        /// The standard error of the difference of the two estimates.
        #[serde(with = "number")]
        difference_error: f64,
        /// The change that counts, in standard errors.
        standard_errors: f64,
    },
    /// A single chain cannot tell whether it has found what others would find.
    SingleChain,
}

impl Finding {
    /// Whether there is no coefficient.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::NoMinimum { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMinimum {
                estimate,
                descent_drop,
                descent_steps,
                descent_share,
                is_descent,
                share_below,
                max_share_below,
            } => {
                write!(f, "the model is no minimum of the loss: ")?;
                let below = share_below.filter(|share| share > max_share_below);
                if *is_descent {
                    write!(
                        f,
                        "{descent_steps} steps of descent lower nβL by {}, more than {} of the estimate {}",
                        short(*descent_drop),
                        percent(*descent_share),
                        short(*estimate)
                    )?;
                }
                if *is_descent && below.is_some() {
                    write!(f, ", and ")?;
                }
                if let Some(share) = below {
                    write!(
                        f,
                        "{} of the draws have a lower loss, where {} are allowed",
                        percent(share),
                        percent(*max_share_below)
                    )?;
                }
                write!(
                    f,
                    "; train on with full batches of this loss, or measure the model against its own outputs"
                )
            }
            Self::LocalizerDominated {
                estimate,
                at_half,
                difference_error,
                localizer,
                localizer_share,
                standard_errors,
            } => write!(
                f,
                "the localizer decides the number: halving γ = {} changes it by {}, from {} to {}, which is more than {} and {} \
                 standard errors; report γ with the number and compare at the same γ only, or lower γ until the number stays",
                short(*localizer),
                with_error(at_half - estimate, *difference_error),
                short(*estimate),
                short(*at_half),
                percent(*localizer_share),
                short(*standard_errors),
            ),
            Self::ChainsTooShort {
                ess,
                min_ess,
                drift,
                standard_errors,
                rhat,
                max_rhat,
            } => {
                let mut reasons = Vec::new();
                if !at_least(*ess, *min_ess) {
                    reasons.push(format!(
                        "the effective sample size is {}, less than {}",
                        short(*ess),
                        short(*min_ess)
                    ));
                }
                if !at_least(*standard_errors, drift.abs()) {
                    reasons.push(format!(
                        "the first and the last third of the draws differ by {} standard errors, more than {}",
                        short(drift.abs()),
                        short(*standard_errors)
                    ));
                }
                if !at_least(*max_rhat, *rhat) {
                    reasons.push(format!(
                        "R-hat is {}, more than {}",
                        rhat_text(*rhat),
                        short(*max_rhat)
                    ));
                }
                write!(
                    f,
                    "the chains are too short: {}; raise the burn-in and the number of draws",
                    reasons.join(", and ")
                )
            }
            Self::BiasedStep {
                step,
                estimate,
                at_half,
                extrapolated,
                extrapolated_error,
                difference_error,
                standard_errors,
            } => write!(
                f,
                "the step biases the number: halving the step {} changes it by {}, from {} to {}, which is more than {} standard \
                 errors; use `Sampler::mala`, which has no such bias, a smaller step, or the extrapolation {}",
                short(*step),
                with_error(at_half - estimate, *difference_error),
                short(*estimate),
                short(*at_half),
                short(*standard_errors),
                with_error(*extrapolated, *extrapolated_error)
            ),
            Self::SingleChain => f.write_str(
                "a single chain cannot show that others would find the same; run 8 chains",
            ),
        }
    }
}

/// `value ≥ least`, false for NaN: what is not known is not good enough.
pub(super) fn at_least(value: f64, least: f64) -> bool {
    value >= least
}

/// Four decimal places: what matters is the distance from 1.
pub(super) fn rhat_text(rhat: f64) -> String {
    if rhat < 10.0 {
        format!("{rhat:.4}")
    } else {
        short(rhat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_minimum(is_descent: bool, share_below: Option<f64>) -> String {
        let finding = Finding::NoMinimum {
            estimate: 2.0,
            descent_drop: 0.5,
            descent_steps: 100,
            descent_share: 0.1,
            is_descent,
            share_below,
            max_share_below: 0.01,
        };
        assert!(finding.is_refusal());
        finding.to_string()
    }

    #[test]
    fn a_refusal_names_what_decided() {
        let descent = "100 steps of descent lower nβL by 0.5, more than 10 % of the estimate 2";
        let below = "3 % of the draws have a lower loss, where 1 % are allowed";
        let text = no_minimum(true, Some(0.005));
        assert!(
            text.contains(&format!("loss: {descent}; train on")),
            "{text}"
        );
        let text = no_minimum(false, Some(0.03));
        assert!(text.contains(&format!("loss: {below}; train on")), "{text}");
        let text = no_minimum(true, Some(0.03));
        assert!(
            text.contains(&format!("{descent}, and {below}; train on")),
            "{text}"
        );
        let text = no_minimum(true, None);
        assert!(text.contains(&format!("{descent}; train on")), "{text}");
    }

    #[test]
    fn short_chains_name_what_decided() {
        let text = |ess, drift, rhat| {
            let finding = Finding::ChainsTooShort {
                ess,
                min_ess: 1000.0,
                drift,
                standard_errors: 2.0,
                rhat,
                max_rhat: 1.01,
            };
            assert!(!finding.is_refusal());
            finding.to_string()
        };
        let all = text(812.3, -2.5, 1.0234);
        let expected = "the chains are too short: the effective sample size is 812.3, less than 1000, and the first and the last \
                        third of the draws differ by 2.5 standard errors, more than 2, and R-hat is 1.0234, more than 1.01; raise";
        assert!(all.starts_with(expected), "{all}");
        let only = text(2000.0, 0.0, f64::INFINITY);
        assert!(
            only.contains("short: R-hat is inf, more than 1.01; raise"),
            "{only}"
        );
    }

    #[test]
    fn changes_are_printed_with_their_errors() {
        let step = Finding::BiasedStep {
            step: 4e-4,
            estimate: 1.670,
            at_half: 1.55,
            extrapolated: 1.43,
            extrapolated_error: 0.03,
            difference_error: 0.018,
            standard_errors: 2.0,
        };
        let text = step.to_string();
        let changed = "halving the step 0.0004 changes it by -0.120 ± 0.018, from 1.67 to 1.55, which is more than 2 standard";
        assert!(text.contains(changed), "{text}");
        assert!(text.ends_with("the extrapolation 1.430 ± 0.030"), "{text}");
        let localizer = Finding::LocalizerDominated {
            estimate: 1.0,
            at_half: 1.25,
            difference_error: 0.05,
            localizer: 1.0,
            localizer_share: 0.1,
            standard_errors: 2.0,
        };
        let text = localizer.to_string();
        let changed = "halving γ = 1 changes it by 0.250 ± 0.050, from 1 to 1.25, which is more than 10 % and 2 standard errors";
        assert!(text.contains(changed), "{text}");
    }
}
