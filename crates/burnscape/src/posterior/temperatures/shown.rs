//! A ladder as text.

use std::fmt;

use super::TemperatureLadder;
use crate::posterior::digits::{short, with_error};

impl fmt::Display for TemperatureLadder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = with_error(self.learning_coefficient, self.standard_error);
        write!(
            f,
            "learning coefficient {number} (standard error) from {} temperatures, n = {}",
            self.rungs.len(),
            self.num_examples
        )?;
        if let Some(config) = &self.config {
            write!(f, ", γ = {}", short(config.localizer()))?;
        }
        write!(f, "\nloss at the minimum {}", short(self.loss_at_minimum))?;
        match self.multiplicity {
            None => write!(f, "; too few temperatures for the multiplicity")?,
            Some(multiplicity) => {
                write!(f, "; multiplicity {} by AICc: ", short(multiplicity))?;
                let compared = self.aicc.iter();
                let compared = compared.map(|(law, aicc)| format!("{law} {}", short(*aicc)));
                write!(f, "{}", compared.collect::<Vec<_>>().join(", "))?;
            }
        }
        for rung in &self.rungs {
            write!(
                f,
                "\nβ = {}: n E[L] = {}, effective sample size {}",
                short(rung.inverse_temperature),
                with_error(rung.mean_loss, rung.standard_error),
                short(rung.ess)
            )?;
        }
        if !self.too_short.is_empty() {
            let temperatures: Vec<String> =
                self.too_short.iter().map(|beta| short(*beta)).collect();
            write!(
                f,
                "\nwarning: the chains are too short at β = {}; raise the burn-in and the number of draws",
                temperatures.join(", ")
            )?;
        }
        if !self.completed {
            write!(
                f,
                "\nthe observer stopped the run before the last temperature"
            )?;
        }
        Ok(())
    }
}
