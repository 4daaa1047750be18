use serde::{Deserialize, Serialize};

/// The constants of Hoffman and Gelman 2014, with which Stan tunes: how strongly the step is drawn to `μ`, how many
/// iterations count less, and how fast older steps are forgotten in the average.
const SHRINKAGE: f64 = 0.05;
const DELAY: f64 = 10.0;
const FORGETTING: f64 = 0.75;

/// Logarithms of steps stay within the range of numbers.
const MOST: f64 = 690.0;

/// Nesterov's dual averaging: tunes a step so that the mean acceptance is a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DualAveraging {
    target: f64,
    /// `μ`, towards which steps are drawn: the logarithm of ten times the first step.
    center: f64,
    count: u32,
    /// The weighted mean of the target less the acceptance.
    shortfall: f64,
    log_step: f64,
    log_average: f64,
}

impl DualAveraging {
    pub(super) fn new(target: f64, first: f64) -> Self {
        let log_step = first.ln();
        Self {
            target,
            center: (10.0 * first).ln(),
            count: 0,
            shortfall: 0.0,
            log_step,
            log_average: log_step,
        }
    }

    /// The step of the next proposal while the step is tuned.
    pub(super) fn current(&self) -> f64 {
        self.log_step.exp()
    }

    /// The step to go on with: an average of those so far, the first one if there is none.
    pub(super) fn average(&self) -> f64 {
        self.log_average.exp()
    }

    /// Learns from the acceptance probability of a proposal.
    pub(super) fn update(&mut self, acceptance: f64) {
        self.count = self.count.saturating_add(1);
        let count = f64::from(self.count);
        let weight = 1.0 / (count + DELAY);
        self.shortfall += weight * (self.target - acceptance - self.shortfall);
        let log_step = self.center - count.sqrt() / SHRINKAGE * self.shortfall;
        self.log_step = log_step.clamp(-MOST, MOST);
        let weight = count.powf(-FORGETTING);
        self.log_average += weight * (self.log_step - self.log_average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_averaged_step_has_the_target_acceptance() {
        for (target, first) in [(0.9, 1.0), (0.574, 1e-3), (0.8, 100.0)] {
            let mut tuning = DualAveraging::new(target, first);
            assert_eq!(tuning.current(), tuning.average());
            for count in 0..2000 {
                // Acceptances scatter about 1 / (1 + ε).
                let mean = 1.0 / (1.0 + tuning.current());
                let spread = 0.5 * mean.min(1.0 - mean);
                let sign = if count % 4 < 2 { 1.0 } else { -1.0 };
                tuning.update(mean + sign * spread);
            }
            let found = 1.0 / (1.0 + tuning.average());
            assert!((found - target).abs() < 0.02, "{target}: {found}");
        }
    }

    #[test]
    fn the_first_updates_are_those_of_the_formula() {
        let mut tuning = DualAveraging::new(0.9, 1.0);
        tuning.update(0.5);
        // H̄ = 0.4/11, ln ε = ln 10 − H̄/0.05, and the first average is the step itself.
        let expected = 10.0_f64.ln() - 0.4 / 11.0 / 0.05;
        assert!((tuning.current().ln() - expected).abs() < 1e-12);
        assert!((tuning.average().ln() - expected).abs() < 1e-12);
        tuning.update(1.0);
        let shortfall = (1.0 - 1.0 / 12.0) * 0.4 / 11.0 - 0.1 / 12.0;
        let second = 10.0_f64.ln() - 2.0_f64.sqrt() / 0.05 * shortfall;
        assert!((tuning.current().ln() - second).abs() < 1e-12);
        let weight = 2.0_f64.powf(-0.75);
        let average = weight * second + (1.0 - weight) * expected;
        assert!((tuning.average().ln() - average).abs() < 1e-12);
    }

    #[test]
    fn a_target_that_no_step_reaches_keeps_the_step_finite() {
        let mut tuning = DualAveraging::new(0.5, 1.0);
        for _ in 0..1_000_000 {
            tuning.update(1.0);
        }
        assert!(tuning.current().is_finite() && tuning.average().is_finite());
    }
}
