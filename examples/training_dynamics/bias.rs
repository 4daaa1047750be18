//! Which of all solutions an optimizer finds, and what linear layers conserve.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape::dynamics::{GradientFlowConfig, imbalance};
use burnscape::loss::{Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};

use super::digits::{PIXELS, Pixels};
use super::network::normal;
use super::table::{heading, meaning, table};
use crate::{Args, Failure};

/// Fewer than pixels: many weights fit them exactly.
const DIGITS: usize = 20;
const STEPS: usize = 1000;
const HIDDEN: usize = 8;
/// Descent at several rates ends at the same time.
const TIME: f64 = 40.0;
const RATES: [f64; 3] = [0.2, 0.1, 0.05];

type Pair = (Tensor<2>, Tensor<2>);

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    heading(
        "Implicit bias",
        &format!(
            "A linear model of {PIXELS} pixels from weights of zero, {DIGITS} digits, below 5 or not, squared loss."
        ),
    );
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let pixels = Pixels::first(DIGITS)?;
    let data = [(pixels.images(place), pixels.halves(place))];
    solutions(&data, args)?;
    balance(&data, args)
}

/// Half the mean squared distance to the targets.
fn criterion(outputs: Tensor<2>, (_, targets): Pair) -> Tensor<1> {
    (outputs - targets).square().mean() / 2.0
}

fn solutions(data: &[Pair; 1], args: &Args) -> Result<(), Failure> {
    eprintln!("training linear models…");
    let start: Linear = LinearConfig::new(PIXELS, 1)
        .with_bias(false)
        .with_initializer(Initializer::Zeros)
        .init(&data[0].0.device());
    let risk = Risk::split(
        |model: &Linear, (images, _): &Pair| model.forward(images.clone()),
        criterion,
        data,
    );
    let steps = args.length(STEPS, 10);
    let momentum = MomentumConfig::new().with_dampening(0.0);
    let momentum = SgdConfig::new().with_momentum(Some(momentum)).init();
    let sgd = SgdConfig::new().init();
    let flow = GradientFlowConfig::new(steps as f64).run(&risk, &start)?;
    let models = [
        ("gradient descent", trained(&risk, &start, sgd, 1.0, steps)?),
        (
            "with momentum",
            trained(&risk, &start, momentum, 0.1, steps)?,
        ),
        ("gradient flow", flow.model),
        (
            "Adam",
            trained(&risk, &start, AdamConfig::new().init(), 0.01, steps)?,
        ),
    ];
    let (mut rows, mut shortest) = (Vec::new(), 0.0);
    for (name, model) in &models {
        // From zero, the weights are what has moved.
        let moved = ParamVector::from_module(&ParamSpace::of(model)?, model)?;
        let off = risk.jacobian(model)?.off_row_space(&moved)?;
        let length = off.displacement_norm;
        shortest = (length * length - off.norm * off.norm).max(0.0).sqrt();
        rows.push(vec![
            (*name).to_string(),
            format!("{:.0e}", risk.loss(model)?.value),
            format!("{length:.4}"),
            format!("{:.1e}", off.norm),
        ]);
    }
    table(&["optimizer", "loss", "|w|", "off the rows"], &rows);
    meaning(&format!(
        "Gradients are combinations of the digits (the rows of the Jacobian): descent, momentum and the flow cannot \
         leave their span, and find the shortest solution. Adam scales each weight, and finds another one; without \
         its part off the rows, it has the length {shortest:.4}."
    ));
    Ok(())
}

fn trained(
    risk: &Risk<'_, Linear, Split>,
    start: &Linear,
    mut optimizer: ModuleOptimizer,
    rate: f64,
    steps: usize,
) -> Result<Linear, Failure> {
    let mut model = start.clone();
    for _ in 0..steps {
        let gradient = risk.loss_and_gradient(&model)?.gradient;
        model = optimizer.step(rate, model, gradient.into_gradients());
    }
    Ok(model)
}

/// Two linear layers.
#[derive(Module, Debug)]
struct Deep {
    first: Param<Tensor<2>>,
    second: Param<Tensor<2>>,
}

/// What the flow of two linear layers conserves.
fn balance(data: &[Pair; 1], args: &Args) -> Result<(), Failure> {
    eprintln!("training two linear layers…");
    let device = data[0].0.device();
    let deviation = |from: usize| (from as f64).sqrt().recip();
    let place = (&device, DType::F32);
    let start = Deep {
        first: normal([PIXELS, HIDDEN], deviation(PIXELS), (args.seed, 0), place)?,
        second: normal([HIDDEN, 1], deviation(HIDDEN), (args.seed, 1), place)?,
    };
    let loss = |model: &Deep, pair: Pair| {
        let hidden = pair.0.clone().matmul(model.first.val());
        criterion(hidden.matmul(model.second.val()), pair)
    };
    let risk = Risk::new(&loss, data);
    let time = TIME / args.shorter.max(1) as f64;
    let mut rows = Vec::new();
    for rate in RATES {
        let steps = ((time / rate).round() as usize).max(2);
        let (mut model, mut sgd) = (start.clone(), SgdConfig::new().init());
        for _ in 0..steps {
            let gradient = risk.loss_and_gradient(&model)?.gradient;
            model = sgd.step(rate, model, gradient.into_gradients());
        }
        let name = format!("gradient descent, rate {rate}");
        rows.push(balance_row(&name, &risk, &start, &model)?);
    }
    let flow = GradientFlowConfig::new(time)
        .with_relative_tolerance(Some(1e-5))
        .run(&risk, &start)?;
    rows.push(balance_row("gradient flow", &risk, &start, &flow.model)?);
    println!("  Two linear layers, {PIXELS}-{HIDDEN}-1, up to the time {time}:");
    table(&["", "loss", "change of W₁ᵀW₁ − W₂W₂ᵀ"], &rows);
    meaning(
        "The flow conserves the difference; descent changes it by as much as its rate is large. In single precision \
         what is left is rounding.",
    );
    Ok(())
}

fn balance_row(
    name: &str,
    risk: &Risk<'_, Deep>,
    start: &Deep,
    model: &Deep,
) -> Result<Vec<String>, Failure> {
    let [before, after] = [start, model].map(|at| imbalance(at.first.val(), at.second.val()));
    let (before, after) = (before?, after?);
    let length = |matrix: Tensor<2>| -> f64 {
        let length: f32 = matrix.square().sum().sqrt().into_scalar();
        f64::from(length)
    };
    let change = length(after - before.clone()) / length(before);
    Ok(vec![
        name.to_string(),
        format!("{:.2e}", risk.loss(model)?.value),
        format!("{change:.1e}"),
    ])
}
