//! Samplers of a posterior whose learning coefficient is known at its temperature: the bias of steps, the start of chains,
//! and what R-hat sees of both.

use std::iter::zip;

use burnscape::posterior::{
    Finding, LearningCoefficient, LearningCoefficientConfig, Posterior, PosteriorConfig,
    PosteriorError, Potential, Sampler,
};

use super::criteria::samplers::{
    ACCEPTED, COLD, COLD_LONGER, DRIFT, ERROR, EXACT, EXTRAPOLATED, FLAGGED, HALF, LONG, MALA,
    MALA_LONGER, RANK, SHORT, SPLIT, VALUE, judge,
};
use super::frame::{Measured, Plan, Reference, Study};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "samplers",
    claim: "Langevin steps that nothing adjusts bias the learning coefficient, short runs from the minimum estimate it too \
            low, and R-hat shows neither bias.",
    papers: &[
        "Lau et al. 2023, arXiv:2308.12108",
        "Aoyagi and Watanabe 2005",
        "Vehtari et al. 2021, arXiv:1903.08008",
    ],
    ran: "Reduced-rank regression with two inputs, hidden units and outputs at the zero map, nβ = 1000, a localizer of 1: \
          the learning coefficient at this temperature is 1.441761 by quadrature, its limit 3/2. 128 chains a seed start \
          at the minimum, as all chains of the library do; burn-in is 16,000 iterations for unadjusted steps of 4e-4, \
          32,000 for 1e-4, 8,000 and 4,000 for the two of MALA, and none for a cold start. The recipe has 256 chains, \
          which start in the posterior, and 4,000 to 12,000 iterations of burn-in.",
    would_change: "MALA outside of three standard errors; unadjusted steps within them; an R-hat above 1.02 for steps of \
                   4e-4, which are 16 % off, or above 1.01 for 1e-4.",
    wrong: "That chains which agree are right: R-hat compares them with each other, and all of them have the same step. \
            And that MALA repairs any run: adjusted chains that start far out or with longer steps stand still, which \
            R-hat does show.",
    references: &[
        Reference::new(LONG, VALUE, 1.670, 0.013),
        Reference::new(MALA, VALUE, 1.4403, 0.0041),
    ],
    run,
    judge,
};

/// Inputs, hidden units and outputs.
const SIZE: usize = 2;
/// Entries of a matrix.
const ENTRIES: usize = SIZE * SIZE;
/// `nβ`.
const TEMPERED: usize = 1000;

/// A sampler with the lengths of its chains.
struct Setting {
    row: &'static str,
    sampler: Sampler,
    burn_in: usize,
    draws: usize,
    /// Whether half of the step is run as well.
    is_halved: bool,
}

/// From the longest.
static SETTINGS: [Setting; 6] = [
    Setting {
        row: LONG,
        sampler: unadjusted(4e-4),
        burn_in: 16_000,
        draws: 12_000,
        is_halved: true,
    },
    Setting {
        row: SHORT,
        sampler: unadjusted(1e-4),
        burn_in: 32_000,
        draws: 18_000,
        is_halved: false,
    },
    Setting {
        row: MALA,
        sampler: adjusted(4e-4),
        burn_in: 8000,
        draws: 12_000,
        is_halved: false,
    },
    Setting {
        row: MALA_LONGER,
        sampler: adjusted(1e-3),
        burn_in: 4000,
        draws: 8000,
        is_halved: false,
    },
    Setting {
        row: COLD_LONGER,
        sampler: unadjusted(1e-4),
        burn_in: 0,
        draws: 10_000,
        is_halved: false,
    },
    Setting {
        row: COLD,
        sampler: unadjusted(1e-4),
        burn_in: 0,
        draws: 1000,
        is_halved: false,
    },
];

const fn unadjusted(step: f64) -> Sampler {
    Sampler::Langevin { step: Some(step) }
}

const fn adjusted(step: f64) -> Sampler {
    Sampler::Mala {
        acceptance: 0.9,
        step: Some(step),
    }
}

/// `L = ½ |B A|²` of matrices `A` and `B`, whose rows are the coordinates in this order: half the squared distance to
/// the zero map.
#[derive(Debug, Clone)]
struct ZeroMap;

impl Potential for ZeroMap {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(vec![0.0; 2 * ENTRIES])
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _batch: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        let (first, last) = at.split_at(ENTRIES);
        let (mut loss, mut gradient) = (0.0, vec![0.0; 2 * ENTRIES]);
        for output in 0..SIZE {
            for input in 0..SIZE {
                let paths = (0..SIZE)
                    .map(|unit| (SIZE * unit + input, SIZE * output + unit))
                    .map(|(a, b)| (a, b, first[a] * last[b]));
                let entry: f64 = paths.clone().map(|(_, _, path)| path).sum();
                loss += 0.5 * entry * entry;
                for (a, b, _) in paths {
                    gradient[a] += last[b] * entry;
                    gradient[ENTRIES + b] += first[a] * entry;
                }
            }
        }
        Ok((loss, gradient))
    }

    /// The map is of second order in the weights, and the loss of fourth.
    fn sharpness(&self) -> Result<f64, PosteriorError> {
        Ok(0.0)
    }
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let pairs = |setting| plan.seeds.iter().map(move |&seed| (setting, seed));
    let jobs: Vec<(&Setting, u64)> = SETTINGS.iter().flat_map(pairs).collect();
    let runs = plan.over(&jobs, |&(setting, seed)| {
        let run = sampled(plan, setting, seed)?;
        let (row, [value, error, ..]) = (setting.row, run.numbers);
        plan.progress(format!("{row}, seed {seed}: {value:.4} ± {error:.4}"));
        Ok(run)
    })?;
    for ((setting, seed), run) in zip(&jobs, runs) {
        for (column, number) in zip(COLUMNS, run.numbers) {
            found.push(setting.row, column, number);
        }
        for (column, number) in run.others {
            found.push(setting.row, column, number);
        }
        if Some(seed) == plan.seeds.first() {
            let (x, y) = ("draw of each chain", "nβ (E[L] − L(w₀)) so far");
            found.line("The coefficient by the draws", x, y, setting.row, run.curve);
        }
    }
    let longest = SETTINGS.iter().map(|setting| plan.steps(setting.draws));
    let longest = longest.max().unwrap_or(0) as f64;
    let (x, y) = ("draw of each chain", "nβ (E[L] − L(w₀)) so far");
    let exact = vec![(1.0, EXACT), (longest, EXACT)];
    found.line("The coefficient by the draws", x, y, "exact", exact);
    let (biased, extrapolated) = (found.mean(LONG, VALUE), found.mean(LONG, EXTRAPOLATED));
    found.note(format!(
        "Steps of 4e-4 are {:.1} % too high; the line through them and half of the step meets a step of zero at \
         {extrapolated:.3}.",
        100.0 * (biased / EXACT - 1.0)
    ));
    Ok(())
}

/// What is measured of every setting, in the order of `Run::numbers`.
const COLUMNS: [&str; 5] = [VALUE, ERROR, SPLIT, RANK, DRIFT];

struct Run {
    numbers: [f64; COLUMNS.len()],
    /// What only some settings have.
    others: Vec<(&'static str, f64)>,
    curve: Vec<(f64, f64)>,
}

fn sampled(plan: &Plan, setting: &Setting, seed: u64) -> Result<Run, Failure> {
    let posterior = PosteriorConfig::new(TEMPERED)
        .with_inverse_temperature(1.0)
        .with_sampler(setting.sampler)
        .with_num_chains(plan.pick(128, 8))
        .with_burn_in(plan.steps(setting.burn_in))
        .with_num_draws(plan.steps(setting.draws))
        .with_seed(seed);
    let found = LearningCoefficientConfig::new(posterior)
        .with_localizer_check(false)
        .with_step_check(setting.is_halved)
        .run_on(&ZeroMap)?;
    let chains = &found.diagnostics;
    Ok(Run {
        numbers: [
            found.estimate,
            found.standard_error,
            chains.split_rhat,
            chains.rank_rhat,
            chains.drift,
        ],
        others: others(&found),
        curve: found.posterior.as_ref().map_or_else(Vec::new, curve),
    })
}

fn others(found: &LearningCoefficient) -> Vec<(&'static str, f64)> {
    let mut others = Vec::new();
    if let Some(shares) = &found.acceptance {
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        others.push((ACCEPTED, mean));
    }
    if let (Some((value, _)), Some(extrapolated)) = (found.half_step, found.extrapolated) {
        let is_biased = |finding: &Finding| matches!(finding, Finding::BiasedStep { .. });
        let is_flagged = found.findings.iter().any(is_biased);
        others.push((HALF, value));
        others.push((EXTRAPOLATED, extrapolated));
        others.push((FLAGGED, f64::from(is_flagged)));
    }
    others
}

/// Points of a curve.
const POINTS: usize = 100;

/// The coefficient by the first draws of all chains.
fn curve(posterior: &Posterior) -> Vec<(f64, f64)> {
    let nbeta = posterior.config.nbeta();
    let count = posterior.rises.first().map_or(0, Vec::len);
    let every = (count / POINTS).max(1);
    let (mut points, mut sum) = (Vec::new(), 0.0);
    for draw in 0..count {
        let all = posterior.rises.iter().filter_map(|chain| chain.get(draw));
        sum += all.sum::<f64>() / posterior.rises.len() as f64;
        if (draw + 1) % every == 0 {
            let done = (draw + 1) as f64;
            points.push((done, nbeta * sum / done));
        }
    }
    points
}
