//! To how few bits the weights can be rounded.

use burn::tensor::Device;
use burnscape::loss::Risk;
use burnscape::optim::SamConfig;
use burnscape::sharpness::{BitsPerWeight, BitsPerWeightConfig};

use super::table::{heading, meaning, table};
use super::trained::{initial, momentum, trained};
use crate::survey::data::Split;
use crate::survey::models::Mlp;
use crate::survey::train::loss;
use crate::{Args, Failure};

/// The rise of the loss that is tolerated.
const THRESHOLD: f64 = 0.01;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = Device::default().autodiff();
    let split = Split::load(&device)?;
    heading(
        "Bits per weight",
        &format!(
            "The survey's MLP for {} digits. Every weight is rounded to one of 2ᵇ numbers between minus and plus \
             the largest of its layer; the rise of the training loss may be {THRESHOLD}.",
            split.num_train
        ),
    );
    let loss = loss::<Mlp>;
    let risk = Risk::new(&loss, std::slice::from_ref(&split.train));
    let config = BitsPerWeightConfig::new(THRESHOLD);
    let mut rows = Vec::new();
    let mut needed = Vec::new();
    for name in ["SGD", "SAM"] {
        eprintln!("training by {name}…");
        let (start, _) = initial(args.seed, &device)?;
        let model = match name {
            "SAM" => trained(start, SamConfig::new().init(momentum())?, &split, args)?,
            _ => trained(start, momentum(), &split, args)?,
        };
        let found = config.run(&risk, &model)?;
        needed.push(match found.bits {
            Some(bits) => format!("{name} needs {bits} bits"),
            None => format!("{name} needs more than {} bits", config.max_bits),
        });
        rows.extend(rows_of(name, &found));
    }
    table(
        &[
            "trained by",
            "bits",
            "mean rise",
            "standard error",
            "rise of plain rounding",
        ],
        &rows,
    );
    meaning(&format!(
        "{}. One bit less makes the rise four times as large, as long as the loss is nearly quadratic: a flatter \
         minimum saves bits, half of one for half the trace of the Hessian.",
        needed.join(", ")
    ));
    Ok(())
}

fn rows_of(name: &str, found: &BitsPerWeight) -> Vec<Vec<String>> {
    let tried = found.tried.iter().zip(&found.rises).enumerate();
    let row = |(index, (bits, rise)): (usize, (&u32, &f64))| {
        let error = found.standard_errors[index];
        vec![
            if index == 0 { name } else { "" }.to_string(),
            bits.to_string(),
            format!("{rise:.1e}"),
            error.map_or_else(|| "–".to_string(), |error| format!("{error:.0e}")),
            format!("{:.1e}", found.rounded_rises[index]),
        ]
    };
    tried.map(row).collect()
}
