//! How long optimizers stay at a saddle.

use std::f64::consts::{EULER_GAMMA, LN_2, PI};

use crate::studies::frame::{Check, Measured, Verdict};

/// The learning rate, at a curvature of −1.
pub(crate) const RATE: f64 = 0.1;
pub(crate) const MOMENTUM: f64 = 0.9;
/// The standard deviation of the noise in each step.
pub(crate) const NOISE: f64 = 1e-4;
/// Radii of perturbed descent, from the largest.
pub(crate) const RADII: [f64; 3] = [1e-2, 1e-4, 1e-6];
/// Starts without noise.
pub(crate) const STARTS: [f64; 2] = [1e-6, 1e-12];

pub(crate) const DESCENT: &str = "gradient descent";
pub(crate) const HEAVY_BALL: &str = "heavy ball, momentum 0.9";
pub(crate) const NESTEROV: &str = "Nesterov, momentum 0.9";
pub(crate) const RMS_PROP: &str = "RMSProp, rate 0.01";
pub(crate) const ADAM: &str = "Adam, rate 0.01";
pub(crate) const NOISY: &str = "gradient descent with noise of 1e-4";
pub(crate) const PERTURBED: &str = "perturbed descent from (1, 0)";
pub(crate) const PLAIN: &str = "gradient descent from (1, 0)";

pub(crate) const FACTOR: &str = "factor of a step";
pub(crate) const STEPS: [&str; 2] = ["steps from 1e-6", "steps from 1e-12"];
pub(crate) const TIME: &str = "mean time";
pub(crate) const SPREAD: &str = "deviation of the time";
pub(crate) const PATHS: &str = "paths";
pub(crate) const ESCAPE: &str = "steps to a loss of -0.1";
pub(crate) const LOSS: &str = "last loss";
pub(crate) const LAMBDA: &str = "λ_min of the certificate";

/// The row of a radius of perturbed descent.
pub(crate) fn of_radius(radius: f64) -> String {
    format!("perturbed descent, radius {radius:e}")
}

/// The factor of a step of gradient descent, `1 + ηh`.
const GROWTH: f64 = 1.0 + RATE;

/// That of heavy ball: the larger root of `r² − (1 + β + ηh) r + β`.
fn heavy_ball() -> f64 {
    larger_root(MOMENTUM + GROWTH, MOMENTUM)
}

/// That of Nesterov: the larger root of `r² − (1 + β)(1 + ηh) r + β (1 + ηh)`.
fn nesterov() -> f64 {
    larger_root((1.0 + MOMENTUM) * GROWTH, MOMENTUM * GROWTH)
}

/// Of `r² − sum r + product`.
fn larger_root(sum: f64, product: f64) -> f64 {
    0.5 * (sum + (sum * sum - 4.0 * product).sqrt())
}

/// Mean and deviation of the steps to a distance of 1 with noise `s` in each step: the distance is `rᵗ` times a normal
/// number of the variance `s² / (r² − 1)`.
fn law() -> (f64, f64) {
    let log = GROWTH.ln();
    let start = ((GROWTH * GROWTH - 1.0).sqrt() / NOISE).ln();
    let mean = (start + 0.5 * (EULER_GAMMA + LN_2)) / log + 0.5;
    (mean, PI / 8.0_f64.sqrt() / log)
}

/// Momentum, noise and perturbed descent each follow their law; gradient descent from the ridge never leaves.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let (mean, spread) = law();
    let paths: f64 = found.values(NOISY, PATHS).iter().sum();
    let [time, deviation] = [TIME, SPREAD].map(|column| found.mean(NOISY, column));
    let (time_error, deviation_error) = (
        spread / paths.sqrt(),
        // The logarithm of a normal number has a kurtosis of 7.
        spread * (1.5 / paths).sqrt(),
    );
    let decades = (RADII[0] / RADII[2]).log10();
    let [near, far] = [RADII[0], RADII[2]].map(|radius| found.mean(&of_radius(radius), ESCAPE));
    let (longer, decade) = ((far - near) / decades, 10.0_f64.ln() / GROWTH.ln());
    let [heavy, ahead] = [HEAVY_BALL, NESTEROV].map(|row| found.mean(row, FACTOR));
    let steps = |row| STEPS.map(|column| found.mean(row, column));
    let [descent, adam, rms_prop] = [DESCENT, ADAM, RMS_PROP].map(steps);
    let [stuck, escaped] = [PLAIN, PERTURBED].map(|row| found.mean(row, LOSS));
    let lambda = found.mean(PERTURBED, LAMBDA);
    Verdict::of(vec![
        Check::agrees("mean time with noise", time, time_error, mean),
        Check::agrees("its deviation", deviation, deviation_error, spread).minor(),
        Check::near("steps of descent from 1e-6", descent[0], 145.0, 0.0).minor(),
        Check::near("factor of heavy ball", heavy, heavy_ball(), 1e-6),
        Check::near("factor of Nesterov", ahead, nesterov(), 1e-6),
        Check::within(
            "steps of perturbed descent for a radius ten times smaller",
            longer,
            decade - 0.5,
            decade + 0.5,
        ),
        Check::near("last loss of gradient descent", stuck, 0.0, 1e-6).minor(),
        Check::near("last loss of perturbed descent", escaped, -0.25, 1e-6),
        Check::near("λ_min of its certificate", lambda, 1.0, 1e-3).minor(),
        // Steps of adaptive optimizers do not shrink with the gradient, so that the distance hardly matters.
        Check::at_most("more steps of Adam from 1e-12", adam[1] - adam[0], 10.0).minor(),
        Check::at_most("of RMSProp", rms_prop[1] - rms_prop[0], 10.0).minor(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// What the laws say, with another mean time and factor of heavy ball.
    fn measured(time: f64, factor: f64) -> Measured {
        let mut found = Measured::default();
        for _ in 0..5 {
            found.push(NOISY, TIME, time);
            found.push(NOISY, SPREAD, 11.66);
            found.push(NOISY, PATHS, 20_000.0);
            found.push(PERTURBED, LOSS, -0.25);
            found.push(PERTURBED, LAMBDA, 1.0);
            for (radius, steps) in RADII.into_iter().zip([40.0, 88.0, 137.0]) {
                found.push(of_radius(radius), ESCAPE, steps);
            }
        }
        found.push(PLAIN, LOSS, 1e-9);
        found.push(HEAVY_BALL, FACTOR, factor);
        found.push(NESTEROV, FACTOR, 1.364_413_53);
        for (row, steps) in [(DESCENT, [145.0, 290.0]), (ADAM, [77.0, 78.0])] {
            for (column, steps) in STEPS.into_iter().zip(steps) {
                found.push(row, column, steps);
            }
        }
        found.push(RMS_PROP, STEPS[0], 17.0);
        found.push(RMS_PROP, STEPS[1], 18.0);
        found
    }

    #[test]
    fn laws_have_their_numbers() {
        assert!((law().0 - 95.613).abs() < 1e-3 && (law().1 - 11.654).abs() < 1e-3);
        assert!((heavy_ball() - 1.316_23).abs() < 5e-6);
        assert!((nesterov() - 1.364_41).abs() < 5e-6);
    }

    #[test]
    fn what_follows_the_laws_passes() {
        let verdict = judge(&measured(95.64, 1.316_227_8));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
    }

    #[test]
    fn another_time_or_factor_fails() {
        for found in [measured(95.8, 1.316_227_8), measured(95.64, 1.3172)] {
            let verdict = judge(&found);
            assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
            let failed = verdict.checks.iter().filter(|check| !check.holds);
            assert_eq!(failed.count(), 1);
        }
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }
}
