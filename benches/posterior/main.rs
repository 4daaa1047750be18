//! What a draw from the posterior costs, and what its learning coefficients are worth, on Flex.
//!
//! ```text
//! cargo bench -p burnscape --bench posterior
//! cargo bench -p burnscape --bench posterior -- --only cases --json target/posterior.json --export target/posterior
//! python benches/peers/posterior.py --ours target/posterior.json --network target/posterior
//! ```
//!
//! - `draws`: a draw of one chain over one [`Risk::loss_and_gradient`] of the same model and data, on 784-128-10 with 1,024
//!   examples and on the survey's MLP with 1,280. Rounds interleave both, and the median of their ratios is printed. A run of 8
//!   draws is subtracted from each run, so that what is done once per run does not count. The bar of MALA on the first network
//!   is 1.15.
//! - `cases`: coefficients of a quadratic, of reduced-rank regression and of 784-128-10 by plain Langevin steps and by MALA,
//!   with the exact ones where they are known. `benches/peers/posterior.py` does the same with the same settings.
//!
//! Options: `--rounds N` (15 by default), `--only draws` or `cases`, `--json FILE` for the figures of `cases`, and `--export DIR`,
//! which writes the network and its data for the peer.
#![allow(clippy::expect_used, reason = "a benchmark stops at its first error")]

mod cases;
mod network;
#[path = "../../examples/coefficients/reduced_rank.rs"]
mod reduced_rank;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use burnscape::loss::Risk;
use burnscape::posterior::{PosteriorConfig, Sampler};
use burnscape::space::ParamSpace;

use network::Examples;
use survey::data::Split;
use survey::models::{Classifier, Mlp};

/// The survey's data and networks.
#[path = "../../examples/survey"]
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
    pub(crate) mod models;
    pub(crate) mod settings;
    pub(crate) mod train;
}

/// So short that nothing is rejected and no chain gets far.
const STEP: f64 = 1e-6;
/// Draws and gradients of a round.
const DRAWS: usize = 32;
/// The shortest run.
const FEWEST: usize = 8;
/// Of a draw of MALA, in losses with gradients.
const BAR: f64 = 1.15;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let rounds = option("--rounds").map_or(15, |rounds| rounds.parse().expect("a number"));
    let only = option("--only");
    let names = ["draws", "cases"];
    let is_known = only.as_deref().is_none_or(|only| names.contains(&only));
    assert!(is_known, "--only takes one of {names:?}");
    let is_chosen = |name: &str| only.as_deref().is_none_or(|only| only == name);
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex().autodiff();
    let examples = Examples::new();
    let network = network::trained(&examples, &device);
    if let Some(directory) = option("--export") {
        network::export(&network, &examples, Path::new(&directory));
    }
    if is_chosen("draws") {
        let data = [examples.tensors(&device)];
        let risk = Risk::new(&network::loss, &data);
        println!(
            "{:<52} {:>9} {:>9} {:>7} {:>5}",
            "", "draw ms", "grad. ms", "ratio", "bar"
        );
        draws("784-128-10, 1,024 examples", &risk, &network, rounds);
        let split = Split::load(&device).expect("digits");
        let mlp = Mlp::new(&device);
        // Burn draws weights at their first use: here, before other draws.
        ParamSpace::of(&mlp).expect("a space");
        let loss = survey::train::loss::<Mlp>;
        let risk = Risk::new(&loss, std::slice::from_ref(&split.train));
        draws("64-128-64-10, 1,280 digits", &risk, &mlp, rounds);
    }
    if is_chosen("cases") {
        let figures = cases::run(&network, &examples, &device);
        if let Some(path) = option("--json") {
            let text = serde_json::to_string_pretty(&figures).expect("numbers");
            std::fs::write(path, text).expect("a file");
        }
    }
}

/// Draws of every sampler over losses with gradients.
fn draws<M: Module + 'static>(name: &str, risk: &Risk<'_, M>, model: &M, rounds: usize) {
    // The first pass of a risk evaluates the loss once more.
    risk.loss_and_gradient(model).expect("a gradient");
    let step = Some(STEP);
    let samplers = [
        (
            "MALA",
            Sampler::Mala {
                acceptance: 0.9,
                step,
            },
        ),
        ("Langevin", Sampler::Langevin { step }),
        (
            "RMSprop",
            Sampler::RmspropLangevin {
                step,
                decay: 0.99,
                damping: 0.1,
            },
        ),
        (
            "Nosé-Hoover",
            Sampler::NoseHoover {
                step,
                diffusion: 0.01,
            },
        ),
    ];
    for (sampler_name, sampler) in samplers {
        let config = PosteriorConfig::new(1024)
            .with_sampler(sampler)
            .with_num_chains(1)
            .with_burn_in(1)
            // Not looked for.
            .with_sharpness(Some(1.0));
        let run = |draws: usize| {
            let start = Instant::now();
            let config = config.clone().with_num_draws(draws);
            black_box(config.run(risk, model).expect("draws"));
            start.elapsed().as_secs_f64() * 1e3
        };
        let ours = || (run(FEWEST + DRAWS) - run(FEWEST)) / DRAWS as f64;
        let theirs = || {
            let start = Instant::now();
            for _ in 0..DRAWS {
                black_box(risk.loss_and_gradient(model).expect("a gradient"));
            }
            start.elapsed().as_secs_f64() * 1e3 / DRAWS as f64
        };
        let (mut draws, mut gradients, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=rounds {
            let (draw, gradient) = if round % 2 == 0 {
                let draw = ours();
                (draw, theirs())
            } else {
                let gradient = theirs();
                (ours(), gradient)
            };
            // The first round warms up.
            if round > 0 {
                draws.push(draw);
                gradients.push(gradient);
                ratios.push(draw / gradient);
            }
        }
        let bar = match (sampler, name.starts_with("784")) {
            (Sampler::Mala { .. }, true) => format!("{BAR:.2}"),
            _ => String::new(),
        };
        println!(
            "{:<52} {:>9.3} {:>9.3} {:>7.3} {bar:>5}",
            format!("{name}: {sampler_name}"),
            median(draws),
            median(gradients),
            median(ratios)
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
