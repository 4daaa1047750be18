//! The noise of minibatches beside Gaussian noise of the same covariance, isotropic noise of the same trace and none,
//! all from one sharp minimum.

use std::iter::zip;
use std::slice::from_ref;

use burn::optim::SgdConfig;
use burn::tensor::{DType, Device};
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureReading, Due, GradientNoiseConfig, Moment, NoiseEstimator,
    Observation, Watch,
};
use burnscape::krylov::{EigenpairsConfig, TraceConfig, Which};
use burnscape::loss::{Recorded, Risk};
use burnscape::space::{LeafVector, ParamSpace};

use super::criteria::gradient_noise::{
    ALIGNMENT, GAUSSIAN, ISOTROPIC, ISOTROPIC_MINIBATCH, LAMBDA, LAST_LAMBDA, MINIBATCH,
    MINIBATCH_GAUSSIAN, NONE, NONE_MINIBATCH, OUT, START, TEST, TIME, judge,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS, Place, Targeted};
use super::frame::{Measured, Plan, Study};
use super::losses::{accuracy, half_mse, number};
use super::network::{Activation, Mlp};
use super::numbers::{self, with_error};
use super::training::{Course, full_batch, unwatched};
use crate::Failure;
use noise::{Gradients, Noise};

mod noise;

pub(crate) static STUDY: Study = Study {
    name: "gradient-noise",
    claim: "The noise of minibatches is aligned with the curvature, and leaves sharp minima where isotropic noise of the \
            same size does not; what counts is its covariance, and Gaussian noise with the same one does the same.",
    papers: &[
        "Zhu et al. 2018, arXiv:1803.00195",
        "Wu et al. 2020, arXiv:1906.07405",
    ],
    ran: "Tanh 64-16-10 on 256 digits, of whose labels a fifth is drawn anew, with half the squared error. 6,000 \
          steps of gradient descent at a rate of 0.1 make the start, which all runs of a seed share. Each of them \
          takes 2,000 steps at a rate of one over λ_max of the start, half of what gradient descent bears there: \
          without noise; by SGD on batches of 4 drawn with replacement; by the gradient of all data plus a Gaussian \
          vector with the covariance Σ/4 of SGD at the same weights, which is the gradient of a loss with random \
          weights for its examples; and by the gradient plus a vector as long as such a Gaussian one, in a direction \
          that is uniform over all weights. 200 steps without noise follow. λ_max is the mean over the last quarter \
          of the noisy steps; the other columns, λ_max without noise among them, are of the last step of all. The \
          trace of Σ, and its alignment with the Hessian, tr(HΣ) d / (tr H tr Σ), are those at the start, from the \
          gradients of all examples.",
    would_change: "A λ_max after SGD that is less than 3 standard errors below that without noise, or above 0.8 of it; \
                   one after Gaussian noise that differs from SGD's by a quarter of that fall, 3 standard errors of \
                   the difference included; one after isotropic noise less than 3 standard errors above SGD's, or \
                   half of the way to it.",
    wrong: "That noise leaves minima because it moves far: compare the distances. That a flatter place fits better: \
            compare the training losses after the steps without noise. That noise seeks flat places whatever its \
            size: the rate and the batch are chosen so that it is strong. And that Gaussian noise would do at every \
            batch size and rate: the noise of small batches has heavier tails, which longer steps may show.",
    references: &[],
    run,
    judge,
};

const EXAMPLES: usize = 256;
const HIDDEN: usize = 16;
/// The share of labels that are drawn anew.
const LABEL_NOISE: f64 = 0.2;
/// Of gradient descent to the start.
const START_RATE: f64 = 0.1;
const START_STEPS: usize = 6000;
/// The rate after the start, times λ_max there. Gradient descent is stable up to 2.
const RATE_SHARE: f64 = 1.0;
/// With noise, and without it afterwards.
const STEPS: usize = 2000;
const LAST_STEPS: usize = 200;
const EVERY: usize = 50;
/// A run with a larger loss is lost.
const LOST: f64 = 1e3;

const LOSS: &str = "training loss";
const TRACE: &str = "trace of H";
const ACCURACY: &str = "test accuracy";
const DISTANCE: &str = "distance from the start";
const RATE: &str = "rate";
const NOISE: &str = "trace of Σ";

/// Measured of the start and of each end, in the order of a `State`.
const COLUMNS: [&str; 5] = [LAST_LAMBDA, TRACE, LOSS, TEST, ACCURACY];
type State = [f64; COLUMNS.len()];

const NOISES: [(&str, Noise); 4] = [
    (NONE, Noise::None),
    (MINIBATCH, Noise::Minibatch),
    (GAUSSIAN, Noise::Gaussian),
    (ISOTROPIC, Noise::Isotropic),
];

/// Rows of differences, of the first and the second of these rows.
const DIFFERENCES: [(&str, &str, &str); 3] = [
    (NONE_MINIBATCH, NONE, MINIBATCH),
    (MINIBATCH_GAUSSIAN, MINIBATCH, GAUSSIAN),
    (ISOTROPIC_MINIBATCH, ISOTROPIC, MINIBATCH),
];

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let seeds = plan.over_seeds(|seed| {
        let device = Device::default().autodiff();
        let images = Images::new(plan, &digits, seed, (&device, DType::F32));
        let start = Start::of(plan, &images, seed)?;
        let runs = NOISES.iter();
        let runs = runs.map(|&(_, noise)| start.followed(plan, &images, noise));
        let runs: Vec<Run> = runs.collect::<Result<_, Failure>>()?;
        plan.progress(format!(
            "seed {seed}: λ_max {:.2} at the start",
            start.lambda
        ));
        Ok((start.numbers, runs))
    })?;
    for (numbers, runs) in &seeds {
        for &(column, value) in numbers {
            found.push(START, column, value);
        }
        for ((row, _), run) in zip(NOISES, runs) {
            for (column, value) in run.columns() {
                found.push(row, column, value);
            }
        }
    }
    differences(found);
    if let Some((_, runs)) = seeds.first() {
        for ((row, _), run) in zip(NOISES, runs) {
            let of = |value: fn(&CurvatureReading) -> f64| -> Vec<(f64, f64)> {
                let readings = run.readings.iter();
                readings
                    .map(|seen| (seen.step as f64, value(&seen.reading)))
                    .collect()
            };
            let (sharpness, losses) = (of(|it| it.sharpness), of(|it| it.loss));
            found.line(
                "λ_max with noise, first seed",
                "step",
                LAMBDA,
                row,
                sharpness,
            );
            found.line("loss with noise, first seed", "step", LOSS, row, losses);
        }
    }
    notes(found);
    Ok(())
}

/// The data of a run.
struct Images {
    train: Targeted,
    test: Targeted,
    labeled: Labeled,
}

impl Images {
    fn new(plan: &Plan, digits: &Digits, seed: u64, place: Place<'_>) -> Self {
        let count = plan.pick(EXAMPLES, 32);
        let digits = digits
            .clone()
            .with_noisy_labels(0..count, LABEL_NOISE, seed);
        Self {
            train: digits.targeted(0..count, place),
            test: digits.targeted(NUM_TRAIN..digits.len(), place),
            labeled: digits.test(place),
        }
    }

    /// In the order of the columns.
    fn state(&self, plan: &Plan, net: &Mlp) -> Result<State, Failure> {
        let objective = half_mse::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&self.train));
        let hessian = risk.hessian(net)?;
        let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
        let trace = TraceConfig::new().with_max_matvecs(plan.pick(64, 4));
        Ok([
            top.run(&hessian)?.values[0],
            trace.run(&hessian)?.value,
            risk.loss(net)?.value,
            number(half_mse(net, self.test.clone()))?,
            accuracy(net, &self.labeled)?,
        ])
    }
}

/// Where the runs of a seed begin.
struct Start {
    net: Mlp,
    lambda: f64,
    numbers: Vec<(&'static str, f64)>,
    seed: u64,
}

impl Start {
    fn of(plan: &Plan, images: &Images, seed: u64) -> Result<Self, Failure> {
        let device = images.train.0.device();
        let sizes = [PIXELS, plan.pick(HIDDEN, 4), CLASSES];
        let net = Mlp::new(&sizes, Activation::Tanh, seed, (&device, DType::F32))?;
        let loss = Recorded::new(half_mse::<Mlp>);
        let mut sgd = SgdConfig::new().init();
        let course = Course::constant(plan.pick(START_STEPS, 60), START_RATE);
        let net = full_batch(net, &mut sgd, &loss, &images.train, course, unwatched)?;

        let objective = half_mse::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&images.train));
        let noise = GradientNoiseConfig::new(NoiseEstimator::PerExample).with_curvature(true);
        let noise = noise.run(&risk, &net)?;
        let state = images.state(plan, &net)?;
        let [lambda, trace, ..] = state;
        let along = noise.curvature_trace.unwrap_or(f64::NAN);
        let dimension = ParamSpace::of(&net)?.len() as f64;
        let mut numbers = vec![
            (LAMBDA, lambda),
            (RATE, RATE_SHARE / lambda),
            (NOISE, noise.trace),
            (ALIGNMENT, along * dimension / (trace * noise.trace)),
        ];
        // At the start both are the same.
        let others = zip(COLUMNS, state).filter(|(column, _)| *column != LAST_LAMBDA);
        numbers.extend(others);
        Ok(Self {
            net,
            lambda,
            numbers,
            seed,
        })
    }

    /// A run from here.
    fn followed(&self, plan: &Plan, images: &Images, noise: Noise) -> Result<Run, Failure> {
        let space = ParamSpace::of(&self.net)?;
        let mut gradients = Gradients::new(&images.train, space.clone(), self.seed);
        let objective = half_mse::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&images.train));
        let monitor = CurvatureMonitorConfig::new().with_max_warm_matvecs(30);
        let every = plan.pick(EVERY, 10);
        let mut watch = Watch::new(Due::Every(every), monitor.init()?, risk)?;
        let (noisy, rest) = (plan.pick(STEPS, 20), plan.pick(LAST_STEPS, 4));
        let rate = RATE_SHARE / self.lambda;
        let (mut net, mut sgd) = (self.net.clone(), SgdConfig::new().init());
        let mut is_lost = false;
        for step in 0..=noisy + rest {
            let is_last = step == noisy + rest;
            if is_last || step.is_multiple_of(every) {
                let loss = number(half_mse(&net, images.train.clone()))?;
                is_lost = loss.is_nan() || loss > LOST;
            }
            if is_last || is_lost {
                break;
            }
            if step <= noisy {
                watch.observe(&Moment::new(step, rate, &net))?;
            }
            let noise = if step < noisy { noise } else { Noise::None };
            let gradient = gradients.of(noise, &net, step)?;
            net = sgd.step(rate, net, gradient.into_gradients());
        }
        let end = match is_lost {
            true => None,
            false => {
                let [from, to] = [&self.net, &net].map(|net| LeafVector::from_module(&space, net));
                let distance = to?.axpby(1.0, -1.0, &from?)?.norm()?;
                Some((images.state(plan, &net)?, distance))
            }
        };
        Ok(Run {
            readings: watch.readings().to_vec(),
            end,
        })
    }
}

/// What became of a run.
struct Run {
    readings: Vec<Observation<CurvatureReading>>,
    /// With the distance from the start. None if the run was lost.
    end: Option<(State, f64)>,
}

impl Run {
    fn columns(&self) -> Vec<(&'static str, f64)> {
        let sharpness = self.readings.iter().map(|seen| seen.reading.sharpness);
        let sharpness: Vec<f64> = sharpness.collect();
        let lambda = match self.end {
            Some(_) => last_quarter(&sharpness),
            None => f64::NAN,
        };
        let (state, distance) = self.end.unwrap_or(([f64::NAN; COLUMNS.len()], f64::NAN));
        let out = sharpness.iter().position(|it| *it <= OUT * sharpness[0]);
        let time = out.map_or(f64::NAN, |place| self.readings[place].step as f64);
        let mut columns = vec![(LAMBDA, lambda), (TIME, time)];
        columns.extend(zip(COLUMNS, state));
        columns.push((DISTANCE, distance));
        columns
    }
}

/// The mean of the last quarter, of one value at least.
fn last_quarter(values: &[f64]) -> f64 {
    let tail = &values[values.len() - values.len().div_ceil(4)..];
    tail.iter().sum::<f64>() / tail.len() as f64
}

/// Seed by seed.
fn differences(found: &mut Measured) {
    for (name, one, other) in DIFFERENCES {
        for column in [LAMBDA].into_iter().chain(COLUMNS) {
            let pairs = zip(found.values(one, column), found.values(other, column));
            let differences: Vec<f64> = pairs.map(|(a, b)| a - b).collect();
            found.extend(name, column, differences);
        }
    }
}

fn notes(found: &mut Measured) {
    let cell = |row: &str, column: &str| {
        let (mean, error) = (found.mean(row, column), found.standard_error(row, column));
        with_error(mean, Some(error))
    };
    let sharpness = format!(
        "λ_max is {} at the start, and {} after as many steps without noise, {} with SGD, {} with Gaussian noise of \
         the same covariance and {} with isotropic noise of the same trace: {} between SGD and the Gaussian, {} \
         between SGD and the isotropic one.",
        cell(START, LAMBDA),
        cell(NONE, LAMBDA),
        cell(MINIBATCH, LAMBDA),
        cell(GAUSSIAN, LAMBDA),
        cell(ISOTROPIC, LAMBDA),
        compared(found, MINIBATCH_GAUSSIAN, LAMBDA),
        compared(found, ISOTROPIC_MINIBATCH, LAMBDA)
    );
    let aligned = format!(
        "Along the curvature SGD has {} times the noise of isotropic noise with the same trace. It goes {} from the \
         start, isotropic noise {}. Test losses: {} between SGD and the Gaussian, {} between SGD and the isotropic one.",
        numbers::number(found.mean(START, ALIGNMENT)),
        cell(MINIBATCH, DISTANCE),
        cell(ISOTROPIC, DISTANCE),
        compared(found, MINIBATCH_GAUSSIAN, TEST),
        compared(found, ISOTROPIC_MINIBATCH, TEST)
    );
    for text in [sharpness, aligned] {
        found.note(text);
    }
}

/// Whether a difference is more than three standard errors.
fn compared(found: &Measured, row: &str, column: &str) -> &'static str {
    match found.mean(row, column).abs() / found.standard_error(row, column) {
        errors if errors > 3.0 => "a clear difference",
        errors if errors.is_nan() => "nothing to compare",
        _ => "no clear difference",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sharpness: &[f64], is_lost: bool) -> Vec<(&'static str, f64)> {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let net = Mlp::new(&[PIXELS, 2, CLASSES], Activation::Tanh, 0, place).unwrap();
        let data = Digits::of_recipes().unwrap().targeted(0..8, place);
        let objective = half_mse::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&data));
        let monitor = CurvatureMonitorConfig::new().init().unwrap();
        let mut watch = Watch::new(Due::Every(10), monitor, risk).unwrap();
        for step in 0..sharpness.len() {
            watch.observe(&Moment::new(10 * step, 0.1, &net)).unwrap();
        }
        let mut readings = watch.readings().to_vec();
        for (seen, value) in zip(&mut readings, sharpness) {
            seen.reading.sharpness = *value;
        }
        let end = (!is_lost).then_some(([1.0; COLUMNS.len()], 2.0));
        Run { readings, end }.columns()
    }

    #[test]
    fn a_run_is_out_at_a_share_of_what_it_was() {
        let columns = run(&[8.0, 6.0, 4.0, 2.0, 3.0], false);
        assert_eq!(columns[..2], [(LAMBDA, 2.5), (TIME, 10.0)]);
        assert_eq!(columns.last(), Some(&(DISTANCE, 2.0)));
    }

    #[test]
    fn a_run_that_is_lost_has_no_numbers() {
        let columns = run(&[8.0, 9.0], true);
        assert!(columns.iter().all(|(_, value)| value.is_nan()));
    }
}
