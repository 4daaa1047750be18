//! Restarts beside independent runs, for one rate and seed.

use std::iter::zip;
use std::slice::from_ref;

use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::tensor::{DType, Device, Tensor};
use burnscape::krylov::Estimate;
use burnscape::loss::{Recorded, Risk};
use burnscape::merge::average;
use burnscape::path::{CurveProfileConfig, PolygonalChain};

use super::answers::{Answers, disagreement};
use super::{
    ACCURACY, AVERAGE, BARRIER, DISTANCE, ENDS, FULL_PAIRS, OVER_LOSS, SHARE, SHORT_PAIRS, STEPS,
    TRAINING_LOSS, of_restart,
};
use crate::Failure;
use crate::studies::criteria::warm_restarts::{
    DISAGREEMENT, FULL, LAST, LEAST, RESTARTS, SHORT, SINGLE, SNAPSHOTS, TEST_LOSS,
};
use crate::studies::digits::{CLASSES, Digits, Labeled, PIXELS};
use crate::studies::frame::Plan;
use crate::studies::losses::{cross_entropy, number};
use crate::studies::network::{Activation, Mlp};
use crate::studies::training::{Course, Draws, heavy_ball, minibatch, unwatched};

const WIDTH: usize = 64;
/// Images to train on.
const EXAMPLES: usize = 512;
const BATCH: usize = 64;
const MOMENTUM: f64 = 0.9;
const DECAY: f32 = 1e-4;
/// Cycles of the restarts, and networks of an ensemble.
const CYCLES: usize = 5;
/// Steps of a cycle.
const CYCLE: usize = 400;
/// Points of a line, ends included.
const POINTS: usize = 21;
/// Steps between two readings of the training loss.
const EVERY: usize = 20;
/// Between the seeds of two repetitions, whose networks have successive ones.
const STRIDE: u64 = 100;

/// Places with values.
pub(super) type Points = Vec<(f64, f64)>;

/// What one rate and seed find.
pub(super) struct Repetition {
    /// Rows without the rate, columns and numbers.
    pub(super) cells: Vec<(String, &'static str, f64)>,
    /// Names with training losses by step.
    pub(super) curves: Vec<(&'static str, Points)>,
    /// Names with training losses along lines, one after another.
    pub(super) lines: Vec<(&'static str, Points)>,
}

impl Repetition {
    /// None if a network has a training loss that is not finite.
    pub(super) fn of(
        plan: &Plan,
        digits: &Digits,
        rate: f64,
        seed: u64,
    ) -> Result<Option<Self>, Failure> {
        let bench = Bench::new(plan, digits, rate);
        let (cycles, cycle) = (bench.cycles, bench.cycle);
        let steps = cycles * cycle;
        let first = STRIDE * seed;
        let seeds: Vec<u64> = (first..first + cycles as u64).collect();

        let restarts = bench.trained(first, cycle, cycles)?;
        let full = seeds.iter().map(|&seed| bench.trained(seed, steps, 1));
        let full = full.collect::<Result<Vec<Trained>, Failure>>()?;
        // The first cycle is the short run of the same seed.
        let others = seeds[1..].iter();
        let others = others.map(|&seed| bench.trained(seed, cycle, 1));
        let others = others.collect::<Result<Vec<Trained>, Failure>>()?;

        let single = full.first().map(|run| run.curve.clone());
        let curves = vec![
            ("restarts", restarts.curve),
            (SINGLE, single.unwrap_or_default()),
        ];
        let snapshots = restarts.nets;
        let full: Vec<Mlp> = full.into_iter().flat_map(|run| run.nets).collect();
        let short = others.into_iter().flat_map(|run| run.nets);
        let own = snapshots.first().cloned().into_iter();
        let short: Vec<Mlp> = own.chain(short).collect();
        for net in snapshots.iter().chain(&full).chain(&short) {
            if !bench.loss_of(net)?.is_finite() {
                return Ok(None);
            }
        }

        let mut found = Self {
            cells: Vec::new(),
            curves,
            lines: Vec::new(),
        };
        let last = snapshots.len().saturating_sub(1);
        found.score(LAST, &bench, &snapshots[last..], steps)?;
        found.score(SINGLE, &bench, &full[..1], steps)?;
        found.score(SNAPSHOTS, &bench, &snapshots, steps)?;
        found.score(SHORT, &bench, &short, steps)?;
        found.score(FULL, &bench, &full, cycles * steps)?;
        let all: Vec<&Mlp> = snapshots.iter().collect();
        found.score(AVERAGE, &bench, &[average(&all)?], steps)?;
        found.measure_lines(&bench, [&snapshots, &short, &full])?;
        Ok(Some(found))
    }

    fn push(&mut self, row: &str, column: &'static str, value: f64) {
        self.cells.push((row.to_string(), column, value));
    }

    /// Losses and accuracy of networks together, and how far they disagree.
    fn score(
        &mut self,
        row: &str,
        bench: &Bench,
        nets: &[Mlp],
        steps: usize,
    ) -> Result<(), Failure> {
        let of = |set: &Labeled| -> Vec<Answers> {
            let answers = nets.iter().map(|net| Answers::of(net, set));
            answers.collect()
        };
        let (train, test) = (of(&bench.plain), of(&bench.test));
        let (seen, unseen) = (Answers::together(&train), Answers::together(&test));
        self.push(row, STEPS, steps as f64);
        self.push(row, TRAINING_LOSS, seen.loss(&bench.plain)?);
        self.push(row, TEST_LOSS, unseen.loss(&bench.test)?);
        self.push(row, ACCURACY, unseen.accuracy(&bench.test)?);
        if nets.len() > 1 {
            self.push(row, DISAGREEMENT, disagreement(&test)?);
        }
        Ok(())
    }

    /// What lies between successive networks of each kind, and between the ends of the restarts.
    fn measure_lines(
        &mut self,
        bench: &Bench,
        [snapshots, short, full]: [&[Mlp]; 3],
    ) -> Result<(), Failure> {
        let restarts = bench.lines(snapshots)?;
        for (index, line) in restarts.iter().enumerate() {
            self.mean(&of_restart(index + 1), from_ref(line));
        }
        self.mean(RESTARTS, &restarts);
        let between_short = bench.lines(short)?;
        self.mean(SHORT_PAIRS, &between_short);
        let between_full = bench.lines(full)?;
        self.mean(FULL_PAIRS, &between_full);
        if let [first, .., last] = snapshots {
            self.mean(ENDS, &[bench.line(first, last)?]);
        }
        let barrier = |lines: &[Line]| mean(lines, |line| line.barrier);
        let independent = barrier(&between_full);
        let least = restarts.iter().map(|line| line.barrier);
        let least = least.fold(f64::NAN, f64::min);
        self.push(RESTARTS, LEAST, least / independent);
        self.push(RESTARTS, SHARE, barrier(&restarts) / independent);
        for (name, lines) in [("snapshots", restarts), ("full runs", between_full)] {
            let lines = lines.into_iter().enumerate();
            let shifted = lines.flat_map(|(index, line)| {
                let points = line.points.into_iter();
                points.map(move |(t, loss)| (index as f64 + t, loss))
            });
            self.lines.push((name, shifted.collect()));
        }
        Ok(())
    }

    /// Means over lines.
    fn mean(&mut self, row: &str, lines: &[Line]) {
        self.push(row, BARRIER, mean(lines, |line| line.barrier));
        self.push(row, OVER_LOSS, mean(lines, |line| line.barrier / line.ends));
        self.push(row, DISTANCE, mean(lines, |line| line.distance));
        self.push(row, DISAGREEMENT, mean(lines, |line| line.disagreement));
    }
}

fn mean(lines: &[Line], value: fn(&Line) -> f64) -> f64 {
    let values: Vec<f64> = lines.iter().map(value).collect();
    Estimate::of(&values).value
}

/// What lies between two networks.
struct Line {
    barrier: f64,
    /// The mean training loss of the ends.
    ends: f64,
    distance: f64,
    disagreement: f64,
    points: Points,
}

/// The networks at the ends of the cycles of a run, not on autodiff, and its training losses.
struct Trained {
    nets: Vec<Mlp>,
    curve: Points,
}

type Loss = Recorded<fn(&Mlp, Labeled) -> Tensor<1>>;

/// Data and settings of one thread.
struct Bench {
    /// On autodiff.
    train: Labeled,
    /// The same, not on autodiff.
    plain: Labeled,
    test: Labeled,
    loss: Loss,
    rate: f64,
    width: usize,
    cycles: usize,
    cycle: usize,
    num_points: usize,
}

impl Bench {
    fn new(plan: &Plan, digits: &Digits, rate: f64) -> Self {
        let examples = plan.pick(EXAMPLES, 128);
        let [plain, autodiff] = [Device::default(), Device::default().autodiff()];
        Self {
            train: digits.labeled(0..examples, (&autodiff, DType::F32)),
            plain: digits.labeled(0..examples, (&plain, DType::F32)),
            test: digits.labeled(EXAMPLES..digits.len(), (&plain, DType::F32)),
            loss: Recorded::new(cross_entropy::<Mlp> as fn(&Mlp, Labeled) -> Tensor<1>),
            rate,
            width: plan.pick(WIDTH, 16),
            cycles: plan.pick(CYCLES, 2),
            cycle: plan.steps(CYCLE),
            num_points: plan.pick(POINTS, 3),
        }
    }

    /// A run of cycles, in each of which the rate falls to zero. Momentum is kept from one to the next. Initial weights
    /// and batches are those of the seed, whatever the cycles.
    fn trained(&self, seed: u64, cycle: usize, cycles: usize) -> Result<Trained, Failure> {
        let place = (&self.train.0.device(), DType::F32);
        let sizes = [PIXELS, self.width, self.width, CLASSES];
        let mut net = Mlp::new(&sizes, Activation::Relu, seed, place)?;
        let decay = WeightDecayConfig::new(DECAY);
        let mut sgd = heavy_ball(MOMENTUM).with_weight_decay(Some(decay)).init();
        let [examples, _] = self.train.0.dims();
        let mut draws = Draws::epochs(examples, BATCH, seed);
        let course = Course::cosine(cycle, self.rate);
        let (mut nets, mut curve) = (Vec::new(), Vec::new());
        for done in 0..cycles {
            let (loss, train) = (&self.loss, &self.train);
            net = minibatch(net, &mut sgd, loss, train, &mut draws, course, |seen| {
                let step = done * cycle + seen.step;
                // The end of a cycle is the start of the next.
                let is_new = seen.step > 0 || done == 0;
                if is_new && step.is_multiple_of(EVERY) {
                    curve.push((step as f64, self.loss_of(&seen.model.valid())?));
                }
                unwatched(seen)
            })?;
            nets.push(net.valid());
        }
        Ok(Trained { nets, curve })
    }

    /// The training loss of a network that is not on autodiff.
    fn loss_of(&self, net: &Mlp) -> Result<f64, Failure> {
        number(self.loss.loss_on(net, self.plain.clone())?)
    }

    /// Those between successive networks.
    fn lines(&self, nets: &[Mlp]) -> Result<Vec<Line>, Failure> {
        let pairs = nets.windows(2);
        pairs.map(|pair| self.line(&pair[0], &pair[1])).collect()
    }

    fn line(&self, a: &Mlp, b: &Mlp) -> Result<Line, Failure> {
        let objective = cross_entropy::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&self.plain));
        let config = CurveProfileConfig::new().with_num_points(self.num_points);
        let profile = config.run(&risk, &PolygonalChain::line(a, b)?)?;
        let [one, other] = [a, b].map(|net| Answers::of(net, &self.test));
        let places = profile.times.iter().copied();
        Ok(Line {
            barrier: profile.barriers().ok_or("no barrier")?.above_line,
            ends: 0.5 * (self.loss_of(a)? + self.loss_of(b)?),
            distance: profile.length(),
            disagreement: one.disagreement(&other)?,
            points: zip(places, profile.train.values.iter().copied()).collect(),
        })
    }
}
