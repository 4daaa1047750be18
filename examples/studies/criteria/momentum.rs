//! Momentum in a valley, with noise, and on digits. Fixed after pilots with the seeds 2 to 4.

use crate::studies::frame::{Check, Measured, Verdict};

mod laws;

pub(crate) use laws::{Kind, Method, height};

/// Of the valley, whose loss is `½ Σ h w²`.
pub(crate) const CURVATURES: [f64; 2] = [1.0, 100.0];
/// Where its loss is 1, half of it along each curvature.
pub(crate) const START: [f64; 2] = [1.0, 0.1];
/// The loss to come to.
pub(crate) const GOAL: f64 = 1e-8;
pub(crate) const MOMENTA: [f64; 3] = [0.5, 0.9, 0.99];

/// The two ways in which rates are compared under noise.
pub(crate) const RATE: f64 = 0.002;
pub(crate) const EFFECTIVE_RATE: f64 = 0.01;

/// Momentum of the comparisons with plain SGD.
const USUAL: Method = Method::heavy_ball(0.9);

pub(crate) const FACTOR: &str = "factor of a step";
pub(crate) const STEPS: &str = "steps to a loss of 1e-8";
pub(crate) const COSINE: &str = "cosine between steps";
/// Along each curvature.
pub(crate) const VARIANCES: [&str; 2] = ["variance along 1", "variance along 100"];
/// Those of one seed, from the spread over its paths.
pub(crate) const ERRORS: [&str; 2] = ["its error along 1", "its error along 100"];

pub(crate) const PLAIN: &str = "digits: plain SGD, rate 0.05";
pub(crate) const OTHER_ORDER: &str = "digits: plain SGD, other batches";
pub(crate) const MATCHED: &str = "digits: heavy ball 0.9, rate 0.005";
pub(crate) const SLOW: &str = "digits: heavy ball 0.99, rate 0.0005";
pub(crate) const AHEAD: &str = "digits: Nesterov 0.9, rate 0.005";
pub(crate) const SAME_RATE: &str = "digits: heavy ball 0.9, rate 0.05";
/// Mean size of the logarithm of the loss over that of plain SGD with the same batches.
pub(crate) const DISTANCE: &str = "distance of the loss curve";
/// The loss above that of the mean weights, over that of plain SGD.
pub(crate) const RESPONSE: &str = "noise response";

/// Factors are read from peaks of the loss, and differ from the law by oscillations and powers of the step.
const FACTOR_TOLERANCE: f64 = 3e-3;
/// Gradient descent takes 6.8 times as many steps as the fastest heavy ball.
const SPEEDUP: f64 = 5.0;
/// For the farthest of sixteen variances.
const MOST_ERRORS: f64 = 3.5;
/// For ratios of variances.
const RATIO_TOLERANCE: f64 = 0.05;
/// The distance at the matched rate over that at the same rate.
const NEARER: f64 = 0.2;
/// The same over that of other batches.
const AS_NEAR: f64 = 2.0;
/// For noise responses at the matched rate.
const SAME_RESPONSE: [f64; 2] = [0.8, 1.25];
/// At the same rate: half of 1/(1 − β).
const MORE_RESPONSE: f64 = 5.0;

/// How a rate follows from a momentum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rates {
    /// The same for all.
    Same,
    /// Times one minus the momentum.
    Matched,
}

impl Rates {
    pub(crate) fn of(self, method: Method) -> f64 {
        match self {
            Self::Same => RATE,
            Self::Matched => EFFECTIVE_RATE * (1.0 - method.momentum),
        }
    }
}

/// The methods whose steps are counted in the valley.
pub(crate) fn methods() -> Vec<Method> {
    let mut methods = vec![Method::DESCENT];
    for kind in [Kind::HeavyBall, Kind::Nesterov] {
        methods.extend(MOMENTA.map(|momentum| Method { kind, momentum }));
        methods.push(Method::best(kind));
    }
    methods
}

/// The methods under noise.
pub(crate) fn noisy_methods() -> Vec<(Method, Rates)> {
    let balls = [0.0].into_iter().chain(MOMENTA).map(Method::heavy_ball);
    let methods = balls.chain([Method::nesterov(0.9)]);
    let with_rates = |method| [Rates::Same, Rates::Matched].map(|rates| (method, rates));
    methods.flat_map(with_rates).collect()
}

/// The row of a method at its own best rate.
pub(crate) fn at_best(method: Method) -> String {
    format!("{}: best rate", method.name())
}

/// The row of a method at the best rate of gradient descent.
pub(crate) fn at_rate_of_descent(method: Method) -> String {
    format!("{}: rate of gradient descent", method.name())
}

/// The row of a method under noise.
pub(crate) fn noisy(method: Method, rates: Rates) -> String {
    let name = method.name();
    match rates {
        Rates::Same => format!("{name}: noise, rate {RATE}"),
        Rates::Matched => format!("{name}: noise, rate {EFFECTIVE_RATE} (1 − β)"),
    }
}

/// Without noise, momentum is fast as known; with it, it multiplies the noise as it does the rate, so that at a matched
/// rate it is plain SGD.
pub(crate) fn judge(found: &Measured) -> Verdict {
    let parts = [in_the_valley(found), with_noise(found), on_digits(found)];
    Verdict::of(parts.into_iter().flatten().collect())
}

fn in_the_valley(found: &Measured) -> Vec<Check> {
    let factor = |method: Method| found.mean(&at_best(method), FACTOR);
    let steps = |method: Method| found.mean(&at_best(method), STEPS);
    let law = |method: Method| method.factor(method.best_rate());
    let (descent, ball) = (Method::DESCENT, Method::best(Kind::HeavyBall));
    let factors = methods().into_iter().map(|it| factor(it) - law(it));
    let more = |method: Method| steps(method) - method.steps(method.best_rate());
    let counts = methods().into_iter().map(more);
    let [flat, steep] = CURVATURES;
    let zigzag = found.mean(&at_best(descent), COSINE);
    let turned = found.mean(&at_rate_of_descent(USUAL), COSINE);
    vec![
        Check::near(
            "factor of gradient descent",
            factor(descent),
            law(descent),
            FACTOR_TOLERANCE,
        ),
        Check::near(
            "factor of the fastest heavy ball",
            factor(ball),
            law(ball),
            FACTOR_TOLERANCE,
        ),
        Check::at_most(
            "farthest factor of all methods from its law",
            farthest(factors),
            FACTOR_TOLERANCE,
        ),
        Check::at_most(
            "farthest number of steps from its law",
            farthest(counts),
            1.0,
        )
        .minor(),
        Check::at_least(
            "steps of gradient descent over those of the fastest heavy ball",
            steps(descent) / steps(ball),
            SPEEDUP,
        ),
        Check::near(
            "cosine between steps of gradient descent",
            zigzag,
            (flat - steep) / (flat + steep),
            1e-3,
        ),
        Check::at_least("the same with momentum 0.9 at this rate", turned, 0.0),
    ]
}

fn with_noise(found: &Measured) -> Vec<Check> {
    let distances = |kind: Kind| {
        let methods = noisy_methods();
        let methods = methods.into_iter().filter(move |it| it.0.kind == kind);
        methods.flat_map(|it| [0, 1].map(|index| from_law(found, it, index)))
    };
    let descent = Method::DESCENT;
    let ratio = |momentum: f64, rates: Rates| {
        let ball = noisy(Method::heavy_ball(momentum), rates);
        let plain = found.mean_of_all(&noisy(descent, rates), VARIANCES[0]);
        found.mean_of_all(&ball, VARIANCES[0]) / plain
    };
    let matched = MOMENTA.map(|it| ratio(it, Rates::Matched) - 1.0);
    let growth = MOMENTA.map(|it| ratio(it, Rates::Same) * (1.0 - it) - 1.0);
    vec![
        Check::at_most(
            "farthest variance of heavy ball and gradient descent from its law, in standard errors",
            farthest(distances(Kind::HeavyBall)),
            MOST_ERRORS,
        ),
        Check::at_most(
            "the same of Nesterov",
            farthest(distances(Kind::Nesterov)),
            MOST_ERRORS,
        )
        .minor(),
        Check::at_most(
            "farthest ratio to gradient descent from 1, at the matched rate along curvature 1",
            farthest(matched),
            RATIO_TOLERANCE,
        ),
        Check::at_most(
            "farthest (1 − β) times that ratio from 1, at the same rate",
            farthest(growth),
            RATIO_TOLERANCE,
        ),
    ]
}

fn on_digits(found: &Measured) -> Vec<Check> {
    let [matched, same, other] =
        [MATCHED, SAME_RATE, OTHER_ORDER].map(|row| found.mean_of_all(row, DISTANCE));
    let [response, more] = [MATCHED, SAME_RATE].map(|row| found.mean_of_all(row, RESPONSE));
    let [low, high] = SAME_RESPONSE;
    vec![
        Check::at_most(
            "distance from plain SGD at the matched rate over that at the same rate, on digits",
            matched / same,
            NEARER,
        ),
        Check::at_most(
            "the same over that of other batches",
            matched / other,
            AS_NEAR,
        )
        .minor(),
        Check::within("noise response at the matched rate", response, low, high),
        Check::at_least("noise response at the same rate", more, MORE_RESPONSE).minor(),
    ]
}

/// How far a variance is from its law, in standard errors over all seeds.
fn from_law(found: &Measured, (method, rates): (Method, Rates), index: usize) -> f64 {
    let row = noisy(method, rates);
    let errors = found.values(&row, ERRORS[index]);
    let squares = errors.iter().map(|error| error * error);
    let error = squares.sum::<f64>().sqrt() / errors.len() as f64;
    let law = method.variance(rates.of(method), CURVATURES[index]);
    (found.mean_of_all(&row, VARIANCES[index]) - law) / error
}

/// The largest size. Not a number if one is none.
fn farthest(values: impl IntoIterator<Item = f64>) -> f64 {
    let sizes = values.into_iter().map(f64::abs);
    sizes.fold(0.0, |farthest, size| {
        if farthest.is_nan() || size <= farthest {
            farthest
        } else {
            size
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::frame::Outcome;

    /// Made-up numbers: those of the laws, changed.
    #[derive(Clone, Copy)]
    struct Made {
        /// Added to factors.
        slower: f64,
        /// Of cosines.
        sign: f64,
        /// Variances are multiplied by `(1 − β)^−noise`.
        noise: f64,
        /// Of what is measured on digits at the matched rate.
        away: f64,
    }

    const LAWFUL: Made = Made {
        slower: 0.0,
        sign: 1.0,
        noise: 0.0,
        away: 1.0,
    };

    fn measured(made: Made) -> Measured {
        let mut found = Measured::default();
        for method in methods() {
            let row = at_best(method);
            let (factor, steps) = (
                method.factor(method.best_rate()),
                method.steps(method.best_rate()),
            );
            found.push(row.as_str(), FACTOR, factor + made.slower);
            // Slow methods are all as slow as gradient descent.
            let is_slow = made.slower > 0.0;
            found.push(row.as_str(), STEPS, if is_slow { 461.0 } else { steps });
        }
        let descent = at_best(Method::DESCENT);
        found.push(descent, COSINE, -0.980_198 * made.sign);
        found.push(at_rate_of_descent(USUAL), COSINE, 0.3 * made.sign);
        for (method, rates) in noisy_methods() {
            let row = noisy(method, rates);
            for (index, curvature) in CURVATURES.into_iter().enumerate() {
                let law = method.variance(rates.of(method), curvature);
                let variance = law * (1.0 - method.momentum).powf(-made.noise);
                for spread in [0.99, 1.0, 1.01] {
                    found.push(row.as_str(), VARIANCES[index], variance * spread);
                    found.push(row.as_str(), ERRORS[index], 0.01 * variance);
                }
            }
        }
        for (row, distance, response) in [
            (OTHER_ORDER, 0.02, 1.0),
            (MATCHED, 0.02 * made.away, 1.05 * made.away),
            (SAME_RATE, 0.5, 8.0),
        ] {
            found.push(row, DISTANCE, distance);
            found.push(row, RESPONSE, response);
        }
        found
    }

    #[test]
    fn numbers_of_the_laws_pass() {
        let verdict = judge(&measured(LAWFUL));
        assert_eq!(verdict.outcome, Outcome::Reproduced, "{:?}", verdict.checks);
        assert_eq!(verdict.checks.len(), 15);
    }

    #[test]
    fn digits_that_do_not_follow_are_a_part() {
        let verdict = judge(&measured(Made {
            away: 20.0,
            ..LAWFUL
        }));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        assert_eq!(verdict.checks.iter().filter(|it| !it.holds).count(), 3);
    }

    #[test]
    fn more_noise_than_the_matched_rate_has_is_noticed() {
        let verdict = judge(&measured(Made {
            noise: 0.5,
            ..LAWFUL
        }));
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        let failed = verdict.checks.iter().filter(|it| !it.holds);
        // Both kinds, the equality and the growth.
        assert_eq!(failed.count(), 4);
    }

    #[test]
    fn a_run_that_diverged_is_not_left_out() {
        let mut found = measured(LAWFUL);
        found.push(SAME_RATE, DISTANCE, f64::NAN);
        let verdict = judge(&found);
        assert_eq!(verdict.outcome, Outcome::PartlyReproduced);
        assert_eq!(verdict.checks.iter().filter(|it| !it.holds).count(), 1);
    }

    #[test]
    fn what_follows_no_law_fails() {
        let verdict = judge(&measured(Made {
            slower: 0.05,
            sign: -1.0,
            noise: 0.5,
            away: 20.0,
        }));
        assert_eq!(
            verdict.outcome,
            Outcome::NotReproduced,
            "{:?}",
            verdict.checks
        );
    }

    #[test]
    fn nothing_is_not_reproduced() {
        let verdict = judge(&Measured::default());
        assert_eq!(verdict.outcome, Outcome::NotReproduced);
        assert!(verdict.checks.iter().all(|check| !check.holds));
    }

    #[test]
    fn the_farthest_is_none_if_one_is_none() {
        assert_eq!(farthest([0.1, -0.3, 0.2]), 0.3);
        assert!(farthest([0.1, f64::NAN, 0.2]).is_nan());
    }

    #[test]
    fn rows_have_their_names() {
        let ball = Method::heavy_ball(0.9);
        assert_eq!(at_best(ball), "heavy ball, momentum 0.9: best rate");
        let row = noisy(Method::DESCENT, Rates::Matched);
        assert_eq!(row, "gradient descent: noise, rate 0.01 (1 − β)");
        let row = noisy(ball, Rates::Same);
        assert_eq!(row, "heavy ball, momentum 0.9: noise, rate 0.002");
    }
}
