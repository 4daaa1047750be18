//! A learning coefficient as text.

use std::fmt;

use super::LearningCoefficient;
use super::finding::rhat_text;
use super::judge::extrapolated_error;
use crate::posterior::digits::{percent, short, span, with_error};

impl fmt::Display for LearningCoefficient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let posterior = &self.config.posterior;
        let number = format!(
            "{} (standard error; n = {}, β = {}, nβ = {}, γ = {})",
            with_error(self.estimate, self.standard_error),
            posterior.num_examples(),
            short(posterior.inverse_temperature()),
            short(posterior.nbeta()),
            short(posterior.localizer()),
        );
        if self.coefficient.is_some() {
            writeln!(f, "learning coefficient {number}")?;
        } else {
            let reason = if self.is_refused() {
                "the model is no minimum of the loss"
            } else {
                "the observer stopped the run before its checks were made"
            };
            writeln!(f, "no learning coefficient: {reason}")?;
            writeln!(f, "nβ (E[L] − L(w₀)), which is none: {number}")?;
        }
        writeln!(f, "{}", self.chains())?;
        let found = &self.diagnostics;
        writeln!(
            f,
            "effective sample size {}, R-hat {}, first and last third apart by {} standard errors",
            short(found.ess),
            rhat_text(found.rank_rhat),
            short(found.drift.abs()),
        )?;
        write!(f, "checks: {}", self.checks().join("; "))?;
        for finding in &self.findings {
            let kind = if finding.is_refusal() {
                "refused"
            } else {
                "warning"
            };
            write!(f, "\n{kind}: {finding}")?;
        }
        Ok(())
    }
}

impl LearningCoefficient {
    fn chains(&self) -> String {
        let posterior = &self.config.posterior;
        let acceptance = match &self.acceptance {
            Some(acceptance) => format!(", acceptance {}", span(acceptance)),
            None => String::new(),
        };
        let found = &self.diagnostics;
        let chains = match found.num_chains {
            1 => "1 chain".to_string(),
            count => format!("{count} chains"),
        };
        format!(
            "{}, step {}{acceptance}; {chains} of {} draws after a burn-in of {}",
            posterior.sampler(),
            span(&self.steps),
            found.num_draws,
            posterior.burn_in(),
        )
    }

    fn checks(&self) -> Vec<String> {
        let (config, mut checks) = (&self.config, Vec::new());
        if let Some(drop) = self.descent_drop {
            let steps = config.thresholds.descent_steps;
            checks.push(format!(
                "{steps} steps of descent lower nβL by {}",
                short(drop)
            ));
        }
        if let Some(share) = self.share_below {
            checks.push(format!("{} of the draws are below L(w₀)", percent(share)));
        }
        if let Some((value, error)) = self.half_localizer {
            checks.push(format!("{} with γ/2", with_error(value, error)));
        } else if !config.localizer_check && config.posterior.localizer() > 0.0 {
            checks.push("γ was not halved".to_string());
        }
        if let (Some((value, error)), Some(extrapolated)) = (self.half_step, self.extrapolated) {
            checks.push(format!(
                "{} with half of the step, {} extrapolated",
                with_error(value, error),
                with_error(extrapolated, extrapolated_error(self.standard_error, error))
            ));
        } else if !config.step_check && !config.posterior.sampler().is_exact() {
            checks.push("the step was not halved".to_string());
        }
        if checks.is_empty() {
            checks.push("none".to_string());
        }
        checks
    }
}
