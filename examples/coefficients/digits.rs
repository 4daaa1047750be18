//! The survey's MLP as its training ends, and after training on by full batch.

use std::time::Instant;

use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::Device;
use burnscape::loss::{Batch, Risk};
use burnscape::posterior::{LearningCoefficient, LearningCoefficientConfig, PosteriorConfig};
use burnscape::space::ParamSpace;

use crate::survey::data::{ATTRIBUTION, Digits, Split};
use crate::survey::models::{Classifier, Mlp};
use crate::survey::settings::{DAMPENING, LEARNING_RATE, MOMENTUM};
use crate::survey::train::{Course, loss, train};
use crate::{Args, Failure, THREADS, indented};

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = Device::default().autodiff();
    let split = Split::load(&Device::default())?;
    let digits = split.train.clone().to_device(&device);
    println!("A network for handwritten digits");
    println!(
        "  The survey's MLP, 64-128-64-10, on {} digits, β = 1/ln n, γ = {}.",
        split.num_train, args.localizer
    );
    println!("  {ATTRIBUTION}.\n");

    eprintln!("training the survey's MLP…");
    device.seed(args.seed);
    let model = Mlp::new(&device);
    // Burn draws weights at their first use: here, before other draws.
    let parameters = ParamSpace::of(&model)?.len();
    let course = Course {
        digits: &digits,
        num_examples: split.num_train,
        epochs: args.epochs,
        seed: args.seed,
    };
    let trained = train(model, momentum().init(), &course, |_| {})?;
    let survey = measure(&trained.model, &split, args)?;

    eprintln!("training on by full batch for {} s…", args.seconds);
    let (model, steps) = train_on(trained.model, &digits, args.seconds);
    let full_batch = measure(&model, &split, args)?;

    println!(
        "  {:<40} {:>10} {:>10} {:>8} {:>22} {:>16}",
        "", "loss", "|gradient|", "λ_max", "coefficient", "at γ/2"
    );
    println!("  {}", "─".repeat(111));
    let on = format!("{steps} full batches later");
    for (name, found) in [
        ("as the survey's training ends", &survey),
        (on.as_str(), &full_batch),
    ] {
        print_row(name, found);
    }
    println!(
        "  Half the number of parameters is {}: what a bowl in every direction would have.\n",
        parameters / 2
    );
    println!(
        "  As the survey's training ends:\n{}",
        indented(&survey.to_string())
    );
    println!(
        "  After full batches:\n{}",
        indented(&full_batch.to_string())
    );
    Ok(())
}

fn momentum() -> SgdConfig {
    let momentum = MomentumConfig::new()
        .with_momentum(MOMENTUM)
        .with_dampening(DAMPENING);
    SgdConfig::new().with_momentum(Some(momentum))
}

/// Gradient descent with the survey's first rate, and the number of its steps.
fn train_on(mut model: Mlp, digits: &Digits, seconds: f64) -> (Mlp, usize) {
    let (mut optimizer, mut steps) = (momentum().init(), 0);
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        let gradients = loss(&model, digits.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = optimizer.step(LEARNING_RATE, model, gradients);
        steps += 1;
    }
    (model, steps)
}

fn measure(model: &Mlp, split: &Split, args: &Args) -> Result<LearningCoefficient, Failure> {
    eprintln!("sampling around it…");
    let loss = loss::<Mlp>;
    let risk = Risk::new(&loss, std::slice::from_ref(&split.train));
    let posterior = PosteriorConfig::new(split.num_train)
        .with_localizer(args.localizer)
        .with_num_chains(4)
        .with_burn_in(args.length(500))
        .with_num_draws(args.length(1_500))
        .with_num_threads(THREADS)
        .with_seed(args.seed);
    Ok(LearningCoefficientConfig::new(posterior).run(&risk, model)?)
}

fn print_row(name: &str, found: &LearningCoefficient) {
    let sharpness = found
        .sharpness
        .map_or_else(|| "-".to_string(), |sharpness| format!("{sharpness:.3}"));
    let coefficient = match found.coefficient {
        Some(value) => format!("{value:.2} ± {:.2}", found.standard_error),
        None => format!("none ({:.2} ± {:.2})", found.estimate, found.standard_error),
    };
    let half = found.half_localizer.map_or_else(
        || "-".to_string(),
        |(value, error)| format!("{value:.2} ± {error:.2}"),
    );
    println!(
        "  {name:<40} {:>10.2e} {:>10.2e} {sharpness:>8} {coefficient:>22} {half:>16}",
        found.base_loss, found.base_gradient_norm
    );
}
