//! Physics-informed networks: four equations with exact solutions, and the wave speed that training does not follow.
//!
//! ```text
//! cargo run --release -p burnscape --example pinn
//! ```
//!
//! Each network is trained by L-BFGS on the residual of its equation and on boundary values. The table shows the relative
//! error of the solution, and the sharpness λ_max of the loss at the initial weights and at the end.
//!
//! Convection `u_t + β u_x = 0` is solved for slow waves. For β = 30 training ends at a loss that is small and a
//! solution that is wrong (Krishnapriyan et al. 2021, arXiv:2109.01050); with β raised in stages it succeeds. The
//! sharpness at the initial weights grows as β².

use std::error::Error;
use std::f64::consts::PI;
use std::process::ExitCode;
use std::time::Instant;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, LBFGSConfig, LineSearchFn};
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Batch, BatchMapper, Field, LossError, Objective, Recorded, Risk};
use clap::Parser;

/// Solve differential equations with networks.
#[derive(Parser)]
struct Args {
    /// Iterations of L-BFGS for an equation, and for each stage of the curriculum (twice as many for the last).
    #[arg(long, default_value_t = 600)]
    iterations: usize,
    /// Points inside of the domain.
    #[arg(long, default_value_t = 400)]
    points: usize,
    /// Units of each of the three hidden layers.
    #[arg(long, default_value_t = 24)]
    width: usize,
    /// Seed of the initial weights.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only equations whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

/// Three hidden layers with tanh, for inputs scaled to (−1, 1).
#[derive(Module, Debug)]
struct Net {
    layers: [Linear; 4],
}

impl Net {
    fn new(width: usize, device: &Device) -> Self {
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self {
            layers: [
                layer(2, width),
                layer(width, width),
                layer(width, width),
                layer(width, 1),
            ],
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, second, third, last] = &self.layers;
        let x = second.forward(first.forward(x).tanh()).tanh();
        last.forward(third.forward(x).tanh())
    }
}

/// Points inside, points on the boundary, and the solution there.
#[derive(Clone)]
struct Points {
    inside: Tensor<2>,
    boundary: Tensor<2>,
    wanted: Tensor<2>,
}

/// The examples are the points inside: boundary points belong to the whole batch.
impl Batch for Points {
    const IS_ONLY_TENSORS: bool = true;

    fn map_tensors<T: BatchMapper>(self, mapper: &mut T) -> Self {
        Self {
            inside: mapper.map_float(self.inside),
            boundary: mapper.map_float(self.boundary),
            wanted: mapper.map_float(self.wanted),
        }
    }

    fn num_examples(&self) -> Result<Option<usize>, LossError> {
        self.inside.num_examples()
    }

    fn select(&self, examples: &[usize]) -> Result<Self, LossError> {
        Ok(Self {
            inside: Batch::select(&self.inside, examples)?,
            ..self.clone()
        })
    }
}

/// The residual of an equation, of the field and the points, `[n, 1]`.
type Residual = Box<dyn Fn(&Field<2, 2>, &Tensor<2>) -> Tensor<2> + Sync>;

/// Points at the start of the first coordinate, which come first on the boundary.
const EDGE: usize = 64;

/// An equation on a rectangle, in its own units.
struct Equation {
    name: String,
    /// The ends of the first coordinate (time, or space) and of the second one.
    domain: [[f64; 2]; 2],
    residual: Residual,
    exact: Box<dyn Fn(f64, f64) -> f64 + Sync>,
    /// Whether the solution is given at the end of the first coordinate.
    is_closed: bool,
    /// Whether it starts without velocity.
    is_at_rest: bool,
}

impl Equation {
    fn new(
        name: impl Into<String>,
        domain: [[f64; 2]; 2],
        residual: impl Fn(&Field<2, 2>, &Tensor<2>) -> Tensor<2> + Sync + 'static,
        exact: impl Fn(f64, f64) -> f64 + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            domain,
            residual: Box::new(residual),
            exact: Box::new(exact),
            is_closed: false,
            is_at_rest: false,
        }
    }

    fn loss(&self, net: &Net, points: Points) -> Tensor<1> {
        let Points {
            inside,
            boundary,
            wanted,
        } = points;
        let u = Field::new(inside.clone(), |x| self.value(net, x));
        let residual = (self.residual)(&u, &inside);
        let at_boundary = self.value(net, boundary.clone()) - wanted;
        let loss = residual.square().mean() + at_boundary.square().mean();
        if !self.is_at_rest {
            return loss;
        }
        let start = boundary.slice([0..EDGE, 0..2]);
        let velocity = Field::new(start, |x| self.value(net, x)).partial(&[0]);
        loss + (velocity * 0.1).square().mean()
    }

    /// The network at points in the units of the equation.
    fn value(&self, net: &Net, x: Tensor<2>) -> Tensor<2> {
        let [[a, b], [c, d]] = self.domain;
        let row = |pair: [f64; 2]| Tensor::<2>::from_data([pair], &x.device());
        let scale = row([2.0 / (b - a), 2.0 / (d - c)]);
        let shift = row([(a + b) / (b - a), (c + d) / (d - c)]);
        net.forward(x * scale - shift)
    }

    fn points(&self, count: usize) -> Points {
        // The additive recurrence of the plastic number fills the square evenly.
        let inside = (0..count).map(|i| {
            let share = |step: f64| (0.5 + step * i as f64).fract();
            self.place(share(0.754_877_666_246_693), share(0.569_840_290_998_053))
        });
        let inside: Vec<[f64; 2]> = inside.collect();
        let along = |n: usize| (0..n).map(move |i| i as f64 / (n - 1) as f64);
        let mut edge: Vec<[f64; 2]> = along(EDGE).map(|s| self.place(0.0, s)).collect();
        edge.extend(along(40).flat_map(|s| [self.place(s, 0.0), self.place(s, 1.0)]));
        if self.is_closed {
            edge.extend(along(EDGE).map(|s| self.place(1.0, s)));
        }
        let wanted: Vec<f64> = edge.iter().map(|[x, y]| (self.exact)(*x, *y)).collect();
        let column = TensorData::new(wanted, [edge.len(), 1]);
        Points {
            inside: rows(&inside),
            boundary: rows(&edge),
            wanted: Tensor::from_data(column, &Device::flex()),
        }
    }

    fn place(&self, s: f64, t: f64) -> [f64; 2] {
        let [[a, b], [c, d]] = self.domain;
        [a + s * (b - a), c + t * (d - c)]
    }

    /// The relative error of the network in the L² norm, on a grid.
    fn error(&self, net: &Net) -> f64 {
        let shares = |n: usize| (0..n).map(move |i| i as f64 / (n - 1) as f64);
        let grid = shares(41).flat_map(|s| shares(64).map(move |t| (s, t)));
        let grid: Vec<[f64; 2]> = grid.map(|(s, t)| self.place(s, t)).collect();
        let found = self.value(&net.valid(), rows(&grid)).into_data();
        let exact = grid.iter().map(|[x, y]| (self.exact)(*x, *y));
        let (mut gap, mut size) = (0.0, 0.0);
        for (found, exact) in found.iter::<f64>().zip(exact) {
            gap += (found - exact) * (found - exact);
            size += exact * exact;
        }
        (gap / size).sqrt()
    }
}

fn rows(points: &[[f64; 2]]) -> Tensor<2> {
    let flat = points.iter().flatten().copied().collect();
    Tensor::from_data(TensorData::new(flat, [points.len(), 2]), &Device::flex())
}

/// What training has come to.
struct Outcome {
    net: Net,
    sharpness: [f64; 2],
    loss: f64,
}

/// Trains by L-BFGS, and tells how it goes.
fn train(
    equation: &Equation,
    net: Net,
    points: usize,
    iterations: usize,
) -> Result<Outcome, Box<dyn Error>> {
    let loss = |net: &Net, points: Points| equation.loss(net, points);
    let batch = equation.points(points);
    let data = [batch.clone()];
    let risk = Risk::new(&loss, &data);
    let sharpness = |net: &Net| -> Result<f64, Box<dyn Error>> {
        let hessian = risk.hessian(net)?;
        let top = EigenpairsConfig::new(1, Which::LargestMagnitude).with_tolerance(1e-2);
        Ok(top.run(&hessian)?.values[0])
    };
    let before = sharpness(&net)?;
    let recorded = Recorded::new(loss);
    let start = Instant::now();
    let config = LBFGSConfig::new()
        .with_history_size(20)
        .with_max_iter(100)
        .with_max_eval(Some(200))
        .with_tolerance_change(1e-12)
        .with_line_search_fn(LineSearchFn::StrongWolfe);
    let mut lbfgs = config.init();
    let (mut net, mut value) = (net, f64::NAN);
    for round in 1..=iterations.div_ceil(100) {
        (net, value) = lbfgs.step(1.0, net, |net: Net| {
            let loss = recorded.loss(&net, batch.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            (loss.into_scalar(), gradients)
        });
        if round % 4 == 0 {
            let seconds = start.elapsed().as_secs_f64();
            eprintln!(
                "  {}: {} iterations, {seconds:.0} s, loss {value:.2e}",
                equation.name,
                100 * round
            );
        }
    }
    Ok(Outcome {
        sharpness: [before, sharpness(&net)?],
        net,
        loss: value,
    })
}

/// `u_t + β u_x = 0`, a sine that travels.
fn convection(beta: f64) -> Equation {
    Equation::new(
        format!("convection, β = {beta}"),
        [[0.0, 1.0], [0.0, 2.0 * PI]],
        move |u, _| u.partial(&[0]) + u.partial(&[1]) * beta,
        move |t, x| (x - beta * t).sin(),
    )
}

fn equations() -> Vec<Equation> {
    // A front that moves with speed 1/2 and does not change its shape.
    let viscosity = 0.05;
    let burgers = Equation::new(
        "Burgers, ν = 0.05",
        [[0.0, 1.0], [-1.0, 1.0]],
        move |u, _| u.partial(&[0]) + u.value() * u.partial(&[1]) - u.partial(&[1, 1]) * viscosity,
        move |t, x| 0.5 - 0.5 * ((x - 0.5 * t) / (4.0 * viscosity)).tanh(),
    );
    let mut poisson = Equation::new(
        "Poisson, 2-D",
        [[0.0, 1.0], [0.0, 1.0]],
        |u, x| {
            let source = (x.clone() * PI).sin().prod_dim(1);
            (u.laplacian() + source * (2.0 * PI * PI)) * 0.1
        },
        |x, y| (PI * x).sin() * (PI * y).sin(),
    );
    poisson.is_closed = true;
    let mut wave = Equation::new(
        "wave, c = 2",
        [[0.0, 1.0], [0.0, 1.0]],
        |u, _| (u.partial(&[0, 0]) - u.partial(&[1, 1]) * 4.0) * 0.1,
        |t, x| (PI * x).sin() * (2.0 * PI * t).cos(),
    );
    wave.is_at_rest = true;
    let mut all: Vec<Equation> = [1.0, 10.0, 30.0].map(convection).into();
    all.extend([burgers, poisson, wave]);
    all
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    Device::flex().configure(FloatDType::F64)?;
    let device = Device::flex().autodiff();
    let start = Instant::now();
    println!(
        "equation                relative error       loss   λ_max at start     at end   seconds"
    );
    let line = |name: &str, error: f64, outcome: &Outcome, since: Instant| {
        let [first, last] = outcome.sharpness;
        let seconds = since.elapsed().as_secs_f64();
        let loss = outcome.loss;
        println!(
            "{name:<23} {error:>14.4} {loss:>10.1e} {first:>16.0} {last:>10.0} {seconds:>9.0}"
        );
    };
    let is_wanted = |name: &str| {
        args.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    for equation in equations() {
        if !is_wanted(&equation.name) {
            continue;
        }
        let since = Instant::now();
        Device::flex().seed(args.seed);
        let net = Net::new(args.width, &device);
        let outcome = train(&equation, net, args.points, args.iterations)?;
        line(
            &equation.name,
            equation.error(&outcome.net),
            &outcome,
            since,
        );
    }
    if is_wanted("curriculum") {
        let since = Instant::now();
        Device::flex().seed(args.seed);
        let mut net = Net::new(args.width, &device);
        let stages = [1.0, 5.0, 10.0, 14.0, 18.0, 22.0, 26.0, 30.0];
        for (index, beta) in stages.into_iter().enumerate() {
            let is_last = index + 1 == stages.len();
            let iterations = if is_last {
                2 * args.iterations
            } else {
                args.iterations
            };
            let equation = convection(beta);
            let outcome = train(&equation, net, args.points, iterations)?;
            if is_last {
                line(
                    "curriculum to β = 30",
                    equation.error(&outcome.net),
                    &outcome,
                    since,
                );
            }
            net = outcome.net;
        }
    }
    println!("{:.0} s in all", start.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
