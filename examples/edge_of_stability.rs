//! Gradient descent at the edge of stability, on handwritten digits.
//!
//! ```text
//! cargo run --release -p burnscape --example edge_of_stability -- --out edge.csv
//! ```
//!
//! A tanh network is trained with the squared loss on its full data set, twice from the same weights:
//! with steps so small that they follow the gradient flow, and with large ones. The sharpness of the flow
//! grows far beyond `2/lr`. That of gradient descent grows up to `2/lr` and stays there, while the loss
//! continues to fall (Cohen et al. 2021, arXiv:2103.00065).

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burnscape::dynamics::{CurvatureMonitorConfig, CurvatureReading, DynamicsError};
use burnscape::prelude::*;
use clap::Parser;

/// Watch gradient descent reach the edge of stability.
#[derive(Parser)]
struct Args {
    /// Learning rate of gradient descent.
    #[arg(long, default_value_t = 0.1)]
    lr: f64,
    /// Its steps.
    #[arg(long, default_value_t = 6000)]
    steps: usize,
    /// Steps between measurements. At the edge, weights jump from side to side: an even number shows one side only.
    #[arg(long, default_value_t = 51)]
    every: usize,
    /// How many times smaller the steps of the gradient flow are.
    #[arg(long, default_value_t = 10)]
    flow: usize,
    /// Digits to train on.
    #[arg(long, default_value_t = 200)]
    digits: usize,
    /// Units of each of the two hidden layers.
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Seed of the initial weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the readings of gradient descent there, as CSV.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Two hidden layers with tanh.
#[derive(Module, Debug)]
struct Mlp {
    layers: [Linear; 3],
}

impl Mlp {
    fn new(width: usize, device: &Device) -> Self {
        let layer = |from: usize, to: usize| LinearConfig::new(from, to).init(device);
        Self {
            layers: [layer(64, width), layer(width, width), layer(width, 10)],
        }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let [first, second, last] = &self.layers;
        last.forward(second.forward(first.forward(images).tanh()).tanh())
    }
}

type Data = (Tensor<2>, Tensor<2>);

/// Half the squared distance to the one-hot label, mean over the digits.
fn loss(model: &Mlp, (images, targets): Data) -> Tensor<1> {
    let [count, _] = images.dims();
    (model.forward(images) - targets).square().sum() / (2.0 * count as f64)
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let device = Device::default().autodiff();
    device.seed(args.seed);
    let data = digits(args.digits, &device)?;
    let model = Mlp::new(args.width, &device);
    let edge = 2.0 / args.lr;
    println!(
        "{} digits, {} parameters, learning rate {}: the edge is at 2/lr = {edge:.1}",
        args.digits,
        model.num_params(),
        args.lr
    );

    // The same time of training, in smaller steps.
    let flow = args.flow.max(1);
    let (fine, steps, every) = (args.lr / flow as f64, args.steps * flow, args.every * flow);
    let flow = descend(model.clone(), &data, (fine, steps, every), |reading| {
        reading.sharpness > 1.5 * edge
    })?;
    let top = flow.iter().map(|reading| reading.sharpness);
    let top = top.fold(f64::NEG_INFINITY, f64::max);
    println!(
        "gradient flow (steps of {fine}): the sharpness reaches {top:.1}, {:.2} of the edge",
        top / edge
    );

    let readings = descend(model, &data, (args.lr, args.steps, args.every), |_| false)?;
    println!("\n  step       loss    gradient  sharpness   · lr/2  products");
    for reading in readings.iter().step_by((readings.len() / 20).max(1)) {
        println!(
            "{:>6}  {:>9.3e}   {:>9.3e}  {:>9.2}  {:>7.4}  {:>8}",
            reading.step,
            reading.loss,
            reading.gradient_norm,
            reading.sharpness,
            reading.edge_ratio,
            reading.num_matvecs
        );
    }
    println!("\n{}", chart(&readings));
    summary(&readings);
    if let Some(path) = &args.out {
        readings.write_csv(BufWriter::new(File::create(path)?))?;
        println!("readings written to {}", path.display());
    }
    Ok(())
}

/// Gradient descent with readings, until `is_enough`.
fn descend(
    mut model: Mlp,
    data: &Data,
    (lr, steps, every): (f64, usize, usize),
    is_enough: impl Fn(&CurvatureReading) -> bool,
) -> Result<Vec<CurvatureReading>, DynamicsError> {
    let mut sgd = SgdConfig::new().init();
    let mut monitor = CurvatureMonitorConfig::new(every).init()?;
    let batches = std::slice::from_ref(data);
    let risk = Risk::new(&loss, batches);
    for step in 0..=steps {
        let reading = monitor.observe(&risk, &model, step, lr)?;
        if reading.is_some_and(|reading| is_enough(&reading)) {
            break;
        }
        let gradients = loss(&model, data.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = sgd.step(lr, model, gradients);
    }
    Ok(monitor.history().to_vec())
}

/// `λ_max · lr / 2` over time, a line for each tenth.
fn chart(readings: &[CurvatureReading]) -> String {
    const COLUMNS: usize = 72;
    const ROWS: usize = 12;
    let columns = COLUMNS.min(readings.len());
    let ratio = |column: usize| readings[column * readings.len() / columns].edge_ratio;
    let mut text = String::from("sharpness · lr/2\n");
    for row in (0..ROWS).rev() {
        let level = row as f64 / 10.0;
        let label = match row % 5 {
            0 => format!("{level:>4.1} ┤"),
            _ => "     │".to_string(),
        };
        text.push_str(&label);
        for column in 0..columns {
            let is_here = (ratio(column) * 10.0).round() as i64 == row as i64;
            text.push(match (is_here, row) {
                (true, _) => '●',
                (false, 10) => '╌',
                (false, _) => ' ',
            });
        }
        text.push('\n');
    }
    text.push_str("      steps →");
    text
}

/// The last quarter of the run.
fn summary(readings: &[CurvatureReading]) {
    let tail = &readings[readings.len() * 3 / 4..];
    let ratios = tail.iter().map(|reading| reading.edge_ratio);
    let mean = ratios.clone().sum::<f64>() / tail.len() as f64;
    let far = ratios.fold(0.0_f64, |far, ratio| far.max((ratio - 1.0).abs()));
    println!(
        "last quarter: sharpness · lr/2 is {mean:.4} on average, and at most {:.1} % from 1",
        100.0 * far
    );
}

/// The first digits, with pixels in [0, 1] and one-hot labels.
fn digits(count: usize, device: &Device) -> Result<Data, Box<dyn Error>> {
    let packed: &[u8] = include_bytes!("data/digits.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text)?;
    let (mut images, mut targets) = (Vec::new(), Vec::new());
    let mut found = 0;
    for line in text.lines().take(count) {
        let numbers: Result<Vec<usize>, _> = line.split(',').map(str::parse).collect();
        let mut numbers = numbers?;
        let label = numbers.pop().ok_or("a row of the data is empty")?;
        images.extend(numbers.into_iter().map(|pixel| pixel as f32 / 16.0));
        targets.extend((0..10).map(|class| if class == label { 1.0_f32 } else { 0.0 }));
        found += 1;
    }
    Ok((
        Tensor::from_data(TensorData::new(images, [found, 64]), device),
        Tensor::from_data(TensorData::new(targets, [found, 10]), device),
    ))
}
