//! Coefficients beside the truth, by plain Langevin steps and by MALA.

use std::time::Instant;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use burnscape::loss::Risk;
use burnscape::posterior::{LearningCoefficientConfig, PosteriorConfig, Sampler};
use serde_json::{Value, json};

use super::network::{self, Examples, NUM_EXAMPLES, Network};
use super::reduced_rank::{ReducedRank, distance_to_zero};

/// A bowl along four directions, of which one is flat.
const CURVATURES: [f64; 4] = [4.0, 1.0, 0.25, 0.0];
/// `½ Σ nβh / (nβh + γ)` at `nβ = 1000/ln 1000` and `γ = 1`.
const QUADRATIC: f64 = 1.482_263_8;
/// Reduced-rank regression 2-2-2 at the zero map, `nβ = 1,000` and `γ = 1`, by quadrature over singular values.
const REDUCED_RANK: f64 = 1.441_761;

#[derive(Module, Debug)]
struct Quadratic {
    w: Param<Tensor<1>>,
}

/// What both sides do.
struct Settings {
    name: &'static str,
    exact: Option<f64>,
    posterior: PosteriorConfig,
    localizer: f64,
    /// Of the Langevin steps; the default's if there is none.
    step: Option<f64>,
    chains: usize,
    burn_in: usize,
    draws: usize,
}

/// Prints the table, and returns it.
pub(crate) fn run(network: &Network, examples: &Examples, device: &Device) -> Value {
    println!(
        "\n{:<14} {:<9} {:>9} {:>22} {:>9} {:>10}  findings",
        "", "", "exact", "coefficient", "step", "ms a draw"
    );
    let quadratic = Quadratic {
        w: Param::from_tensor(Tensor::zeros([CURVATURES.len()], device)),
    };
    let bowl = |model: &Quadratic, h: Tensor<1>| (model.w.val().square() * h).sum() * 0.5;
    let curvatures = [Tensor::<1>::from_floats(CURVATURES, device)];
    let identity = [Tensor::<2>::eye(2, device)];
    let reduced_rank = ReducedRank::zero(2, 2, 2, device);
    let batch = [examples.tensors(device)];
    let figures = [
        one(
            Settings {
                name: "quadratic",
                exact: Some(QUADRATIC),
                posterior: PosteriorConfig::new(1000),
                localizer: 1.0,
                step: Some(1e-3),
                chains: 4,
                burn_in: 1000,
                draws: 4000,
            },
            &Risk::new(&bowl, &curvatures),
            &quadratic,
        ),
        one(
            Settings {
                name: "reduced rank",
                exact: Some(REDUCED_RANK),
                posterior: PosteriorConfig::new(1000).with_inverse_temperature(1.0),
                localizer: 1.0,
                step: Some(4e-4),
                chains: 4,
                burn_in: 5000,
                draws: 10_000,
            },
            &Risk::new(&distance_to_zero, &identity),
            &reduced_rank,
        ),
        one(
            Settings {
                name: "784-128-10",
                exact: None,
                posterior: PosteriorConfig::new(NUM_EXAMPLES),
                localizer: 100.0,
                step: None,
                chains: 2,
                burn_in: 200,
                draws: 400,
            },
            &Risk::new(&network::loss, &batch),
            network,
        ),
    ];
    json!({ "cases": figures })
}

fn one<M: Module + 'static>(settings: Settings, risk: &Risk<'_, M>, model: &M) -> Value {
    let posterior = settings
        .posterior
        .clone()
        .with_localizer(settings.localizer)
        .with_num_chains(settings.chains)
        .with_burn_in(settings.burn_in)
        .with_num_draws(settings.draws);
    let langevin = Sampler::Langevin {
        step: settings.step,
    };
    let ours = |label: &str, sampler: Sampler| -> Value {
        let posterior = posterior.clone().with_sampler(sampler);
        let start = Instant::now();
        let draws = posterior.run(risk, model).expect("draws");
        let steps = settings.chains * (settings.burn_in + settings.draws);
        let ms = start.elapsed().as_secs_f64() * 1e3 / steps as f64;
        let step = draws.steps[0];
        let found = LearningCoefficientConfig::new(posterior);
        let found = found.run(risk, model).expect("an estimate");
        let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
        println!(
            "{:<14} {label:<9} {:>9} {:>22} {step:>9.2e} {ms:>10.3}  {}",
            settings.name,
            settings
                .exact
                .map_or_else(String::new, |exact| format!("{exact:.4}")),
            format!("{:.4} ± {:.4}", found.estimate, found.standard_error),
            findings.len()
        );
        for finding in &findings {
            println!("    {finding}");
        }
        json!({
            "estimate": found.estimate, "standard_error": found.standard_error, "step": step,
            "ms_per_draw": ms, "rank_rhat": found.diagnostics.rank_rhat, "findings": findings,
        })
    };
    let langevin = ours("Langevin", langevin);
    let mala = ours("MALA", Sampler::mala());
    json!({
        "name": settings.name, "exact": settings.exact, "n_beta": posterior.nbeta(),
        "localizer": settings.localizer, "chains": settings.chains, "burn_in": settings.burn_in,
        "draws": settings.draws, "langevin": langevin, "mala": mala,
    })
}
