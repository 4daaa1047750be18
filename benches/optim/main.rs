//! What a sharpness-aware step costs, as ratios measured in one run on Flex.
//!
//! `cargo bench --bench optim` prints, for an MLP and a small CNN with batch norm:
//!
//! - a SAM step over two gradients and one base step (bar: 1.05);
//! - a LookSAM step (every 5) over a SAM step, against `(1.2 g + b) / (2 g + b)` with the gradient's
//!   and base step's own times (bar: 1.05 times that);
//! - what steps with curvature cost in gradients, and how high they look (`--only curvature` for these alone);
//! - the peak memory of a SAM step beyond that of two gradients, in copies of the parameters (bar: 1).
//!
//! The rounds interleave what is compared, and each round has its own ratio, of which the median is
//! printed: a slow minute of the machine then falls on both sides. Figures of a run, with machine and date, are in
//! `docs/performance.md`.

mod curvature;
mod memory;
mod models;
mod timing;

use burn::tensor::Device;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds = match std::env::args().skip_while(|arg| arg != "--rounds").nth(1) {
        Some(rounds) => rounds.parse()?,
        None => 41,
    };
    // glibc hands memory back to the kernel above a threshold that follows the largest block freed so
    // far. At the sizes here a SAM step crosses it and plain gradients do not, and half of what is
    // measured are page faults. A program that has loaded its data has raised it; so does this.
    drop(std::hint::black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex().autodiff();
    let mlp = models::Mlp::new(&device);
    let cnn = models::Cnn::new(&device);
    let curvature = || -> Result<(), Box<dyn std::error::Error>> {
        let flat = models::flat_batch(&device);
        curvature::report("MLP 784-512-512-10, batch 128", &mlp, &flat, 8)?;
        let images = models::image_batch(&device);
        curvature::report("CNN 1x28x28, 8-16, batch 64", &cnn, &images, 8)
    };
    if std::env::args().any(|arg| arg == "curvature") {
        return curvature();
    }
    println!("medians of {rounds} rounds, SGD with momentum, Flex");
    timing::report(
        "MLP 784-512-512-10, batch 128",
        &mlp,
        &models::flat_batch(&device),
        rounds,
    )?;
    timing::report(
        "CNN 1x28x28, 8-16, batch 64",
        &cnn,
        &models::image_batch(&device),
        rounds,
    )?;
    memory::report(
        "MLP 784-512-512-10, batch 128",
        &mlp,
        &models::flat_batch(&device),
    )?;
    memory::report(
        "CNN 1x28x28, 8-16, batch 64",
        &cnn,
        &models::image_batch(&device),
    )?;
    curvature()
}
