//! The loss on lines and curves between networks, against their width and depth.

use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::tensor::{DType, Device, Tensor};
use burnscape::align::{ActivationMatchingConfig, WeightMatchingConfig};
use burnscape::loss::{Batch, Objective, Recorded, Risk};
use burnscape::merge::{RepairConfig, interpolate};
use burnscape::path::{
    Barriers, BezierCurve, Curve, CurveFitterConfig, CurveProfile, CurveProfileConfig,
    GaripovLrScheduler, PolygonalChain,
};
use burnscape::symmetry::SymmetriesConfig;

use super::criteria::mode_connectivity::{
    ACTIVATIONS, CURVE, HIDDEN, NAIVE, NAIVE_REPAIRED, RANDOM, WEIGHTS, WEIGHTS_REPAIRED, judge,
    row,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS};
use super::frame::{Measured, Plan, Reference, Study};
use super::losses::{accuracy, cross_entropy};
use super::network::{Activation, Mlp, Network};
use super::numbers::number;
use super::training::{Course, Draws, heavy_ball, minibatch, unwatched};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "mode-connectivity",
    claim: "The barrier of the loss on the line between two networks falls with their width, and is a small part of \
            it once the units of one network are permuted onto those of the other.",
    papers: &[
        "Entezari et al. 2022, arXiv:2110.06296",
        "Ainsworth, Hayase and Srinivasa 2023, arXiv:2209.04836",
        "Garipov et al. 2018, arXiv:1802.10026",
        "Jordan et al. 2023, arXiv:2211.08403",
    ],
    ran: "ReLU networks on 1,280 digits: one hidden layer of 8 to 512 units, two of 32, and two to four of 128; for \
          each seed a pair with initial weights and orders of the batches of their own. SGD with momentum 0.9, \
          batches of 64, weight decay 1e-4 and a rate of 0.1 that falls along half a cosine, 40 epochs. A barrier is \
          the largest excess of the training loss at 21 points over the line between the losses of both ends: with \
          the second network as it is, permuted by its weights, by the correlations of activations, and at random. \
          Beside them: the lines with every point repaired (REPAIR), and a quadratic Bézier curve between the \
          networks as they are, fitted in 400 steps.",
    would_change: "A network whose barrier weight matching divides by less than 5; barriers, naive or matched, that \
                   fall by less than a factor of 3 from 8 units to 128.",
    wrong: "That a small barrier is none: compare it with the training loss of the ends. That barriers fall with \
            every unit: from 128 units to 512 they hardly do, and from one layer to two they rise. And that a curve \
            of low loss says something about the units: it is found between networks that nobody has aligned.",
    references: &[
        Reference::new("64-8-10", NAIVE, 0.798, 0.132),
        Reference::new("64-32-10", NAIVE, 0.231, 0.011),
        Reference::new("64-128-10", NAIVE, 0.168, 0.005),
        Reference::new("64-512-10", NAIVE, 0.14, 0.007),
        Reference::new("64-32-32-10", NAIVE, 0.874, 0.111),
        Reference::new("64-128-128-10", NAIVE, 0.463, 0.022),
        Reference::new("64-8-10", WEIGHTS, 0.0944, 0.0136),
        Reference::new("64-32-10", WEIGHTS, 0.0292, 0.0034),
        Reference::new("64-128-10", WEIGHTS, 0.0158, 0.0007),
        Reference::new("64-512-10", WEIGHTS, 0.0189, 0.0001),
        Reference::new("64-32-32-10", WEIGHTS, 0.0994, 0.025),
        Reference::new("64-128-128-10", WEIGHTS, 0.0332, 0.0004),
    ],
    run,
    judge,
};

const EPOCHS: usize = 40;
const BATCH: usize = 64;
const RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const DECAY: f32 = 1e-4;
/// Points of a line or curve, ends included.
const POINTS: usize = 21;
/// Steps, rate and first distance from the line of a curve.
const FIT_STEPS: usize = 400;
const FIT_RATE: f64 = 0.05;
const OFFSET: f64 = 0.01;

/// Their lines are drawn, for the first seed.
const SHOWN: &[usize] = &[32];

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let networks = HIDDEN.iter().take(plan.pick(HIDDEN.len(), 2));
    let jobs: Vec<(&[usize], u64)> = networks
        .flat_map(|&hidden| plan.seeds.iter().map(move |&seed| (hidden, seed)))
        .collect();
    let pairs = plan.over(&jobs, |&(hidden, seed)| {
        let pair = connected(plan, &digits, hidden, seed)?;
        plan.progress(format!("{}, seed {seed}", row(hidden)));
        Ok(pair)
    })?;
    for ((hidden, _), pair) in jobs.iter().zip(&pairs) {
        for path in &pair.paths {
            found.push(row(hidden), path.name, path.barrier);
        }
        for &(column, value) in &pair.others {
            found.push(row(hidden), column, value);
        }
    }
    draw(found);
    let mut shown = jobs.iter().zip(&pairs);
    if let Some((_, pair)) = shown.find(|((hidden, _), _)| *hidden == SHOWN) {
        for path in &pair.paths {
            let chart = format!("loss along the path, {}", row(SHOWN));
            let points = path.points.clone();
            found.line(&chart, "place", "training loss", path.name, points);
        }
    }
    let [wide, wider] = [128, 512].map(|width| found.mean(&row(&[width]), WEIGHTS));
    found.note(format!(
        "From 128 units to 512 the barrier after weight matching changes by a factor of {}, which is no part of the \
         criterion.",
        number(wider / wide)
    ));
    Ok(())
}

/// The mean barriers by width and by depth.
fn draw(found: &mut Measured) {
    let shallow = HIDDEN.iter().filter(|hidden| hidden.len() == 1);
    let by_width: Vec<(f64, &[usize])> = shallow.map(|own| (own[0] as f64, *own)).collect();
    let wide = HIDDEN.iter().filter(|hidden| hidden[0] == 128);
    let by_depth: Vec<(f64, &[usize])> = wide.map(|own| (own.len() as f64, *own)).collect();
    for (chart, x_name, places) in [
        ("barrier by width", "units of one hidden layer", by_width),
        ("barrier by depth", "hidden layers of 128 units", by_depth),
    ] {
        for column in [
            NAIVE,
            RANDOM,
            WEIGHTS,
            ACTIVATIONS,
            CURVE,
            NAIVE_REPAIRED,
            WEIGHTS_REPAIRED,
        ] {
            let means = places.iter();
            let means = means.map(|(x, hidden)| (*x, found.mean(&row(hidden), column)));
            let points = means.filter(|(_, barrier)| barrier.is_finite()).collect();
            found.line(chart, x_name, "mean barrier", column, points);
        }
    }
}

/// A pair of networks, and what lies between them.
struct Pair {
    paths: Vec<Path>,
    /// Columns and numbers.
    others: Vec<(&'static str, f64)>,
}

/// The training loss along a path.
struct Path {
    name: &'static str,
    points: Vec<(f64, f64)>,
    barrier: f64,
}

impl Path {
    fn of(name: &'static str, profile: &CurveProfile) -> Result<Self, Failure> {
        Self::through(name, &profile.times, &profile.train.values)
    }

    fn through(name: &'static str, times: &[f64], losses: &[f64]) -> Result<Self, Failure> {
        let barriers = Barriers::of(times, losses).ok_or("a path has too few points")?;
        Ok(Self {
            name,
            points: times.iter().copied().zip(losses.iter().copied()).collect(),
            barrier: barriers.above_line,
        })
    }
}

/// Scores of the digits, for symmetries, activations and repairs.
fn outputs(net: &Mlp, (images, _): &Labeled) -> Tensor<2> {
    net.forward(images.clone())
}

/// Trains a pair of networks, and measures what lies between them.
fn connected(plan: &Plan, digits: &Digits, hidden: &[usize], seed: u64) -> Result<Pair, Failure> {
    let loss = Recorded::new(cross_entropy::<Mlp>);
    let a = trained(plan, digits, hidden, &loss, 2 * seed)?;
    let b = trained(plan, digits, hidden, &loss, 2 * seed + 1)?;
    let device = Device::default();
    let place = (&device, DType::F32);
    let (train, test) = ([digits.train(place)], digits.test(place));

    let few = digits.labeled(0..2, place);
    let symmetries = SymmetriesConfig::new().run(&outputs, &a, few)?;
    let by_weights = WeightMatchingConfig::new().run(&symmetries, &a, &b)?.model;
    let by_activations = ActivationMatchingConfig::new();
    let by_activations = by_activations.run(&symmetries, &outputs, &train, &a, &b)?;
    let at_random = symmetries.random(seed).apply(&b)?;
    let curve = fitted(plan, &train[0], &loss, [&a, &b], seed)?;

    let objective = cross_entropy::<Mlp>;
    let risk = Risk::new(&objective, &train);
    let num_points = plan.pick(POINTS, 5);
    let profile = CurveProfileConfig::new().with_num_points(num_points);
    let mut paths = Vec::new();
    for (name, end) in [
        (NAIVE, &b),
        (WEIGHTS, &by_weights),
        (ACTIVATIONS, &by_activations.model),
        (RANDOM, &at_random),
    ] {
        let line = PolygonalChain::line(&a, end)?;
        paths.push(Path::of(name, &profile.run(&risk, &line)?)?);
    }
    paths.push(Path::of(CURVE, &profile.run(&risk, &curve)?)?);
    for (name, end) in [(NAIVE_REPAIRED, &b), (WEIGHTS_REPAIRED, &by_weights)] {
        paths.push(repaired(name, &risk, &train, [&a, end], num_points)?);
    }

    let mean = |[one, two]: [f64; 2]| 0.5 * (one + two);
    let middle = |end: &Mlp| -> Result<f64, Failure> {
        let middle = interpolate(&a, end, 0.5)?;
        accuracy(&middle, &test)
    };
    let losses = [risk.loss(&a)?.value, risk.loss(&b)?.value];
    let accuracies = [accuracy(&a, &test)?, accuracy(&b, &test)?];
    Ok(Pair {
        paths,
        others: vec![
            ("training loss of the ends", mean(losses)),
            ("test accuracy of the ends", mean(accuracies)),
            ("of the middle, naive", middle(&b)?),
            ("of the middle, weight matching", middle(&by_weights)?),
        ],
    })
}

/// A network after training, without autodiff.
fn trained<O: Objective<Mlp, Labeled>>(
    plan: &Plan,
    digits: &Digits,
    hidden: &[usize],
    loss: &Recorded<O>,
    seed: u64,
) -> Result<Mlp, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let sizes = [&[PIXELS][..], hidden, &[CLASSES][..]].concat();
    let net = Mlp::new(&sizes, Activation::Relu, seed, place)?;
    let decay = WeightDecayConfig::new(DECAY);
    let mut sgd = heavy_ball(MOMENTUM).with_weight_decay(Some(decay)).init();
    let train = digits.train(place);
    let mut draws = Draws::epochs(NUM_TRAIN, BATCH, seed);
    let course = Course::cosine(plan.steps(EPOCHS * NUM_TRAIN / BATCH), RATE);
    let net = minibatch(net, &mut sgd, loss, &train, &mut draws, course, unwatched)?;
    Ok(net.valid())
}

/// A curve of low loss between two networks as they are.
fn fitted<O: Objective<Mlp, Labeled>>(
    plan: &Plan,
    train: &Labeled,
    loss: &Recorded<O>,
    [a, b]: [&Mlp; 2],
    seed: u64,
) -> Result<BezierCurve<Mlp>, Failure> {
    let steps = plan.steps(FIT_STEPS);
    let mut fitter = CurveFitterConfig::new(GaripovLrScheduler::new(FIT_RATE, steps)?)
        .with_weight_decay(f64::from(DECAY))
        .with_seed(seed)
        .init(
            BezierCurve::between(a, b, 2)?.offset(OFFSET, seed)?,
            heavy_ball(MOMENTUM).init(),
        )?;
    let mut draws = Draws::epochs(NUM_TRAIN, BATCH, seed);
    for _ in 0..steps {
        fitter.step(train.select(&draws.draw())?, loss)?;
    }
    Ok(fitter.curve()?)
}

/// The line between two networks, with every point repaired.
fn repaired(
    name: &'static str,
    risk: &Risk<'_, Mlp>,
    train: &[Labeled; 1],
    [a, b]: [&Mlp; 2],
    num_points: usize,
) -> Result<Path, Failure> {
    let last = num_points - 1;
    let times: Vec<f64> = (0..=last).map(|place| place as f64 / last as f64).collect();
    let losses = times.iter().map(|&t| -> Result<f64, Failure> {
        let mut model = interpolate(a, b, t)?;
        if 0.0 < t && t < 1.0 {
            let repair = RepairConfig::new();
            model = repair.run(&outputs, train, a, b, &model, t)?.model;
        }
        Ok(risk.loss(&model)?.value)
    });
    let losses = losses.collect::<Result<Vec<f64>, Failure>>()?;
    Path::through(name, &times, &losses)
}
