//! Generalization long after memorization, and what is said to announce it, beside a control that never generalizes.

use std::iter::zip;

use super::criteria::grokking::{
    ADDITION, BEST, CONTROL, DELAY, DYCK, GENERALIZED, HALF, KICK, LAST, MEMORIZED, MOST, NOISE,
    PLAIN, RATIO, TWICE, WHOLE, judge, row,
};
use super::frame::{Measured, Plan, Reference, Study};
use crate::Failure;
use circuit::{Circuit, circuits};
use readings::{Commutators, Point, Posteriors, Rise, first, plane};
use task::Task;
use training::{EVERY, Interference, Setting, train};

mod circuit;
mod network;
mod readings;
mod report;
mod task;
mod training;

pub(crate) static STUDY: Study = Study {
    name: "grokking",
    claim: "Small networks generalize long after they have memorized their examples, if weights decay, and the commutator \
            defect of gradient steps rises before they do.",
    papers: &[
        "Power et al. 2022, arXiv:2201.02177",
        "Gromov 2023, arXiv:2301.02679",
        "Nanda et al. 2023, arXiv:2301.05217",
        "Xu 2026, arXiv:2602.16967",
    ],
    ran: "(One-hot pair)-256-31 with squares between, cross-entropy on 384 of the 961 sums modulo 31, AdamW on all of them at \
          a rate of 1e-3 with β₂ .98 and weight decay 1, 2, or none in the control; a look every 50 steps. It memorizes at a \
          training accuracy of 99 % and generalizes at a test accuracy of 50 %. The defect is the exact commutator of three \
          pairs of 64 examples, in double precision at the weights of the training; an alarm is twice its least since \
          memorization. nβ (E L − L₀) is over three chains of 160 unadjusted steps at γ = 300, as in the recipe, and again at \
          half of it. From step 500 on, all orthogonal to the plane of the undisturbed training's first two principal \
          components: a kick along the commutator of two halves, of 10 % of the length of the weights; noise of 1 % every 50 \
          steps; half or all of the gradient outside of the plane removed. Their time ratio is that of the steps at which \
          networks of the same seed generalize. Dyck-1: how many of 12 parentheses are open at the end, from 138 of 924 \
          strings, the same network with first weights of deviation 1; it generalizes at 90 %, and is interfered with from \
          step 200 on.",
    would_change: "A test accuracy of 95 % less than ten times later than memorization in two of five seeds, or a control \
                   above 50 %.",
    wrong: "That a rising defect announces generalization: it rises as networks memorize, and in the control as well. That \
            a learning coefficient shows grokking: at a training loss of 1e-6 the posterior is its localizer. That five \
            frequencies carry the solution: all of them do, and only single units have one each. And that projected \
            gradients show what generalization needs: trained in a plane alone, networks lose what they had memorized.",
    references: &[Reference::new(
        "addition: weight decay 1",
        GENERALIZED,
        3190.0,
        75.0,
    )],
    run,
    judge,
};

/// What is trained, how, and until when.
struct Arm {
    name: &'static str,
    decay: f32,
    interference: Interference,
    /// At most, on addition and on parentheses; none: not at all.
    steps: [Option<usize>; 2],
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// After five looks in a row at a test accuracy of more than 99 %.
    Learned,
    Generalized,
    Never,
}

/// Trainings that are measured, the undisturbed one first.
static MEASURED: [Arm; 3] = [
    Arm {
        name: PLAIN,
        decay: 1.0,
        interference: Interference::None,
        steps: [Some(7000), Some(4000)],
        end: End::Learned,
    },
    Arm {
        name: CONTROL,
        decay: 0.0,
        interference: Interference::None,
        steps: [Some(4500), Some(3500)],
        end: End::Never,
    },
    Arm {
        name: TWICE,
        decay: 2.0,
        interference: Interference::None,
        steps: [Some(4000), None],
        end: End::Generalized,
    },
];

/// Trainings that are interfered with.
static DISTURBED: [Arm; 4] = [
    disturbed(KICK, Interference::Kick(0.1)),
    disturbed(NOISE, Interference::Noise(0.01)),
    disturbed(HALF, Interference::Projection(0.5)),
    disturbed(WHOLE, Interference::Projection(1.0)),
];

const fn disturbed(name: &'static str, interference: Interference) -> Arm {
    Arm {
        name,
        decay: 1.0,
        interference,
        steps: [Some(4500), Some(3500)],
        end: End::Generalized,
    }
}

impl Arm {
    /// Whether the training is over after these looks.
    fn is_over(&self, task: &Task, points: &[Point]) -> bool {
        let last = |count: usize| points.iter().rev().take(count);
        match self.end {
            End::Learned => points.len() > 5 && last(5).all(|point| point.test > 0.99),
            End::Generalized => last(1).any(|point| point.test >= task.generalized),
            End::Never => false,
        }
    }
}

/// A training to do.
struct Job<'j> {
    task: &'j Task,
    arm: &'j Arm,
    steps: usize,
    seed: u64,
}

/// What was seen of it.
struct Run {
    points: Vec<Point>,
    /// That of an undisturbed training.
    plane: Vec<Vec<f64>>,
    rises: Vec<Rise>,
    circuits: Vec<Circuit>,
}

/// All trainings of some arms.
struct Runs<'j> {
    jobs: Vec<Job<'j>>,
    runs: Vec<Run>,
}

impl<'j> Runs<'j> {
    fn jobs(plan: &Plan, tasks: &'j [Task; 2], arms: &'static [Arm]) -> Vec<Job<'j>> {
        let mut jobs = Vec::new();
        for (index, task) in tasks.iter().enumerate() {
            for arm in arms {
                let Some(steps) = arm.steps[index] else {
                    continue;
                };
                let steps = plan.steps(steps);
                jobs.extend(plan.seeds.iter().map(|&seed| Job {
                    task,
                    arm,
                    steps,
                    seed,
                }));
            }
        }
        jobs
    }

    /// In the order of the seeds.
    fn of(&self, task: &str, arm: &str) -> Vec<&Run> {
        let all = zip(&self.jobs, &self.runs);
        let own = all.filter(|(job, _)| job.task.name == task && job.arm.name == arm);
        own.map(|(_, run)| run).collect()
    }

    /// The undisturbed training of a task and seed.
    fn plain(&self, job: &Job<'_>) -> Option<&Run> {
        let mut all = zip(&self.jobs, &self.runs);
        let is_plain = |other: &Job<'_>| {
            other.arm.name == PLAIN && (other.task.name, other.seed) == (job.task.name, job.seed)
        };
        all.find(|(other, _)| is_plain(other)).map(|(_, run)| run)
    }
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let [from, sooner] = plan.pick([500, 200], [100, 50]);
    let tasks = [
        Task::addition(plan.pick(31, 7), from),
        Task::dyck(plan.pick(12, 8), sooner),
    ];
    let jobs = Runs::jobs(plan, &tasks, &MEASURED);
    let runs = plan.over(&jobs, |job| {
        let run = measured(plan, job)?;
        tell(plan, job, &run);
        Ok(run)
    })?;
    let measured = Runs { jobs, runs };
    let jobs = Runs::jobs(plan, &tasks, &DISTURBED);
    let runs = plan.over(&jobs, |job| {
        let plain = measured.plain(job);
        let plane = plain.map_or(&[][..], |plain| plain.plane.as_slice());
        let run = watched(plan, job, plane)?;
        tell(plan, job, &run);
        Ok(run)
    })?;
    let disturbed = Runs { jobs, runs };
    for runs in [&measured, &disturbed] {
        push(found, runs, &measured);
    }
    report::early_signs(found, &tasks, &measured);
    report::rises(found, &measured);
    report::circuits(found, &measured);
    report::charts(found, &measured, &disturbed);
    Ok(())
}

fn tell(plan: &Plan, job: &Job<'_>, run: &Run) {
    let generalizes = first(&run.points, |point| point.test >= job.task.generalized);
    let when = match generalizes {
        Some(step) => format!("generalizes at step {step}"),
        None => "does not generalize".to_string(),
    };
    let row = row(job.task.name, job.arm.name);
    plan.progress(format!("{row}, seed {}: {when}", job.seed));
}

fn setting<'s>(plan: &Plan, job: &Job<'s>, plane: &'s [Vec<f64>]) -> Setting<'s> {
    Setting {
        task: job.task,
        width: plan.pick(256, 16),
        seed: job.seed,
        decay: job.arm.decay,
        steps: job.steps,
        interference: job.arm.interference,
        plane,
    }
}

/// A training of which only accuracies and lengths are seen.
fn watched(plan: &Plan, job: &Job<'_>, plane: &[Vec<f64>]) -> Result<Run, Failure> {
    let mut points = Vec::new();
    train(&setting(plan, job, plane), |look| {
        points.push(Point {
            step: look.step,
            train: look.train,
            test: look.test,
            length: look.length,
            defect: f64::NAN,
        });
        Ok(job.arm.is_over(job.task, &points))
    })?;
    Ok(Run {
        points,
        plane: Vec::new(),
        rises: Vec::new(),
        circuits: Vec::new(),
    })
}

/// Steps between two networks that are kept, and between two whose circuits are measured.
const KEPT: usize = 2 * EVERY;
const DISSECTED: usize = 10 * EVERY;
/// Steps at which posteriors are sampled.
const SAMPLED: [usize; 5] = [0, 100, 200, 500, 3000];

/// A training with all that is measured along it.
fn measured(plan: &Plan, job: &Job<'_>) -> Result<Run, Failure> {
    let setting = setting(plan, job, &[]);
    let has_control = job.arm.name == PLAIN || job.arm.name == CONTROL;
    let is_dissected = has_control && job.task.name == ADDITION;
    let mut commutators = Commutators::new(&setting)?;
    let posteriors = Posteriors::new(&setting, plan.pick((60, 100), (4, 8)));
    let (mut points, mut rises, mut nets) = (Vec::new(), Vec::new(), Vec::new());
    train(&setting, |look| {
        points.push(Point {
            step: look.step,
            train: look.train,
            test: look.test,
            length: look.length,
            defect: commutators.at(look.step, look.net)?,
        });
        if is_dissected && SAMPLED.contains(&look.step) {
            rises.push(posteriors.at(look.step, look.net)?);
        }
        if has_control && look.step.is_multiple_of(KEPT) {
            nets.push((look.step, look.net.clone()));
        }
        Ok(job.arm.is_over(job.task, &points))
    })?;
    let is_due = |step: usize| is_dissected && step.is_multiple_of(DISSECTED);
    let dissected: Vec<_> = nets.iter().filter(|(step, _)| is_due(*step)).collect();
    Ok(Run {
        points,
        plane: match job.arm.name == PLAIN {
            true => plane(&nets)?,
            false => Vec::new(),
        },
        rises,
        circuits: circuits(job.task, job.seed, &dissected)?,
    })
}

/// When the networks of all trainings memorize and generalize.
fn push(found: &mut Measured, runs: &Runs<'_>, measured: &Runs<'_>) {
    let number = |step: Option<usize>| step.map_or(f64::NAN, |step| step as f64);
    for (job, run) in zip(&runs.jobs, &runs.runs) {
        let (row, points) = (row(job.task.name, job.arm.name), run.points.as_slice());
        let when =
            |points: &[Point]| number(first(points, |point| point.test >= job.task.generalized));
        let memorized = number(first(points, |point| point.train >= readings::MEMORIZED));
        let most = number(first(points, |point| point.test >= 0.95));
        let best = points.iter().map(|point| point.test).fold(0.0, f64::max);
        let last = points.last().map_or(f64::NAN, |point| point.train);
        found.push(row.as_str(), MEMORIZED, memorized);
        found.push(row.as_str(), GENERALIZED, when(points));
        if job.arm.end != End::Generalized {
            found.push(row.as_str(), MOST, most);
            found.push(row.as_str(), DELAY, most / memorized);
        }
        found.push(row.as_str(), BEST, best);
        found.push(row.as_str(), LAST, last);
        if job.arm.interference != Interference::None {
            let plain = measured.plain(job);
            let plain = plain.map_or(f64::NAN, |plain| when(&plain.points));
            found.push(row.as_str(), RATIO, when(points) / plain);
        }
    }
}

/// Both tasks.
const TASKS: [&str; 2] = [ADDITION, DYCK];
