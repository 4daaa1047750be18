//! Networks of one hidden layer on digits, some of whose labels are random.

use std::slice::from_ref;

use burn::tensor::{DType, Device};
use burnscape::krylov::{EigenpairsConfig, TraceConfig, Which};
use burnscape::landscape::{Direction, LandscapeConfig};
use burnscape::loss::{Batch, Objective, Recorded, Risk};
use burnscape::sharpness::AverageSharpnessConfig;
use burnscape::space::{DirectionNorm, Grid, ParamVector, Scale, UnfilteredRule};

use super::{LABEL_SEEDS, RANDOM_LABELS, largest};
use crate::Failure;
use crate::studies::criteria::double_descent::{
    CROSS_ENTROPY, LAMBDA, NEIGHBORS, PEAK, SQUARED, TEST_ERROR, TEST_LOSS, WIDTHS, of_difference,
    of_width,
};
use crate::studies::digits::{CLASSES, Digits, Labeled, PIXELS};
use crate::studies::frame::{Measured, Plan};
use crate::studies::losses::{accuracy, cross_entropy, half_mse, number};
use crate::studies::network::{Activation, Mlp};
use crate::studies::training::{Course, adam, full_batch, unwatched};

/// Images to train on.
const EXAMPLES: usize = 400;
const STEPS: usize = 4000;
const RATE: f64 = 5e-3;
/// Noise as a share of the length of a filter. As by Li et al., biases do not move.
const NOISE: f64 = 0.1;
const NORM: DirectionNorm = DirectionNorm::Filter(UnfilteredRule::Zero);
/// Where a slice counts as steep or not.
const HALF: f64 = 0.5;

const SHARE: &str = "p/(10 n)";
const TRAINING_LOSS: &str = "training loss";
const TRAINING_ACCURACY: &str = "training accuracy";
const TRACE: &str = "trace";
const LENGTH: &str = "|w|";
const RISE: &str = "filter-relative rise";
const SLICE: &str = "rise at ±½ of the slice";

/// One training.
#[derive(Clone, Copy)]
struct Job {
    loss: &'static str,
    width: usize,
    seed: u64,
}

/// How it ended.
struct End {
    /// Columns of the table with their values.
    numbers: Vec<(&'static str, f64)>,
    /// Coordinates with losses.
    slice: Vec<(f64, f64)>,
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let widths = plan.pick(&WIDTHS[..], &[4, 8][..]);
    let mut jobs = Vec::new();
    for loss in [SQUARED, CROSS_ENTROPY] {
        for &width in widths {
            let seeds = plan.seeds.iter();
            jobs.extend(seeds.map(|&seed| Job { loss, width, seed }));
        }
    }
    let ends = plan.over(&jobs, |job| {
        let end = job.run(plan)?;
        if plan.seeds.last() == Some(&job.seed) {
            plan.progress(of_width(job.loss, job.width));
        }
        Ok(end)
    })?;
    for (job, end) in jobs.iter().zip(ends) {
        let row = of_width(job.loss, job.width);
        for (column, value) in end.numbers {
            found.push(row.as_str(), column, value);
        }
        if plan.seeds.first() == Some(&job.seed) {
            let chart = format!("{}: slices", job.loss);
            let name = format!("width {}", job.width);
            found.line(&chart, "coordinate", TRAINING_LOSS, &name, end.slice);
        }
    }
    for width in NEIGHBORS {
        let errors = |width| found.values(&of_width(SQUARED, width), TEST_ERROR);
        let pairs = errors(PEAK).iter().zip(errors(width));
        let differences: Vec<f64> = pairs.map(|(peak, other)| peak - other).collect();
        found.extend(&of_difference(width), TEST_ERROR, differences);
    }
    charts(found, widths);
    notes(found, widths);
    Ok(())
}

fn charts(found: &mut Measured, widths: &[usize]) {
    for column in [TEST_ERROR, TEST_LOSS, LAMBDA, TRACE, RISE] {
        for loss in [SQUARED, CROSS_ENTROPY] {
            let mean = |&width: &usize| (width as f64, found.mean(&of_width(loss, width), column));
            let points = widths.iter().map(mean).collect();
            let chart = format!("networks: {column}");
            found.line(&chart, "width", column, loss, points);
        }
    }
}

/// At which width each measure is largest.
fn notes(found: &mut Measured, widths: &[usize]) {
    for loss in [SQUARED, CROSS_ENTROPY] {
        let place = |column: &str| {
            let width = largest(found, widths, |width| of_width(loss, width), column);
            let width = width.map_or("no width".to_string(), |width| width.to_string());
            format!("{column} at {width}")
        };
        let columns = [TEST_ERROR, TEST_LOSS, LAMBDA, TRACE, RISE, SLICE, LENGTH];
        let places = columns.map(place).join(", ");
        found.note(format!("Widths with the largest means, {loss}: {places}."));
    }
}

impl Job {
    fn run(self, plan: &Plan) -> Result<End, Failure> {
        let Self { loss, width, seed } = self;
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let digits = Digits::load(seed)?;
        let digits = digits.with_noisy_labels(0..EXAMPLES, RANDOM_LABELS, LABEL_SEEDS + seed);
        let parts = [0..EXAMPLES, EXAMPLES..digits.len()];
        let labeled = parts.clone().map(|part| digits.labeled(part, place));
        let net = Mlp::new(&[PIXELS, width, CLASSES], Activation::Relu, seed, place)?;
        if loss == SQUARED {
            let data = parts.map(|part| digits.targeted(part, place));
            self.end(plan, net, half_mse::<Mlp>, &data, &labeled)
        } else {
            self.end(plan, net, cross_entropy::<Mlp>, &labeled, &labeled)
        }
    }

    /// Trains on the first part of the data, and measures.
    fn end<B: Batch + Sync>(
        self,
        plan: &Plan,
        net: Mlp,
        objective: impl Objective<Mlp, B> + Copy + Sync,
        data: &[B; 2],
        labeled: &[Labeled; 2],
    ) -> Result<End, Failure> {
        let [train, test] = data;
        let loss = Recorded::new(objective);
        let mut optimizer = adam(0.999, 1e-8).init();
        let course = Course::cosine(plan.steps(STEPS), RATE);
        let net = full_batch(net, &mut optimizer, &loss, train, course, unwatched)?;

        let risk = Risk::new(&objective, from_ref(train));
        let hessian = risk.hessian(&net)?;
        let largest = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
        let largest = largest.run(&hessian)?.values[0];
        let trace = TraceConfig::new().with_max_matvecs(plan.pick(32, 2));
        let trace = trace.with_seed(self.seed).run(&hessian)?.value;
        let rise = AverageSharpnessConfig::new(NOISE)
            .with_num_samples(plan.pick(50, 2))
            .with_scale(Scale::FilterRelative(UnfilteredRule::Zero))
            .with_seed(self.seed)
            .run(&risk, &net)?;
        let space = risk.space(&net)?;
        let direction = Direction::random(&space, &net, NORM, self.seed)?;
        let grid = Grid::symmetric(1.0, plan.pick(41, 5))?;
        let slice = LandscapeConfig::new([grid]).run(&risk, &net, &[direction])?;
        let base = slice.base_loss;
        let slice: Vec<(f64, f64)> = slice.axes[0].iter().copied().zip(slice.losses).collect();
        let halves = slice.iter().filter(|(x, _)| (x.abs() - HALF).abs() < 1e-9);
        let halves: f64 = halves.map(|(_, loss)| 0.5 * (loss - base)).sum();

        let [seen, unseen] = labeled;
        let outputs = (CLASSES * EXAMPLES) as f64;
        let numbers = vec![
            (SHARE, space.len() as f64 / outputs),
            (TEST_ERROR, 1.0 - accuracy(&net, unseen)?),
            (TEST_LOSS, number(objective.loss(&net, test.clone()))?),
            (TRAINING_LOSS, hessian.loss()),
            (TRAINING_ACCURACY, accuracy(&net, seen)?),
            (LAMBDA, largest),
            (TRACE, trace),
            (LENGTH, ParamVector::from_module(&space, &net)?.norm()?),
            (RISE, rise.rise),
            (SLICE, halves),
        ];
        Ok(End { numbers, slice })
    }
}
