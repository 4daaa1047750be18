//! What a device does with the numbers and the time of this library: a probe for machines with a GPU.
//!
//! `cargo bench -p burnscape --bench gpu_probe --features cuda,fusion,autotune` on an NVIDIA GPU, with `wgpu` on others
//! and in software, with no feature on Flex. It prints, each line as soon as it is known,
//!
//! - matrix products and `Q v` against f64 on the host: the bits that are right;
//! - a Lanczos run on an MLP: how far its basis is from orthonormal, and the copies of its largest eigenvalue, with
//!   the library's products and with matrix products;
//! - Hessian products of the MLP: one vector and blocks, in ms (fused if the feature `fusion` is on);
//! - inner products at many parameters, in 10 and in 300 leaves;
//! - Hessian products of a GPT: time, the memory that the program predicts, and what the device has reserved;
//! - a sharpness-aware step over two gradients.
//!
//! Options, each with a number: `--size` of the matrices (512), `--numbers` of `Q v` (1,000,000), `--width` of the MLP
//! (512), `--steps` of Lanczos (40), `--parameters` of the inner products (120,000,000), `--d` (1024), `--layers` (12),
//! `--tokens` (512) and `--rows` (4; one row is measured, too) of the GPT, and `--rounds` (5).
#![allow(clippy::expect_used, reason = "a benchmark has nobody to report to")]

mod bits;
mod by_matmul;
mod lanczos;
mod times;

#[path = "../curvature/models.rs"]
#[allow(dead_code, reason = "the benchmark of curvature uses more of them")]
mod models;

use std::fmt::Display;
use std::io::Write;

use burn::tensor::Device;

/// Sizes, so that a software device gets small ones.
pub(crate) struct Options {
    pub(crate) size: usize,
    pub(crate) numbers: usize,
    pub(crate) width: usize,
    pub(crate) steps: usize,
    pub(crate) parameters: usize,
    pub(crate) d: usize,
    pub(crate) layers: usize,
    pub(crate) tokens: usize,
    pub(crate) rows: usize,
    pub(crate) rounds: usize,
}

impl Options {
    fn read() -> Self {
        let option = |name: &str, default: usize| {
            let value = std::env::args().skip_while(|arg| arg != name).nth(1);
            value.map_or(default, |value| value.parse().expect("a number"))
        };
        Self {
            size: option("--size", 512),
            numbers: option("--numbers", 1_000_000),
            width: option("--width", 512),
            steps: option("--steps", 40),
            parameters: option("--parameters", 120_000_000),
            d: option("--d", 1024),
            layers: option("--layers", 12),
            tokens: option("--tokens", 512),
            rows: option("--rows", 4),
            rounds: option("--rounds", 5).max(1),
        }
    }
}

/// Prints a line at once: a device may hang in the next.
pub(crate) fn say(line: impl Display) {
    println!("{line}");
    std::io::stdout().flush().expect("an output");
}

fn main() {
    let options = Options::read();
    let device = Device::default();
    say(format!(
        "device {device:?}, fusion {}, autotune {}",
        cfg!(feature = "fusion"),
        cfg!(feature = "autotune")
    ));
    device.seed(1);
    bits::report(&options, &device);
    lanczos::report(&options, &device);
    times::products(&options, &device);
    times::dots(&options, &device);
    times::gpt(&options, &device);
    times::sharpness_aware(&options, &device);
}
