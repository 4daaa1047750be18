//! A network whose coefficient is known, at a given `nβ` and localizer and not only in the limit.

use burn::tensor::{Device, Tensor};
use burnscape::loss::Risk;
use burnscape::posterior::{
    LearningCoefficient, LearningCoefficientConfig, PosteriorConfig, Sampler,
};

use super::reduced_rank::{ReducedRank, distance_to_zero};
use crate::{Args, Failure, THREADS, indented};

/// `nβ`.
const TEMPERED: usize = 1000;
/// `nβ E[L]` at this `nβ` and `γ = 1`, by quadrature over the singular values of a layer.
const EXACT: f64 = 1.441_761;
/// The limit for `nβ` to infinity (Aoyagi and Watanabe 2005).
const LIMIT: f64 = 1.5;
/// At this step, chains of the unadjusted sampler agree with each other, or nearly so, and are wrong.
const LONG_STEP: f64 = 4e-4;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    println!("A network whose coefficient is known");
    println!(
        "  2-2-2 without biases or activations, all weights zero, learning the zero map; 8 parameters.\n"
    );
    eprintln!("sampling around the linear network…");
    let langevin = Sampler::Langevin {
        step: Some(LONG_STEP),
    };
    let adjusted = estimate(Sampler::mala(), args)?;
    let unadjusted = estimate(langevin, args)?;

    println!("  {:<44} {:>20} {:>8}", "", "coefficient", "R-hat");
    println!("  {}", "─".repeat(74));
    let exact = [
        ("half the number of parameters", 4.0),
        ("the limit of many examples, exact", LIMIT),
        ("at nβ = 1,000 and γ = 1, exact", EXACT),
    ];
    for (name, value) in exact {
        println!("  {name:<44} {value:>11.4}");
    }
    let step = format!("Langevin, without the test, step {LONG_STEP}");
    for (name, found) in [
        ("MALA: Langevin steps, accepted or not", &adjusted),
        (step.as_str(), &unadjusted),
    ] {
        println!(
            "  {name:<44} {:>11.4} ± {:.4} {:>8.4}",
            found.estimate, found.standard_error, found.diagnostics.rank_rhat
        );
    }
    println!("\n  MALA:\n{}", indented(&adjusted.to_string()));
    println!("  Langevin:\n{}", indented(&unadjusted.to_string()));
    Ok(())
}

fn estimate(sampler: Sampler, args: &Args) -> Result<LearningCoefficient, Failure> {
    let device = Device::default();
    let network = ReducedRank::zero(2, 2, 2, &device);
    let loss = distance_to_zero;
    let data = [Tensor::<2>::eye(2, &device)];
    let posterior = PosteriorConfig::new(TEMPERED)
        .with_inverse_temperature(1.0)
        .with_sampler(sampler)
        .with_burn_in(args.length(5_000))
        .with_num_draws(args.length(10_000))
        .with_num_threads(THREADS)
        .with_seed(args.seed);
    let config = LearningCoefficientConfig::new(posterior);
    Ok(config.run(&Risk::new(&loss, &data), &network)?)
}
