//! Which layers the Hessian couples.

use burn::tensor::Device;
use burnscape::curvature::LayerCouplingConfig;
use burnscape::loss::Risk;

use super::table::{heading, meaning, number, table};
use super::trained::{initial, momentum, trained};
use crate::survey::data::Split;
use crate::survey::models::Mlp;
use crate::survey::train::loss;
use crate::{Args, Failure};

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let device = Device::default().autodiff();
    let split = Split::load(&device)?;
    eprintln!("training for the coupling of layers…");
    let (start, _) = initial(args.seed, &device)?;
    let model = trained(start, momentum(), &split, args)?;
    let loss = loss::<Mlp>;
    let risk = Risk::new(&loss, std::slice::from_ref(&split.train));
    let found = LayerCouplingConfig::new()
        .with_num_probes(args.length(10, 2))
        .with_seed(args.seed)
        .run(&risk.hessian(&model)?)?;
    heading(
        "Coupling between layers",
        &format!(
            "The survey's MLP after training: |H_ij| / √(|H_ii| |H_jj|) for the blocks of the Hessian, from {} \
             products.",
            found.num_matvecs
        ),
    );
    let columns: Vec<&str> = std::iter::once("")
        .chain(found.paths.iter().map(String::as_str))
        .collect();
    let rows: Vec<Vec<String>> = found
        .paths
        .iter()
        .enumerate()
        .map(|(i, path)| {
            let cells = (0..found.paths.len()).map(|j| number(found.normalized(i, j), 2));
            std::iter::once(path.clone()).chain(cells).collect()
        })
        .collect();
    table(&columns, &rows);
    let share = found.off_diagonal_share().unwrap_or(0.0);
    meaning(&format!(
        "0: two tensors can be changed one by one, 1: what one does to the gradient the other can do as well. \
         Blocks off the diagonal have {:.0} % of |H|²: what a method that treats tensors one by one leaves out.",
        100.0 * share
    ));
    Ok(())
}
