//! The weights that fit all points: their dimension, and a walk along them.

use std::iter::zip;
use std::slice::from_ref;

use burn::tensor::{DType, Device, Tensor};
use burnscape::krylov::{Dense, SolveConfig};
use burnscape::loss::{Recorded, Risk, Split};
use burnscape::optim::TrustRegionNewtonConfig;
use burnscape::path::{CurveProfileConfig, PolygonalChain};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape::spectrum::Spectrum;

use super::gaussian;
use crate::Failure;
use crate::studies::criteria::overparameterization::{
    BETWEEN, DISTANCE, FITS, Fit, GAP, HIGHEST, LINE, NULLS, RANK, WALK,
};
use crate::studies::digits::{Place, Targeted};
use crate::studies::frame::{Measured, Plan};
use crate::studies::losses::{half_mse, number};
use crate::studies::network::{Activation, Mlp, Network};
use crate::studies::training::{Course, adam, full_batch, unwatched};

/// Numbers of draws of a seed.
const INPUTS: u64 = 100;
const TARGETS: u64 = 101;
const OTHERS: u64 = 102;
/// The seeds of first directions start here: those of weights are smaller.
const DIRECTIONS: u64 = 1 << 32;

const STEPS: usize = 2000;
const RATE: f64 = 0.01;
const NEWTON_STEPS: usize = 120;
/// A loss at which residuals do not show in the Hessian.
const SETTLED: f64 = 1e-24;
/// Eigenvalues up to this share of the largest one count as zero.
const ZERO: f64 = 1e-9;

const ATTEMPTS: usize = 200;
/// The first step of the walk, the longest, and by how much steps grow.
const STEP: f64 = 0.02;
const LONGEST: f64 = 0.1;
const GROWTH: f64 = 1.2;
/// Steps back to the manifold, the loss at which they end, and that which is near enough.
const CORRECTIONS: usize = 5;
const GOAL: f64 = 1e-18;
const NEAR: f64 = 1e-12;
/// Inputs on which both ends of the walk are compared.
const NUM_OTHERS: usize = 200;

const WEIGHTS: &str = "weights";
const LOSS: &str = "last loss";
const JACOBIAN: &str = "rank of the Jacobian";
const NEGATIVE: &str = "negative eigenvalues";
const LENGTH: &str = "length over |w|";
const TAKEN: &str = "steps taken";
const ELSEWHERE: &str = "change of the outputs elsewhere";

type Cells = Vec<(&'static str, f64)>;

pub(super) fn run(plan: &Plan, fits: &[Fit], found: &mut Measured) -> Result<(), Failure> {
    let jobs = fits.iter();
    let jobs = jobs.flat_map(|fit| plan.seeds.iter().map(move |&seed| (fit, seed)));
    let jobs: Vec<(&Fit, u64)> = jobs.collect();
    let runs = plan.over(&jobs, |&(fit, seed)| {
        let run = fitted(plan, fit, seed)?;
        plan.progress(format!("{}, seed {seed}: rank {}", fit.row, run.rank));
        Ok(run)
    })?;
    for ((fit, seed), run) in zip(&jobs, runs) {
        enter(found, fit.row, &run.cells);
        let is_first = plan.seeds.first() == Some(seed);
        if is_first {
            let chart = "Eigenvalues of the Hessian at zero loss";
            let places = (1..).map(f64::from);
            let points = zip(places, run.eigenvalues).collect();
            found.line(chart, "place", "size", fit.row, points);
        }
        let Some(walk) = run.walk else {
            continue;
        };
        enter(found, WALK, &walk.cells);
        if is_first {
            let chart = "The loss along the walk, and on the straight line between its ends";
            for (name, points) in [("walk", walk.points), ("straight line", walk.line)] {
                found.line(chart, "share of the way", "loss", name, points);
            }
        }
    }
    let (distance, highest) = (found.mean(WALK, DISTANCE), found.mean(WALK, HIGHEST));
    let (line, elsewhere) = (found.mean(WALK, LINE), found.mean(WALK, ELSEWHERE));
    found.note(format!(
        "The walk ends {distance:.2} lengths of the weights away, with losses of {highest:.0e} at its points and {line:.0e} on \
         the straight line; the outputs on {NUM_OTHERS} other inputs change by {elsewhere:.2} of their size."
    ));
    Ok(())
}

fn enter(found: &mut Measured, row: &str, cells: &[(&'static str, f64)]) {
    for &(column, value) in cells {
        found.push(row, column, value);
    }
}

/// A network that fits all points, and where it can walk to.
struct Fitted {
    rank: f64,
    cells: Cells,
    /// Sizes in falling order, without those that are zero to rounding.
    eigenvalues: Vec<f64>,
    walk: Option<Walk>,
}

fn outputs(net: &Mlp, (inputs, _): &Targeted) -> Tensor<2> {
    net.forward(inputs.clone())
}

/// That of [`half_mse`].
fn criterion(outputs: Tensor<2>, (inputs, targets): Targeted) -> Tensor<1> {
    let [count, _] = inputs.dims();
    (outputs - targets).square().sum() / (2.0 * count as f64)
}

fn fitted(plan: &Plan, fit: &Fit, seed: u64) -> Result<Fitted, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F64);
    let [inputs, _, outputs_of_point] = fit.sizes;
    let data: Targeted = (
        gaussian([fit.points, inputs], (seed, INPUTS), place)?,
        gaussian([fit.points, outputs_of_point], (seed, TARGETS), place)?,
    );
    let net = trained(plan, fit, &data, seed, place)?;
    let risk = Risk::split(outputs, criterion, from_ref(&data)).with_checks(false);
    let spectrum = Counted::of(fit, &risk, &net)?;
    let jacobian = Dense::of(&risk.jacobian(&net)?)?;
    let rank = jacobian.svd().map(|(_, values, _)| values.len());
    let cells = vec![
        (WEIGHTS, fit.weights() as f64),
        (LOSS, risk.loss(&net)?.value),
        (RANK, spectrum.rank),
        (NULLS, spectrum.nulls),
        (NEGATIVE, spectrum.negative),
        (GAP, spectrum.gap),
        (JACOBIAN, rank.map_or(f64::NAN, |rank| rank as f64)),
    ];
    let walk = match fit.row == FITS[0].row {
        true => Some(walk(plan, fit, &risk, &net, (seed, place))?),
        false => None,
    };
    Ok(Fitted {
        rank: spectrum.rank,
        cells,
        eigenvalues: spectrum.sizes,
        walk,
    })
}

fn trained(
    plan: &Plan,
    fit: &Fit,
    data: &Targeted,
    seed: u64,
    place: Place<'_>,
) -> Result<Mlp, Failure> {
    let net = Mlp::new(&fit.sizes, Activation::Tanh, seed, place)?;
    let loss = Recorded::new(half_mse::<Mlp>);
    let course = Course::cosine(plan.steps(STEPS), RATE);
    let mut optimizer = adam(0.999, 1e-8).init();
    let mut net = full_batch(net, &mut optimizer, &loss, data, course, unwatched)?;
    let mut newton = TrustRegionNewtonConfig::new()
        .with_tolerance(1e-8)
        .with_max_basis(fit.weights())
        .with_certificate(false)
        .init()?;
    for _ in 0..plan.pick(NEWTON_STEPS, 2) {
        let report = newton.step_on(&mut net, data.clone(), &loss)?;
        if report.loss.is_some_and(|loss| loss < SETTLED) {
            break;
        }
    }
    Ok(net)
}

/// The eigenvalues of the Hessian, counted.
struct Counted {
    rank: f64,
    nulls: f64,
    negative: f64,
    gap: f64,
    sizes: Vec<f64>,
}

impl Counted {
    fn of(fit: &Fit, risk: &Risk<'_, Mlp, Split>, net: &Mlp) -> Result<Self, Failure> {
        let hessian = risk.hessian(net)?;
        let largest = Spectrum::of(&hessian).top_eigenpairs(1)?.values[0];
        let inertia = Spectrum::of(&hessian).with_zero(ZERO * largest).inertia()?;
        let [positive, negative, nulls] = [inertia.positive, inertia.negative, inertia.near_zero]
            .map(|count| count.exact.map_or(f64::NAN, |count| count as f64));
        let sizes = Dense::of(&hessian)?.svd();
        let sizes = sizes.map_or(Vec::new(), |(_, sizes, _)| sizes);
        // What is left out is rounding.
        let size = |place: usize| sizes.get(place).copied().unwrap_or(f64::EPSILON * largest);
        let rank = fit.equations();
        Ok(Self {
            rank: positive + negative,
            nulls,
            negative,
            gap: size(rank - 1) / size(rank),
            sizes,
        })
    }
}

/// A way along the manifold.
struct Walk {
    cells: Cells,
    /// Shares of the way with losses, at the points and on the straight line.
    points: Vec<(f64, f64)>,
    line: Vec<(f64, f64)>,
}

fn walk(
    plan: &Plan,
    fit: &Fit,
    risk: &Risk<'_, Mlp, Split>,
    start: &Mlp,
    (seed, place): (u64, Place<'_>),
) -> Result<Walk, Failure> {
    let space = ParamSpace::of(start)?;
    let origin = ParamVector::from_module(&space, start)?;
    let size = origin.norm()?;
    let mut direction = ParamVector::gaussian(&space, DIRECTIONS + seed)?;
    let (mut net, mut weights) = (start.clone(), origin.clone());
    // Nothing is between the points of a walk without steps.
    let (mut step, mut length, mut between) = (STEP, 0.0_f64, f64::NAN);
    let mut points = vec![(0.0, risk.loss(start)?.value)];
    for _ in 0..plan.pick(ATTEMPTS, 3) {
        let off = risk.jacobian(&net)?.off_row_space(&direction)?;
        let along = off.vector.ok_or("no direction off the rows")?.normalize()?;
        let ahead = along.perturb(&net, step)?;
        let (back, loss) = corrected(risk, ahead)?;
        let is_near = loss < NEAR;
        if !is_near {
            step *= 0.5;
            continue;
        }
        let moved = ParamVector::from_module(&space, &back)?;
        let chord = moved.clone().axpy(-1.0, &weights)?;
        between = between.max(risk.loss(&chord.perturb(&net, 0.5)?)?.value);
        length += chord.norm()?;
        points.push((length, loss));
        (net, weights, direction) = (back, moved, along);
        step = LONGEST.min(GROWTH * step);
    }
    let distance = weights.axpy(-1.0, &origin)?.norm()?;
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let profile = CurveProfileConfig::new()
        .with_num_points(41)
        .run(risk, &PolygonalChain::line(start, &net)?)?;
    let others = gaussian([NUM_OTHERS, fit.sizes[0]], (seed, OTHERS), place)?;
    let before = start.forward(others.clone());
    let change = net.forward(others) - before.clone();
    let change = change.square().mean() / before.square().mean();
    let cells = vec![
        (DISTANCE, distance / size),
        (LENGTH, length / size),
        (TAKEN, (points.len() - 1) as f64),
        (HIGHEST, highest),
        (BETWEEN, between),
        (LINE, profile.train.max),
        (ELSEWHERE, number(change)?.sqrt()),
        (RANK, Counted::of(fit, risk, &net)?.rank),
    ];
    for point in &mut points {
        point.0 /= length.max(f64::MIN_POSITIVE);
    }
    Ok(Walk {
        cells,
        points,
        line: zip(profile.times, profile.train.values).collect(),
    })
}

/// A network after Gauss-Newton steps of least length, with its loss.
fn corrected(risk: &Risk<'_, Mlp, Split>, mut net: Mlp) -> Result<(Mlp, f64), Failure> {
    let solver = SolveConfig::minres()
        .with_tolerance(1e-8)
        .with_max_matvecs(200);
    for _ in 0..CORRECTIONS {
        let here = risk.loss_and_gradient(&net)?;
        // Far away there is no way back.
        let is_on_the_way = here.value > GOAL && here.value < 1.0;
        if !is_on_the_way {
            return Ok((net, here.value));
        }
        // MINRES from zero stays in the row space: of all steps it finds the shortest.
        let matrix = risk.gauss_newton(&net)?;
        let step = solver.run(&matrix, &here.gradient)?;
        net = step.x.perturb(&net, -1.0)?;
    }
    let last = risk.loss(&net)?.value;
    Ok((net, last))
}
