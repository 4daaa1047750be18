//! Networks on digits, by momentum and by plain SGD with the same batches.

use std::iter::zip;
use std::ops::ControlFlow;

use burn::tensor::{DType, Device};
use burnscape::krylov::Estimate;
use burnscape::loss::Recorded;
use burnscape::optim::SwaConfig;
use burnscape::space::{ParamSpace, ParamVector};

use super::optimizer;
use crate::Failure;
use crate::studies::criteria::momentum::{
    AHEAD, COSINE, DISTANCE, MATCHED, Method, OTHER_ORDER, PLAIN, RESPONSE, SAME_RATE, SLOW,
};
use crate::studies::digits::{CLASSES, Digits, NUM_TRAIN, PIXELS};
use crate::studies::frame::{Measured, Plan};
use crate::studies::losses::{cross_entropy, number};
use crate::studies::network::{Activation, Mlp};
use crate::studies::training::{Course, Draws, minibatch};

const SIZES: [usize; 3] = [PIXELS, 32, CLASSES];
const BATCH: usize = 8;
/// Labels that are drawn anew, so that gradients stay noisy.
const SHARE: f64 = 0.2;
const STEPS: usize = 3000;
/// The last steps, whose weights and losses are averaged.
const WINDOW: usize = 500;
/// Steps between two points of the averages, and of the curve.
const EVERY: usize = 10;
const CURVE: usize = 50;
/// Curves are compared from here on.
const FROM: usize = 200;

pub(super) const LOSS: &str = "mean loss at the end";
const EXCESS: &str = "loss above that of the mean weights";
/// Seed by seed.
pub(super) const DIFFERENCE: &str = "digits: heavy ball 0.9, rate 0.005 − plain SGD";

/// A training beside the others.
struct Arm {
    row: &'static str,
    method: Method,
    rate: f64,
    /// Of the batches.
    order: u64,
}

/// The first is plain SGD.
static ARMS: [Arm; 6] = [
    arm(PLAIN, Method::DESCENT, 0.05),
    Arm {
        order: 1,
        ..arm(OTHER_ORDER, Method::DESCENT, 0.05)
    },
    arm(MATCHED, Method::heavy_ball(0.9), 0.005),
    arm(SLOW, Method::heavy_ball(0.99), 0.0005),
    arm(AHEAD, Method::nesterov(0.9), 0.005),
    arm(SAME_RATE, Method::heavy_ball(0.9), 0.05),
];

const fn arm(row: &'static str, method: Method, rate: f64) -> Arm {
    Arm {
        row,
        method,
        rate,
        order: 0,
    }
}

/// What is seen along a training.
struct Followed {
    /// Steps and losses on all data.
    curve: Vec<(f64, f64)>,
    cosine: f64,
    /// Mean over the window.
    loss: f64,
    /// Above that of the mean weights.
    excess: f64,
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?.with_noisy_labels(0..NUM_TRAIN, SHARE, 0);
    let with_arms = |&seed: &u64| ARMS.iter().map(move |arm| (arm, seed));
    let jobs: Vec<(&Arm, u64)> = plan.seeds.iter().flat_map(with_arms).collect();
    let runs = plan.over(&jobs, |&(arm, seed)| {
        let run = followed(plan, &digits, arm, seed)?;
        plan.progress(format!("{}, seed {seed}: loss {:.3}", arm.row, run.loss));
        Ok(run)
    })?;
    for (index, runs) in runs.chunks(ARMS.len()).enumerate() {
        let plain = &runs[0];
        for (arm, run) in zip(&ARMS, runs) {
            if arm.row != PLAIN {
                let distance = distance(plan, &run.curve, &plain.curve);
                found.push(arm.row, DISTANCE, distance);
                found.push(arm.row, RESPONSE, run.excess / plain.excess);
            }
            found.push(arm.row, EXCESS, run.excess);
            found.push(arm.row, COSINE, run.cosine);
            found.push(arm.row, LOSS, run.loss);
            if arm.row == MATCHED {
                found.push(DIFFERENCE, LOSS, run.loss - plain.loss);
            }
            if index == 0 {
                let curve = run.curve.clone();
                found.line("Loss on digits", "step", "training loss", arm.row, curve);
            }
        }
    }
    Ok(())
}

fn followed(plan: &Plan, digits: &Digits, arm: &Arm, seed: u64) -> Result<Followed, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let data = digits.train(place);
    let net = Mlp::new(&SIZES, Activation::Tanh, seed, place)?;
    let loss = Recorded::new(cross_entropy::<Mlp>);
    let [steps, window] = plan.pick([STEPS, WINDOW], [60, 20]);
    let from = steps - window;
    let every = plan.pick(CURVE, 10);
    let average = SwaConfig::new().with_start(from).with_every(EVERY);
    let mut average = average.init()?;
    let mut moves = Moves::of(&net)?;
    let (mut curve, mut late) = (Vec::new(), Vec::new());
    let net = minibatch(
        net,
        &mut optimizer(arm.method),
        &loss,
        &data,
        &mut Draws::replaced(NUM_TRAIN, BATCH, 2 * seed + arm.order),
        Course::constant(steps, arm.rate),
        |seen| {
            let is_averaged = average.update(seen.step, seen.model)?;
            let is_drawn = seen.step.is_multiple_of(every);
            if is_averaged || is_drawn {
                let value = number(loss.loss_on(seen.model, data.clone())?)?;
                late.extend(is_averaged.then_some(value));
                curve.extend(is_drawn.then_some((seen.step as f64, value)));
            }
            if seen.step >= from {
                moves.see(seen.model)?;
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let mean = average.average(&net)?;
    let floor = number(loss.loss_on(&mean, data)?)?;
    let late = Estimate::of(&late).value;
    Ok(Followed {
        curve,
        cosine: Estimate::of(&moves.cosines).value,
        loss: late,
        excess: late - floor,
    })
}

/// The mean size of the logarithm of the ratio of two losses.
fn distance(plan: &Plan, curve: &[(f64, f64)], plain: &[(f64, f64)]) -> f64 {
    let from = plan.pick(FROM, 10) as f64;
    let both = zip(curve, plain).filter(|(point, _)| point.0 >= from);
    let sizes: Vec<f64> = both
        .map(|(point, other)| (point.1 / other.1).ln().abs())
        .collect();
    Estimate::of(&sizes).value
}

/// The steps of the weights.
struct Moves {
    space: ParamSpace,
    place: Option<ParamVector>,
    step: Option<ParamVector>,
    /// Of each step with the one before.
    cosines: Vec<f64>,
}

impl Moves {
    fn of(net: &Mlp) -> Result<Self, Failure> {
        Ok(Self {
            space: ParamSpace::of(net)?,
            place: None,
            step: None,
            cosines: Vec::new(),
        })
    }

    fn see(&mut self, net: &Mlp) -> Result<(), Failure> {
        let place = ParamVector::from_module(&self.space, net)?;
        let Some(before) = self.place.replace(place.clone()) else {
            return Ok(());
        };
        let step = place.axpy(-1.0, &before)?;
        if let Some(before) = self.step.replace(step.clone()) {
            let product = step.dot(&before)?;
            self.cosines.push(product / (step.norm()? * before.norm()?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_mean_logarithms() {
        let plan = Plan::new("a", vec![0], false);
        let curve = [(0.0, 1.0), (200.0, 2.0), (250.0, 0.5)];
        let plain = [(0.0, 9.0), (200.0, 1.0), (250.0, 1.0)];
        assert!((distance(&plan, &curve, &plain) - 2.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn moves_have_cosines() {
        let device = Device::default();
        let place = (&device, DType::F64);
        let [one, other] =
            [1, 2].map(|seed| Mlp::new(&[4, 2], Activation::Tanh, seed, place).unwrap());
        let mut moves = Moves::of(&one).unwrap();
        for net in [&one, &other, &one] {
            moves.see(net).unwrap();
        }
        assert_eq!(moves.cosines.len(), 1);
        assert!((moves.cosines[0] + 1.0).abs() < 1e-12);
    }
}
