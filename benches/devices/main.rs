//! What devices of another process cost beside this one's, as ratios measured in one run on Flex.
//!
//! ```text
//! cargo bench -p burnscape --bench devices --features remote
//! cargo bench -p burnscape --bench devices --features remote -- --quick
//! ```
//!
//! A server is started as a process of its own, and reached over WebSocket on the loopback interface. Client and server share the
//! cores of the machine, so that nothing here is faster for being spread: what is measured is what the way to the server adds. Printed
//! are
//!
//! - a Hessian product, and the loss with its gradient, of a model and data on the server, over those of the same here; and with
//!   half of the batches here and half there, where vectors travel;
//! - a product over one, two and four devices of the server, the model being on the first;
//! - how that grows with the number of parameters, beside a vector that goes there and back;
//! - the bytes of a product, and how often the client waits for an answer, counted by a proxy between client and server.
//!
//! Rounds in which the sides take turns; each has its own ratio, of which the median is printed. Options: `--rounds N` (15 by default),
//! and `--quick` for one round of everything. Figures of a run, with machine and date, are in `docs/performance.md`.

#[path = "../optim/models.rs"]
mod models;
mod proxy;
mod server;
mod spread;
mod timing;
mod traffic;
mod widths;

use std::error::Error;

use burn::tensor::Device;

use models::{Batch, Cnn, Mlp, flat_batch, image_batch};
use server::{SERVE, Server};

pub(crate) type Failure = Box<dyn Error>;
pub(crate) type Outcome = Result<(), Failure>;

const BATCHES: usize = 4;
const MLP: &str = "MLP 784-512-512-10, 4 × 128";
const CNN: &str = "CNN 1x28x28, 8-16, 4 × 64";

fn main() -> Outcome {
    // As in the benchmark of optimizers: glibc's threshold is that of a program with data loaded.
    drop(std::hint::black_box(vec![1_u8; 31 << 20]));
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    if has(SERVE) {
        return server::serve();
    }
    let given = std::env::args()
        .skip_while(|argument| argument != "--rounds")
        .nth(1);
    let rounds = match given {
        Some(rounds) => rounds.parse()?,
        None if has("--quick") => 1,
        None => 15,
    };
    let server = Server::start()?;
    let here = Device::flex();
    here.seed(1);
    let (mlp, cnn) = (Mlp::new(&here), Cnn::new(&here));
    let flat: Vec<Batch<2>> = (0..BATCHES).map(|_| flat_batch(&here)).collect();
    let images: Vec<Batch<4>> = (0..BATCHES).map(|_| image_batch(&here)).collect();

    println!("medians of {rounds} rounds, milliseconds, Flex here and in a server on loopback");
    println!("\n{}", spread::HEAD);
    spread::here_and_there(MLP, &mlp, &flat, &server, rounds)?;
    spread::here_and_there(CNN, &cnn, &images, &server, rounds)?;
    println!("\n{}", spread::HEAD_OF_SESSIONS);
    spread::over_sessions(MLP, &mlp, &flat, &server, rounds)?;
    spread::over_sessions(CNN, &cnn, &images, &server, rounds)?;
    println!("\n{}", widths::HEAD);
    let widths: &[usize] = if has("--quick") {
        &[32]
    } else {
        &[64, 256, 1024]
    };
    for width in widths {
        widths::report(*width, &server, rounds)?;
    }
    println!("\n{}", traffic::HEAD);
    traffic::report(MLP, &mlp, &flat, &server)?;
    traffic::report(CNN, &cnn, &images, &server)
}
