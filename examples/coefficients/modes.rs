//! A linear network learns one mode after the other, and its coefficient rises with each.

use burnscape::posterior::{
    LearningCoefficientConfig, PosteriorConfig, Stage, Stages, StagesConfig,
};

use super::linear_network::{
    MODES, OwnMap, RATE, exact_coefficient, initial, step, strength_at, time_of,
};
use crate::{Args, Failure, THREADS};

/// `nβ`. A mode of strength `a` is worth half a unit of `nβ L` where `a = 1/√nβ`: from there on the posterior sees it.
const TEMPERED: usize = 1000;
/// Logarithms of the first time and the last, and the number of steps between them.
const LOG_TIMES: (f64, f64) = (-1.0, 3.0);
const INTERVALS: usize = 40;
/// Six would do: two for each mode.
const MAX_KNOTS: usize = 7;

/// The coefficient along the training.
#[derive(Default)]
struct Curve {
    times: Vec<f64>,
    coefficients: Vec<f64>,
    standard_errors: Vec<f64>,
    /// Checkpoints without a coefficient.
    refused: usize,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    println!("A network that learns three modes");
    println!(
        "  5-3-5 without biases or activations, by gradient descent on ½ |B A − diag({}, {}, {})|². \
         At each\n  checkpoint, the coefficient against the network's own outputs, nβ = 1,000, γ = 1. \
         In the limit of many\n  examples it is that of the rank.\n",
        MODES[0], MODES[1], MODES[2]
    );
    eprintln!("sampling along the training of the linear network…");
    let curve = measure(args)?;
    print_curve(&curve);
    let stages = StagesConfig::new()
        .with_max_knots(MAX_KNOTS)
        .with_seed(args.seed)
        .run(&curve.times, &curve.coefficients, &curve.standard_errors)?;
    print_stages(&stages);
    print_modes(&stages);
    Ok(())
}

/// Trains the network, and samples around each checkpoint.
fn measure(args: &Args) -> Result<Curve, Failure> {
    let (mut weights, mut done) = (initial(), 0);
    let mut curve = Curve::default();
    for index in 0..=INTERVALS {
        let (first, last) = LOG_TIMES;
        let time = (first + (last - first) * index as f64 / INTERVALS as f64).exp();
        let steps = (time / RATE).round() as usize;
        for _ in done..steps {
            step(&mut weights);
        }
        done = steps;
        let posterior = PosteriorConfig::new(TEMPERED)
            .with_inverse_temperature(1.0)
            .with_num_chains(4)
            .with_burn_in(args.length(3_000))
            .with_num_draws(args.length(9_000))
            .with_num_threads(THREADS)
            // Errors of checkpoints are independent of each other.
            .with_seed(args.seed.wrapping_add(index as u64));
        let found = LearningCoefficientConfig::new(posterior)
            .with_localizer_check(false)
            .run_on(&OwnMap::new(&weights))?;
        match found.coefficient {
            Some(coefficient) => {
                curve.times.push(steps as f64 * RATE);
                curve.coefficients.push(coefficient);
                curve.standard_errors.push(found.standard_error);
            }
            None => curve.refused += 1,
        }
    }
    Ok(curve)
}

fn print_curve(curve: &Curve) {
    println!(
        "  {:>6}  {:<22} {:>20}  {:>13}",
        "time", "strengths of the modes", "coefficient", "of this rank"
    );
    println!("  {}", "─".repeat(66));
    let threshold = seen_strength();
    let rows = curve.times.iter().zip(&curve.coefficients);
    for ((time, coefficient), error) in rows.zip(&curve.standard_errors).step_by(4) {
        let strengths = MODES.map(|mode| strength_at(*time, mode));
        let rank = strengths.iter().filter(|&&a| a > threshold).count();
        let strengths = strengths.map(|a| format!("{a:.3}")).join("  ");
        println!(
            "  {time:>6.2}  {strengths:<22} {:>20}  {:>13}",
            format!("{coefficient:.3} ± {error:.3}"),
            format!("{:.3}", exact_coefficient(rank))
        );
    }
    println!(
        "  Every fourth of {} checkpoints{}. The rank counts modes stronger than 1/√nβ = {threshold:.3}.\n",
        curve.times.len(),
        match curve.refused {
            0 => String::new(),
            refused => format!("; {refused} have no coefficient"),
        }
    );
}

fn print_stages(stages: &Stages) {
    println!("  Stages: straight lines over the logarithm of time, their number by BIC");
    println!(
        "  {:>16}  {:>26}  {:>8}  {:>18}",
        "time", "slope, 95 % interval", "plateau", "its end, 95 %"
    );
    println!("  {}", "─".repeat(74));
    for (index, stage) in stages.stages.iter().enumerate() {
        let (low, high) = stage.slope_interval;
        let end = stages.knots.get(index).map_or_else(String::new, |knot| {
            format!("{:.2} to {:.2}", knot.interval.0, knot.interval.1)
        });
        println!(
            "  {:>16}  {:>26}  {:>8}  {end:>18}",
            format!("{:.2} to {:.2}", stage.start, stage.end),
            format!("{:.2}, {low:.2} to {high:.2}", stage.slope),
            if stage.is_plateau { "yes" } else { "" }
        );
    }
    println!();
}

/// When each mode is learned, beside the stage in which it is seen.
fn print_modes(stages: &Stages) {
    println!("  Modes: exact times, and the rising stage in which they are seen");
    println!(
        "  {:>4}  {:>8}  {:>14}  {:>14}  {:>16}",
        "mode", "strength", "seen at", "half learned", "the stage"
    );
    println!("  {}", "─".repeat(66));
    for (index, mode) in MODES.into_iter().enumerate() {
        let (seen, half) = (time_of(seen_strength(), mode), time_of(0.5 * mode, mode));
        let holds = |stage: &&Stage| stage.start <= seen && seen <= stage.end;
        let rises = |stage: &&Stage| !stage.is_plateau && stage.slope > 0.0;
        let stage = stages.stages.iter().filter(rises).find(holds).map_or_else(
            || "none".to_string(),
            |stage| format!("{:.2} to {:.2}", stage.start, stage.end),
        );
        println!(
            "  {:>4}  {mode:>8.2}  {seen:>14.2}  {half:>14.2}  {stage:>16}",
            index + 1
        );
    }
    println!(
        "  A mode is seen at a strength of 1/√nβ = {:.3}: to leave it out then costs half a unit of \
         nβ L.\n",
        seen_strength()
    );
}

fn seen_strength() -> f64 {
    (TEMPERED as f64).sqrt().recip()
}
