//! How far the tangent kernel moves in training: by width, by parametrization, and by the scale of the outputs.

use std::f64::consts::SQRT_2;
use std::iter::zip;
use std::slice::from_ref;

use burn::module::{Module, Param};
use burn::optim::SgdConfig;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::{
    GradientFlowConfig, Moment, Monitor, ScaledOutputs, TangentKernelConfig,
};
use burnscape::krylov::{EigenpairsConfig, LineFit, Which};
use burnscape::loss::{Recorded, Reduction, Risk};

use super::criteria::lazy_rich::{
    DRIFT, MEAN_FIELD, ROOT, SCALES, SLOPE, WIDTHS, judge, of_scale, of_width,
};
use super::digits::Place;
use super::frame::{Measured, Plan, Reference, Study};
use super::network::{Activation, normal};
use super::training::{Course, full_batch, unwatched};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "lazy-rich",
    claim: "A wide network whose last layer is divided by the root of the width trains lazily, with a tangent kernel \
            that hardly moves; a scale of the outputs makes the same network lazy or rich.",
    papers: &[
        "Jacot, Gabriel and Hongler 2018, arXiv:1806.07572",
        "Chizat, Oyallon and Bach 2019, arXiv:1812.07956",
        "Mei, Montanari and Nguyen 2018, arXiv:1804.06561",
    ],
    ran: "One hidden layer with tanh, standard normal weights, inputs divided by √5, the last layer by √m for a width \
          of m; 20 normal points in 5 dimensions, the same for all seeds, with the sign of the product of the first \
          two as the target, in double precision. Outputs are centered at the start, the loss is half the sum of \
          squares, and 2,000 steps of gradient descent have a rate of one over the largest eigenvalue of the kernel K \
          at the start. With outputs times α and the loss over α²: 3,000 steps at a width of 128. Beside it \
          mean-field networks, whose last layer is divided by m (α = 1/√m), in as much time by steps of a quarter. \
          And linear networks of two layers along the gradient flow, where K grows by √(1 + y²/m) exactly.",
    would_change: "A slope of the logarithm of the drift in that of the width outside −1 to −0.5; a drift with α 16 \
                   of more than a twentieth of that with α 1/4.",
    wrong: "That wide networks learn no features. Divided by m they move as far at every width: the parametrization \
            decides, not the width. And that the slope is a law: the linear network has one of −1, these are on their \
            way, and steeper at larger widths.",
    references: &[
        Reference::new("1/√m, width 32", DRIFT, 0.99, 0.11),
        Reference::new("1/√m, width 128", DRIFT, 0.57, 0.04),
        Reference::new("1/√m, width 512", DRIFT, 0.199, 0.018),
        Reference::new("1/√m, width 2048", DRIFT, 0.069, 0.004),
        // Exact. The recipe's 1.19, 0.68, 0.108 and 0.019 by scale are of one seed, without errors.
        Reference::new("linear, m 4, y 2", GROWTH, SQRT_2, 5e-8),
        Reference::new("linear, m 16, y 2", GROWTH, 1.118_034, 5e-8),
        Reference::new("linear, m 64, y 2", GROWTH, 1.030_776_4, 5e-8),
        Reference::new("linear, m 16, y 8", GROWTH, 2.236_068, 5e-8),
    ],
    run,
    judge,
};

const INPUTS: usize = 5;
const SCALED_WIDTH: usize = 128;
/// Steps at the largest rate, by width and by scale.
const STEPS: usize = 2000;
const SCALED_STEPS: usize = 3000;
/// The kernel of a mean-field network grows several times, so that its steps are shorter and more.
const SHORTER: usize = 4;

const DISTANCE: &str = "distance";
const MOVE: &str = "relative move";
const GAP: &str = "gap to the linearized model";
const BEFORE: &str = "alignment before";
const AFTER: &str = "alignment after";
const LOSS: &str = "loss over that before";
/// What is measured of a network, in the order of `Found`.
const COLUMNS: [&str; 7] = [DRIFT, DISTANCE, MOVE, GAP, BEFORE, AFTER, LOSS];
type Found = [f64; COLUMNS.len()];

/// Of the kernel of linear networks.
const GROWTH: &str = "K after / K before";
/// Widths and targets of them.
const LINEAR: [(usize, f64); 4] = [(4, 2.0), (16, 2.0), (64, 2.0), (16, 8.0)];

/// Inputs and targets.
type Pair = (Tensor<2>, Tensor<2>);
/// With the outputs of the start.
type Centered = (Pair, Tensor<2>);

/// `aᵀ φ(Wᵀ x / √d) / √m` for `d` inputs and a width of `m`.
#[derive(Module, Debug)]
struct Wide {
    first: Param<Tensor<2>>,
    last: Param<Tensor<2>>,
    #[module(skip)]
    activation: Activation,
}

impl Wide {
    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let [inputs, width] = self.first.val().dims();
        let hidden = x.clone().matmul(self.first.val()) / (inputs as f64).sqrt();
        let hidden = self.activation.apply(hidden);
        hidden.matmul(self.last.val()) / (width as f64).sqrt()
    }
}

fn outputs(net: &Wide, (x, _): &Pair) -> Tensor<2> {
    net.outputs(x)
}

/// A network to train.
struct Job {
    row: String,
    width: usize,
    /// Of the outputs.
    scale: f64,
    /// Of the largest rate; as many times more steps.
    shorter: usize,
    steps: usize,
    seed: u64,
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let jobs = jobs(plan);
    // The long ones first.
    let last_first: Vec<&Job> = jobs.iter().rev().collect();
    let runs = plan.over(&last_first, |job| {
        let run = trained(job)?;
        let (row, seed) = (&job.row, job.seed);
        plan.progress(format!("{row}, seed {seed}: drift {:.3}", run[0]));
        Ok(run)
    })?;
    for (job, run) in zip(&jobs, runs.into_iter().rev()) {
        for (column, value) in zip(COLUMNS, run) {
            found.push(job.row.as_str(), column, value);
        }
    }
    for divisor in [ROOT, MEAN_FIELD] {
        slopes(plan, divisor, found);
    }
    for (width, target) in LINEAR {
        let row = format!("linear, m {width}, y {target}");
        found.push(row, GROWTH, growth(width, target)?);
    }
    let scales = SCALES.map(|scale| (scale, found.mean(&of_scale(scale), DRIFT)));
    found.line(
        "Drift by scale",
        "α",
        "mean drift",
        "width 128",
        scales.into(),
    );
    notes(found);
    Ok(())
}

fn jobs(plan: &Plan) -> Vec<Job> {
    let widths = plan.pick(&WIDTHS[..], &WIDTHS[..2]).iter();
    let lazy = widths.clone().map(|&width| Job {
        row: of_width(ROOT, width),
        width,
        scale: 1.0,
        shorter: 1,
        steps: plan.steps(STEPS),
        seed: 0,
    });
    let scaled = SCALES.iter().map(|&scale| Job {
        row: of_scale(scale),
        width: SCALED_WIDTH,
        scale,
        shorter: 1,
        steps: plan.steps(SCALED_STEPS),
        seed: 0,
    });
    let rich = widths.map(|&width| Job {
        row: of_width(MEAN_FIELD, width),
        width,
        // Of outputs that are centered.
        scale: (width as f64).sqrt().recip(),
        shorter: SHORTER,
        steps: plan.steps(STEPS),
        seed: 0,
    });
    let with_seeds = |job: Job| {
        let seeds = plan.seeds.iter();
        seeds.map(move |&seed| Job {
            row: job.row.clone(),
            seed,
            ..job
        })
    };
    lazy.chain(scaled)
        .chain(rich)
        .flat_map(with_seeds)
        .collect()
}

/// Trains a network, and compares its kernel with that before.
fn trained(job: &Job) -> Result<Found, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F64);
    let data = points(place);
    let start = Wide {
        first: normal([INPUTS, job.width], 1.0, (job.seed, 0), place)?,
        last: normal([job.width, 1], 1.0, (job.seed, 1), place)?,
        activation: Activation::Tanh,
    };
    let scaled = ScaledOutputs::new(job.scale, outputs)?;
    let batches = scaled.batches(&start, from_ref(&data))?;
    let batches: Vec<Centered> = batches
        .into_iter()
        .map(|(pair, before)| (pair, before.autodiff()))
        .collect();
    let criterion = |z: Tensor<2>, ((_, y), _): Centered| scaled.loss((z - y).square().sum() * 0.5);
    let risk = Risk::split(
        |net: &Wide, batch: &Centered| scaled.outputs(net, batch),
        criterion,
        &batches,
    )
    .with_reduction(Reduction::Sum);
    // That of the kernel, whatever the scale.
    let top = EigenpairsConfig::new(1, Which::Largest).run(&risk.gauss_newton(&start)?)?;
    let rate = 1.0 / (job.shorter as f64 * top.values[0]);

    let mut monitor = TangentKernelConfig::new()
        .with_targets(data.1.clone())
        .init()?;
    let before = monitor.measure(&risk, &Moment::new(0, rate, &start))?;
    let first = risk.loss(&start)?.value;
    let loss = Recorded::new(|net: &Wide, batch: Centered| {
        let z = scaled.outputs(net, &batch);
        criterion(z, batch)
    });
    let course = Course::constant(job.shorter * job.steps, rate);
    let mut sgd = SgdConfig::new().init();
    let net = full_batch(start, &mut sgd, &loss, &batches[0], course, unwatched)?;
    let after = monitor.measure(&risk, &Moment::new(course.steps, rate, &net))?;
    let known = |number: Option<f64>| number.unwrap_or(f64::NAN);
    Ok([
        after.drift,
        known(after.distance),
        known(after.relative_move),
        known(after.linearization_gap),
        known(before.alignment),
        known(after.alignment),
        risk.loss(&net)?.value / first,
    ])
}

/// The factor by which the kernel of a linear network with two layers grows along the gradient flow, from weights of ±1
/// and an output of zero.
fn growth(width: usize, target: f64) -> Result<f64, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F64);
    let matrix = |values: Vec<f64>, shape: [usize; 2]| -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), place)
    };
    let signs = (0..width).map(|index| if index % 2 == 0 { 1.0 } else { -1.0 });
    let start = Wide {
        first: Param::from_tensor(matrix(signs.collect(), [1, width])),
        last: Param::from_tensor(matrix(vec![1.0; width], [width, 1])),
        activation: Activation::Identity,
    };
    let data = [(matrix(vec![1.0], [1, 1]), matrix(vec![target], [1, 1]))];
    let risk = Risk::split(
        outputs,
        |z: Tensor<2>, (_, y): Pair| (z - y).square().sum() * 0.5,
        &data,
    );
    let flow = GradientFlowConfig::new(12.0)
        .with_relative_tolerance(Some(1e-9))
        .with_absolute_tolerance(Some(1e-12))
        .run(&risk, &start)?;
    let reading = TangentKernelConfig::new().run(&risk, &start, &flow.model)?;
    Ok(1.0 + reading.drift)
}

/// The slopes of the seeds, and a line of means.
fn slopes(plan: &Plan, divisor: &str, found: &mut Measured) {
    let widths = plan.pick(&WIDTHS[..], &WIDTHS[..2]);
    let drifts = |width: usize| found.values(&of_width(divisor, width), DRIFT);
    let of_seed = |index: usize| {
        let points = widths.iter().map(|&width| {
            let drift = drifts(width).get(index).copied();
            ((width as f64).ln(), drift.unwrap_or(f64::NAN).ln())
        });
        let line = LineFit::of(&points.collect::<Vec<_>>());
        line.map_or(f64::NAN, |line| line.slope)
    };
    let slopes: Vec<f64> = (0..plan.seeds.len()).map(of_seed).collect();
    let means = widths.iter().map(|&width| {
        let mean = found.mean(&of_width(divisor, width), DRIFT);
        (width as f64, mean)
    });
    let means = means.collect();
    found.extend(divisor, SLOPE, slopes);
    let name = "Drift by width";
    found.line(name, "width", "mean drift", divisor, means);
}

fn notes(found: &mut Measured) {
    found.note(
        "Drift: |K − K₀| / |K₀|. Distance: one minus the cosine of both kernels. Gap: between the outputs and those \
         of the model that is linear in its weights, over their move. Alignment: yᵀK y / (|K| |y|²). Slope: of the \
         logarithm of the drift in that of the width, fitted seed by seed.",
    );
    let width = WIDTHS[3];
    let drift = |divisor: &str| found.mean(&of_width(divisor, width), DRIFT);
    let times = drift(MEAN_FIELD) / drift(ROOT);
    if times.is_finite() {
        found.note(format!(
            "At a width of {width}, the kernel moves {times:.0} times as far with 1/m as with 1/√m."
        ));
    }
}

/// The points of the recipe, `numpy.random.default_rng(0).standard_normal((20, 5))` to six digits. No model that is
/// linear in the inputs learns their targets.
fn points(place: Place<'_>) -> Pair {
    let targets = POINTS.map(|[x, y, ..]| (x * y).signum());
    let inputs = TensorData::new(POINTS.concat(), [POINTS.len(), INPUTS]);
    let targets = TensorData::new(targets.to_vec(), [POINTS.len(), 1]);
    (
        Tensor::from_data(inputs, place),
        Tensor::from_data(targets, place),
    )
}

const POINTS: [[f64; INPUTS]; 20] = [
    [0.125_730, -0.132_105, 0.640_423, 0.104_900, -0.535_669],
    [0.361_595, 1.304_000, 0.947_081, -0.703_735, -1.265_421],
    [-0.623_274, 0.041_326, -2.325_031, -0.218_792, -1.245_911],
    [-0.732_267, -0.544_259, -0.316_300, 0.411_631, 1.042_513],
    [-0.128_535, 1.366_463, -0.665_195, 0.351_510, 0.903_470],
    [0.094_012, -0.743_499, -0.921_725, -0.457_726, 0.220_195],
    [-1.009_618, -0.209_176, -0.159_225, 0.540_846, 0.214_659],
    [0.355_373, -0.653_829, -0.129_614, 0.783_975, 1.493_431],
    [-1.259_066, 1.513_924, 1.345_875, 0.781_311, 0.264_456],
    [-0.313_923, 1.458_021, 1.960_258, 1.801_635, 1.315_104],
    [0.357_380, -1.208_319, -0.004_454, 0.656_475, -1.288_361],
    [0.395_122, 0.429_864, 0.696_043, -1.184_118, -0.661_703],
    [-0.436_435, -1.169_802, 1.739_368, -0.495_911, 0.328_970],
    [-0.258_573, 1.583_473, 1.320_361, 0.633_353, -2.203_510],
    [0.052_029, 0.683_686, 1.003_962, -0.617_907, 1.822_011],
    [-1.320_431, -0.661_528, 0.935_050, 0.049_055, 2.002_393],
    [0.188_519, -0.633_194, -0.377_564, -1.091_146, -1.277_680],
    [0.630_411, 0.581_166, 1.294_559, -0.754_606, 1.689_107],
    [-0.287_388, 1.574_408, -0.432_786, -0.735_483, 0.249_785],
    [1.031_453, 0.161_010, -0.585_529, -1.341_220, -1.401_520],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_is_a_slope_for_each_seed() {
        let plan = Plan::new("lazy-rich", vec![0, 1], false);
        let mut found = Measured::default();
        for width in WIDTHS {
            let drifts = [-0.7, -1.1].map(|power| 3.0 * (width as f64).powf(power));
            found.extend(&of_width(ROOT, width), DRIFT, drifts);
        }
        slopes(&plan, ROOT, &mut found);
        let [one, other] = found.values(ROOT, SLOPE) else {
            panic!("two slopes");
        };
        assert!((one + 0.7).abs() < 1e-12 && (other + 1.1).abs() < 1e-12);
        // There are none where a network was not reached.
        slopes(&plan, MEAN_FIELD, &mut found);
        let none = found.values(MEAN_FIELD, SLOPE);
        assert!(none.len() == 2 && none.iter().all(|slope| slope.is_nan()));
    }

    #[test]
    fn kernels_of_linear_networks_grow_by_their_law() {
        let (width, target) = LINEAR[0];
        let law = (1.0 + target * target / width as f64).sqrt();
        assert!((growth(width, target).unwrap() - law).abs() < 1e-7);
    }

    #[test]
    fn points_have_both_targets() {
        let place = (&Device::default(), DType::F64);
        let (inputs, targets) = points(place);
        assert_eq!(inputs.dims(), [20, INPUTS]);
        let targets: Vec<f64> = targets.try_into_vec_as().unwrap();
        assert_eq!(targets.iter().filter(|y| **y == 1.0).count(), 9);
    }
}
