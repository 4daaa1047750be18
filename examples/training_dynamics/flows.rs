//! Gradient descent beside the flow that it would follow with tiny steps, and the flow that it does follow.

use burn::optim::SgdConfig;
use burn::tensor::{DType, Device, Tensor};
use burnscape::dynamics::{CentralFlow, CentralFlowConfig, GradientFlow, GradientFlowConfig};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector, SpaceError};

use super::digits::{PIXELS, Pixels};
use super::network::TanhNet;
use super::table::{heading, meaning, number, table};
use crate::{Args, Failure};

const DIGITS: usize = 100;
const HIDDEN: usize = 16;
/// With one output, a single eigenvalue comes to the edge: what a central flow is made for.
const OUTPUTS: usize = 1;
const RATE: f64 = 0.6;
const STEPS: usize = 300;
const INTERVALS: usize = 6;

type Pair = (Tensor<2>, Tensor<2>);

/// Half the squared distance to the target, mean over the digits.
fn loss(net: &TanhNet, (images, targets): Pair) -> Tensor<1> {
    let [count, _] = images.dims();
    (net.forward(images) - targets).square().sum() / (2.0 * count as f64)
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let edge = 2.0 / RATE;
    heading(
        "Flows",
        &format!(
            "{DIGITS} digits, below 5 or not, squared loss, {PIXELS}-{HIDDEN}-{OUTPUTS} with tanh in f64, all from \
             the same weights. Gradient descent at a rate of η = {RATE} is stable up to a sharpness of 2/η = \
             {edge:.2}. Times of flows in its steps."
        ),
    );
    let device = Device::default().autodiff();
    let place = (&device, DType::F64);
    let pixels = Pixels::first(DIGITS)?;
    let data = [(pixels.images(place), pixels.halves(place))];
    let risk = Risk::new(&loss, &data);
    let start = TanhNet::new([PIXELS, HIDDEN, OUTPUTS], args.seed, place)?;
    let steps = args.length(STEPS, 2 * INTERVALS);

    eprintln!("gradient descent…");
    let descent = Descent::run(&risk, &start, steps)?;
    eprintln!("gradient flow…");
    let flow = GradientFlowConfig::new(RATE * steps as f64)
        .with_sharpness_interval(5)
        .run(&risk, &start)?;
    eprintln!("central flow…");
    let central = CentralFlowConfig::new(RATE, steps as f64).run(&risk, &start)?;
    print_rows(&risk, (&descent, &central, &flow), steps)?;
    print_end(&start, (&descent, &central, &flow), steps)
}

/// Gradient descent, with all that it passed through.
struct Descent {
    /// One more than losses.
    models: Vec<TanhNet>,
    losses: Vec<f64>,
}

impl Descent {
    fn run(risk: &Risk<'_, TanhNet>, start: &TanhNet, steps: usize) -> Result<Self, Failure> {
        let (mut models, mut losses) = (vec![start.clone()], Vec::new());
        let (mut model, mut sgd) = (start.clone(), SgdConfig::new().init());
        for _ in 0..=steps {
            let found = risk.loss_and_gradient(&model)?;
            losses.push(found.value);
            model = sgd.step(RATE, model, found.gradient.into_gradients());
            models.push(model.clone());
        }
        Ok(Self { models, losses })
    }
}

type Runs<'r> = (
    &'r Descent,
    &'r CentralFlow<TanhNet>,
    &'r GradientFlow<TanhNet>,
);

fn print_rows(
    risk: &Risk<'_, TanhNet>,
    (descent, central, flow): Runs<'_>,
    steps: usize,
) -> Result<(), Failure> {
    let mean_losses = central.mean_losses();
    let mut rows = Vec::new();
    for index in 0..INTERVALS {
        let (from, to) = (index * steps / INTERVALS, (index + 1) * steps / INTERVALS);
        let times = || (from..to).map(|step| step as f64);
        let of_central = times().map(|time| at(&central.times, &mean_losses, time));
        let of_flow = times().map(|time| at(&flow.times, &flow.losses, RATE * time));
        let of_descent = descent.losses[from..to].iter().copied().map(Some);
        // Both sides of the valley.
        let sides = [
            sharpness(risk, &descent.models[to])?,
            sharpness(risk, &descent.models[to + 1])?,
        ];
        let end = to as f64;
        let known = at(&flow.sharpness_times, &flow.sharpness, RATE * end);
        rows.push(vec![
            format!("{from} to {to}"),
            number(mean(of_descent), 4),
            number(mean(of_central), 4),
            number(mean(of_flow), 4),
            format!("{:.2}", 0.5 * (sides[0] + sides[1])),
            number(at(&central.times, &central.sharpness, end), 2),
            number(known.or(flow.sharpness.last().copied()), 2),
        ]);
    }
    let columns = [
        "steps",
        "loss: descent",
        "central flow",
        "gradient flow",
        "sharpness: descent",
        "central flow",
        "gradient flow",
    ];
    table(&columns, &rows);
    println!("  Losses are means over the steps; the sharpness is that of the last one.\n");
    Ok(())
}

fn print_end(
    start: &TanhNet,
    (descent, central, flow): Runs<'_>,
    steps: usize,
) -> Result<(), Failure> {
    let space = ParamSpace::of(start)?;
    let weights = |model: &TanhNet| ParamVector::from_module(&space, model);
    // Without the jumps from side to side.
    let other = weights(&descent.models[steps + 1])?;
    let middle = weights(&descent.models[steps])?.axpy(1.0, &other)?;
    let middle = middle.scale(0.5);
    let distance = |model: &TanhNet| -> Result<f64, SpaceError> {
        middle.clone().axpy(-1.0, &weights(model)?)?.norm()
    };
    let to_flow = distance(&flow.model)?;
    let ended = central.times.last().copied().unwrap_or(0.0);
    let of_central = if central.completed {
        format!("{:.3} from the central flow", distance(&central.model)?)
    } else {
        format!(
            "the central flow ended at step {ended:.0}, where a second eigenvalue came near 2/η"
        )
    };
    meaning(&format!(
        "In the end gradient descent is {to_flow:.3} from the gradient flow, and {of_central}. Above 2/η the \
         gradient flow goes on to sharper weights; descent oscillates instead, and the central flow is the path \
         about which it does."
    ));
    println!(
        "  Gradients, Hessian products and third derivatives: gradient flow {}, {}, 0; central flow {}, {}, {}.\n",
        flow.num_gradients,
        flow.num_matvecs,
        central.num_gradients,
        central.num_matvecs,
        central.num_third_derivatives
    );
    Ok(())
}

fn sharpness(risk: &Risk<'_, TanhNet>, model: &TanhNet) -> Result<f64, Failure> {
    let top = EigenpairsConfig::new(1, Which::Largest)
        .with_tolerance(1e-3)
        .run(&risk.hessian(model)?)?;
    let value = top.values.first().copied();
    value.ok_or_else(|| "no eigenvalue".into())
}

/// A value at a time, on the line between its neighbors; none after the last.
fn at(times: &[f64], values: &[f64], time: f64) -> Option<f64> {
    let index = times.partition_point(|known| *known < time);
    let (end, last) = (*times.get(index)?, *values.get(index)?);
    let Some(before) = index.checked_sub(1) else {
        return Some(last);
    };
    let (start, first) = (times[before], values[before]);
    Some(first + (time - start) / (end - start) * (last - first))
}

/// None if one is missing.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values = values.collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
