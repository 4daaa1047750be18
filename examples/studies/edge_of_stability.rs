//! Full-batch training at the edges of stability of several optimizers, and below them.

use std::slice::from_ref;

use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape::dynamics::{
    CurvatureMonitorConfig, CurvatureReading, Due, EdgeRule, GradientFlowConfig, Moment,
    Observation, Watch,
};
use burnscape::loss::{LossError, Recorded, Risk};
use burnscape::optim::{Sam, SamConfig};

use super::criteria::edge_of_stability::{
    ADAM, CROSSING, DESCENT, FALL, FLOW, HEAVY_BALL, NESTEROV, PEAK, SAM, START, TAIL, judge,
};
use super::digits::{CLASSES, Digits, PIXELS, Targeted};
use super::frame::{Measured, Plan, Reference, Study};
use super::losses::{half_mse, number};
use super::network::{Activation, Mlp};
use super::training::{adam, heavy_ball, nesterov};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "edge-of-stability",
    claim: "Full-batch gradient descent drives λ_max of the Hessian up to 2/η and keeps it there while the loss \
            falls; other optimizers do the same at edges of their own, and the gradient flow passes the edge.",
    papers: &[
        "Cohen et al. 2021, arXiv:2103.00065",
        "Cohen et al. 2022, arXiv:2207.14484",
        "Long and Bartlett 2024, arXiv:2309.12488",
    ],
    ran: "200 digits, tanh 64-32-32-10, half the squared error, all data in each of 6,000 steps, a reading of λ_max \
          every 51 (an even number would show one side of the oscillation). Ratios are those of λ_max to the \
          optimizer's own edge: 2/η; with a momentum of 0.9 and without dampening (1 + β) 2/η for heavy ball, over 1 \
          + 2β for Nesterov; 38/η of P⁻¹H for Adam (β₂ 0.99, ε 1e-7); the edge of Long and Bartlett for SAM (radius \
          0.05). The tail is the last third. The gradient flow, by Runge-Kutta steps with error control, takes the \
          time of gradient descent at 0.3. Lower rates run as long; two settings above their edge are measured at the \
          start.",
    would_change: "A mean ratio in the tail outside 0.98 to 1.03 (gradient descent, Nesterov), 0.95 to 1.05 (heavy \
                   ball), 0.9 to 1.1 (Adam) or 0.9 to 1.15 (SAM); a loss that does not fall over the tail; a flow \
                   that stays below 1.2 times the edge.",
    wrong: "That every training comes to its edge. At low rates λ_max rises more slowly the further it gets and is \
            below the edge at the end, and at high rates or with pixels that are not centered it starts above it. Nor \
            is λ_max 2/η in general: SAM is at its edge with a λ_max of a quarter of 2/η.",
    references: &[
        // Three seeds; without an error in the recipe: Nesterov 1.0038, heavy ball 0.987. SAM's 1.010 ± 0.013 is the
        // spread of the readings of one run.
        Reference::new(DESCENT, TAIL, 1.006_23, 0.000_81),
        Reference::new(DESCENT, CROSSING, 408.0, 58.9),
        Reference::new(ADAM, TAIL, 1.0063, 0.001_32),
    ],
    run,
    judge,
};

const DIGITS: usize = 200;
const SIZES: [usize; 4] = [PIXELS, 32, 32, CLASSES];
const STEPS: usize = 6000;
const EVERY: usize = 51;
const MOMENTUM: f64 = 0.9;
/// The radius of SAM.
const RHO: f64 = 0.05;
/// A ratio that counts as having come to the edge.
const NEAR: f64 = 0.97;

/// Other columns: the spread of the ratio over the tail, and means over it.
const SPREAD: &str = "its deviation";
const LAMBDA: &str = "λ_max";
const EDGE: &str = "edge";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    Flow,
    Descent,
    HeavyBall,
    Nesterov,
    Adam,
    Sam,
}

/// With their rates. The last five are slow.
const TRAINED: [(&str, Method, f64); 11] = [
    (FLOW, Method::Flow, 0.3),
    (DESCENT, Method::Descent, 0.3),
    (NESTEROV, Method::Nesterov, 0.2),
    (HEAVY_BALL, Method::HeavyBall, 0.6),
    (ADAM, Method::Adam, 1e-3),
    (SAM, Method::Sam, 0.1),
    ("heavy ball, 0.3", Method::HeavyBall, 0.3),
    ("heavy ball, 0.1", Method::HeavyBall, 0.1),
    ("Nesterov, 0.1", Method::Nesterov, 0.1),
    ("Nesterov, 0.05", Method::Nesterov, 0.05),
    ("gradient descent, 0.02", Method::Descent, 0.02),
];

/// Gradient descent above its edge, with its rate and whether pixels are centered.
const ABOVE: [(&str, f64, bool); 2] = [
    ("gradient descent, 0.6", 0.6, true),
    ("gradient descent, 0.3, not centered", 0.3, false),
];

struct Job {
    row: &'static str,
    method: Method,
    rate: f64,
    /// None: only the start is measured.
    steps: usize,
    is_centered: bool,
    seed: u64,
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let raw = without_centering(&digits);
    let jobs = jobs(plan);
    let runs = plan.over(&jobs, |job| {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let digits = if job.is_centered { &digits } else { &raw };
        let data = digits.targeted(0..DIGITS, place);
        let net = Mlp::new(&SIZES, Activation::Tanh, job.seed, place)?;
        let points = match job.method {
            Method::Flow => flow(job, &data, &net)?,
            _ => follow(job, &data, net)?,
        };
        let last = points.last().map_or(f64::NAN, |point| point.ratio);
        plan.progress(format!(
            "{}, seed {}: last ratio {last:.3}",
            job.row, job.seed
        ));
        Ok(points)
    })?;
    for (job, points) in jobs.iter().zip(&runs) {
        columns(job, points, found);
        if plan.seeds.first() == Some(&job.seed) && job.steps > 0 {
            charts(job, points, found);
        }
    }
    notes(found);
    Ok(())
}

fn jobs(plan: &Plan) -> Vec<Job> {
    let steps = plan.pick(STEPS, 4 * EVERY);
    let trained = TRAINED.iter().map(|&(row, method, rate)| Job {
        row,
        method,
        rate,
        steps,
        is_centered: true,
        seed: 0,
    });
    let above = ABOVE.iter().map(|&(row, rate, is_centered)| Job {
        row,
        method: Method::Descent,
        rate,
        steps: 0,
        is_centered,
        seed: 0,
    });
    let with_seeds = |job: Job| plan.seeds.iter().map(move |&seed| Job { seed, ..job });
    trained.chain(above).flat_map(with_seeds).collect()
}

/// Pixels from 0 to 1.
fn without_centering(digits: &Digits) -> Digits {
    let mut index = 0;
    digits.changed(|pixels| {
        let centered = digits.image(index);
        index += 1;
        // With the means added that are subtracted afterwards.
        let pairs = pixels.iter().zip(centered);
        pairs.map(|(pixel, less)| 2.0 * pixel - less).collect()
    })
}

/// A reading.
struct Point {
    step: f64,
    loss: f64,
    /// `λ_max` of the Hessian.
    sharpness: f64,
    /// Not a number before the first step of Adam, as is the ratio.
    edge: f64,
    /// Of Adam: that of `P⁻¹H` to its edge.
    ratio: f64,
}

impl Point {
    fn of(seen: &Observation<CurvatureReading>) -> Self {
        let reading = &seen.reading;
        Self {
            step: seen.step as f64,
            loss: reading.loss,
            sharpness: reading.sharpness,
            edge: reading.edge.unwrap_or(f64::NAN),
            ratio: reading.edge_ratio.unwrap_or(f64::NAN),
        }
    }
}

/// Readings along a training, which ends where the loss is not finite.
fn follow(job: &Job, data: &Targeted, mut net: Mlp) -> Result<Vec<Point>, Failure> {
    let (mut trainer, rule) = Trainer::new(job.method)?;
    let monitor = CurvatureMonitorConfig::new().with_optimizer(rule).init()?;
    let objective = half_mse::<Mlp>;
    let risk = Risk::new(&objective, from_ref(data));
    let mut watch = Watch::new(Due::Every(EVERY), monitor, risk)?;
    let loss = Recorded::new(half_mse::<Mlp>);
    for step in 0..=job.steps {
        if watch.is_due(step) {
            let value = number(loss.loss_on(&net, data.clone())?)?;
            if !value.is_finite() {
                break;
            }
            watch.observe(&trainer.moment(step, job.rate, &net))?;
        }
        if step < job.steps {
            let on_all = |net: &Mlp| loss.loss_on(net, data.clone());
            net = trainer.step(job.rate, net, on_all)?;
        }
    }
    Ok(watch.readings().to_vec().iter().map(Point::of).collect())
}

/// Readings along the gradient flow, in steps of gradient descent and beside its edge.
fn flow(job: &Job, data: &Targeted, net: &Mlp) -> Result<Vec<Point>, Failure> {
    let loss = Recorded::new(half_mse::<Mlp>);
    let risk = Risk::new(&loss, from_ref(data));
    let flow = GradientFlowConfig::new(job.rate * job.steps as f64)
        .with_sharpness_interval(20)
        .run(&risk, net)?;
    let edge = 2.0 / job.rate;
    let readings = flow.sharpness_times.iter().zip(&flow.sharpness);
    let points = readings.map(|(time, &sharpness)| Point {
        step: time / job.rate,
        loss: f64::NAN,
        sharpness,
        edge,
        ratio: sharpness / edge,
    });
    Ok(points.collect())
}

enum Trainer {
    Burn(ModuleOptimizer),
    Sam(Box<Sam>),
}

impl Trainer {
    /// With the rule of its edge.
    fn new(method: Method) -> Result<(Self, EdgeRule), Failure> {
        let config = match method {
            Method::Flow | Method::Descent => SgdConfig::new(),
            Method::HeavyBall => heavy_ball(MOMENTUM),
            Method::Nesterov => nesterov(MOMENTUM),
            Method::Adam => {
                let config = adam(0.99, 1e-7);
                return Ok((Self::Burn(config.init()), EdgeRule::of(&config)?));
            }
            Method::Sam => {
                let sam = SamConfig::new().with_rho(RHO);
                let sam = sam.init(SgdConfig::new().init())?;
                return Ok((Self::Sam(Box::new(sam)), EdgeRule::sam(RHO)?));
            }
        };
        Ok((Self::Burn(config.init()), EdgeRule::of(&config)?))
    }

    fn moment<'m>(&'m self, step: usize, rate: f64, net: &'m Mlp) -> Moment<'m, Mlp> {
        let moment = Moment::new(step, rate, net);
        match self {
            Self::Burn(optimizer) => moment.with_optimizer(optimizer),
            Self::Sam(_) => moment,
        }
    }

    fn step(
        &mut self,
        rate: f64,
        mut net: Mlp,
        loss: impl Fn(&Mlp) -> Result<Tensor<1>, LossError>,
    ) -> Result<Mlp, Failure> {
        match self {
            Self::Burn(optimizer) => {
                let gradients = loss(&net)?.backward();
                let gradients = GradientsParams::from_grads(gradients, &net);
                Ok(optimizer.step(rate, net, gradients))
            }
            Self::Sam(sam) => {
                sam.step(rate, &mut net, loss)?;
                Ok(net)
            }
        }
    }
}

fn columns(job: &Job, points: &[Point], found: &mut Measured) {
    let row = job.row;
    let ratios = || points.iter().map(|point| point.ratio);
    let start = ratios().find(|ratio| ratio.is_finite());
    found.push(row, START, start.unwrap_or(f64::NAN));
    if job.steps == 0 {
        return;
    }
    let near = points.iter().find(|point| point.ratio > NEAR);
    found.push(row, CROSSING, near.map_or(f64::NAN, |point| point.step));
    // The maximum of a number and of what is none is the number.
    found.push(row, PEAK, ratios().fold(f64::NAN, f64::max));
    if job.method == Method::Flow {
        found.push(row, EDGE, 2.0 / job.rate);
        return;
    }
    let is_whole = points.len() == job.steps / EVERY + 1;
    let tail = &points[points.len() * 2 / 3..];
    let of_tail = |value: fn(&Point) -> f64| {
        let mean = mean(tail, value);
        if is_whole { mean } else { f64::NAN }
    };
    let ratio = of_tail(|point| point.ratio);
    let square = of_tail(|point| point.ratio * point.ratio);
    found.push(row, TAIL, ratio);
    found.push(row, SPREAD, (square - ratio * ratio).max(0.0).sqrt());
    found.push(row, LAMBDA, of_tail(|point| point.sharpness));
    found.push(row, EDGE, of_tail(|point| point.edge));
    // At an edge the loss goes up and down in the short run.
    let (early, late) = tail.split_at(tail.len() / 2);
    let [early, late] = [early, late].map(|half| mean(half, |point| point.loss));
    found.push(row, FALL, if is_whole { late / early } else { f64::NAN });
}

fn mean(points: &[Point], value: fn(&Point) -> f64) -> f64 {
    points.iter().map(value).sum::<f64>() / points.len() as f64
}

fn charts(job: &Job, points: &[Point], found: &mut Measured) {
    let of = |value: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        let points = points.iter().map(|point| (point.step, value(point)));
        points.collect()
    };
    let sharpness = of(|point| point.sharpness);
    if job.method == Method::Flow {
        let edge = of(|point| point.edge);
        let lines = [("gradient flow", sharpness), ("2/η", edge)];
        for (name, line) in lines {
            found.line("Descent and flow", "time / η", "λ_max", name, line);
        }
        return;
    }
    if job.row == DESCENT {
        found.line("Descent and flow", "time / η", "λ_max", job.row, sharpness);
    }
    let (ratios, losses) = (of(|point| point.ratio), of(|point| point.loss));
    let name = "λ_max over the edge";
    found.line(name, "step", name, job.row, ratios);
    found.line("Training loss", "step", "loss", job.row, losses);
}

fn notes(found: &mut Measured) {
    found.note(
        "A ratio of Adam is that of λ_max of P⁻¹H, and its edge one of that matrix; the column λ_max is of the \
         Hessian. The late loss is the mean over the second half of the tail over that of the first half. Charts are \
         of the first seed.",
    );
    let rows: Vec<String> = found.rows().into_iter().map(String::from).collect();
    let mut above = Vec::new();
    let mut below = Vec::new();
    for row in &rows {
        let start = found.mean(row, START);
        if start > 1.0 {
            above.push(format!("{row} ({start:.2})"));
        }
        let (reached, total) = (
            found.count(row, CROSSING),
            found.values(row, CROSSING).len(),
        );
        if reached < total {
            below.push(format!("{row} ({reached} of {total})"));
        }
    }
    for (text, rows) in [
        ("Above the edge at the start", above),
        ("At 0.97 of the edge in fewer runs than all", below),
    ] {
        if !rows.is_empty() {
            found.note(format!("{text}: {}.", rows.join("; ")));
        }
    }
}
