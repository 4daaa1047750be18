//! How far the tangent kernel moves: by width and parametrization, and by the scale of the outputs.

use burn::module::{Module, Param};
use burn::optim::SgdConfig;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::dynamics::{
    Moment, Monitor, ScaledOutputs, TangentKernelConfig, TangentKernelReading,
};
use burnscape::krylov::{EigenpairsConfig, LineFit, Probe, Which};
use burnscape::loss::Risk;

use super::network::normal;
use super::table::{heading, meaning, number, table, with_error};
use crate::{Args, Failure};

const EXAMPLES: usize = 20;
const INPUTS: usize = 5;
const DATA_SEED: u64 = 1000;
const WIDTHS: [usize; 6] = [32, 64, 128, 256, 512, 1024];
/// The width at which the scale of the outputs changes.
const SCALED_WIDTH: usize = 128;
/// Training ends at this share of the loss at the start.
const GOAL: f64 = 0.01;
const MAX_STEPS: usize = 1500;

/// Inputs and targets.
type Pair = (Tensor<2>, Tensor<2>);

/// `aᵀ tanh(Wᵀ x / √d) / √m` for a width of `m`, with standard normal weights.
#[derive(Module, Debug)]
struct Wide {
    first: Param<Tensor<2>>,
    last: Param<Tensor<2>>,
}

impl Wide {
    fn new(width: usize, seed: u64, device: &Device) -> Result<Self, Failure> {
        let place = (device, DType::F32);
        Ok(Self {
            first: normal([INPUTS, width], 1.0, (seed, 0), place)?,
            last: normal([width, 1], 1.0, (seed, 1), place)?,
        })
    }

    fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let [width, _] = self.last.val().dims();
        let hidden = x.clone().matmul(self.first.val()) / (INPUTS as f64).sqrt();
        hidden.tanh().matmul(self.last.val()) / (width as f64).sqrt()
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    heading(
        "The tangent kernel",
        &format!(
            "One hidden layer with tanh, {EXAMPLES} random points, targets ±1; gradient descent to {} % of the loss \
             at the start, {} seed(s). The last layer is divided by √m or by m, for a width of m.",
            100.0 * GOAL,
            args.seeds().len()
        ),
    );
    let data = data(&Device::default().autodiff())?;
    let (mut rows, mut drifts) = (Vec::new(), [Vec::new(), Vec::new()]);
    let widths = if args.is_quick() {
        &WIDTHS[..2]
    } else {
        &WIDTHS[..]
    };
    for &width in widths {
        eprintln!("training networks of width {width}…");
        let mut row = vec![width.to_string()];
        // With outputs that are centered, 1/m is a scale of 1/√m.
        let scales = [1.0, (width as f64).sqrt().recip()];
        for (scale, drifts) in scales.into_iter().zip(&mut drifts) {
            let runs = runs(width, scale, &data, args)?;
            drifts.push(mean(&runs, |run| Some(run.after.drift)).unwrap_or(f64::NAN));
            row.extend(cells(&runs));
        }
        rows.push(row);
    }
    let columns = [
        "width",
        "drift, 1/√m",
        "move",
        "gap",
        "drift, 1/m",
        "move",
        "gap",
    ];
    table(&columns, &rows);
    let [root, inverse] = drifts.map(|drifts| slope(widths, &drifts));
    println!(
        "  drift  |K − K₀| / |K₀| for the tangent kernel K after training\n  move   |w − w₀| / |w₀|\n  \
         gap    between the outputs and those of the model that is linear in its weights, in units of their move\n"
    );
    meaning(&format!(
        "Slope of the logarithm of the drift in that of the width: {root:.2} and {inverse:.2}. With 1/√m a wide \
         network is nearly a linear model of its weights (lazy; the limit of the slope is −1); with 1/m it moves as \
         far at every width (rich)."
    ));
    scales(&data, args)
}

/// The same width with other scales of the outputs.
fn scales(data: &Pair, args: &Args) -> Result<(), Failure> {
    eprintln!("training networks with scaled outputs…");
    let mut rows = Vec::new();
    for scale in [0.25, 1.0, 4.0, 16.0] {
        let runs = runs(SCALED_WIDTH, scale, data, args)?;
        let mut row = vec![scale.to_string()];
        row.extend(cells(&runs));
        row.push(number(mean(&runs, |run| run.after.distance), 4));
        row.push(number(mean(&runs, |run| run.before.alignment), 3));
        row.push(number(mean(&runs, |run| run.after.alignment), 3));
        rows.push(row);
    }
    println!("  Width {SCALED_WIDTH}, 1/√m, outputs times α and the loss divided by α²:");
    let columns = [
        "α",
        "drift",
        "move",
        "gap",
        "distance",
        "alignment",
        "at the end",
    ];
    table(&columns, &rows);
    meaning(
        "A large scale makes the same network lazy and a small one rich: width is not what decides. Only a kernel \
         that moves can turn towards the targets (alignment). The distance ignores a kernel that only grows.",
    );
    Ok(())
}

/// Products of two inputs decide the sign: no linear model of the inputs learns it.
fn data(device: &Device) -> Result<Pair, Failure> {
    let inputs: Vec<f64> = Probe::Gaussian.draw(&(EXAMPLES * INPUTS), DATA_SEED, 0)?;
    let targets = inputs.chunks(INPUTS).map(|x| (x[0] * x[1]).signum());
    let targets: Vec<f64> = targets.collect();
    let inputs = TensorData::new(inputs, [EXAMPLES, INPUTS]);
    let targets = TensorData::new(targets, [EXAMPLES, 1]);
    Ok((
        Tensor::from_data(inputs, device),
        Tensor::from_data(targets, device),
    ))
}

/// A trained network.
struct Trained {
    before: TangentKernelReading,
    after: TangentKernelReading,
}

/// One for each seed.
fn runs(width: usize, scale: f64, data: &Pair, args: &Args) -> Result<Vec<Trained>, Failure> {
    let seeds = args.seeds().into_iter();
    seeds
        .map(|seed| trained((width, scale, seed), data, args))
        .collect()
}

fn trained(
    (width, scale, seed): (usize, f64, u64),
    data: &Pair,
    args: &Args,
) -> Result<Trained, Failure> {
    let start = Wide::new(width, seed, &data.0.device())?;
    let scaled = ScaledOutputs::new(scale, |net: &Wide, (x, _): &Pair| net.outputs(x))?;
    let batches = scaled.batches(&start, std::slice::from_ref(data))?;
    let risk = Risk::split(
        |net: &Wide, batch: &(Pair, Tensor<2>)| scaled.outputs(net, batch),
        |z: Tensor<2>, ((_, y), _): (Pair, Tensor<2>)| scaled.loss((z - y).square().mean()),
        &batches,
    );
    let top = EigenpairsConfig::new(1, Which::Largest).run(&risk.gauss_newton(&start)?)?;
    let top = top.values.first().copied().ok_or("no eigenvalue")?;
    // The kernel of a rich network grows several times: smaller steps stay stable.
    let share = if scale < 1.0 { 0.25 } else { 1.0 };
    let rate = share / top;

    let mut monitor = TangentKernelConfig::new()
        .with_targets(data.1.clone())
        .init()?;
    let before = monitor.measure(&risk, &Moment::new(0, rate, &start))?;
    let goal = GOAL * risk.loss(&start)?.value;
    let (mut model, mut sgd, mut steps) = (start, SgdConfig::new().init(), 0);
    while steps < args.length(MAX_STEPS, 5) {
        let found = risk.loss_and_gradient(&model)?;
        if found.value <= goal {
            break;
        }
        model = sgd.step(rate, model, found.gradient.into_gradients());
        steps += 1;
    }
    let after = monitor.measure(&risk, &Moment::new(steps, rate, &model))?;
    Ok(Trained { before, after })
}

/// Drift, move and gap.
fn cells(runs: &[Trained]) -> [String; 3] {
    let drifts: Vec<f64> = runs.iter().map(|run| run.after.drift).collect();
    [
        with_error(&drifts, 3),
        number(mean(runs, |run| run.after.relative_move), 2),
        number(mean(runs, |run| run.after.linearization_gap), 2),
    ]
}

fn mean(runs: &[Trained], value: impl Fn(&Trained) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = runs.iter().filter_map(value).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The slope of the least-squares line through the logarithms.
fn slope(widths: &[usize], drifts: &[f64]) -> f64 {
    let points = widths.iter().zip(drifts);
    let points: Vec<(f64, f64)> = points
        .map(|(width, drift)| ((*width as f64).ln(), drift.ln()))
        .filter(|(_, drift)| drift.is_finite())
        .collect();
    LineFit::of(&points).map_or(f64::NAN, |line| line.slope)
}
