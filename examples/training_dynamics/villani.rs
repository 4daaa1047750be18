//! Whether the noise of training is confined: Villani's function on rays, which can refute and not prove.

use burn::tensor::{DType, Device};
use burnscape::krylov::Dense;
use burnscape::loss::Risk;
use burnscape::sharpness::{Coercivity, CoercivityConfig};
use burnscape::space::Grid;

use super::digits::{Pixels, SMALL_PIXELS};
use super::linear_net::{self, LinearNet, target};
use super::network::{Labeled, TanhNet, regularized};
use super::table::{heading, meaning, table};
use crate::{Args, Failure};

const DIGITS: usize = 200;
const HIDDEN: usize = 4;
const CLASSES: usize = 10;
/// The rate `s`.
const RATE: f64 = 0.1;
const DECAY: f64 = 0.01;
const RADII: [f64; 5] = [3.0, 10.0, 30.0, 100.0, 300.0];
const RAYS: usize = 8;
/// More than parameters: exact traces.
const PRODUCTS: usize = 128;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    heading(
        "Villani's function on rays",
        &format!(
            "Ψ = |∇L|²/s − tr H for s = {RATE}. If Ψ grows without bound in all directions, training with noise \
             converges to one law. The smallest Ψ of {RAYS} random rays at each radius, from random weights."
        ),
    );
    eprintln!("rays far out…");
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let pixels = Pixels::first(DIGITS)?;
    let digits: [Labeled; 1] = [(pixels.small_images(place), pixels.labels(&device))];
    let net = TanhNet::new([SMALL_PIXELS, HIDDEN, CLASSES], args.seed, place)?;
    let config = CoercivityConfig::new(Grid::from_coordinates(RADII.to_vec())?, RATE)
        .with_num_rays(args.length(RAYS, 1))
        .with_max_matvecs(PRODUCTS)
        .with_seed(args.seed);
    let mut found = Vec::new();
    for decay in [0.0, DECAY] {
        let loss = regularized(decay);
        // Where tanh is flat, second derivatives are rounding: symmetric or not says nothing.
        let risk = Risk::new(&loss, &digits).with_checks(false);
        found.push(config.run(&risk, &net)?);
    }
    let data = [target(&device)];
    let risk = Risk::new(&linear_net::loss, &data);
    found.push(config.run(&risk, &LinearNet::random(args.seed, &device))?);
    print_rows(&found);

    let valley: Vec<String> = [1.0, 10.0, 100.0]
        .into_iter()
        .map(|scale| psi(&risk, &LinearNet::minimum(scale, &device)))
        .map(|value| value.map(|value| format!("{value:.0}")))
        .collect::<Result<_, _>>()?;
    meaning(&format!(
        "Without an L2 term Ψ hardly grows; with one it ends on λ² r²/s. On all rays of the linear network Ψ \
         grows, and still the condition is false: along its valley of minima, U t and V/t, Ψ is {} for t = 1, 10 \
         and 100. Rays miss the valley: they can refute, and never prove.",
        valley.join(", ")
    ));
    Ok(())
}

fn print_rows(found: &[Coercivity]) {
    let rows: Vec<Vec<String>> = RADII
        .iter()
        .enumerate()
        .map(|(index, radius)| {
            let minima = found.iter().map(|found| {
                let minimum = found.minima.get(index).copied().unwrap_or(f64::NAN);
                format!("{minimum:.3e}")
            });
            std::iter::once(radius.to_string()).chain(minima).collect()
        })
        .collect();
    let names = ["digits, no L2", "digits, with L2", "linear network"];
    let columns: Vec<&str> = std::iter::once("radius").chain(names).collect();
    table(&columns, &rows);
    for (name, found) in names.iter().zip(found) {
        println!("  {name}: {found}");
    }
    println!();
}

/// `Ψ` at one point.
fn psi(risk: &Risk<'_, LinearNet>, net: &LinearNet) -> Result<f64, Failure> {
    let hessian = risk.hessian(net)?;
    let slope = hessian.gradient()?.norm()?;
    let matrix = Dense::of(&hessian)?;
    let diagonal = matrix.as_slice().iter().step_by(matrix.num_rows() + 1);
    Ok(slope * slope / RATE - diagonal.sum::<f64>())
}
