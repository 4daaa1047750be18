//! What momentum does: to steps in a valley, to noise, and to networks beside plain SGD at a matched rate.

use std::iter::zip;

use burn::optim::{ModuleOptimizer, SgdConfig};

use super::criteria::momentum::{
    COSINE, DISTANCE, ERRORS, Kind, MATCHED, MOMENTA, Method, OTHER_ORDER, RESPONSE, Rates,
    SAME_RATE, STEPS, VARIANCES, at_best, at_rate_of_descent, judge, noisy, noisy_methods,
};
use super::frame::{Measured, Plan, Reference, Study};
use super::numbers::{number, with_error};
use super::training::{heavy_ball, nesterov};
use crate::Failure;
use on_digits::{DIFFERENCE, LOSS};

mod on_digits;
mod valley;

pub(crate) static STUDY: Study = Study {
    name: "momentum",
    claim: "Without noise, momentum puts the root of the condition number in its place; with noise it multiplies the \
            noise by 1/(1 − β) as it does the rate, so that SGD with momentum is plain SGD at a rate that is larger by \
            this factor.",
    papers: &[
        "Polyak 1964, Some methods of speeding up the convergence of iteration methods",
        "Goh 2017, Why momentum really works, distill.pub",
        "Kidambi et al. 2018, arXiv:1803.05591",
        "Wang et al. 2024, arXiv:2307.15196",
    ],
    ran: "Burn's SGD with momentum and without dampening, from rest. In a valley with the curvatures 1 and 100, in \
          double precision: gradient descent, heavy ball and Nesterov with momentum 0.5, 0.9, 0.99 and the best one, \
          each at its best rate, with the factor of late steps, the steps to a loss of 1e-8, and the mean cosine \
          between a step and the next over the first 100; heavy ball also at the best rate of gradient descent. With \
          gradients that have noise of variance 1: 2,000 paths a seed along each curvature, 2,000 steps to settle and \
          1,000 to measure, at a rate of 0.002 for all and at 0.01 (1 − β). On 1,280 digits, a fifth of whose labels \
          are drawn anew: tanh 64-32-10 with cross-entropy, batches of 8 with replacement, 3,000 steps; momentum at \
          (1 − β) times the rate of plain SGD and at the same rate, with the same initial weights and batches, and \
          plain SGD with other batches. Distances of loss curves are means of |ln| of their ratio from step 200 on; \
          the noise response is the mean loss of the last 500 steps above that of their mean weights, over that of \
          plain SGD.",
    would_change: "A factor of a step or a variance that is not that of its law; a variance along curvature 1 that \
                   differs by more than 5 % from that of plain SGD at the matched rate, or from 1/(1 − β) times that at \
                   the same rate; on digits, a loss curve that is not five times nearer to plain SGD at the matched \
                   rate than at the same rate, or a noise response at the matched rate outside 0.8 to 1.25.",
    wrong: "That momentum smooths a zigzag. It does at the rate of gradient descent; at its own best rate heavy ball \
            turns around in almost every step. That it averages noise away: a lower rate does, with or without \
            momentum. And that both always agree at a matched rate: along curvature 100 a rate of 0.01 is half of the \
            edge of gradient descent, which has about twice the variance there, as the law says.",
    // Exact.
    references: &[
        Reference::new("gradient descent: best rate", STEPS, 461.0, 0.5),
        Reference::new("gradient descent: best rate", COSINE, -0.980_198, 5e-7),
    ],
    run,
    judge,
};

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    plan.progress("a valley without noise");
    valley::without_noise(plan, found)?;
    with_noise(plan, found)?;
    on_digits::run(plan, found)?;
    notes(found);
    Ok(())
}

/// Without dampening.
fn optimizer(method: Method) -> ModuleOptimizer {
    if method == Method::DESCENT {
        return SgdConfig::new().init();
    }
    match method.kind {
        Kind::HeavyBall => heavy_ball(method.momentum).init(),
        Kind::Nesterov => nesterov(method.momentum).init(),
    }
}

fn with_noise(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let methods = noisy_methods();
    let with_seeds = |&method: &(Method, Rates)| plan.seeds.iter().map(move |&seed| (method, seed));
    let jobs: Vec<((Method, Rates), u64)> = methods.iter().flat_map(with_seeds).collect();
    let runs = plan.over(&jobs, |&((method, rates), seed)| {
        plan.progress(format!("{}, seed {seed}", noisy(method, rates)));
        valley::stationary(plan, (method, rates), seed)
    })?;
    for (((method, rates), _), variances) in zip(jobs, runs) {
        let row = noisy(method, rates);
        for (index, variance) in variances.into_iter().enumerate() {
            let error = variance.standard_error.unwrap_or(f64::NAN);
            found.push(row.as_str(), VARIANCES[index], variance.value);
            found.push(row.as_str(), ERRORS[index], error);
        }
    }
    for (rates, series) in [
        (Rates::Same, "the same rate"),
        (Rates::Matched, "times 1 − β"),
    ] {
        let balls = [0.0].into_iter().chain(MOMENTA);
        let points = balls.map(|momentum| {
            let row = noisy(Method::heavy_ball(momentum), rates);
            let plain = found.mean(&noisy(Method::DESCENT, rates), VARIANCES[0]);
            let response = found.mean(&row, VARIANCES[0]) / plain;
            (1.0 / (1.0 - momentum), response)
        });
        let points = points.collect();
        found.line(
            "Variance along curvature 1 over that of gradient descent",
            "1 / (1 − β)",
            "ratio",
            series,
            points,
        );
    }
    Ok(())
}

fn notes(found: &mut Measured) {
    let usual = Method::heavy_ball(0.9);
    let steps = |method: Method| number(found.mean(&at_best(method), STEPS));
    let valley = format!(
        "Steps to a loss of 1e-8 at the best rates: gradient descent {}, heavy ball with momentum 0.9 {}, with the \
         best momentum {}, Nesterov with its own {}. Mean cosines of heavy ball with momentum 0.9: {} at the rate of \
         gradient descent, {} at its own.",
        steps(Method::DESCENT),
        steps(usual),
        steps(Method::best(Kind::HeavyBall)),
        steps(Method::best(Kind::Nesterov)),
        number(found.mean(&at_rate_of_descent(usual), COSINE)),
        number(found.mean(&at_best(usual), COSINE)),
    );
    let text = |row: &str, column: &str| {
        let (mean, error) = (found.mean(row, column), found.standard_error(row, column));
        with_error(mean, Some(error))
    };
    let curves = format!(
        "On digits, the loss curve of heavy ball 0.9 is {} away from that of plain SGD at the matched rate and {} at \
         the same rate; other batches make {}. Its noise response is {} and {}.",
        text(MATCHED, DISTANCE),
        text(SAME_RATE, DISTANCE),
        text(OTHER_ORDER, DISTANCE),
        text(MATCHED, RESPONSE),
        text(SAME_RATE, RESPONSE)
    );
    let size = found.mean(DIFFERENCE, LOSS).abs() / found.standard_error(DIFFERENCE, LOSS);
    let said = match size >= 2.0 {
        true => "a clear difference",
        false => "no clear difference",
    };
    let ends = format!(
        "At the end, its loss at the matched rate less that of plain SGD is {}: {said}.",
        text(DIFFERENCE, LOSS)
    );
    for note in [valley, curves, ends] {
        found.note(note);
    }
}
