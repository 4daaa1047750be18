//! Training steps with derivatives by the input, for `benches/peers/pinn.py`.
//!
//! ```text
//! cargo bench -p burnscape --bench pinn -- --json ours.json
//! python benches/peers/pinn.py --ours ours.json
//! ```
//!
//! A step is the loss `mean (D u − f)²` of a tanh network with three hidden layers of 64 units at 1,000 points, and its gradient
//! by all parameters, in single precision. `D` is the Laplacian by 1 to 10 inputs, or a derivative of order 0 to 4 by one.
#![allow(clippy::expect_used, reason = "a benchmark stops at its first error")]

use std::hint::black_box;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::loss::{Field, Recorded};

const POINTS: usize = 1000;
const WIDTH: usize = 64;

#[derive(Module, Debug)]
struct Net {
    layers: [Linear; 4],
}

impl Net {
    fn new(inputs: usize, device: &Device) -> Self {
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self {
            layers: [
                layer(inputs, WIDTH),
                layer(WIDTH, WIDTH),
                layer(WIDTH, WIDTH),
                layer(WIDTH, 1),
            ],
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, second, third, last] = &self.layers;
        let x = second.forward(first.forward(x).tanh()).tanh();
        last.forward(third.forward(x).tanh())
    }
}

#[derive(Clone, Copy)]
enum Operator {
    Laplacian,
    /// A derivative by the only input.
    Order(usize),
}

fn case(inputs: usize, operator: Operator, rounds: usize) -> f64 {
    let device = Device::flex().autodiff();
    device.seed(1);
    let net = Net::new(inputs, &device);
    let numbers = |columns: usize, phase: f64| {
        let number = |i: usize| ((0.7 * i as f64 + phase).sin()) as f32;
        let numbers: Vec<f32> = (0..POINTS * columns).map(number).collect();
        Tensor::<2>::from_data(TensorData::new(numbers, [POINTS, columns]), &Device::flex())
    };
    let batch = (numbers(inputs, 0.3), numbers(1, 1.7));
    let loss = Recorded::new(move |net: &Net, (x, f): (Tensor<2>, Tensor<2>)| {
        let u = Field::new(x, |x| net.forward(x));
        let found = match operator {
            Operator::Laplacian => u.laplacian(),
            Operator::Order(0) => u.value(),
            Operator::Order(order) => u.partial(&vec![0; order]),
        };
        (found - f).square().mean()
    });
    let step = || {
        let loss = loss.loss_on(&net, batch.clone()).expect("a loss");
        black_box(GradientsParams::from_grads(loss.backward(), &net));
    };
    (0..3).for_each(|_| step());
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..5).for_each(|_| step());
            start.elapsed().as_secs_f64() * 1e3 / 5.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let rounds = after("--rounds")
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(15);
    let mut cases = vec![("laplacian".to_string(), 2, Operator::Laplacian)];
    cases.extend((0..=4).map(|order| (format!("order_{order}"), 1, Operator::Order(order))));
    cases.extend(
        (1..=10).map(|inputs| (format!("dimension_{inputs}"), inputs, Operator::Laplacian)),
    );
    let mut lines = Vec::new();
    println!("case              ms a step");
    for (name, inputs, operator) in cases {
        let ms = case(inputs, operator, rounds);
        println!("{name:<16} {ms:>10.2}");
        lines.push(format!(r#"{{"name": "{name}", "ms": {ms}}}"#));
    }
    if let Some(path) = after("--json").map(PathBuf::from) {
        let mut file = std::fs::File::create(path)?;
        writeln!(file, r#"{{"cases": [{}]}}"#, lines.join(", "))?;
    }
    Ok(())
}
