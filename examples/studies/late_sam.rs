//! SAM in the last part of a training, beside SAM throughout and SGD.

use std::iter::zip;
use std::slice::from_ref;

use burn::optim::ModuleOptimizer;
use burn::optim::decay::WeightDecayConfig;
use burn::tensor::{DType, Device, Tensor};
use burnscape::dynamics::{CurvatureMonitorConfig, Due, Moment, Watch};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Batch, Recorded, Risk};
use burnscape::optim::{ClosureStep, SamConfig};
use burnscape::path::{CurveProfileConfig, PolygonalChain};
use burnscape::sharpness::WorstCaseSharpnessConfig;

use super::criteria::late_sam::{
    CLEAR, EARLY, FULL, GRADIENTS, LAMBDA, LATE, LOSS_CHANGE, PAIRS, RATIO, RELATIVE_RATIO, SGD,
    SHARE, TEST, TEST_CHANGE, TEST_LOSS, TO_FULL, TO_LATE, TO_OTHER, TWICE, divided, judge,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS};
use super::frame::{Measured, Plan, Study};
use super::losses::{accuracy, cross_entropy};
use super::network::{Activation, Mlp};
use super::numbers::{number, with_error};
use super::training::{Draws, heavy_ball};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "late-sam",
    claim: "SAM in the last part of a training by SGD ends about as flat as SAM throughout and classifies about as \
            well, in the valley that SGD has found.",
    papers: &["Zhou et al. 2024, arXiv:2410.10373"],
    ran: "ReLU 64-64-64-10 with cross-entropy on 1,280 digits, SGD with momentum 0.9, batches of 64, weight decay 5e-4 \
          and 150 epochs, at a constant rate of 0.1; beside it with a tenth of the rate in the second half, as the \
          authors have it, with epochs of 20 times as many steps. Late SAM has every step of SGD before the last 15 %, \
          and ascends (radius 0.05) from there, with the weights, the momentum and the batches of SGD. With the same \
          seed: SGD, SGD with twice the epochs (as many gradients as SAM), SAM throughout, and SAM that ends with 15 % \
          of SGD. Of each end: λ_max of the training loss, that loss, its maximum in a ball of the radius by 20 steps \
          of ascent (SAM loss), and loss and accuracy on the other 517 digits; each seed has a split of its own. \
          Barriers are the largest excess, at 21 points of a straight line, of the training loss over that between its \
          ends.",
    would_change: "Whether, with both schedules, λ_max of late SAM is below that of SGD by two standard errors of the \
                   pairs and at most 1.3 times that of SAM; more steps at the divided rate would let it go further. \
                   In part, at the constant rate: less than half of SAM's fall of ln λ_max; a barrier between SGD and \
                   late SAM of more than a tenth of the training loss; half a point of accuracy less than SAM within \
                   two standard errors; SAM that ends with SGD and is as flat as SAM.",
    wrong: "That flatness is why a run classifies better or worse: see the test columns beside λ_max. That λ_max tells \
            runs of SAM from others: it falls with the training loss too, whatever the optimizer; see λ_max over the \
            training loss, and SGD with twice the epochs. That a share of the training is what SAM needs: the distance \
            that it can go is a matter of steps times the rate; compare the schedules. That the rest of the training \
            does not matter: late SAM has all of it. And that a line without a barrier is special to late SAM: compare \
            the line to SAM throughout, which has the same initial weights.",
    references: &[],
    run,
    judge,
};

const SIZES: [usize; 4] = [PIXELS, 64, 64, CLASSES];
const BATCH: usize = 64;
/// 150 epochs.
const STEPS: usize = 3000;
/// Of a quick look.
const FEW_STEPS: usize = 40;
/// Percent of the steps that are late.
const LATE_PERCENT: usize = 15;
const RATE: f64 = 0.1;
/// The factor of the rate in the second half.
const DROP: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const DECAY: f32 = 5e-4;
/// The radius of SAM.
const RHO: f64 = 0.05;
/// Points of a line, ends included.
const POINTS: usize = 21;
/// Steps after the switch at which λ_max is read, and those of a quick look.
const AROUND: &[isize] = &[
    -2500, -2000, -1500, -1000, -500, -200, -100, -50, -20, 0, 2, 5, 10, 20, 50, 100, 200, 300,
];
const AT_SWITCH: &[isize] = &[0];
/// The first step of the second chart.
const SHORTLY_BEFORE: f64 = -200.0;

const LOSS: &str = "training loss";
const RELATIVE: &str = "λ_max over training loss";
const SAM_LOSS: &str = "SAM loss";
const BARRIER: &str = "barrier";
const LENGTH: &str = "length";

/// What is measured of a run, in the order of `Values`.
const COLUMNS: [&str; 7] = [LAMBDA, LOSS, RELATIVE, SAM_LOSS, TEST_LOSS, TEST, GRADIENTS];
type Values = [f64; COLUMNS.len()];
type Loss = Recorded<fn(&Mlp, Labeled) -> Tensor<1>>;

/// The rate of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schedule {
    Constant,
    /// Falls once, in the middle.
    Drop,
}

impl Schedule {
    fn rate(self, step: usize, steps: usize) -> f64 {
        match self {
            Self::Drop if 2 * step >= steps => DROP * RATE,
            _ => RATE,
        }
    }

    /// The row of a run, a pair or a line.
    fn row(self, name: &str) -> String {
        match self {
            Self::Constant => name.to_string(),
            Self::Drop => divided(name),
        }
    }
}

/// The part of a run that ascends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ascents {
    Never,
    Always,
    /// After the switch.
    Late,
    /// Before it.
    Early,
}

/// Runs, with how many times as many steps they have.
const RUNS: [(&str, Ascents, usize); 5] = [
    (SGD, Ascents::Never, 1),
    (TWICE, Ascents::Never, 2),
    (FULL, Ascents::Always, 1),
    (LATE, Ascents::Late, 1),
    (EARLY, Ascents::Early, 1),
];

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let schedules = [Schedule::Constant, Schedule::Drop];
    let schedules = &schedules[..plan.pick(2, 1)];
    let jobs = schedules.iter();
    let jobs = jobs.flat_map(|&schedule| plan.seeds.iter().map(move |&seed| (schedule, seed)));
    let jobs: Vec<(Schedule, u64)> = jobs.collect();
    let seeds = plan.over(&jobs, |&(schedule, seed)| {
        let compared = compared(plan, schedule, seed)?;
        let sharpness = compared.runs.iter().map(|(values, _)| number(values[0]));
        let sharpness = sharpness.collect::<Vec<_>>().join(", ");
        plan.progress(format!("{schedule:?}, seed {seed}: λ_max {sharpness}"));
        Ok(compared)
    })?;
    for ((schedule, _), compared) in zip(&jobs, &seeds) {
        enter(*schedule, compared, found);
    }
    draw(plan, &seeds[..plan.seeds.len()], found);
    for schedule in schedules {
        pairs(*schedule, found);
        notes(*schedule, found);
    }
    Ok(())
}

/// All runs of a seed.
struct Compared {
    /// In the order of `RUNS`; steps after the switch with λ_max.
    runs: Vec<(Values, Vec<(f64, f64)>)>,
    lines: Vec<Line>,
}

/// The training loss between two ends.
struct Line {
    name: &'static str,
    barrier: f64,
    /// Over the loss of the higher end.
    share: f64,
    length: f64,
    points: Vec<(f64, f64)>,
}

fn compared(plan: &Plan, schedule: Schedule, seed: u64) -> Result<Compared, Failure> {
    let setting = Setting::new(plan, schedule, seed)?;
    let ends = RUNS.iter();
    let ends = ends.map(|&(_, ascents, times)| setting.trained(ascents, times, seed));
    let ends: Vec<End> = ends.collect::<Result<_, _>>()?;
    let [sgd, _, full, late, _] = &ends[..] else {
        return Err("a run is missing".into());
    };
    let other = setting.trained(Ascents::Never, 1, !seed)?;
    let lines = [(TO_LATE, late), (TO_FULL, full), (TO_OTHER, &other)];
    let lines = lines.map(|(name, end)| setting.line(name, &sgd.net, &end.net));
    let lines = lines.into_iter().collect::<Result<_, _>>()?;
    let runs = ends.into_iter().map(|end| (end.values, end.curve));
    Ok(Compared {
        runs: runs.collect(),
        lines,
    })
}

/// The data of a seed, and how its runs are trained.
struct Setting<'p> {
    plan: &'p Plan,
    schedule: Schedule,
    seed: u64,
    train: Labeled,
    test: Labeled,
    loss: Loss,
    /// Those of SGD.
    steps: usize,
    /// The first late step.
    switch: usize,
}

/// What a run has come to.
struct End {
    net: Mlp,
    values: Values,
    curve: Vec<(f64, f64)>,
}

impl<'p> Setting<'p> {
    fn new(plan: &'p Plan, schedule: Schedule, seed: u64) -> Result<Self, Failure> {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let digits = Digits::load(seed)?;
        let steps = plan.pick(STEPS, FEW_STEPS);
        Ok(Self {
            plan,
            schedule,
            seed,
            train: digits.labeled(0..plan.pick(NUM_TRAIN, 2 * BATCH), place),
            test: digits.test(place),
            loss: Recorded::new(cross_entropy::<Mlp> as fn(&Mlp, Labeled) -> Tensor<1>),
            steps,
            switch: steps - steps * LATE_PERCENT / 100,
        })
    }

    /// The network of some initial weights, and the optimizer of all runs.
    fn start(&self, weights: u64) -> Result<(Mlp, ModuleOptimizer), Failure> {
        let device = self.train.0.device();
        let net = Mlp::new(&SIZES, Activation::Relu, weights, (&device, DType::F32))?;
        let decay = WeightDecayConfig::new(DECAY);
        let sgd = heavy_ball(MOMENTUM).with_weight_decay(Some(decay));
        Ok((net, sgd.init()))
    }

    /// The examples of the steps, the same for all runs.
    fn draws(&self) -> Draws {
        let [count, _] = self.train.0.dims();
        Draws::epochs(count, BATCH, self.seed)
    }

    fn trained(&self, ascents: Ascents, times: usize, weights: u64) -> Result<End, Failure> {
        let (net, sgd) = self.start(weights)?;
        let steps = times * self.steps;
        let active = match ascents {
            Ascents::Never => None,
            Ascents::Always => Some(0..steps),
            Ascents::Late => Some(self.switch..steps),
            Ascents::Early => Some(0..self.switch),
        };
        let is_watched = self.schedule == Schedule::Constant && times == 1 && weights == self.seed;
        let readings = self.readings(is_watched, steps);
        if active.is_none() {
            return self.follow(net, sgd, steps, readings);
        }
        // In other steps the optimizer inside steps alone, and keeps its momentum.
        let sam = SamConfig::new().with_rho(RHO).with_active_steps(active);
        self.follow(net, sam.init(sgd)?, steps, readings)
    }

    /// The steps before which λ_max is read: around the switch, and at the end.
    fn readings(&self, is_watched: bool, steps: usize) -> Vec<usize> {
        let around = self.plan.pick(AROUND, AT_SWITCH).iter();
        let around = around.filter_map(|&shift| self.switch.checked_add_signed(shift));
        let around = around.filter(|&step| is_watched && step < steps);
        around.chain([steps]).collect()
    }

    fn follow<S: ClosureStep>(
        &self,
        mut net: Mlp,
        mut optimizer: S,
        steps: usize,
        readings: Vec<usize>,
    ) -> Result<End, Failure> {
        let objective = cross_entropy::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&self.train));
        // Some readings are far from the one before.
        let monitor = CurvatureMonitorConfig::new().with_max_warm_matvecs(30);
        let monitor = monitor.init()?;
        let mut watch = Watch::new(Due::At(readings), monitor, risk)?;
        let mut draws = self.draws();
        let mut gradients = 0;
        for step in 0..steps {
            let rate = self.schedule.rate(step, steps);
            watch.observe(&Moment::new(step, rate, &net))?;
            gradients += self.step(rate, &mut net, &mut optimizer, &mut draws)?;
        }
        watch.observe(&Moment::new(steps, 0.0, &net))?;
        let curve = watch.readings().to_vec().into_iter().map(|seen| {
            let after = seen.step as f64 - self.switch as f64;
            (after, seen.reading.sharpness)
        });
        let curve = curve.collect();
        let values = self.measured(&net, gradients)?;
        Ok(End { net, values, curve })
    }

    /// One step on the next batch; returns the gradients that it took.
    fn step<S: ClosureStep>(
        &self,
        rate: f64,
        net: &mut Mlp,
        optimizer: &mut S,
        draws: &mut Draws,
    ) -> Result<usize, Failure> {
        let batch = self.train.select(&draws.draw())?;
        let loss = |net: &Mlp| self.loss.loss_on(net, batch.clone());
        let report = optimizer.closure_step(rate, net, loss)?;
        if report.skipped.is_some() {
            return Err(format!("seed {}: a step is not finite", self.seed).into());
        }
        Ok(report.num_gradients)
    }

    /// In the order of the columns.
    fn measured(&self, net: &Mlp, gradients: usize) -> Result<Values, Failure> {
        let objective = cross_entropy::<Mlp>;
        let data = [&self.train, &self.test];
        let [risk, other]: [Risk<'_, Mlp>; 2] =
            data.map(|data| Risk::new(&objective, from_ref(data)));
        let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
        let worst = WorstCaseSharpnessConfig::new(RHO)
            .with_num_starts(1)
            .with_num_steps(self.plan.pick(20, 2))
            .run(&risk, net)?;
        let sharpness = top.run(&risk.hessian(net)?)?.values[0];
        Ok([
            sharpness,
            worst.base_loss,
            sharpness / worst.base_loss,
            worst.base_loss + worst.rise,
            other.loss(net)?.value,
            accuracy(net, &self.test)?,
            gradients as f64,
        ])
    }

    fn line(&self, name: &'static str, from: &Mlp, to: &Mlp) -> Result<Line, Failure> {
        let objective = cross_entropy::<Mlp>;
        let risk = Risk::new(&objective, from_ref(&self.train));
        let profile = CurveProfileConfig::new()
            .with_num_points(self.plan.pick(POINTS, 5))
            .run(&risk, &PolygonalChain::line(from, to)?)?;
        let barriers = profile.barriers().ok_or("a line ended early")?;
        let losses = &profile.train.values;
        let higher = losses[0].max(losses[losses.len() - 1]);
        let points = zip(&profile.times, losses).map(|(t, loss)| (*t, *loss));
        Ok(Line {
            name,
            barrier: barriers.above_line,
            share: barriers.above_line / higher,
            length: profile.length(),
            points: points.collect(),
        })
    }
}

/// The cells of a seed.
fn enter(schedule: Schedule, compared: &Compared, found: &mut Measured) {
    for ((name, ..), (values, _)) in zip(&RUNS, &compared.runs) {
        for (column, value) in zip(COLUMNS, values) {
            found.push(schedule.row(name), column, *value);
        }
    }
    for line in &compared.lines {
        let row = schedule.row(line.name);
        found.push(row.as_str(), BARRIER, line.barrier);
        found.push(row.as_str(), SHARE, line.share);
        found.push(row.as_str(), LENGTH, line.length);
    }
}

/// The mean λ_max of the seeds by step, and the lines of the first seed.
fn draw(plan: &Plan, seeds: &[Compared], found: &mut Measured) {
    for (place, (name, _, times)) in RUNS.iter().enumerate() {
        let curves: Vec<&Vec<(f64, f64)>> = seeds.iter().map(|seed| &seed.runs[place].1).collect();
        let Some(first) = curves.first().filter(|_| *times == 1) else {
            continue;
        };
        let points = first.iter().enumerate().map(|(index, (after, _))| {
            let sum: f64 = curves.iter().map(|curve| curve[index].1).sum();
            (*after, sum / plan.seeds.len() as f64)
        });
        let points: Vec<(f64, f64)> = points.collect();
        let late = points.iter().filter(|(after, _)| *after >= SHORTLY_BEFORE);
        let late = late.copied().collect();
        for (chart, points) in [("λ_max by step", points), ("λ_max around the switch", late)] {
            found.line(chart, "steps after the switch", "mean λ_max", name, points);
        }
    }
    let lines = seeds.first().map(|seed| &seed.lines);
    for line in lines.into_iter().flatten() {
        let (chart, points) = ("training loss on lines, first seed", line.points.clone());
        found.line(chart, "place", LOSS, line.name, points);
    }
}

/// Ratios and differences, seed by seed.
fn pairs(schedule: Schedule, found: &mut Measured) {
    for (pair, first, second) in PAIRS {
        let rows = [first, second].map(|run| schedule.row(run));
        let both = |column: &str| -> Vec<(f64, f64)> {
            let [one, two] = [&rows[0], &rows[1]].map(|row| found.values(row, column));
            zip(one, two).map(|(one, two)| (*one, *two)).collect()
        };
        let (sharpness, relative) = (both(LAMBDA), both(RELATIVE));
        let (losses, accuracies) = (both(TEST_LOSS), both(TEST));
        let less = |(one, two): &(f64, f64)| one - two;
        let over = |(one, two): &(f64, f64)| one / two;
        let row = schedule.row(pair);
        found.extend(&row, RATIO, sharpness.iter().map(over));
        found.extend(&row, RELATIVE_RATIO, relative.iter().map(over));
        found.extend(&row, LOSS_CHANGE, losses.iter().map(less));
        found.extend(&row, TEST_CHANGE, accuracies.iter().map(less));
    }
}

/// What the pairs and lines say.
fn notes(schedule: Schedule, found: &mut Measured) {
    for (pair, ..) in PAIRS {
        let row = schedule.row(pair);
        let text = |column: &str, scale: f64, none: f64| {
            let (mean, error) = (found.mean(&row, column), found.standard_error(&row, column));
            let text = with_error(scale * mean, Some(scale * error));
            match (mean - none).abs() > CLEAR * error {
                true => text,
                false => format!("{text} (no clear difference)"),
            }
        };
        let sentence = format!(
            "{row}: λ_max times {}, over the training loss times {}; test loss changed by {}, test accuracy by {} \
             points.",
            text(RATIO, 1.0, 1.0),
            text(RELATIVE_RATIO, 1.0, 1.0),
            text(LOSS_CHANGE, 1.0, 0.0),
            text(TEST_CHANGE, 100.0, 0.0)
        );
        found.note(sentence);
    }
    let [late, full, other] = [TO_LATE, TO_FULL, TO_OTHER].map(|line| {
        let row = schedule.row(line);
        with_error(
            found.mean(&row, SHARE),
            Some(found.standard_error(&row, SHARE)),
        )
    });
    found.note(format!(
        "{}: the barrier is {late} times the training loss of its higher end; on that to SAM throughout it is {full} \
         times, and {other} times on that to SGD from other initial weights.",
        schedule.row(TO_LATE)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_as_they_should() {
        let rates = [0, 49, 50, 99].map(|step| Schedule::Drop.rate(step, 100));
        assert_eq!(rates[..2], [RATE; 2]);
        assert_eq!(rates[2..], [DROP * RATE; 2]);
        assert_eq!(Schedule::Constant.rate(99, 100), RATE);
    }

    #[test]
    fn late_sam_goes_on_with_the_weights_the_momentum_and_the_batches_of_sgd() {
        let plan = Plan::new("late-sam", vec![0], true);
        let setting = Setting::new(&plan, Schedule::Drop, 0).unwrap();
        let (mut net, mut sgd) = setting.start(0).unwrap();
        let mut draws = setting.draws();
        let rate = |step| setting.schedule.rate(step, setting.steps);
        for step in 0..setting.switch {
            let step = setting.step(rate(step), &mut net, &mut sgd, &mut draws);
            assert_eq!(step.unwrap(), 1);
        }
        let mut sam = SamConfig::new().with_rho(RHO).init(sgd).unwrap();
        for step in setting.switch..setting.steps {
            let step = setting.step(rate(step), &mut net, &mut sam, &mut draws);
            assert_eq!(step.unwrap(), 2);
        }
        let late = setting.trained(Ascents::Late, 1, 0).unwrap();
        let line = setting.line(TO_LATE, &net, &late.net).unwrap();
        assert!(line.length < 1e-5, "{}", line.length);
        // 34 steps with one gradient, and 6 with two.
        assert_eq!(late.values[6], 46.0);
    }
}
